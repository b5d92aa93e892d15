"""The RunWisp side: the seed document's endpoint in its dialect, and besides it what 1.0.1 serves, in that one's.

Contract: runwisp-list-task-runs.txt for `/api/tasks/{taskName}/runs`; for everything else the daemon's own spec, and
where that leaves something open, the daemon as it was measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse
from starlette.routing import Route

from jobtrail.plane.answers import Answer, Refusal
from jobtrail.plane.runs import RunQuery, select_runs, summarise
from jobtrail.plane.runwisp_asked import MOST_RUNS, RUN_ID, SEED_NAME, TASK_NAME, Asked, searched
from jobtrail.plane.runwisp_logs import Logs
from jobtrail.plane.runwisp_wire import TRIGGERS, definition, link, run, seed_run, seed_statuses
from jobtrail.plane.store import moment, stamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

    from jobtrail.plane.runs import RunSort
    from jobtrail.plane.store import Row, Store

__all__ = ["RunWisp", "health"]

VERSION = "1.0.1"
"""The daemon whose contract this is."""

_RUNS_A_PAGE = 50
_SORTS: dict[str, RunSort] = {
    "taskName": "task_name",
    "status": "status",
    "startedAt": "start_at",
    "exitCode": "exit_code",
    "duration": "duration",
    "createdAt": "created_at",
}
_SEED_SORTS: dict[str, RunSort] = {name: name for name in _SORTS.values()}
_FAILURE = "failure"
"""A word for `status` that stands for whatever counts as one."""


def health(_request: Request) -> Response:
    """`GET /health`, as a client of the daemon asks whether it is up."""
    return PlainTextResponse("OK")


class RunWisp:
    """The handlers; plain functions, which Starlette runs in threads."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def routes(self) -> list[Route]:
        """Return the routes below `/api`."""
        logs = Logs(self._store)
        return [
            Route("/daemon", self.daemon),
            Route("/tasks", self.definitions),
            Route("/tasks/{taskName}", self.definition),
            Route("/tasks/{taskName}/runs", self.seed_runs),
            Route("/tasks/{taskName}/log/search", logs.search),
            Route("/runs", self.runs),
            Route("/runs/summary", self.summary),
            Route("/runs/{runId}", self.run),
            Route("/runs/{runId}/log", logs.page),
        ]

    def daemon(self, request: Request) -> Response:
        """`GET /api/daemon`: the version whose contract this is, and every definition."""
        base = request.base_url
        _, port = request.scope.get("server") or ("", None)
        tasks = [definition(row) for row in self._definitions()]
        for task in tasks:
            task.pop("nextRunAt", None)
        return Answer(
            {
                "version": VERSION,
                "fingerprint": "jobtrail-plane",
                "port": port or 0,
                "externalUrl": f"{base.scheme}://{base.netloc}",
                "stationEnabled": False,
                "schedulingActive": False,
                "serviceManaged": False,
                "authDisabled": True,
                # Definitions are read anew for each request.
                "configLoadedAt": moment(stamp(self._clock())),
                "configStale": False,
                "resolvedTimezone": "UTC",
                "timezoneSource": "system",
                "tasks": tasks,
                "capabilities": [],
                "updateAvailable": False,
                "latestVersion": "",
            }
        )

    def definitions(self, _request: Request) -> Response:
        """`GET /api/tasks`: every definition, by name."""
        return Answer({"items": [definition(row) for row in self._definitions()]})

    def definition(self, request: Request) -> Response:
        """`GET /api/tasks/{taskName}`."""
        asked = Asked(request)
        name = asked.in_path("taskName", TASK_NAME)
        asked.check()
        found = self._store.rows("SELECT name, body FROM definitions WHERE name = ?", (name,))
        if not found:
            raise Refusal(404, "Not Found", "task not found")
        return Answer(definition(found[0]))

    def seed_runs(self, request: Request) -> Response:
        """`GET /api/tasks/{taskName}/runs`: limit 50 (1000), offset, status, task_name, sort, search."""
        asked = Asked(request)
        task = asked.in_path("taskName", SEED_NAME)
        limit = asked.whole("limit", _RUNS_A_PAGE, 1, MOST_RUNS)
        offset = asked.whole("offset", 0, 0)
        sort, descending = asked.order(_SEED_SORTS, "sort_field", "sort_direction")
        problem = {"$schema": link(request, "ErrorModel")}
        asked.check(**problem)
        if not self._store.has_definition(task):
            raise Refusal(404, "Not Found", "task not found", **problem)
        query = RunQuery(
            task=task,
            sort=sort,
            descending=descending,
            limit=limit,
            offset=offset,
            statuses=seed_statuses(asked.text("status")),
            search=searched(asked.text("search")),
        )
        # A filter by another task's name leaves nothing of this one.
        other = asked.text("task_name") not in {"", task}
        rows, total = ([], 0) if other else select_runs(self._store, query)
        runs = [seed_run(row, request) for row in rows]
        return Answer({"$schema": link(request, "RunsResponseBody"), "runs": runs or None, "total": total})

    def runs(self, request: Request) -> Response:
        """`GET /api/runs`: limit 50 (1000), offset, filters by everything a run has, sort, search."""
        asked = Asked(request)
        limit = asked.whole("limit", _RUNS_A_PAGE, 1, MOST_RUNS)
        offset = asked.whole("offset", 0, 0)
        statuses = {word.strip() for word in asked.text("status").split(",")} - {""}
        task = asked.text("taskName")
        filters: dict[str, Any] = {
            "via": asked.word("triggeredBy", *TRIGGERS),
            "since": asked.instant("createdAfter"),
            "until": asked.instant("createdBefore"),
            "least": asked.exit_code("exitCodeMin"),
            "most": asked.exit_code("exitCodeMax"),
            "retries": asked.flag("retriesOnly"),
        }
        failures = asked.flag("isFailure") or _FAILURE in statuses
        sort, descending = asked.order(_SORTS, "sortField", "sortDirection")
        search = searched(asked.text("search"))
        asked.check()
        query = RunQuery(
            task, sort, descending, limit, offset,
            statuses=statuses - {_FAILURE}, failures=failures, search=search, **filters,
        )  # fmt: skip
        rows, total = select_runs(self._store, query)
        return Answer({"items": [run(row) for row in rows], "total": total})

    def summary(self, _request: Request) -> Response:
        """`GET /api/runs/summary`."""
        found = summarise(self._store)
        counts = {"total": found.total, "success": found.success, "failed": found.failed, "missed": found.missed}
        last = moment(found.last_failure)
        return Answer(counts if last is None else {**counts, "lastFailure": last})

    def run(self, request: Request) -> Response:
        """`GET /api/runs/{runId}`."""
        asked = Asked(request)
        identity = asked.in_path("runId", RUN_ID)
        asked.check()
        row = self._store.run(identity)
        if row is None:
            raise Refusal(404, "Not Found", "run not found")
        return Answer(run(row))

    def _definitions(self) -> list[Row]:
        return self._store.rows("SELECT name, body FROM definitions ORDER BY name")
