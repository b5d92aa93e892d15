"""Completes names of jobs, executions, tasks and runs from the live sources.

Clients ask at every keystroke, so names are cached for some seconds, a request takes a bounded time, and the names
of a source that fails or is slow are left out.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import anyio

from jobtrail.errors import JobtrailError
from jobtrail.models import Execution, Job, Run, Task, Window
from jobtrail.paging import NEWEST_FIRST, Budget, Walk, run_concurrently, walk
from jobtrail.sources.federation import OwnedAttempt, discover_parts
from jobtrail.sources.list_options import ListOptions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from anyio.abc import TaskGroup

    from jobtrail.sources import Sources
    from jobtrail.sources.base import Source
    from jobtrail.window import Clock

    Key = tuple[str, ...]

logger = logging.getLogger(__name__)


class _Finder(Protocol):
    @property
    def __name__(self) -> str: ...
    async def __call__(self, source: Source, begun: str, known: Mapping[str, str], clock: Clock, /) -> Names: ...


MOST = 100
"""Values of one completion (MCP, completion/complete)."""
SECONDS = 1.5
"""What one completion waits for names."""
_LONGEST_S = 10.0
_KEPT_S = 10.0
_KEPT = 50
_JOBS_READ = 200
_RECENT = timedelta(days=7)

T = TypeVar("T")


@dataclass(frozen=True)
class Names:
    """Names that fit, best first.

    Attributes:
        more: whether there may be others that fit.
        every: whether these are all names of the source, whatever was typed.
    """

    values: Sequence[str] = ()
    more: bool = False
    every: bool = False


@dataclass
class NameCompleter:
    """Completes names over the configured sources."""

    sources: Sources
    clock: Clock
    group: TaskGroup
    _kept: dict[Key, tuple[float, Names]] = field(default_factory=dict["Key", tuple[float, Names]])
    _under_way: dict[Key, anyio.Event] = field(default_factory=dict["Key", anyio.Event])

    async def complete(self, what: str, begun: str, known: Mapping[str, str]) -> Names:
        """Return names that begin with, or else contain, what was typed.

        Args:
            what: `source`, `job`, `scheduled` (a job that has runs), `execution`, `task` or `run`; anything else has
                no names.
            begun: what was typed so far, in any case.
            known: other arguments that were given already.
        """
        if what == "source":
            return _select_matching(Names(self.sources.names), begun)
        finders: dict[str, _Finder] = {
            "job": _find_jobs,
            "scheduled": _find_scheduled,
            "execution": _find_executions,
            "task": _find_tasks,
            "run": _find_runs,
        }
        finder = finders.get(what)
        if finder is None:
            return Names()
        given = {name: value for name, value in known.items() if value}
        found: dict[str, Names] = {}
        with anyio.move_on_after(SECONDS) as bound:
            asked = self._choose_sources(what, given)
            questions = {one.name: partial(self._ask_source, finder, one, begun, given, found) for one in asked}
            await run_concurrently(questions)
        values = list(dict.fromkeys(name for one in found.values() for name in one.values))
        more = bound.cancelled_caught or any(one.more for one in found.values())
        return _select_matching(Names(values, more), begun)

    def _choose_sources(self, what: str, known: Mapping[str, str]) -> list[Source]:
        """Return the sources that can have such a name: the one that is given, or all."""
        if known.get("source"):
            try:
                return [self.sources.get(known["source"])]
            except JobtrailError:
                return []
        return [
            one
            for one in self.sources.all()
            if not (what == "execution" and one.batch is None) and not (what == "run" and one.runs is None)
        ]

    async def _ask_source(
        self, finder: _Finder, source: Source, begun: str, known: Mapping[str, str], found: dict[str, Names]
    ) -> None:
        """Add the names of one source, cached or fetched; a slow fetch goes on for the next keystroke."""
        of_all = (finder.__name__, source.name, *(f"{name}={known[name]}" for name in sorted(known)))
        exact = (*of_all, begun.lower())
        if (names := self._read_kept(of_all) or self._read_kept(exact)) is None:
            if exact not in self._under_way:
                self._under_way[exact] = anyio.Event()
                self.group.start_soon(
                    self._find_and_keep, partial(finder, source, begun, known, self.clock), of_all, exact
                )
            await self._under_way[exact].wait()
            names = self._read_kept(of_all) or self._read_kept(exact) or Names()
        found[source.name] = names

    async def _find_and_keep(self, find: Callable[[], Awaitable[Names]], of_all: Key, exact: Key) -> None:
        try:
            with anyio.fail_after(_LONGEST_S):
                names = await find()
        except (JobtrailError, TimeoutError) as error:
            logger.debug("nothing to complete from %s: %s", of_all[1], type(error).__name__)
            names = Names()
        if len(self._kept) >= _KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[of_all if names.every else exact] = (anyio.current_time(), names)
        self._under_way.pop(exact).set()

    def _read_kept(self, key: Key) -> Names | None:
        at, names = self._kept.get(key, (0.0, None))
        return names if anyio.current_time() - at <= _KEPT_S else None


def _select_matching(names: Names, begun: str) -> Names:
    """Return those that begin with what was typed, then those that contain it, no more than may be sent."""
    low = begun.strip().lower()
    first = [name for name in names.values if name.lower().startswith(low)]
    fitting = first + [name for name in names.values if low in name.lower() and not name.lower().startswith(low)]
    return Names(fitting[:MOST], names.more or len(fitting) > MOST)


async def _read_jobs(source: Source, begun: str) -> tuple[list[Job], Names]:
    """Return the jobs of a source, searched by it where they do not fit on a page, and names yet without values."""
    how = Walk[Job](limit=_JOBS_READ, budget=Budget(items=_JOBS_READ, seconds=_LONGEST_S))
    walked = await walk(source.jobs(ListOptions(sort=source.job_sort)), how)
    every = walked.position is None
    if not every and source.searches(begun.strip()):
        walked = await walk(source.jobs(ListOptions(sort=source.job_sort, query=begun.strip())), how)
    return walked.items, Names(more=walked.position is not None, every=every)


async def _find_jobs(source: Source, begun: str, known: Mapping[str, str], clock: Clock, /) -> Names:
    del known, clock
    jobs, names = await _read_jobs(source, begun)
    return replace(names, values=[job.name for job in jobs])


async def _find_scheduled(source: Source, begun: str, known: Mapping[str, str], clock: Clock, /) -> Names:
    """Return the names of scheduled tasks and services."""
    del known, clock
    if source.runs is None:
        return Names()
    jobs, names = await _read_jobs(source, begun)
    return replace(names, values=[job.name for job in jobs if job.kind != "job"])


async def _find_tasks(source: Source, begun: str, known: Mapping[str, str], clock: Clock, /) -> Names:
    """Return the tasks of the execution that is given."""
    del clock
    if source.batch is None or not {"job", "execution"} <= known.keys():
        return Names()
    options = ListOptions(sort=NEWEST_FIRST, query=begun.strip() or None)
    listing = source.batch.tasks(known["job"], known["execution"], options)
    walked = await walk(listing, _bound_walk(Walk[Task](limit=MOST), begun, lambda one: one.name))
    return Names([task.name for task in walked.items], walked.position is not None)


async def _find_executions(source: Source, begun: str, known: Mapping[str, str], clock: Clock, /) -> Names:
    """Return the newest executions of the job that is given, else of all jobs."""
    if source.batch is None:
        return Names()
    if "job" in known:
        listing = source.batch.executions(known["job"], ListOptions(sort=NEWEST_FIRST))
        walked = await walk(listing, _bound_walk(Walk[Execution](limit=MOST), begun, lambda one: one.id))
        return Names([one.id for one in walked.items], walked.position is not None)

    def find_window(source: Source) -> Window:
        now = clock.now() + source.lead
        return Window(since=now - _RECENT, now=now)

    there = await discover_parts([source], None, None, find_window, _LONGEST_S)
    merged = await walk(there.merge(), _bound_walk(Walk[OwnedAttempt](limit=MOST), begun, lambda one: one.id))
    return Names([one.id for one in merged.items if isinstance(one.item, Execution)], merged.position is not None)


async def _find_runs(source: Source, begun: str, known: Mapping[str, str], clock: Clock, /) -> Names:
    del clock
    if source.runs is None:
        return Names()
    listing = await source.runs.list(known.get("job"), ListOptions(sort=NEWEST_FIRST))
    walked = await walk(listing, _bound_walk(Walk[Run](limit=MOST), begun, lambda one: one.id))
    return Names([one.id for one in walked.items], walked.position is not None)


def _bound_walk(how: Walk[T], begun: str, name: Callable[[T], str]) -> Walk[T]:
    """Return a walk that keeps what has the text that was typed in its name, within the time of a completion."""
    low = begun.strip().lower()

    def keep(one: T) -> bool:
        return low in name(one).lower()

    return replace(how, keep=keep, budget=Budget(items=1_000, seconds=_LONGEST_S))
