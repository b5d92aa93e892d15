"""Reads RunWisp's event stream, `GET /api/events/stream` of 1.x, and reports the ids of runs that changed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import httpx2

from jobtrail.sources.responses import ResponseModel

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable

    from jobtrail.sources.http import Http

_MOST_BYTES = 65_536
"""Of an event; a run's own is less than a tenth of it."""
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
# The daemon sends a sample of its load every five seconds, whatever else happens.
_SILENCE = httpx2.Timeout(5.0, read=20.0)


class _Changed(ResponseModel):
    id: str | None = None


class _Event(ResponseModel):
    run: _Changed | None = None


async def follow_runs(http: Http, changed: Callable[[str], None]) -> None:
    """Call `changed` with the id of each run that the daemon has news of, until the stream ends.

    It ends in silence, and an event that is too large is left out: who follows must ask for the runs now and then all
    the same.
    """
    # Bytes are counted as they arrive, so they must not be compressed.
    headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
    try:
        async with http.client.stream("GET", "api/events/stream", headers=headers, timeout=_SILENCE) as response:
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                return
            if response.headers.get("content-encoding", "identity") != "identity":
                return
            async for data in read_event_data(response.aiter_bytes()):
                if b'"run"' in data and (run := _read_run_id(data)):
                    changed(run)
    except httpx2.HTTPError:
        return


async def read_event_data(pieces: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    """Yield the data of each event of a stream (WHATWG, server-sent events) that is not larger than `_MOST_BYTES`.

    No more than that is kept of the stream, and the piece that came last. Lines must end in a line feed.
    """
    buffer, is_too_large = bytearray(), False
    async for piece in pieces:
        buffer += piece
        while end := _BLANK_LINE.search(buffer):
            if not is_too_large and end.start() <= _MOST_BYTES:
                lines = bytes(buffer[: end.start()]).splitlines()
                yield b"\n".join(line.removeprefix(b"data:") for line in lines if line.startswith(b"data:"))
            del buffer[: end.end()]
            is_too_large = False
        if len(buffer) > _MOST_BYTES:
            # The end stays, since the blank line may have begun.
            is_too_large = True
            del buffer[:-3]


def _read_run_id(data: bytes) -> str | None:
    try:
        found = _Event.model_validate(json.loads(data))
    except (ValueError, RecursionError):
        return None
    return found.run.id if found.run else None
