"""Runs of scheduled tasks: `list_runs` and `get_run`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mcp.server.mcpserver import Context

from jobtrail.analysis.unfinished import measure_so_far
from jobtrail.errors import Unsupported, UpstreamError
from jobtrail.logs.lines import clean_log_text, clip_text
from jobtrail.logs.log import EMPTY
from jobtrail.models import Call, ListedRun, LogTail, Run, RunDetail, RunPage
from jobtrail.models.unread import describe_unread
from jobtrail.rendering.parts import write_status
from jobtrail.times import seconds_between
from jobtrail.tools import params
from jobtrail.tools.finding import check_job, find_ids
from jobtrail.tools.listing import ListCall
from jobtrail.tools.resumable import ServerState
from jobtrail.vocabulary import UNFINISHED, is_failure

if TYPE_CHECKING:
    from jobtrail.sources.base import Runs, Source

_TAIL, _LONGEST_LINE = 20, 400
_SCANNED_AT_ONCE = 20_000
"""Runs that one call reads at most: 20 pages of 1,000, as many as it reads of executions."""


async def list_runs(
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
) -> RunPage:
    """What a scheduled task ran, or all of them: a line a run with status, exit code, duration, trigger.

    Use it for "did the backup run, what failed since yesterday".
    Sorts by created_at, started_at, duration, exit_code, status, job.
    Examples: {"status": "failure", "since": "yesterday"} · {"job": "backup-postgres", "limit": 5}
    """
    call = ListCall.open(
        ctx, "list_runs", cursor, source, needs="runs",
        job=job, status=status, since=since, until=until, query=query, sort=sort, limit=limit,
    )  # fmt: skip
    name = call.get_text_argument("job")
    await call.find_source("job", name, "runs")
    runs = call.source.need_runs()
    options = await call.read_options(runs.words, runs.sorts, "run")
    return await call.read_page(
        partial(RunPage, job=name),
        await runs.list(name, options),
        options,
        lambda one: [one.job or "", one.id],
        (lambda one: ListedRun.take_from(one, job=None)) if name else ListedRun.take_from,
        searched_in="names of jobs and run ids",
        parent=partial(check_job, call.source, name, "runs", runs.check_task) if name else None,
        most=_SCANNED_AT_ONCE,
    )


async def get_run(ctx: Context[ServerState], run: params.NeededRun, source: params.Source = None) -> RunDetail:
    """One run of a scheduled task: how it ended, and the last 20 lines of its log where there is one.

    Examples: {"run": "01K9Z3V5Q8R2M4N6P7S9T0W1X2"}
    """
    state = ctx.request_context.lifespan_context
    identity = run.strip()
    found = await find_ids(state.sources, source, "run", [identity])
    chosen = found.source
    runs = chosen.need_runs(Call("get_execution", {"job": ..., "execution": ...}))
    one = await runs.get(identity)
    one = one.model_copy(update={"so_far_s": measure_so_far(one, chosen.find_now(state.clock))})
    log, note = await _read_tail(runs, one.id)
    notes = [*found.notes, *describe_unread(one.unread), *([note] if note else [])]
    return RunDetail(
        source=chosen.name,
        sample=chosen.sample or None,
        verdict=_write_verdict(one),
        run=one,
        queued_s=seconds_between(one.created_at, one.started_at),
        log=log,
        notes=(*notes, *await chosen.explain_unfinished([one])) or None,
        next_calls=_propose_calls(chosen, one),
    )


async def _read_tail(runs: Runs, run: str) -> tuple[LogTail | None, str]:
    """Return the log's tail, and what to know of it; a log that cannot be read does not hide the run."""
    try:
        log = await runs.log(run)
        read = await log.read(-_TAIL, _TAIL)
    except Unsupported as error:
        return None, f"{error.subject} {error.describe_problem()}".lstrip()
    except UpstreamError as error:
        return None, f"the log could not be read: {error}"
    if not read.lines:
        return None, EMPTY if read.final else "its log has no lines yet"
    last = read.lines[-_TAIL:]
    lines = tuple(clip_text(clean_log_text(line.text), most=_LONGEST_LINE) for line in last)
    return LogTail(lines=lines, first_line=last[0].n, total_lines=read.total), log.note


def _write_verdict(one: Run) -> str:
    words = write_status(one)
    if one.exit_code is None:
        return words
    return f"{words} with exit code {one.exit_code}"


def _propose_calls(source: Source, one: Run) -> tuple[Call, ...]:
    if one.status in UNFINISHED:
        return (Call("get_run", {"run": one.id, "source": source.name}),)
    if is_failure(one):
        return (Call("list_runs", {"job": one.job, "limit": 10, "source": source.name}),)
    return ()
