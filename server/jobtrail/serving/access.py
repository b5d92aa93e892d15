"""Who may reach an HTTP server: Host, Origin and a bearer token are checked before anything is passed on.

Host and Origin are always checked (DNS rebinding); off loopback a token is required too.
"""

from __future__ import annotations

import hmac
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse

from jobtrail.errors import SettingsError
from jobtrail.settings import is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from jobtrail.settings import Settings

_AUTHORITY = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True)
class HttpBind:
    """Where to listen, which Host values to accept, and the token to ask for."""

    host: str
    port: int
    hosts: tuple[str, ...]
    token: str | None

    @classmethod
    def for_transport(cls, host: str, port: int, settings: Settings) -> HttpBind:
        """Return the bind for an MCP transport.

        Raises:
            SettingsError: off loopback without `JOBTRAIL_AUTH_TOKEN`.
        """
        token = settings.auth_token.get_secret_value() if settings.auth_token else None
        if not is_loopback(host) and not token:
            raise SettingsError(
                f"--host {host} is reachable from other machines, and whoever reaches this server can read your "
                "jobs: set JOBTRAIL_AUTH_TOKEN, or listen on 127.0.0.1"
            )
        return cls(host, port, (*_LOOPBACK_NAMES, bracket_ipv6(host), *settings.allowed_hosts), token)

    @classmethod
    def for_loopback(cls, host: str, port: int, settings: Settings) -> HttpBind:
        """Return the bind for the plane, which has no log-in of its own.

        Raises:
            SettingsError: not a loopback address.
        """
        if not is_loopback(host):
            raise SettingsError(f"--host {host}: the plane has no log-in, so it listens on loopback only")
        return cls(host, port, (*_LOOPBACK_NAMES, *settings.allowed_hosts), None)

    def make_security(self) -> TransportSecuritySettings:
        """Return what the SDK checks Host and Origin against: each name with any port."""
        names = [name for host in self.hosts for name in _allow_any_port(host)]
        return TransportSecuritySettings(
            enable_dns_rebinding_protection=True,
            allowed_hosts=names,
            allowed_origins=[f"{scheme}://{name}" for name in names for scheme in ("http", "https")],
        )


def _allow_any_port(host: str) -> tuple[str, ...]:
    """Return a name with a port as it is, one without also with any port."""
    return (host,) if ":" in host.rpartition("]")[2] else (host, f"{host}:*")


def bracket_ipv6(host: str) -> str:
    """Return a host as it is written in an address."""
    return f"[{host.strip('[]')}]" if ":" in host else host


class AccessMiddleware:
    """ASGI middleware: Host and Origin first, then the token; `GET /healthz` needs none."""

    def __init__(self, app: ASGIApp, bind: HttpBind) -> None:
        self._app = app
        self._token = bind.token
        self._security = TransportSecurityMiddleware(bind.make_security())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 421, 403 or 401, or `ok`, or pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        refusal = _refuse_malformed(request) or await self._security.validate_request(request)
        if refusal is None and request.url.path == "/healthz":
            refusal = PlainTextResponse("ok\n")
        if refusal is None and not self._has_token(request):
            refusal = PlainTextResponse(
                "send the server's JOBTRAIL_AUTH_TOKEN as Authorization: Bearer\n",
                status_code=401,
                headers={"WWW-Authenticate": "Bearer"},
            )
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        whole = _WholeResponse(send)
        with suppress(ClientDisconnect):
            await self._app(scope, receive, whole.send)
        await whole.end()

    def _has_token(self, request: Request) -> bool:
        if self._token is None:
            return True
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._token.encode())


def _refuse_malformed(request: Request) -> PlainTextResponse | None:
    """Refuse a malformed Host or Origin: the SDK checks only how they begin."""
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    if not _AUTHORITY.fullmatch(host):
        return PlainTextResponse("Invalid Host header", status_code=421)
    if origin is not None and not _AUTHORITY.fullmatch(origin.partition("://")[2]):
        return PlainTextResponse("Invalid Origin header", status_code=403)
    return None


class _WholeResponse:
    """A response that is ended where its app does not: an event stream that stops with the server."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._open = False

    async def send(self, message: Message) -> None:
        """Pass on a message, and note whether another is to come."""
        self._open = message["type"] == "http.response.start" or message.get("more_body", False)
        await self._send(message)

    async def end(self) -> None:
        """End the response."""
        if self._open:
            self._open = False
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
