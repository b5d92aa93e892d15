"""Upstreams that behave and misbehave: a scripted one in-process, and a raw TCP server for the wire itself."""

from __future__ import annotations

import json
import re
import socket
import unicodedata
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
from anyio.abc import SocketStream
from mcp import Client

from jobtrail.protocol.app import build_server
from jobtrail.sources.registry import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from pathlib import Path

    from jobtrail.settings import Settings

__all__ = [
    "BLAXEL_HOST",
    "ENVIRON",
    "GOOD",
    "RUNWISP_HOST",
    "SECRETS",
    "Behaviour",
    "Upstream",
    "accept_and_hang",
    "client_of",
    "close_at_once",
    "cut_short",
    "execution_of",
    "html",
    "is_plain",
    "json_of",
    "listening",
    "nobody_listening",
    "page",
    "raw",
    "reply",
    "run_id",
    "run_of",
    "settings_of",
    "task_of",
]

BLAXEL_HOST = "blaxel.test"
RUNWISP_HOST = "runwisp.test"
SECRETS = ("sk-secret-123", "tok-secret-456", "pw-secret-789")
ENVIRON = {
    "BL_API_KEY": "sk-secret-123",
    "BL_WORKSPACE": "ws",
    "BL_API_URL": f"https://admin:pw-secret-789@{BLAXEL_HOST}/v0",
    "RUNWISP_URL": f"http://{RUNWISP_HOST}:9477",
    "RUNWISP_TOKEN": "tok-secret-456",
}
"""Both sources, with a secret in every place that can hold one."""

GOOD: dict[str, tuple[str, dict[str, Any]]] = {
    "blaxel": ("list_executions", {"job": "etl", "source": "blaxel"}),
    "runwisp": ("list_runs", {"job": "backup", "source": "runwisp"}),
}
"""A call that each source answers once it is well."""

START = datetime(2026, 11, 1, tzinfo=UTC)
_TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_ULID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

Answer = Callable[[httpx2.Request], httpx2.Response | None]


def _at(number: int) -> str:
    return (START + timedelta(minutes=number)).isoformat().replace("+00:00", "Z")


def run_id(number: int) -> str:
    """Return a well-formed run id, in the order of its number."""
    high, low = divmod(number, 32)
    return f"01K9Z3V5Q8R2M4N6P7S9T0{_ULID[high // 32 % 32]}{_ULID[high % 32]}{_ULID[low]}0"


def execution_of(number: int, status: str = "succeeded", **fields: Any) -> dict[str, Any]:
    """Return an execution as Blaxel spells it."""
    metadata = {"id": f"exec-{number:04}", "job": "etl", "createdAt": _at(number), "startedAt": _at(number)}
    return {"metadata": metadata, "status": status, "stats": {"total": 2, "success": 2}, "spec": {}, **fields}


def task_of(number: int, status: str = "succeeded", **fields: Any) -> dict[str, Any]:
    """Return a task of an execution as Blaxel spells it."""
    metadata = {"name": f"task-{number:04}", "createdAt": _at(number)}
    return {"metadata": metadata, "status": status, "conditions": [], **fields}


def run_of(number: int, reason: str = "succeeded", **fields: Any) -> dict[str, Any]:
    """Return a run as RunWisp 1.x spells it."""
    return {
        "id": run_id(number), "taskName": "backup", "status": "ended", "endReason": reason, "exitCode": 0,
        "createdAt": _at(number), "startedAt": _at(number), "endedAt": _at(number + 1), "triggeredBy": "cron",
        **fields,
    }  # fmt: skip


def page(rows: list[Any], *, cursor: str = "", total: int | None = None) -> dict[str, Any]:
    """Return a page as Blaxel spells it; there is more exactly when a cursor is given."""
    meta = {"hasMore": bool(cursor), "nextCursor": cursor, "total": len(rows) if total is None else total}
    return {"data": rows, "meta": meta}


def json_of(body: Any, status: int = 200, **headers: str) -> Answer:
    """Return an answer that is always this JSON; a header's `_` stands for `-`."""
    return raw(json.dumps(body).encode(), status, **headers)


def raw(body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> Answer:
    """Return an answer that is always these bytes."""
    written = {"content-type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return lambda _request: httpx2.Response(status, content=body, headers=written)


def html(status: int = 200) -> Answer:
    """Return a web page, as a proxy or RunWisp 1.x sends for what it does not know."""
    text = "<!doctype html><html><body>Sign in</body></html>"
    return lambda _request: httpx2.Response(status, html=text)


class Upstream(httpx2.MockTransport):
    """Blaxel and RunWisp 1.x in one network edge, told apart by host; well until `sick` says otherwise.

    Attributes:
        requests: everything that was asked.
        sick: asked first; what it returns is the answer, None lets the well upstream answer.
        executions, tasks, runs: what there is, newest first.
        largest: rows that a page has at most, whatever was asked for.
    """

    def __init__(self) -> None:
        super().__init__(self._respond)
        self.requests: list[httpx2.Request] = []
        self.sick: Answer | None = None
        self.largest = 1_000
        self.executions = [execution_of(number) for number in reversed(range(3))]
        self.tasks = [task_of(number) for number in reversed(range(3))]
        self.runs = [run_of(number) for number in reversed(range(3))]

    def paths(self) -> list[str]:
        """Return the paths that were asked for, as they went over the wire."""
        return [request.url.raw_path.decode().partition("?")[0] for request in self.requests]

    def _respond(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        if self.sick is not None and (answer := self.sick(request)) is not None:
            return answer
        raw = request.url.raw_path.decode().partition("?")[0]
        known = self._blaxel if request.url.host == BLAXEL_HOST else self._runwisp
        return known(raw, request.url.params)

    def _blaxel(self, path: str, query: httpx2.QueryParams) -> httpx2.Response:
        job = {"metadata": {"name": "etl", "createdAt": _at(0)}, "spec": {}, "status": "DEPLOYED"}
        execution = f"/v0/jobs/etl/executions/{self.executions[0]['metadata']['id']}" if self.executions else ""
        match path:
            case "/v0/jobs":
                return self._page([job], query)
            case "/v0/jobs/etl":
                return httpx2.Response(200, json=job)
            case "/v0/jobs/etl/executions":
                return self._page(self.executions, query)
            case _ if path == execution:
                return httpx2.Response(200, json=self.executions[0])
            case _ if path == f"{execution}/tasks":
                return self._page(self.tasks, query)
            case _:
                return httpx2.Response(404, json={"error": "not_found", "code": 404, "message": "not found"})

    def _page(self, rows: list[dict[str, Any]], query: httpx2.QueryParams) -> httpx2.Response:
        known = re.fullmatch(r"at-([0-9]{1,9})", query.get("cursor", "at-0"))
        if known is None:
            return httpx2.Response(400, json={"error": "invalid_cursor", "code": 400, "message": "invalid cursor"})
        start, size = int(known[1]), min(int(query.get("limit", 50)), self.largest)
        rest = rows[start : start + size]
        cursor = f"at-{start + size}" if start + size < len(rows) else ""
        return httpx2.Response(200, json=page(rest, cursor=cursor, total=len(rows)))

    def _runwisp(self, path: str, query: httpx2.QueryParams) -> httpx2.Response:
        found = {f"/api/runs/{run['id']}": run for run in self.runs}
        if path == "/api/tasks":
            return httpx2.Response(200, json={"items": [{"name": "backup", "kind": "task", "cron": "0 3 * * *"}]})
        if path == "/api/runs":
            return self._runs(query)
        if path in found:
            return httpx2.Response(200, json=found[path])
        if path.removesuffix("/log") in found:
            return httpx2.Response(200, json={"lines": [{"n": 0, "text": "all well"}], "totalLines": 1})
        if re.fullmatch(r"/api/runs/[^/]+", path):
            return httpx2.Response(404, json={"title": "Not Found", "detail": "run not found"})
        return httpx2.Response(200, html="<!doctype html><title>RunWisp</title>")

    def _runs(self, query: httpx2.QueryParams) -> httpx2.Response:
        # Times of one form sort as text; bounds arrive with nanoseconds.
        before = (query.get("createdBefore") or "9999").partition(".")[0].removesuffix("Z")
        rows = [run for run in self.runs if run["createdAt"].removesuffix("Z") <= before]
        if words := query.get("status"):
            rows = [run for run in rows if run["endReason"] in words.split(",")]
        if task := query.get("taskName"):
            rows = [run for run in rows if run["taskName"] == task]
        after = (query.get("createdAfter") or "").partition(".")[0].removesuffix("Z")
        rows = [run for run in rows if run["createdAt"].removesuffix("Z") >= after]
        if query.get("sortDirection") == "asc":
            rows = rows[::-1]
        start, size = int(query.get("offset", 0)), min(int(query.get("limit", 50)), self.largest)
        return httpx2.Response(200, json={"items": rows[start : start + size] or None, "total": len(rows)})


def is_plain(line: str) -> bool:
    """Return whether a line stays where and what it seems: no control, separator, surrogate or direction in it."""
    unseen = {"Cc", "Cs", "Zl", "Zp"}
    return not [c for c in line if unicodedata.category(c) in unseen or unicodedata.bidirectional(c) in _TURNS]


def settings_of(home: Path, **changes: str | None) -> Settings:
    """Return settings of both sources; a change to None drops a variable."""
    environ: Mapping[str, str | None] = {**ENVIRON, **changes}
    return load_settings({name: value for name, value in environ.items() if value is not None}, home)


def client_of(home: Path, transport: httpx2.AsyncBaseTransport | None, **changes: str | None) -> Client:
    """Return a client of a server over both sources, or over what the changes leave of them."""
    return Client(build_server(settings_of(home, **changes), transport))


Behaviour = Callable[[SocketStream], Awaitable[None]]


async def _asked(stream: SocketStream) -> None:
    """Read one request's head, so that an answer is an answer to it."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += await stream.receive()


async def _send(sent: bytes, stream: SocketStream) -> None:
    await _asked(stream)
    await stream.send(sent)


def _head(length: int, kind: str) -> bytes:
    lines = ("HTTP/1.1 200 OK", f"Content-Type: {kind}", f"Content-Length: {length}", "Connection: close", "", "")
    return "\r\n".join(lines).encode()


def reply(body: bytes, kind: str = "application/json") -> Behaviour:
    """Return the behaviour of a sound upstream that says one thing."""
    return partial(_send, _head(len(body), kind) + body)


def cut_short(body: bytes, sent: int) -> Behaviour:
    """Return the behaviour of an upstream that closes the connection before it has sent its whole body."""
    return partial(_send, _head(len(body), "application/json") + body[:sent])


async def close_at_once(stream: SocketStream) -> None:
    """Read a request and close the connection without a word."""
    await _asked(stream)


async def accept_and_hang(stream: SocketStream) -> None:
    """Read a request and never answer it."""
    await _asked(stream)
    await anyio.sleep_forever()


@dataclass
class Listener:
    """A listening server: where, how often it was called, and how it behaves by then (the last for ever)."""

    url: str
    behaviours: tuple[Behaviour, ...]
    connections: int = 0


@asynccontextmanager
async def listening(*behaviours: Behaviour) -> AsyncGenerator[Listener]:
    """Listen on a free loopback port; connection number i meets behaviour number i."""
    async with AsyncExitStack() as stack:
        listener = await stack.enter_async_context(await anyio.create_tcp_listener(local_host="127.0.0.1"))
        port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 # no Django here
        server = Listener(f"http://127.0.0.1:{port}", behaviours)

        async def handle(stream: SocketStream) -> None:
            async with stream:
                number = min(server.connections, len(server.behaviours) - 1)
                server.connections += 1
                # A client may leave before it has heard everything.
                with suppress(anyio.BrokenResourceError, anyio.EndOfStream):
                    await server.behaviours[number](stream)

        group = await stack.enter_async_context(anyio.create_task_group())
        group.start_soon(listener.serve, handle)
        yield server
        group.cancel_scope.cancel()


def nobody_listening() -> str:
    """Return the address of a loopback port that was free just now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
