"""The plane as an ASGI app: both APIs over one store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route

from jobtrail.plane.answers import Refusal
from jobtrail.plane.blaxel import Blaxel
from jobtrail.plane.runwisp import RunWisp
from jobtrail.plane.sample import fill
from jobtrail.plane.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["SamplePlane", "build_plane", "utc_now"]


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


def build_plane(store: Store, *, api_key: str | None = None, clock: Callable[[], datetime] = utc_now) -> ASGIApp:
    """Return the app over a store.

    Args:
        store: what it serves.
        api_key: the key that Blaxel requests must carry; anybody is let in without one.
        clock: what cursors are dated by.
    """
    app = Starlette(
        routes=[
            Mount("/v0", routes=Blaxel(store, api_key, clock).routes()),
            Mount("/api", routes=RunWisp(store).routes()),
            Route("/healthz", _healthy),
        ],
        exception_handlers={Refusal: _refused, 404: _not_found, 405: _not_found},
    )
    return _Labelled(app) if store.meta("sample") else app


def _healthy(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


def _refused(request: Request, refusal: Exception) -> Response:
    """Answer a refusal in the words of the API that was asked."""
    if not isinstance(refusal, Refusal):
        raise refusal
    if _of_runwisp(request):
        body: dict[str, Any] = {
            "title": refusal.error,
            "status": refusal.status,
            "detail": str(refusal),
            **refusal.body,
        }
        return JSONResponse(body, refusal.status, media_type="application/problem+json")
    return JSONResponse({"error": refusal.error, "code": refusal.status, "message": str(refusal)}, refusal.status)


def _not_found(request: Request, _error: Exception) -> Response:
    word = "Not Found" if _of_runwisp(request) else "not_found"
    return _refused(request, Refusal(404, word, "no such endpoint"))


def _of_runwisp(request: Request) -> bool:
    # Not `request.url`: that needs the query to be well formed.
    return request.scope["path"].startswith("/api/")


class _Labelled:
    """Says in every answer that the data is the sample's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def labelled(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Jobtrail-Data"] = "sample"
            await send(message)

        await self._app(scope, receive, labelled)


class SamplePlane:
    """The plane over the sample workspace, in memory, made when first asked for."""

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock
        self._lock = anyio.Lock()
        self._store: Store | None = None
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; the first makes the sample, in a thread, once."""
        if scope["type"] == "lifespan":
            return
        async with self._lock:
            if self._app is None:
                self._store = await anyio.to_thread.run_sync(self._make)
                self._app = build_plane(self._store, clock=self._clock)
        await self._app(scope, receive, send)

    def _make(self) -> Store:
        store = Store(None)
        fill(store, self._clock())
        return store

    async def aclose(self) -> None:
        """Forget the sample."""
        if self._store is not None:
            self._store.close()
            self._store = self._app = None
