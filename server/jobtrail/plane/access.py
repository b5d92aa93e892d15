"""Who may ask the Blaxel side: the API key, or a token got for it.

Contract: the seed documents, section `Authorizations`; `POST /oauth/token` as the vendor's SDKs call it.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from jobtrail.plane.answers import Answer, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["Access"]

_TOKEN_LIFE = timedelta(hours=2)


class Access:
    """The key that requests must carry, and the tokens given out for it.

    Args:
        api_key: anybody is let in without one.
        clock: what tokens are dated by.
    """

    def __init__(self, api_key: str | None, clock: Callable[[], datetime]) -> None:
        self._key = api_key
        self._clock = clock
        self._tokens: dict[str, datetime] = {}

    def check(self, request: Request) -> None:
        """Let the key or a living token pass, as a Bearer of either header.

        Raises:
            Refusal: 401.
        """
        if self._key is None:
            return
        headers = request.headers
        given = headers.get("x-blaxel-authorization") or headers.get("authorization") or ""
        scheme, _, token = given.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not (self._is_key(token) or self._lives(token)):
            raise Refusal(401, "unauthorized", "a valid API key is required")

    async def token(self, request: Request) -> Response:
        """`POST /oauth/token` with client credentials, whose secret is the API key: a token for two hours."""
        if not self._known(request.headers.get("authorization", "")):
            raise Refusal(401, "unauthorized", "client credentials are required")
        if _grant(await request.body()) != "client_credentials":
            raise Refusal(400, "unsupported_grant_type", "grant_type must be client_credentials")
        token, now = secrets.token_urlsafe(24), self._clock()
        living = {one: until for one, until in self._tokens.items() if until > now}
        self._tokens = {**living, token: now + _TOKEN_LIFE}
        seconds = int(_TOKEN_LIFE.total_seconds())
        return Answer({"access_token": token, "refresh_token": "", "expires_in": seconds, "token_type": "Bearer"})

    def _known(self, header: str) -> bool:
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

    def _lives(self, token: str) -> bool:
        until = self._tokens.get(token)
        return until is not None and self._clock() < until


def _grant(body: bytes) -> Any:
    try:
        grant = json.loads(body)
    except ValueError:
        return None
    return grant.get("grant_type") if isinstance(grant, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] # JSON objects have string keys
