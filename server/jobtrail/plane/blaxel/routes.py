"""The Blaxel endpoints: `/v0/jobs` and what lies below, and the logs.

Contract: the seed documents blaxel-*.txt, and the vendor's spec for `GET /jobs/{jobId}`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import blake2b
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from jobtrail.plane.access import FIRST_PAGED, AccessControl
from jobtrail.plane.blaxel.list_query import check_flag, read_clamped_integer, read_list_query
from jobtrail.plane.blaxel.log_endpoint import read_log_query, select_logs
from jobtrail.plane.blaxel.page_cursors import open_cursor, seal_cursor
from jobtrail.plane.blaxel.serializers import serialize_execution, serialize_job, serialize_task
from jobtrail.plane.responses import RequestError, UTF8JSONResponse, encode_json
from jobtrail.store.faults import DamagedStore
from jobtrail.store.maintenance import PRUNED
from jobtrail.store.store import PageQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from sqlite3 import Row

    from starlette.requests import Request

    from jobtrail.plane.access import Caller
    from jobtrail.plane.blaxel.list_query import ListQuery
    from jobtrail.store.store import PageKey, Store

_FURTHEST = 2**62
_KEY = re.compile("[0-9a-f]{64}")
_BATCH = 500
"""How many tasks of a whole execution are sent at a time."""


class BlaxelRoutes:
    """The handlers; plain functions, which Starlette runs in threads."""

    def __init__(self, store: Store, api_key: str | None, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._access = AccessControl(api_key, store.workspace, clock)
        self._clock = clock

    def routes(self) -> list[Route]:
        """Return the routes below `/v0`."""
        below = "/jobs/{job}/executions"
        return [
            Route("/jobs", self.list_jobs),
            Route("/jobs/{job}", self.get_job),
            Route(below, self.list_executions),
            Route(below + "/{execution}", self.get_execution),
            Route(below + "/{execution}/tasks", self.list_tasks),
            Route("/observability/logs", self.get_logs),
            Route("/oauth/token", self._access.issue_token, methods=["POST"]),
        ]

    def list_jobs(self, request: Request) -> Response:
        """`GET /jobs`: cursor, limit 50 (200), sort, q, anchor, status."""
        caller = self._access.identify(request)
        asked = read_list_query(request, caller.workspace, 50, 200, of_jobs=True)
        if not caller.paged:
            rows = self._store.list_jobs(caller.workspace, PageQuery("createdAt", descending=True, limit=-1))
            return UTF8JSONResponse([serialize_job(row) for row in rows])
        return self._answer_page(
            asked,
            lambda query: self._store.list_jobs(caller.workspace, query, asked.statuses),
            serialize_job,
            lambda row: (row["created_at"], row["name"]),
            self._store.count_jobs(caller.workspace),
        )

    def get_job(self, request: Request) -> Response:
        """`GET /jobs/{jobId}`; `show_secrets` shows none, nobody here is an admin."""
        caller = self._access.identify(request)
        check_flag(request, "show_secrets")
        return UTF8JSONResponse(serialize_job(self._read_job(caller, request)))

    def list_executions(self, request: Request) -> Response:
        """`GET /jobs/{jobId}/executions`: limit 20 (100), offset (legacy), cursor, sort, q."""
        caller = self._access.identify(request)
        job = self._read_job(caller, request)["name"]
        asked = read_list_query(request, caller.workspace, 20, 100)
        offset = read_clamped_integer(request, "offset", 0, 0, _FURTHEST)
        if not caller.paged:
            query = PageQuery("createdAt", descending=True, limit=asked.query.limit, offset=offset)
            return UTF8JSONResponse(
                [serialize_execution(row) for row in self._store.list_executions(caller.workspace, job, query)]
            )
        return self._answer_page(
            asked,
            lambda query: self._store.list_executions(caller.workspace, job, query),
            serialize_execution,
            lambda row: (row["created_at"], row["id"]),
            self._store.count_executions(caller.workspace, job),
        )

    def get_execution(self, request: Request) -> Response:
        """`GET /jobs/{jobId}/executions/{executionId}`: with the runtime state of every task, sent as it is read."""
        row = self._read_execution(self._access.identify(request), request)
        # Read before the tasks: of a body that a writer came between, the tag is too old rather than too new.
        headers = {"ETag": self._make_tag(row)}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        parts = self._stream_execution(row)
        # Read before the answer begins: a store that cannot be read is refused rather than cut short.
        first = next(parts)
        return StreamingResponse(chain([first], parts), media_type="application/json", headers=headers)

    def list_tasks(self, request: Request) -> Response:
        """`GET …/tasks`: cursor, limit 50 (200), sort, q; from 2026-04-28 on."""
        caller = self._access.identify(request)
        row = self._read_execution(caller, request)
        asked = read_list_query(request, caller.workspace, 50, 200)
        if not caller.paged:
            raise RequestError(400, f"tasks are listed from Blaxel-Version {FIRST_PAGED} on")
        second = "position" if asked.query.sort == "createdAt" else "name"
        return self._answer_page(
            asked,
            lambda query: self._store.list_tasks(row["key"], query),
            serialize_task,
            lambda task: (task["created_at"], task[second]),
            # What is listed; the execution's own count may be of tasks that another system kept to itself.
            row["tasks"],
        )

    def get_logs(self, request: Request) -> Response:
        """`GET /observability/logs`, which the vendor does not document."""
        workspace = self._access.identify(request).workspace
        jobs, query = read_log_query(request, workspace)
        known = [job for job in jobs if self._store.find_job(workspace, job) is not None]
        return UTF8JSONResponse({job: select_logs(self._store, replace(query, job=job)) for job in known})

    @property
    def _secret(self) -> str:
        # A store may hold anything; a key of another form would sign with something that others know.
        key = self._store.read_meta("cursor_key") or ""
        if not _KEY.fullmatch(key):
            raise DamagedStore(self._store.path, "its key for cursors is none")
        return key

    def _now(self) -> float:
        return self._clock().timestamp()

    def _answer_page(
        self,
        asked: ListQuery,
        read: Callable[[PageQuery], Sequence[Row]],
        shape: Callable[[Row], dict[str, Any]],
        key: Callable[[Row], PageKey],
        total: int,
    ) -> Response:
        """Return `{data, meta}`; one row more is read to know whether there is a next page."""
        query = asked.query
        if asked.cursor:
            query = replace(query, after=open_cursor(self._secret, asked.bound_to, asked.cursor, self._now()))
        if asked.from_end:
            rows = list(read(replace(query, descending=not query.descending)))
            rows.reverse()
            more = False
        else:
            rows = list(read(replace(query, limit=query.limit + 1)))
            more = len(rows) > query.limit
            rows = rows[: query.limit]
        cursor = seal_cursor(self._secret, asked.bound_to, key(rows[-1]), self._now()) if more else ""
        meta = {"hasMore": more, "nextCursor": cursor, "total": total}
        return UTF8JSONResponse({"data": [shape(row) for row in rows], "meta": meta})

    def _make_tag(self, row: Row) -> str:
        """Return the `ETag` of an execution: its row counts its tasks, and a prune can give its key away again."""
        state = (self._secret, self._store.read_meta(PRUNED), *row)
        return f'"{blake2b(repr(state).encode(errors="replace"), digest_size=12).hexdigest()}"'

    def _stream_execution(self, row: Row) -> Iterator[bytes]:
        """Yield the JSON of an execution with all of its tasks, of which only some are in memory at a time."""
        tasks = self._store.iterate_tasks(row["key"])
        before = encode_json(serialize_execution(row))[:-1] + b',"tasks":['
        while batch := [serialize_task(task) for task in islice(tasks, _BATCH)]:
            yield before + encode_json(batch)[1:-1]
            before = b","
        yield b"]}" if before == b"," else before + b"]}"

    def _read_job(self, caller: Caller, request: Request) -> Row:
        row = self._store.find_job(caller.workspace, request.path_params["job"])
        if row is None:
            raise RequestError(404, "job not found")
        return row

    def _read_execution(self, caller: Caller, request: Request) -> Row:
        job = self._read_job(caller, request)["name"]
        row = self._store.find_execution(caller.workspace, job, request.path_params["execution"])
        if row is None:
            raise RequestError(404, "execution not found")
        return row
