"""Seals and opens page cursors, which are valid for the query that made them and for 24 hours.

Rule: seed documents, parameter `cursor` ("only valid for the same query (workspace + filters); the
server rejects cursors bound to a different query or older than 24h").
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import TYPE_CHECKING

from jobtrail.plane.responses import RequestError

if TYPE_CHECKING:
    from jobtrail.store.store import PageKey

LIFE_SECONDS = 24 * 3600
_MAC = 9


def seal_cursor(secret: str, bound_to: tuple[str, ...], key: PageKey, now: float) -> str:
    """Return a cursor for the row after `key`.

    Args:
        secret: of the store.
        bound_to: workspace, path, filters and sort.
        key: the last row's place in the order.
        now: Unix seconds.
    """
    payload = json.dumps([int(now), *key], separators=(",", ":")).encode()
    return _encode(_sign(secret, bound_to, payload) + payload)


def open_cursor(secret: str, bound_to: tuple[str, ...], cursor: str, now: float) -> PageKey:
    """Return the key that a cursor holds.

    Raises:
        RequestError: 400, altered, of another query, or too old.
    """
    try:
        blob = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise RequestError(400, "invalid cursor") from None
    mac, payload = blob[:_MAC], blob[_MAC:]
    if _encode(blob) != cursor or not payload:
        # Base64 has several spellings of the same bytes; only the one that was given out counts.
        raise RequestError(400, "invalid cursor")
    if not hmac.compare_digest(mac, _sign(secret, bound_to, payload)):
        raise RequestError(400, "cursor does not belong to this query")
    minted, first, second = json.loads(payload)
    if now - minted > LIFE_SECONDS:
        raise RequestError(400, "cursor is older than 24h")
    return first, second


def _encode(blob: bytes) -> str:
    return base64.urlsafe_b64encode(blob).decode().rstrip("=")


def _sign(secret: str, bound_to: tuple[str, ...], payload: bytes) -> bytes:
    # As JSON, so that no two queries have the same text, and a name of any characters has one.
    message = json.dumps(bound_to).encode() + b"\0" + payload
    return hmac.new(bytes.fromhex(secret), message, hashlib.sha256).digest()[:_MAC]
