"""The transports of MCP: stdio, HTTP+SSE and Streamable HTTP."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

import anyio

from jobtrail.serving import AccessMiddleware, receive_signals

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from jobtrail.protocol.server import JobtrailServer
    from jobtrail.serving import HttpBind


def build_http_app(server: JobtrailServer, transport: Literal["sse", "http"], bind: HttpBind) -> ASGIApp:
    """Return the ASGI app of an HTTP transport: `/sse` with `/messages/`, or `/mcp`; and `/healthz`."""
    if transport == "sse":
        sse = server.sse_app(transport_security=bind.make_security(), host=bind.host)
        sse.router.lifespan_context = lambda _app: server.share_state()
        return AccessMiddleware(sse, bind)
    # Stateless: any replica can answer any request, and old clients need no sticky routing.
    app = server.streamable_http_app(stateless_http=True, transport_security=bind.make_security(), host=bind.host)
    return AccessMiddleware(app, bind)


def serve_stdio(server: JobtrailServer) -> int:
    """Serve over stdin and stdout until the input closes, SIGINT or SIGTERM; return the exit code."""
    anyio.run(_serve_stdio, server)
    return 0


async def _serve_stdio(server: JobtrailServer) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(_end_on_signal)
        await server.run_stdio_async()
        group.cancel_scope.cancel()


async def _end_on_signal() -> None:
    async for _ in receive_signals():
        # The thread that reads stdin cannot be interrupted, so a clean return would wait for a line.
        os._exit(0)
