"""Why attempts failed, and whether their jobs have recovered since: what `find_failures` asks the sources for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import anyio

from jobtrail.errors import JobtrailError
from jobtrail.models import Attempt, Execution, Job, Run, Window
from jobtrail.paging import AT_ONCE, NEWEST_FIRST, OLDEST_FIRST, Budget, Walk, run_concurrently, walk
from jobtrail.sources.list_options import ListOptions, StatusFilter
from jobtrail.text import count_noun
from jobtrail.vocabulary import is_success

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence
    from datetime import datetime

    from jobtrail.analysis.task_summary import TaskSummary
    from jobtrail.sources.base import Source
    from jobtrail.sources.federation import AttemptSources, Kind, OwnedAttempt

_RECENT = Budget(items=2_000, seconds=10.0)
_GOOD: Mapping[Kind, StatusFilter] = {
    "job": StatusFilter(frozenset({"succeeded"})),
    "task": StatusFilter(frozenset({"succeeded"})),
    # A service does not end: it is well again while it runs.
    "service": StatusFilter(frozenset({"succeeded", "running"})),
}


@dataclass(frozen=True)
class Recovery:
    """Whether a job has succeeded since it failed, and when it first did; None where that is not known."""

    recovered: bool | None = None
    at: datetime | None = None


class PartialCause(NamedTuple):
    """One of the causes of a failure, and how many of an execution's tasks it failed; 0 for a run."""

    text: str
    tasks: int = 0


@dataclass(frozen=True)
class CausesOfOne:
    """Why one execution or run failed.

    Attributes:
        causes: the most frequent first; at least one.
        rarer: how many more there are, each rarer than these.
        rarer_tasks: how many tasks those failed.
        complete: whether no failed task of it can be missing.
    """

    causes: Sequence[PartialCause]
    rarer: int = 0
    rarer_tasks: int = 0
    complete: bool = True

    @property
    def text(self) -> str:
        """The most frequent cause, and how many others there are."""
        others = len(self.causes) - 1 + self.rarer
        most = self.causes[0].text
        return f"{most} (and {count_noun(others, 'other cause')})" if others else most


@dataclass(frozen=True)
class ReadCauses:
    """Why failures failed, in their order: of as many of them as were read in time.

    Attributes:
        found: of each.
        errors: by the number of a failure, why its cause could not be read.
    """

    found: Sequence[CausesOfOne]
    errors: Mapping[int, JobtrailError]


class CauseReader:
    """Asks sources about failures, each at most `AT_ONCE` times at the same time.

    Args:
        sources: those that the failures are of.
        kinds: of jobs, by source and name.
        now: until when a job can have recovered.
    """

    def __init__(self, sources: Iterable[Source], kinds: Mapping[tuple[str, str], Kind], now: datetime) -> None:
        self._sources = {one.name: one for one in sources}
        self._kinds = kinds
        self._now = now
        self._lanes = {name: anyio.CapacityLimiter(AT_ONCE) for name in self._sources}

    async def read(self, failures: Sequence[OwnedAttempt], seconds: float) -> ReadCauses:
        """Read why attempts failed, the newest first, as far as the time reaches."""
        calls = {(one.source, place): partial(self._read_cause, one) for place, one in enumerate(failures)}
        answers = await run_concurrently(calls, self._limit, seconds)
        by_place = {place: answer for (_, place), answer in answers.items()}
        read = next((place for place in range(len(failures)) if place not in by_place), len(failures))
        errors = {place: one for place in range(read) if isinstance(one := by_place[place], JobtrailError)}
        found = [
            _tell_alone(_write_unread(failures[place], one))
            if isinstance(one := by_place[place], JobtrailError)
            else one
            for place in range(read)
        ]
        return ReadCauses(found, errors)

    async def find_recoveries(
        self, failures: Sequence[OwnedAttempt], seconds: float, there: AttemptSources | None = None
    ) -> list[Recovery]:
        """Return, for each failure, whether its job has succeeded since.

        Args:
            failures: of any jobs.
            seconds: for all of them.
            there: what was read with them, if that begins with the newest there is; it need not be asked for again.
        """
        by_job: dict[tuple[str, str], list[int]] = {}
        for place, one in enumerate(failures):
            by_job.setdefault((one.source, one.job), []).append(place)
        calls = {
            job: partial(
                self._find_recoveries_of_job,
                job,
                [failures[place].item for place in places],
                there.list_read(*job) if there else None,
            )
            for job, places in by_job.items()
        }
        answers = await run_concurrently(calls, self._limit, seconds)
        found = [Recovery()] * len(failures)
        for job, places in by_job.items():
            answer = answers.get(job)
            if isinstance(answer, list):
                for place, recovery in zip(places, answer, strict=True):
                    found[place] = recovery
        return found

    def _limit(self, key: tuple[str, Hashable]) -> anyio.CapacityLimiter:
        return self._lanes[key[0]]

    async def _read_cause(self, one: OwnedAttempt) -> CausesOfOne:
        """Return the causes among an execution's tasks, or the last telling line of a run's log."""
        source = self._sources[one.source]
        if isinstance(one.item, Run):
            told = await source.need_runs().find_cause(one.id)
            return _tell_alone(_write_outcome(one.item) if told is None else f"{told}{_write_ending(one.item)}")
        full, tasks = await source.need_batch().explain(one.job, one.id)
        return list_causes(full.execution, tasks)

    async def _find_recoveries_of_job(
        self, job: tuple[str, str], failures: Sequence[Attempt], read: Sequence[Attempt] | None
    ) -> list[Recovery]:
        source, kind = self._sources[job[0]], self._kinds.get(job, "task")
        if isinstance(failures[0], Execution):
            kind = "job"
        search = _RecoverySearch(source, Job(name=job[1], kind=kind), self._now)
        return await search.find(failures) if read is None else search.find_among(read, failures)


@dataclass(frozen=True)
class _RecoverySearch:
    """Looks for the first success of a job after each of its failures."""

    source: Source
    job: Job
    now: datetime

    async def find(self, failures: Sequence[Attempt]) -> list[Recovery]:
        """Return a recovery for each failure.

        An upstream that filters is asked for the first success after each; another one is read back to the oldest.
        """
        dated = [one.created_at for one in failures if one.created_at]
        if len(dated) < len(failures):
            return [Recovery()] * len(failures)
        listing = await self.source.attempts(self.job, self._list_since(min(dated), newest_first=False))
        if listing.traits.filtered_upstream:
            return [await self._find_first(one) for one in failures]
        return await self._find_among_recent(failures, min(dated))

    def find_among(self, read: Sequence[Attempt], failures: Sequence[Attempt]) -> list[Recovery]:
        """Return a recovery for each failure, given everything since them, the newest first."""
        return [self._judge(read, one, None) if one.created_at else Recovery() for one in failures]

    def _list_since(self, moment: datetime, *, newest_first: bool) -> ListOptions:
        return ListOptions(
            sort=NEWEST_FIRST if newest_first else OLDEST_FIRST,
            statuses=_GOOD[self.job.kind],
            window=Window(since=moment, now=self.now),
        )

    async def _find_first(self, failure: Attempt) -> Recovery:
        moment = failure.created_at or self.now
        listing = await self.source.attempts(self.job, self._list_since(moment, newest_first=False))
        how = Walk[Attempt](
            limit=1, keep=lambda one: self._is_recovery(one, failure), budget=_RECENT, subject=self.source.name
        )
        found = await walk(listing, how)
        if found.items:
            return Recovery(recovered=True, at=found.items[0].created_at)
        return Recovery(recovered=False if found.position is None else None)

    async def _find_among_recent(self, failures: Sequence[Attempt], oldest: datetime) -> list[Recovery]:
        listing = await self.source.attempts(self.job, self._list_since(oldest, newest_first=True))
        recent = await walk(listing, Walk[Attempt](limit=_RECENT.items, budget=_RECENT, subject=self.source.name))
        reached = recent.last.created_at if recent.position is not None and recent.last else None
        return [self._judge(recent.items, one, reached) for one in failures]

    def _judge(self, recent: Sequence[Attempt], failure: Attempt, reached: datetime | None) -> Recovery:
        """Return a recovery, given the newest attempts back to a time; None for all since the failure."""
        whole = reached is None or (failure.created_at is not None and reached < failure.created_at)
        since = [one for one in recent if self._is_recovery(one, failure)]
        if since:
            return Recovery(recovered=True, at=since[-1].created_at if whole else None)
        return Recovery(recovered=False if whole else None)

    def _is_recovery(self, one: Attempt, failure: Attempt) -> bool:
        if one.created_at is None or failure.created_at is None or one.created_at <= failure.created_at:
            return False
        same = not isinstance(one, Run) or not isinstance(failure, Run) or one.instance == failure.instance
        return same and (is_success(one) or (self.job.kind == "service" and one.status == "running"))


def list_causes(one: Execution, tasks: TaskSummary) -> CausesOfOne:
    """Return why an execution failed, given what its tasks came to."""
    named = [PartialCause(group.example, group.count) for group in tasks.failures if not group.rarer]
    if not named:
        return CausesOfOne([PartialCause(one.raw_status or one.status)], complete=tasks.complete)
    rarer = sum(group.count for group in tasks.failures if group.rarer)
    return CausesOfOne(named, tasks.causes - len(named), rarer, tasks.complete)


def _tell_alone(text: str) -> CausesOfOne:
    return CausesOfOne([PartialCause(text)])


def _write_outcome(run: Run) -> str:
    words = run.raw_status or run.status
    return words if run.exit_code is None else f"{words} with exit code {run.exit_code}"


def _write_ending(run: Run) -> str:
    """Return how a run ended as far as its status does not tell it, to stand behind a line of its log."""
    parts = [*filter(None, [run.raw_status]), *([] if run.exit_code is None else [f"exit code {run.exit_code}"])]
    return f" ({', '.join(parts)})" if parts else ""


def _write_unread(one: OwnedAttempt, error: JobtrailError) -> str:
    """Return what stands for a cause that could not be read; what a run itself says of its end is known."""
    known = f"{_write_outcome(one.item)}, " if isinstance(one.item, Run) else ""
    return f"({known}cause not read: {error.describe_problem()})"
