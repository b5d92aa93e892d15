"""What both APIs of the plane answer with: JSON, and refusals."""

from __future__ import annotations

from typing import Any

__all__ = ["Refusal"]


class Refusal(Exception):
    """A request that is answered with an error.

    Attributes:
        status: the HTTP status code.
        error: the machine-readable word.
        body: what else the answer's JSON holds.
    """

    def __init__(self, status: int, error: str, message: str, **body: Any) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.body = body
