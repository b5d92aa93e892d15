"""The cursor: everything that is needed to continue a list, in one short URL-safe token.

Layout, parts joined by `.`: `1` (the version) with base64url of four checksum bytes and the deflated
JSON of the call; the upstream's own cursor, or nothing; the counts, in base 36; then each part of the
position. URL-safe text is not encoded again, since an agent must copy every character.

No state is kept, so any replica continues it. It is unsigned, so nothing in it is trusted: its
arguments are validated like those of a first call.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from dataclasses import dataclass, field
from typing import Any

from jobtrail.errors import MalformedCursor, WrongCursor
from jobtrail.models import Call
from jobtrail.paging import START, Position, Trail
from jobtrail.text import quote_unless_word

_VERSION = "1"
_MOST_CHARS = 32_768
_MOST_PAYLOAD = 16_384
_MOST_DIGITS = 16
_COUNTS = 7
_URL_SAFE = re.compile(r"[A-Za-z0-9_\-=]*")
_NUMBER, _ENCODED = "~", "~~"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
# What cursors usually hold, likeliest last. Changing this is a new version.
_DICTIONARY = (
    b'"from_end":true}]"name:asc""name:desc"unknown,skipped,queued,running,cancelled,succeeded"query":"'
    b'"search":"["find_failures","*","["read_log","["list_jobs","["list_runs","["list_tasks","'
    b'"sort":"created_at:asc"}]"sort":"created_at:desc"}]","until":"2026-","lines":"execution":"exec-'
    b'"limit":100}]"limit":20}]["list_executions","",{"task":","job":"'
    b',{"job":","status":"failed,timeout","since":"2026-11-01T00:00:00Z"}]'
)


Args = dict[str, str | int | bool]


@dataclass(frozen=True)
class Cursor:
    """The content of a cursor.

    Attributes:
        tool: the tool that continues it.
        source: the configured name of its source.
        fingerprint: of the upstream that had that name.
        minted: Unix seconds at which the upstream's own cursor was obtained.
        args: the normalised arguments of the walk.
        scanned: items read so far.
        matched: items that matched so far.
        position: where the walk goes on in its listing.
        counted: the fewest items that the upstream has counted; 0 if it has not.
        trail: of the walk.
        doubt: 1 if rows may repeat or were left out, so that nothing is exact any more; 2 if some may be missing.
    """

    tool: str
    source: str
    fingerprint: str = ""
    minted: int = 0
    args: Args = field(default_factory=Args)
    scanned: int = 0
    matched: int = 0
    position: Position = START
    counted: int = 0
    trail: Trail = field(default_factory=Trail)
    doubt: int = 0


def seal(cursor: Cursor) -> str:
    """Return the token for a cursor."""
    fields = [cursor.tool, cursor.source, cursor.fingerprint, cursor.args]
    minted = cursor.minted if cursor.position.upstream else 0
    counts = (minted, cursor.scanned, cursor.matched, cursor.counted, *cursor.trail, cursor.doubt)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=_DICTIONARY)
    payload = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")
    packed = packer.compress(payload) + packer.flush()
    parts = (
        _write_part(cursor.position.upstream),
        *map(_write_number, counts),
        *map(_write_part, cursor.position.detail),
    )
    tail = "".join("." + part for part in parts)
    return _VERSION + _encode_base64(_compute_checksum(packed, tail) + packed) + tail


def unseal(token: str, tool: str) -> Cursor:
    """Open a token that `tool` was given.

    Raises:
        MalformedCursor: not a cursor, cut short, or altered.
        WrongCursor: minted by another version, or for another tool.
    """
    token = token.strip()
    head, dot, tail = token.partition(".")
    if len(token) > _MOST_CHARS or not re.fullmatch(r"[A-Za-z0-9_\-]{12,}", head):
        raise _make_malformed_error(tool)
    if head[0] != _VERSION:
        raise WrongCursor(
            "this cursor was made by another version of Jobtrail",
            advice=("call ", Call(tool), " again with the arguments of the first page and no cursor"),
        )
    try:
        cursor = _read_cursor(_read_payload(head[1:], dot + tail), *tail.split("."))
    except (TypeError, ValueError, RecursionError, zlib.error) as error:
        raise _make_malformed_error(tool) from error
    if cursor.tool != tool:
        raise WrongCursor(
            f"this cursor continues {quote_unless_word(cursor.tool)}, not {tool}",
            advice=("call ", Call(cursor.tool, {"cursor": ...}), " with it"),
        )
    return cursor


def _read_payload(head: str, tail: str) -> Any:
    """Return the JSON of the call; `ValueError` where the checksum does not fit."""
    blob = base64.b64decode(head + "=" * (-len(head) % 4), altchars=b"-_", validate=True)
    check, packed = blob[:4], blob[4:]
    # Base64 lets the last character differ without a trace: take only the one way to write it.
    if check != _compute_checksum(packed, tail) or _encode_base64(blob) != head:
        raise ValueError(head)
    return json.loads(zlib.decompressobj(-15, zdict=_DICTIONARY).decompress(packed, _MOST_PAYLOAD))


def _read_cursor(fields: Any, upstream: str, *parts: str) -> Cursor:
    tool, source, fingerprint, args = fields
    minted, scanned, matched, counted, *trail, doubt = counts = [_read_number(part) for part in parts[:_COUNTS]]
    plain: dict[str, Any] = dict(args)
    texts = (tool, source, fingerprint)
    if not (
        all(isinstance(text, str) for text in texts)
        and all(count >= 0 for count in counts)
        and all(isinstance(value, str | int) for value in plain.values())
    ):
        raise TypeError(fields)
    # JSON can spell lone surrogates, which nothing after this could write; what cannot be encoded is a ValueError.
    "".join((*texts, *map(str, plain), *map(str, plain.values()))).encode()
    position = Position(str(_read_part(upstream)), tuple(_read_part(part) for part in parts[_COUNTS:]))
    return Cursor(tool, source, fingerprint, minted, plain, scanned, matched, position, counted, Trail(*trail), doubt)


def _make_malformed_error(tool: str) -> MalformedCursor:
    return MalformedCursor(
        "this is not a cursor that Jobtrail returned, or it was cut short or altered in copying",
        advice=(
            "copy the whole cursor from the last answer, or call ",
            Call(tool),
            " again with the arguments of the first page",
        ),
    )


def _compute_checksum(packed: bytes, tail: str) -> bytes:
    return hashlib.blake2b(_VERSION.encode() + packed + tail.encode(), digest_size=4).digest()


def _encode_base64(blob: bytes) -> str:
    return base64.urlsafe_b64encode(blob).decode().rstrip("=")


def _write_part(part: str | int) -> str:
    """Return a part of a position in URL-safe characters: numbers in base 36 behind `~`."""
    if isinstance(part, int):
        return _NUMBER + _write_number(part)
    return part if _URL_SAFE.fullmatch(part) else _ENCODED + _encode_base64(part.encode(errors="replace"))


def _read_part(text: str) -> str | int:
    if text.startswith(_ENCODED):
        encoded = text.removeprefix(_ENCODED)
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    return _read_number(text.removeprefix(_NUMBER)) if text.startswith(_NUMBER) else text


def _write_number(number: int) -> str:
    digits = ""
    left = abs(number)
    while left or not digits:
        left, digit = divmod(left, 36)
        digits = _DIGITS[digit] + digits
    return "-" + digits if number < 0 else digits


def _read_number(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError("no time and no count is that long")
    return int(digits, 36)
