"""How all jobs have been doing, the worst first: `history` without a job."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from jobtrail.analysis.trend import summarize_period
from jobtrail.errors import BadArgument, JobtrailError, StrayCursor
from jobtrail.models import Attempt, Coverage, Job, JobHistory, JobsHistory, Note, Sentence, Window
from jobtrail.paging import (
    AT_ONCE,
    EVERYTHING,
    NEWEST_FIRST,
    OLDEST_FIRST,
    Budget,
    Position,
    Sort,
    Walk,
    run_concurrently,
    walk,
)
from jobtrail.sources.federation import OwnedAttempt, discover_parts, read_parts
from jobtrail.sources.list_options import ListOptions, StatusFilter, read_sort
from jobtrail.times import format_date
from jobtrail.tools.listing import DEFAULT_LIMIT, fit_rows
from jobtrail.tools.resumable import LARGEST_LIMIT, MISSING, ResumableCall, write_clock_notes
from jobtrail.vocabulary import is_failure, is_success
from jobtrail.window import check_begun

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jobtrail.models import Period
    from jobtrail.paging import Listing, Walked
    from jobtrail.sources.base import Source
    from jobtrail.sources.federation import AttemptSources, PartsRead

_SORTS = {"rate": "asc", "p95": "desc", "failures": "desc", "change": "asc", "last_success": "asc"}
"""What jobs can be sorted by, and in which direction the worst comes first."""
_DISCOVERY_SECONDS, _WALK_SECONDS, _OLDER_SECONDS = 10.0, 20.0, 10.0
_OF_ONE, _OF_ALL, _OLDER = 1_000, 5_000, 500
"""Attempts that are read of one job, of all tasks of a daemon, and to find what is older than both windows."""
_LONGEST = timedelta(days=3_660)
# The end of today in any zone lies within it.
_AHEAD = timedelta(days=2)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_TASKS, _FEW_SECONDS = 100, 10
_ROW_SIGNS = 110
"""Tokens of short numbers and names that a page's estimate misses: rows here have many."""

T = TypeVar("T", bound=Attempt | OwnedAttempt)


def clip_window(window: Window) -> tuple[datetime, datetime, list[str]]:
    """Return where a history begins and ends, and notes where that is not as it was asked for.

    Raises:
        BadArgument: it would end before there were jobs.
    """
    end, notes = window.until or window.now, list[str]()
    if end > window.now + _AHEAD:
        end = window.now
        notes.append("until was taken as now: what lies ahead has no history")
    if end <= _EARLIEST:
        raise BadArgument("until lies before 1970, when there was nothing to run; give a later time")
    start = max(window.since or window.now, _EARLIEST, end - _LONGEST)
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
    reader = _Reader(there, windows, {one.name: one for one in call.sources}, call.notes)
    calls = {key: partial(reader.read_part, key, listing) for key, listing in there.parts.items()}
    parts = await read_parts(calls, place.part, call.sources, _WALK_SECONDS)
    records = sort_records(sort, [one for part in parts.answers.values() for one in part.records])
    begin = place.find_begin(records)
    rows = fit_rows(
        call, map(_make_row, await reader.read_older(records[begin : begin + limit])), limit, "jobs", _ROW_SIGNS
    )
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
class _Past:
    """What a job attempted in both windows, the newest first.

    Attributes:
        back_to: since when this is all; None if it is all of both windows.
    """

    attempts: Sequence[Attempt]
    back_to: datetime | None = None


@dataclass(frozen=True)
class _Record:
    """How a job has been doing.

    Attributes:
        now: on the clock of its source.
        begin: when the window begins.
        newest: its newest attempt; None if it has none, as far as was read.
        success: its newest success, likewise.
        never: whether nothing that is kept of it succeeded.
        oldest: when the oldest was created that is kept; None where that was not read.
    """

    source: str
    job: Job
    now: datetime
    begin: datetime
    past: _Past
    newest: Attempt | None
    success: Attempt | None
    never: bool = False
    oldest: datetime | None = None

    @classmethod
    def make(cls, source: str, job: Job, window: Window, past: _Past) -> _Record:
        """Return what both windows came to."""
        newest = next(iter(past.attempts), None)
        success = next((one for one in past.attempts if _is_well(job, one)), None)
        return cls(source, job, window.now, window.since or window.now, past, newest, success)

    @property
    def key(self) -> str:
        """Its source and name."""
        return f"{self.source}/{self.job.name}"

    @property
    def partial(self) -> bool:
        """Whether only the newest part of the window was read."""
        return self.past.back_to is not None and self.past.back_to > self.begin

    @cached_property
    def current(self) -> Sequence[Attempt]:
        """What it attempted in the window."""
        return [one for one in self.past.attempts if one.created_at and one.created_at >= self.begin]

    @cached_property
    def period(self) -> Period:
        """What the window came to."""
        return self._summarize(self.current)

    @cached_property
    def before(self) -> Period | None:
        """What the window before came to; None if it was not read whole."""
        if self.past.back_to is not None:
            return None
        return self._summarize([one for one in self.past.attempts if one.created_at and one.created_at < self.begin])

    def _summarize(self, attempts: Sequence[Attempt]) -> Period:
        """Return what attempts came to; a service has no rate, since it is not meant to end."""
        found = summarize_period(attempts)
        return found.model_copy(update={"success_rate": None}) if self.job.kind == "service" else found


@dataclass(frozen=True)
class _Part:
    """The records of a part's jobs, and how many attempts were read for them."""

    records: Sequence[_Record]
    scanned: int


def _is_well(job: Job, one: Attempt) -> bool:
    """Return whether an attempt succeeded; a service does not end, and is well while it runs."""
    return is_success(one) or (job.kind == "service" and one.status == "running")


def sort_records(sort: Sort, records: Iterable[_Record]) -> list[_Record]:
    """Return records in an order; those that it says nothing of come last."""
    known: list[tuple[tuple[float, int, str], _Record]] = []
    unknown: list[tuple[tuple[int, str], _Record]] = []
    for one in records:
        period = one.period
        failures = sum(map(is_failure, one.current))
        value = _measure(sort.key, one, period, failures)
        if value is None:
            unknown.append(((-failures, one.key), one))
        else:
            known.append(((-value if sort.descending else value, -failures, one.key), one))
    return [one for _, one in [*sorted(known, key=_get_first), *sorted(unknown, key=_get_first)]]


def _get_first(pair: tuple[tuple[float | str, ...], _Record]) -> tuple[float | str, ...]:
    return pair[0]


def _measure(key: str, one: _Record, period: Period, failures: int) -> float | None:
    """Return what a record is sorted by."""
    match key:
        case "p95":
            return period.p95_s
        case "failures":
            return failures
        case "change":
            before = one.before.success_rate if one.before else None
            return None if before is None or period.success_rate is None else period.success_rate - before
        case "last_success":
            at = one.success.created_at if one.success else None
            return at.timestamp() if at else 0 if one.newest else None
        case _:
            return period.success_rate


@dataclass(frozen=True)
class _Reader:
    """Reads what jobs attempted.

    Attributes:
        there: the jobs, and a listing for each part: a job, or all tasks of a daemon.
        windows: that are asked for, by source.
        sources: by name.
        notes: what is to be said of what was read.
    """

    there: AttemptSources
    windows: Mapping[str, Window]
    sources: Mapping[str, Source]
    notes: list[Note]

    async def read_part(self, key: str, listing: Listing[OwnedAttempt]) -> _Part:
        """Read both windows of a part."""
        name, _, job = key.partition("/")
        owned = await self._walk(listing, _OF_ONE if job else _OF_ALL)
        items = [one.item for one in owned.items]
        if job:
            return _Part([self._make(name, self.there.definitions[name, job], items, owned)], owned.scanned)
        tasks = [one for (source, _), one in self.there.definitions.items() if source == name and one.kind != "job"]
        by_task: dict[str, list[Attempt]] = {}
        for one in owned.items:
            by_task.setdefault(one.job, []).append(one.item)
        part = _Part([self._make(name, task, by_task.get(task.name, []), owned) for task in tasks], owned.scanned)
        return part if owned.position is None else await self._read_each(name, part)

    async def _read_each(self, name: str, part: _Part) -> _Part:
        """Read tasks one by one, whose daemon has too many runs to read those of all, as far as there is time."""
        source = self.sources[name]
        if told := await source.need_runs().describe_totals():
            self.notes.append(told)
        options = ListOptions(sort=NEWEST_FIRST, window=double_window(self.windows[name]))

        async def read(job: Job) -> Walked[Attempt]:
            return await self._walk(await source.attempts(job, options), _OF_ONE)

        calls = {one.job.name: partial(read, one.job) for one in part.records[:_MOST_TASKS]}
        answers = await run_concurrently(calls, seconds=_WALK_SECONDS / 2)
        records: list[_Record] = []
        scanned = part.scanned
        for one in part.records:
            walked = answers.get(one.job.name)
            if walked is None or isinstance(walked, JobtrailError):
                records.append(one)
                continue
            scanned += walked.scanned
            records.append(self._make(name, one.job, walked.items, walked))
        return _Part(records, scanned)

    async def _walk(self, listing: Listing[T], most: int) -> Walked[T]:
        how = Walk[T](limit=EVERYTHING, budget=Budget(items=most, seconds=_WALK_SECONDS / 2))
        walked = await walk(listing, how)
        self.notes.extend(note for note in walked.notes if note not in self.notes)
        return walked

    def _make(self, name: str, job: Job, attempts: Sequence[Attempt], walked: Walked[Any]) -> _Record:
        """Return a job's record, from attempts that a walk came to."""
        both, window = double_window(self.windows[name]), self.windows[name]
        inside = [one for one in attempts if one.created_at is not None and both.contains(one.created_at)]
        whole = walked.position is None and walked.whole
        back = walked.last.created_at if walked.last is not None else window.now
        return _Record.make(name, job, window, _Past(inside, None if whole else back or window.now))

    async def read_older(self, records: Sequence[_Record]) -> list[_Record]:
        """Return records with what is older than both windows, as far as there is time to read it."""
        lanes = {name: anyio.CapacityLimiter(AT_ONCE) for name in self.sources}
        calls = {one.key: partial(self._read_older, one) for one in records}
        answers = await run_concurrently(calls, lambda key: lanes[key.partition("/")[0]], _OLDER_SECONDS)
        return [answer if isinstance(answer := answers.get(one.key), _Record) else one for one in records]

    async def _read_older(self, one: _Record) -> _Record:
        """Return a record with its oldest attempt, and its newest one and newest success if they are older."""
        source = self.sources[one.source]
        first = await walk(await source.attempts(one.job, ListOptions(sort=OLDEST_FIRST)), Walk[Attempt](limit=1))
        if not first.items:
            return one
        one = replace(one, oldest=first.items[0].created_at)
        if one.newest is None:
            last = await walk(await source.attempts(one.job, ListOptions(sort=NEWEST_FIRST)), Walk[Attempt](limit=1))
            one = replace(one, newest=next(iter(last.items), None))
        if one.success is not None:
            return one
        good = ListOptions(sort=NEWEST_FIRST, statuses=StatusFilter(frozenset({"succeeded"})))
        how = Walk[Attempt](limit=1, keep=is_success, budget=Budget(items=_OLDER))
        found = await walk(await source.attempts(one.job, good), how)
        never = not found.items and found.position is None and one.job.kind != "service"
        return replace(one, success=next(iter(found.items), None), never=never)


def double_window(window: Window) -> Window:
    """Return a window together with the one of the same length before it."""
    since, until = window.since or window.now, window.until or window.now
    return window.model_copy(update={"since": max(since - (until - since), _EARLIEST)})


@dataclass(frozen=True)
class _Place:
    """Where a page begins: with a part of a source, and in the order of what is read from there on, behind a job.

    Attributes:
        shown: how many jobs of that order earlier pages had.
        last: the last of them.
    """

    part: str = ""
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
            case (str(part), int(shown), str(last)) if shown >= 0:
                return cls(part, shown, last)
            case _:
                raise StrayCursor("this cursor does not fit what it walks")

    def write(self) -> Position:
        """Return it as a position, for a cursor."""
        return Position("", (self.part, self.shown, self.last))

    def find_begin(self, records: Sequence[_Record]) -> int:
        """Return the number of the first job that no earlier page had."""
        found = next((number for number, one in enumerate(records, 1) if one.key == self.last), self.shown)
        return found if self.last else 0


def _make_row(one: _Record) -> JobHistory:
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

    reader: _Reader
    parts: PartsRead[_Part]
    records: Sequence[_Record]
    sort: Sort

    def make_page(self, call: ResumableCall, place: _Place, begin: int, rows: Sequence[JobHistory]) -> JobsHistory:
        """Return the page with these rows, and where the next one begins."""
        there, window = self.reader.there, call.find_window("7d", call.source if len(call.sources) == 1 else None)
        failed = {**there.errors, **self.parts.errors}
        errors: dict[str, Note] = {name: Sentence(*error.args) for name, error in failed.items()}
        partial_at = [one.past.back_to for one in self.records if one.partial and one.past.back_to]
        whole = not errors and not partial_at and call.cursor.doubt < MISSING
        scanned = call.cursor.scanned + sum(part.scanned for part in self.parts.answers.values())
        matched = call.cursor.matched + sum(len(one.current) for one in self.records)
        end, following = begin + len(rows), None
        if end < len(self.records):
            # The next page reads the same jobs again, up to the same time.
            following = _Place(place.part, end, self.records[end - 1].key)
        elif self.parts.following is not None:
            following = _Place(self.parts.following)
            call.cursor = replace(call.cursor, scanned=scanned, matched=matched, doubt=0 if whole else MISSING)
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
