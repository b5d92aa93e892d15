"""Merges the executions and runs of all jobs in several sources into one listing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

import anyio

from jobtrail.errors import JobtrailError, UnknownName, Unreachable
from jobtrail.models import Job, Note, Run
from jobtrail.paging import AT_ONCE, EVERYTHING, NEWEST_FIRST, Mapped, Merged, Sort, Walk, run_concurrently, walk
from jobtrail.sources.list_options import ListOptions, read_statuses
from jobtrail.text import quote_unless_word

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from jobtrail.models import Attempt, Window
    from jobtrail.paging import Listing
    from jobtrail.sources.base import Source
    from jobtrail.sources.list_options import StatusFilter
    from jobtrail.vocabulary import Status


Kind = Literal["job", "task", "service"]
T = TypeVar("T")

_PARTS_AT_ONCE = 200
"""Parts that one call reads at most, whether they answer at once or not."""
_MOST_ERRORS = 5


@dataclass(frozen=True)
class OwnedAttempt:
    """An execution or a run, and the source and job it belongs to.

    Attributes:
        job: the batch job, or the scheduled task.
    """

    source: str
    job: str
    item: Attempt

    @property
    def id(self) -> str:
        """Its id, unique in its source."""
        return self.item.id

    @property
    def status(self) -> Status:
        """Its status."""
        return self.item.status

    @property
    def raw_status(self) -> str | None:
        """The upstream's word for its status."""
        return self.item.raw_status

    @property
    def failure(self) -> bool | None:
        """Its upstream's judgement, where that is not what the status says."""
        return self.item.failure if isinstance(self.item, Run) else None

    @property
    def unread(self) -> tuple[str, ...]:
        """Names of its fields that could not be read."""
        return self.item.unread

    @property
    def created_at(self) -> datetime | None:
        """When it was created."""
        return self.item.created_at


@dataclass
class AttemptSources:
    """The listings of attempts that were discovered, and the sources that could not be read.

    Attributes:
        parts: a listing for each batch job, and for all tasks of a daemon or each of them, by `source/job`.
        definitions: of the jobs and tasks in them, by source and name.
        errors: sources whose jobs could not be listed, and why.
        wanted: which statuses to keep, by source; None for all.
        strange: how many were not kept for each raw status that no document lists.
        windows: of creation, by source: each has a clock of its own.
        notes: what an agent must know of the job that was asked for.
        read: what `keeps` was asked about, by source and job, in its order.
    """

    parts: dict[str, Listing[OwnedAttempt]] = field(default_factory=dict[str, "Listing[OwnedAttempt]"])
    definitions: dict[tuple[str, str], Job] = field(default_factory=dict[tuple[str, str], Job])
    errors: dict[str, JobtrailError] = field(default_factory=dict[str, "JobtrailError"])
    wanted: dict[str, StatusFilter | None] = field(default_factory=dict[str, "StatusFilter | None"])
    strange: Counter[str] = field(default_factory=Counter[str])
    windows: dict[str, Window] = field(default_factory=dict[str, "Window"])
    notes: list[Note] = field(default_factory=list[Note])
    read: dict[tuple[str, str], list[Attempt]] = field(default_factory=dict[tuple[str, str], "list[Attempt]"])

    @property
    def jobs(self) -> int:
        """The number of jobs and tasks in them."""
        return len(self.definitions)

    @property
    def kinds(self) -> dict[tuple[str, str], Kind]:
        """The kinds of these jobs and tasks, by source and name."""
        return {job: one.kind for job, one in self.definitions.items()}

    def merge(self, page: int = 100) -> Merged[OwnedAttempt]:
        """Return all attempts as one listing, newest first; a page is what is asked of a part at a time."""
        return Merged(self.parts, upstream_of=lambda key: key.partition("/")[0], page=page)

    def list_read(self, source: str, job: str) -> Sequence[Attempt] | None:
        """Return what was read of a job; None where its upstream kept back what has other statuses."""
        part = self.parts.get(f"{source}/{job}")
        return self.read.get((source, job)) if part and "statuses" in part.traits.unapplied else None

    def keeps(self, one: OwnedAttempt) -> bool:
        """Return whether an attempt lies in the window of its source, and has one of the statuses asked for."""
        self.read.setdefault((one.source, one.job), []).append(one.item)
        wanted, window = self.wanted.get(one.source), self.windows.get(one.source)
        if window is not None and not window.contains(one.created_at):
            return False
        kept = wanted is None or wanted.keeps(one)
        if not kept and one.status == "unknown":
            self.strange[one.raw_status or "none"] += 1
        return kept


async def discover_parts(
    sources: Sequence[Source],
    job: str | None,
    status: str | None,
    find_window: Callable[[Source], Window],
    seconds: float,
    wanted: Callable[[Job], bool] = lambda _job: True,
) -> AttemptSources:
    """Find the listings to walk.

    Args:
        sources: which to ask.
        job: one job or task alone, where it is there; None for all.
        status: a comma list of statuses, in our words or an upstream's.
        find_window: returns the window of creation for a source whose clock is known.
        seconds: that sources have to list their jobs.
        wanted: returns whether a job's attempts are to be listed.

    Raises:
        BadArgument: a status that no source knows.
    """
    found = AttemptSources()
    for source in sources:
        found.wanted[source.name] = read_statuses(status, source.attempt_words)
    by_name = {source.name: source for source in sources}
    answers = await run_concurrently(
        {
            name: partial(_list_parts, one, job, found.wanted[name], find_window, wanted)
            for name, one in by_name.items()
        },
        seconds=seconds,
    )
    for name in by_name:
        match answers.get(name):
            case _Listed(parts, jobs, window, notes):
                found.parts |= parts
                found.definitions |= {(name, one.name): one for one in jobs}
                found.notes += notes
                found.windows[name] = window
            case None:
                found.errors[name] = Unreachable(
                    f"did not list its jobs within {seconds:g} s", subject=f"source {name!r}"
                )
            case error:
                found.errors[name] = error
    if job and found.definitions:
        # One source has the job, so ignore that others do not.
        found.errors = {name: one for name, one in found.errors.items() if not isinstance(one, UnknownName)}
    return found


@dataclass(frozen=True)
class _Listed:
    """A source's listings by `source/job`, its jobs and tasks, and their window."""

    parts: dict[str, Listing[OwnedAttempt]]
    jobs: Sequence[Job]
    window: Window
    notes: Sequence[Note]


async def _list_parts(
    source: Source,
    job: str | None,
    statuses: StatusFilter | None,
    find_window: Callable[[Source], Window],
    wanted: Callable[[Job], bool],
) -> _Listed:
    """Return a source's listings; what it answers when it is asked for its jobs tells its time too."""
    by_name = ListOptions(sort=Sort("name", descending=False))
    every_job = Walk[Job](limit=EVERYTHING, subject=f"source {source.name!r}")
    asked = await source.job(job) if job else None
    jobs = [asked.job] if asked else (await walk(source.jobs(by_name), every_job)).items
    await source.measure_clock()
    window = find_window(source)
    options = ListOptions(sort=NEWEST_FIRST, statuses=statuses, window=window)
    parts: dict[str, Listing[OwnedAttempt]] = {}
    every, chosen = None, [one for one in jobs if wanted(one)]
    if source.runs and not job and any(one.kind != "job" for one in chosen):
        every = await source.runs.list(None, options)
    if every and every.traits.order:
        # The upstream lists the runs of all tasks in one order.
        parts[f"{source.name}/"] = _add_owner(every, source.name, "")
        each = [one for one in chosen if one.kind == "job"]
    else:
        each = chosen
    for one in each:
        parts[f"{source.name}/{one.name}"] = _add_owner(await source.attempts(one, options), source.name, one.name)
    return _Listed(parts, jobs, window, (asked and asked.notes) or ())


def _add_owner(listing: Listing[Attempt], source: str, job: str) -> Listing[OwnedAttempt]:
    """Return a listing whose items name their source and job."""

    def read(item: Attempt) -> OwnedAttempt:
        return OwnedAttempt(source, job or item.job or "", item)

    return Mapped(listing, read)


@dataclass(frozen=True)
class PartsRead(Generic[T]):
    """What parts of sources answered, by `source/job`.

    Attributes:
        answers: of those that were read, in order.
        errors: of those that could not be read; of a source that did not answer in time, by its name alone.
        following: the part to go on with; None if all were read.
        last: the last part that was read; empty if there was none.
    """

    answers: Mapping[str, T]
    errors: Mapping[str, JobtrailError]
    following: str | None
    last: str


async def read_parts(
    calls: Mapping[str, Callable[[], Awaitable[T]]],
    begin: str,
    sources: Sequence[Source],
    seconds: float,
    last: str = "",
) -> PartsRead[T]:
    """Read parts of several sources at the same time, each source at most `AT_ONCE`, as many as there is time for.

    Args:
        calls: what reads each, by `source/job`.
        begin: the part to begin with, or where it would stand; empty for the first of all.
        sources: in the order in which their parts are read.
        seconds: for all of them.
        last: the last part to read, where these were read before; empty for as many as there is time for.

    Raises:
        Unreachable: what was read before could not be read again in time.
    """
    ranks = {source.name: rank for rank, source in enumerate(sources)}

    def find_place(key: str) -> tuple[int, str]:
        return ranks.get(key.partition("/")[0], -1), key

    ahead = sorted((key for key in calls if find_place(key) >= find_place(begin)), key=find_place)
    keys = [key for key in ahead if find_place(key) <= find_place(last)] if last else ahead[:_PARTS_AT_ONCE]
    limiters = {name: anyio.CapacityLimiter(AT_ONCE) for name in ranks}
    found = await run_concurrently(
        {key: calls[key] for key in keys}, lambda key: limiters[key.partition("/")[0]], seconds
    )
    answered = {key.partition("/")[0] for key in found}

    def describe_silence(subject: str) -> JobtrailError:
        return Unreachable(f"had not answered after {seconds:g} s", subject=subject)

    errors: dict[str, JobtrailError] = {}
    for key in keys:
        name = key.partition("/")[0]
        if name not in answered:
            errors[name] = describe_silence(f"source {name!r}")
        elif key not in found and key == keys[0]:
            # A call goes on by one part at least.
            errors[key] = describe_silence(quote_unless_word(key))
    # Of a source that answered something, the rest is only a matter of time.
    late = next((key for key in keys[1:] if key not in found and key.partition("/")[0] in answered), None)
    if late is not None and last:
        # Without the rest, the order of what is there would be another than on the page before.
        raise Unreachable(
            f"could not be read again within {seconds:g} s", subject="what this cursor walks",
            advice="call again with the same cursor", retryable=True,
        )  # fmt: skip
    read = keys if late is None else keys[: keys.index(late)]
    errors |= {key: one for key in read if isinstance(one := found.get(key), JobtrailError)}
    answers = {key: one for key in read if key in found and not isinstance(one := found[key], JobtrailError)}
    following = late or next(iter(ahead[len(keys) :]), None)
    return PartsRead(answers, _gather_errors(errors, answers), following, read[-1] if read else last)


def _gather_errors(errors: Mapping[str, JobtrailError], answers: Collection[str]) -> dict[str, JobtrailError]:
    """Return errors by part; one by the name of the source where no part of it answered, or many did not."""
    answered = {key.partition("/")[0] for key in answers}
    found: dict[str, JobtrailError] = {}
    for name in dict.fromkeys(key.partition("/")[0] for key in errors):
        keys = [key for key in errors if key.partition("/")[0] == name]
        if name not in answered:
            found[name] = errors[keys[0]]
            continue
        found |= {key: errors[key] for key in keys[:_MOST_ERRORS]}
        if len(keys) > _MOST_ERRORS:
            found[name] = Unreachable(
                f"{len(keys) - _MOST_ERRORS:,} more could not be read", subject=f"source {name!r}:"
            )
    return found
