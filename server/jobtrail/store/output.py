"""Selects pages of a job's output lines, filtered by time, execution, task, stream and text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite3 import Row

    from jobtrail.store.store import Store

_OF_JOB = "owner IN (SELECT id FROM executions WHERE workspace = ? AND job = ?)"


@dataclass(frozen=True)
class OutputQuery:
    """Which lines, and which page of them.

    Attributes:
        execution: the id of one execution, empty for all of the job.
        task: the name of one task, empty for all.
        since: nanoseconds since 1970; the first moment.
        until: likewise, the last moment.
        streams: stdout, stderr, or both.
        search: a part of the text, whatever its case.
    """

    workspace: str
    job: str
    execution: str
    task: str
    since: int | None
    until: int | None
    streams: tuple[str, ...]
    search: str
    limit: int
    offset: int


def select_output(store: Store, query: OutputQuery) -> tuple[list[Row], int]:
    """Return a page of lines, the newest first, and how many match."""
    store.prepare_output(query.job, query.execution)
    where: list[str] = ["workspace = ?", "owner = ?" if query.execution else _OF_JOB]
    values: list[str | int] = [query.workspace]
    values += [query.execution] if query.execution else [query.workspace, query.job]
    for clause, value in (
        ("task = ?", query.task),
        ("at >= ?", query.since),
        ("at <= ?", query.until),
        ("instr(folded(text), ?)", query.search.lower()),
    ):
        if value not in {"", None}:
            where.append(clause)
            values.append(value)  # pyright: ignore[reportArgumentType] # not None here
    where.append(f"stream IN ({', '.join('?' * len(query.streams))})")
    values += query.streams
    clauses = " AND ".join(where)
    total = store.select(f"SELECT count(*) FROM lines WHERE {clauses}", values)[0][0]  # noqa: S608 # names are ours, values are bound
    sql = f"SELECT * FROM lines WHERE {clauses} ORDER BY at DESC, seq DESC LIMIT ? OFFSET ?"  # noqa: S608 # likewise
    return store.select(sql, (*values, query.limit, query.offset)), total
