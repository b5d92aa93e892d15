"""A RunWisp daemon of the legacy dialect, for clients that look which one they have: a part of the plane."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx2
from mcp import Client
from starlette.responses import HTMLResponse

from jobtrail.plane import build_plane
from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.runwisp.registration import RunWispSettings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from jobtrail.store import Store

__all__ = ["LegacyDaemon", "open_legacy_client"]

_SERVED = re.compile(r"/api/tasks(/[^/]+/runs)?")
_RUNWISP = Settings(sources=(RunWispSettings(name="runwisp"),), default="runwisp")


class LegacyDaemon:
    """Serves what the seed document tells of, and its web page for everything else, as RunWisp does.

    Attributes:
        paths: what was asked for.
    """

    def __init__(self, plane: ASGIApp) -> None:
        self._plane = plane
        self.paths: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.paths.append(scope["path"])
        known = _SERVED.fullmatch(scope["path"])
        await (self._plane if known else HTMLResponse("<!doctype html>"))(scope, receive, send)


def open_legacy_client(store: Store) -> tuple[Client, LegacyDaemon]:
    """Return a client of Jobtrail over such a daemon, and the daemon."""
    daemon = LegacyDaemon(build_plane(store))
    return Client(build_server(_RUNWISP, httpx2.ASGITransport(daemon))), daemon
