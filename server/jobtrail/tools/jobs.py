"""What exists: `list_jobs` and `get_job`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp.server.mcpserver import Context

from jobtrail.diagnosis import record
from jobtrail.errors import BadArgument, closest, shown
from jobtrail.models import Call, Execution, Job, JobDetail, JobPage, Run
from jobtrail.paging import Walk, walk
from jobtrail.sources.base import NEWEST_FIRST, SHORTEST_QUERY, Ask, StatusFilter, read_sort
from jobtrail.tools import params
from jobtrail.tools.listing import ListCall
from jobtrail.tools.resumable import State, require_argument

if TYPE_CHECKING:
    from jobtrail.models import Note, Record
    from jobtrail.sources import Source

__all__ = ["get_job", "list_jobs"]

_RECENT = 20


async def list_jobs(
    ctx: Context[State],
    query: params.Query = None,
    status: params.DeploymentStatus = None,
    sort: params.Sort = None,
    from_end: params.FromEnd = None,
    limit: params.Limit = None,
    cursor: params.Cursor = None,
    source: params.Source = None,
) -> JobPage:
    """What exists: batch jobs, scheduled tasks and services, with kind, status, schedule and last change.

    Start here when a job's name is not known. For kind job go on with list_executions, for task or
    service with list_runs.
    Examples: {} · {"query": "etl", "status": "deployed,failed"}
    """
    call = ListCall.open(
        ctx, "list_jobs", cursor, source, query=query, status=status, sort=sort, from_end=from_end, limit=limit
    )
    order = read_sort(call.text("sort"), call.source.job_sorts, call.source.job_sort)
    ask = Ask(
        sort=order.flipped() if call.args.get("from_end") else order,
        query=(call.text("query") or "").strip() or None,
        statuses=_read_deployments(call),
    )
    others = [name for name in ctx.request_context.lifespan_context.sources.names if name != call.source.name]
    if others and source is None and not call.resumed:
        call.notes.append(f"other sources: {', '.join(others)} (give source=…)")
    searched = _searched if len(ask.query or "") < SHORTEST_QUERY else _not_searched
    # Labels are searched, and shown by get_job: a page of them would cost more than all the rest.
    return await call.read_page(JobPage, call.source.jobs(ask), ask, searched, hidden="labels")


def _searched(job: Job) -> list[str]:
    """Return what the documents search (parameter q), and a scheduled task's description and group."""
    labels = [text for pair in (job.labels or {}).items() for text in pair]
    return [job.name, job.display_name or "", job.description or "", job.group or "", *labels]


def _not_searched(job: Job) -> list[str]:
    """Return nothing to search in for a batch job: the upstream has searched all of it, and we see a part."""
    return [] if job.kind == "job" else _searched(job)


def _read_deployments(call: ListCall) -> StatusFilter | None:
    words = frozenset(one.strip().lower() for one in (call.text("status") or "").split(",") if one.strip())
    known = call.source.deployment_words
    for one in words if known else ():
        if one not in known:
            near = closest(one, known)
            hint = f"did you mean {near[0]}? " if near else ""
            raise BadArgument(
                f"status={shown(one)} is not a deployment status; {hint}valid: {', '.join(sorted(known))}"
            )
    return StatusFilter(words, words) if words else None


async def get_job(ctx: Context[State], job: params.Job = None, source: params.Source = None) -> JobDetail:
    """One job or scheduled task: schedule, settings (no secret values), and how its last 20 attempts ended.

    Use it to see whether a job is healthy before looking at single executions or runs.
    Examples: {"job": "nightly-etl"} · {"job": "backup-postgres", "source": "runwisp"}
    """
    state = ctx.request_context.lifespan_context
    chosen = state.sources.get(source)
    name = require_argument("get_job", "job", job, Call("list_jobs"))
    detail = await chosen.job(name)
    attempts, notes = await _recent(chosen, detail.job)
    return detail.model_copy(
        update={"record": attempts, "sample": chosen.sample or None, "notes": tuple(notes) or None}
    )


async def _recent(source: Source, job: Job) -> tuple[Record, list[Note]]:
    ask, who = Ask(sort=NEWEST_FIRST), f"source {source.name!r}"
    if job.kind == "job":
        executions = await walk(source.executions(job.name, ask), Walk[Execution](limit=_RECENT, who=who))
        return record(executions.items), executions.notes
    runs = await walk(await source.runs(job.name, ask), Walk[Run](limit=_RECENT, who=who))
    return record(runs.items), runs.notes
