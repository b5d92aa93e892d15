"""Blaxel batch jobs: the control plane's five job reads, paged by cursor.

Contract: the seed documents blaxel-*.txt and `Blaxel-Version: 2026-04-28`, the first with cursors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from jobtrail.errors import (
    BadArgument,
    NotFound,
    UnknownName,
    shown,
)
from jobtrail.models import ENDED, Job, JobDetail
from jobtrail.sources.base import (
    NEWEST_FIRST,
    SHORTEST_QUERY,
    About,
    Ask,
    Explained,
    FullExecution,
    Source,
    unknown_name,
    within_window,
)
from jobtrail.sources.blaxel_logs import Endpoint, Span, TaskLog
from jobtrail.sources.blaxel_owners import Owners
from jobtrail.sources.blaxel_pages import VERSION, CursorListing, Order, Pages
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
    from datetime import datetime

    from jobtrail.models import Execution, Task
    from jobtrail.paging import Listing
    from jobtrail.sources.http import Http

__all__ = ["VERSION", "Blaxel"]

_SORTS = {"created_at": "createdAt", "name": "name"}
_LONGEST_QUERY = 200
_NAMES_TO_SUGGEST = 200
_ENDED_TO_REMEMBER = 2_000


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
        pages = Pages(self._http, "jobs", params, WireJob, lambda row: row.job(), 200)
        order = Order[Job](lambda job: job.name, lambda job: job.created_at, ask.sort)
        narrowed = not ask.query or len(ask.query) >= SHORTEST_QUERY
        return CursorListing(pages, order, narrowed=narrowed, filtered=bool(ask.query or ask.statuses))

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
        pages = Pages(self._http, path, _params(ask, query=False), WireExecution, lambda row: row.execution(job), 100)
        order = Order["Execution"](lambda one: one.id, lambda one: one.created_at, ask.sort)
        # The documents leave open whether meta.total counts this job's executions or the workspace's.
        listing = CursorListing(pages, order, narrowed=_unfiltered(ask), filtered=True)
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
        pages = Pages(
            self._http, path, _params(ask, query=True), WireTask, lambda row: row.task(), 200,
            final=(job, execution) in self._ended,
        )  # fmt: skip
        order = Order["Task"](lambda one: one.name, lambda one: one.created_at, ask.sort)
        listing = CursorListing(pages, order, narrowed=_unfiltered(ask), filtered=not _unfiltered(ask))
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
