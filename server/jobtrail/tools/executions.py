"""Executions of batch jobs and their tasks: `list_executions`, `get_execution`, `list_tasks`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from mcp.server.mcpserver import Context

from jobtrail.analysis.unfinished import measure_so_far
from jobtrail.errors import BadArgument
from jobtrail.models import (
    Call,
    Coverage,
    Execution,
    ExecutionDetail,
    ExecutionPage,
    ListedExecution,
    ListedTask,
    Task,
    TaskPage,
)
from jobtrail.models.unread import describe_unread
from jobtrail.paging import NEWEST_FIRST, Budget, SortedListing
from jobtrail.rendering.parts import write_status
from jobtrail.text import quote_value
from jobtrail.times import seconds_between
from jobtrail.tools import params
from jobtrail.tools.finding import check_job, find_execution
from jobtrail.tools.listing import SCANNED_AT_ONCE, ListCall
from jobtrail.tools.resumable import (
    LARGEST_LIMIT,
    ServerState,
    require_argument,
)
from jobtrail.vocabulary import UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from jobtrail.analysis.task_summary import TaskSummary
    from jobtrail.paging import Listing
    from jobtrail.sources.base import Source
    from jobtrail.sources.list_options import ListOptions

_FILTERED_AT_ONCE = 10_000
"""Tasks that one call reads at most to find those of a status, a cause or a text, which no upstream does."""

_READ_TO_SORT = 2_000
_DURATION = "duration"
"""A field that no upstream can sort executions and tasks by."""

T = TypeVar("T", Execution, Task)


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

    Use it for "what failed lately in this job". Sorts by created_at, name, duration.
    Examples: {"job": "nightly-etl", "status": "failure", "since": "24h"} · {"cursor": "1Ab…"}
    """
    call = ListCall.open(
        ctx, "list_executions", cursor, source, needs="executions",
        job=job, status=status, since=since, until=until, query=query, sort=sort, limit=limit,
    )  # fmt: skip
    name = require_argument("list_executions", "job", call.get_text_argument("job"), Call("list_jobs"))
    await call.find_source("job", name, "executions")
    batch = call.source.need_batch()
    options = await call.read_options(batch.execution_words, (*batch.execution_sorts, _DURATION), "execution")
    return await call.read_page(
        partial(ExecutionPage, job=name),
        _sort(partial(batch.executions, name), options, lambda one: one.id, _READ_TO_SORT, "execution"),
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
    cause: params.Cause = None,
    query: params.Query = None,
    fields: params.Fields = None,
    sort: params.Sort = None,
    limit: params.Limit = None,
    cursor: params.Cursor = None,
    source: params.Source = None,
) -> TaskPage:
    """The tasks of one execution: one line a task with status, duration, end and the reason it failed.

    Call get_execution first: it groups failures, and names the call that lists those of each cause.
    Sorts by created_at, name, duration.
    Examples: {"execution": "exec-1", "status": "failed", "fields": "name", "limit": 100}
    """
    call = ListCall.open(
        ctx, "list_tasks", cursor, source, needs="executions",
        job=job, execution=execution, status=status, cause=cause, query=query, fields=fields, sort=sort, limit=limit,
    )  # fmt: skip
    name, identity = await call.find_execution()
    batch = call.source.need_batch()
    options = await call.read_options(batch.task_words, (*batch.task_sorts, _DURATION), "task")
    wanted = _read_fields(call.get_text_argument("fields"))
    return await call.read_page(
        partial(TaskPage, job=name, execution=identity),
        _sort(partial(batch.tasks, name, identity), options, lambda one: one.name, _FILTERED_AT_ONCE, "task"),
        options,
        lambda one: [one.name, one.reason or ""],
        partial(_make_task_row, wanted=wanted),
        searched_in="names and reasons as shown",
        most=_FILTERED_AT_ONCE if options.filters() or options.sort.key == _DURATION else SCANNED_AT_ONCE,
        parent=partial(batch.explain_no_tasks, name, identity),
    )


def _sort(
    read: Callable[[ListOptions], Listing[T]],
    options: ListOptions,
    identity: Callable[[T], str],
    most: int,
    noun: str,
) -> Listing[T]:
    """Return what is listed in the order that was asked for, sorted here where no upstream can."""
    if options.sort.key != _DURATION:
        return read(options)
    listing = read(replace(options, sort=NEWEST_FIRST))
    return SortedListing(
        listing, options.sort, lambda one: one.duration_s, identity, Budget(items=most), noun, "the source"
    )


def _make_task_row(one: Task, wanted: Collection[str]) -> ListedTask:
    """Return a task as its list shows it: without its start where end and duration tell that."""
    known = one.ended_at is not None and one.duration_s is not None
    row = ListedTask.take_from(one, **({"started_at": None} if known else {}))
    return ListedTask.model_construct(**{name: getattr(row, name) for name in wanted}) if wanted else row


def _read_fields(text: str | None) -> Collection[str]:
    """Return the fields to show; none for all of them.

    Raises:
        BadArgument: one is no field of a task.
    """
    known = {name.removesuffix("_at").removesuffix("_s"): name for name in ListedTask.model_fields}
    given = [one.strip().lower() for one in (text or "").split(",") if one.strip()]
    for one in given:
        if one.removesuffix("_at").removesuffix("_s") not in known:
            raise BadArgument(
                f"fields={quote_value(one)} is no field of a task", advice=f"there are {', '.join(known)}"
            )
    return {"name", *(known[one.removesuffix("_at").removesuffix("_s")] for one in given)} if given else ()


async def get_execution(
    ctx: Context[ServerState],
    job: params.Job = None,
    execution: params.Execution = None,
    source: params.Source = None,
) -> ExecutionDetail:
    """Why an execution ended as it did: verdict, task counts, timing, failed tasks grouped by cause, slowest tasks.

    A job alone means its newest. Never a dump of tasks; it names the calls that list them.
    Examples: {"job": "nightly-etl"} · {"execution": "exec-1"}
    """
    state = ctx.request_context.lifespan_context
    found, name, identity = await find_execution(state.sources, source, "get_execution", job, execution)
    chosen = found.source
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
    names = {"fields": "name", "limit": LARGEST_LIMIT, "source": source.name}
    calls = [
        Call("list_tasks", {**named, "cause": group.cause, **names})
        for group in tasks.failures
        if group.cause and group.count > len(group.tasks)
    ]
    if len(tasks.failures) > 1:
        calls.append(Call("list_tasks", {**named, "status": "failed", **names}))
    if tasks.first_failed is not None:
        calls.append(Call("read_log", {**named, "task": tasks.first_failed, "source": source.name}))
    if one.status in UNFINISHED:
        calls.append(Call("wait_for", {**named, "source": source.name}))
    return tuple(calls)
