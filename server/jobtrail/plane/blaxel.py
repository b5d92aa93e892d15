"""The Blaxel endpoints: `/v0/jobs` and what lies below.

Contract: the seed documents blaxel-*.txt, and the vendor's spec for `GET /jobs/{jobId}`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import Route

from jobtrail.plane.access import Access
from jobtrail.plane.answers import Refusal
from jobtrail.plane.cursors import open_cursor, seal_cursor
from jobtrail.plane.store import Query, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

    from jobtrail.plane.store import Key, Row, Store

__all__ = ["Blaxel"]

FIRST_PAGED = "2026-04-28"
KNOWN_VERSIONS = (FIRST_PAGED, "2026-05-28", "2026-07-14", "2026-09-22")
DEPLOYMENTS = (
    "DELETING", "TERMINATED", "FAILED", "DEACTIVATED", "DEACTIVATING",
    "UPLOADING", "BUILDING", "DEPLOYING", "DEPLOYED", "BUILT",
)  # fmt: skip
_SORTS = ("createdAt:desc", "createdAt:asc", "name:asc", "name:desc")
_SHORTEST_Q, _LONGEST_Q = 2, 200
_MASK = "***"


@dataclass(frozen=True)
class _List:
    """A list request, read and checked."""

    query: Query
    paged: bool
    bound_to: tuple[str, ...]
    from_end: bool = False
    statuses: tuple[str, ...] = ()


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
            Route("/oauth/token", self._access.token, methods=["POST"]),
        ]

    def jobs(self, request: Request) -> Response:
        """`GET /jobs`: cursor, limit 50 (200), sort, q, anchor, status."""
        workspace = self._enter(request)
        asked = self._list(request, workspace, 50, 200, of_jobs=True)
        if not asked.paged:
            rows = self._store.jobs(workspace, Query("createdAt", descending=True, limit=-1))
            return JSONResponse([_job(row) for row in rows])
        return self._page(
            asked,
            lambda query: self._store.jobs(workspace, query, asked.statuses),
            _job,
            lambda row: (row["created_at"], row["name"]),
            self._store.count_jobs(workspace),
        )

    def job(self, request: Request) -> Response:
        """`GET /jobs/{jobId}`; `show_secrets` is ignored, the plane keeps no secret values."""
        workspace = self._enter(request)
        self._version(request)
        return JSONResponse(_job(self._job_row(workspace, request)))

    def executions(self, request: Request) -> Response:
        """`GET /jobs/{jobId}/executions`: limit 20 (100), offset (legacy), cursor, sort, q."""
        workspace = self._enter(request)
        job = self._job_row(workspace, request)["name"]
        asked = self._list(request, workspace, 20, 100)
        if not asked.paged:
            query = Query(
                "createdAt", descending=True, limit=asked.query.limit, offset=_whole(request, "offset", 0, 0)
            )
            return JSONResponse([_execution(row) for row in self._store.executions(workspace, job, query)])
        return self._page(
            asked,
            lambda query: self._store.executions(workspace, job, query),
            _execution,
            lambda row: (row["created_at"], row["id"]),
            self._store.count_executions(workspace, job),
        )

    def execution(self, request: Request) -> Response:
        """`GET /jobs/{jobId}/executions/{executionId}`: with the runtime state of every task."""
        workspace = self._enter(request)
        self._version(request)
        row = self._execution_row(workspace, request)
        return JSONResponse({**_execution(row), "tasks": [_task(task) for task in self._store.all_tasks(row["key"])]})

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

        return self._page(asked, lambda query: self._store.tasks(row["key"], query), _task, key, row["total"])

    def _enter(self, request: Request) -> str:
        """Check the key, and return the workspace: of the header, of the query, or the store's own."""
        self._access.check(request)
        named = request.headers.get("x-blaxel-workspace") or request.query_params.get("workspace")
        return named or self._store.workspace

    def _version(self, request: Request) -> bool:
        """Return whether the version header asks for the paged contract; unknown versions are refused."""
        version = request.headers.get("blaxel-version", "").strip()
        if version and version not in KNOWN_VERSIONS:
            raise Refusal(400, "invalid_api_version", f"unknown API version; known: {', '.join(KNOWN_VERSIONS)}")
        return bool(version)

    def _list(self, request: Request, workspace: str, default: int, most: int, *, of_jobs: bool = False) -> _List:
        """Read the parameters; the older contract has but `limit`, and checks `status` without filtering by it."""
        paged, params = self._version(request), request.query_params
        limit = min(_whole(request, "limit", default, 1), most)
        statuses = _statuses(params.get("status", "")) if of_jobs else ()
        if not paged:
            return _List(Query("createdAt", descending=True, limit=limit), paged, ())
        sort = params.get("sort") or _SORTS[0]
        if sort not in _SORTS:
            raise Refusal(400, "bad_request", f"sort must be one of {', '.join(_SORTS)}")
        q = _search(params.get("q", ""))
        cursor = params.get("cursor", "")
        from_end = of_jobs and _from_end(params.get("anchor"), sort, cursor)
        # Not `request.url.path`: that needs the rest of the URL to be well formed.
        bound_to = (workspace, request.scope["path"], sort, q, ",".join(statuses))
        key, _, direction = sort.partition(":")
        query = Query("name" if key == "name" else "createdAt", descending=direction == "desc", limit=limit, q=q)
        if cursor:
            now = self._clock().timestamp()
            query = replace(query, after=open_cursor(self._secret, bound_to, cursor, now))
        return _List(query, paged, bound_to, from_end, statuses)

    @property
    def _secret(self) -> str:
        return self._store.meta("cursor_key") or ""

    def _page(
        self,
        asked: _List,
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
        return JSONResponse({"data": [shape(row) for row in rows], "meta": meta})

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


def _whole(request: Request, name: str, default: int, least: int) -> int:
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) < least:
        raise Refusal(400, "bad_request", f"{name} must be a whole number from {least} on")
    return int(text)


def _search(text: str) -> str:
    """Read `q`: trimmed and lowercased; what is too short does not filter."""
    q = text.strip().lower()
    if len(q) > _LONGEST_Q:
        raise Refusal(400, "bad_request", f"q must have at most {_LONGEST_Q} characters")
    return q if len(q) >= _SHORTEST_Q else ""


def _statuses(text: str) -> tuple[str, ...]:
    """Read the status filter of `/jobs`; all of them together are the same as none."""
    words = {word.strip().upper() for word in text.split(",") if word.strip()}
    if words - set(DEPLOYMENTS):
        raise Refusal(400, "bad_request", f"status must be among {', '.join(DEPLOYMENTS)}")
    return () if words == set(DEPLOYMENTS) else tuple(sorted(words))


def _from_end(anchor: str | None, sort: str, cursor: str) -> bool:
    if anchor is None:
        return False
    if anchor != "end" or not sort.startswith("createdAt") or cursor:
        raise Refusal(400, "bad_request", "anchor can be end, with a createdAt sort and no cursor")
    return True


def _job(row: Row) -> dict[str, Any]:
    body = json.loads(row["body"])
    for env in body["spec"].get("runtime", {}).get("envs", []):
        if env.get("secret"):
            env["value"] = _MASK
    metadata = {
        **body["metadata"],
        "name": row["name"],
        "workspace": row["workspace"],
        "createdAt": moment(row["created_at"]),
        "updatedAt": moment(row["updated_at"]),
    }
    return {"metadata": metadata, "spec": body["spec"], "status": row["status"], "events": body.get("events", [])}


def _execution(row: Row) -> dict[str, Any]:
    spec = json.loads(row["body"])
    if "envOverride" in spec:
        spec["envOverride"] = dict.fromkeys(spec["envOverride"], _MASK)
    metadata = {
        "id": row["id"],
        "job": row["job"],
        "workspace": row["workspace"],
        "createdAt": moment(row["created_at"]),
        "updatedAt": moment(row["updated_at"]),
        "startedAt": moment(row["started_at"]),
        "completedAt": moment(row["ended_at"]),
    }
    stats = {name: row[name] for name in ("total", "success", "failure", "running", "cancelled", "retried")}
    return {"metadata": _present(metadata), "spec": spec, "stats": stats, "status": row["status"]}


def _task(row: Row) -> dict[str, Any]:
    metadata = {
        "name": row["name"],
        "createdAt": moment(row["created_at"]),
        "scheduledAt": moment(row["created_at"]),
        "updatedAt": moment(row["updated_at"]),
        "startedAt": moment(row["started_at"]),
        "completedAt": moment(row["ended_at"]),
    }
    return {
        "metadata": _present(metadata),
        "spec": json.loads(row["spec"] or "{}"),
        "status": row["status"],
        "conditions": json.loads(row["conditions"] or "[]"),
    }


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
