"""Wraps a log of the embedded store, and reports how many earlier lines its recorder dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobtrail.logs.lines import count_dropped

if TYPE_CHECKING:
    from jobtrail.logs.log import Lines, Log


class RecordedLog:
    """The log of an execution of the embedded store, or of one of its tasks."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._dropped: dict[int, int] = {}
        self._first_line_read = False
        self.most = log.most

    @property
    def continuation(self) -> str:
        """The continuation of the wrapped log."""
        return self._log.continuation

    @property
    def partial(self) -> bool:
        """Whether lines were dropped, as far as what was read tells."""
        return bool(self._dropped) or self._log.partial

    @property
    def note(self) -> str:
        """How many lines were dropped, as far as what was read tells."""
        dropped = sum(self._dropped.values())
        return f"{dropped:,} earlier lines were not kept; numbers count from the first that was" if dropped else ""

    async def read(self, first: int, want: int) -> Lines:
        """Read lines; with the first of them look at the log's first line, which says how many were dropped."""
        if not self._first_line_read:
            self._first_line_read = True
            self._count_dropped(await self._log.read(1, 1))
        lines = await self._log.read(first, want)
        self._count_dropped(lines)
        return lines

    def _count_dropped(self, lines: Lines) -> None:
        self._dropped |= {one.n: count for one in lines.lines if (count := count_dropped(one.text))}
