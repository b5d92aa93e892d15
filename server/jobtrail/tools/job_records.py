"""Reads how jobs have been doing, for `history` without a job, and puts them in order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from jobtrail.analysis.trend import summarize_period
from jobtrail.errors import JobtrailError
from jobtrail.models import Attempt, Job, Window
from jobtrail.paging import (
    AT_ONCE,
    EVERYTHING,
    NEWEST_FIRST,
    OLDEST_FIRST,
    Budget,
    Sort,
    Walk,
    run_concurrently,
    walk,
)
from jobtrail.sources.federation import OwnedAttempt
from jobtrail.sources.list_options import ListOptions, StatusFilter
from jobtrail.text import quote_unless_word
from jobtrail.vocabulary import is_failure, is_success

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jobtrail.models import Note, Period
    from jobtrail.paging import Listing, Walked
    from jobtrail.sources.base import Source
    from jobtrail.sources.federation import AttemptSources

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""Nothing ran before."""
_PART_SECONDS, _OLDER_SECONDS = 10.0, 10.0
_OF_ONE, _OF_ALL, _OLDER = 1_000, 5_000, 500
"""Attempts that are read of one job, of all tasks of a daemon, and to find what is older than both windows."""
_MOST_TASKS = 100

T = TypeVar("T", bound=Attempt | OwnedAttempt)


@dataclass(frozen=True)
class Past:
    """What a job attempted in both windows, the newest first.

    Attributes:
        back_to: since when this is all; None if it is all of both windows.
        certain: whether nothing can be missing of that.
    """

    attempts: Sequence[Attempt]
    back_to: datetime | None = None
    certain: bool = True


@dataclass(frozen=True)
class JobRecord:
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
    past: Past
    newest: Attempt | None
    success: Attempt | None
    never: bool = False
    oldest: datetime | None = None

    @classmethod
    def make(cls, source: str, job: Job, window: Window, past: Past) -> JobRecord:
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
class Part:
    """The records of a part's jobs, and how many attempts were read for them."""

    records: Sequence[JobRecord]
    scanned: int


def _is_well(job: Job, one: Attempt) -> bool:
    """Return whether an attempt succeeded; a service does not end, and is well while it runs."""
    return is_success(one) or (job.kind == "service" and one.status == "running")


def sort_records(sort: Sort, records: Iterable[JobRecord]) -> list[JobRecord]:
    """Return records in an order; those that it says nothing of come last."""
    known: list[tuple[tuple[float, int, str], JobRecord]] = []
    unknown: list[tuple[tuple[int, str], JobRecord]] = []
    for one in records:
        period = one.period
        failures = sum(map(is_failure, one.current))
        value = _measure(sort.key, one, period, failures)
        if value is None:
            unknown.append(((-failures, one.key), one))
        else:
            known.append(((-value if sort.descending else value, -failures, one.key), one))
    return [one for _, one in [*sorted(known, key=_get_first), *sorted(unknown, key=_get_first)]]


def _get_first(pair: tuple[tuple[float | str, ...], JobRecord]) -> tuple[float | str, ...]:
    return pair[0]


def _measure(key: str, one: JobRecord, period: Period, failures: int) -> float | None:
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
class RecordReader:
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

    async def read_part(self, key: str, listing: Listing[OwnedAttempt]) -> Part:
        """Read both windows of a part."""
        name, _, job = key.partition("/")
        owned = await self._walk(listing, _OF_ONE if job else _OF_ALL)
        items = [one.item for one in owned.items]
        if job:
            return Part([self._make(name, self.there.definitions[name, job], items, owned)], owned.scanned)
        tasks = [one for (source, _), one in self.there.definitions.items() if source == name and one.kind != "job"]
        by_task: dict[str, list[Attempt]] = {}
        for one in owned.items:
            by_task.setdefault(one.job, []).append(one.item)
        part = Part([self._make(name, task, by_task.get(task.name, []), owned) for task in tasks], owned.scanned)
        return part if owned.position is None else await self._read_each(name, part)

    async def _read_each(self, name: str, part: Part) -> Part:
        """Read tasks one by one, whose daemon has too many runs to read those of all, as far as there is time."""
        source = self.sources[name]
        if told := await source.need_runs().describe_totals():
            self.notes.append(told)
        options = ListOptions(sort=NEWEST_FIRST, window=double_window(self.windows[name]))

        async def read(job: Job) -> Walked[Attempt]:
            return await self._walk(await source.attempts(job, options), _OF_ONE)

        calls = {one.job.name: partial(read, one.job) for one in part.records[:_MOST_TASKS]}
        answers = await run_concurrently(calls, seconds=_PART_SECONDS)
        records: list[JobRecord] = []
        scanned = part.scanned
        for one in part.records:
            walked = answers.get(one.job.name)
            if walked is None or isinstance(walked, JobtrailError):
                records.append(one)
                continue
            scanned += walked.scanned
            records.append(self._make(name, one.job, walked.items, walked))
        return Part(records, scanned)

    async def _walk(self, listing: Listing[T], most: int) -> Walked[T]:
        how = Walk[T](limit=EVERYTHING, budget=Budget(items=most, seconds=_PART_SECONDS))
        walked = await walk(listing, how)
        self.notes.extend(note for note in walked.notes if note not in self.notes)
        return walked

    def _make(self, name: str, job: Job, attempts: Sequence[Attempt], walked: Walked[Any]) -> JobRecord:
        """Return a job's record, from attempts that a walk came to."""
        both, window = double_window(self.windows[name]), self.windows[name]
        inside = [one for one in attempts if one.created_at is not None and both.contains(one.created_at)]
        whole = walked.position is None and walked.whole
        last = walked.last.created_at if walked.last is not None and walked.ordered else None
        return JobRecord.make(name, job, window, Past(inside, None if whole else last or window.now, walked.whole))

    async def read_older(self, records: Sequence[JobRecord]) -> list[JobRecord]:
        """Return records with what is older than both windows, as far as there is time to read it."""
        lanes = {name: anyio.CapacityLimiter(AT_ONCE) for name in self.sources}
        calls = {one.key: partial(self._read_older, one) for one in records}
        answers = await run_concurrently(calls, lambda key: lanes[key.partition("/")[0]], _OLDER_SECONDS)
        return [answer if isinstance(answer := answers.get(one.key), JobRecord) else one for one in records]

    async def _read_older(self, one: JobRecord) -> JobRecord:
        """Return a record with its oldest attempt, and its newest one and newest success if they are older."""
        source = self.sources[one.source]
        first = await walk(await source.attempts(one.job, ListOptions(sort=OLDEST_FIRST)), Walk[Attempt](limit=1))
        if not first.items:
            return one
        one = replace(self._doubt(one, first.items[0]), oldest=first.items[0].created_at)
        if one.newest is None:
            last = await walk(await source.attempts(one.job, ListOptions(sort=NEWEST_FIRST)), Walk[Attempt](limit=1))
            one = replace(one, newest=next(iter(last.items), None))
        if one.success is not None:
            return one
        good = ListOptions(sort=NEWEST_FIRST, statuses=StatusFilter(frozenset({"succeeded"})))
        how = Walk[Attempt](limit=1, keep=is_success, budget=Budget(items=_OLDER))
        found = await walk(await source.attempts(one.job, good), how)
        # The oldest may be a success that an upstream does not list among the others.
        known = [*found.items, *filter(is_success, first.items)]
        never = not known and found.position is None and found.whole and one.job.kind != "service"
        success = next(iter(known), None)
        return replace(self._doubt(one, success), success=success, never=never)

    def _doubt(self, one: JobRecord, other: Attempt | None) -> JobRecord:
        """Return a record as one that is not whole, if another list has an attempt that both windows should have."""
        both = double_window(self.windows[one.source])
        if (
            other is None
            or one.past.back_to is not None
            or not (other.created_at and both.contains(other.created_at))
        ):
            return one
        if any(known.id == other.id for known in one.past.attempts):
            return one
        self.notes.append(f"{quote_unless_word(one.key)}: not all that it ran is in the list that was read")
        return replace(one, past=replace(one.past, back_to=one.now, certain=False))


def double_window(window: Window) -> Window:
    """Return a window together with the one of the same length before it."""
    since, until = window.since or window.now, window.until or window.now
    return window.model_copy(update={"since": max(since - (until - since), EARLIEST)})
