"""What any source must do, whichever upstream it reads: `check_source` is run over every one there is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import pytest
from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context

from jobtrail.errors import AgentError, UnknownName, Unsupported
from jobtrail.models import Window
from jobtrail.paging import NEWEST_FIRST, START, Sort, Walk, walk
from jobtrail.settings import Settings
from jobtrail.sources import Sources
from jobtrail.sources.list_options import ListOptions, StatusFilter
from jobtrail.tools.jobs import list_jobs
from jobtrail.tools.resumable import ServerState
from jobtrail.vocabulary import ENDED
from jobtrail.window import Clock
from tests.paging.changing_lists import copied

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from datetime import datetime

    from mcp.server.session import ServerSession

    from jobtrail.logs.log import Log
    from jobtrail.paging import Listing, Position
    from jobtrail.sources.base import BatchJobs, Source

__all__ = ["check_source"]

MOST = 24
"""Rows of a list that are looked at."""
PAGES = (1, 7)
"""Sizes of a page, in rows."""
FEW = 2
UNKNOWN = "no-such-thing-x"


@dataclass(frozen=True)
class Listed:
    """A list of a source, and the fields that it can be sorted by."""

    open: Callable[[ListOptions], Awaitable[Listing[Any]]]
    sorts: Sequence[str]
    default: Sort = NEWEST_FIRST


async def check_source(source: Source) -> None:
    """Check all of it."""
    await check_capabilities(source)
    await check_unknown_names(source)
    await check_search(source)
    async for listed in lists_of(source):
        for key in listed.sorts:
            for descending in (False, True):
                await check_order(listed, Sort(key, descending))
        await check_filters(listed)
    await check_ended_attempts(source)
    await check_logs(source)


async def lists_of(source: Source) -> AsyncIterator[Listed]:
    """Yield the jobs; the attempts of the first few jobs, and of all tasks; the tasks of an execution."""

    async def jobs(options: ListOptions) -> Listing[Any]:
        return source.jobs(options)

    yield Listed(jobs, source.job_sorts, source.job_sort)
    listed = await rows(source.jobs(ListOptions(source.job_sort)))
    for job in [one for one in listed if one.kind == "job"][:FEW]:
        batch = source.need_batch()
        yield Listed(partial(source.attempts, job), batch.execution_sorts)
        for execution in (await rows(batch.executions(job.name, ListOptions(NEWEST_FIRST))))[:1]:

            async def tasks(options: ListOptions, job: str = job.name, execution: str = execution.id) -> Listing[Any]:
                return source.need_batch().tasks(job, execution, options)

            yield Listed(tasks, batch.task_sorts)
    for job in [one for one in listed if one.kind != "job"][:FEW]:
        yield Listed(partial(source.attempts, job), source.need_runs().sorts)
    if source.runs:
        yield Listed(partial(source.runs.list, None), source.runs.sorts)


async def check_capabilities(source: Source) -> None:
    """It has batch jobs or scheduled tasks, and says what to call where it has not; every job lists attempts."""
    assert source.batch or source.runs
    assert source.kind
    assert source.fingerprint
    for has, need in ((source.batch, source.need_batch), (source.runs, source.need_runs)):
        if has is None:
            with pytest.raises(Unsupported, match="call list_"):
                need()
    for job in (await rows(source.jobs(ListOptions(source.job_sort))))[:FEW]:
        assert (await source.job(job.name)).job.name == job.name
        for attempt in await rows(await source.attempts(job, ListOptions(NEWEST_FIRST))):
            assert attempt.status in {*source.attempt_words.values(), "unknown"}


async def check_unknown_names(source: Source) -> None:
    """What does not exist is refused, and a name that is nearly right is told the right one."""
    for job in (await rows(source.jobs(ListOptions(source.job_sort))))[:1]:
        with pytest.raises(UnknownName, match=job.name):
            await source.job(f"{job.name}x")
    assert await source.find_job(UNKNOWN) is None
    if source.batch:
        with pytest.raises(UnknownName):
            await source.batch.check_job(UNKNOWN)
        with pytest.raises(UnknownName):
            await source.batch.execution(UNKNOWN, UNKNOWN)
        for job in [one for one in await rows(source.jobs(ListOptions(source.job_sort))) if one.kind == "job"][:FEW]:
            await check_unknown_tasks(source.batch, job.name)
    if source.runs:
        with pytest.raises(UnknownName):
            await source.runs.check_task(UNKNOWN)
        with pytest.raises(AgentError):
            await source.runs.get(UNKNOWN)


async def check_unknown_tasks(batch: BatchJobs, job: str) -> None:
    """An execution has the tasks that it lists, and no other."""
    for execution in (await rows(batch.executions(job, ListOptions(NEWEST_FIRST))))[:1]:
        for task in (await rows(batch.tasks(job, execution.id, ListOptions(NEWEST_FIRST))))[:FEW]:
            await batch.check_task(job, execution.id, task.name)
        with pytest.raises(UnknownName):
            await batch.check_task(job, execution.id, UNKNOWN)


async def check_search(source: Source) -> None:
    """A query lists the jobs that hold it and no others, whether the upstream searches them or the walk does."""
    every = [job.name for job in await rows(source.jobs(ListOptions(source.job_sort)))]
    for query in (*every[:1], *every[-1:], every[0][:1], UNKNOWN):
        found = [job.name for job in (await list_jobs(make_context(source), query=query, limit=100)).items]
        assert {name for name in every if query in name} <= set(found)
    assert not (await list_jobs(make_context(source), query=UNKNOWN)).items


def make_context(source: Source) -> Context[ServerState]:
    """Return the context of a call to a tool, over a server that has this source alone."""
    state = ServerState(Sources(Settings(sources=(), default=source.name), {source.name: lambda: source}), Clock())
    session = cast("ServerSession", _Caller())
    return Context(
        request_context=ServerRequestContext(
            session=session, lifespan_context=state, protocol_version="", method="tools/call"
        )
    )


class _Caller:
    """Takes the place of a client's session."""

    async def report_progress(self, progress: float, total: float | None, message: str | None) -> None:
        """Take no notice."""


async def check_order(listed: Listed, sort: Sort) -> None:
    """A list comes in the order that it declares, and page by page, by cursors, as it comes at once."""
    listing = await listed.open(ListOptions(sort))
    assert listing.traits.page_size > 0
    assert listing.traits.order in {sort, None}
    whole = await rows(listing)
    ids = [identity(one) for one in whole]
    assert len(set(ids)) == len(ids)
    if listing.traits.order and sort.key in {"created_at", "name"}:
        keys = [one.created_at if sort.key == "created_at" else identity(one) for one in whole]
        known = [key for key in keys if key is not None]
        assert all(a >= b if sort.descending else a <= b for a, b in pairwise(known)), known
    for limit in PAGES:
        paged: list[str] = []
        position: Position | None = START
        while position is not None and len(paged) < len(ids):
            # As another call does: over a new listing, from a cursor that has travelled.
            walked = await walk(await listed.open(ListOptions(sort)), Walk[Any](limit=limit), copied(position))
            paged += [identity(one) for one in walked.items]
            position = walked.position
        assert paged[: len(ids)] == ids


async def check_filters(listed: Listed) -> None:
    """A filter that the upstream applies, and one that is left to the walk, find what is there."""
    whole = await rows(await listed.open(ListOptions(listed.default)))
    if not whole or not hasattr(whole[0], "duration_s"):
        return
    for status in {one.status for one in whole} - {"unknown"}:
        wanted = StatusFilter(frozenset({status}))
        listing = await listed.open(ListOptions(listed.default, statuses=wanted))
        found = await rows(listing, wanted.keeps)
        if "statuses" not in listing.traits.unapplied:
            assert {one.status for one in await rows(listing)} <= {status}
        expected = [identity(one) for one in whole if one.status == status]
        assert [identity(one) for one in found][: len(expected)] == expected
    dated = [one.created_at for one in whole if one.created_at]
    if dated:
        since: datetime = dated[len(dated) // 2]
        window = Window(since=since, now=dated[0])
        found = await rows(
            await listed.open(ListOptions(listed.default, window=window)),
            lambda one: one.created_at is not None and one.created_at >= since,
        )
        expected = [identity(one) for one in whole if one.created_at and one.created_at >= since]
        assert [identity(one) for one in found][: len(expected)] == expected


async def check_ended_attempts(source: Source) -> None:
    """What has ended is the same in its list and by itself, however often it is read."""
    for job in (await rows(source.jobs(ListOptions(source.job_sort))))[:FEW]:
        ended = [
            one for one in await rows(await source.attempts(job, ListOptions(NEWEST_FIRST))) if one.status in ENDED
        ]
        for one in ended[:FEW]:
            for _ in range(2):
                if job.kind == "job":
                    alone: Any = (await source.need_batch().execution(job.name, one.id)).execution
                else:
                    try:
                        alone = await source.need_runs().get(one.id)
                    except Unsupported:
                        continue
                assert alone == one
        if job.kind == "job" and ended:
            assert await source.need_batch().owner(ended[0].id) == job.name


async def check_logs(source: Source) -> None:
    """A log's lines have the same numbers from either end, and when it is opened again."""
    for job in (await rows(source.jobs(ListOptions(source.job_sort))))[:FEW]:
        for one in (await rows(await source.attempts(job, ListOptions(NEWEST_FIRST))))[:FEW]:
            try:
                log = await open_log(source, job.kind == "job", job.name, one)
                last = await log.read(-FEW, FEW)
            except (UnknownName, Unsupported):
                continue
            numbers = [line.n for line in last.lines]
            assert numbers == list(range(last.total - len(numbers) + 1, last.total + 1))
            again = await open_log(source, job.kind == "job", job.name, one, log.continuation)
            if numbers and last.final:
                assert (await again.read(numbers[0], len(numbers))).lines == last.lines


async def open_log(source: Source, is_batch: bool, job: str, one: Any, continuation: str = "") -> Log:  # private
    if is_batch:
        now = one.ended_at or one.created_at
        return await source.need_batch().log(job, one.id, None, now, continuation)
    return await source.need_runs().log(one.id)


async def rows(listing: Listing[Any], keep: Callable[[Any], bool] = lambda _one: True) -> list[Any]:
    """Return the first rows of a list."""
    return (await walk(listing, Walk[Any](limit=MOST, keep=keep))).items


def identity(one: Any) -> str:
    """Return what tells a row apart: an id, or else a name."""
    return getattr(one, "id", None) or one.name
