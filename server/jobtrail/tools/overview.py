"""How all jobs have been doing, the worst first: `history` without a job."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from jobtrail.errors import BadArgument, StrayCursor
from jobtrail.models import Coverage, JobHistory, JobsHistory, Note, Sentence, Window
from jobtrail.paging import Position, Sort
from jobtrail.sources.federation import discover_parts, read_parts
from jobtrail.sources.list_options import read_sort
from jobtrail.times import format_date
from jobtrail.tools.job_records import EARLIEST, RecordReader, double_window, sort_records
from jobtrail.tools.listing import DEFAULT_LIMIT
from jobtrail.tools.page_size import fit_rows
from jobtrail.tools.resumable import LARGEST_LIMIT, ResumableCall, write_clock_notes
from jobtrail.vocabulary import is_failure
from jobtrail.window import check_begun

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from jobtrail.sources.base import Source
    from jobtrail.sources.federation import PartsRead
    from jobtrail.tools.job_records import JobRecord, Part

_SORTS = {"rate": "asc", "p95": "desc", "failures": "desc", "change": "asc", "last_success": "asc"}
"""What jobs can be sorted by, and in which direction the worst comes first."""
_DISCOVERY_SECONDS, _WALK_SECONDS = 10.0, 20.0
_LONGEST = timedelta(days=3_660)
# The end of today in any zone lies within it.
_AHEAD = timedelta(days=2)
_FEW_SECONDS = 10
_ROW_SIGNS = 110
"""Tokens of short numbers and names that a page's estimate misses: rows here have many."""


def clip_window(window: Window) -> tuple[datetime, datetime, list[str]]:
    """Return where a history begins and ends, and notes where that is not as it was asked for.

    Raises:
        BadArgument: it would end before there were jobs.
    """
    end, notes = window.until or window.now, list[str]()
    if end > window.now + _AHEAD:
        end = window.now
        notes.append("until was taken as now: what lies ahead has no history")
    if end <= EARLIEST:
        raise BadArgument("until lies before 1970, when there was nothing to run; give a later time")
    start = max(window.since or window.now, EARLIEST, end - _LONGEST)
    if start != window.since:
        notes.append(f"a history reaches ten years back at most: since {format_date(start)}")
    return start, end, notes


async def show_all_jobs(call: ResumableCall) -> JobsHistory:
    """Return how the jobs of some sources have been doing.

    Raises:
        AgentError: an argument makes no sense.
        JobtrailError: no source answers.
    """
    limit = call.clamp("limit", DEFAULT_LIMIT, LARGEST_LIMIT)
    sort = _read_sort(call.get_text_argument("sort"))
    check_begun(call.find_window("7d"), call.get_text_argument("since"), call.latest)
    windows: dict[str, Window] = {}

    def find_both(source: Source) -> Window:
        asked = call.find_window("7d", source)
        start, end, notes = clip_window(asked)
        call.notes += [note for note in notes if note not in call.notes]
        windows[source.name] = asked.model_copy(update={"since": start, "until": end})
        return double_window(windows[source.name])

    there = await discover_parts(call.sources, None, None, find_both, _DISCOVERY_SECONDS)
    if there.errors and not there.parts:
        raise next(iter(there.errors.values()))
    place = _Place.read(call.cursor.position)
    reader = RecordReader(there, windows, {one.name: one for one in call.sources}, call.notes)
    calls = {key: partial(reader.read_part, key, listing) for key, listing in there.parts.items()}
    parts = await read_parts(calls, place.part, call.sources, _WALK_SECONDS, place.end)
    found = [one for part in parts.answers.values() for one in part.records]
    if sort.key == "last_success":
        # What succeeded before both windows is the oldest success of all, and would come last.
        older = {one.key: one for one in await reader.read_older([one for one in found if one.success is None])}
        found = [older.get(one.key, one) for one in found]
    records = sort_records(sort, found)
    begin = place.find_begin(records)
    records[begin : begin + limit] = await reader.read_older(records[begin : begin + limit])
    rows = fit_rows(call, map(_make_row, records[begin : begin + limit]), limit, "jobs", _ROW_SIGNS)
    call.notes += write_clock_notes(call.sources, windows if len(call.sources) > 1 else {})
    return _Answer(reader, parts, records, sort).make_page(call, place, begin, rows)


def _read_sort(text: str | None) -> Sort:
    """Read an order; where it has no direction the worst comes first.

    Raises:
        BadArgument: it is none.
    """
    key = (text or "rate").strip().lower()
    return read_sort(f"{key}:{_SORTS[key]}" if key in _SORTS else text, tuple(_SORTS), Sort("rate", descending=False))


@dataclass(frozen=True)
class _Place:
    """Where a page begins: with a part of a source, and in the order of what is read from there on, behind a job.

    Attributes:
        end: the last part that the page before read; empty where none was.
        shown: how many jobs of that order earlier pages had.
        last: the last of them.
    """

    part: str = ""
    end: str = ""
    shown: int = 0
    last: str = ""

    @classmethod
    def read(cls, position: Position) -> _Place:
        """Return what `write` wrote.

        Raises:
            StrayCursor: it did not.
        """
        match position.detail:
            case ():
                return cls()
            case (str(part), str(end), int(shown), str(last)) if shown >= 0:
                return cls(part, end, shown, last)
            case _:
                raise StrayCursor("this cursor does not fit what it walks")

    def write(self) -> Position:
        """Return it as a position, for a cursor."""
        return Position("", (self.part, self.end, self.shown, self.last))

    def find_begin(self, records: Sequence[JobRecord]) -> int:
        """Return the number of the first job that no earlier page had: `shown`, if the order is the same."""
        found = (number for number, one in enumerate(records, 1) if one.key == self.last)
        return next(found, max(self.shown - 1, 0))


def _make_row(one: JobRecord) -> JobHistory:
    period, before = one.period, one.before
    age = partial(_measure_age, one.now)
    following = one.job.next_run_at
    return JobHistory(
        name=one.job.name,
        source=one.source,
        kind=one.job.kind,
        runs=period.attempts,
        rate=_round(period.success_rate, 2),
        failures=sum(map(is_failure, one.current)),
        rate_before=_round(before.success_rate, 2) if before else None,
        runs_before=before.attempts if before and not (before.attempts and before.judged) else None,
        p50_s=_round(period.p50_s),
        p95_s=_round(period.p95_s),
        last_status=one.newest.status if one.newest else None,
        last_ago_s=age(one.newest.created_at if one.newest else None),
        success_ago_s=age(one.success.created_at if one.success else None),
        never_succeeded=one.never or None,
        kept_s=age(one.oldest),
        next_in_s=max(0, round((following - one.now).total_seconds())) if following else None,
        read_s=age(one.past.back_to) if one.partial else None,
    )


def _round(number: float | None, digits: int | None = None) -> float | None:
    """Return a number as exactly as a row of many needs it: seconds to the tenth under ten, else whole."""
    if number is None:
        return None
    return round(number, (1 if number < _FEW_SECONDS else 0) if digits is None else digits)


def _measure_age(now: datetime, moment: datetime | None) -> int | None:
    return None if moment is None else max(0, round((now - moment).total_seconds()))


@dataclass(frozen=True)
class _Answer:
    """What a call has to say: its reader, what that read, the jobs in order, and in which."""

    reader: RecordReader
    parts: PartsRead[Part]
    records: Sequence[JobRecord]
    sort: Sort

    def make_page(self, call: ResumableCall, place: _Place, begin: int, rows: Sequence[JobHistory]) -> JobsHistory:
        """Return the page with these rows, and where the next one begins."""
        there, window = self.reader.there, call.find_window("7d", call.source if len(call.sources) == 1 else None)
        failed = {**there.errors, **self.parts.errors}
        errors: dict[str, Note] = {name: Sentence(*error.args) for name, error in failed.items()}
        partial_at = [one.past.back_to for one in self.records if one.partial and one.past.back_to]
        certain = all(one.past.certain for one in self.records)
        whole = call.check_whole(whole=certain and not errors and not partial_at)
        if begin != place.shown:
            call.notes.append("the order changed since the page before: jobs may repeat or be missing")
            whole = call.check_whole(whole=False)
        scanned = call.cursor.scanned + sum(part.scanned for part in self.parts.answers.values())
        matched = call.cursor.matched + sum(len(one.current) for one in self.records)
        end, following = begin + len(rows), None
        if end < len(self.records):
            # The next page reads the same jobs again, up to the same time.
            following = _Place(place.part, self.parts.last, end, self.records[end - 1].key)
        elif self.parts.following is not None:
            following = _Place(self.parts.following)
            call.cursor = replace(call.cursor, scanned=scanned, matched=matched)
            jobs = f"the {len(self.records):,} jobs of this stretch of {there.jobs:,}"
            call.notes.append(f"these are in order among {jobs}; the cursor goes on with the others")
        start, until, _ = clip_window(window)
        return JobsHistory(
            sources=tuple(one.name for one in call.sources),
            sample=tuple(one.name for one in call.sources if one.sample) or None,
            jobs=there.jobs,
            items=tuple(rows),
            errors=errors or None,
            coverage=Coverage(
                scanned=scanned,
                matched=matched,
                complete=whole and following is None,
                back_to=max([*partial_at, start]),
            ),
            cursor=None if following is None else call.seal_cursor(following.write()),
            window=window.model_copy(update={"since": start, "until": until if window.until else None}),
            sort=str(self.sort),
            notes=(*call.notes,) or None,
        )
