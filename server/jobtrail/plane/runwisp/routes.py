"""Serves the RunWisp API: the documented endpoint, and the endpoints of 1.0.1 that `sources/runwisp` calls.

Contract: runwisp-list-task-runs.txt for `/api/tasks/{taskName}/runs`, the daemon's own specification for the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from jobtrail.plane.openapi import build_schema_url
from jobtrail.plane.responses import RequestError, UTF8JSONResponse
from jobtrail.plane.runwisp.run_query import read_integer, read_legacy_query, read_runs_query, read_task_name
from jobtrail.plane.runwisp.serializers import (
    serialize_definition,
    serialize_legacy_run,
    serialize_log_line,
    serialize_run,
)
from jobtrail.store.runs import select_log, select_runs

if TYPE_CHECKING:
    from sqlite3 import Row

    from starlette.requests import Request
    from starlette.responses import Response

    from jobtrail.store.store import Store


class RunWispRoutes:
    """The handlers; plain functions, which Starlette runs in threads."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """Return the routes below `/api`."""
        return [
            Route("/daemon", self.get_daemon),
            Route("/tasks", self.list_definitions),
            Route("/tasks/{taskName}/runs", self.list_task_runs),
            Route("/runs", self.list_runs),
            Route("/runs/{runId}", self.get_run),
            Route("/runs/{runId}/log", self.get_log),
        ]

    def get_daemon(self, _request: Request) -> Response:
        """`GET /api/daemon`: the version whose contract this is."""
        return UTF8JSONResponse({"version": "1.0.1"})

    def list_definitions(self, _request: Request) -> Response:
        """`GET /api/tasks`: every definition, by name."""
        return UTF8JSONResponse({"items": [serialize_definition(row) for row in self._store.list_definitions()]})

    def list_task_runs(self, request: Request) -> Response:
        """`GET /api/tasks/{taskName}/runs`: limit 50 (1000), offset, status, task_name, sort, search."""
        task = read_task_name(request)
        query = read_legacy_query(request, task)
        if not self._store.has_definition(task):
            raise RequestError(404, "task not found")
        # A filter by another task's name leaves nothing of this one.
        other = request.query_params.get("task_name", "") not in {"", task}
        rows, total = ([], 0) if other else select_runs(self._store, query)
        runs = [serialize_legacy_run(row, build_schema_url(request, "Run")) for row in rows]
        return UTF8JSONResponse(
            {"$schema": build_schema_url(request, "RunsResponseBody"), "runs": runs or None, "total": total}
        )

    def list_runs(self, request: Request) -> Response:
        """`GET /api/runs`: limit 50 (1000), offset, taskName, status, isFailure, a window, sort, search."""
        rows, total = select_runs(self._store, read_runs_query(request))
        return UTF8JSONResponse({"items": [serialize_run(row) for row in rows], "total": total})

    def get_run(self, request: Request) -> Response:
        """`GET /api/runs/{runId}`."""
        return UTF8JSONResponse(serialize_run(self._read_run(request)))

    def get_log(self, request: Request) -> Response:
        """`GET /api/runs/{runId}/log`: from -1000 (below 0 counts from the end), limit 1000 (10,000)."""
        start = read_integer(request, "from", -1000)
        limit = read_integer(request, "limit", 1000, least=1, most=10_000)
        run = self._read_run(request)
        rows, first, total = select_log(self._store, run["id"], start, limit)
        return UTF8JSONResponse(
            {
                "lines": [serialize_log_line(row, number) for number, row in enumerate(rows, first)],
                # The store keeps all of a log.
                "firstAvailable": 0,
                "totalLines": total,
                "finalized": run["status"] == "ended",
            }
        )

    def _read_run(self, request: Request) -> Row:
        row = self._store.find_run(request.path_params["runId"])
        if row is None:
            raise RequestError(404, "run not found")
        return row
