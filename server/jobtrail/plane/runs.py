"""Runs out of the store: a page of them in any order, and how many there are.

A page in an order of RunWisp's is read from that order's index. Filters are looked at on the way, so a page of what
is rare costs what lies between; but for runs that ended badly, which have indexes of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection

    from jobtrail.plane.database import Database, Row

__all__ = ["RunQuery", "RunSort", "Summary", "select_runs", "summarise"]

RunSort = Literal["task_name", "status", "start_at", "exit_code", "duration", "created_at"]

_ORDERS: dict[RunSort, tuple[str, tuple[str, ...]]] = {
    "task_name": ("", ("task",)),
    "status": ("", ("status",)),
    "start_at": ("", ("coalesce(started_at, created_at)", "created_at")),
    "exit_code": ("", ("exit_code",)),
    "duration": ("", ("coalesce(ended_at - started_at, 0)",)),
    "created_at": ("time", ("created_at",)),
}
"""How each order is called in the names of its indexes, and what it compares before the order of insertion."""
_OPEN = frozenset({"pending", "running"})
_WELL = "succeeded"
_BAD = "status = 'ended' AND word <> 'succeeded'"
"""What the indexes of runs that ended badly hold, word for word."""


@dataclass(frozen=True)
class RunQuery:
    """A page of runs.

    Attributes:
        task: empty for runs of all tasks.
        limit: how many at the most; all of them where it is negative.
        statuses: phases and end reasons, spelt as in 1.0.1, of which a run must have one; none for any.
        failures: what counts as a failure is wanted too, whatever its status; without statuses nothing else is.
        via: what triggered it, likewise spelt; empty for anything.
        since, until: bounds of its creation, in nanoseconds since 1970, both inclusive.
        least, most: bounds of its exit code, both inclusive.
        retries: whether only retries are wanted.
        search: a part of its task's name or of its id, in any case of ASCII.
    """

    task: str
    sort: RunSort
    descending: bool
    limit: int
    offset: int
    statuses: Collection[str] = ()
    failures: bool = False
    via: str = ""
    since: int | None = None
    until: int | None = None
    least: int | None = None
    most: int | None = None
    retries: bool = False
    search: str = ""


@dataclass(frozen=True)
class _State:
    """How many runs are in one state."""

    word: str
    failure: bool
    runs: int

    def wanted(self, query: RunQuery) -> bool:
        """Return whether a status filter lets them through."""
        if not query.statuses and not query.failures:
            return True
        return self.named(query) or (query.failures and self.failure)

    def named(self, query: RunQuery) -> bool:
        """Return whether the status filter names them."""
        return self.word in query.statuses or ("ended" in query.statuses and self.ended)

    @property
    def ended(self) -> bool:
        """Whether they have."""
        return self.word not in _OPEN

    @property
    def bad(self) -> bool:
        """Whether they ended in any other way than well."""
        return self.ended and self.word != _WELL


@dataclass(frozen=True)
class Summary:
    """Runs of all tasks by how they ended; when the last failure ended, in nanoseconds since 1970."""

    total: int
    success: int
    failed: int
    missed: int
    last_failure: int | None


def select_runs(store: Database, query: RunQuery) -> tuple[list[Row], int]:
    """Return a page of runs, and how many match in all."""
    with store.snapshot():
        return _select(store, query)


def _select(store: Database, query: RunQuery) -> tuple[list[Row], int]:
    states = _states(store, query.task)
    wanted = [state for state in states if state.wanted(query)]
    narrowed = len(wanted) < len(states)
    bad = narrowed and all(state.bad for state in wanted)
    where, values = _where(query, wanted if narrowed else None, bad=bad)
    bad_index = f"bad_runs{'_of_task' if query.task else ''}_by_time{'_down' if query.descending else ''}"
    total = sum(state.runs for state in wanted)
    if total and _beyond_states(query):
        source = f"runs INDEXED BY {bad_index}" if bad else "runs"
        total = store.rows(f"SELECT count(*) FROM {source} WHERE {where}", values)[0][0]  # noqa: S608 # names are ours
    # No further than the last one: what is rare would be looked for to the end. It takes a snapshot, in which none
    # that comes meanwhile counts for one that was there.
    left = max(total - query.offset, 0)
    limit = left if query.limit < 0 else min(query.limit, left)
    if not limit:
        return [], total
    index = (f"INDEXED BY {bad_index}" if bad else _index(query)) if query.sort == "created_at" else ""
    sql = f"SELECT * FROM runs {index} WHERE {where} ORDER BY {_order(query)} LIMIT ? OFFSET ?"  # noqa: S608 # likewise
    return store.rows(sql, (*values, limit, query.offset)), total


def summarise(store: Database) -> Summary:
    """Count all runs by how they ended.

    Measured on RunWisp 1.0.1: a missed one is no failure here, whatever it counts as elsewhere, nor is one that does
    not say how it ended.
    """
    with store.snapshot():
        states = _states(store, "")
        last = store.rows(
            "SELECT ended_at FROM runs"
            " WHERE failure AND status = 'ended' AND word NOT IN ('ended', 'missed') ORDER BY ended_at DESC LIMIT 1"
        )
    return Summary(
        total=sum(one.runs for one in states),
        success=sum(one.runs for one in states if one.word == _WELL),
        failed=sum(one.runs for one in states if one.failure and one.ended and one.word not in {"ended", "missed"}),
        missed=sum(one.runs for one in states if one.word == "missed"),
        last_failure=last[0]["ended_at"] if last else None,
    )


def _states(store: Database, task: str) -> list[_State]:
    """Return how many runs are in each state: of a task, or (a row a task and state) of all."""
    sql = "SELECT word, failure, runs FROM run_tallies"
    rows = store.rows(f"{sql} WHERE task = ?", (task,)) if task else store.rows(sql)
    return [_State(row["word"], bool(row["failure"]), row["runs"]) for row in rows]


def _beyond_states(query: RunQuery) -> bool:
    """Return whether anything is filtered by that the tallies do not know."""
    bounds = (query.since, query.until, query.least, query.most)
    return bool(query.via or query.retries or query.search) or any(bound is not None for bound in bounds)


def _filters(query: RunQuery) -> tuple[list[str], list[str | int]]:
    """Return the clauses of all filters but those by task and status, and their values."""
    bounds: dict[str, str | int | None] = {
        "created_at >= ?": query.since,
        "created_at <= ?": query.until,
        "exit_code >= ?": query.least,
        "exit_code <= ?": query.most,
        "via = ?": query.via or None,
    }
    given = {clause: value for clause, value in bounds.items() if value is not None}
    clauses, values = [*given], [*given.values()]
    if query.retries:
        clauses.append("attempt > 0")
    if query.search:
        clauses.append("(instr(lower(task), lower(?)) OR instr(lower(id), lower(?)))")
        values += [query.search, query.search]
    return clauses, values


def _where(query: RunQuery, wanted: list[_State] | None, *, bad: bool) -> tuple[str, list[str | int]]:
    """Return all clauses and their values.

    Args:
        query: what is asked for.
        wanted: the states that the status filter leaves; None where it leaves all.
        bad: whether they are all bad.
    """
    clauses, values = _filters(query)
    if wanted is not None:
        words = sorted({state.word for state in wanted if state.named(query)})
        choices = [*([f"word IN ({', '.join('?' * len(words))})"] if words else []), *(["failure"] * query.failures)]
        clauses, values = [f"({' OR '.join(choices) or 'FALSE'})", *clauses], [*words, *values]
        if bad:
            clauses.insert(0, _BAD)
        elif not query.failures and _OPEN.issuperset(words):
            # The same again, in words that an index knows.
            clauses.append("status IN ('pending', 'running')")
    if query.task:
        clauses, values = ["task = ?", *clauses], [query.task, *values]
    return " AND ".join(clauses) or "TRUE", values


def _order(query: RunQuery) -> str:
    """Return the order, as RunWisp 1.0.1 was measured to have it: what ties, in the order of insertion."""
    direction = "DESC" if query.descending else "ASC"
    # Named once each, and not where it is the same for all: SQLite would sort for it.
    columns = [column for column in _ORDERS[query.sort][1] if not (query.task and column == "task")]
    return ", ".join([*(f"{column} {direction}" for column in columns), "seq"])


def _index(query: RunQuery) -> str:
    return f"INDEXED BY runs{'_of_task' if query.task else ''}_by_time{'_down' if query.descending else ''}"
