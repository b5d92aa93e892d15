"""Blaxel batch jobs: the control plane's five job reads, paged by cursor.

Contract: the seed documents blaxel-*.txt and `Blaxel-Version: 2026-04-28`, the first with cursors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from jobtrail.errors import (
    BadArgument,
    ExpiredCursor,
    NotFound,
    Rejected,
    StrayCursor,
    UnknownName,
    UnreadableAnswer,
    shown,
)
from jobtrail.models import ENDED, Job, JobDetail
from jobtrail.paging import Batch, Spot
from jobtrail.sources.base import (
    NEWEST_FIRST,
    SHORTEST_QUERY,
    About,
    Ask,
    Explained,
    FullExecution,
    Sort,
    Source,
    unknown_name,
    within_window,
)
from jobtrail.sources.blaxel_logs import Endpoint, Span, TaskLog
from jobtrail.sources.blaxel_owners import Owners
from jobtrail.sources.blaxel_wire import (
    DEPLOYMENTS,
    EXECUTION_WORDS,
    TASK_WORDS,
    WireExecution,
    WireJob,
    WirePage,
    WireTask,
)
from jobtrail.sources.wire import name_in_path, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from jobtrail.models import Execution, Task
    from jobtrail.paging import Listing
    from jobtrail.sources.http import Http

__all__ = ["VERSION", "Blaxel"]

VERSION = "2026-04-28"
_SORTS = {"created_at": "createdAt", "name": "name"}
_LONGEST_QUERY = 200
_NAMES_TO_SUGGEST = 200
_ENDED_TO_REMEMBER = 2_000

T = TypeVar("T", Job, "Execution", "Task")


class Blaxel(Source):
    """A Blaxel workspace.

    Its cursors live 24 hours (seed documents, parameter `cursor`).
    """

    kind = "blaxel"
    has_executions = True
    execution_words = EXECUTION_WORDS
    task_words = TASK_WORDS
    deployment_words = DEPLOYMENTS
    job_sorts = execution_sorts = task_sorts = ("created_at", "name")
    job_sort = NEWEST_FIRST
    cursor_life = 24 * 3600
    log_note = "Blaxel does not document the endpoint of these lines; its command line reads them there too"

    def __init__(self, name: str, http: Http, fingerprint: str) -> None:
        super().__init__(name, fingerprint)
        self._http = http
        self._logs = Endpoint(http)
        self._owners = Owners(http, name)
        # Executions that were seen to have ended, whose task pages read from then on are final.
        self._ended: dict[tuple[str, str], None] = {}

    @property
    def sample(self) -> bool:
        """Whether the last answer was marked as sample data."""
        return self._http.sample

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.client.aclose()

    async def about(self) -> About:
        """Return which version of the API is spoken, and of which workspace the answers are."""
        page = parse(WirePage, await self._http.get("jobs", {"limit": 1}), self._http.who)
        one = parse(WireJob, page.data[0], self._http.who) if page.data else WireJob()
        told = one.metadata.workspace
        return About(f"Blaxel-Version {VERSION}", self._http.ahead, told if isinstance(told, str) else None)

    def jobs(self, ask: Ask) -> Listing[Job]:
        """List batch jobs (`GET /jobs`: cursor, limit 200, sort, q, status).

        `anchor=end` is not needed: the end of one order is the beginning of the other, which can be
        walked on.
        """
        params = _params(ask, query=True)
        if ask.statuses:
            params["status"] = ",".join(sorted(word.upper() for word in ask.statuses.raw))
        pages = _Pages(self._http, "jobs", params, WireJob, lambda row: row.job(), 200)
        order = _Order[Job](lambda job: job.name, lambda job: job.created_at, ask.sort)
        narrowed = not ask.query or len(ask.query) >= SHORTEST_QUERY
        return _CursorListing(pages, order, narrowed=narrowed, filtered=bool(ask.query or ask.statuses))

    async def job(self, name: str) -> JobDetail:
        """Read one job (`GET /jobs/{jobId}`); `show_secrets` is never sent."""
        path = f"jobs/{name_in_path('job', name)}"
        try:
            wire = parse(WireJob, await self._http.get(path), self._http.who)
        except NotFound:
            raise await self._unknown_job(name) from None
        return wire.detail(self.name)

    def executions(self, job: str, ask: Ask) -> Listing[Execution]:
        """List executions (`GET /jobs/{jobId}/executions`: cursor, limit 100, sort).

        `q` is not sent: an execution has no name or labels for it to search, so what it would
        match is not documented; ids are searched while walking.
        """
        path = f"jobs/{name_in_path('job', job)}/executions"
        pages = _Pages(
            self._http, path, _params(ask, query=False), WireExecution, lambda row: row.execution(job), 100
        )
        order = _Order["Execution"](lambda one: one.id, lambda one: one.created_at, ask.sort)
        # The documents leave open whether meta.total counts this job's executions or the workspace's.
        listing = _CursorListing(pages, order, narrowed=_unfiltered(ask), filtered=True)
        return Explained(within_window(listing, ask), NotFound, lambda: self._missing(job, None))

    async def execution(self, job: str, execution: str) -> FullExecution:
        """Read one execution (`GET /jobs/{jobId}/executions/{executionId}`)."""
        path = f"jobs/{name_in_path('job', job)}/executions/{name_in_path('execution', execution)}"
        try:
            wire = parse(WireExecution, await self._http.get(path, final=_has_ended), self._http.who)
        except NotFound:
            await self.check_job(job)
            raise UnknownName(
                f"execution={shown(execution)} does not exist in job {shown(job)}; "
                f"call list_executions(job={shown(job)}) for those that do"
            ) from None
        full = wire.full(job)
        if full.execution.status in ENDED:
            self._remember_end(job, execution)
        return full

    async def owner(self, execution: str) -> str:
        """Return the job of an execution; the API has no path from one to the other, so jobs are asked in turn."""
        return await self._owners.of(execution, self.jobs(Ask(sort=NEWEST_FIRST)))

    def _remember_end(self, job: str, execution: str) -> None:
        self._ended[job, execution] = None
        if len(self._ended) > _ENDED_TO_REMEMBER:
            del self._ended[next(iter(self._ended))]

    def tasks(self, job: str, execution: str, ask: Ask) -> Listing[Task]:
        """List tasks (`GET …/tasks`: cursor, limit 200, sort, q)."""
        path = f"jobs/{name_in_path('job', job)}/executions/{name_in_path('execution', execution)}/tasks"
        pages = _Pages(
            self._http, path, _params(ask, query=True), WireTask, lambda row: row.task(), 200,
            final=(job, execution) in self._ended,
        )  # fmt: skip
        order = _Order["Task"](lambda one: one.name, lambda one: one.created_at, ask.sort)
        listing = _CursorListing(pages, order, narrowed=_unfiltered(ask), filtered=not _unfiltered(ask))
        return Explained(listing, NotFound, lambda: self._missing(job, execution))

    async def task_log(
        self, job: str, execution: str, task: str | None, now: datetime, kept: tuple[int, ...] = ()
    ) -> TaskLog:
        """Return the log of an execution or task (`GET /observability/logs`, which no document has)."""
        if kept:
            return TaskLog.kept_as(self._logs, job, execution, task or "", kept)
        one = (await self.execution(job, execution)).execution
        return TaskLog(self._logs, job, execution, task or "", Span.of(one, now))

    async def check_job(self, name: str) -> None:
        """Read a job only to see that it exists; the documents give its list of executions no 404."""
        try:
            await self._http.get(f"jobs/{name_in_path('job', name)}")
        except NotFound:
            raise await self._unknown_job(name) from None

    async def _missing(self, job: str, execution: str | None) -> UnknownName:
        """Return what is missing where a list answered 404."""
        if execution is None:
            return await self._unknown_job(job)
        try:
            await self.execution(job, execution)
        except UnknownName as error:
            return error
        return UnknownName(f"execution={shown(execution)} has no task list; call get_execution for it")

    async def _unknown_job(self, name: str) -> UnknownName:
        body = await self._http.get("jobs", {"limit": _NAMES_TO_SUGGEST, "sort": "name:asc"})
        page = parse(WirePage, body, self._http.who)
        known = [parse(WireJob, row, self._http.who).job().name for row in page.data or []]
        return UnknownName(unknown_name("job", name, known, "list_jobs()"))


def _has_ended(body: Any) -> bool:
    """Return whether an execution as it was answered will not change any more."""
    status = cast("dict[str, Any]", body).get("status") if isinstance(body, dict) else None
    return isinstance(status, str) and EXECUTION_WORDS.get(status.strip().lower()) in ENDED


def _always(_body: Any) -> bool:
    return True


def _unfiltered(ask: Ask) -> bool:
    return not (ask.statuses or ask.query or ask.window)


def _params(ask: Ask, *, query: bool) -> dict[str, str | int]:
    params: dict[str, str | int] = {"sort": f"{_SORTS[ask.sort.key]}:{'desc' if ask.sort.descending else 'asc'}"}
    if ask.query and len(ask.query) > _LONGEST_QUERY:
        raise BadArgument(f"query has {len(ask.query)} characters; give at most {_LONGEST_QUERY}")
    # Under two characters the upstream would answer unfiltered (parameter q); the walker filters then.
    if query and ask.query and len(ask.query) >= SHORTEST_QUERY:
        params["q"] = ask.query
    return params


@dataclass(frozen=True)
class _Pages(Generic[T]):
    """One paged endpoint: where it is, what is always sent, how a row is read, whether its pages can still change."""

    http: Http
    path: str
    params: dict[str, str | int]
    shape: type[Any]
    read: Callable[[Any], T]
    largest: int
    final: bool = False

    async def get(self, cursor: str, size: int, **more: str) -> tuple[list[T], WirePage]:
        params = {**self.params, **more, "limit": max(1, min(size, self.largest))}
        if cursor:
            params["cursor"] = cursor
        try:
            body = await self.http.get(self.path, params, final=_always if self.final else None)
        except Rejected:
            if not cursor:
                raise
            raise ExpiredCursor(f"{self.http.who} no longer takes the cursor of this walk") from None
        items, page = self._page(body, int(params["limit"]))
        if cursor and page.cursor == cursor:
            raise UnreadableAnswer(
                f"{self.http.who} handed back the cursor it was given, so paging would never end; that is a fault of "
                "the upstream, ask for less with a narrower window or query"
            )
        return items, page

    def _page(self, body: Any, asked: int) -> tuple[list[T], WirePage]:
        who = self.http.who
        if isinstance(body, list):
            raise UnreadableAnswer(
                f"{who} answered a bare list where a page with data and meta was due, so a part cannot be told "
                f"from the whole; what answers there does not know Blaxel-Version {VERSION}; {self.http.fix}"
            )
        page = parse(WirePage, body, who)
        rows = page.data
        if "data" not in page.model_fields_set or (rows is None and page.meta is None):
            raise UnreadableAnswer(f"{who} answered a page without data and meta; {self.http.fix}")
        items = [self.read(parse(self.shape, row, who)) for row in rows or []]
        if page.silent and len(items) >= asked:
            raise UnreadableAnswer(
                f"{who} answered a full page without meta.hasMore or meta.nextCursor, so whether there is more is "
                f"unknown; {self.http.fix}"
            )
        if page.more and not page.cursor:
            raise UnreadableAnswer(
                f"{who} says that there is more but sends no cursor to reach it; that is a fault of the upstream, "
                "a retry may help"
            )
        return items, page


@dataclass(frozen=True)
class _Order(Generic[T]):
    """How items are told apart and ordered, to find an exact item again on a page that has changed."""

    identity: Callable[[T], str]
    created: Callable[[T], datetime | None]
    sort: Sort

    def mark(self, done: int, item: T) -> tuple[str | int, ...]:
        created = self.created(item)
        return (done, self.identity(item), round(created.timestamp() * 1_000_000) if created else 0)

    def start(self, items: Sequence[T], detail: tuple[str | int, ...], *, more: bool) -> int | None:
        """Return the index of the first item after the marked one; None where that lies further on."""
        if not detail:
            return 0
        match detail:
            case (int(done), str(identity), int(created)):
                pass
            case _:
                raise StrayCursor("this cursor does not fit what it walks")
        if 0 < done <= len(items) and self.identity(items[done - 1]) == identity:
            return done
        for index, item in enumerate(items):
            if self.identity(item) == identity:
                return index + 1
        return self._past(items, identity, created, done, more=more)

    def _past(self, items: Sequence[T], identity: str, created: int, done: int, *, more: bool) -> int | None:
        """Find the place by order, for an item that is on another page now or gone."""
        places = [self._place(item, identity, created) for item in items]
        if None in places:
            return min(done, len(items))
        following = next((index for index, place in enumerate(places) if place == 1), len(items))
        same = [index for index, place in enumerate(places) if place == 0]
        if same and not (more and following == len(items)):
            # It is gone, and so is its place among those of its time: as many are before it as were handed out.
            return max(same[0], min(done - 1, following))
        return following if following < len(items) else None

    def _place(self, item: T, identity: str, created: int) -> int | None:
        """Return 1 for an item after the marked one, -1 before it, 0 beside it; None where nothing tells."""
        if self.sort.key == "name":
            way = (self.identity(item) > identity) - (self.identity(item) < identity)
        else:
            moment = self.created(item)
            if not created or moment is None:
                return None
            micros = round(moment.timestamp() * 1_000_000)
            way = (micros > created) - (micros < created)
        return -way if self.sort.descending else way


class _CursorListing(Generic[T]):
    """A listing over one paged endpoint.

    A spot is the upstream cursor of a page and, inside a page, the last item consumed.
    """

    def __init__(self, pages: _Pages[T], order: _Order[T], *, narrowed: bool, filtered: bool) -> None:
        self._pages = pages
        self._order = order
        self.filtered = filtered
        self.narrowed = narrowed

    async def fetch(self, at: Spot, want: int) -> Batch[T]:
        """Read one page; inside a page, the largest, so that the last item consumed is on it."""
        items, page = await self._pages.get(at.upstream, self._pages.largest if at.detail else want)
        start = self._order.start(items, at.detail, more=page.more)
        following = Spot(page.cursor) if page.more else None
        if start is None:
            # The item was not on this page and everything here comes before it: look on the next.
            start = len(items)
            following = Spot(page.cursor, at.detail) if page.more else None
        rest = items[start:]

        def after(index: int) -> Spot:
            done = start + index + 1
            if done == len(items) and following is not None:
                return following
            return Spot(at.upstream, self._order.mark(done, rest[index]))

        return Batch(rest, after, following, page.total(filtered=self.filtered))
