"""Wraps a log of the embedded store, and reports what was not kept of it: earlier lines, the rest of long ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobtrail.store.kept_output import count_dropped, is_cut
from jobtrail.text import count_noun

if TYPE_CHECKING:
    from jobtrail.logs.log import Lines, Log


class RecordedLog:
    """The log of an execution or a run of the embedded store, or of a task."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._dropped: dict[int, int] = {}
        self._cut: set[int] = set()
        self._first_line_read = False
        self.most = log.most

    @property
    def continuation(self) -> str:
        """The continuation of the wrapped log."""
        return self._log.continuation

    @property
    def partial(self) -> bool:
        """Whether something was not kept, as far as what was read tells."""
        return bool(self._dropped or self._cut) or self._log.partial

    @property
    def note(self) -> str:
        """What was not kept, as far as what was read tells."""
        notes = [self._log.note]
        if self._dropped:
            count = 0 if 0 in self._dropped.values() else sum(self._dropped.values())
            many = count_noun(count, "earlier line") if count else "earlier lines"
            notes.append(f"{many} {'was' if count == 1 else 'were'} not kept; numbers count from the first that was")
        if self._cut:
            which = f"line {min(self._cut):,}" if len(self._cut) == 1 else f"{len(self._cut):,} lines"
            notes.append(f"{which} had more characters than are kept: the rest cannot be searched or shown")
        return "; ".join(note for note in notes if note)

    async def read(self, first: int, want: int) -> Lines:
        """Read lines; besides them look once at the log's first line, which says how many were dropped."""
        lines = await self._log.read(first, want)
        self._look_at(lines)
        if not self._first_line_read and lines.total:
            self._look_at(await self._log.read(1, 1))
        return lines

    def _look_at(self, lines: Lines) -> None:
        for line in lines.lines:
            self._first_line_read = self._first_line_read or line.n == 1
            if (count := count_dropped(line.text)) is not None:
                self._dropped[line.n] = count
            if is_cut(line.text):
                self._cut.add(line.n)
