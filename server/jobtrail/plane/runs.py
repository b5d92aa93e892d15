"""Pages of runs, as RunWisp's documents page them: by offset, and by time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobtrail.plane.database import Database, Row

__all__ = ["RunQuery", "select_runs"]


@dataclass(frozen=True)
class RunQuery:
    """A page of a task's runs, as RunWisp's seed document asks for it."""

    task: str
    sort: str
    descending: bool
    limit: int
    offset: int
    status: str | None = None
    search: str | None = None


_RUN_SORTS = {
    "task_name": "task",
    "status": "word",
    "start_at": "started_at",
    "exit_code": "exit_code",
    "duration": "duration",
    "created_at": "created_at",
}


def select_runs(store: Database, query: RunQuery) -> tuple[list[Row], int]:
    """Return a page of runs by offset, as the documents page them, and how many match."""
    clauses, values = ["task = ?"], [query.task]
    if query.status:
        clauses.append("(status = ? OR end_reason = ?)")
        values += [query.status, query.status]
    if query.search:
        clauses.append("(instr(lower(task), ?) OR instr(lower(id), ?))")
        values += [query.search.lower()] * 2
    where, direction = " AND ".join(clauses), "DESC" if query.descending else "ASC"
    # Named once each: SQLite would sort anew for a second created_at.
    columns = dict.fromkeys((_RUN_SORTS[query.sort], "created_at", "seq"))
    order = ", ".join(f"{column} {direction}" for column in columns)
    total = store.rows(f"SELECT count(*) FROM runs WHERE {where}", values)[0][0]  # noqa: S608 # names are ours
    sql = f"SELECT * FROM runs WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608 # likewise
    return store.rows(sql, (*values, query.limit, query.offset)), total
