"""Bringing in what another system told, in one transaction.

What has ended here is never changed. What has not is brought forward, to what was told later. Jobs and definitions
that nothing was told of are made as small as they can be. In what is told, a time is 0 and a status empty where that
was not told.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from jobtrail.errors import quote_value
from jobtrail.store.rows import DefinitionRow, JobRow, StatsRow, write_rows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator, Mapping, Sequence

    from jobtrail.store.rows import AnyRow, ExecutionRow, LineRow, RunRow, TaskRow
    from jobtrail.store.store import Row, Store

__all__ = ["ImportConflict", "ImportOutcome", "ImportTransaction", "open_import"]

_RANKS = {"queued": 0, "pending": 1, "running": 2, "cancelling": 3}
"""Words of executions that have not ended, in the order in which one becomes the other."""
_STATS = "total, success, failure, running, cancelled, retried"
_STATE = ("status", "created_at", "started_at", "ended_at")


class ImportOutcome(StrEnum):
    """What became of an item."""

    NEW = "new"
    FORWARD = "brought forward"
    SAME = "already there"
    KEPT = "differs, what is here was kept"


class ImportConflict(Exception):
    """An item that does not go with what is here; the message says why."""


@contextmanager
def open_import(store: Store) -> Generator[ImportTransaction]:
    """Hold the write lock and bring items in; all of them, or none where an error comes out.

    Raises:
        StoreError: the store cannot be written.
    """
    with store.transaction() as db:
        one = ImportTransaction(db, store.workspace)
        yield one
        one.write_placeholders()


class ImportTransaction:
    """An import that is under way."""

    def __init__(self, db: sqlite3.Connection, workspace: str) -> None:
        self._db = db
        self._space = workspace
        # Named so far, each as small as can be: made at the end, since they may be told of yet.
        self._jobs: dict[str, JobRow] = {}
        self._definitions: dict[str, DefinitionRow] = {}

    def write_placeholders(self) -> None:
        """Make the jobs and definitions that were named and not told of."""
        for job in self._jobs.values():
            row = self._find("jobs", name=job.name)
            if row is None or (_is_bare(row) and job.created_at < row["created_at"]):
                self._write(job)
        self._write(*(one for one in self._definitions.values() if self._definition(one.name) is None))

    def import_job(self, told: JobRow) -> ImportOutcome:
        """Bring in a job; a later document takes the place of an earlier one."""
        row = self._find("jobs", name=told.name)
        now = time.time_ns()
        if row is None:
            created = told.created_at or told.updated_at or now
            updated = told.updated_at or created
            self._write(replace(told, created_at=created, updated_at=updated, status=told.status or "DEPLOYED"))
            return ImportOutcome.NEW
        bare = _is_bare(row)
        told = replace(
            told,
            created_at=told.created_at or row["created_at"],
            updated_at=told.updated_at or (told.created_at or now if bare else row["updated_at"]),
            status=told.status or row["status"],
        )
        body = {"metadata": told.metadata, "spec": told.spec}
        known = (row["status"], row["created_at"], row["updated_at"], json.loads(row["body"]))
        if (told.status, told.created_at, told.updated_at, body) == known:
            return ImportOutcome.SAME
        if not bare and told.updated_at < row["updated_at"]:
            return ImportOutcome.KEPT
        self._write(told)
        return ImportOutcome.NEW if bare else ImportOutcome.FORWARD

    def import_execution(
        self, told: ExecutionRow, tasks: Sequence[TaskRow], stats: Mapping[str, int]
    ) -> ImportOutcome:
        """Bring in an execution.

        Args:
            told: the execution itself.
            tasks: those that were told of it.
            stats: the counts that were told of it.

        Raises:
            ImportConflict: it does not go with what is here; nothing of it was brought in.
        """
        row = self._find("executions", id=told.id)
        if row is None:
            self._name_job(told)
            self._write_execution(told, tasks, stats)
            return ImportOutcome.NEW
        if row["job"] != told.job:
            owner = quote_value(row["job"])
            raise ImportConflict(
                f"metadata.id={quote_value(told.id)} is that of an execution of job {owner} here; ids are unique"
            )
        there = self._db.execute("SELECT * FROM tasks WHERE execution = ?", (row["key"],)) if tasks else ()
        known = {task["name"]: task for task in there}
        changed = [task for task in tasks if task.name not in known or _differs(task, known[task.name])]
        spec = json.loads(row["body"])
        same = _state_of(told) == _state_in(row) and {**spec, **told.spec} == spec
        same = same and all(row[name] == count for name, count in stats.items())
        if same and not changed:
            return ImportOutcome.SAME
        held = "SELECT 1 FROM tasks WHERE execution = ? AND recorder IS NOT NULL AND ended_at IS NULL"
        if self._db.execute(held, (row["key"],)).fetchone():
            raise ImportConflict(
                f"metadata.id={quote_value(told.id)} is being recorded on this machine; import it once that has ended"
            )
        # A list of executions names no tasks; those may be told later.
        if not (_is_later(told, row) or (same and not row["tasks"])):
            return ImportOutcome.KEPT
        if tasks and not row["tasks"]:
            # Counts that were told stood for its tasks, which are counted now.
            self._write(StatsRow(told.id, 0, 0, 0, 0, 0, 0, row["retried"]))
        self._write_execution(replace(told, spec={**spec, **told.spec}), changed, stats)
        return ImportOutcome.FORWARD

    def _write_execution(self, told: ExecutionRow, tasks: Sequence[TaskRow], stats: Mapping[str, int]) -> None:
        updated = told.updated_at or max(told.created_at, told.started_at or 0, told.ended_at or 0)
        self._write(replace(told, updated_at=updated), *tasks)
        sql = f"SELECT {_STATS} FROM executions WHERE workspace = ? AND id = ?"  # noqa: S608 # names are ours
        (counts,) = self._db.execute(sql, (self._space, told.id))
        self._write(StatsRow(told.id, updated, **{**dict(counts), **stats}))

    def import_definition(self, told: DefinitionRow) -> ImportOutcome:
        """Bring in a definition; one without a body is only named."""
        if not told.body:
            self._name_definition(told.name)
            return ImportOutcome.SAME
        known = self._definition(told.name)
        if known == told.body:
            return ImportOutcome.SAME
        self._write(told)
        return ImportOutcome.NEW if known is None else ImportOutcome.FORWARD

    def import_run(self, told: RunRow, output: Sequence[LineRow] | None) -> ImportOutcome:
        """Bring in a run.

        Args:
            told: the run itself.
            output: its last lines, which take the place of those of a former import; None where they are not told.

        Raises:
            ImportConflict: it is another task's; nothing of it was brought in.
        """
        row = self._db.execute("SELECT * FROM runs WHERE id = ?", (told.id,)).fetchone()
        if row is None:
            self._name_definition(told.task, service=told.body.get("triggered_by") == "service")
            self._write(told)
            self._keep_output(told.id, output)
            return ImportOutcome.NEW
        if row["task"] != told.task:
            raise ImportConflict(
                f"id={quote_value(told.id)} is that of a run of task {quote_value(row['task'])} here; ids are unique"
            )
        known = json.loads(row["body"])
        told = replace(told, body={**known, **told.body})
        wanted = (_state_of(told), told.end_reason, told.exit_code, told.body)
        if wanted == (_state_in(row), row["end_reason"], row["exit_code"], known):
            return ImportOutcome.FORWARD if self._keep_output(told.id, output) else ImportOutcome.SAME
        if row["status"] == "ended" or (row["status"] == "running" and told.status == "pending"):
            return ImportOutcome.KEPT
        self._write(told)
        self._keep_output(told.id, output)
        return ImportOutcome.FORWARD

    def _keep_output(self, run: str, output: Sequence[LineRow] | None) -> bool:
        """Keep the lines of a run; return whether they differ from those that are here."""
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
        """Remember a job of which no more is known than that it was there when an execution was created."""
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
        return row and json.loads(row["body"])


def _is_bare(job: Row) -> bool:
    """Return whether no more is known of a job than its name."""
    body = json.loads(job["body"])
    return not (body["metadata"] or body["spec"])


def _state_of(told: ExecutionRow | TaskRow | RunRow) -> tuple[Any, ...]:
    return tuple(getattr(told, column) for column in _STATE)


def _state_in(row: Row) -> tuple[Any, ...]:
    return tuple(row[column] for column in _STATE)


def _differs(told: TaskRow, row: Row) -> bool:
    conditions = json.loads(row["conditions"] or "[]")
    return _state_of(told) != _state_in(row) or [*told.conditions] != conditions


def _is_later(told: ExecutionRow, row: Row) -> bool:
    """Return whether an execution that differs was told of later than what is here."""
    if row["status"] not in _RANKS:
        return False
    have, wanted = (_RANKS.get(status, len(_RANKS)) for status in (row["status"], told.status))
    return wanted > have or (wanted == have and (not told.updated_at or told.updated_at >= row["updated_at"]))
