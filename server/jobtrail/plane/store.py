"""The plane's store: SQL, and nothing but; rows go in as events and come out as plain rows."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = ["Event", "Key", "Query", "Row", "RunQuery", "Store", "StoreError", "moment", "stamp"]

SCHEMA_VERSION = 1
_MICRO = 1_000_000

Row = sqlite3.Row
Key = tuple[int | str, int | str]
"""Where a page ended: the sort key of its last row, and what breaks ties."""

Kind = Literal[
    "job.defined", "execution.created", "execution.status", "task.scheduled", "task.status",
    "definition", "run.created", "run.status",
]  # fmt: skip


class StoreError(Exception):
    """A store that cannot be opened."""


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: what it happened to.
        at: when.
        parent: the job of an execution, the execution of a task, the task of a run.
        name: the id or name of what it happened to.
        status: its status from then on, in the upstream's words.
        body: what else the event says, as JSON.
    """

    kind: Kind
    at: datetime
    name: str
    parent: str = ""
    status: str | None = None
    body: Any = None


@dataclass(frozen=True)
class Query:
    """A page of a Blaxel list: order, what to search for, where to go on, how many."""

    sort: Literal["createdAt", "name"]
    descending: bool
    limit: int
    q: str = ""
    after: Key | None = None
    offset: int = 0


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
    "status": "coalesce(end_reason, status)",
    "start_at": "started_at",
    "exit_code": "exit_code",
    "duration": "ended_at - started_at",
    "created_at": "created_at",
}


def stamp(moment: datetime) -> int:
    """Return a moment as microseconds since 1970."""
    whole = int(moment.astimezone(UTC).replace(microsecond=0).timestamp())
    return whole * _MICRO + moment.microsecond


def moment(micros: int | None) -> str | None:
    """Return microseconds since 1970 as RFC 3339 in UTC."""
    if micros is None:
        return None
    text = datetime.fromtimestamp(micros // _MICRO, UTC).replace(microsecond=micros % _MICRO).isoformat()
    return text.replace("+00:00", "Z")


def _statements(script: str) -> Iterator[str]:
    """Split a script; SQLite's own way to run one would end the transaction around it."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


class Store:
    """A SQLite store, in memory or in a file; safe to use from several threads.

    Attributes:
        workspace: the workspace of requests that name none.
    """

    def __init__(self, path: Path | None, workspace: str = "default") -> None:
        self.workspace = workspace
        self._lock = threading.RLock()
        self._db = sqlite3.connect(
            ":memory:" if path is None else path, check_same_thread=False, isolation_level=None, timeout=10
        )
        self._db.row_factory = sqlite3.Row
        # SQLite's own lower() knows ASCII alone; `q` is lowercased by Python.
        self._db.create_function("folded", 1, str.lower, deterministic=True)
        if path is not None:
            self._db.execute("PRAGMA journal_mode = WAL")
        try:
            self._migrate()
        except StoreError:
            self._db.close()
            raise

    def _migrate(self) -> None:
        # In one transaction: another process may open the same new file at this moment.
        with self._transaction() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise StoreError(f"the store has version {version}; this Jobtrail knows up to {SCHEMA_VERSION}")
            if version == 0:
                schema = (files("jobtrail.plane") / "schema.sql").read_text(encoding="utf-8")
                for statement in _statements(schema):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                db.execute("INSERT INTO meta VALUES ('cursor_key', ?)", (secrets.token_hex(32),))

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def plan(self, sql: str, values: Sequence[Any] = ()) -> list[str]:
        """Return SQLite's query plan, for tests of what a page costs."""
        return [row["detail"] for row in self._rows(f"EXPLAIN QUERY PLAN {sql}", values)]

    def meta(self, key: str) -> str | None:
        """Return a value of the store itself."""
        rows = self._rows("SELECT value FROM meta WHERE key = ?", (key,))
        return rows[0]["value"] if rows else None

    def set_meta(self, key: str, value: str) -> None:
        """Set a value of the store itself."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def record(self, events: Iterable[Event], workspace: str | None = None) -> None:
        """Append events in one transaction; what they change is derived in the same one."""
        space = workspace or self.workspace
        rows = (
            (
                one.kind, stamp(one.at), space, one.parent, one.name, one.status,
                None if one.body is None else json.dumps(one.body, separators=(",", ":")),
            )
            for one in events
        )  # fmt: skip
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO events (kind, at, workspace, parent, name, status, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )

    def jobs(self, workspace: str, query: Query, statuses: Sequence[str] = ()) -> list[Row]:
        """Return a page of jobs."""
        where, values = ["workspace = ?"], [workspace]
        if statuses:
            where.append(f"status IN ({', '.join('?' * len(statuses))})")
            values += statuses
        if query.q:
            where.append("instr(search, ?)")
            values.append(query.q)
        return self._page(
            "jobs", ("created_at", "name") if query.sort == "createdAt" else ("name",), where, values, query
        )

    def job(self, workspace: str, name: str) -> Row | None:
        """Return one job."""
        return next(iter(self._rows("SELECT * FROM jobs WHERE workspace = ? AND name = ?", (workspace, name))), None)

    def executions(self, workspace: str, job: str, query: Query) -> list[Row]:
        """Return a page of executions of a job; they are named by their id."""
        where, values = ["workspace = ?", "job = ?"], [workspace, job]
        if query.q:
            where.append("instr(folded(id), ?)")
            values.append(query.q)
        return self._page(
            "executions", ("created_at", "id") if query.sort == "createdAt" else ("id",), where, values, query
        )

    def execution(self, workspace: str, job: str, identity: str) -> Row | None:
        """Return one execution."""
        sql = "SELECT * FROM executions WHERE workspace = ? AND job = ? AND id = ?"
        return next(iter(self._rows(sql, (workspace, job, identity))), None)

    def tasks(self, execution: int, query: Query) -> list[Row]:
        """Return a page of tasks of an execution, which is named by its key."""
        where, values = ["execution = ?"], [str(execution)]
        if query.q:
            where.append("instr(folded(name), ?)")
            values.append(query.q)
        columns = ("created_at", "position") if query.sort == "createdAt" else ("name",)
        return self._page("tasks", columns, where, values, query)

    def all_tasks(self, execution: int) -> list[Row]:
        """Return every task of an execution in the order of scheduling."""
        return self._rows("SELECT * FROM tasks WHERE execution = ? ORDER BY created_at, position", (execution,))

    def count(self, table: Literal["jobs", "executions"], workspace: str, job: str | None = None) -> int:
        """Return how many jobs a workspace has, or executions a job has."""
        where = "workspace = ?" if job is None else "workspace = ? AND job = ?"
        values = (workspace,) if job is None else (workspace, job)
        return self._rows(f"SELECT count(*) FROM {table} WHERE {where}", values)[0][0]  # noqa: S608 # a literal

    def _page(
        self, table: str, order: Sequence[str], where: list[str], values: Sequence[Any], query: Query
    ) -> list[Row]:
        """Read a page by key: it costs the same wherever it lies, and rows that come or go do not shift it."""
        direction = "DESC" if query.descending else "ASC"
        bound: list[str | int] = [*values]
        if query.after is not None:
            places = ", ".join("?" * len(order))
            where = [*where, f"({', '.join(order)}) {'<' if query.descending else '>'} ({places})"]
            bound += query.after[-len(order) :]
        ordered = ", ".join(f"{column} {direction}" for column in order)
        sql = f"SELECT * FROM {table} WHERE {' AND '.join(where)} ORDER BY {ordered} LIMIT ? OFFSET ?"  # noqa: S608 # names are ours, values are bound
        return self._rows(sql, (*bound, query.limit, query.offset))

    def definitions(self) -> list[dict[str, Any]]:
        """Return every scheduled task's definition, by name."""
        return [json.loads(row["body"]) for row in self._rows("SELECT body FROM definitions ORDER BY name")]

    def has_definition(self, name: str) -> bool:
        """Return whether a scheduled task is defined."""
        return bool(self._rows("SELECT 1 FROM definitions WHERE name = ?", (name,)))

    def runs(self, query: RunQuery) -> tuple[list[Row], int]:
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
        columns = dict.fromkeys((_RUN_SORTS[query.sort], "created_at", "id"))
        order = ", ".join(f"{column} {direction}" for column in columns)
        total = self._rows(f"SELECT count(*) FROM runs WHERE {where}", values)[0][0]  # noqa: S608 # names are ours
        sql = f"SELECT * FROM runs WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608 # likewise
        return self._rows(sql, (*values, query.limit, query.offset)), total

    def run(self, identity: str) -> Row | None:
        """Return one run."""
        return next(iter(self._rows("SELECT * FROM runs WHERE id = ?", (identity,))), None)
