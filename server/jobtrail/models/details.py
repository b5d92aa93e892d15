"""One job, execution or run in full, a page of a log, and the result of a wait."""

from __future__ import annotations

from pydantic import Field

from jobtrail.models.calls import NextCall, Note
from jobtrail.models.entities import Execution, FrozenModel, Job, MaskedPairs, MaskedText, Run, Timestamp
from jobtrail.models.pages import Answer, Coverage
from jobtrail.vocabulary import Status


class AttemptRecord(FrozenModel):
    """The newest attempts of a job, as counts by status over exactly `of` attempts; `complete` if these are all."""

    of: int
    complete: bool = False
    counts: dict[str, int]
    newest_status: Status | None = None
    newest_at: Timestamp | None = None
    last_success_at: Timestamp | None = None
    last_failure: str | None = Field(default=None, description="id of the newest attempt that ended badly")


class JobDetail(Answer):
    """One definition, without a single secret value, and its recent record."""

    job: Job
    settings: MaskedPairs
    env_names: tuple[MaskedText, ...] | None = None
    record: AttemptRecord | None = None
    revisions: dict[MaskedText, Timestamp] = Field(default_factory=dict[str, Timestamp], exclude=True)


class FailureGroup(FrozenModel):
    """Failed tasks that share a signature: the reason with numbers, ids and quoted values folded.

    `cause` is what `list_tasks` takes to list exactly these; rarer ones together have none.
    """

    cause: str | None = None
    rarer: bool = Field(default=False, exclude=True)
    signature: str
    count: int
    example: str
    tasks: tuple[str, ...]
    first_at: Timestamp | None = None
    last_at: Timestamp | None = None


class SlowTask(FrozenModel):
    """A task that took long."""

    name: str
    status: Status
    duration_s: float


class ExecutionDetail(Answer):
    """One execution: verdict, counts, timing and its failures by signature."""

    verdict: str
    execution: Execution
    queued_s: float | None = None
    parallelism: int | None = None
    timeout_s: int | None = None
    failures: tuple[FailureGroup, ...] = ()
    slowest: tuple[SlowTask, ...] = Field(default=(), description="of the tasks read")
    coverage: Coverage
    next_calls: tuple[NextCall, ...] = ()


class LogTail(FrozenModel):
    """The last lines of a run's log. `first_line` counts from 1."""

    lines: tuple[str, ...]
    first_line: int
    total_lines: int


class RunDetail(Answer):
    """One run, with the tail of its log where the upstream has one."""

    verdict: str
    run: Run
    queued_s: float | None = None
    log: LogTail | None = None
    next_calls: tuple[NextCall, ...] = ()


class LogLine(FrozenModel):
    """One line of a log, or several in a row that say the same but for times of day in them."""

    n: int = Field(description="number of the (first) line, from 1")
    text: str
    times: int | None = Field(default=None, description="how many lines it stands for, where that is not one")
    task: str | None = Field(default=None, description="of an execution, where its source tells")
    mark: str | None = Field(default=None, description="stderr, system, warning, error or fatal")
    at: Timestamp | None = None


class LogPage(Answer):
    """A stretch of a log; `older` and `newer` are there exactly when there is more on that side, or may be."""

    rows = "lines"

    run: str | None = None
    job: str | None = None
    execution: str | None = None
    task: str | None = None
    query: str | None = None
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
    next_calls: tuple[NextCall, ...] = ()


class Awaited(FrozenModel):
    """One execution or run that was waited for: how it stood when the wait began, and now."""

    id: str
    ended: bool
    before: Status | None = None
    status: Status | None = None
    raw_status: str | None = None
    failure: bool | None = None
    duration_s: float | None = None
    so_far_s: int | None = None
    exit_code: int | None = None
    tasks: int | None = None
    done_before: int | None = None
    done: int | None = Field(default=None, description="tasks that ended")
    failed_before: int | None = None
    failed: int | None = None
    error: Note | None = Field(default=None, description="why its state is not known, or is an earlier one")


class Waited(Answer):
    """What became of executions or runs while waiting for them."""

    rows = "items"

    job: str | None = None
    all_ended: bool
    waited_s: float
    timeout_s: float
    items: tuple[Awaited, ...]
    next_calls: tuple[NextCall, ...] = ()
