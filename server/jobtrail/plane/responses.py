"""What both APIs of the plane answer with: JSON, and refusals."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse

__all__ = ["Answer", "Refusal", "json_bytes"]


class Refusal(Exception):
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


class Answer(JSONResponse):
    """A JSON answer, whatever characters it holds."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return json_bytes(content)


def json_bytes(content: Any) -> bytes:
    """Return JSON as it is sent: no spaces, UTF-8; half a surrogate pair, which has no UTF-8, stays escaped."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(content, separators=(",", ":")).encode()
