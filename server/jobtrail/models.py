"""What agents see: frozen models, one vocabulary for every upstream.

Upstream shapes live in `sources`; nothing an upstream sends reaches an agent except through
one of these fields. Times are timezone-aware and UTC, durations are seconds, and an absent field
means that the upstream did not say.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

__all__ = [
    "ENDED",
    "STATUSES",
    "Awaited",
    "Bucket",
    "Coverage",
    "Execution",
    "ExecutionDetail",
    "ExecutionPage",
    "FailureCause",
    "FailureGroup",
    "Failures",
    "History",
    "Job",
    "JobDetail",
    "JobPage",
    "LogLine",
    "LogPage",
    "LogTail",
    "Moment",
    "Page",
    "Period",
    "Record",
    "Run",
    "RunDetail",
    "RunPage",
    "Stats",
    "Status",
    "Streak",
    "Task",
    "TaskPage",
    "Total",
    "Waited",
    "Window",
]

Status = Literal["queued", "running", "succeeded", "failed", "timeout", "cancelled", "skipped", "unknown"]
STATUSES: tuple[Status, ...] = (
    "queued", "running", "succeeded", "failed", "timeout", "cancelled", "skipped", "unknown",
)  # fmt: skip

ENDED: frozenset[Status] = frozenset({"succeeded", "failed", "timeout", "cancelled", "skipped"})
"""Statuses that nothing follows."""


def _rfc3339(moment: datetime) -> str:
    """Return a moment as RFC 3339 in UTC, with milliseconds only where there are any."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z").replace(".000Z", "Z")


Moment = Annotated[datetime, PlainSerializer(_rfc3339, return_type=str, when_used="json")]


class _Seen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object an agent gets: absent fields left out."""
        return self.model_dump(mode="json", exclude_none=True)


class Stats(_Seen):
    """Task counts of an execution (Blaxel `JobExecutionStats`); there is no queued count upstream."""

    total: int | None = None
    succeeded: int | None = None
    failed: int | None = None
    running: int | None = None
    cancelled: int | None = None
    retried: int | None = None


class Job(_Seen):
    """A definition that can run: a Blaxel batch job, a RunWisp task or service.

    `status` is the deployment status in lower case (Blaxel); RunWisp definitions have none.
    """

    name: str
    kind: Literal["job", "task", "service"]
    status: str | None = None
    display_name: str | None = None
    description: str | None = None
    schedule: str | None = None
    next_run_at: Moment | None = None
    created_at: Moment | None = None
    updated_at: Moment | None = None
    group: str | None = None
    labels: dict[str, str] | None = None


class Execution(_Seen):
    """One triggered execution of a Blaxel job; on a page of one job's executions, `job` is the page's."""

    id: str
    job: str | None = None
    status: Status
    raw_status: str | None = None
    created_at: Moment | None = None
    started_at: Moment | None = None
    ended_at: Moment | None = None
    duration_s: float | None = None
    stats: Stats | None = None


class Task(_Seen):
    """One unit of work inside an execution."""

    name: str
    status: Status
    raw_status: str | None = None
    created_at: Moment | None = None
    started_at: Moment | None = None
    ended_at: Moment | None = None
    duration_s: float | None = None
    reason: str | None = None


class Run(_Seen):
    """One run of a RunWisp task; on a page of one task's runs, `task` is the page's.

    `exit_code` is there only once the run has ended.
    """

    id: str
    task: str | None = None
    status: Status
    raw_status: str | None = None
    created_at: Moment | None = None
    started_at: Moment | None = None
    ended_at: Moment | None = None
    duration_s: float | None = None
    exit_code: int | None = None
    trigger: str | None = None
    attempt: int | None = None
    retry_of: str | None = None
    instance: int | None = None


class Coverage(_Seen):
    """How much of the truth an answer covers, counted from the first page of the walk.

    `back_to` is the oldest time that a newest-first walk has reached.
    """

    scanned: int = Field(description="items read so far, over all pages of this walk")
    matched: int = Field(description="items that matched so far, over all pages of this walk")
    complete: bool = Field(description="true when nothing is left to read")
    back_to: Moment | None = None


class Total(_Seen):
    """How many there are, and how far to trust it.

    `exact` counts what was asked for; `at_least` is a floor; `unfiltered` is the upstream's count
    before the filters; `unknown` has no value.
    """

    value: int | None = None
    kind: Literal["exact", "at_least", "unfiltered", "unknown"]


class Window(_Seen):
    """The resolved time window, closed at both ends, and the server's own now.

    `zone` is the one that times without a zone were taken in, where there were any.
    """

    since: Moment | None = None
    until: Moment | None = None
    now: Moment
    zone: str | None = None


class _Answer(_Seen):
    """What every answer says of itself."""

    source: str
    sample: bool | None = None
    notes: tuple[str, ...] | None = None


class Page(_Answer):
    """What one list call returns; `cursor` is there exactly when there is more."""

    coverage: Coverage
    total: Total
    cursor: str | None = None
    window: Window | None = None
    sort: str
    filters: dict[str, str] | None = None


class JobPage(Page):
    """A page of jobs."""

    items: tuple[Job, ...]


class ExecutionPage(Page):
    """A page of executions of one job."""

    job: str
    items: tuple[Execution, ...]


class TaskPage(Page):
    """A page of tasks of one execution."""

    job: str
    execution: str
    items: tuple[Task, ...]


class RunPage(Page):
    """A page of runs, of one task or of all."""

    task: str | None = None
    items: tuple[Run, ...]


class Record(_Seen):
    """The newest attempts of a job, as counts by status over exactly `of` attempts."""

    of: int
    counts: dict[str, int]
    newest_status: Status | None = None
    newest_at: Moment | None = None
    last_success_at: Moment | None = None
    last_failure: str | None = Field(default=None, description="id of the newest attempt that ended badly")


class JobDetail(_Answer):
    """One definition, without a single secret value, and its recent record."""

    job: Job
    settings: dict[str, str]
    env_names: tuple[str, ...] | None = None
    record: Record | None = None


class FailureGroup(_Seen):
    """Failed tasks that share a signature: the reason with numbers, ids and quoted values folded."""

    signature: str
    count: int
    example: str
    tasks: tuple[str, ...]
    first_at: Moment | None = None
    last_at: Moment | None = None


class ExecutionDetail(_Answer):
    """One execution: verdict, counts, timing and its failures by signature."""

    verdict: str
    execution: Execution
    queued_s: float | None = None
    parallelism: int | None = None
    timeout_s: int | None = None
    failures: tuple[FailureGroup, ...] = ()
    slowest: tuple[Task, ...] = Field(default=(), description="of the tasks read")
    coverage: Coverage
    next_calls: tuple[str, ...] = ()


class LogTail(_Seen):
    """The last lines of a run's log. `first_line` counts from 1."""

    lines: tuple[str, ...]
    first_line: int
    total_lines: int


class RunDetail(_Answer):
    """One run, with the tail of its log where the upstream has one."""

    verdict: str
    run: Run
    queued_s: float | None = None
    log: LogTail | None = None
    next_calls: tuple[str, ...] = ()


class Period(_Seen):
    """What a stretch of time came to; rates are of what succeeded, failed or timed out, durations of what ended."""

    attempts: int
    counts: dict[str, int]
    success_rate: float | None = Field(default=None, description="0 to 1")
    p50_s: float | None = None
    p95_s: float | None = None
    max_s: float | None = None


class Bucket(_Seen):
    """One bucket of a history."""

    start: Moment
    counts: dict[str, int]
    success_rate: float | None = None
    p50_s: float | None = None


class Streak(_Seen):
    """The newest attempts that ended alike; `at_least` where more of them may lie before what was read."""

    well: bool
    length: int
    at_least: bool = False
    since: Moment | None = None


class History(_Answer):
    """How a job has been doing, and whether that is better or worse than in the window before."""

    job: str
    kind: Literal["job", "task", "service"]
    window: Window
    bucket: str
    current: Period
    before: Period | None = Field(default=None, description="the window of the same length before this one")
    trend: Literal["better", "worse", "steady"] | None = None
    streak: Streak | None = None
    last_success_at: Moment | None = None
    buckets: tuple[Bucket, ...]
    sparkline: str
    coverage: Coverage
    next_calls: tuple[str, ...] = ()


class LogLine(_Seen):
    """One line of a log, or several in a row that say the same but for times of day in them."""

    n: int = Field(description="number of the (first) line, from 1")
    text: str
    times: int | None = Field(default=None, description="how many lines it stands for, where that is not one")
    mark: str | None = Field(default=None, description="stderr, system, warning, error or fatal")
    at: Moment | None = None


class LogPage(_Answer):
    """A stretch of a log; `older` and `newer` are there exactly when there is more on that side, or may be."""

    run: str | None = None
    job: str | None = None
    execution: str | None = None
    task: str | None = None
    search: str | None = None
    first_line: int | None = Field(default=None, description="oldest line read, whether shown or passed over")
    last_line: int | None = None
    total_lines: int
    kept_from: int | None = Field(default=None, description="oldest line the source still has, where not 1")
    growing: bool = Field(description="true while more may be written")
    matched: int | None = Field(default=None, description="lines that match, where searched")
    complete: bool = Field(description="true when every line of the log was read for this answer")
    older: str | None = Field(default=None, description="cursor")
    newer: str | None = Field(default=None, description="cursor")
    lines: tuple[LogLine, ...]
    next_calls: tuple[str, ...] = ()


class Awaited(_Seen):
    """One execution or run that was waited for: how it stood when the wait began, and now."""

    id: str
    ended: bool
    before: Status | None = None
    status: Status | None = None
    raw_status: str | None = None
    duration_s: float | None = None
    exit_code: int | None = None
    tasks: int | None = None
    done_before: int | None = None
    done: int | None = Field(default=None, description="tasks that ended")
    failed_before: int | None = None
    failed: int | None = None
    error: str | None = Field(default=None, description="why its state is not known, or is an earlier one")


class Waited(_Answer):
    """What became of executions or runs while waiting for them."""

    job: str | None = None
    all_ended: bool
    waited_s: float
    timeout_s: float
    items: tuple[Awaited, ...]
    next_calls: tuple[str, ...] = ()


class FailureCause(_Seen):
    """Executions or runs of one job that ended badly for what looks like one reason."""

    source: str
    job: str
    kind: Literal["execution", "run"]
    status: Status
    cause: str
    count: int
    first_at: Moment | None = None
    last_at: Moment | None = None
    recovered: bool | None = Field(default=None, description="whether the job's latest attempt that ended succeeded")
    example: str = Field(description="id of the newest of them")
    open: str = Field(description="the call that explains it")


class Failures(_Seen):
    """What ended badly, across jobs and sources; `errors` names sources, or parts of one, that could not be read."""

    sources: tuple[str, ...]
    sample: tuple[str, ...] | None = Field(default=None, description="sources that show sample data")
    jobs: int
    failures: int = Field(description="of this page")
    causes: tuple[FailureCause, ...]
    errors: dict[str, str] | None = None
    coverage: Coverage
    cursor: str | None = None
    window: Window
    filters: dict[str, str]
    notes: tuple[str, ...] | None = None
