"""What every source offers, and the words in which it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from jobtrail.errors import BadArgument, Unsupported, closest, shown
from jobtrail.models import STATUSES
from jobtrail.paging import Edged

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from jobtrail.models import Execution, Job, JobDetail, LogTail, Run, Status, Task, Window
    from jobtrail.paging import Batch, Listing, Spot
    from jobtrail.sources.logs import Log

__all__ = [
    "NEWEST_FIRST",
    "SHORTEST_QUERY",
    "About",
    "Ask",
    "Explained",
    "FullExecution",
    "Sort",
    "Source",
    "StatusFilter",
    "read_sort",
    "read_statuses",
    "unknown_name",
    "within_window",
]


@dataclass(frozen=True)
class Sort:
    """An order: a field of our vocabulary and a direction."""

    key: str
    descending: bool

    def flipped(self) -> Sort:
        """Return the opposite order."""
        return Sort(self.key, not self.descending)

    def __str__(self) -> str:
        return f"{self.key}:{'desc' if self.descending else 'asc'}"


NEWEST_FIRST = Sort("created_at", descending=True)
SHORTEST_QUERY = 2
"""Blaxel takes a shorter `q` as none (seed documents, parameter `q`)."""


class _HasStatus(Protocol):
    @property
    def status(self) -> str | None: ...


class _HasTime(Protocol):
    @property
    def created_at(self) -> datetime | None: ...


T = TypeVar("T")
D = TypeVar("D", bound=_HasTime)


@dataclass(frozen=True)
class StatusFilter:
    """Which statuses to keep: normalised words, and raw words of the upstream."""

    words: frozenset[str]
    raw: frozenset[str] = frozenset()

    def keeps(self, item: _HasStatus) -> bool:
        """Return whether an item has one of them."""
        return item.status in self.words or (getattr(item, "raw_status", None) or "").lower() in self.raw

    def upstream(self, known: Mapping[str, Status]) -> list[str] | None:
        """Return the upstream's words for this filter; None where they cannot say it."""
        if "unknown" in self.words:
            return None
        return sorted({raw for raw, word in known.items() if word in self.words} | self.raw)


@dataclass(frozen=True)
class Ask:
    """What a list call asks of a source; absent means no such filter."""

    sort: Sort
    query: str | None = None
    statuses: StatusFilter | None = None
    window: Window | None = None


@dataclass(frozen=True)
class FullExecution:
    """An execution with what only its own endpoint says; `tasks` is None where that sent none."""

    execution: Execution
    tasks: Sequence[Task] | None
    parallelism: int | None
    timeout_s: int | None


@dataclass(frozen=True)
class About:
    """What is known of an upstream beside what it lists.

    Attributes:
        speaks: its dialect, and its version where it tells it.
        ahead: seconds that its clock is ahead of ours; None where it does not tell its time.
        workspace: whose answers they are, where they say so.
    """

    speaks: str
    ahead: float | None = None
    workspace: str | None = None


def read_sort(text: str | None, allowed: Sequence[str], default: Sort) -> Sort:
    """Read `field:direction`, in our spelling or the upstream's (`createdAt:desc`).

    Raises:
        BadArgument: not one of the allowed fields.
    """
    if not text:
        return default
    key, _, direction = text.strip().partition(":")
    folded = {name.replace("_", ""): name for name in allowed}
    name = folded.get(key.strip().replace("_", "").lower())
    way = direction.strip().lower() or ("desc" if name == "created_at" else "asc")
    if name is None or way not in {"asc", "desc"}:
        raise BadArgument(
            f"sort={shown(text)} is not an order; give one of {', '.join(allowed)} with :asc or :desc, "
            f"such as {default}"
        )
    return Sort(name, way == "desc")


def read_statuses(text: str | None, known: Mapping[str, Status]) -> StatusFilter | None:
    """Read a comma list of statuses: normalised words, or the upstream's own.

    Raises:
        BadArgument: a word that is neither, so that a typo never reads as "nothing failed".
    """
    words = [one.strip().lower() for one in (text or "").split(",") if one.strip()]
    if not words:
        if text:
            raise BadArgument(f"status={shown(text)} names no status; give one or more of {', '.join(STATUSES)}")
        return None
    for one in words:
        if one not in STATUSES and one not in known:
            near = closest(one, (*STATUSES, *known))
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            raise BadArgument(f"status={shown(one)} is not a status; {hint}valid: {', '.join(STATUSES)}")
    # Success has no shades, but RunWisp spells it by version, and one version's word finds nothing in another.
    words = ["succeeded" if known.get(one) == "succeeded" else one for one in words]
    return StatusFilter(
        frozenset(one for one in words if one in STATUSES),
        frozenset(one for one in words if one not in STATUSES),
    )


class Source:
    """One configured upstream. A source overrides what its upstream has; the rest is unsupported.

    Attributes:
        name: as configured.
        kind: `blaxel`, `runwisp` or `embedded`.
        execution_words: raw execution statuses, lower case, and what they mean.
        task_words: likewise for tasks.
        run_words: likewise for runs.
        deployment_words: statuses of definitions, where they have one.
        job_sorts, execution_sorts, task_sorts, run_sorts: fields each list can be sorted by.
        cursor_life: seconds for which the upstream keeps its own cursors.
        log_note: what an agent must know of its logs.
    """

    kind: str = ""
    has_executions = False
    has_runs = False
    execution_words: Mapping[str, Status] = {}
    task_words: Mapping[str, Status] = {}
    run_words: Mapping[str, Status] = {}
    deployment_words: frozenset[str] = frozenset()
    job_sorts: Sequence[str] = ("name",)
    job_sort = Sort("name", descending=False)
    execution_sorts: Sequence[str] = ()
    task_sorts: Sequence[str] = ()
    run_sorts: Sequence[str] = ()
    cursor_life: int | None = None
    log_note: str | None = None

    def __init__(self, name: str, fingerprint: str) -> None:
        self.name = name
        self._fingerprint = fingerprint

    @property
    def fingerprint(self) -> str:
        """What changes when the name is pointed at something else."""
        return self._fingerprint

    @property
    def sample(self) -> bool:
        """Whether what it last answered was the sample workspace."""
        return False

    async def aclose(self) -> None:
        """Close connections."""

    async def about(self) -> About:
        """Return what is known of the upstream, after it has answered something.

        Raises:
            UpstreamError: it was asked for its version and did not answer.
        """
        return About(self.kind)

    def jobs(self, ask: Ask) -> Listing[Job]:
        """List definitions."""
        raise NotImplementedError

    async def job(self, name: str) -> JobDetail:
        """Return one definition; `record` is left to the caller.

        Raises:
            UnknownName: with the closest names.
        """
        raise NotImplementedError

    def executions(self, job: str, ask: Ask) -> Listing[Execution]:
        """List the executions of a job."""
        raise self._has_no("executions", "list_runs(task=…)")

    async def execution(self, job: str, execution: str) -> FullExecution:
        """Return one execution."""
        raise self._has_no("executions", "get_run(run=…)")

    async def owner(self, execution: str) -> str:
        """Return the job of an execution.

        Raises:
            UnknownName: no job has it.
        """
        raise self._has_no("executions", "get_run(run=…)")

    def tasks(self, job: str, execution: str, ask: Ask) -> Listing[Task]:
        """List the tasks of an execution."""
        raise self._has_no("executions with tasks", "list_runs(task=…)")

    async def runs(self, task: str | None, ask: Ask) -> Listing[Run]:
        """List the runs of a task, or of all tasks."""
        raise self._has_no("runs", "list_executions(job=…)")

    async def run(self, run: str) -> Run:
        """Return one run."""
        raise self._has_no("runs", "get_execution(job=…, execution=…)")

    async def log_tail(self, run: str, lines: int) -> LogTail | None:
        """Return the last lines of a run's log; None where the upstream has no logs."""
        raise self._has_no("runs", "get_execution(job=…, execution=…)")

    async def run_log(self, run: str) -> Log:
        """Return the log of a run; that there is none is found out when it is read."""
        raise self._has_no("runs", "read_log(job=…, execution=…)")

    async def task_log(
        self, job: str, execution: str, task: str | None, now: datetime, kept: tuple[int, ...] = ()
    ) -> Log:
        """Return the log of an execution, or of one of its tasks.

        Args:
            job: the execution's job.
            execution: its id.
            task: the name of a task; None for all of them.
            now: the current time, up to which a log is read that is still being written.
            kept: what a cursor carries of the same log.

        Raises:
            UnknownName: no such execution.
            StrayCursor: `kept` is of no log here.
        """
        raise self._has_no("executions", "read_log(run=…)")

    async def follow(self, changed: Callable[[str], None]) -> None:
        """Call `changed` with the id of each run that changes, for as long as the upstream tells; many never do."""

    async def check_job(self, name: str) -> None:
        """Raise `UnknownName` where a job or task does not exist, though its list answered with nothing."""
        raise NotImplementedError

    def _has_no(self, what: str, instead: str) -> Unsupported:
        return Unsupported(f"source {self.name!r} ({self.kind}) has no {what}; call {instead} on it")


def within_window(listing: Listing[D], ask: Ask) -> Listing[D]:
    """Return a listing that ends where its order has left the window."""
    window = ask.window
    if window is None or ask.sort.key != "created_at":
        return listing
    edge = window.since if ask.sort.descending else window.until
    if edge is None:
        return listing

    def beyond(item: D) -> bool:
        created = item.created_at
        if created is None:
            return False
        return created < edge if ask.sort.descending else created > edge

    return Edged(listing, beyond)


class Explained(Generic[T]):
    """A listing whose error says less than the source can find out.

    Args:
        listing: the listing.
        error: the error that is explained.
        explain: returns what to raise instead; it may ask the upstream.
    """

    def __init__(
        self, listing: Listing[T], error: type[Exception], explain: Callable[[], Awaitable[Exception]]
    ) -> None:
        self._listing = listing
        self._error = error
        self._explain = explain
        self.narrowed = listing.narrowed

    async def fetch(self, at: Spot, want: int) -> Batch[T]:
        """Read one page."""
        try:
            return await self._listing.fetch(at, want)
        except self._error:
            raise await self._explain() from None


def unknown_name(what: str, name: str, known: Iterable[str], then: str) -> str:
    """Return the sentence for a name that does not exist: the closest ones, or where to look."""
    near = closest(name, known)
    hint = f"closest: {', '.join(near)}" if near else f"nothing is named like it; call {then} for what exists"
    return f"{what}={shown(name)} does not exist; {hint}"
