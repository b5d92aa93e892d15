"""Selects pages of runs, filtered and sorted, and pages of a run's output.

Pages by time are read from an index; other orders sort what the filters leave.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection
    from sqlite3 import Row

    from jobtrail.store.store import Store

RunSort = Literal["task_name", "status", "start_at", "exit_code", "duration", "created_at"]

_ORDERS: dict[RunSort, str] = {
    "task_name": "task {0}",
    "status": "status {0}",
    # A run that has not started counts as started when it was created.
    "start_at": "coalesce(started_at, created_at) {0}, created_at {0}",
    "exit_code": "exit_code {0}",
    "duration": "coalesce(ended_at - started_at, 0) {0}",
    "created_at": "created_at {0}",
}
_RARE = "(word <> 'succeeded' OR failure)"
"""The condition of the partial indexes, word for word."""


@dataclass(frozen=True)
class RunQuery:
    """A page of runs.

    Attributes:
        task: empty for runs of all tasks.
        limit: how many at the most; all of them where it is negative.
        statuses: phases and end reasons, spelt as in 1.0.1, of which a run must have one; none for any.
        failures: what counts as a failure is wanted too, whatever its status; without statuses nothing else is.
        since, until: bounds of its creation, in nanoseconds since 1970, both inclusive.
        search: a part of its task's name or of its id, in any case of ASCII.
    """

    task: str = ""
    sort: RunSort = "created_at"
    descending: bool = True
    limit: int = -1
    offset: int = 0
    statuses: Collection[str] = ()
    failures: bool = False
    since: int | None = None
    until: int | None = None
    search: str = ""


def select_runs(store: Store, query: RunQuery) -> tuple[list[Row], int]:
    """Return a page of runs, and how many match in all; runs that tie come in the order of insertion."""
    store.prepare_runs()
    clauses, values = _filter_states(query)
    more_clauses, more_values = _filter_runs(query)
    where, bound = " AND ".join([*clauses, *more_clauses]) or "TRUE", [*values, *more_values]
    # How many runs are in each state is kept; what else there is to filter by has to be counted.
    counted = "count(*) FROM runs" if more_clauses else "coalesce(sum(runs), 0) FROM run_tallies"
    order = _ORDERS[query.sort].format("DESC" if query.descending else "ASC")
    page = f"SELECT * FROM runs WHERE {where} ORDER BY {order}, seq LIMIT ? OFFSET ?"  # noqa: S608 # names are ours, values are bound
    with store.snapshot():
        total: int = store.select(f"SELECT {counted} WHERE {where}", bound)[0][0]
        left = total - query.offset
        # No further than the last match: what is rare would be looked for to the end.
        return store.select(page, (*bound, min(query.limit, left), query.offset)) if left > 0 else [], total


def _filter_states(query: RunQuery) -> tuple[list[str], list[str]]:
    """Return the clauses that `runs` and `run_tallies` both understand, and their values."""
    clauses, values = (["task = ?"], [query.task]) if query.task else ([], [])
    if query.statuses:
        values += query.statuses
    wanted = [f"word IN ({', '.join('?' * len(query.statuses))})"] if query.statuses else []
    if "ended" in query.statuses:
        wanted.append("word NOT IN ('pending', 'running')")
    if query.failures:
        wanted.append("failure")
    if wanted:
        clauses.append(f"({' OR '.join(wanted)})")
        if not {"succeeded", "ended"} & {*query.statuses}:
            clauses.append(_RARE)
    return clauses, values


def _filter_runs(query: RunQuery) -> tuple[list[str], list[str | int]]:
    """Return the clauses that `runs` alone understands, and their values."""
    given: dict[str, str | int | None] = {
        "created_at >= ?": query.since,
        "created_at <= ?": query.until,
        "instr(lower(task || char(10) || id), lower(?))": query.search or None,
    }
    found = {clause: value for clause, value in given.items() if value is not None}
    return [*found], [*found.values()]


def select_log(store: Store, run: str, start: int, limit: int) -> tuple[list[Row], int, int]:
    """Return lines of a run's output from one on, which line that is, from 0, and how many there are in all.

    Args:
        store: where it lies.
        run: its id.
        start: the first line, from 0; below 0 it counts back from the end.
        limit: how many lines at the most.
    """
    store.prepare_log(run)
    of_run = "FROM lines WHERE workspace = ? AND owner = ? AND task = ''"
    with store.snapshot():
        total: int = store.select(f"SELECT count(*) {of_run}", (store.workspace, run))[0][0]
        first = min(start if start >= 0 else max(total + start, 0), total)
        page = f"SELECT at, stream, text {of_run} ORDER BY at, seq LIMIT ? OFFSET ?"
        return store.select(page, (store.workspace, run, limit, first)), first, total
