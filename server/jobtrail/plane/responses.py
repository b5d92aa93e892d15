"""What both APIs of the plane answer with: JSON, and refusals."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse

__all__ = ["RequestError", "UTF8JSONResponse", "encode_json"]


class RequestError(Exception):
    """A request that is answered with an error.

    Attributes:
        status: the HTTP status code.
        word: what the answer calls the error, where that is not the name of the status.
        body: what else the answer's JSON holds.
    """

    def __init__(self, status: int, message: str, *, word: str = "", **body: Any) -> None:
        super().__init__(message)
        self.status = status
        self.word = word
        self.body = body


class UTF8JSONResponse(JSONResponse):
    """A JSON answer, whatever characters it holds."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return encode_json(content)


def encode_json(content: Any) -> bytes:
    """Return JSON as it is sent: no spaces, UTF-8; half a surrogate pair, which has no UTF-8, stays escaped."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(content, separators=(",", ":")).encode()
