"""The store: writes rows, and returns rows and pages of rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from jobtrail.store.database import Database
from jobtrail.store.faults import DamagedStore
from jobtrail.store.rows import write_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from sqlite3 import Row

    from jobtrail.store.rows import AnyRow

_CHUNK = 1000

PageKey = tuple[int | str, int | str]
"""Where a page ended: the sort key of its last row, and its tie-breaker."""


@dataclass(frozen=True)
class PageQuery:
    """A page of jobs, executions or tasks: order, what to search for, where to go on, how many."""

    sort: Literal["createdAt", "name"]
    descending: bool
    limit: int
    q: str = ""
    after: PageKey | None = None
    offset: int = 0


class Store(Database):
    """A database of jobs, executions, tasks, runs and output.

    Attributes:
        workspace: the workspace of requests that name none.
    """

    def __init__(self, path: Path | None, workspace: str = "default", *, durable: bool = False) -> None:
        self.workspace = workspace
        super().__init__(path, durable=durable)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever recorded, or all of it was pruned."""
        tables = ("jobs", "executions", "definitions", "runs")
        return not any(self.select(f"SELECT 1 FROM {table} LIMIT 1") for table in tables)  # noqa: S608 # our own names

    def write(self, records: Iterable[AnyRow], workspace: str | None = None) -> None:
        """Write rows in one transaction: each is inserted, or replaces the row with its key."""
        with self.transaction() as db:
            write_rows(db, workspace or self.workspace, records)

    def prepare_output(self, job: str, execution: str) -> None:
        """Be told that output is read next: of an execution, or of all of a job; the sample writes it then."""

    def prepare_runs(self) -> None:
        """Be told that runs are read next; the sample writes them then."""

    def prepare_log(self, run: str) -> None:
        """Be told that the output of a run is read next; the sample writes it then."""

    def list_jobs(self, workspace: str, query: PageQuery, statuses: Sequence[str] = ()) -> list[Row]:
        """Return a page of jobs."""
        where, values = ["workspace = ?"], [workspace]
        if statuses:
            where.append(f"status IN ({', '.join('?' * len(statuses))})")
            values += statuses
        if query.q:
            where.append("instr(search, ?)")
            values.append(query.q)
        return self._select_page(
            "jobs", ("created_at", "name") if query.sort == "createdAt" else ("name",), where, values, query
        )

    def find_job(self, workspace: str, name: str) -> Row | None:
        """Return one job."""
        return next(iter(self.select("SELECT * FROM jobs WHERE workspace = ? AND name = ?", (workspace, name))), None)

    def list_executions(self, workspace: str, job: str, query: PageQuery) -> list[Row]:
        """Return a page of executions of a job; they are named by their id."""
        where, values = ["workspace = ?", "job = ?"], [workspace, job]
        if query.q:
            where.append("instr(folded(id), ?)")
            values.append(query.q)
        return self._select_page(
            "executions", ("created_at", "id") if query.sort == "createdAt" else ("id",), where, values, query
        )

    def list_recorded(self) -> frozenset[str]:
        """Return the ids of the executions of which a recorder runs a task."""
        held = "SELECT DISTINCT execution FROM tasks WHERE recorder IS NOT NULL AND ended_at IS NULL"
        return frozenset(row["id"] for row in self.select(f"SELECT id FROM executions WHERE key IN ({held})"))  # noqa: S608 # no value in it

    def find_execution(self, workspace: str, job: str, identity: str) -> Row | None:
        """Return one execution."""
        sql = "SELECT * FROM executions WHERE workspace = ? AND job = ? AND id = ?"
        return next(iter(self.select(sql, (workspace, job, identity))), None)

    def list_tasks(self, execution: int, query: PageQuery) -> list[Row]:
        """Return a page of tasks of an execution, which is named by its key."""
        where, values = ["execution = ?"], [str(execution)]
        if query.q:
            where.append("instr(folded(name), ?)")
            values.append(query.q)
        columns = ("created_at", "position") if query.sort == "createdAt" else ("name",)
        return self._select_page("tasks", columns, where, values, query)

    def iterate_tasks(self, execution: int) -> Iterator[Row]:
        """Yield every task of an execution in the order of scheduling, a thousand in memory at a time."""
        query = PageQuery("createdAt", descending=False, limit=_CHUNK)
        while rows := self.list_tasks(execution, query):
            yield from rows
            key = (rows[-1]["created_at"], rows[-1]["position"])
            if query.after is not None and key <= query.after:
                raise DamagedStore(self.path, "an index is out of order")
            query = replace(query, after=key)

    def count_jobs(self, workspace: str) -> int:
        """Return how many jobs a workspace has."""
        return self.select("SELECT count(*) FROM jobs WHERE workspace = ?", (workspace,))[0][0]

    def count_executions(self, workspace: str, job: str) -> int:
        """Return how many executions a job has."""
        found = self.select("SELECT executions FROM tallies WHERE workspace = ? AND job = ?", (workspace, job))
        return found[0][0] if found else 0

    def list_output(self, workspace: str, owner: str, task: str | None, limit: int, offset: int = 0) -> list[Row]:
        """Return lines of output, the newest first: of one task, or of all of an execution or run."""
        where = "workspace = ? AND owner = ?" + ("" if task is None else " AND task = ?")
        values = (workspace, owner, *(() if task is None else (task,)), limit, offset)
        return self.select(f"SELECT * FROM lines WHERE {where} ORDER BY at DESC, seq DESC LIMIT ? OFFSET ?", values)  # noqa: S608 # names are ours, values are bound

    def _select_page(
        self, table: str, order: Sequence[str], where: list[str], values: Sequence[Any], query: PageQuery
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
        return self.select(sql, (*bound, query.limit, query.offset))

    def list_definitions(self) -> list[Row]:
        """Return every scheduled task's definition, by name."""
        return self.select("SELECT name, body FROM definitions ORDER BY name")

    def has_definition(self, name: str) -> bool:
        """Return whether a scheduled task is defined."""
        return bool(self.select("SELECT 1 FROM definitions WHERE name = ?", (name,)))

    def find_run(self, identity: str) -> Row | None:
        """Return one run."""
        return next(iter(self.select("SELECT * FROM runs WHERE id = ?", (identity,))), None)
