"""The Blaxel endpoints: `/v0/jobs` and what lies below, and the logs.

Contract: the seed documents blaxel-*.txt, and the vendor's spec for `GET /jobs/{jobId}`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from starlette.responses import StreamingResponse
from starlette.routing import Route

from jobtrail.plane.access import Access
from jobtrail.plane.answers import Answer, Refusal, json_bytes
from jobtrail.plane.blaxel_asked import FIRST_PAGED, Asked, flag, paged, read_list, whole
from jobtrail.plane.blaxel_logs import read_logs, wire_logs
from jobtrail.plane.blaxel_wire import wire_execution, wire_job, wire_task
from jobtrail.plane.cursors import open_cursor, seal_cursor
from jobtrail.plane.store import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

    from jobtrail.plane.store import Key, Row, Store

__all__ = ["Blaxel"]

_FURTHEST = 2**62
_BATCH = 500
"""How many tasks of a whole execution are sent at a time."""


class Blaxel:
    """The handlers; plain functions, which Starlette runs in threads."""

    def __init__(self, store: Store, api_key: str | None, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._access = Access(api_key, clock)
        self._clock = clock

    def routes(self) -> list[Route]:
        """Return the routes below `/v0`."""
        below = "/jobs/{job}/executions"
        return [
            Route("/jobs", self.jobs),
            Route("/jobs/{job}", self.job),
            Route(below, self.executions),
            Route(below + "/{execution}", self.execution),
            Route(below + "/{execution}/tasks", self.tasks),
            Route("/observability/logs", self.logs),
            Route("/oauth/token", self._access.token, methods=["POST"]),
        ]

    def jobs(self, request: Request) -> Response:
        """`GET /jobs`: cursor, limit 50 (200), sort, q, anchor, status."""
        workspace = self._enter(request)
        asked = self._list(request, workspace, 50, 200, of_jobs=True)
        if not asked.paged:
            rows = self._store.jobs(workspace, Query("createdAt", descending=True, limit=-1))
            return Answer([wire_job(row) for row in rows])
        return self._page(
            asked,
            lambda query: self._store.jobs(workspace, query, asked.statuses),
            wire_job,
            lambda row: (row["created_at"], row["name"]),
            self._store.count_jobs(workspace),
        )

    def job(self, request: Request) -> Response:
        """`GET /jobs/{jobId}`; `show_secrets` shows none, nobody here is an admin."""
        workspace = self._enter(request)
        paged(request)
        flag(request, "show_secrets")
        return Answer(wire_job(self._job_row(workspace, request)))

    def executions(self, request: Request) -> Response:
        """`GET /jobs/{jobId}/executions`: limit 20 (100), offset (legacy), cursor, sort, q."""
        workspace = self._enter(request)
        job = self._job_row(workspace, request)["name"]
        asked = self._list(request, workspace, 20, 100)
        offset = whole(request, "offset", 0, 0, _FURTHEST)
        if not asked.paged:
            query = Query("createdAt", descending=True, limit=asked.query.limit, offset=offset)
            return Answer([wire_execution(row) for row in self._store.executions(workspace, job, query)])
        return self._page(
            asked,
            lambda query: self._store.executions(workspace, job, query),
            wire_execution,
            lambda row: (row["created_at"], row["id"]),
            self._store.count_executions(workspace, job),
        )

    def execution(self, request: Request) -> Response:
        """`GET /jobs/{jobId}/executions/{executionId}`: with the runtime state of every task, sent as it is read."""
        workspace = self._enter(request)
        paged(request)
        row = self._execution_row(workspace, request)
        return StreamingResponse(self._whole(row), media_type="application/json")

    def tasks(self, request: Request) -> Response:
        """`GET …/tasks`: cursor, limit 50 (200), sort, q; from 2026-04-28 on."""
        workspace = self._enter(request)
        row = self._execution_row(workspace, request)
        asked = self._list(request, workspace, 50, 200)
        if not asked.paged:
            raise Refusal(400, "bad_request", f"tasks are listed from Blaxel-Version {FIRST_PAGED} on")

        def key(task: Row) -> Key:
            second = task["position"] if asked.query.sort == "createdAt" else task["name"]
            return (task["created_at"], second)

        # What is listed; the execution's own count may be of tasks that another system kept to itself.
        return self._page(asked, lambda query: self._store.tasks(row["key"], query), wire_task, key, row["tasks"])

    def logs(self, request: Request) -> Response:
        """`GET /observability/logs`, which the vendor does not document."""
        workspace = self._enter(request)
        paged(request)
        jobs, query = read_logs(request, workspace)
        known = [job for job in jobs if self._store.job(workspace, job) is not None]
        return Answer({job: wire_logs(self._store, replace(query, job=job)) for job in known})

    def _enter(self, request: Request) -> str:
        """Check the key, and return the workspace: of the header, of the query, or the store's own."""
        self._access.check(request)
        named = request.headers.get("x-blaxel-workspace") or request.query_params.get("workspace")
        return named or self._store.workspace

    def _list(self, request: Request, workspace: str, default: int, most: int, *, of_jobs: bool = False) -> Asked:
        """Read a list request, and open its cursor where the version honours one."""
        asked = read_list(request, workspace, default, most, of_jobs=of_jobs)
        if not asked.paged or not asked.cursor:
            return asked
        after = open_cursor(self._secret, asked.bound_to, asked.cursor, self._clock().timestamp())
        return replace(asked, query=replace(asked.query, after=after))

    @property
    def _secret(self) -> str:
        return self._store.meta("cursor_key") or ""

    def _page(
        self,
        asked: Asked,
        read: Callable[[Query], Sequence[Row]],
        shape: Callable[[Row], dict[str, Any]],
        key: Callable[[Row], Key],
        total: int,
    ) -> Response:
        """Return `{data, meta}`; one row more is read to know whether there is a next page."""
        query = asked.query
        if asked.from_end:
            rows = list(read(replace(query, descending=not query.descending)))
            rows.reverse()
            more = False
        else:
            rows = list(read(replace(query, limit=query.limit + 1)))
            more = len(rows) > query.limit
            rows = rows[: query.limit]
        cursor = ""
        if more:
            cursor = seal_cursor(self._secret, asked.bound_to, key(rows[-1]), self._clock().timestamp())
        meta = {"hasMore": more, "nextCursor": cursor, "total": total}
        return Answer({"data": [shape(row) for row in rows], "meta": meta})

    def _whole(self, row: Row) -> Iterator[bytes]:
        """Yield the JSON of an execution with all of its tasks, of which only some are in memory at a time."""
        tasks = self._store.all_tasks(row["key"])
        before = json_bytes(wire_execution(row))[:-1] + b',"tasks":['
        while batch := [wire_task(task) for task in islice(tasks, _BATCH)]:
            yield before + json_bytes(batch)[1:-1]
            before = b","
        yield b"]}" if before == b"," else before + b"]}"

    def _job_row(self, workspace: str, request: Request) -> Row:
        row = self._store.job(workspace, request.path_params["job"])
        if row is None:
            raise Refusal(404, "not_found", "job not found")
        return row

    def _execution_row(self, workspace: str, request: Request) -> Row:
        job = self._job_row(workspace, request)["name"]
        row = self._store.execution(workspace, job, request.path_params["execution"])
        if row is None:
            raise Refusal(404, "not_found", "execution not found")
        return row
