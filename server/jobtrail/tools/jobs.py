"""Lists and describes jobs: the tools `list_jobs` and `get_job`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp.server.mcpserver import Context

from jobtrail.analysis.attempt_record import summarize_attempts
from jobtrail.analysis.trend import describe_judgements
from jobtrail.analysis.unfinished import describe_unfinished
from jobtrail.errors import BadArgument
from jobtrail.models import Attempt, Job, JobDetail, JobPage, ListedJob
from jobtrail.models.unread import describe_unread
from jobtrail.paging import NEWEST_FIRST, Walk, walk
from jobtrail.sources.list_options import ListOptions, StatusFilter, read_sort, split_statuses
from jobtrail.text import find_closest, quote_value
from jobtrail.tools import params
from jobtrail.tools.finding import find_source
from jobtrail.tools.listing import ListCall
from jobtrail.tools.resumable import ServerState

if TYPE_CHECKING:
    from jobtrail.sources.base import Source

_RECENT = 20


async def list_jobs(
    ctx: Context[ServerState],
    query: params.Query = None,
    status: params.DeploymentStatus = None,
    sort: params.Sort = None,
    from_end: params.FromEnd = None,
    limit: params.Limit = None,
    cursor: params.Cursor = None,
    source: params.Source = None,
) -> JobPage:
    """What exists: batch jobs, scheduled tasks and services, with kind, deployment, schedule and last change.

    Start here when a job's name is not known. For kind job go on with list_executions, for task or
    service with list_runs. Sorts by name, batch jobs also by created_at.
    Examples: {} · {"query": "etl", "status": "deployed,failed"}
    """
    call = ListCall.open(
        ctx, "list_jobs", cursor, source, query=query, status=status, sort=sort, from_end=from_end, limit=limit
    )
    order = read_sort(call.get_text_argument("sort"), call.source.job_sorts, call.source.job_sort)
    options = ListOptions(
        sort=order.flipped() if call.args.get("from_end") else order,
        query=(call.get_text_argument("query") or "").strip() or None,
        statuses=_read_deployments(call),
    )
    others = [name for name in ctx.request_context.lifespan_context.sources.names if name != call.source.name]
    if others and source is None and not call.resumed:
        call.notes.append(f"other sources: {', '.join(others)} (give source=…)")
    upstream = call.source.searches(options.query or "")
    searched = _read_task_texts if upstream else _read_texts
    # Labels are searched, and shown by get_job: a page of them would cost more than all the rest.
    return await call.read_page(
        JobPage,
        call.source.jobs(options),
        options,
        searched,
        ListedJob.take_from,
        searched_in=_write_searched(call.source, upstream=upstream),
    )


def _write_searched(source: Source, *, upstream: bool) -> str:
    """Return in what a query is looked for."""
    if not upstream:
        return "names, descriptions, groups and labels"
    tasks = ", and of tasks in descriptions and groups" if source.runs else ""
    return f"names and labels{tasks}"


def _read_texts(job: Job) -> list[str]:
    """Return what the documents search (parameter q), and a scheduled task's description and group."""
    labels = [text for pair in (job.labels or {}).items() for text in pair]
    return [job.name, job.display_name or "", job.description or "", job.group or "", *labels]


def _read_task_texts(job: Job) -> list[str]:
    """Return nothing to search in for a batch job: the upstream has searched all of it, and we see a part."""
    return [] if job.kind == "job" else _read_texts(job)


def _read_deployments(call: ListCall) -> StatusFilter | None:
    words = frozenset(split_statuses(call.get_text_argument("status")))
    known = call.source.deployment_words
    for one in words if known else ():
        if one not in known:
            raise BadArgument(
                f"status={quote_value(one)} is not a deployment status",
                closest=find_closest(one, known, 1),
                advice=f"valid: {', '.join(sorted(known))}",
            )
    return StatusFilter(words, words) if words else None


async def get_job(ctx: Context[ServerState], job: params.NeededJob, source: params.Source = None) -> JobDetail:
    """One job or scheduled task: schedule, settings (no secret values), and how its last 20 attempts ended.

    Use it to see whether a job is healthy before looking at single executions or runs.
    Examples: {"job": "nightly-etl"} · {"job": "backup-postgres", "source": "cron"}
    """
    state = ctx.request_context.lifespan_context
    name = job.strip()
    found = await find_source(state.sources, source, "job", name)
    chosen = found.source
    detail = await chosen.job(name)
    listing = await chosen.attempts(detail.job, ListOptions(sort=NEWEST_FIRST))
    recent = await walk(listing, Walk[Attempt](limit=_RECENT, subject=f"source {chosen.name!r}"))
    notes = [
        *found.notes,
        *(detail.notes or ()),
        *describe_unread(detail.job.unread),
        *recent.notes,
        *describe_judgements(recent.items),
    ]
    notes += describe_unfinished(recent.items, chosen.find_now(state.clock), shown=False)
    notes += await chosen.explain_unfinished(recent.items)
    return detail.model_copy(
        update={
            "record": summarize_attempts(recent.items, complete=recent.position is None),
            "sample": chosen.sample or None,
            "notes": tuple(notes) or None,
        }
    )
