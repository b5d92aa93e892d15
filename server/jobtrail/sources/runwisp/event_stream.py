"""Reads RunWisp's event stream, `GET /api/events/stream` of 1.x, and reports the ids of runs that changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx2

from jobtrail.sources.responses import ResponseModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobtrail.sources.http import Http

_LONGEST_LINE = 65_536
# The daemon sends a sample of its load every five seconds, whatever else happens.
_SILENCE = httpx2.Timeout(5.0, read=20.0)


class _Changed(ResponseModel):
    id: str | None = None


class _Event(ResponseModel):
    run: _Changed | None = None


async def follow_runs(http: Http, changed: Callable[[str], None]) -> None:
    """Call `changed` with the id of each run that the daemon has news of, until the stream ends.

    It ends in silence: who follows must ask for the runs now and then all the same.
    """
    headers = {"Accept": "text/event-stream"}
    try:
        async with http.client.stream("GET", "api/events/stream", headers=headers, timeout=_SILENCE) as response:
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                return
            async for line in response.aiter_lines():
                kind, _, data = line.partition(":")
                if kind == "data" and '"run"' in data[:_LONGEST_LINE] and (run := _read_run_id(data)):
                    changed(run)
    except httpx2.HTTPError:
        return


def _read_run_id(data: str) -> str | None:
    try:
        found = _Event.model_validate(json.loads(data))
    except (ValueError, RecursionError):
        return None
    return found.run.id if found.run else None
