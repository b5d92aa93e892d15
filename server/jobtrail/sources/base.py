"""The interface of a source: its jobs, and what its batch jobs and its scheduled tasks offer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from jobtrail.errors import AgentError, UnknownName, Unsupported
from jobtrail.models import Attempt, Call, Job, JobDetail
from jobtrail.paging import NEWEST_FIRST, Sort, Walk, walk
from jobtrail.sources.list_options import ListOptions
from jobtrail.text import find_closest, quote_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from jobtrail.analysis.task_summary import TaskSummary
    from jobtrail.logs.log import Log
    from jobtrail.models import Execution, Run, Task
    from jobtrail.paging import Listing
    from jobtrail.vocabulary import Status
    from jobtrail.window import Clock

CLOCK_TOLERANCE = timedelta(seconds=5)
"""A greater difference between a source's clock and ours is told."""
NOT_DEFINED = "it is not defined any more: what it ran before is kept"
_RUNS_OF_A_TASK, _EXECUTIONS_OF_A_JOB = Call("list_runs", {"job": ...}), Call("list_executions", {"job": ...})


@dataclass(frozen=True)
class FullExecution:
    """An execution with what only its own endpoint sends.

    Attributes:
        tasks: what its tasks came to; None if they were not all sent with it.
        overrides: what it was given instead of what its job has, by name; of environment variables the names.
    """

    execution: Execution
    tasks: TaskSummary | None
    parallelism: int | None
    timeout_s: int | None
    overrides: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Workspace:
    """The workspace that was asked for, and the one that answers; None if not known."""

    asked: str | None
    told: str | None


@dataclass(frozen=True)
class About:
    """Facts about an upstream.

    Attributes:
        speaks: its API, with the version if known.
        ahead: seconds that its clock is ahead of ours; None if not known.
        workspace: None if the upstream has no workspaces.
    """

    speaks: str
    ahead: float | None = None
    workspace: Workspace | None = None


@dataclass(frozen=True)
class Scheduling:
    """How an upstream starts jobs by their schedules.

    Attributes:
        held: why it starts none; None where nothing says so.
        loaded_at: when it read the schedules that it tells; None if not known.
        notes: what an agent must know of them.
    """

    held: str | None = None
    loaded_at: datetime | None = None
    notes: Sequence[str] = ()


class BatchJobs(Protocol):
    """Batch jobs: a job has executions, and an execution has tasks.

    Attributes:
        execution_words: raw statuses of executions, lower case, and what they mean.
        task_words: likewise for tasks.
        execution_sorts, task_sorts: the fields that each list can be sorted by.
    """

    execution_words: Mapping[str, Status]
    task_words: Mapping[str, Status]
    execution_sorts: Sequence[str]
    task_sorts: Sequence[str]

    def executions(self, job: str, options: ListOptions) -> Listing[Execution]:
        """List the executions of a job."""
        ...

    async def execution(self, job: str, execution: str) -> FullExecution:
        """Return one execution.

        Raises:
            UnknownName: there is no such execution.
        """
        ...

    async def explain(self, job: str, execution: str) -> tuple[FullExecution, TaskSummary]:
        """Return one execution and what its tasks came to, which are read if they were not sent with it.

        Raises:
            UnknownName: there is no such execution.
        """
        ...

    async def explain_no_tasks(self, job: str, execution: str) -> str | None:
        """Return why an execution lists no tasks, a note for agents; None where it has none.

        Raises:
            UnknownName: there is no such execution.
        """
        ...

    async def owner(self, execution: str) -> str:
        """Return the job of an execution.

        Raises:
            UnknownName: no job has it.
        """
        ...

    def tasks(self, job: str, execution: str, options: ListOptions) -> Listing[Task]:
        """List the tasks of an execution."""
        ...

    async def log(self, job: str, execution: str, task: str | None, now: datetime, continuation: str = "") -> Log:
        """Return the log of an execution, or of one of its tasks.

        Args:
            job: the execution's job.
            execution: its id.
            task: the name of a task; None for all of them.
            now: the current time, up to which a log is read that is still being written; one that ended just before
                may lack its last lines.
            continuation: `Log.continuation` of an earlier read, so that the same lines have the same numbers.

        Raises:
            UnknownName: there is no such execution.
            StrayCursor: `continuation` is of no log here.
        """
        ...

    async def check_job(self, job: str) -> None:
        """Raise `UnknownName` unless the job exists; the list of an unknown one may be empty."""
        ...

    async def check_task(self, job: str, execution: str, task: str) -> None:
        """Raise `UnknownName` unless the execution has the task; the log of an unknown one may be empty."""
        ...


class Runs(Protocol):
    """Scheduled tasks: a task has runs.

    Attributes:
        words: raw statuses, lower case, and what they mean.
        sorts: the fields that runs can be sorted by.
    """

    words: Mapping[str, Status]
    sorts: Sequence[str]

    async def list(self, task: str | None, options: ListOptions) -> Listing[Run]:
        """List the runs of a task, or of all tasks."""
        ...

    async def get(self, run: str) -> Run:
        """Return one run.

        Raises:
            UnknownName: there is no such run.
        """
        ...

    async def log(self, run: str) -> Log:
        """Return the log of a run; reading it raises `Unsupported` where there is none."""
        ...

    async def find_cause(self, run: str) -> str | None:  # those of a source with logs need it
        """Return the last line of an ended run's log that tells why it failed; None where none does."""
        return None

    async def describe_totals(self) -> str | None:
        """Return how many runs there are of all tasks, and how they ended, if one request tells; most do not."""
        return None

    async def follow(self, changed: Callable[[str], None]) -> None:
        """Call `changed` with the id of each run that changes, while the upstream reports any; many never do."""
        ...

    async def check_task(self, task: str) -> None:
        """Raise `UnknownName` unless the task is defined; the list of an unknown one may be empty."""
        ...


class Source:
    """One configured upstream.

    Attributes:
        name: as configured.
        kind: of upstream, as it is registered.
        batch: its batch jobs; None where it has none.
        runs: its scheduled tasks; None where it has none.
        deployment_words: statuses of definitions, where they have one.
        job_sorts: fields that definitions can be sorted by.
        job_sort: the order in which they come by default.
        shortest_query: characters of the shortest query that the upstream itself searches definitions for; None if
            it never does.
        cursor_life: seconds for which the upstream keeps its own cursors.
        log_note: a note for agents about its logs.
    """

    kind: str = ""
    deployment_words: frozenset[str] = frozenset()
    job_sorts: Sequence[str] = ("name",)
    job_sort = Sort("name", descending=False)
    shortest_query: int | None = None
    cursor_life: int | None = None
    log_note: str | None = None

    def __init__(
        self, name: str, fingerprint: str, *, batch: BatchJobs | None = None, runs: Runs | None = None
    ) -> None:
        self.name = name
        self.batch = batch
        self.runs = runs
        self._fingerprint = fingerprint

    def searches(self, query: str) -> bool:
        """Return whether the upstream itself searches its definitions for a query."""
        return self.shortest_query is not None and len(query) >= self.shortest_query

    @property
    def fingerprint(self) -> str:
        """A text that changes when the name is configured for another upstream."""
        return self._fingerprint

    @property
    def sample(self) -> bool:
        """Whether what it last answered was the sample workspace."""
        return False

    @property
    def attempt_words(self) -> dict[str, Status]:
        """Raw statuses of executions and runs, and what they mean."""
        return {
            **(self.batch.execution_words if self.batch else {}),
            **(self.runs.words if self.runs else {}),
        }

    @property
    def lead(self) -> timedelta:
        """How far its clock is ahead of ours, as its last answer told; zero where it does not tell the time."""
        return timedelta()

    def find_now(self, clock: Clock) -> datetime:
        """Return the current time on its clock, as far as that is known, given ours."""
        return clock.now() + self.lead

    async def measure_clock(self) -> None:
        """Ask it for something if it has not answered lately, so that `lead` is known.

        Raises:
            UpstreamError: it did not answer.
        """

    async def aclose(self) -> None:
        """Close connections."""

    async def about(self) -> About:
        """Return facts about the upstream, after it has answered a request.

        Raises:
            UpstreamError: it was asked for its version and did not answer.
        """
        return About(self.kind)

    def jobs(self, options: ListOptions) -> Listing[Job]:
        """List definitions."""
        raise NotImplementedError

    async def find_job(self, name: str) -> JobDetail | None:
        """Return one definition, with no `record`; None where there is none of that name."""
        raise NotImplementedError

    async def explain_unknown(self, name: str) -> UnknownName:
        """Return the error for a name that no definition has: it offers the closest ones."""
        raise NotImplementedError

    async def explain_scheduling(self) -> Scheduling:
        """Return whether it starts jobs by their schedules at all, as far as it tells."""
        return Scheduling()

    def follows(self, job: Job) -> bool:  # most do
        """Return whether it knows what a job goes on to do; of what was imported only what was imported is known."""
        return True

    async def explain_unfinished(self, attempts: Iterable[Attempt]) -> list[str]:
        """Return notes on attempts that are shown as not ended, and of which that may not be so any more."""
        return []

    async def job(self, name: str) -> JobDetail:
        """Return one definition, with no `record`; of a job that has only history left, its name and a note.

        Raises:
            UnknownName: with the closest names.
        """
        found = await self.find_job(name) or await self.find_past_job(name)
        if found is None:
            raise await self.explain_unknown(name)
        return found

    async def find_past_job(self, name: str) -> JobDetail | None:
        """Return a job that is not defined any more and of which something is kept that it ran; None for none."""
        jobs = [
            *([Job(name=name, kind="job")] if self.batch else []),
            *([Job(name=name, kind="task")] if self.runs else []),
        ]
        for job in jobs:
            try:
                listing = await self.attempts(job, ListOptions(sort=NEWEST_FIRST))
                kept = await walk(listing, Walk[Attempt](limit=1, subject=f"source {self.name!r}"))
            except AgentError:
                continue
            if kept.items:
                return JobDetail(source=self.name, job=job, settings={}, notes=(NOT_DEFINED,))
        return None

    async def attempts(self, job: Job, options: ListOptions) -> Listing[Attempt]:
        """List what a job attempted: the executions of a batch job, the runs of a scheduled task."""
        if job.kind == "job":
            return self.need_batch().executions(job.name, options)
        return await self.need_runs().list(job.name, options)

    def need_batch(self, instead: Call = _RUNS_OF_A_TASK) -> BatchJobs:
        """Return its batch jobs.

        Raises:
            Unsupported: it has none; `instead` is the call that fits it.
        """
        if self.batch is None:
            raise Unsupported(
                "has no executions",
                subject=f"source {self.name!r} ({self.kind})",
                advice=("call ", instead, " on it"),
            )
        return self.batch

    def need_runs(self, instead: Call = _EXECUTIONS_OF_A_JOB) -> Runs:
        """Return its scheduled tasks.

        Raises:
            Unsupported: it has none; `instead` is the call that fits it.
        """
        if self.runs is None:
            raise Unsupported(
                "has no runs", subject=f"source {self.name!r} ({self.kind})", advice=("call ", instead, " on it")
            )
        return self.runs


def unknown_name(what: str, name: str, known: Iterable[str]) -> UnknownName:
    """Return the error for a name that does not exist: it offers the closest ones, or says where to look."""
    what = f"{what}={quote_value(name)} does not exist"
    if near := find_closest(name, known):
        return UnknownName(what, closest=near)
    return UnknownName(f"{what}; nothing is named like it", advice=("call ", Call("list_jobs"), " for what exists"))
