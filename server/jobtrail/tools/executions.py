"""Executions of batch jobs and their tasks: `list_executions`, `get_execution`, `list_tasks`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mcp.server.mcpserver import Context

from jobtrail.analysis.failure_groups import group_failures
from jobtrail.errors import UnknownName
from jobtrail.models import (
    Call,
    Coverage,
    Execution,
    ExecutionDetail,
    ExecutionPage,
    ListedExecution,
    Note,
    SlowTask,
    Task,
    TaskPage,
)
from jobtrail.paging import EVERYTHING, NEWEST_FIRST, Budget, Walk, walk
from jobtrail.rendering.parts import write_names, write_status
from jobtrail.sources.list_options import ListOptions
from jobtrail.text import quote_value, sanitize_text
from jobtrail.times import seconds_between
from jobtrail.tools import params
from jobtrail.tools.listing import DEFAULT_LIMIT, ListCall
from jobtrail.tools.resumable import LARGEST_LIMIT, ServerState, check_parent, require_argument
from jobtrail.vocabulary import FAILURES, UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobtrail.sources.base import FullExecution, Source

_SLOWEST = 3
_A_PAGE = Budget(items=200)
"""As many tasks as the upstream sends at once (seed documents, parameter limit)."""


async def list_executions(
    ctx: Context[ServerState],
    job: params.Job = None,
    status: params.Status = None,
    since: params.Since = None,
    until: params.Until = None,
    query: params.Query = None,
    sort: params.Sort = None,
    limit: params.Limit = None,
    cursor: params.Cursor = None,
    source: params.Source = None,
) -> ExecutionPage:
    """What a batch job ran: one line an execution with status, times and task counts, newest first.

    Use it for "what failed lately in this job".
    Examples: {"job": "nightly-etl", "status": "failed,timeout", "since": "24h"} · {"cursor": "1Ab…"}
    """
    call = ListCall.open(
        ctx, "list_executions", cursor, source, needs="executions",
        job=job, status=status, since=since, until=until, query=query, sort=sort, limit=limit,
    )  # fmt: skip
    name = require_argument("list_executions", "job", call.get_text_argument("job"), Call("list_jobs"))
    batch = call.source.need_batch()
    options = call.read_options(batch.execution_words, batch.execution_sorts)
    return await call.read_page(
        partial(ExecutionPage, job=name),
        batch.executions(name, options),
        options,
        lambda one: [one.id],
        ListedExecution.take_from,
        parent=partial(batch.check_job, name),
    )


async def list_tasks(
    ctx: Context[ServerState],
    job: params.Job = None,
    execution: params.Execution = None,
    status: params.Status = None,
    query: params.Query = None,
    sort: params.Sort = None,
    limit: params.Limit = None,
    cursor: params.Cursor = None,
    source: params.Source = None,
) -> TaskPage:
    """The tasks of one execution: one line a task with status, duration and the reason it failed.

    Call get_execution first: it groups failures. Use this for the single failed tasks.
    Examples: {"job": "nightly-etl", "execution": "exec-1", "status": "failed"} · {"cursor": "1Ab…"}
    """
    call = ListCall.open(
        ctx, "list_tasks", cursor, source, needs="executions",
        job=job, execution=execution, status=status, query=query, sort=sort, limit=limit,
    )  # fmt: skip
    name = require_argument("list_tasks", "job", call.get_text_argument("job"), Call("list_jobs"))
    batch = call.source.need_batch()
    identity = (call.get_text_argument("execution") or "").strip() or await find_newest(call.source, name)
    call.args["execution"] = identity
    options = call.read_options(batch.task_words, batch.task_sorts)
    return await call.read_page(
        partial(TaskPage, job=name, execution=identity),
        batch.tasks(name, identity, options),
        options,
        lambda one: [one.name],
        _make_task_row,
        parent=partial(batch.execution, name, identity),
    )


def _make_task_row(one: Task) -> Task:
    """Return a task as its list shows it: without its end where start and duration tell that."""
    known = one.started_at is not None and one.duration_s is not None
    return one.model_copy(update={"ended_at": None}) if known else one


async def get_execution(
    ctx: Context[ServerState],
    job: params.Job = None,
    execution: params.Execution = None,
    source: params.Source = None,
) -> ExecutionDetail:
    """Why an execution ended as it did: verdict, task counts, timing, failed tasks grouped by cause, slowest tasks.

    Without execution it takes the job's newest. Never a dump of tasks; it names the call that lists them.
    Examples: {"job": "nightly-etl"} · {"job": "nightly-etl", "execution": "exec-1"}
    """
    chosen = ctx.request_context.lifespan_context.sources.get(source, needs="executions")
    name = require_argument("get_execution", "job", job, Call("list_jobs"))
    identity = execution if execution and execution.strip() else await find_newest(chosen, name)
    full = await chosen.need_batch().execution(name, identity)
    read = await read_tasks(chosen, full, name, identity)
    one = full.execution
    return ExecutionDetail(
        source=chosen.name,
        sample=chosen.sample or None,
        verdict=_write_verdict(one),
        execution=one,
        queued_s=seconds_between(one.created_at, one.started_at),
        parallelism=full.parallelism,
        timeout_s=full.timeout_s,
        failures=group_failures(read.failed),
        slowest=_find_slowest(read.tasks),
        coverage=Coverage(scanned=len(read.tasks), matched=len(read.failed), complete=read.complete),
        notes=tuple(read.notes) or None,
        next_calls=_propose_calls(chosen, one, read.failed),
    )


async def find_newest(source: Source, job: str) -> str:
    """Return the id of a job's newest execution.

    Raises:
        UnknownName: the job does not exist, or has not run.
    """
    batch = source.need_batch()
    how = Walk[Execution](limit=1, subject=f"source {source.name!r}")
    walked = await walk(batch.executions(job, ListOptions(sort=NEWEST_FIRST)), how)
    await check_parent(partial(batch.check_job, job), walked.scanned)
    if not walked.items:
        raise UnknownName(
            f"job {quote_value(job)} has no execution yet; ",
            Call("get_job", {"job": sanitize_text(job, 80)}),
            " shows its schedule",
        )
    return walked.items[0].id


@dataclass(frozen=True)
class TasksRead:
    """The tasks of an execution, as far as they were read."""

    tasks: Sequence[Task]
    complete: bool
    notes: list[Note]

    @property
    def failed(self) -> list[Task]:
        """Those that ended badly."""
        return [task for task in self.tasks if task.status in FAILURES]


async def read_tasks(source: Source, full: FullExecution, job: str, execution: str) -> TasksRead:
    """Return an execution's tasks: from `full` if it holds all of them, else from a walk.

    If nothing failed, only one page is read, to find the slowest tasks.
    """
    one, inline = full.execution, full.tasks or ()
    if inline and one.tasks is not None and len(inline) >= one.tasks:
        return _judge_tasks(one, inline, complete=True, notes=[])
    if one.tasks == 0:
        return TasksRead((), complete=True, notes=[])
    fine = one.tasks is not None and one.failed == 0 and one.status not in FAILURES
    how = Walk[Task](limit=EVERYTHING, subject=f"source {source.name!r}", budget=_A_PAGE if fine else Budget())
    walked = await walk(source.need_batch().tasks(job, execution, ListOptions(sort=NEWEST_FIRST)), how)
    notes = list(walked.notes)
    if fine:
        # The counts say that no task failed, so the unread tasks hold no failure.
        return TasksRead(walked.items, complete=True, notes=notes)
    if walked.position is not None and not notes:
        notes.append(f"only the first {walked.scanned:,} tasks were read; list_tasks goes through all of them")
    return _judge_tasks(one, walked.items, complete=walked.position is None, notes=notes)


def _judge_tasks(one: Execution, tasks: Sequence[Task], *, complete: bool, notes: list[Note]) -> TasksRead:
    """Return the tasks read, with a note if fewer failed than the upstream counts."""
    failed = sum(task.status in FAILURES for task in tasks)
    strange = sorted({task.raw_status or "none" for task in tasks if task.status == "unknown"})
    if strange:
        notes.append(f"some tasks have a status not known here: {write_names(strange[:3])}")
    if complete and failed < (one.failed or 0):
        complete = False
        notes.append(f"the upstream counts {one.failed:,} failed tasks, but lists {failed:,}")
    return TasksRead(tasks, complete, notes)


def _find_slowest(tasks: Sequence[Task]) -> tuple[SlowTask, ...]:
    """Return the three tasks that took longest; those that still run do not count."""
    timed = sorted((one for one in tasks if one.duration_s), key=lambda one: (-(one.duration_s or 0), one.name))
    return tuple(
        SlowTask(name=one.name, status=one.status, duration_s=one.duration_s or 0) for one in timed[:_SLOWEST]
    )


def _write_verdict(one: Execution) -> str:
    words = write_status(one)
    if one.tasks is None:
        return words
    parts = [
        f"{count:,} {what}"
        for count, what in (
            (one.succeeded, "succeeded"),
            (one.failed, "failed"),
            (one.running, "running"),
            (one.cancelled, "cancelled"),
        )
        if count
    ]
    noun = "task" if one.tasks == 1 else "tasks"
    return f"{words}: of {one.tasks:,} {noun} {', '.join(parts) or 'none has started'}"


def _propose_calls(source: Source, one: Execution, failed: Sequence[Task]) -> tuple[Call, ...]:
    named = {"job": one.job, "execution": one.id}
    calls: list[Call] = []
    if len(failed) > 1:
        many = {"limit": LARGEST_LIMIT} if len(failed) > DEFAULT_LIMIT else {}
        calls.append(Call("list_tasks", {**named, "status": "failed", **many, "source": source.name}))
    if failed:
        calls.append(Call("read_log", {**named, "task": failed[0].name, "source": source.name}))
    if one.status in UNFINISHED:
        calls.append(Call("wait_for", {**named, "source": source.name}))
    return tuple(calls)
