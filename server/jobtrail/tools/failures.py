"""Failures across all jobs, tasks and sources, grouped by cause: `find_failures`."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import anyio
from mcp.server.mcpserver import Context

from jobtrail.analysis.failure_groups import make_signature
from jobtrail.models import Call, Coverage, Execution, FailureCause, Failures, Job, Note, Run, Sentence
from jobtrail.paging import AT_ONCE, NEWEST_FIRST, Budget, Walk, run_concurrently, walk
from jobtrail.sources.federation import OwnedAttempt, discover_parts
from jobtrail.sources.list_options import ListOptions
from jobtrail.text import quote_unless_word
from jobtrail.tools import params
from jobtrail.tools.listing import write_strange_notes
from jobtrail.tools.resumable import (
    LARGEST_LIMIT,
    MISSING,
    ResumableCall,
    ServerState,
    find_gaps,
    reach_back,
    write_clock_notes,
    write_oldest,
)
from jobtrail.vocabulary import FAILURE, is_failure, is_success
from jobtrail.window import check_begun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobtrail.paging import Walked
    from jobtrail.sources.base import Source
    from jobtrail.sources.federation import AttemptSources

_DEFAULT_CAUSES = 10
_MATCHES = 500
# Seconds for each step; together well under a desktop client's 60.
_DISCOVERY_SECONDS, _WALK, _EXPLAIN_SECONDS = 10.0, Budget(items=5_000, seconds=15.0), 12.0
_EXPLAINED, _EXPLAINED_OF_A_JOB = 40, 5
_NOT_READ = "(cause not read: get_execution tells)"
_RECENT = 10


async def find_failures(
    ctx: Context[ServerState],
    since: params.Since = None,
    until: params.Until = None,
    job: params.Job = None,
    status: params.Status = None,
    limit: params.Limit = None,
    cursor: params.Cursor = None,
    source: params.Source = None,
) -> Failures:
    """What failed, across all jobs, scheduled tasks and sources: by cause, with counts and whether it recovered.

    Start here for "what broke since last night". since is 24h if absent.
    Examples: {"since": "yesterday"} · {"cursor": "1Ab…"}
    """
    call = ResumableCall.open(
        ctx, "find_failures", cursor, source, everywhere=True,
        since=since, until=until, job=job, status=status, limit=limit,
    )  # fmt: skip
    find_window = partial(call.find_window, "24h")
    find_window()
    count = call.clamp("limit", _DEFAULT_CAUSES, LARGEST_LIMIT)
    filters = {
        "status": call.get_text_argument("status") or FAILURE,
        **({"job": job} if (job := call.get_text_argument("job")) else {}),
    }
    there = await discover_parts(call.sources, job, filters["status"], find_window, _DISCOVERY_SECONDS)
    if there.errors and not there.parts:
        # A job that no source has, or no source that answers.
        raise next(iter(there.errors.values()))
    # Several sources have each their own window, and the answer shows that on our clock.
    window = find_window(call.source if len(call.sources) == 1 else None)
    check_begun(window, call.get_text_argument("since"), call.latest)
    clocks = write_clock_notes(call.sources, there.windows if len(call.sources) > 1 else {})
    walked = await _walk_attempts(call, there)
    causes = await _find_causes(call.sources, walked.items)
    failed = {**there.errors, **walked.failed}
    notes = [*call.notes, *clocks, *walked.notes, *write_strange_notes(there.strange)]
    oldest = {
        name: time
        for name, time in walked.oldest.items()
        if find_gaps({name: time}, there.windows.get(name) or window)
    }
    notes += write_oldest(oldest, window)
    errors: dict[str, Note] = {name: Sentence(*error.args) for name, error in failed.items()}
    ended = walked.position is None
    reached = walked.last.created_at if walked.last else None
    return Failures(
        sources=tuple(one.name for one in call.sources),
        sample=tuple(one.name for one in call.sources if one.sample) or None,
        jobs=there.jobs,
        failures=walked.matched,
        unknown=there.strange.total(),
        causes=tuple(causes[:count]),
        errors=errors or None,
        coverage=Coverage(
            scanned=call.cursor.scanned,
            matched=call.cursor.matched,
            complete=ended and not errors and call.cursor.doubt < MISSING,
            back_to=reach_back(oldest, window) if ended else reached,
        ),
        cursor=None if walked.position is None else call.seal_cursor(walked.position),
        window=window,
        filters=filters,
        notes=(*notes, *_write_hidden_notes(causes[count:])) or None,
    )


async def _walk_attempts(call: ResumableCall, there: AttemptSources) -> Walked[OwnedAttempt]:
    """Walk everything that was attempted, newest first, for what was asked for."""
    how = Walk[OwnedAttempt](
        limit=_MATCHES,
        keep=there.keeps,
        as_asked=True,
        budget=_WALK,
        subject="none of the sources",
        restart=call.restart(),
    )
    walked = await walk(there.merge(), how, call.cursor.position)
    call.advance(walked)
    return walked


async def _find_causes(sources: Sequence[Source], failures: Sequence[OwnedAttempt]) -> list[FailureCause]:
    """Return failures by job and cause, those with the newest first."""
    by_name = {one.name: one for one in sources}
    lanes = {name: anyio.CapacityLimiter(AT_ONCE) for name in by_name}
    explained = {
        (one.source, one.id): partial(_explain, by_name[one.source], one) for one in _choose_explained(failures)
    }
    read = await run_concurrently(explained, lambda key: lanes[key[0]], _EXPLAIN_SECONDS)
    jobs = {(one.source, one.job): isinstance(one.item, Run) for one in failures}
    latest = {key: partial(_has_recovered, by_name[key[0]], key[1], runs=runs) for key, runs in jobs.items()}
    recovered = await run_concurrently(latest, lambda key: lanes[key[0]], _EXPLAIN_SECONDS)
    groups: dict[tuple[str, str, str], list[tuple[OwnedAttempt, str]]] = {}
    for one in failures:
        answer = read.get((one.source, one.id))
        reason = answer if isinstance(answer, str) else _write_outcome(one)
        groups.setdefault((one.source, one.job, make_signature(reason)), []).append((one, reason))
    causes: list[FailureCause] = []
    for (source, job, _), group in groups.items():
        answer = recovered.get((source, job))
        reason = group[0][1]
        causes.append(_make_cause([one for one, _ in group], reason, answer if isinstance(answer, bool) else None))
    return causes


def _make_cause(group: Sequence[OwnedAttempt], reason: str, recovered: bool | None) -> FailureCause:  # noqa: FBT001 # private
    newest = group[0]
    times = [one.created_at for one in group if one.created_at]
    run = isinstance(newest.item, Run)
    named = {"run": newest.id} if run else {"job": newest.job, "execution": newest.id}
    return FailureCause(
        source=newest.source,
        job=newest.job,
        kind="run" if run else "execution",
        status=newest.status,
        cause=reason,
        count=len(group),
        first_at=min(times, default=None),
        last_at=max(times, default=None),
        recovered=recovered,
        example=newest.id,
        open=Call("get_run" if run else "get_execution", {**named, "source": newest.source}),
    )


def _choose_explained(failures: Sequence[OwnedAttempt]) -> list[OwnedAttempt]:
    """Return the executions whose tasks are read: the newest, a few of each job; others would say much the same."""
    chosen: list[OwnedAttempt] = []
    per_job: Counter[tuple[str, str]] = Counter()
    for one in failures:
        if isinstance(one.item, Execution) and per_job[one.source, one.job] < _EXPLAINED_OF_A_JOB:
            per_job[one.source, one.job] += 1
            chosen.append(one)
    return chosen[:_EXPLAINED]


def _write_outcome(one: OwnedAttempt) -> str:
    if isinstance(one.item, Execution):
        return _NOT_READ
    words = one.item.raw_status or one.item.status
    return words if one.item.exit_code is None else f"{words} with exit code {one.item.exit_code}"


async def _explain(source: Source, one: OwnedAttempt) -> str:
    """Return the most frequent cause among an execution's tasks."""
    full, tasks = await source.need_batch().explain(one.job, one.id)
    if not tasks.failures:
        return full.execution.raw_status or full.execution.status
    most = tasks.failures[0].example
    return most if tasks.causes == 1 else f"{most} (and {tasks.causes - 1} other causes)"


async def _has_recovered(source: Source, job: str, *, runs: bool) -> bool | None:
    """Return whether the latest attempt of a job that ended succeeded; None where none of the latest has ended."""
    listing = await source.attempts(Job(name=job, kind="task" if runs else "job"), ListOptions(sort=NEWEST_FIRST))
    recent = await walk(listing, Walk[Execution | Run](limit=_RECENT, subject=f"source {source.name!r}"))
    return next((is_success(one) for one in recent.items if is_success(one) or is_failure(one)), None)


def _write_hidden_notes(hidden: Sequence[FailureCause]) -> list[str]:
    """Return a note where there are more causes than are shown."""
    if not hidden:
        return []
    jobs = sorted({one.job for one in hidden})
    named = ", ".join(quote_unless_word(job, 40) for job in jobs[:5])
    others = " and others" if len(jobs) > 5 else ""  # noqa: PLR2004 # as many as are named
    count = f"{len(hidden)} older causes ({sum(one.count for one in hidden):,} failures)"
    return [f"{count} are not shown, of {named}{others}; give job=…, or a larger limit"]
