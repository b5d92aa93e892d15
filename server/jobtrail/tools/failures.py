"""What ended badly, everywhere at once: `find_failures`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from mcp.server.mcpserver import Context

from jobtrail.diagnosis import BAD, signature
from jobtrail.errors import CursorError, StrayCursor, clean
from jobtrail.models import Call, Coverage, Execution, FailureCause, Failures, Note, Run, Sentence, Window
from jobtrail.paging import AT_ONCE, Budget, Spot, Walk, together, walk
from jobtrail.sources.across import Attempt, Field, survey
from jobtrail.sources.base import NEWEST_FIRST, Ask
from jobtrail.tools import params
from jobtrail.tools.executions import read_tasks
from jobtrail.tools.frame import Frame, State, given_alone
from jobtrail.window import resolve

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from jobtrail.cursor import Args
    from jobtrail.paging import Walked
    from jobtrail.sources import Source

__all__ = ["find_failures"]

_TOOL = "find_failures"
_STATUS = ",".join(sorted(BAD))
_DEFAULT_CAUSES = 10
_MATCHES = 500
# Seconds for each step; together well under a desktop client's 60.
_SURVEY_SECONDS, _WALK, _EXPLAIN_SECONDS = 10.0, Budget(items=5_000, seconds=15.0), 12.0
_EXPLAINED, _EXPLAINED_OF_A_JOB = 40, 5
_NOT_READ = "(cause not read: get_execution tells)"
_RECENT = 10


async def find_failures(
    ctx: Context[State],
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
    call = _begun(ctx, cursor, source, since=since, until=until, job=job, status=status, limit=limit)
    there = await survey(call.sources, call.text("job"), call.text("status") or _STATUS, call.window, _SURVEY_SECONDS)
    _check_any(there)
    walked = await _walked(call, there)
    causes = await _causes(call, walked.items)
    visible = causes[: call.limit]
    scanned, matched = call.scanned + walked.scanned, call.matched + walked.matched
    failed = {**there.errors, **walked.failed}
    errors: dict[str, Note] = {name: Sentence(*error.args) for name, error in failed.items()}
    complete = walked.spot is None and not errors
    return Failures(
        sources=tuple(one.name for one in call.sources),
        sample=tuple(one.name for one in call.sources if one.sample) or None,
        jobs=there.jobs,
        failures=walked.matched,
        causes=tuple(visible),
        errors=errors or None,
        coverage=Coverage(scanned=scanned, matched=matched, complete=complete, back_to=_back_to(call, walked)),
        cursor=_sealed(call, walked.spot, scanned, matched) if walked.spot is not None else None,
        window=call.window,
        filters=call.filters(),
        notes=tuple(_notes(call, walked, causes[call.limit :])) or None,
    )


@dataclass(kw_only=True)
class _Call(Frame):
    """A call over one source, or all."""

    sources: Sequence[Source]
    window: Window
    limit: int = _DEFAULT_CAUSES

    def filters(self) -> dict[str, str]:
        """Return what the failures are narrowed to."""
        job = self.text("job")
        return {"status": self.text("status") or _STATUS, **({"job": job} if job else {})}

    def restart(self) -> Call:
        """Return the call that starts this walk again."""
        return Call(_TOOL, self.args)


def _fingerprint(sources: Sequence[Source]) -> str:
    """Return what changes when sources come, go or point elsewhere."""
    text = "\0".join(f"{one.name}={one.fingerprint}" for one in sources)
    return hashlib.blake2b(text.encode(), digest_size=3).hexdigest()


def _begun(ctx: Context[State], cursor: str | None, source: str | None, **given: str | int | None) -> _Call:
    """Read the arguments, or the cursor that carries them.

    Raises:
        BadArgument: a cursor with arguments, a time that is none.
        CursorError: a cursor that cannot be continued.
    """
    state = ctx.request_context.lifespan_context
    now = state.clock.now().replace(microsecond=0)
    args, opened = given_alone(_TOOL, cursor, {**given, "source": source})
    name = args.get("source")
    chosen = [state.sources.get(str(name))] if name else state.sources.all()
    window = resolve(str(args.get("since") or "24h"), _text(args, "until"), state.clock, now)
    call = _Call(tool=_TOOL, sources=chosen, args=args, window=window or Window(now=now), now=now)
    call.fix(window)
    call.limit = call.limit_of(_DEFAULT_CAUSES)
    if opened is not None:
        if opened.fingerprint != _fingerprint(chosen):
            raise StrayCursor(
                "the configured sources are not those this cursor was made with; start again with ",
                call.restart(),
            )
        call.resume(opened)
    return call


def _sealed(call: _Call, spot: Spot, scanned: int, matched: int) -> str:
    """Return the cursor that goes on from a spot in what all sources have."""
    return call.sealed("*", _fingerprint(call.sources), spot, scanned, matched, call.minted)


def _text(args: Args, name: str) -> str | None:
    value = args.get(name)
    return value if isinstance(value, str) else None


def _check_any(there: Field) -> None:
    """Raise where there is nothing to walk: a job that no source has, or no source that answers."""
    if there.parts or not there.errors:
        return
    raise next(iter(there.errors.values()))


async def _walked(call: _Call, there: Field) -> Walked[Attempt]:
    """Walk everything, newest first, for what ended badly.

    Raises:
        CursorError: with the call that starts again.
    """
    window = call.window

    def keep(one: Attempt) -> bool:
        created = one.created_at
        early = created and window.since and created < window.since
        late = created and window.until and created > window.until
        return not early and not late and there.keeps(one)

    how = Walk[Attempt](limit=_MATCHES, keep=keep, budget=_WALK, who="none of the sources")
    try:
        return await walk(there.merged(), how, call.at)
    except CursorError as error:
        raise type(error)(*error.args, "; start again with ", call.restart()) from None


def _back_to(call: _Call, walked: Walked[Attempt]) -> datetime | None:
    if walked.spot is None:
        return call.window.since
    return walked.last.created_at if walked.last else None


async def _causes(call: _Call, failures: Sequence[Attempt]) -> list[FailureCause]:
    """Return failures by job and cause, those with the newest first."""
    reasons = await _reasons(call, failures)
    recovered = await _recovered(call, failures)
    groups: dict[tuple[str, str, str], list[Attempt]] = {}
    for one in failures:
        groups.setdefault((one.source, one.job, signature(reasons[one.source, one.id])), []).append(one)
    return [
        _cause(group, reasons[group[0].source, group[0].id], recovered.get(key[:2])) for key, group in groups.items()
    ]


def _cause(group: Sequence[Attempt], reason: str, recovered: bool | None) -> FailureCause:  # noqa: FBT001 # private
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


async def _reasons(call: _Call, failures: Sequence[Attempt]) -> dict[tuple[str, str], str]:
    """Return why each failed: of a run what it says itself, of an execution its tasks' most frequent cause.

    Tasks are read for the newest executions alone, a few of each job: the others would say much the same.
    """
    by_name = {one.name: one for one in call.sources}
    reasons = {(one.source, one.id): _own_reason(one) for one in failures}
    chosen: list[Attempt] = []
    per_job: dict[tuple[str, str], int] = {}
    for one in failures:
        seen = per_job.get((one.source, one.job), 0)
        if isinstance(one.item, Execution) and seen < _EXPLAINED_OF_A_JOB and len(chosen) < _EXPLAINED:
            per_job[one.source, one.job] = seen + 1
            chosen.append(one)
    calls = {(one.source, one.id): _explained(by_name[one.source], one) for one in chosen}
    answers = await together(calls, _lanes(call.sources), _EXPLAIN_SECONDS)
    reasons |= {key: answer for key, answer in answers.items() if isinstance(answer, str)}
    return reasons


def _own_reason(one: Attempt) -> str:
    if isinstance(one.item, Execution):
        return _NOT_READ
    words = one.item.raw_status or one.item.status
    return words if one.item.exit_code is None else f"{words} with exit code {one.item.exit_code}"


def _explained(source: Source, one: Attempt) -> Callable[[], Awaitable[str]]:
    async def explain() -> str:
        full = await source.execution(one.job, one.id)
        failed = (await read_tasks(source, full, one.job, one.id)).failed
        if not failed:
            return full.execution.raw_status or full.execution.status
        return _most_frequent([task.reason or "(no reason given)" for task in failed])

    return explain


def _most_frequent(reasons: Sequence[str]) -> str:
    """Return an example of the most frequent cause, with how many others there are."""
    groups: dict[str, list[str]] = {}
    for reason in reasons:
        groups.setdefault(signature(reason), []).append(reason)
    most = max(groups.values(), key=len)
    return most[0] if len(groups) == 1 else f"{most[0]} (and {len(groups) - 1} other causes)"


async def _recovered(call: _Call, failures: Sequence[Attempt]) -> dict[tuple[str, str], bool]:
    """Return whether the latest attempt that ended succeeded, for each job that failed, where that is found out."""
    by_name = {one.name: one for one in call.sources}
    jobs = {(one.source, one.job): isinstance(one.item, Run) for one in failures}
    calls = {key: _latest(by_name[key[0]], key[1], runs) for key, runs in jobs.items()}
    answers = await together(calls, _lanes(call.sources), _EXPLAIN_SECONDS)
    return {key: answer for key, answer in answers.items() if isinstance(answer, bool)}


def _latest(source: Source, job: str, runs: bool) -> Callable[[], Awaitable[bool | None]]:  # noqa: FBT001 # private
    async def look() -> bool | None:
        ask = Ask(sort=NEWEST_FIRST)
        listing = await source.runs(job, ask) if runs else source.executions(job, ask)
        recent = await walk(listing, Walk[Execution | Run](limit=_RECENT, who=f"source {source.name!r}"))  # pyright: ignore[reportArgumentType] # a listing of either
        ended = (one.status for one in recent.items if one.status == "succeeded" or one.status in BAD)
        last = next(ended, None)
        return None if last is None else last == "succeeded"

    return look


def _lanes(sources: Sequence[Source]) -> Callable[[tuple[str, str]], anyio.CapacityLimiter]:
    """Return each source's limiter, for calls whose key begins with its name."""
    lanes = {one.name: anyio.CapacityLimiter(AT_ONCE) for one in sources}
    return lambda key: lanes[key[0]]


def _notes(call: _Call, walked: Walked[Attempt], hidden: Sequence[FailureCause]) -> list[Note]:
    notes = [*call.notes, *walked.notes]
    if hidden:
        jobs = sorted({one.job for one in hidden})
        named = ", ".join(clean(job, 40) for job in jobs[:5])
        notes.append(
            f"{len(hidden)} older causes ({sum(one.count for one in hidden):,} failures) are not shown, of {named}"
            f"{' and others' if len(jobs) > 5 else ''}; give job=…, or a larger limit"  # noqa: PLR2004 # as many as are named
        )
    return notes
