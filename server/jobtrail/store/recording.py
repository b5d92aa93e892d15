"""Writes executions and tasks for recorders; an execution ends with its last task.

Every step is one transaction, so that many recorders in many processes lose nothing. `fail_vanished` fails the tasks
of recorders that vanished; a recorder that reports later all the same puts them right.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

from jobtrail.store.inner_failures import explain_by_inner, tell_outer
from jobtrail.store.liveness import read_vanished_at, remove_lock
from jobtrail.store.row_types import parse_list, parse_object, read_object, read_objects
from jobtrail.store.rows import ExecutionRow, JobRow, TaskRow, write_rows
from jobtrail.times import format_nanoseconds

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from jobtrail.store.inner_failures import Condition
    from jobtrail.store.rows import LineRow
    from jobtrail.store.store import Store

VANISHED = "recorder vanished"
TIMEOUT = "timeout"
_VANISHED_WHY = "the recorder of this task ended without saying how; it was killed, or the machine went down"
_NEVER_BEGAN = "the recorder of this task ended before the task began"

TaskEnding = Literal["succeeded", "failed", "cancelled"]

_PULSE_KEY = "recorder "
"""With a recorder's token, the key in the table `meta` of when it was last alive."""
_DROP_PULSE = (
    "DELETE FROM meta WHERE key = ?"
    " AND NOT EXISTS (SELECT 1 FROM tasks WHERE recorder = ? AND recorder IS NOT NULL AND ended_at IS NULL)"
)
_PULSE = re.compile("[0-9]{1,19}")
_HELD = "SELECT DISTINCT recorder FROM tasks WHERE recorder IS NOT NULL AND ended_at IS NULL"
_WAS_ENDED = (
    "SELECT 1 FROM tasks WHERE execution = (SELECT key FROM executions WHERE workspace = ? AND id = ?)"
    " AND name = ? AND ended_at IS NOT NULL"
)
_FIND_TASK = (
    "SELECT status, updated_at, conditions FROM tasks"
    " WHERE execution = (SELECT key FROM executions WHERE workspace = ? AND id = ?) AND name = ?"
)

_Owner = tuple[str, str]
"""A workspace, and the id of an execution in it."""


class CannotJoin(Exception):
    """An execution that takes no more tasks; the message says what to do.

    Attributes:
        what: why it takes none.
    """

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(f"{what}; {advice}")
        self.what = what


@dataclass(frozen=True)
class JobSchedule:
    """When a job is due.

    Attributes:
        expression: a cron expression; empty for never by itself.
        zone: of its fields, an IANA name.
    """

    expression: str
    zone: str

    def build_triggers(self, at: int) -> list[dict[str, Any]]:
        """Return it as triggers of a job (Job.spec.triggers); their zone and beginning are fields of ours."""
        if not self.expression:
            return []
        since = format_nanoseconds(at)
        configuration = {"schedule": self.expression, "timezone": self.zone, "since": since}
        return [{"id": "cron", "type": "cron", "enabled": True, "configuration": configuration}]

    def is_that_of(self, spec: dict[str, Any]) -> bool:
        """Return whether a job has it already."""
        known = [read_object(one, "configuration") for one in read_objects(spec, "triggers")]
        told = [(one.get("schedule"), one.get("timezone")) for one in known]
        return told == ([(self.expression, self.zone)] if self.expression else [])


@dataclass(frozen=True)
class RecordingRequest:
    """The job, the execution and the tasks that a recorder is about to run.

    Attributes:
        job: the job's name; the job is created if it does not exist.
        execution: the id of the execution to join; it is created if it does not exist.
        tasks: names of the tasks, in order; None for one that is named by its number.
        title: display name of a new job.
        labels: labels that the job gets besides those it has.
        timeout_s: seconds that a task may take.
        outer: the task of the execution that these run within; empty for none.
        at: when the tasks were scheduled, in nanoseconds since 1970; None for now.
        schedule: when the job is due from now on; None leaves what is known of that.
    """

    job: str
    execution: str
    tasks: Sequence[str | None]
    title: str = ""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    parallelism: int = 1
    retries: int = 0
    timeout_s: int | None = None
    outer: str = ""
    at: int | None = None
    schedule: JobSchedule | None = None


class Recording:
    """The tasks of one execution that one recorder runs.

    Attributes:
        tasks: the names that the tasks got.
    """

    def __init__(self, store: Store, token: str, opening: RecordingRequest) -> None:
        """Open or join the execution and schedule its tasks.

        Raises:
            CannotJoin: the execution has ended or is another job's.
            StoreError: the store cannot be written.
        """
        self._store = store
        self._token = token
        self._outer = opening.outer
        self.execution = opening.execution
        self._owner = (store.workspace, opening.execution)
        with store.transaction() as db:
            self.tasks = self._open(db, opening)

    def _open(self, db: sqlite3.Connection, opening: RecordingRequest) -> tuple[str, ...]:
        now, space = opening.at or time.time_ns(), self._store.workspace
        row = db.execute(
            "SELECT key, job, status, tasks, ended_at FROM executions WHERE workspace = ? AND id = ?",
            (space, self.execution),
        ).fetchone()
        if row is not None:
            _check_open(db, row, opening)
        _define_job(db, space, opening, now)
        if row is None:
            spec: dict[str, Any] = {"parallelism": opening.parallelism}
            if opening.timeout_s:
                spec["timeout"] = opening.timeout_s
            made = ExecutionRow(opening.job, self.execution, "running", now, now, started_at=now, spec=spec)
            write_rows(db, space, [made])
        taken = _choose_names(db, row["key"], opening.tasks) if row is not None else _fill_names(opening.tasks, 0)
        spec = {"maxRetries": opening.retries}
        if opening.timeout_s:
            spec["timeout"] = f"{opening.timeout_s}s"
        tasks = (
            TaskRow(self.execution, name, "pending", now, now, spec=spec, recorder=self._token) for name in taken
        )
        write_rows(db, space, tasks)
        self._write_pulse(db)
        return taken

    def renew(self) -> None:
        """Record that the recorder lives."""
        with self._store.transaction() as db:
            self._write_pulse(db)
            ended = "SELECT 1 FROM executions WHERE workspace = ? AND id = ? AND ended_at IS NOT NULL"
            if db.execute(ended, self._owner).fetchone():
                _put_right(db, self._owner, self._token)

    def _write_pulse(self, db: sqlite3.Connection) -> None:
        db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_PULSE_KEY + self._token, str(time.time_ns())))

    def begin_task(self, task: str, at: int | None = None) -> None:
        """Record that an attempt at a task begins, or began at an earlier moment."""
        with self._store.transaction() as db:
            self._check_vanished(db, task)
            _change_task(db, self._owner, task, "running", at or time.time_ns())

    def retry_task(
        self, task: str, conditions: Sequence[dict[str, str]], output: Iterable[LineRow], at: int | None = None
    ) -> None:
        """Record that an attempt at a task failed and another will follow; the conditions are those of all so far."""
        lines = list(output)
        with self._store.transaction() as db:
            self._check_vanished(db, task)
            conditions = _name_inner(db, self._owner, task, conditions, lines)
            _change_task(db, self._owner, task, "pending", at or time.time_ns(), conditions)
            write_rows(db, self._store.workspace, lines)

    def end_tasks(
        self,
        tasks: Iterable[str],
        status: TaskEnding,
        conditions: Sequence[dict[str, str]] = (),
        output: Iterable[LineRow] = (),
        at: int | None = None,
    ) -> None:
        """Record how tasks ended; where nothing is left to run, the execution ends with them."""
        now, lines = at or time.time_ns(), list(output)
        with self._store.transaction() as db:
            for task in tasks:
                self._check_vanished(db, task)
                why = _name_inner(db, self._owner, task, conditions, lines) if status == "failed" else conditions
                _change_task(db, self._owner, task, status, now, why)
                if status == "failed" and why:
                    _tell_outer(db, self._owner, self._outer, (task, why[-1]), now)
            write_rows(db, self._store.workspace, lines)
            _close_execution(db, self._owner)
            db.execute(_DROP_PULSE, (_PULSE_KEY + self._token, self._token))

    def _check_vanished(self, db: sqlite3.Connection, task: str) -> None:
        """Put right what was failed because this recorder seemed to have vanished."""
        if db.execute(_WAS_ENDED, (*self._owner, task)).fetchone():
            _put_right(db, self._owner, self._token)
            self._write_pulse(db)


def build_condition(reason: str, message: str, attempt: int | None = None) -> dict[str, str]:
    """Return a condition of a task that failed (JobExecutionTaskCondition)."""
    condition = {"type": "Failed", "state": "failed", "severity": "error", "reason": reason, "message": message}
    return condition if attempt is None else {**condition, "executionReason": f"attempt {attempt}"}


def _name_inner(
    db: sqlite3.Connection, owner: _Owner, task: str, conditions: Sequence[Condition], output: Sequence[LineRow]
) -> Sequence[Condition]:
    """Return the conditions of a task of which a try failed, with what it was told of tasks within it."""
    row = db.execute(_FIND_TASK, (*owner, task)).fetchone()
    if row is None or not conditions:
        return conditions
    return explain_by_inner(conditions, parse_list(row["conditions"]), row["updated_at"], output)


def _tell_outer(db: sqlite3.Connection, owner: _Owner, outer: str, failure: tuple[str, Condition], at: int) -> None:
    """Tell the task within which a task failed, if that runs, of its name and why."""
    row = db.execute(_FIND_TASK, (*owner, outer)).fetchone() if outer else None
    if row is not None and row["status"] == "running":
        _change_task(db, owner, outer, "running", at, tell_outer(parse_list(row["conditions"]), *failure))


def _check_open(db: sqlite3.Connection, row: sqlite3.Row, opening: RecordingRequest) -> None:
    if row["job"] != opening.job:
        raise CannotJoin(
            f"execution {opening.execution!r} is one of job {row['job']!r}, not of {opening.job!r}",
            "give that job, or another --execution",
        )
    if row["ended_at"] is not None:
        raise CannotJoin(
            f"execution {opening.execution!r} has ended ({row['status']}) and takes no more tasks",
            "leave --execution out for a new one",
        )
    held = "SELECT 1 FROM tasks WHERE execution = ? AND ended_at IS NULL AND recorder IS NOT NULL"
    if db.execute(held, (row["key"],)).fetchone() is None:
        raise CannotJoin(
            f"execution {opening.execution!r} was imported, nothing here runs it",
            "leave --execution out for a new one",
        )


def _choose_names(db: sqlite3.Connection, key: int, wanted: Sequence[str | None]) -> tuple[str, ...]:
    """Return the names that tasks get in an existing execution; a name that is taken gets a number.

    A recorder that is run again after a failure records its tasks again.
    """
    there = {row["name"] for row in db.execute("SELECT name FROM tasks WHERE execution = ?", (key,))}
    number = len(there)
    while f"task-{number}" in there:
        number += 1
    return tuple(_find_free_name(name, there) for name in _fill_names(wanted, number))


def _find_free_name(name: str, there: set[str]) -> str:
    numbered = (f"{name} #{number}" for number in count(2))
    return name if name not in there else next(one for one in numbered if one not in there)


def _fill_names(wanted: Sequence[str | None], first: int) -> tuple[str, ...]:
    return tuple(name or f"task-{first + index}" for index, name in enumerate(wanted))


def _define_job(db: sqlite3.Connection, space: str, opening: RecordingRequest, now: int) -> None:
    """Create the job, or add labels that it lacks, and when it is due."""
    row = db.execute(
        "SELECT created_at, status, body FROM jobs WHERE workspace = ? AND name = ?", (space, opening.job)
    ).fetchone()
    if row is None:
        metadata = {"displayName": opening.title, "labels": dict(opening.labels)}
        spec: dict[str, Any] = {"enabled": True}
        if opening.schedule:
            spec["triggers"] = opening.schedule.build_triggers(now)
        write_rows(db, space, [JobRow(opening.job, now, now, metadata=metadata, spec=spec)])
        return
    body = parse_object(row["body"])
    metadata = read_object(body, "metadata")
    there: dict[str, str] = read_object(metadata, "labels")
    labels = {**there, **opening.labels}
    spec = read_object(body, "spec")
    due = opening.schedule
    rescheduled = due is not None and not due.is_that_of(spec)
    if due is not None and rescheduled:
        spec = {**spec, "triggers": due.build_triggers(now)}
    if labels != there or rescheduled:
        metadata = {**metadata, "labels": labels}
        write_rows(db, space, [JobRow(opening.job, row["created_at"], now, row["status"], metadata, spec)])


_CHANGE_TASK = """
    UPDATE tasks SET
      status = :status,
      updated_at = :at,
      started_at = CASE WHEN :status = 'running' THEN coalesce(started_at, :at) ELSE started_at END,
      ended_at = CASE WHEN :status IN ('succeeded', 'failed', 'cancelled') THEN :at END,
      attempts = attempts + (:status = 'running' AND status <> 'running'),
      conditions = coalesce(:conditions, conditions)
    WHERE execution = (SELECT key FROM executions WHERE workspace = :workspace AND id = :id) AND name = :name"""


def _change_task(
    db: sqlite3.Connection, owner: _Owner, name: str, status: str, at: int, conditions: Sequence[Any] = ()
) -> None:
    """Set a task's status; conditions take the place of those there are, none leave them."""
    known = json.dumps(conditions, separators=(",", ":")) if conditions else None
    space, identity = owner
    values = {"workspace": space, "id": identity, "name": name, "status": status, "at": at, "conditions": known}
    db.execute(_CHANGE_TASK, values)


def _close_execution(db: sqlite3.Connection, owner: _Owner) -> None:
    """End an execution if all of its tasks have ended, at the time of its last change."""
    row = db.execute(
        "SELECT key FROM executions WHERE workspace = ? AND id = ? AND ended_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM tasks WHERE execution = key AND ended_at IS NULL)",
        owner,
    ).fetchone()
    if row is not None:
        ending = "UPDATE executions SET status = ?, ended_at = updated_at WHERE key = ?"
        db.execute(ending, (_decide_status(db, row["key"]), row["key"]))


def _decide_status(db: sqlite3.Connection, key: int) -> str:
    counts = db.execute(
        "SELECT total(status = 'cancelled') AS stopped, total(status = 'failed') AS bad,"
        " total(status = 'failed' AND json_extract(conditions, '$[#-1].reason') = ?) AS late"
        " FROM tasks WHERE execution = ?",
        (TIMEOUT, key),
    ).fetchone()
    if counts["stopped"]:
        return "cancelled"
    if counts["bad"]:
        return "timeout" if counts["bad"] == counts["late"] else "failed"
    return "succeeded"


def _put_right(db: sqlite3.Connection, owner: _Owner, token: str) -> None:
    """Take back that tasks of a recorder were failed because it seemed to have vanished, and open their execution."""
    reopened = db.execute(
        "UPDATE tasks SET status = CASE WHEN started_at IS NULL THEN 'pending' ELSE 'running' END,"
        " ended_at = NULL, conditions = json_remove(conditions, '$[#-1]')"
        " WHERE execution = (SELECT key FROM executions WHERE workspace = ? AND id = ?) AND recorder = ?"
        " AND status = 'failed' AND json_extract(conditions, '$[#-1].reason') = ?",
        (*owner, token, VANISHED),
    ).rowcount
    if reopened:
        opening = "UPDATE executions SET status = 'running', ended_at = NULL WHERE workspace = ? AND id = ?"
        db.execute(opening, owner)


def list_recorders(select: Callable[[str, Sequence[Any]], list[sqlite3.Row]], path: Path) -> dict[str, int | None]:
    """Return the recorders that hold unfinished tasks, and when each vanished; None for one that may run.

    Args:
        select: runs a query.
        path: the store's file.
    """
    return {row["recorder"]: _read_vanished_at(select, path, row["recorder"]) for row in select(_HELD, ())}


def _read_vanished_at(
    select: Callable[[str, Sequence[Any]], list[sqlite3.Row]], path: Path, token: str
) -> int | None:
    found = select("SELECT CAST(value AS TEXT) AS value FROM meta WHERE key = ?", (_PULSE_KEY + token,))
    text = found[0]["value"] if found else ""
    return read_vanished_at(path, token, int(text) if _PULSE.fullmatch(text) else None)


def fail_vanished(store: Store) -> int:
    """Fail the unfinished tasks of vanished recorders, and return of how many recorders.

    If no recorder has unfinished tasks, this reads one index.

    Raises:
        StoreError: the store cannot be read or written.
    """
    if store.path is None or store.frozen:
        return 0
    gone = 0
    for token, last in list_recorders(store.select, store.path).items():
        if last is None:
            continue
        with store.transaction() as db:
            failed = _fail_tasks(db, store, store.path, token)
        if failed:
            remove_lock(store.path, token)
            gone += 1
    return gone


def _fail_tasks(db: sqlite3.Connection, store: Store, path: Path, token: str) -> bool:
    """Fail the unfinished tasks of a recorder, if it has any and has vanished; return whether that was so."""
    # Read again under the write lock: the recorder may have ended its tasks since.
    last = _read_vanished_at(store.select, path, token)
    if last is None:
        return False
    rows = db.execute(
        "SELECT tasks.name, tasks.status, tasks.attempts, tasks.conditions, tasks.updated_at,"
        " executions.id, executions.workspace"
        " FROM tasks JOIN executions ON executions.key = tasks.execution"
        " WHERE tasks.recorder = ? AND tasks.ended_at IS NULL",
        (token,),
    ).fetchall()
    for row in rows:
        # Not before the last change of the task, and not after now.
        when = min(max(last, row["updated_at"]), time.time_ns())
        waiting = row["status"] == "pending"
        why = build_condition(
            VANISHED, _NEVER_BEGAN if waiting else _VANISHED_WHY, None if waiting else row["attempts"]
        )
        conditions = [*parse_list(row["conditions"]), why]
        _change_task(db, (row["workspace"], row["id"]), row["name"], "failed", when, conditions)
    for owner in {(row["workspace"], row["id"]) for row in rows}:
        _close_execution(db, owner)
    db.execute(_DROP_PULSE, (_PULSE_KEY + token, token))
    return bool(rows)
