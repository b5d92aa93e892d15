"""Waiting until executions or runs have ended: `wait_for`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import anyio
from mcp.server.mcpserver import Context

from jobtrail.analysis.unfinished import measure_so_far
from jobtrail.errors import (
    AgentError,
    BadArgument,
    JobtrailError,
    MissingArgument,
    Unauthorized,
    Unreachable,
    UpstreamError,
)
from jobtrail.models import Attempt, Awaited, Call, Execution, Run, Sentence, Waited
from jobtrail.models.unread import UnreadFields
from jobtrail.text import quote_value
from jobtrail.tools import params
from jobtrail.tools.finding import find_ids, find_newest, find_source
from jobtrail.tools.resumable import ServerState
from jobtrail.vocabulary import ENDED, is_failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from jobtrail.sources import Sources
    from jobtrail.sources.base import BatchJobs, Source
    from jobtrail.tools.finding import Found

    Follow = Callable[[Callable[[str], None]], Awaitable[None]]

_TIMEOUT, _LONGEST = 30.0, 45.0
_MOST = 20
_MOST_EXPLAINED = 3


async def wait_for(
    ctx: Context[ServerState],
    run: params.Run = None,
    job: params.Job = None,
    execution: params.Execution = None,
    timeout: params.Timeout = None,  # noqa: ASYNC109 # an agent's argument, not a bound on this function
    source: params.Source = None,
) -> Waited:
    """Wait for runs or executions (comma lists), or a job's newest, to end; says what changed.

    Examples: {"execution": "exec-1,exec-2"} · {"job": "etl"}
    """
    state = ctx.request_context.lifespan_context
    found, watched = await _find_watched(state.sources, source, run, job, execution)
    chosen = found.source
    asked = _TIMEOUT if timeout is None else timeout
    seconds = max(0.0, min(asked, _LONGEST))
    waiting = Waiter(watched, seconds, ctx.report_progress)
    began = anyio.current_time()
    await waiting.wait_until_ended(
        chosen.runs.follow if chosen.runs and not any(one.job for one in watched) else None
    )
    waited = anyio.current_time() - began
    notes = [*found.notes, *_write_unread_notes(watched)]
    notes += await chosen.explain_unfinished(one.now for one in watched if one.now)
    if seconds != asked:
        notes.append(f"timeout {quote_value(asked, 20)} was taken as {seconds:g}; it can be 0 to {_LONGEST:g} s")
    return Waited(
        source=chosen.name,
        sample=chosen.sample or None,
        notes=tuple(notes) or None,
        job=_find_job(watched),
        all_ended=all(one.ended for one in watched),
        waited_s=round(waited, 1),
        timeout_s=seconds,
        items=tuple(one.to_awaited(chosen.find_now(state.clock)) for one in watched),
        next_calls=_propose_calls(watched, timeout, chosen.name),
    )


def _write_unread_notes(watched: Sequence[WaitTarget]) -> list[str]:
    unread = UnreadFields()
    for one in watched:
        unread.add(one.now.unread if one.now else ())
    return unread.write_notes()


async def _find_watched(
    sources: Sources, given: str | None, run: str | None, job: str | None, execution: str | None
) -> tuple[Found, list[WaitTarget]]:
    """Return what to wait for, and the source that has it.

    Raises:
        BadArgument: nothing, two kinds of it, or too much.
    """
    if run and (job or execution):
        raise BadArgument("wait_for takes run, or job and execution, not both; make two calls")
    if run:
        ids = _split_ids(run)
        found = await find_ids(sources, given, "run", ids)
        return found, [_watch_run(found.source, one) for one in ids]
    if execution:
        ids = _split_ids(execution)
        if job:
            found = await find_source(sources, given, "job", job, "executions")
            return found, [_watch_execution(found.source, job, one) for one in ids]
        found = await find_ids(sources, given, "execution", ids)
        return found, [_watch_execution(found.source, found.jobs.get(one, ""), one) for one in ids]
    if not job:
        raise MissingArgument(
            "wait_for needs run, execution or job", advice=("call ", Call("list_jobs"), " for them")
        )
    found = await find_source(sources, given, "job", job)
    newest = await find_newest(found.source, (await found.source.job(job)).job)
    if isinstance(newest, Run):
        return found, [_watch_run(found.source, newest.id)]
    return found, [_watch_execution(found.source, job, newest.id)]


def _split_ids(text: str) -> list[str]:
    ids = list(dict.fromkeys(one.strip() for one in text.split(",") if one.strip()))
    if not 0 < len(ids) <= _MOST:
        raise BadArgument(f"wait_for was given {len(ids)} ids; it waits for 1 to {_MOST} at once")
    return ids


def _watch_run(source: Source, run: str) -> WaitTarget:
    runs = source.need_runs(Call("get_execution", {"execution": ...}))
    return WaitTarget(run, partial(runs.get, run))


def _watch_execution(source: Source, job: str, execution: str) -> WaitTarget:
    batch = source.need_batch(Call("get_run", {"run": ...}))
    return WaitTarget(execution, partial(_read_execution, batch, job, execution), job or None)


async def _read_execution(batch: BatchJobs, job: str, execution: str) -> Execution:
    return (await batch.execution(job or await batch.owner(execution), execution)).execution


def _find_job(watched: Sequence[WaitTarget]) -> str | None:
    """Return the job that all are executions of; None for runs, and for executions of several."""
    jobs = {one.job for one in watched}
    return next(iter(jobs)) if len(jobs) == 1 else None


def _propose_calls(watched: Sequence[WaitTarget], timeout: float | None, source: str) -> tuple[Call, ...]:
    """Return the calls that explain what ended badly, and the one that waits on for the rest."""
    bad = [one for one in watched if one.now and is_failure(one.now)]
    calls = [
        Call("get_execution", {"job": one.job, "execution": one.id, "source": source})
        if one.job
        else Call("get_run", {"run": one.id, "source": source})
        for one in bad[:_MOST_EXPLAINED]
    ]
    if left := [one for one in watched if not one.ended and not one.given_up]:
        job, kind = _find_job(watched), "execution" if any(one.job for one in watched) else "run"
        again = {} if timeout is None else {"timeout": int(timeout) if timeout.is_integer() else timeout}
        named = {**({"job": job} if job else {}), kind: ",".join(one.id for one in left)}
        calls.append(Call("wait_for", {**named, **again, "source": source}))
    return tuple(calls)


@dataclass(frozen=True)
class PollingPace:
    """How often one target is looked at, in seconds.

    Attributes:
        first: before it is looked at again; each later pause is `growth` times as long, to at most `most`.
        share: a pause is at least so many times as long as the last look took.
        settle: between a notification and the look, since notifications come in bursts.
        grace: time after the timeout for a look that is under way.
    """

    first: float = 0.5
    most: float = 5.0
    growth: float = 1.5
    share: float = 4.0
    settle: float = 0.1
    grace: float = 3.0


@dataclass
class WaitTarget:
    """One execution or run that is waited for: its state at the first look and at the last.

    Attributes:
        look: asks the source for it.
        job: whose execution it is; None for a run, and where nobody has the execution.
        trouble: why the last look failed.
        given_up: whether a later look would fail in the same way.
    """

    id: str
    look: Callable[[], Awaitable[Attempt]]
    job: str | None = None
    before: Attempt | None = None
    now: Attempt | None = None
    trouble: JobtrailError | None = None
    given_up: bool = False
    news: anyio.Event = field(default_factory=anyio.Event)

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        now = self.now
        return now is not None and (now.status in ENDED or now.ended_at is not None)

    async def refresh(self) -> float:
        """Ask the source for the current state; return the seconds that the upstream asked to wait."""
        try:
            self.now = await self.look()
        except (AgentError, Unauthorized) as error:
            self.trouble, self.given_up = error, True
        except UpstreamError as error:
            self.trouble = error
            return error.retry_after or 0.0
        else:
            self.before = self.before or self.now
            self.trouble = None
        return 0.0

    def to_awaited(self, now: datetime) -> Awaited:
        """Return the target as a part of the answer, at a time by the clock of its source."""
        before, after = _get_counted(self.before), _get_counted(self.now)
        trouble = self.trouble or (_make_no_answer() if self.now is None else None)
        return Awaited(
            id=self.id if self.now is None else self.now.id,
            ended=self.ended,
            before=self.before.status if self.before else None,
            status=self.now.status if self.now else None,
            raw_status=self.now.raw_status if self.now else None,
            failure=self.now.failure if isinstance(self.now, Run) else None,
            duration_s=self.now.duration_s if self.now else None,
            so_far_s=measure_so_far(self.now, now) if self.now else None,
            exit_code=self.now.exit_code if isinstance(self.now, Run) else None,
            tasks=after.tasks if after else None,
            done_before=_count_ended(before),
            done=_count_ended(after),
            failed_before=before.failed if before else None,
            failed=after.failed if after else None,
            error=Sentence(*trouble.args) if trouble else None,
        )


def _make_no_answer() -> Unreachable:
    return Unreachable("did not answer in this time", subject="the upstream", advice="a retry may help")


def _get_counted(one: Attempt | None) -> Execution | None:
    """Return an execution whose tasks are counted; None for anything else."""
    if not isinstance(one, Execution) or {one.tasks, one.succeeded, one.failed, one.running} == {None}:
        return None
    return one


def _count_ended(one: Execution | None) -> int | None:
    if one is None:
        return None
    return sum(count or 0 for count in (one.succeeded, one.failed, one.cancelled))


@dataclass
class Waiter:
    """A wait for several things at once.

    Args:
        seconds: until it ends, whatever has ended by then.
        report: called with (progress, total, message) when more is done than before.
    """

    watched: Sequence[WaitTarget]
    seconds: float
    report: Callable[[float, float | None, str | None], Awaitable[None]]
    pace: PollingPace = field(default_factory=PollingPace)
    _reported: int = -1
    _needed: anyio.Event = field(default_factory=anyio.Event)

    async def wait_until_ended(self, follow: Follow | None = None) -> None:
        """Wait until every target has ended or the time is up.

        Args:
            follow: follows the upstream until cancelled, and calls its argument with the id of each run that changed.

        Raises:
            JobtrailError: no state of any target could be read.
        """
        deadline = anyio.current_time() + self.seconds
        with anyio.move_on_after(self.seconds + self.pace.grace):
            async with anyio.create_task_group() as group:
                if follow is not None:
                    group.start_soon(self._follow, follow)
                async with anyio.create_task_group() as looks:
                    for one in self.watched:
                        looks.start_soon(self._watch, one, deadline)
                group.cancel_scope.cancel()
        if all(one.now is None for one in self.watched):
            raise self.watched[0].trouble or _make_no_answer()

    async def _follow(self, follow: Follow) -> None:
        await self._needed.wait()
        # Without notifications the targets are looked at all the same, only later.
        with suppress(UpstreamError):
            await follow(self._announce)

    def _announce(self, identity: str) -> None:
        for one in self.watched:
            if one.id == identity:
                one.news.set()

    async def _watch(self, one: WaitTarget, deadline: float) -> None:
        """Look at one target repeatedly, one look at a time, until it has ended or the time is up."""
        await self._look_at(one)
        pause = self.pace.first
        while not one.ended and not one.given_up and (left := deadline - anyio.current_time()) > 0:
            self._needed.set()
            with anyio.move_on_after(min(pause, left)):
                await one.news.wait()
                one.news = anyio.Event()
                await anyio.sleep(self.pace.settle)
            before = anyio.current_time()
            rest = await self._look_at(one)
            took = anyio.current_time() - before
            pause = max(min(pause * self.pace.growth, self.pace.most), took * self.pace.share, rest)

    async def _look_at(self, one: WaitTarget) -> float:
        rest = await one.refresh()
        await self._report_progress()
        return rest

    async def _report_progress(self) -> None:
        """Report progress if there is more than last time: in tasks, or in targets that have no tasks."""
        counted = [_get_counted(one.now) for one in self.watched]
        units = [
            (_count_ended(of) or 0, of.tasks) if of and of.tasks else (int(one.ended), 1)
            for one, of in zip(self.watched, counted, strict=True)
        ]
        done, total = sum(unit[0] for unit in units), sum(unit[1] for unit in units)
        if done <= self._reported:
            return
        self._reported = done
        failed = sum(of.failed or 0 for of in counted if of)
        ended = f"{sum(one.ended for one in self.watched)} of {len(self.watched)} ended"
        tasks = f"{done:,} of {total:,} tasks done, {failed:,} failed" if any(counted) else ""
        await self.report(
            done, total, " · ".join(filter(None, (tasks, ended if len(self.watched) > 1 or not tasks else "")))
        )
