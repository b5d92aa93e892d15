"""Authenticates requests to upstreams, as httpx2 auth flows: fixed tokens, and tokens of a log-in.

No secret is ever shown or logged. How one upstream logs in is in its package.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Callable
from math import ceil
from typing import Any

import anyio
import httpx2

from jobtrail.errors import Unauthorized, UnreadableAnswer
from jobtrail.sources.http_errors import make_error

_RENEW_EARLY_SECONDS = 60.0
_REFUSED = 401
_REFUSED_SECONDS = 60.0
_LARGEST_ANSWER = 65_536

Flow = AsyncGenerator[httpx2.Request, httpx2.Response]


def _sign(request: httpx2.Request, token: str) -> httpx2.Request:
    request.headers["Authorization"] = f"Bearer {token}"
    return request


async def _send_response(flow: Flow, response: httpx2.Response) -> httpx2.Request | None:
    """Hand a response to a flow; return its next request, None at its end."""
    try:
        return await flow.asend(response)
    except StopAsyncIteration:
        return None


class Bearer(httpx2.Auth):
    """A fixed token or API key."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def async_auth_flow(self, request: httpx2.Request) -> Flow:
        """Sign the request."""
        yield _sign(request, self._token)


class Login(httpx2.Auth):
    """A token that is fetched when needed, kept until shortly before it ends, and renewed on a 401.

    Attributes:
        clock: seconds that only grow.
    """

    def __init__(self, subject: str, settings_advice: str) -> None:
        self._subject = subject
        self._settings_advice = settings_advice
        self.clock: Callable[[], float] = time.monotonic
        self._token = ""
        self._valid_until = 0.0
        self._login_error: tuple[float, Unauthorized] | None = None
        # Held across the whole log-in, so that parallel calls log in once.
        self._lock = anyio.Lock()

    async def async_auth_flow(self, request: httpx2.Request) -> Flow:
        """Sign the request, logging in first where no token is at hand, and once more after a 401."""
        fresh = False
        while True:
            async with self._lock:
                if not self._token or self.clock() >= self._valid_until:
                    if refusal := self._find_recent_refusal():
                        raise refusal
                    login = self.log_in(request)
                    step = await anext(login)
                    while step is not None:
                        answer = yield step
                        step = await _send_response(login, answer)
                    fresh = True
                used = self._token
            response = yield _sign(request, used)
            if response.status_code != _REFUSED:
                return
            if fresh:
                # A log-in that helps nothing; more of them would only use up what the upstream allows.
                raise self._keep_login_error(
                    Unauthorized("refused a token it had just given", subject=self._subject, status=_REFUSED)
                )
            # The upstream forgot the token: a restart, or it ended early.
            if self._token == used:
                self._token = ""

    def _keep_login_error(self, error: Unauthorized) -> Unauthorized:
        """Keep an error that log-ins of the next minute would end in too; return it as it is raised now."""
        self._token = ""
        self._login_error = (self.clock() + _REFUSED_SECONDS, error)
        return self._add_wait(error, _REFUSED_SECONDS)

    def _find_recent_refusal(self) -> Unauthorized | None:
        """Return the last log-in error while it is recent: RunWisp allows five log-ins in five minutes."""
        until, error = self._login_error or (0.0, None)
        left = until - self.clock()
        return self._add_wait(error, left) if error is not None and left > 0 else None

    def _add_wait(self, error: Unauthorized, seconds: float) -> Unauthorized:
        advice = f"{self._settings_advice}; the next log-in is tried in {ceil(seconds)} s"
        return Unauthorized(
            *error.problem,
            subject=error.subject,
            status=error.status,
            request_id=error.request_id,
            advice=advice,
        )

    def make_unreadable_error(self, what: str) -> UnreadableAnswer:
        """Return the error of a log-in that was answered with something else than documented."""
        return UnreadableAnswer(what, subject=self._subject, advice=self._settings_advice)

    def log_in(self, request: httpx2.Request) -> Flow:
        """Yield the requests of a log-in and end it with `keep_token`."""
        raise NotImplementedError

    async def read_json(self, response: httpx2.Response) -> dict[str, Any]:
        """Return the JSON object that a log-in was answered with.

        Raises:
            UpstreamError: it was refused, or answered with something else.
        """
        content = await self._read_body(response)
        if response.is_error:
            subject = f"{self._subject} (log-in)"
            error = make_error(response, b"", subject=subject, settings_advice=self._settings_advice, is_login=True)
            if isinstance(error, Unauthorized):
                error = self._keep_login_error(error)
            raise error
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise self.make_unreadable_error("answered its log-in with something other than JSON")
        return body  # pyright: ignore[reportUnknownVariableType] # JSON objects have string keys

    async def _read_body(self, response: httpx2.Response) -> bytes:
        """Return the body of an answer that is as small as a log-in's is.

        httpx2 reads it once more after the flow, so what was read is put back.
        """
        if response.is_stream_consumed:
            return await response.aread()
        raw = bytearray()
        async for piece in response.aiter_raw():
            raw += piece
            if len(raw) > _LARGEST_ANSWER:
                await response.aclose()
                raise self.make_unreadable_error("answered its log-in with far too much")
        response.stream = httpx2.ByteStream(bytes(raw))
        response.is_stream_consumed = response.is_closed = False
        return await response.aread()

    def keep_token(self, token: object, seconds: float) -> None:
        """Keep a token for a number of seconds, less a minute.

        Raises:
            UnreadableAnswer: it is no token.
        """
        if not isinstance(token, str) or not token or not (token.isascii() and token.isprintable()):
            raise self.make_unreadable_error("answered its log-in without a token")
        self._token = token
        self._valid_until = self.clock() + max(seconds - _RENEW_EARLY_SECONDS, 1.0)
