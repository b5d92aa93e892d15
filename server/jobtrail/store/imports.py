"""Writes imported jobs, executions, definitions and runs into the store, in one transaction.

An item that has ended in the store is never changed. One that has not ended is updated if the imported state is
later. A job or definition that is only mentioned gets a row with its name alone. In an imported row, a time of 0 and
an empty status mean "not known".
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from jobtrail.store.row_types import parse_list, parse_object
from jobtrail.store.rows import DefinitionRow, JobRow, StatsRow, write_rows
from jobtrail.text import quote_value

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator, Mapping, Sequence
    from sqlite3 import Row

    from jobtrail.store.rows import AnyRow, ExecutionRow, LineRow, RunRow, TaskRow
    from jobtrail.store.store import Store

_RANKS = {"queued": 0, "pending": 1, "running": 2, "cancelling": 3}
"""Words of executions that have not ended, in the order in which one becomes the other."""
_STATS = "total, success, failure, running, cancelled, retried"
_STATE = ("status", "created_at", "started_at", "ended_at")


class ImportOutcome(StrEnum):
    """What an import did with an item."""

    NEW = "new"
    FORWARD = "brought forward"
    SAME = "already there"
    KEPT = "differs, what is here was kept"


class ImportConflict(Exception):
    """An item that contradicts a row of the store; the message says how."""


@contextmanager
def open_import(store: Store) -> Generator[ImportTransaction]:
    """Open a transaction that imports items: all of them, or none if an error is raised.

    Raises:
        StoreError: the store cannot be written.
    """
    with store.transaction() as db:
        one = ImportTransaction(db, store.workspace)
        yield one
        one.write_placeholders()


class ImportTransaction:
    """The transaction of one import, with the names that its items mention."""

    def __init__(self, db: sqlite3.Connection, workspace: str) -> None:
        self._db = db
        self._space = workspace
        # Rows with a name alone. They are written at the end, since their documents may still follow.
        self._jobs: dict[str, JobRow] = {}
        self._definitions: dict[str, DefinitionRow] = {}

    def write_placeholders(self) -> None:
        """Write the jobs and definitions that items mention and no item describes."""
        for job in self._jobs.values():
            row = self._find("jobs", name=job.name)
            if row is None or (_is_bare(row) and job.created_at < row["created_at"]):
                self._write(job)
        self._write(*(one for one in self._definitions.values() if self._definition(one.name) is None))

    def import_job(self, item: JobRow) -> ImportOutcome:
        """Import a job; a later document replaces an earlier one."""
        row = self._find("jobs", name=item.name)
        now = time.time_ns()
        if row is None:
            created = item.created_at or item.updated_at or now
            updated = item.updated_at or created
            self._write(replace(item, created_at=created, updated_at=updated, status=item.status or "DEPLOYED"))
            return ImportOutcome.NEW
        bare = _is_bare(row)
        item = replace(
            item,
            created_at=item.created_at or row["created_at"],
            updated_at=item.updated_at or (item.created_at or now if bare else row["updated_at"]),
            status=item.status or row["status"],
        )
        body = {"metadata": item.metadata, "spec": item.spec}
        known = (row["status"], row["created_at"], row["updated_at"], parse_object(row["body"]))
        if (item.status, item.created_at, item.updated_at, body) == known:
            return ImportOutcome.SAME
        if not bare and item.updated_at < row["updated_at"]:
            return ImportOutcome.KEPT
        self._write(item)
        return ImportOutcome.NEW if bare else ImportOutcome.FORWARD

    def import_execution(
        self, item: ExecutionRow, tasks: Sequence[TaskRow], stats: Mapping[str, int]
    ) -> ImportOutcome:
        """Import an execution.

        Args:
            item: the execution itself.
            tasks: the tasks that the document lists.
            stats: the counts that the document gives.

        Raises:
            ImportConflict: its id is taken or it is being recorded; nothing of it was written.
        """
        row = self._find("executions", id=item.id)
        if row is None:
            self._name_job(item)
            self._write_execution(item, tasks, stats)
            return ImportOutcome.NEW
        if row["job"] != item.job:
            owner = quote_value(row["job"])
            raise ImportConflict(
                f"metadata.id={quote_value(item.id)} is that of an execution of job {owner} here; ids are unique"
            )
        there = self._db.execute("SELECT * FROM tasks WHERE execution = ?", (row["key"],)) if tasks else ()
        known = {task["name"]: task for task in there}
        changed = [task for task in tasks if task.name not in known or _differs(task, known[task.name])]
        spec = parse_object(row["body"])
        same = _state_of(item) == _state_in(row) and {**spec, **item.spec} == spec
        same = same and all(row[name] == count for name, count in stats.items())
        if same and not changed:
            return ImportOutcome.SAME
        held = "SELECT 1 FROM tasks WHERE execution = ? AND recorder IS NOT NULL AND ended_at IS NULL"
        if self._db.execute(held, (row["key"],)).fetchone():
            raise ImportConflict(
                f"metadata.id={quote_value(item.id)} is being recorded on this machine; import it once that has ended"
            )
        # A list of executions has no tasks; a later document may add them.
        if not (_is_later(item, row) or (same and not row["tasks"])):
            return ImportOutcome.KEPT
        if tasks and not row["tasks"]:
            # The imported counts stood in for the tasks, which are now counted themselves.
            self._write(StatsRow(item.id, 0, 0, 0, 0, 0, 0, row["retried"]))
        self._write_execution(replace(item, spec={**spec, **item.spec}), changed, stats)
        return ImportOutcome.FORWARD

    def _write_execution(self, item: ExecutionRow, tasks: Sequence[TaskRow], stats: Mapping[str, int]) -> None:
        updated = item.updated_at or max(item.created_at, item.started_at or 0, item.ended_at or 0)
        self._write(replace(item, updated_at=updated), *tasks)
        sql = f"SELECT {_STATS} FROM executions WHERE workspace = ? AND id = ?"  # noqa: S608 # names are ours
        (counts,) = self._db.execute(sql, (self._space, item.id))
        self._write(StatsRow(item.id, updated, **{**dict(counts), **stats}))

    def import_task_definition(self, item: DefinitionRow) -> ImportOutcome:
        """Import a definition; of one without a body only the name is remembered, for `write_placeholders`."""
        if not item.body:
            self._name_definition(item.name)
            return ImportOutcome.SAME
        known = self._definition(item.name)
        if known == item.body:
            return ImportOutcome.SAME
        self._write(item)
        return ImportOutcome.NEW if known is None else ImportOutcome.FORWARD

    def import_run(self, item: RunRow, output: Sequence[LineRow] | None) -> ImportOutcome:
        """Import a run.

        Args:
            item: the run itself.
            output: its last lines, which replace those of a former import; None if they are not known.

        Raises:
            ImportConflict: the id is that of another task's run; nothing of it was written.
        """
        row = self._db.execute("SELECT * FROM runs WHERE id = ?", (item.id,)).fetchone()
        if row is None:
            self._name_definition(item.task, service=item.body.get("triggered_by") == "service")
            self._write(item)
            self._keep_output(item.id, output)
            return ImportOutcome.NEW
        if row["task"] != item.task:
            raise ImportConflict(
                f"id={quote_value(item.id)} is that of a run of task {quote_value(row['task'])} here; ids are unique"
            )
        known = parse_object(row["body"])
        item = replace(item, body={**known, **item.body})
        wanted = (_state_of(item), item.end_reason, item.exit_code, item.body)
        if wanted == (_state_in(row), row["end_reason"], row["exit_code"], known):
            return ImportOutcome.FORWARD if self._keep_output(item.id, output) else ImportOutcome.SAME
        if row["status"] == "ended" or (row["status"] == "running" and item.status == "pending"):
            return ImportOutcome.KEPT
        self._write(item)
        self._keep_output(item.id, output)
        return ImportOutcome.FORWARD

    def _keep_output(self, run: str, output: Sequence[LineRow] | None) -> bool:
        """Replace the stored lines of a run; return whether they differed."""
        if output is None:
            return False
        where = (self._space, run)
        stored = self._db.execute(
            "SELECT stream, text FROM lines WHERE workspace = ? AND owner = ? ORDER BY seq", where
        )
        if [tuple(row) for row in stored] == [(line.stream, line.text) for line in output]:
            return False
        self._db.execute("DELETE FROM lines WHERE workspace = ? AND owner = ?", where)
        self._write(*output)
        return True

    def _name_job(self, execution: ExecutionRow) -> None:
        """Remember the job that an execution mentions; it existed when the execution was created."""
        created = execution.created_at
        if execution.job not in self._jobs or created < self._jobs[execution.job].created_at:
            self._jobs[execution.job] = JobRow(execution.job, created, created)

    def _name_definition(self, name: str, *, service: bool = False) -> None:
        if service or name not in self._definitions:
            self._definitions[name] = DefinitionRow(name, {"name": name, "kind": "service" if service else "task"})

    def _write(self, *records: AnyRow) -> None:
        write_rows(self._db, self._space, records)

    def _find(self, table: str, **column: str) -> Row | None:
        ((name, value),) = column.items()
        sql = f"SELECT * FROM {table} WHERE workspace = ? AND {name} = ?"  # noqa: S608 # names are ours
        return self._db.execute(sql, (self._space, value)).fetchone()

    def _definition(self, name: str) -> Any:
        row = self._db.execute("SELECT body FROM definitions WHERE name = ?", (name,)).fetchone()
        return row and parse_object(row["body"])


def _is_bare(job: Row) -> bool:
    """Return whether only the name of a job is known."""
    body = parse_object(job["body"])
    return not (body.get("metadata") or body.get("spec"))


def _state_of(item: ExecutionRow | TaskRow | RunRow) -> tuple[Any, ...]:
    return tuple(getattr(item, column) for column in _STATE)


def _state_in(row: Row) -> tuple[Any, ...]:
    return tuple(row[column] for column in _STATE)


def _differs(item: TaskRow, row: Row) -> bool:
    conditions = parse_list(row["conditions"])
    return _state_of(item) != _state_in(row) or [*item.conditions] != conditions


def _is_later(item: ExecutionRow, row: Row) -> bool:
    """Return whether an imported execution is in a later state than the stored one."""
    if row["status"] not in _RANKS:
        return False
    have, wanted = (_RANKS.get(status, len(_RANKS)) for status in (row["status"], item.status))
    return wanted > have or (wanted == have and (not item.updated_at or item.updated_at >= row["updated_at"]))
