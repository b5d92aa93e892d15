"""Reads the executions of Blaxel jobs, their tasks and their logs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from jobtrail.errors import NotFound, UnknownName
from jobtrail.models import Call, Job
from jobtrail.paging import NEWEST_FIRST, OLDEST_FIRST, Checked, Walk, walk
from jobtrail.sources.base import BatchJobs, FullExecution
from jobtrail.sources.blaxel.ended_executions import EndedExecutions
from jobtrail.sources.blaxel.endpoint_pages import LARGEST_OF_EXECUTIONS, PagedEndpoint, build_query
from jobtrail.sources.blaxel.execution_owners import ExecutionOwners
from jobtrail.sources.blaxel.log_reader import LogEndpoint, Span, TaskLog
from jobtrail.sources.blaxel.response_models import EXECUTION_WORDS, TASK_WORDS, WireExecution
from jobtrail.sources.blaxel.task_reading import (
    describe_unlisted,
    has_only_ended,
    name_row,
    read_task,
    summarize_listed,
)
from jobtrail.sources.list_options import ListOptions
from jobtrail.sources.responses import is_named, parse_row, quote_name
from jobtrail.text import quote_value, sanitize_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from jobtrail.analysis.task_summary import TaskSummary
    from jobtrail.logs.log import Log
    from jobtrail.models import Execution, Task
    from jobtrail.paging import Listing
    from jobtrail.sources.http import Http

T = TypeVar("T")

_NEWEST = ("latest", "newest", "last", "current")
"""What an agent may give for an id it does not know."""


class BlaxelBatch(BatchJobs):
    """The batch jobs of a workspace.

    Args:
        http: the workspace's API.
        jobs: lists its jobs.
        explain: returns the error for a job that does not exist.
        wrap_log: adds to a log what is known of it elsewhere.
        lacking: why tasks may be counted and not listed, and what would mend that.
    """

    execution_words = EXECUTION_WORDS
    task_words = TASK_WORDS
    execution_sorts = task_sorts = ("created_at", "name")

    def __init__(
        self,
        http: Http,
        jobs: Callable[[ListOptions], Listing[Job]],
        explain: Callable[[str], Awaitable[UnknownName]],
        wrap_log: Callable[[Log], Log],
        lacking: str = "",
    ) -> None:
        self._http = http
        self._jobs = jobs
        self._explain = explain
        self._wrap_log = wrap_log
        self._lacking = lacking
        self._logs = LogEndpoint(http)
        self._owners = ExecutionOwners(http)
        self._ended = EndedExecutions(http)

    def executions(self, job: str, options: ListOptions) -> Listing[Execution]:
        """List executions (`GET /jobs/{jobId}/executions`: cursor, limit 100, sort).

        `q` is not sent: an execution has no name or labels for it to search, so what it would
        match is not documented; ids are searched while walking.
        """

        def read(row: object) -> Execution:
            one = parse_row(WireExecution, row, self._http.subject).to_execution(job)
            self._owners.add_listed(one.id, job)
            return one

        pages = PagedEndpoint["Execution"](
            http=self._http, path=f"{_build_path(job)}/executions", params=build_query(options, searches=False),
            largest=LARGEST_OF_EXECUTIONS, identity=lambda one: one.id, explain=lambda: self._explain(job),
            parse_row=read,
            # The documents leave open whether meta.total counts this job's executions or the workspace's.
            counts_others=True,
        )  # fmt: skip

        async def find_oldest() -> datetime | None:
            order = {"sort": build_query(ListOptions(sort=OLDEST_FIRST))["sort"]}
            page = await replace(pages, params=order).fetch_page("", 1, filtered=True)
            return next((one.created_at for one in page.items if is_named(job, one.job)), None)

        return Checked(
            pages.list(options), lambda one: one.id, lambda one: is_named(job, one.job), options.window,
            find_oldest, self._http.subject,
        )  # fmt: skip

    async def execution(self, job: str, execution: str) -> FullExecution:
        """Read one execution (`GET /jobs/{jobId}/executions/{executionId}`)."""
        try:
            return await self._ended.read(job, execution, _build_path(job, execution))
        except NotFound:
            await self.check_job(job)
            newest = "; get_execution without one takes the newest" if execution.lower() in _NEWEST else ""
            raise UnknownName(
                f"execution={quote_value(execution)} does not exist in job {quote_value(job)}",
                advice=(
                    "call ",
                    Call("list_executions", {"job": sanitize_text(job, 80)}),
                    f" for those that do{newest}",
                ),
            ) from None

    async def explain(self, job: str, execution: str) -> tuple[FullExecution, TaskSummary]:
        """Read one execution, and its pages of tasks if they were not sent with it."""
        full = await self.execution(job, execution)
        if full.tasks is not None:
            return full, full.tasks
        rows = self._list_tasks(job, execution, ListOptions(sort=NEWEST_FIRST), lambda row: row, name_row, raw=True)
        summary = await summarize_listed(full.execution, rows, self._http.subject, self._lacking)
        self._ended.add_tasks(job, execution, summary)
        return full, summary

    async def explain_no_tasks(self, job: str, execution: str) -> str | None:
        """Return why an execution lists no tasks; None where it has none.

        Raises:
            UnknownName: there is no such execution.
        """
        one = (await self.execution(job, execution)).execution
        return describe_unlisted(one, self._lacking) if one.tasks else None

    async def owner(self, execution: str) -> str:
        """Return the job of an execution; the API has no path from one to the other, so jobs are asked in turn."""
        return await self._owners.find_job(execution, self._jobs(ListOptions(sort=NEWEST_FIRST)))

    def tasks(self, job: str, execution: str, options: ListOptions) -> Listing[Task]:
        """List tasks (`GET …/tasks`: cursor, limit 200, sort).

        `q` is not sent: it finds names, and never the reasons that a query looks at too.
        """
        read = partial(read_task, subject=self._http.subject)
        return self._list_tasks(job, execution, options, read, lambda one: one.name)

    def _list_tasks(
        self,
        job: str,
        execution: str,
        options: ListOptions,
        read: Callable[[object], T],
        identify: Callable[[T], str],
        *,
        searches: bool = False,
        raw: bool = False,
    ) -> Listing[T]:
        params = build_query(options, searches=searches)
        pages = PagedEndpoint[T](
            http=self._http, path=f"{_build_path(job, execution)}/tasks", params=params,
            identity=identify, explain=lambda: self._explain_no_tasks(job, execution), parse_row=read,
            final=has_only_ended if self._ended.holds(job, execution) else None,
        )  # fmt: skip
        return Checked(pages.list(options), identify, subject=self._http.subject, raw=raw)

    async def log(self, job: str, execution: str, task: str | None, now: datetime, continuation: str = "") -> Log:
        """Return the log of an execution or task (`GET /observability/logs`, which no document has)."""
        if continuation:
            return self._wrap_log(TaskLog.resume(self._logs, job, execution, task or "", now, continuation))
        one = (await self.execution(job, execution)).execution
        return self._wrap_log(TaskLog(self._logs, job, execution, task or "", Span.find(one, now), now))

    async def check_job(self, job: str) -> None:
        """Read a job only to see that it exists; the documents give its list of executions no 404."""
        try:
            await self._http.get(_build_path(job))
        except NotFound:
            raise await self._explain(job) from None

    async def check_task(self, job: str, execution: str, task: str) -> None:
        """Search an execution's tasks for one of this name, since no endpoint reads a task alone."""
        read = partial(read_task, subject=self._http.subject)
        options = ListOptions(NEWEST_FIRST, query=task)
        listing = self._list_tasks(job, execution, options, read, lambda one: one.name, searches=True)
        how = Walk["Task"](limit=1, keep=lambda one: one.name == task, subject=self._http.subject)
        walked = await walk(listing, how)
        if not walked.items and walked.position is None:
            raise UnknownName(
                f"task={quote_value(task)} does not exist in execution {quote_value(execution)}",
                advice=("call ", Call("list_tasks", {"job": job, "execution": execution}), " for those that do"),
            )

    async def _explain_no_tasks(self, job: str, execution: str) -> UnknownName:
        """Return what is missing where the list of tasks answered 404."""
        try:
            await self.execution(job, execution)
        except UnknownName as error:
            return error
        call = Call("get_execution", {"job": job, "execution": execution})
        return UnknownName(f"execution={quote_value(execution)} has no task list", advice=("call ", call, " for it"))


def _build_path(job: str, execution: str | None = None) -> str:
    path = f"jobs/{quote_name('job', job)}"
    return path if execution is None else f"{path}/executions/{quote_name('execution', execution)}"
