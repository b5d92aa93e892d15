"""From settings to clients: base URL, transport, auth and headers of each kind of source."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx2

from jobtrail.errors import clean
from jobtrail.settings import BLAXEL_URL, RUNWISP_URL
from jobtrail.sources import auth
from jobtrail.sources.blaxel import Blaxel
from jobtrail.sources.blaxel_pages import VERSION
from jobtrail.sources.embedded import Embedded
from jobtrail.sources.http import Http, HttpLimits
from jobtrail.sources.memory import Memory
from jobtrail.sources.runwisp import RunWisp

if TYPE_CHECKING:
    from jobtrail.settings import SourceSettings
    from jobtrail.sources import Edge

__all__ = ["blaxel", "embedded", "runwisp"]

# Reserved names (RFC 2606): these never leave the process.
_SOCKET_URL = "http://runwisp.invalid"
_PLANE_URL = "http://plane.invalid"
_BLAXEL_HEADERS = {"Blaxel-Version": VERSION}


def blaxel(one: SourceSettings, fingerprint: str, edge: Edge) -> Blaxel:
    """Open a Blaxel workspace: API key, else client credentials, else a device login."""
    base = (one.url or BLAXEL_URL).rstrip("/")
    headers = {**_BLAXEL_HEADERS, **({"X-Blaxel-Workspace": one.workspace} if one.workspace else {})}
    http = _http(one, base, edge.transport, _blaxel_auth(one, base), headers)
    return Blaxel(one.name, http, fingerprint)


def _blaxel_auth(one: SourceSettings, base: str) -> httpx2.Auth | None:
    who, fix = _who(one), _fix(one)
    url = f"{base}/oauth/token"
    if one.api_key:
        return auth.Bearer(one.api_key.get_secret_value())
    if one.client_credentials:
        basic = one.client_credentials.get_secret_value()
        return auth.BlaxelToken(url, {"grant_type": "client_credentials"}, basic=basic, who=who, fix=fix)
    if one.access_token and one.refresh_token:
        grant = {
            "grant_type": "refresh_token",
            "refresh_token": one.refresh_token.get_secret_value(),
            "device_code": one.device_code.get_secret_value() if one.device_code else "",
            "client_id": "blaxel",
        }
        # How long the token still lives is not in the file; a 401 renews it.
        token = (one.access_token.get_secret_value(), 3600.0)
        return auth.BlaxelToken(url, grant, token=token, who=who, fix=fix)
    return auth.Bearer(one.access_token.get_secret_value()) if one.access_token else None


def runwisp(one: SourceSettings, fingerprint: str, edge: Edge) -> RunWisp:
    """Open a RunWisp daemon: its Unix socket, else its address with a token, a password or neither."""
    if one.socket:
        transport = edge.transport or httpx2.AsyncHTTPTransport(uds=one.socket)
        http = replace(_http(one, _SOCKET_URL, transport, None, {}), place=f"the socket {clean(one.socket)}")
        return RunWisp(one.name, http, fingerprint)
    base = (one.url or RUNWISP_URL).rstrip("/")
    signer: httpx2.Auth | None = None
    if one.token:
        signer = auth.Bearer(one.token.get_secret_value())
    elif one.password:
        signer = auth.RunWispLogin(base, one.password.get_secret_value(), who=_who(one), fix=_fix(one))
    return RunWisp(one.name, _http(one, base, edge.transport, signer, {}), fingerprint)


def embedded(one: SourceSettings, fingerprint: str, edge: Edge) -> Embedded:
    """Open the embedded plane in-process, over the store, or over the sample while that is empty."""
    from jobtrail.plane import LocalPlane  # noqa: PLC0415 # only where nothing else is configured

    plane = LocalPlane(edge.store, edge.clock.now)

    class Inside(httpx2.ASGITransport):
        """The way in; a store that cannot be opened is a matter of settings, not of an upstream."""

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            await plane.ready()
            return await super().handle_async_request(request)

    inside = Inside(plane, raise_app_exceptions=False)
    batch = _http(one, f"{_PLANE_URL}/v0", inside, None, _BLAXEL_HEADERS)
    scheduled = _http(one, _PLANE_URL, inside, None, {})
    return Embedded(one.name, fingerprint, batch, scheduled, lambda: plane.sample, plane.aclose)


def _http(
    one: SourceSettings,
    base: str,
    transport: httpx2.AsyncBaseTransport | None,
    signer: httpx2.Auth | None,
    headers: dict[str, str],
) -> Http:
    limits = HttpLimits()
    timeout = httpx2.Timeout(limits.read, connect=limits.connect)
    client = httpx2.AsyncClient(
        base_url=f"{base}/",
        transport=transport,
        auth=signer,
        headers={"Accept": "application/json", **headers},
        timeout=timeout,
        follow_redirects=False,
    )
    # The embedded plane is asked in-process, and its store may be exchanged under it.
    memory = None if one.kind == "embedded" else Memory()
    return Http(client, who=_who(one), fix=_fix(one), limits=limits, memory=memory)


def _who(one: SourceSettings) -> str:
    return f"source {one.name!r}"


def _fix(one: SourceSettings) -> str:
    return f"check {one.origin}"
