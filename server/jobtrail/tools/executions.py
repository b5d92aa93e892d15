"""Executions of batch jobs and their tasks: `list_executions`, `get_execution`, `list_tasks`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mcp.server.mcpserver import Context

from jobtrail.analysis.unfinished import measure_so_far
from jobtrail.errors import UnknownName
from jobtrail.models import (
    Call,
    Coverage,
    Execution,
    ExecutionDetail,
    ExecutionPage,
    ListedExecution,
    Task,
    TaskPage,
)
from jobtrail.models.unread import describe_unread
from jobtrail.paging import NEWEST_FIRST, Walk, walk
from jobtrail.rendering.parts import write_status
from jobtrail.sources.list_options import ListOptions
from jobtrail.text import quote_value, sanitize_text
from jobtrail.times import seconds_between
from jobtrail.tools import params
from jobtrail.tools.finding import check_job, check_parent, find_source
from jobtrail.tools.listing import DEFAULT_LIMIT, SCANNED_AT_ONCE, ListCall
from jobtrail.tools.resumable import (
    LARGEST_LIMIT,
    ServerState,
    require_argument,
)
from jobtrail.vocabulary import UNFINISHED

if TYPE_CHECKING:
    from jobtrail.analysis.task_summary import TaskSummary
    from jobtrail.sources.base import Source

_SEARCHED_AT_ONCE = 10_000
"""Tasks that one call reads at most to search their reasons, which no upstream does: 50 pages."""


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
    Examples: {"job": "nightly-etl", "status": "failure", "since": "24h"} · {"cursor": "1Ab…"}
    """
    call = ListCall.open(
        ctx, "list_executions", cursor, source, needs="executions",
        job=job, status=status, since=since, until=until, query=query, sort=sort, limit=limit,
    )  # fmt: skip
    name = require_argument("list_executions", "job", call.get_text_argument("job"), Call("list_jobs"))
    await call.find_source("job", name, "executions")
    batch = call.source.need_batch()
    options = await call.read_options(batch.execution_words, batch.execution_sorts, "execution")
    return await call.read_page(
        partial(ExecutionPage, job=name),
        batch.executions(name, options),
        options,
        lambda one: [one.id],
        ListedExecution.take_from,
        searched_in="ids",
        parent=partial(check_job, call.source, name, "executions", batch.check_job),
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
    await call.find_source("job", name, "executions")
    batch = call.source.need_batch()
    identity = (call.get_text_argument("execution") or "").strip() or await find_newest(call.source, name)
    call.args["execution"] = identity
    options = await call.read_options(batch.task_words, batch.task_sorts, "task")
    return await call.read_page(
        partial(TaskPage, job=name, execution=identity),
        batch.tasks(name, identity, options),
        options,
        lambda one: [one.name, one.reason or ""],
        _make_task_row,
        searched_in="names and reasons as shown",
        most=_SEARCHED_AT_ONCE if options.query else SCANNED_AT_ONCE,
        parent=partial(batch.explain_no_tasks, name, identity),
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
    state = ctx.request_context.lifespan_context
    name = require_argument("get_execution", "job", job, Call("list_jobs"))
    found = await find_source(state.sources, source, "job", name, "executions")
    chosen = found.source
    identity = execution if execution and execution.strip() else await find_newest(chosen, name)
    full, tasks = await chosen.need_batch().explain(name, identity)
    so_far = measure_so_far(full.execution, chosen.find_now(state.clock))
    one = full.execution.model_copy(update={"so_far_s": so_far})
    notes = (*found.notes, *describe_unread(one.unread), *tasks.notes, *await chosen.explain_unfinished([one]))
    return ExecutionDetail(
        source=chosen.name,
        sample=chosen.sample or None,
        verdict=_write_verdict(one, tasks.outer),
        execution=one,
        queued_s=seconds_between(one.created_at, one.started_at),
        parallelism=full.parallelism,
        timeout_s=full.timeout_s,
        failures=tasks.failures,
        slowest=tasks.slowest,
        coverage=Coverage(scanned=tasks.scanned, matched=tasks.failed, complete=tasks.complete),
        notes=notes or None,
        next_calls=_propose_calls(chosen, one, tasks),
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


def _write_verdict(one: Execution, outer: int) -> str:
    """Return the status and the counts, as its source tells them.

    Args:
        one: the execution.
        outer: how many of its failed tasks failed after one within them.
    """
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
        if count is not None
    ]
    noun = "task" if one.tasks == 1 else "tasks"
    have = "has" if outer == 1 else "have"
    again = f"; {outer:,} of the failed {have} the cause of a task within" if outer else ""
    return f"{words}: of {one.tasks:,} {noun} {', '.join(parts)}".rstrip() + again


def _propose_calls(source: Source, one: Execution, tasks: TaskSummary) -> tuple[Call, ...]:
    named = {"job": one.job, "execution": one.id}
    calls: list[Call] = []
    if tasks.failed > 1:
        many = {"limit": LARGEST_LIMIT} if tasks.failed > DEFAULT_LIMIT else {}
        calls.append(Call("list_tasks", {**named, "status": "failed", **many, "source": source.name}))
    if tasks.first_failed is not None:
        calls.append(Call("read_log", {**named, "task": tasks.first_failed, "source": source.name}))
    if one.status in UNFINISHED:
        calls.append(Call("wait_for", {**named, "source": source.name}))
    return tuple(calls)
