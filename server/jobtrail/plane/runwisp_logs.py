"""The output of runs: a page of it by line numbers, and searching through that of a task's runs.

Contract: `/api/runs/{runId}/log` and `/api/tasks/{taskName}/log/search` of 1.0.1. A search looks through 50 runs a
call, the newest first. Its cursor names the run and line where the next call begins, so runs that come or go move
nothing. Regular expressions, which the daemon has without backtracking and Python has not, are refused.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobtrail.plane.answers import Answer, Refusal
from jobtrail.plane.runwisp_asked import RUN_ID, TASK_NAME, Asked
from jobtrail.plane.runwisp_wire import log_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request
    from starlette.responses import Response

    from jobtrail.plane.store import Row, Store

__all__ = ["Logs"]

_PAGE, _LONGEST_PAGE = 1000, 10_000
_HITS, _MOST_HITS = 200, 1000
_LONGEST_SEARCH = 1024
_RUNS_A_CALL = 50
_CHUNK = 1000
_ID_LENGTH = 26
_LINES = "SELECT at, seq, stream, text FROM lines WHERE workspace = ? AND owner = ? AND task = ''"
_RUNS = (
    "SELECT seq, id, created_at FROM runs INDEXED BY runs_of_task_by_time_down"
    " WHERE task = ? AND created_at <= ? AND (created_at < ? OR seq >= ?) ORDER BY created_at DESC, seq LIMIT ?"
)


@dataclass(frozen=True)
class _Place:
    """Where a search goes on: a run, by its time and number, and the first of its lines to look at."""

    created: int
    seq: int
    line: int = 0


_NEWEST = _Place(2**63 - 1, 0)


@dataclass(frozen=True)
class _Search:
    """What is looked for in each line."""

    wanted: str
    exact: bool

    def finds(self, text: str) -> bool:
        return self.wanted in (text if self.exact else text.lower())


class Logs:
    """The handlers; plain functions, which Starlette runs in threads."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def page(self, request: Request) -> Response:
        """`GET /api/runs/{runId}/log`: from -1000 (below 0 counts from the end), limit 1000 (10,000)."""
        asked = Asked(request)
        identity = asked.in_path("runId", RUN_ID)
        start = asked.whole("from", -_PAGE)
        limit = asked.whole("limit", _PAGE, 1, _LONGEST_PAGE)
        asked.check()
        run = self._run(identity)
        where = (self._store.workspace, identity)
        total = self._store.rows(_LINES.replace("at, seq, stream, text", "count(*)"), where)[0][0]
        start = min(start if start >= 0 else max(total + start, 0), total)
        rows = self._store.rows(f"{_LINES} ORDER BY at, seq LIMIT ? OFFSET ?", (*where, limit, start))
        return Answer(
            {
                "lines": [log_line(row, number) for number, row in enumerate(rows, start)],
                # All that the store has of it.
                "firstAvailable": 0,
                "totalLines": total,
                "truncated": False,
                "finalized": run["status"] == "ended",
            }
        )

    def search(self, request: Request) -> Response:
        """`GET /api/tasks/{taskName}/log/search`: runId, q (1024), regex, case, limit 200 (1000), cursor."""
        asked = Asked(request)
        task = asked.in_path("taskName", TASK_NAME)
        identity = asked.text("runId")
        wanted = asked.text("q", _LONGEST_SEARCH)
        regex, exact = asked.flag("regex"), asked.flag("case")
        limit = asked.whole("limit", _HITS, 1, _MOST_HITS)
        asked.check()
        if not wanted:
            raise _bad("logsearch: empty query")
        if regex:
            raise _bad("logsearch: regular expressions are not supported here")
        place = _opened(asked.text("cursor"))
        runs = self._named(task, identity) if identity else self._newest(task, place)
        search = _Search(wanted if exact else wanted.lower(), exact)
        return Answer(self._hits(runs, place, search, limit))

    def _run(self, identity: str) -> Row:
        run = self._store.run(identity)
        if run is None:
            raise Refusal(404, "Not Found", "record not found")
        return run

    def _named(self, task: str, identity: str) -> list[Row]:
        if len(identity) != _ID_LENGTH:
            raise _bad("Invalid run ID")
        run = self._run(identity)
        if run["task"] != task:
            raise Refusal(404, "Not Found", "Run not found")
        return [run]

    def _newest(self, task: str, place: _Place) -> list[Row]:
        """Return the runs of one call, and one more where there is one."""
        values = (task, place.created, place.created, place.seq, _RUNS_A_CALL + 1)
        return self._store.rows(_RUNS, values)

    def _hits(self, runs: list[Row], place: _Place, search: _Search, limit: int) -> dict[str, Any]:
        """Return the answer of a search through some runs; the first is `place`'s, if that is still there."""
        items: list[dict[str, Any]] = []
        for scanned, run in enumerate(runs[:_RUNS_A_CALL], 1):
            first = place.line if run["seq"] == place.seq else 0
            for number, row in enumerate(self._lines(run["id"])):
                if number < first or not search.finds(row["text"]):
                    continue
                if len(items) == limit:
                    return _found(items, scanned, _Place(run["created_at"], run["seq"], number))
                line = log_line(row, number)
                items.append({"runId": run["id"], **line, "ts": run["created_at"] // 1_000_000})
        rest = runs[_RUNS_A_CALL:]
        following = _Place(rest[0]["created_at"], rest[0]["seq"]) if rest else None
        return _found(items, min(len(runs), _RUNS_A_CALL), following)

    def _lines(self, run: str) -> Iterator[Row]:
        """Yield the lines of a run in their order, a thousand in memory at a time."""
        where: tuple[str | int, ...] = (self._store.workspace, run)
        rows = self._store.rows(f"{_LINES} ORDER BY at, seq LIMIT {_CHUNK}", where)
        while rows:
            yield from rows
            after = (*where, rows[-1]["at"], rows[-1]["seq"])
            rows = self._store.rows(f"{_LINES} AND (at, seq) > (?, ?) ORDER BY at, seq LIMIT {_CHUNK}", after)


def _bad(detail: str) -> Refusal:
    return Refusal(400, "Bad Request", detail)


def _found(items: list[dict[str, Any]], scanned: int, following: _Place | None) -> dict[str, Any]:
    more = {} if following is None else {"nextCursor": _sealed(following)}
    return {"items": items, **more, "exhausted": following is None, "scannedRuns": scanned}


def _sealed(place: _Place) -> str:
    text = json.dumps([place.created, place.seq, place.line], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode()


def _opened(cursor: str) -> _Place:
    """Return what a cursor holds.

    Raises:
        Refusal: 400, it is none of ours.
    """
    if not cursor:
        return _NEWEST
    try:
        match json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True)):
            case [int(created), int(seq), int(line)] if all(abs(one) < 2**63 for one in (created, seq, line)):
                return _Place(created, seq, line)
            case _:
                raise _bad("Invalid cursor")
    except (binascii.Error, ValueError, RecursionError):
        raise _bad("Invalid cursor") from None
