"""Logs of Blaxel executions: `GET /observability/logs`, which the vendor's command line reads and no document has.

From that command line come the parameters, the shape, the order (newest first) and the longest window, three days.
That `offset` counts lines from the newest it does not show, since it always sends 0; so that is tried once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import Field

from jobtrail.errors import NotFound, StrayCursor, UnreadableAnswer, Unsupported
from jobtrail.logs.log import Line, Lines
from jobtrail.models import Call
from jobtrail.models.unread import UnreadFields
from jobtrail.sources.responses import Integer, Items, ResponseModel, clean_line, parse_response, parse_row
from jobtrail.text import count_noun
from jobtrail.times import NANOSECONDS, format_time, from_nanoseconds, parse_optional_time
from jobtrail.vocabulary import ENDED

if TYPE_CHECKING:
    from jobtrail.models import Execution
    from jobtrail.sources.http import Http

_MOST = 1_000
_LONGEST_TASK = 200
_PATH = "observability/logs"
_WINDOW = timedelta(days=3)
# Lines arrive late: the command line, too, looks a day ahead while it follows a log.
_LATE = timedelta(hours=1)
_SETTLES = timedelta(minutes=1)
"""Last lines have come by then: the command line holds lines back for 4 s; no document says how late one can be."""
_SEVERITIES = "FATAL,ERROR,WARNING,INFO,DEBUG,TRACE,UNKNOWN"
# Severity numbers of OpenTelemetry, as its log data model has them; other numbers are left alone.
_MARKS = ((range(13, 17), "warning"), (range(17, 21), "error"), (range(21, 25), "fatal"))
_SLACKS = (0, 50, 200, 600)
# Unix seconds that no execution has: the year 2242, well within what a calendar can show.
_NEVER = 2**33


class _BlaxelLogLine(ResponseModel):
    timestamp: str | None = None
    message: str | None = None
    severity: Integer | str | None = None
    task_id: str | None = None

    def to_line(self, number: int) -> Line:
        mark = next((word for numbers, word in _MARKS if self.severity in numbers), "")
        at, task = parse_optional_time(self.timestamp), clean_line(self.task_id, _LONGEST_TASK)
        return Line(number, self.message or "", mark, at, task or "")


class _WireLogs(ResponseModel):
    # Read one by one.
    logs: Items[object] = Field(default_factory=list[object])
    total: Integer = Field(default=0, alias="totalCount")


@dataclass(frozen=True)
class Span:
    """The time that a log is read from, in Unix seconds; `end` is 0 while more may be written."""

    start: int
    end: int
    whole: bool = True

    @classmethod
    def find(cls, one: Execution, now: datetime) -> Span:
        """Return the time in which an execution can have written something, its last three days at most."""
        began = one.created_at or one.started_at
        ended = one.ended_at + _LATE if one.ended_at else None
        if ended is None and one.status in ENDED:
            # When is not known, so it is taken to have settled.
            ended = min((began or now) + _WINDOW, now + _LATE - _SETTLES)
        last = ended or now + _LATE
        start = max(began or last - _WINDOW, last - _WINDOW)
        return cls(
            int(start.timestamp()), int(ended.timestamp()) + 1 if ended else 0, whole=began is None or start == began
        )

    def is_settled(self, now: datetime) -> bool:
        """Return whether no line arrives any more: it ended a while ago."""
        return self.end != 0 and now.timestamp() >= self.end - 1 - (_LATE - _SETTLES).total_seconds()

    def format_params(self) -> dict[str, str]:
        """Return the span as parameters of the endpoint."""
        start = from_nanoseconds(self.start * NANOSECONDS)
        end = from_nanoseconds(self.end * NANOSECONDS) if self.end else start + _WINDOW
        # The endpoint takes times without a zone, in UTC.
        return {"start": format_time(start).removesuffix("Z"), "end": format_time(end).removesuffix("Z")}


@dataclass
class LogEndpoint:
    """The endpoint of one workspace, and whether it was seen to honour `offset`."""

    http: Http
    offset_checked: bool = False


class TaskLog:
    """The log of an execution, or of one of its tasks.

    Its lines are numbered from the oldest in the span, so that a number stays while newer lines arrive.

    Args:
        task: its name; empty for all tasks.
        now: the time on our clock.
        total: how many lines there were when last asked, 0 where that is not known.
    """

    most = _MOST

    def __init__(
        self, endpoint: LogEndpoint, job: str, execution: str, task: str, span: Span, now: datetime, total: int = 0
    ) -> None:
        self._endpoint = endpoint
        self._http = endpoint.http
        self._job = job
        self._execution = execution
        self._selection = {"workloadIds": job, "executionId": execution, "taskId": task}
        self.span = span
        # The store of this machine has every line when it has the end.
        stored = self._http.cache is None and span.end != 0
        self._settled = stored or span.is_settled(now + self._http.lead)
        self._total = total
        self._unread = UnreadFields("line")

    @classmethod
    def resume(
        cls, endpoint: LogEndpoint, job: str, execution: str, task: str, now: datetime, continuation: str
    ) -> TaskLog:
        """Return the log for the continuation in a cursor.

        Raises:
            StrayCursor: `continuation` is of no such log.
        """
        match = re.fullmatch(r"([0-9a-f]{1,9})-([0-9a-f]{1,9})-([0-9a-f]{1,12})", continuation)
        start, end, total = (int(part, 16) for part in match.groups()) if match else (_NEVER, 0, 0)
        if start >= _NEVER or end >= _NEVER:
            raise StrayCursor("this cursor does not fit what it reads")
        return cls(endpoint, job, execution, task, Span(start, end), now, total)

    @property
    def continuation(self) -> str:
        """The span, and how many lines there are."""
        return f"{self.span.start:x}-{self.span.end:x}-{self._total:x}"

    @property
    def partial(self) -> bool:
        """Whether the span leaves out what the execution wrote first, or something could not be read."""
        return not self.span.whole or bool(self._unread)

    @property
    def note(self) -> str:
        """A note for agents where only the last three days are read, or lines can still come between others."""
        notes = [] if self.span.whole else ["at most three days of a log are read; these are the last"]
        if not self.span.end:
            notes.append("line numbers are provisional while it is written: lines can arrive late, between others")
        elif not self._settled:
            notes.append(
                f"it ended less than {_SETTLES.total_seconds():.0f} s ago: last lines may not have arrived yet, "
                "and line numbers are provisional until then"
            )
        return "; ".join([*notes, *self._unread.write_notes()])

    async def read(self, first: int, want: int) -> Lines:
        """Read lines; those from a number on are found from the newest, however many have come meanwhile."""
        if first < 0:
            page = await self._fetch_page(0, want)
            return self._number_lines(page, 0)
        total = self._total or (await self._fetch_page(0, 1)).total
        for slack in _SLACKS:
            last = min(total, first + want - 1)
            if last < first:
                return self._number_lines(_WireLogs(totalCount=total), 0)
            offset = total - last
            if offset:
                await self._check_offset(total)
            page = await self._fetch_page(offset, min(last - first + 1 + slack, _MOST))
            if page.total == total or page.total - offset - len(page.logs) < first:
                found = self._number_lines(page, offset)
                return replace(found, lines=[one for one in found.lines if first <= one.n <= last])
            # More has been written between the two requests, so that everything has moved away from the newest.
            total = page.total
        raise UnreadableAnswer(
            "writes this log faster than it can be read", subject=self._http.subject, advice="ask again later"
        )

    async def _fetch_page(self, offset: int, want: int) -> _WireLogs:
        params = {
            "resourceType": "jobs",
            **self._selection,
            **self.span.format_params(),
            "type": "all",
            "traceId": "",
            "search": "",
            "severity": _SEVERITIES,
            "interval": 60,
            "limit": max(1, min(want, _MOST)),
            "offset": offset,
        }
        try:
            body = await self._http.get(_PATH, params)
        except NotFound:
            raise Unsupported(
                "serves no logs where its vendor's command line reads them",
                subject=self._http.subject,
                advice=(
                    "call ",
                    Call("get_execution", {"job": self._job, "execution": self._execution}),
                    " for why tasks failed",
                ),
            ) from None
        page = parse_response(_WireAnswer, {"jobs": body}, self._http.subject).jobs.get(self._job, _WireLogs())
        if len(page.logs) > max(0, page.total - offset):
            raise UnreadableAnswer(
                f"sent {count_noun(len(page.logs), 'line')} of a log where "
                f"{max(0, page.total - offset):,} of {page.total:,} were left",
                subject=self._http.subject,
                advice="its log endpoint, which has no document, does not page as expected, "
                "so only the newest lines can be read: leave out cursor and around",
            )
        self._total = page.total
        return page

    async def _check_offset(self, total: int) -> None:
        """Read behind the oldest line once: an endpoint that ignores `offset` sends the newest line there."""
        if not self._endpoint.offset_checked:
            page = await self._fetch_page(total, 1)
            self._endpoint.offset_checked = page.total == total

    def _number_lines(self, page: _WireLogs, offset: int) -> Lines:
        newest = page.total - offset
        sent = [parse_row(_BlaxelLogLine, one, self._http.subject) for one in page.logs]
        for one in sent:
            self._unread.add(one.unread)
        lines = [one.to_line(newest - index) for index, one in enumerate(sent)]
        return Lines(lines[::-1], page.total, 1, final=self._settled)


class _WireAnswer(ResponseModel):
    """`{JOB: {logs, totalCount}}`; a job it knows nothing of is missing."""

    jobs: dict[str, _WireLogs]
