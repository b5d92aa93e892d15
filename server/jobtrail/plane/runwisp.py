"""The RunWisp endpoints: `/api/tasks`, its runs, and one run, in the dialect of the seed document.

Contract: runwisp-list-task-runs.txt; the list of definitions and the single run as the 1.0.1 spec has
them, spelt in the seed's snake_case.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import Route

from jobtrail.plane.answers import Refusal
from jobtrail.plane.runs import RunQuery, select_runs
from jobtrail.plane.store import moment

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from jobtrail.plane.store import Row, Store

__all__ = ["RunWisp"]

_TASK_NAME = re.compile(r"[a-zA-Z0-9._-]{1,100}")
_RUN_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_SORTS = ("", "task_name", "status", "start_at", "exit_code", "duration", "created_at")
_DIRECTIONS = ("", "asc", "desc")
_DEFAULT_LIMIT, _LARGEST_LIMIT = 50, 1000


class RunWisp:
    """The handlers; plain functions, which Starlette runs in threads."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """Return the routes below `/api`."""
        return [
            Route("/tasks", self.definitions),
            Route("/tasks/{task}/runs", self.runs),
            Route("/runs/{run}", self.run),
        ]

    def definitions(self, request: Request) -> Response:
        """`GET /api/tasks`: every definition."""
        return JSONResponse({"$schema": _schema(request, "TasksResponseBody"), "items": self._store.definitions()})

    def runs(self, request: Request) -> Response:
        """`GET /api/tasks/{taskName}/runs`: limit 50 (1000), offset, status, task_name, sort, search."""
        task = request.path_params["task"]
        problems: list[dict[str, Any]] = []
        if not _TASK_NAME.fullmatch(task):
            problems.append(_problem("expected string to match pattern ^[a-zA-Z0-9._-]+$", "path.taskName", task))
        limit = _whole(request, "limit", _DEFAULT_LIMIT, 1, _LARGEST_LIMIT, problems)
        offset = _whole(request, "offset", 0, 0, 2**62, problems)
        field = _one_of(request, "sort_field", _SORTS, problems)
        direction = _one_of(request, "sort_direction", _DIRECTIONS, problems)
        if problems:
            raise Refusal(422, "Unprocessable Entity", "validation failed", errors=problems)
        if not self._store.has_definition(task):
            raise Refusal(404, "Not Found", "task not found")
        params = request.query_params
        if params.get("task_name", task) not in {"", task}:
            # A filter by another task's name leaves nothing of this one.
            rows, total = [], 0
        else:
            query = RunQuery(
                task=task,
                sort=field or "created_at",
                descending=direction != "asc",
                limit=limit,
                offset=offset,
                status=params.get("status"),
                search=params.get("search"),
            )
            rows, total = select_runs(self._store, query)
        body = [_run(row, request) for row in rows]
        return JSONResponse({"$schema": _schema(request, "RunsResponseBody"), "runs": body or None, "total": total})

    def run(self, request: Request) -> Response:
        """`GET /api/runs/{runId}`."""
        identity = request.path_params["run"]
        if not _RUN_ID.fullmatch(identity):
            problem = _problem("expected string to match pattern ^[0-9A-HJKMNP-TV-Z]{26}$", "path.runId", identity)
            raise Refusal(422, "Unprocessable Entity", "validation failed", errors=[problem])
        row = self._store.run(identity)
        if row is None:
            raise Refusal(404, "Not Found", "run not found")
        return JSONResponse(_run(row, request))


def _problem(message: str, location: str, value: Any) -> dict[str, Any]:
    return {"message": message, "location": location, "value": value}


def _whole(request: Request, name: str, default: int, least: int, most: int, problems: list[dict[str, Any]]) -> int:
    text = request.query_params.get(name, "")
    if not text:
        return default
    where = f"query.{name}"
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        problems.append(_problem("invalid integer", where, text))
        return default
    if int(text) < least:
        problems.append(_problem(f"expected number >= {least}", where, int(text)))
    if int(text) > most:
        problems.append(_problem(f"expected number <= {most}", where, int(text)))
    return int(text)


def _one_of(request: Request, name: str, allowed: tuple[str, ...], problems: list[dict[str, Any]]) -> str:
    text = request.query_params.get(name, "")
    if text not in allowed:
        words = ", ".join(f'"{word}"' for word in allowed)
        problems.append(_problem(f"expected value to be one of {words}", f"query.{name}", text))
    return text


def _run(row: Row, request: Request) -> dict[str, Any]:
    body = json.loads(row["body"])
    fields = {
        "$schema": _schema(request, "Run"),
        "id": row["id"],
        "task_name": row["task"],
        "status": row["status"],
        "end_reason": row["end_reason"],
        "exit_code": row["exit_code"],
        "created_at": moment(row["created_at"]),
        "start_at": moment(row["started_at"]),
        "end_at": moment(row["ended_at"]),
        "triggered_by": body["triggered_by"],
        "retry_attempt": body.get("retry_attempt", 0),
        "retry_of_run_id": body.get("retry_of_run_id"),
        "replica_index": body.get("replica_index", 0),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _schema(request: Request, name: str) -> str:
    # Not `request.url`: that needs the query to be well formed.
    base = request.base_url
    return f"{base.scheme}://{base.netloc}/schemas/{name}.json"
