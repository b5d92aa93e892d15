"""What went wrong with a request, as an error that says it and what to do: failures on the way, and status codes."""

from __future__ import annotations

import json
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import httpx2

from jobtrail.errors import (
    NotFound,
    RateLimited,
    Rejected,
    Unauthorized,
    Unreachable,
    UnreadableAnswer,
    UpstreamError,
    UpstreamFault,
)
from jobtrail.masking import mask_text
from jobtrail.text import sanitize_text
from jobtrail.times import parse_http_date

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_REQUEST_IDS = ("x-cf-request-id", "cf-ray", "x-request-id")
_LONGEST_MESSAGE = 4_000
_UNAUTHORIZED, _PROXY_LOGIN, _TOO_MANY, _SERVER_ERROR = 401, 407, 429, 500
_GATEWAY = {502, 503, 504}
"""What a proxy answers when it cannot get to the upstream, which may answer so too."""
_REFUSALS: Mapping[int, tuple[type[UpstreamError], str]] = {
    _UNAUTHORIZED: (Unauthorized, "refused the credentials"),
    403: (Unauthorized, "refused access"),
    404: (NotFound, "has nothing at this address"),
}
_NO_TLS = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"}
"""What OpenSSL calls an answer that is not of TLS."""


def explain_failure(
    error: httpx2.HTTPError, *, subject: str, place: str, proxy: str, settings_advice: str
) -> UpstreamError:
    """Return the error that stands for a request that was not answered, or not to its end.

    Args:
        error: how it failed.
        subject: how the message names the upstream.
        place: how it names the upstream's address.
        proxy: how it names the proxy on the way; empty for none.
        settings_advice: which setting to check.
    """
    if found := next((one for one in _list_causes(error) if isinstance(one, ssl.SSLError)), None):
        problem, advice = _explain_tls(found, settings_advice)
        return Unreachable(problem, subject=subject, where=f" at {place}", advice=advice)
    if proxy and isinstance(error, httpx2.ProxyError | httpx2.ConnectError | httpx2.ConnectTimeout):
        said = sanitize_text(str(error), 100) if isinstance(error, httpx2.ProxyError) else "no connection"
        return Unreachable(
            f"cannot be reached through {proxy}: {said}",
            subject=subject,
            advice=f"check that proxy, or name {place.rpartition('/')[2]} in NO_PROXY",
            retryable=True,
        )
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return Unreachable(
            "cannot be reached: no connection",
            subject=subject,
            where=f" to {place}",
            advice=f"check that it runs, and {settings_advice}",
            retryable=True,
        )
    way = f" (through {proxy})" if proxy else ""
    if isinstance(error, httpx2.TimeoutException):
        # Not retried: the next try would take as long again.
        seconds = error.request.extensions.get("timeout", {}).get("read")
        pause = "in time" if seconds is None else f"for {seconds:g} s"
        return Unreachable(
            f"was reached{way} but sent nothing {pause}",
            subject=subject,
            advice="it is slow or hung, ask again later or for a smaller window",
        )
    if isinstance(error, httpx2.TransportError):
        return Unreachable(
            f"dropped the connection before its answer was complete{way}",
            subject=subject,
            advice="a retry may help",
            retryable=True,
        )
    return UnreadableAnswer(f"sent an answer that HTTP cannot decode ({type(error).__name__})", subject=subject)


def _list_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _explain_tls(error: ssl.SSLError, settings_advice: str) -> tuple[str, str]:
    """Return what is wrong with the encryption of a connection, and what to do about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = sanitize_text(error.verify_message, 150).rstrip(".")
        problem = f"cannot be trusted: its certificate is refused ({why})"
        if "match" in error.verify_message or "not valid for" in error.verify_message:
            return problem, f"use the name that its certificate is for: {settings_advice}"
        if "expired" in error.verify_message:
            return problem, "its certificate has to be renewed"
        return problem, "set SSL_CERT_FILE to a file with the certificate of its authority (PEM)"
    if error.reason in _NO_TLS:
        return "does not speak TLS there: the port is one of plain http", f"write http:// instead: {settings_advice}"
    return (
        f"cannot be reached: TLS failed ({sanitize_text(error.reason or type(error).__name__, 60)})",
        settings_advice,
    )


def make_error(
    response: httpx2.Response,
    body: bytes,
    *,
    subject: str,
    settings_advice: str,
    proxy: str = "",
    is_login: bool = False,
) -> UpstreamError:
    """Return the error that stands for an upstream's status code.

    Args:
        response: for its status and headers.
        body: its body as far as read; any of the documented error shapes, or anything else.
        subject: how the message names the upstream.
        settings_advice: which setting to check when credentials are refused.
        proxy: how the message names the proxy on the way; empty for none.
        is_login: whether it answers a log-in. What was sent was secrets, and an upstream may echo them, so that
            nothing is quoted.
    """
    wait = _read_retry_after(response)
    is_signed = is_login or "authorization" in response.request.headers
    kind, problem, advice = _explain_status(response.status_code, settings_advice, wait, is_signed=is_signed)
    if proxy and response.status_code == _PROXY_LOGIN:
        problem, advice = (
            f"cannot be reached through {proxy}, which wants a log-in",
            "put its user and password there",
        )
    elif proxy and response.status_code in _GATEWAY:
        problem, advice = f"failed, or cannot be reached through {proxy}", "a retry may help"
    retryable = kind in {RateLimited, UpstreamFault}
    # Of refused credentials there is nothing else to say.
    is_quoted = not is_login and response.status_code != _UNAUTHORIZED
    return kind(
        problem,
        subject=subject,
        advice=advice,
        status=response.status_code,
        request_id=_read_request_id(response),
        said=_read_message(response, body) if is_quoted else "",
        retryable=retryable,
        retry_after=wait if retryable else None,
    )


def _explain_status(
    status: int, settings_advice: str, wait: float | None, *, is_signed: bool
) -> tuple[type[UpstreamError], str, str]:
    """Return the error that a status code means, what is wrong, and what to do about it."""
    if status in _REFUSALS:
        kind, problem = _REFUSALS[status]
        if status == _UNAUTHORIZED and not is_signed:
            problem = "wants credentials, and none were given"
        return kind, problem, settings_advice
    if status == _TOO_MANY:
        pause = f"wait {wait:.0f} s" if wait is not None else "wait a little"
        return RateLimited, "limits its callers", f"{pause} and make the same call again"
    if status >= _SERVER_ERROR:
        return UpstreamFault, "failed", "that is the upstream's fault, a retry may help"
    return Rejected, "refused the request", "the same call will be refused again, change its arguments"


def _read_request_id(response: httpx2.Response) -> str:
    found = next((value for name in _REQUEST_IDS if (value := response.headers.get(name))), "")
    return sanitize_text(_mask_credentials(response, found), 64)


def _read_retry_after(response: httpx2.Response) -> float | None:
    """Return `Retry-After` as seconds from now, from either of its two forms."""
    value = response.headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(int(value)))
    except OverflowError:
        return None
    except ValueError:
        pass
    date = parse_http_date(value)
    return None if date is None else max(0.0, (date - datetime.now(UTC)).total_seconds())


def _read_message(response: httpx2.Response, body: bytes) -> str:
    """Return the upstream's own words, safe, clipped, without secrets; nothing where the body is no JSON or text."""
    kind = response.headers.get("content-type", "")
    if kind.startswith("text/plain"):
        found = body.decode(errors="replace")
    elif "json" in kind:
        try:
            found = _find_message(json.loads(body))
        except (ValueError, RecursionError):
            found = None
    else:
        found = None
    # Cut before it is masked, since that takes time in proportion to a text.
    return sanitize_text(mask_text(_mask_credentials(response, found[:_LONGEST_MESSAGE])), 200) if found else ""


def _mask_credentials(response: httpx2.Response, text: str) -> str:
    """Return text without the credentials of its request, which some upstreams echo."""
    secret = response.request.headers.get("authorization", "").rpartition(" ")[2]
    return text.replace(secret, "…") if secret else text


def _find_message(body: Any) -> str | None:
    """Find the message in Blaxel's three error shapes, or in problem+json (RFC 9457)."""
    if not isinstance(body, dict):
        return None
    fields = cast("dict[str, Any]", body)
    inner = fields.get("error")
    if isinstance(inner, dict):
        return _find_message(inner)
    parts = [fields.get("message") or fields.get("detail") or inner or fields.get("title")]
    errors = fields.get("errors")
    if isinstance(errors, list):
        parts += [_find_message(one) for one in cast("list[Any]", errors)[:3]]
    return "; ".join(part for part in parts if isinstance(part, str)) or None
