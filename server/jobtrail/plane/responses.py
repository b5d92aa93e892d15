"""JSON responses and request errors, which both APIs of the plane use."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse


class RequestError(Exception):
    """A request that is answered with an HTTP error.

    Attributes:
        status: the HTTP status code.
        word: name of the error in the response; empty for the phrase of the status code.
        body: further fields of the response's JSON.
    """

    def __init__(self, status: int, message: str, *, word: str = "", **body: Any) -> None:
        super().__init__(message)
        self.status = status
        self.word = word
        self.body = body


class UTF8JSONResponse(JSONResponse):
    """A JSON response in UTF-8, which may hold half a surrogate pair."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return encode_json(content)


def encode_json(content: Any) -> bytes:
    """Return JSON in UTF-8 without spaces; half a surrogate pair, which UTF-8 cannot hold, stays escaped."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(content, separators=(",", ":")).encode()


def drop_absent(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}
