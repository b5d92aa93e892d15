"""Executions of batch jobs and their tasks: `list_executions`, `get_execution`, `list_tasks`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp.server.mcpserver import Context

from jobtrail.diagnosis import BAD, group_failures
from jobtrail.errors import shown
from jobtrail.models import Coverage, Execution, ExecutionDetail, ExecutionPage, Stats, Task, TaskPage
from jobtrail.paging import EVERYTHING, Walk, walk
from jobtrail.sources.base import NEWEST_FIRST, Ask
from jobtrail.sources.wire import seconds
from jobtrail.tools import params
from jobtrail.tools.call import State, begin, call_text, required

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobtrail.sources import Source
    from jobtrail.sources.base import FullExecution

__all__ = ["get_execution", "list_executions", "list_tasks"]

_EVERY_TASK = Walk[Task](limit=EVERYTHING)


async def list_executions(
    ctx: Context[State],
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

    Use it for "what failed lately in this job". The answer says how much it covers; go on with its cursor.
    Examples: {"job": "nightly-etl", "status": "failed,timeout", "since": "24h"} · {"cursor": "1Ab…"}
    """
    call = begin(
        ctx, "list_executions", cursor, source, "executions",
        job=job, status=status, since=since, until=until, query=query, sort=sort, limit=limit,
    )  # fmt: skip
    name = call.required("job", "list_jobs()")
    ask = call.ask(call.source.execution_words, call.source.execution_sorts)
    listing = call.source.executions(name, ask)
    walked = await call.walk(listing, ask, lambda one: [one.id])
    if not call.scanned + walked.scanned:
        await call.source.check_job(name)
    walked.items = [one.model_copy(update={"job": None}) for one in walked.items]
    return ExecutionPage(job=name, **call.page(walked, ask, listing))


async def list_tasks(
    ctx: Context[State],
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
    call = begin(
        ctx, "list_tasks", cursor, source, "executions",
        job=job, execution=execution, status=status, query=query, sort=sort, limit=limit,
    )  # fmt: skip
    name = call.required("job", "list_jobs()")
    identity = call.required("execution", f"list_executions(job={shown(name)})")
    ask = call.ask(call.source.task_words, call.source.task_sorts)
    listing = call.source.tasks(name, identity, ask)
    walked = await call.walk(listing, ask, lambda one: [one.name])
    if not call.scanned + walked.scanned:
        # An upstream may list nothing for an execution that does not exist.
        await call.source.execution(name, identity)
    return TaskPage(job=name, execution=identity, **call.page(walked, ask, listing))


async def get_execution(
    ctx: Context[State],
    job: params.Job = None,
    execution: params.Execution = None,
    source: params.Source = None,
) -> ExecutionDetail:
    """Why an execution ended as it did: verdict, task counts, timing, and its failed tasks grouped by cause.

    Never a dump of tasks; it names the call that lists them.
    Examples: {"job": "nightly-etl", "execution": "exec-1"}
    """
    chosen = ctx.request_context.lifespan_context.sources.get(source, needs="executions")
    name = required("get_execution", "job", job, "list_jobs()")
    identity = required("get_execution", "execution", execution, f"list_executions(job={shown(name)})")
    full = await chosen.execution(name, identity)
    failed, coverage, notes = await _failed_tasks(chosen, full, name, identity)
    one = full.execution
    return ExecutionDetail(
        source=chosen.name,
        sample=chosen.sample or None,
        verdict=_verdict(one),
        execution=one,
        queued_s=seconds(one.created_at, one.started_at),
        parallelism=full.parallelism,
        timeout_s=full.timeout_s,
        failures=group_failures(failed),
        coverage=coverage,
        notes=tuple(notes) or None,
        next_calls=_next_calls(chosen, one, bool(failed)),
    )


async def _failed_tasks(
    source: Source, full: FullExecution, job: str, execution: str
) -> tuple[Sequence[Task], Coverage, list[str]]:
    """Return the failed tasks: from the answer where it holds them all, else by walking the tasks."""
    one, inline = full.execution, full.tasks or ()
    stats = one.stats or Stats()
    if stats.total is not None and stats.failed == 0 and one.status not in BAD:
        return [], Coverage(scanned=0, matched=0, complete=True), []
    if inline and stats.total is not None and len(inline) >= stats.total:
        return _judged(stats, inline, complete=True, notes=[])
    walked = await walk(source.tasks(job, execution, Ask(sort=NEWEST_FIRST)), _EVERY_TASK)
    notes = list(walked.notes)
    if walked.spot is not None and not notes:
        notes.append(f"only the first {walked.scanned:,} tasks were read; list_tasks goes through all of them")
    return _judged(stats, walked.items, complete=walked.spot is None, notes=notes)


def _judged(
    stats: Stats, tasks: Sequence[Task], *, complete: bool, notes: list[str]
) -> tuple[Sequence[Task], Coverage, list[str]]:
    """Return the failed among the tasks read, and a note where they cannot be all."""
    failed = [task for task in tasks if task.status in BAD]
    strange = sorted({task.raw_status or "none" for task in tasks if task.status == "unknown"})
    if strange:
        notes.append(f"some tasks have a status not known here: {', '.join(strange[:3])}")
    if complete and len(failed) < (stats.failed or 0):
        complete = False
        notes.append(f"the upstream counts {stats.failed:,} failed tasks, but lists {len(failed):,}")
    return failed, Coverage(scanned=len(tasks), matched=len(failed), complete=complete), notes


def _verdict(one: Execution) -> str:
    stats = one.stats
    words = f"{one.status} ({one.raw_status})" if one.raw_status else one.status
    if stats is None or stats.total is None:
        return words
    parts = [
        f"{count:,} {what}"
        for count, what in (
            (stats.succeeded, "succeeded"),
            (stats.failed, "failed"),
            (stats.running, "running"),
            (stats.cancelled, "cancelled"),
        )
        if count
    ]
    return f"{words}: of {stats.total:,} tasks {', '.join(parts) or 'none has started'}"


def _next_calls(source: Source, one: Execution, failed: bool) -> tuple[str, ...]:  # noqa: FBT001 # private
    named = {"job": one.job, "execution": one.id}
    calls = [call_text("list_tasks", {**named, "status": "failed", "source": source.name})] if failed else []
    if one.status in {"running", "queued"}:
        calls.append(call_text("get_execution", {**named, "source": source.name}))
    return tuple(calls)
