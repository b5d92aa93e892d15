"""HTTP GET with timeouts, retries, checks of size and type, and status codes as errors.

Only GET is retried: on connection errors, 429 and 5xx, with jittered backoff, honouring
`Retry-After` in both forms (RFC 9110 section 10.2.3), and never past the caller's deadline.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import anyio
from pydantic_core import from_json

from jobtrail.errors import (
    BadArgument,
    ExcessiveAnswer,
    Rejected,
    Unreachable,
    UnreadableAnswer,
    UpstreamError,
)
from jobtrail.text import count_noun, sanitize_text
from jobtrail.times import parse_http_date
from jobtrail.window import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx2

    from jobtrail.sources.cache import ResponseCache

SAMPLE_HEADER = "Jobtrail-Data"
"""The embedded plane says with this header that it serves its sample workspace."""

_ERROR_BODY = 65_536
_LARGE = 8 * 1024 * 1024
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""A string of JSON. One that does not end reaches to the end of the text, so that each byte is read once."""
# Seconds for which what an answer told of the upstream's clock is taken to be so.
_RECENT = 300.0
# Seconds by which a date of a header is older at most: it has whole seconds, and some servers write it once a second.
_DATE_LAG = 2.0
_NOT_MODIFIED, _CLIENT_ERROR = 304, 400


class _Fetched(NamedTuple):
    """A body, and the `ETag` that it came with; no body where the upstream answered that it has not changed."""

    body: bytes | None
    tag: str


class TaggedAnswer(NamedTuple):
    """The parsed JSON of an answer, and its `ETag` (RFC 9110 section 8.8.3), which is empty where it had none."""

    body: Any
    tag: str


@dataclass(frozen=True)
class HttpLimits:
    """Bounds of one upstream request. Times are seconds, sizes bytes.

    Attributes:
        connect: until there is a connection.
        read: between two pieces of an answer.
        total: for the request with all its retries.
        attempts: tries at most, the first included.
        body: size of an answer at most; an execution with 10,000 inline tasks takes 5 to 10 MB.
        values: objects, lists and what is in them at most; that execution has up to 500,000.
        rows: in a list at most, where no limit was asked for.
        surplus: rows that a page may have beyond its limit.
        backoff: the first wait before a retry; it doubles.
    """

    connect: float = 5.0
    read: float = 20.0
    total: float = 25.0
    attempts: int = 4
    body: int = 32 * 1024 * 1024
    values: int = 750_000
    rows: int = 50_000
    surplus: int = 5_000
    backoff: float = 0.2


@dataclass
class Http:
    """A client of one upstream, which sends only GET.

    Attributes:
        client: carries the base URL, the auth and the transport.
        subject: how errors name the upstream, such as `source 'blaxel'`.
        settings_advice: which setting to check when credentials are refused.
        sample: whether the last answer said that it is sample data.
        cache: keeps answers that will not change any more; None where nothing can be kept without asking again, as of
            the store of this machine, which may be pruned or exchanged.
        place: how errors name its address, such as a socket; empty for the base URL.
        proxy: how errors name the proxy on the way to it; empty if there is none.
        clock: ours.
        ahead: seconds that the upstream's clock was ahead of ours at the last answer that told its time.
        lead: the same in whole seconds; zero while it is not known, and where no difference can be told for sure.
    """

    client: httpx2.AsyncClient
    subject: str
    settings_advice: str
    limits: HttpLimits = field(default_factory=HttpLimits)
    sample: bool = False
    cache: ResponseCache | None = None
    place: str = ""
    proxy: str = ""
    clock: Clock = field(default_factory=Clock)
    ahead: float | None = None
    lead: timedelta = timedelta()
    _answered: float | None = None

    async def get(
        self,
        path: str,
        params: Mapping[str, str | int] | None = None,
        *,
        final: Callable[[Any], bool] | None = None,
    ) -> Any:
        """Return the parsed JSON of a GET.

        Args:
            path: relative to the base URL, already quoted.
            params: the query.
            final: whether an answer will not change any more: one that will not is kept in the cache.

        Raises:
            UpstreamError: in one of its forms; the message names the upstream.
        """
        if self.cache is None or final is None:
            return self._parse((await self._fetch_with_retries(path, params)).body, params)
        key = self.cache.key(path, params)
        held = self.cache.get(key)
        if held is not None:
            return self._parse(held, params)
        body = (await self._fetch_with_retries(path, params)).body
        answer = self._parse(body, params)
        if body and final(answer):
            self.cache.keep(key, body)
        return answer

    async def get_unless(self, path: str, tag: str) -> TaggedAnswer | None:
        """Return the parsed JSON of a GET with its tag; None if what has this tag has not changed.

        Args:
            path: relative to the base URL, already quoted.
            tag: of an earlier answer; empty for none.

        Raises:
            UpstreamError: as `get`.
        """
        fetched = await self._fetch_with_retries(path, None, tag)
        return None if fetched.body is None else TaggedAnswer(self._parse(fetched.body, None), fetched.tag)

    async def _fetch_with_retries(self, path: str, params: Mapping[str, str | int] | None, tag: str = "") -> _Fetched:
        with anyio.move_on_after(self.limits.total):
            try:
                return await self._fetch(path, params, tag)
            except UpstreamError as error:
                if not error.retryable:
                    raise
                return await self._retry(error, path, params, tag)
        what = f"did not answer within {self.limits.total:g} s"
        raise Unreachable(what, subject=self.subject, advice="a retry may help", retryable=True)

    async def _retry(
        self, failed: UpstreamError, path: str, params: Mapping[str, str | int] | None, tag: str
    ) -> _Fetched:
        """Fetch again, after a first attempt that failed."""
        import stamina  # noqa: PLC0415 # few requests need it

        async for attempt in stamina.retry_context(
            on=self._decide_retry,
            attempts=self.limits.attempts,
            timeout=None,
            wait_initial=self.limits.backoff,
            wait_max=self.limits.backoff * 16,
            wait_jitter=self.limits.backoff,
        ):
            with attempt:
                if attempt.num == 1:
                    raise failed
                return await self._fetch(path, params, tag)
        raise failed

    async def _fetch(self, path: str, params: Mapping[str, str | int] | None, tag: str) -> _Fetched:
        import httpx2  # noqa: PLC0415 # a server that is never asked need not load it

        from jobtrail.sources.http_errors import explain_failure, make_error  # noqa: PLC0415 # see httpx2

        sent = self.clock.now()
        headers = {"If-None-Match": tag} if tag else None
        try:
            async with self.client.stream("GET", path, params=params, headers=headers) as response:
                self._compare_clocks(response, sent)
                if tag and response.status_code == _NOT_MODIFIED:
                    return _Fetched(None, tag)
                if response.status_code >= _CLIENT_ERROR:
                    body = await _read_body(response, _ERROR_BODY)
                    raise make_error(
                        response,
                        body,
                        subject=self.subject,
                        settings_advice=self.settings_advice,
                        proxy=self.proxy,
                    )
                self._check_json(response)
                body = await _read_body(response, self.limits.body)
        except httpx2.InvalidURL:
            raise BadArgument(f"the arguments are too long to send to {self.subject}; give shorter ones") from None
        except httpx2.HTTPError as error:
            raise explain_failure(
                error,
                subject=self.subject,
                place=self.address,
                proxy=self.proxy,
                settings_advice=self.settings_advice,
            ) from None
        if len(body) > self.limits.body:
            raise self._make_excess_error(
                ExcessiveAnswer, f"sent more than {self.limits.body // 1024 // 1024} MiB in one answer"
            )
        return _Fetched(body, response.headers.get("etag", ""))

    def _parse(self, body: bytes | None, params: Mapping[str, str | int] | None) -> Any:
        """Return the JSON of a body, unless it would hold up everybody else: nothing else runs while it is parsed."""
        body = body or b""
        if _has_too_many_values(body, self.limits.values):
            raise self._make_excess_error(
                ExcessiveAnswer, f"sent more than {self.limits.values:,} values in one answer"
            )
        try:
            answer = _parse_json(body)
        except (ValueError, RecursionError):
            raise UnreadableAnswer(
                "answered with JSON that does not parse",
                subject=self.subject,
                advice="that is a fault of the upstream or of a proxy before it, a retry may help",
            ) from None
        rows, asked = _count_rows(answer), (params or {}).get("limit")
        if rows > (self.limits.rows if asked is None else int(asked) + self.limits.surplus):
            where = "in one answer" if asked is None else f"where {asked:,} were asked for"
            raise self._make_excess_error(UnreadableAnswer, f"sent {count_noun(rows, 'row')} {where}")
        return answer

    def _make_excess_error(self, kind: type[UnreadableAnswer], what: str) -> UnreadableAnswer:
        return kind(what, subject=self.subject, advice="ask for less with a smaller limit or a narrower window")

    def _check_json(self, response: httpx2.Response) -> None:
        """Refuse what is not JSON before reading it: RunWisp 1.x answers unknown paths with a web page."""
        if response.is_redirect:
            raise Rejected(
                "redirects elsewhere",
                subject=self.subject,
                status=response.status_code,
                advice=self.settings_advice,
            )
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            raise UnreadableAnswer(
                f"answered {sanitize_text(kind, 40) or 'no content type'!r} where JSON was due; its address may "
                "point at a web page or a proxy instead of the API",
                subject=self.subject,
                advice=self.settings_advice,
            )
        self.sample = response.headers.get(SAMPLE_HEADER) == "sample"

    @property
    def address(self) -> str:
        """How errors name its address: without any user name, password or query."""
        url = self.client.base_url
        return self.place or f"{url.scheme}://{url.host}" + (f":{url.port}" if url.port else "")

    def now(self) -> datetime:
        """Return the current time on the upstream's clock, as far as it is known."""
        return self.clock.now() + self.lead

    @property
    def told_lately(self) -> bool:
        """Whether an answer of the last minutes told the upstream's time, if its answers do."""
        return self._answered is not None and time.monotonic() - self._answered < _RECENT

    def _compare_clocks(self, response: httpx2.Response, sent: datetime) -> None:
        """Note how far the upstream's clock is ahead, unless a cache answered (RFC 9111)."""
        self._answered = time.monotonic()
        told = parse_http_date(response.headers.get("date", "")) if "age" not in response.headers else None
        if told is None:
            return
        # It was written between the two moments, by the upstream's clock.
        least, most = (told - self.clock.now()).total_seconds(), (told - sent).total_seconds()
        # The header has whole seconds, so that half of one has passed since, on average.
        self.ahead = (least + most) / 2 + 0.5
        certain = least > 0 or most + _DATE_LAG < 0
        self.lead = timedelta(seconds=round(self.ahead)) if certain else timedelta()

    def _decide_retry(self, error: Exception) -> bool | float:
        """Decide on a retry: no, yes after the backoff, or yes after what the upstream asked for."""
        if not isinstance(error, UpstreamError) or not error.retryable:
            return False
        if error.retry_after is None:
            return True
        left = anyio.current_effective_deadline() - anyio.current_time()
        return error.retry_after if error.retry_after < left else False


def _has_too_many_values(body: bytes, most: int) -> bool:
    """Return whether a JSON text may have more values than that; what stands in strings is looked at only then.

    Each value but the first follows a comma or opens what it is in. In a text that is not large, only commas are
    counted: each sign takes a fifth of the time of parsing, and there is no room for many lists in lists.
    """
    signs = (b",", b"[", b"{") if len(body) > _LARGE else (b",",)
    if sum(map(body.count, signs)) <= most:
        return False
    bare = _STRING.sub(b"", body)
    return sum(map(bare.count, signs)) > most


def _parse_json(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError:
        # Half a surrogate pair and a byte order mark are too much for the faster parser.
        return json.loads(body)


def _count_rows(answer: Any, depth: int = 2) -> int:
    """Return the length of the longest list of an answer, two objects deep at most: `{"job": {"logs": […]}}`."""
    if isinstance(answer, dict) and depth:
        return max((_count_rows(part, depth - 1) for part in cast("dict[str, Any]", answer).values()), default=0)
    return len(cast("list[Any]", answer)) if isinstance(answer, list) else 0


async def _read_body(response: httpx2.Response, most: int) -> bytes:
    """Return the body, or its first `most` bytes and some more where it is longer."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > most:
            break
    return bytes(body)
