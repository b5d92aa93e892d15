"""The cursor: everything that continues a page, in one short URL-safe token.

Layout, parts joined by `.`: `1` (the version) with base64url of four checksum bytes and the deflated
JSON of the call; the upstream's own cursor, or nothing; when that was minted; how many items were
scanned and matched; then each part of the spot. What is URL-safe
already is not encoded again, since an agent must copy every character.

It is stateless, so any replica continues it, and unsigned, so nothing in it is trusted: its
arguments re-enter through the same validation as fresh ones.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import zlib
from dataclasses import dataclass
from typing import Any

from jobtrail.errors import MalformedCursor, WrongCursor
from jobtrail.models import Call
from jobtrail.paging import Spot

__all__ = ["Cursor", "seal", "unseal"]

_VERSION = "1"
_MOST_CHARS = 32_768
_MOST_PAYLOAD = 16_384
_MOST_DIGITS = 16
_URL_SAFE = re.compile(r"[A-Za-z0-9_\-=]*")
_NUMBER, _ENCODED = "~", "~~"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
# Words a cursor usually holds, least likely first. Changing this is a new version.
_DICTIONARY = (
    b'"search":"name:asc""name:desc""from_end":true"kind":"unknown,skipped,queued,running,cancelled,succeeded"'
    b'"query":""until":"2026-"source":"blaxel""runwisp""embedded",{"execution":"exec-"task":""job":"'
    b'"sort":"created_at:asc""created_at:desc""status":"failed,timeout""since":"2026-01-02T00:00:00Z"'
    b'","limit":20},["list_jobs","list_runs","list_tasks","list_executions","'
)


Args = dict[str, str | int | bool]


@dataclass(frozen=True)
class Cursor:
    """What a cursor carries.

    Attributes:
        tool: the tool that continues it.
        source: the configured name of its source.
        fingerprint: which upstream that name stood for.
        minted: Unix seconds at which the upstream's own cursor was obtained.
        args: the normalised arguments of the walk.
        scanned: items read so far.
        matched: items that matched so far.
        spot: where the walk goes on.
    """

    tool: str
    source: str
    fingerprint: str
    minted: int
    args: Args
    scanned: int
    matched: int
    spot: Spot


def seal(cursor: Cursor) -> str:
    """Return the token for a cursor."""
    fields = [cursor.tool, cursor.source, cursor.fingerprint, cursor.args]
    minted = cursor.minted if cursor.spot.upstream else 0
    parts = (cursor.spot.upstream, minted, cursor.scanned, cursor.matched, *cursor.spot.detail)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=_DICTIONARY)
    payload = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")
    packed = packer.compress(payload) + packer.flush()
    tail = "".join("." + _written(part) for part in parts)
    return _VERSION + _b64(_check(packed, tail) + packed) + tail


def unseal(token: str, tool: str) -> Cursor:
    """Open a token that `tool` was given.

    Raises:
        MalformedCursor: not a cursor, cut short, or altered.
        WrongCursor: minted by another version, or for another tool.
    """
    token = token.strip()
    head, dot, rest = token.partition(".")
    if len(token) > _MOST_CHARS or not re.fullmatch(r"[A-Za-z0-9_\-]{12,}", head):
        raise _malformed(tool)
    if head[0] != _VERSION:
        raise WrongCursor(
            f"this cursor was made by another version of Jobtrail; call {tool} again with the arguments "
            "of the first page and no cursor"
        )
    fields = _payload(head[1:], dot + rest, tool)
    try:
        cursor = _read(fields, [_part(text) for text in rest.split(".")])
    except (TypeError, ValueError) as error:
        raise _malformed(tool) from error
    if cursor.tool != tool:
        raise WrongCursor(
            f"this cursor continues {cursor.tool}, not {tool}; call ", Call(cursor.tool, {"cursor": ...}), " with it"
        )
    return cursor


def _payload(head: str, tail: str, tool: str) -> Any:
    try:
        blob = base64.b64decode(head + "=" * (-len(head) % 4), altchars=b"-_", validate=True)
        check, packed = blob[:4], blob[4:]
        # Base64 lets the last character differ without a trace: take only the one way to write it.
        if check != _check(packed, tail) or _b64(blob) != head:
            raise _malformed(tool)
        opener = zlib.decompressobj(-15, zdict=_DICTIONARY)
        payload = opener.decompress(packed, _MOST_PAYLOAD)
        return json.loads(payload)
    except (ValueError, RecursionError, binascii.Error, zlib.error) as error:
        raise _malformed(tool) from error


def _read(fields: list[Any], parts: list[str | int]) -> Cursor:
    tool, source, fingerprint, args = fields
    upstream, minted, scanned, matched, *detail = parts
    plain: dict[str, Any] = dict(args)
    texts, counts = (tool, source, fingerprint, upstream), (minted, scanned, matched)
    if not (
        all(isinstance(text, str) for text in texts)
        and all(isinstance(count, int) and count >= 0 for count in counts)
        and all(isinstance(value, str | int) for value in plain.values())
    ):
        raise TypeError(fields)
    # JSON can spell lone surrogates, which nothing after this could write; what cannot be encoded is a ValueError.
    "".join((tool, source, fingerprint, *map(str, plain), *map(str, plain.values()))).encode()
    spot = Spot(str(upstream), tuple(detail))
    return Cursor(tool, source, fingerprint, int(minted), plain, int(scanned), int(matched), spot)


def _malformed(tool: str) -> MalformedCursor:
    return MalformedCursor(
        "this is not a cursor that Jobtrail returned, or it was cut short or altered in copying; copy the "
        f"whole cursor from the last answer, or call {tool} again with the arguments of the first page"
    )


def _check(packed: bytes, tail: str) -> bytes:
    return hashlib.blake2b(_VERSION.encode() + packed + tail.encode(), digest_size=4).digest()


def _b64(blob: bytes) -> str:
    return base64.urlsafe_b64encode(blob).decode().rstrip("=")


def _written(part: str | int) -> str:
    """Return a part of a spot in URL-safe characters: numbers in base 36 behind `~`."""
    if isinstance(part, str):
        return part if _URL_SAFE.fullmatch(part) else _ENCODED + _b64(part.encode(errors="replace"))
    digits = ""
    left = abs(part)
    while left or not digits:
        left, digit = divmod(left, 36)
        digits = _DIGITS[digit] + digits
    return _NUMBER + ("-" if part < 0 else "") + digits


def _part(text: str) -> str | int:
    if text.startswith(_ENCODED):
        encoded = text.removeprefix(_ENCODED)
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    if not text.startswith(_NUMBER):
        return text
    digits = text.removeprefix(_NUMBER)
    if len(digits) > _MOST_DIGITS:
        raise ValueError("no time and no count is that long")
    return int(digits, 36)
