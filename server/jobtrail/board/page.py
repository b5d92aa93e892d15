"""Serves the board as a web page with one endpoint that calls tools; the URLs of both contain a secret key.

Other users of the machine can reach a loopback port, so the address holds a key that nobody can guess. It is part of
the path rather than a cookie, which every port of a host would share. Host and Origin are checked
by `serving.AccessMiddleware` in front of this.
"""

from __future__ import annotations

import hmac
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    Call = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]

_LARGEST_BODY = 65_536
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",  # the rest of the policy is in the document
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def build_page_app(document: str, key: str, connect: Callable[[], AbstractAsyncContextManager[Call]]) -> Starlette:
    """Return the app: `GET /KEY/` is the board, `POST /KEY/call` calls one tool.

    Args:
        document: the board.
        key: what the address has to hold.
        connect: entered once, for as long as the app runs; gives what calls a tool and answers a CallToolResult as
            the protocol writes it.
    """
    held: list[Call] = []

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        async with connect() as call:
            held.append(call)
            yield

    async def board(request: Request) -> Response:
        return HTMLResponse(document, headers=_HEADERS) if _has_key(request, key) else _refuse_address()

    async def call(request: Request) -> Response:
        if not _has_key(request, key):
            return _refuse_address()
        asked = await _read_call(request)
        if isinstance(asked, str):
            return PlainTextResponse(f"{asked}\n", status_code=400, headers=_HEADERS)
        return JSONResponse(await held[0](*asked), headers=_HEADERS)

    routes = [Route("/{key}/", board), Route("/{key}/call", call, methods=["POST"])]
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: _handle_404})
    # A redirect to the address with a slash would tell a wrong key from a right one.
    app.router.redirect_slashes = False
    return app


def _has_key(request: Request, key: str) -> bool:
    return hmac.compare_digest(request.path_params["key"].encode(), key.encode())


def _refuse_address() -> Response:
    return PlainTextResponse(
        "open the address that jobtrail board printed, with its key\n", status_code=404, headers=_HEADERS
    )


async def _handle_404(_request: Request, _error: Exception) -> Response:
    return _refuse_address()


async def _read_call(request: Request) -> tuple[str, dict[str, Any]] | str:
    """Return the tool and its arguments, or what is wrong with the request."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return "send application/json"
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST_BODY:
                return f"send at most {_LARGEST_BODY:,} bytes"
        asked = json.loads(body)
    except (ValueError, RecursionError, ClientDisconnect):
        return "send JSON"
    match asked:
        case {"name": str(name), "arguments": dict()} if name.isascii():
            return name, cast("dict[str, Any]", asked["arguments"])
        case _:
            return 'send {"name": a tool, "arguments": {…}}'
