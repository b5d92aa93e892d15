"""The plane as an ASGI app: both APIs over one store."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route

from jobtrail.plane.blaxel.routes import BlaxelRoutes
from jobtrail.plane.openapi import OpenAPIRoutes, build_schema_url
from jobtrail.plane.responses import RequestError
from jobtrail.plane.runwisp.routes import RunWispRoutes
from jobtrail.store.faults import StoreError, explain_faults

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from jobtrail.store.store import Store


logger = logging.getLogger(__name__)


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


def build_plane(
    store: Store,
    *,
    api_key: str | None = None,
    clock: Callable[[], datetime] = utc_now,
    raises: bool = False,
) -> ASGIApp:
    """Return the app over a store.

    Args:
        store: the store that it serves.
        api_key: the key that Blaxel requests must have; None to require none.
        clock: gives the current time for cursors and tokens.
        raises: whether a store that cannot be read is raised as a `StoreError`, and not only answered with 500.
    """
    app = Starlette(
        routes=[
            Mount("/v0", routes=BlaxelRoutes(store, api_key, clock).routes()),
            Mount("/api", routes=RunWispRoutes(store).routes()),
            Route("/healthz", _get_health),
            *OpenAPIRoutes(locked=api_key is not None).routes(),
        ],
        middleware=[
            Middleware(_EncodedSlashMiddleware),
            Middleware(_StoreFaultMiddleware, path=store.path, raises=raises),
        ],
        exception_handlers={
            RequestError: _answer_refusal,
            404: _answer_not_found,
            405: _answer_not_allowed,
        },
    )
    return _SampleHeaderMiddleware(app) if store.read_meta("sample") else app


def _get_health(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


def _answer_refusal(request: Request, refusal: Exception) -> Response:
    """Return an error response in the format of the API that the request is for."""
    if not isinstance(refusal, RequestError):
        raise refusal
    status, message, name = refusal.status, str(refusal), refusal.word or HTTPStatus(refusal.status).phrase
    # Not `request.url`: that needs the query to be well formed.
    if not request.scope["path"].startswith("/api/"):
        word = name.lower().replace(" ", "_")
        return JSONResponse({"error": word, "code": status, "message": message}, status)
    schema = {"$schema": build_schema_url(request, "ErrorModel")}
    problem = {**schema, "title": name, "status": status, "detail": message, **refusal.body}
    return JSONResponse(problem, status, media_type="application/problem+json")


def _answer_not_found(request: Request, _error: Exception) -> Response:
    return _answer_refusal(request, RequestError(404, "no such endpoint"))


def _answer_not_allowed(request: Request, error: Exception) -> Response:
    response = _answer_refusal(request, RequestError(405, "the plane is not written to"))
    if isinstance(error, HTTPException):
        response.headers.update(error.headers or {})
    return response


class _StoreFaultMiddleware:
    """Answers 500 where the store cannot be read, and ends an answer that has begun."""

    def __init__(self, app: ASGIApp, path: Path | None, *, raises: bool) -> None:
        self._app = app
        self._path = path
        self._raises = raises

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            with explain_faults(self._path, "read"):
                await self._app(scope, receive, watched)
        except StoreError as error:
            if self._raises:
                raise
            logger.warning("%s", error)
            if not begun:
                # What is wrong may hold a path, and is no matter of the client's.
                refusal = RequestError(500, "the store could not be read")
                await _answer_refusal(Request(scope), refusal)(scope, receive, send)


class _EncodedSlashMiddleware:
    """Answers 404 to a name with an encoded slash: decoded, it would match another path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw: bytes = scope.get("raw_path") or b""
        if scope["type"] == "http" and b"%2f" in raw.lower() and scope["path"].startswith("/v0/"):
            await _answer_not_found(Request(scope), HTTPException(404))(scope, receive, send)
            return
        await self._app(scope, receive, send)


class _SampleHeaderMiddleware:
    """Sets the header `Jobtrail-Data: sample` on every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def labelled(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Jobtrail-Data"] = "sample"
            await send(message)

        await self._app(scope, receive, labelled)
