"""Everything that was attempted, across jobs and sources, as one walk: executions of batch jobs and runs of tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from jobtrail.errors import UnknownName, Unreachable
from jobtrail.models import Execution, Job, Run
from jobtrail.paging import EVERYTHING, Batch, Chain, Merged, Walk, together, walk
from jobtrail.sources.base import Ask, Sort, read_statuses

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from jobtrail.errors import JobtrailError
    from jobtrail.models import Status, Window
    from jobtrail.paging import Listing, Spot
    from jobtrail.sources.base import Source, StatusFilter

__all__ = ["Attempt", "Field", "survey"]

_BY_NAME = Sort("name", descending=False)
_BY_TIME = Sort("created_at", descending=True)

A = TypeVar("A", Execution, Run)


@dataclass(frozen=True)
class Attempt:
    """An execution or a run, and whose it is.

    Attributes:
        job: the batch job, or the scheduled task.
    """

    source: str
    job: str
    item: Execution | Run

    @property
    def id(self) -> str:
        """Its id, unique in its source."""
        return self.item.id

    @property
    def status(self) -> Status:
        """How it stands."""
        return self.item.status

    @property
    def raw_status(self) -> str | None:
        """The upstream's own word."""
        return self.item.raw_status

    @property
    def created_at(self) -> datetime | None:
        """When it was created."""
        return self.item.created_at


@dataclass
class Field:
    """What there is to walk, and what could not be found out.

    Attributes:
        parts: a listing for each batch job, and for all tasks of a daemon or each of them, by `source/job`.
        jobs: how many jobs and tasks they are of.
        errors: sources whose jobs could not be listed, and why.
        wanted: which statuses to keep, by source; none for a source that was not asked for any.
    """

    parts: dict[str, Listing[Attempt]] = field(default_factory=dict[str, "Listing[Attempt]"])
    jobs: int = 0
    errors: dict[str, JobtrailError] = field(default_factory=dict[str, "JobtrailError"])
    wanted: dict[str, StatusFilter | None] = field(default_factory=dict[str, "StatusFilter | None"])

    def merged(self) -> Merged[Attempt]:
        """Return all of it, newest first; each source is asked a few things at a time."""
        return Merged(self.parts, lane=lambda key: key.partition("/")[0])

    def keeps(self, one: Attempt) -> bool:
        """Return whether an attempt has one of the statuses asked for."""
        wanted = self.wanted.get(one.source)
        return wanted is None or wanted.keeps(one)


async def survey(
    sources: Sequence[Source], job: str | None, status: str | None, window: Window, seconds: float
) -> Field:
    """Find out what there is to walk.

    Args:
        sources: which to ask.
        job: one job or task alone, where it is there; None for all.
        status: a comma list of statuses, in our words or an upstream's.
        window: of creation.
        seconds: how long sources have to list their jobs.

    Raises:
        BadArgument: a status that no source knows.
    """
    found = Field()
    for source in sources:
        words: dict[str, Status] = {**source.execution_words, **source.run_words}
        found.wanted[source.name] = read_statuses(status, words)
    by_name = {source.name: source for source in sources}
    answers = await together(
        {name: partial(_parts, one, job, found.wanted[name], window) for name, one in by_name.items()},
        seconds=seconds,
    )
    for name in by_name:
        match answers.get(name):
            case (dict(parts), int(jobs)):
                found.parts |= parts
                found.jobs += jobs
            case None:
                found.errors[name] = Unreachable(f"source {name!r} did not list its jobs within {seconds:g} s")
            case error:
                found.errors[name] = error
    if job and found.parts:
        # It is there in one source; that others do not know it is no news.
        found.errors = {name: one for name, one in found.errors.items() if not isinstance(one, UnknownName)}
    return found


async def _parts(
    source: Source, job: str | None, statuses: StatusFilter | None, window: Window
) -> tuple[dict[str, Listing[Attempt]], int]:
    """Return a source's listings by `source/job`, and how many jobs and tasks they are of."""
    ask = Ask(sort=_BY_TIME, statuses=statuses, window=window)
    jobs = [(await source.job(job)).job] if job else await _all_jobs(source)
    parts: dict[str, Listing[Attempt]] = {}
    for one in jobs:
        if one.kind == "job":
            parts[f"{source.name}/{one.name}"] = _Owned(source.executions(one.name, ask), source.name, one.name)
    tasks = [one.name for one in jobs if one.kind != "job"]
    return {**parts, **await _of_tasks(source, tasks, ask, alone=job is not None)}, len(jobs)


async def _all_jobs(source: Source) -> list[Job]:
    found = await walk(source.jobs(Ask(sort=_BY_NAME)), Walk[Job](limit=EVERYTHING, who=f"source {source.name!r}"))
    return found.items


async def _of_tasks(source: Source, tasks: Sequence[str], ask: Ask, *, alone: bool) -> dict[str, Listing[Attempt]]:
    """Return one listing for all tasks where the upstream lists them in one order, else one for each."""
    if not tasks:
        return {}
    if not alone:
        every = await source.runs(None, ask)
        if not isinstance(every, Chain):
            return {f"{source.name}/": _Owned(every, source.name, "")}
    return {f"{source.name}/{name}": _Owned(await source.runs(name, ask), source.name, name) for name in tasks}


class _Owned(Generic[A]):
    """A listing whose items say whose they are."""

    def __init__(self, listing: Listing[A], source: str, job: str) -> None:
        self._listing = listing
        self._source = source
        self._job = job

    @property
    def narrowed(self) -> bool:
        """Whether the listing is."""
        return self._listing.narrowed

    async def fetch(self, at: Spot, want: int) -> Batch[Attempt]:
        """Read one page."""
        batch = await self._listing.fetch(at, want)
        items = [self._attempt(one) for one in batch.items]
        return Batch(items, batch.after, batch.next, batch.total, batch.note, batch.exact, batch.failed)

    def _attempt(self, item: Execution | Run) -> Attempt:
        task = item.task if isinstance(item, Run) else None
        return Attempt(self._source, self._job or task or "", item)
