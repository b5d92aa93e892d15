"""The transports of MCP: stdio, HTTP+SSE and Streamable HTTP."""

from __future__ import annotations

import logging
import os
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, Literal, cast

import anyio
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError, jsonrpc_message_adapter
from pydantic import ValidationError
from pydantic_core import from_json

from jobtrail.serving import AccessMiddleware, receive_signals
from jobtrail.text import sanitize_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable

    from starlette.types import ASGIApp

    from jobtrail.protocol.server import JobtrailServer
    from jobtrail.serving import HttpBind

logger = logging.getLogger(__name__)


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
        stdin = anyio.wrap_file(TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace"))
        lines = _MessageLines(stdin)
        async with stdio_server(cast("anyio.AsyncFile[str]", lines)) as (received, sent):
            lines.refuse = sent.send
            await server.run_streams(received, sent)
        group.cancel_scope.cancel()


class _MessageLines:
    """Lines of stdin that are messages; what is none is answered here, since the SDK would drop it in silence.

    Attributes:
        refuse: sends an error.
    """

    def __init__(self, stdin: AsyncIterable[str]) -> None:
        self._stdin = stdin
        self.refuse: Callable[[SessionMessage], Awaitable[None]] | None = None

    async def __aiter__(self) -> AsyncIterator[str]:
        async for line in self._stdin:
            error = find_error(line) if line.strip() else None
            if error is None:
                yield line
            elif self.refuse is not None:
                await self.refuse(SessionMessage(error))


def find_error(line: str) -> JSONRPCError | None:
    """Return what a line that is no message is answered with (JSON-RPC 2.0, section 5.1); None for a message.

    A response is never answered: one that does not fit is logged, and left to the SDK, which drops it.
    """
    try:
        message: Any = from_json(line)
    except ValueError as error:
        return _make_error(None, PARSE_ERROR, f"Parse error: {sanitize_text(str(error))}")
    if not isinstance(message, dict):
        return _make_error(None, INVALID_REQUEST, "Invalid request: give one object a line; there are no batches")
    fields = cast("dict[str, Any]", message)
    responds = "method" not in fields and not fields.keys().isdisjoint({"result", "error"})
    identity = fields.get("id")
    fits = isinstance(identity, int | str) and not isinstance(identity, bool)
    if "id" in fields and not fits and not responds:
        return _make_error(None, INVALID_REQUEST, "Invalid request: id must be a text or a whole number")
    try:
        jsonrpc_message_adapter.validate_python(fields, by_name=False)
    except ValidationError:
        if responds:
            logger.warning("dropped a response that is no JSON-RPC")
            return None
        what = 'Invalid request: give jsonrpc "2.0", a method, and params as an object where there are any'
        return _make_error(identity, INVALID_REQUEST, what)
    return None


def _make_error(identity: str | int | None, code: int, message: str) -> JSONRPCError:
    return JSONRPCError(jsonrpc="2.0", id=identity, error=ErrorData(code=code, message=message))


async def _end_on_signal() -> None:
    async for _ in receive_signals():
        # The thread that reads stdin cannot be interrupted, so a clean return would wait for a line.
        os._exit(0)
