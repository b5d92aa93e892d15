"""Reads logs of RunWisp runs, `GET /api/runs/{runId}/log` of 1.x, and numbers their lines from 1 instead of 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pydantic import Field

from jobtrail.errors import ExcessiveAnswer, NotFound, UnreadableAnswer
from jobtrail.logs.log import Line, Lines
from jobtrail.models.unread import UnreadFields
from jobtrail.sources.responses import Integer, ResponseModel, clean_line, parse_response, parse_row
from jobtrail.times import from_nanoseconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jobtrail.errors import UpstreamError
    from jobtrail.sources.http import Http

_MOST = 5_000
_PIECE = 65_537
"""Characters, seen of RunWisp 1.0.1: a line that has more is sent as several, and all but the last have so many."""


class _RunWispLogLine(ResponseModel):
    """Schema LogLineEntry; `ts` is Unix milliseconds, 0 where the daemon does not know the time."""

    n: Integer | None = None
    ts: Integer | None = None
    stream: str | None = None
    text: str | None = None

    def to_line(self, number: int) -> Line:
        """Convert it to a `Line` with the given number."""
        mark = clean_line(self.stream, 20) if self.stream != "stdout" else None
        try:
            written_at = from_nanoseconds(self.ts * 1_000_000) if self.ts else None
        except ValueError:
            written_at = None
        return Line(number, self.text or "", mark or "", written_at)


class WireLog(ResponseModel):
    """Schema LogPageBody; its lines are read one by one."""

    lines: list[object] | None = None
    first_available: Integer = Field(default=0, alias="firstAvailable")
    total_lines: Integer | None = Field(default=None, alias="totalLines")
    finalized: bool = True

    def to_lines(self, subject: str, unread: UnreadFields) -> Lines:
        """Return it as read; what of its lines cannot be read is added to `unread`."""
        sent = [parse_row(_RunWispLogLine, one, subject) for one in self.lines or []]
        for one in sent:
            unread.add(one.unread)
        lines = [one.to_line(self._number(one.n, len(sent) - index)) for index, one in enumerate(sent)]
        return Lines(lines, self._total, self.first_available + 1, self.finalized)

    @property
    def _total(self) -> int:
        return self.total_lines if self.total_lines is not None else len(self.lines or [])

    def _number(self, sent: int | None, left: int) -> int:
        """Return the number of a line, from 1; where none is sent, the last of those left is the log's last."""
        return self._total - left + 1 if sent is None else sent + 1


def is_final_log(body: Any) -> bool:
    """Return whether a log as it was answered will not change any more."""
    return isinstance(body, dict) and cast("dict[str, Any]", body).get("finalized") is True


class RunLog:
    """The log of one run.

    Args:
        path: of its endpoint, relative to the base URL.
        explain: returns what to raise where the daemon has no such log, or no logs at all; it may ask the daemon.
    """

    most = _MOST
    continuation = ""

    def __init__(self, http: Http, path: str, explain: Callable[[UpstreamError], Awaitable[Exception]]) -> None:
        self._http = http
        self._path = path
        self._explain = explain
        self._pieces: set[int] = set()
        self._unread = UnreadFields("line")

    @property
    def partial(self) -> bool:
        """Whether a line came in pieces or could not be read, as far as what was read tells."""
        return bool(self._pieces or self._unread)

    @property
    def note(self) -> str:
        """A note for agents where a line came in pieces, which are searched alone, or could not be read."""
        notes = self._unread.write_notes()
        if self._pieces:
            notes.append(
                f"long lines come in pieces of {_PIECE:,} characters, the first of them line {min(self._pieces):,}: "
                "no search finds what lies across two"
            )
        return "; ".join(notes)

    async def read(self, first: int, want: int) -> Lines:
        """Read lines; the daemon, too, counts back from the end with a negative number."""
        params = {"from": first - 1 if first > 0 else first, "limit": max(1, min(want, _MOST))}
        try:
            body = await self._http.get(self._path, params)
            lines = parse_response(WireLog, body, self._http.subject).to_lines(self._http.subject, self._unread)
        except ExcessiveAnswer:
            raise
        except (NotFound, UnreadableAnswer) as error:
            raise await self._explain(error) from None
        self._pieces |= {line.n for line in lines.lines if len(line.text) == _PIECE}
        return lines
