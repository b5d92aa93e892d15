"""The transports of MCP: stdio, HTTP+SSE and Streamable HTTP."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from io import TextIOWrapper
from typing import TYPE_CHECKING, Literal, cast

import anyio
from mcp.server.stdio import stdio_server

from jobtrail.protocol.messages import MessageEndpoint, MessageLines, MessageStream
from jobtrail.serving import AccessMiddleware, receive_signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskStatus
    from mcp.server.sse import SseServerTransport
    from starlette.types import ASGIApp, Receive, Scope, Send

    from jobtrail.protocol.server import JobtrailServer
    from jobtrail.serving import HttpBind

_MESSAGES = "/messages/"


def build_http_app(server: JobtrailServer, transport: Literal["sse", "http"], bind: HttpBind) -> ASGIApp:
    """Return the ASGI app of an HTTP transport: `/sse` with `/messages/`, or `/mcp`; and `/healthz`."""
    if transport == "sse":
        return AccessMiddleware(MessageEndpoint(_build_sse_app(server, bind), _MESSAGES, streams=True), bind)
    # Stateless: any replica can answer any request, and old clients need no sticky routing.
    app = server.streamable_http_app(stateless_http=True, transport_security=bind.make_security(), host=bind.host)
    return AccessMiddleware(MessageEndpoint(app, "/mcp", streams=False), bind)


def _build_sse_app(server: JobtrailServer, bind: HttpBind) -> ASGIApp:
    """Return the SDK's SSE app with one state for all connections, and with `MessageStream`."""
    from mcp.server.sse import SseServerTransport  # noqa: PLC0415 # stdio does not need it
    from starlette.applications import Starlette  # noqa: PLC0415 # likewise
    from starlette.routing import Mount, Route  # noqa: PLC0415 # likewise

    transport = SseServerTransport(_MESSAGES, bind.make_security())
    stream = Route("/sse", _SseStream(server, transport), methods=["GET"])
    posts = Mount(_MESSAGES, transport.handle_post_message)
    return Starlette(routes=[stream, posts], lifespan=lambda _app: server.share_state())


@dataclass(frozen=True)
class _SseStream:
    """ASGI app of an SSE connection's stream."""

    server: JobtrailServer
    transport: SseServerTransport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self.transport.connect_sse(scope, receive, send) as (received, sent):
            await self.server.run_streams(MessageStream(received, sent), sent)


def serve_stdio(server: JobtrailServer, announce: Callable[[], None] = lambda: None) -> int:
    """Serve over stdin and stdout until the input closes, SIGINT or SIGTERM; return the exit code.

    Args:
        server: what is served.
        announce: called when it begins, as soon as a signal would end it.
    """
    anyio.run(_serve_stdio, server, announce)
    return 0


async def _serve_stdio(server: JobtrailServer, announce: Callable[[], None]) -> None:
    async with anyio.create_task_group() as group:
        # Before stdin is read: whoever is cancelled then waits for a line.
        await group.start(_end_on_signal)
        announce()
        stdin = anyio.wrap_file(TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace"))
        lines = MessageLines(stdin)
        async with stdio_server(cast("anyio.AsyncFile[str]", lines)) as (received, sent):
            lines.refuse = sent.send
            await server.run_streams(received, sent)
        group.cancel_scope.cancel()


async def _end_on_signal(*, task_status: TaskStatus[None]) -> None:
    async for _ in receive_signals(task_status.started):
        # The thread that reads stdin cannot be interrupted, so a clean return would wait for a line.
        os._exit(0)
