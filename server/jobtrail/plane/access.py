"""Checks who calls the Blaxel API: the API key or a token for it, the workspace, `Blaxel-Version`.

Contract: the seed documents, section `Authorizations`; the vendor's introduction for the other headers; `POST
/oauth/token` as the vendor's SDKs call it.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from jobtrail.plane.responses import RequestError, UTF8JSONResponse

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

FIRST_PAGED = "2026-04-28"
KNOWN_VERSIONS = ("2026-04-16", FIRST_PAGED, "2026-09-22")
"""What the vendor's introduction, its documents and its newest SDK name; the first is meant where none is named."""

_TOKEN_LIFE = timedelta(hours=2)
_SHOWN = 40


@dataclass(frozen=True)
class Caller:
    """The caller of a request.

    Attributes:
        workspace: the workspace that the request is for.
        paged: whether lists are paged by cursor in the version that it names.
    """

    workspace: str
    paged: bool


class AccessControl:
    """Checks the API key of requests, and issues tokens for it.

    Args:
        api_key: the key that requests must have; None to require none.
        workspace: the workspace of requests that name none.
        clock: gives the current time for tokens.
    """

    def __init__(self, api_key: str | None, workspace: str, clock: Callable[[], datetime]) -> None:
        self._key = api_key
        self._workspace = workspace
        self._clock = clock
        self._tokens: dict[str, datetime] = {}

    def identify(self, request: Request) -> Caller:
        """Return the caller of a request.

        Raises:
            RequestError: 401, no valid key or token; 400 `invalid_api_version`.
        """
        headers = request.headers
        self._check_key(headers.get("x-blaxel-authorization") or headers.get("authorization") or "")
        version = headers.get("blaxel-version", "").strip() or KNOWN_VERSIONS[0]
        if version not in KNOWN_VERSIONS:
            known = ", ".join(KNOWN_VERSIONS)
            message = f'Unknown API version "{version[:_SHOWN]}". Valid versions: {known}.'
            raise RequestError(400, message, word="invalid_api_version")
        named = headers.get("x-blaxel-workspace") or request.query_params.get("workspace")
        return Caller(named or self._workspace, paged=version >= FIRST_PAGED)

    def _check_key(self, header: str) -> None:
        if self._key is None:
            return
        scheme, _, token = header.partition(" ")
        token = token.strip()
        until = self._tokens.get(token)
        issued = until is not None and self._clock() < until
        if scheme.lower() != "bearer" or not (issued or self._is_key(token)):
            raise RequestError(401, "a valid API key is required")

    async def issue_token(self, request: Request) -> Response:
        """`POST /oauth/token` with client credentials, whose secret is the API key: a token for two hours."""
        if not self._check_credentials(request.headers.get("authorization", "")):
            raise RequestError(401, "client credentials are required")
        if _read_grant(await request.body()) != "client_credentials":
            raise RequestError(400, "grant_type must be client_credentials", word="unsupported_grant_type")
        token, now = secrets.token_urlsafe(24), self._clock()
        living = {one: until for one, until in self._tokens.items() if until > now}
        self._tokens = {**living, token: now + _TOKEN_LIFE}
        seconds = int(_TOKEN_LIFE.total_seconds())
        return UTF8JSONResponse(
            {"access_token": token, "refresh_token": "", "expires_in": seconds, "token_type": "Bearer"}
        )

    def _check_credentials(self, header: str) -> bool:
        scheme, _, credentials = header.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            text = base64.b64decode(credentials.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            return False
        _, colon, secret = text.partition(":")
        return bool(colon) and (self._key is None or self._is_key(secret))

    def _is_key(self, text: str) -> bool:
        return secrets.compare_digest(text.encode(), (self._key or "").encode())


def _read_grant(body: bytes) -> Any:
    try:
        grant = json.loads(body)
    except ValueError:
        return None
    return grant.get("grant_type") if isinstance(grant, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] # JSON objects have string keys
