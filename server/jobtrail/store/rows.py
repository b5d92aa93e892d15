"""Rows of the store's tables, as dataclasses, and the SQL that writes them. Times are nanoseconds since 1970."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class JobRow:
    """A batch job.

    Attributes:
        status: the deployment status.
        metadata: what its metadata holds besides name and times (`displayName`, `labels`, …).
        spec: as the documents have it (Job.spec).
    """

    name: str
    created_at: int
    updated_at: int
    status: str = "DEPLOYED"
    metadata: Mapping[str, Any] = field(default_factory=Json)
    spec: Mapping[str, Any] = field(default_factory=Json)


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    """An execution of a batch job; its counts follow from its tasks."""

    job: str
    id: str
    status: str
    created_at: int
    updated_at: int
    started_at: int | None = None
    ended_at: int | None = None
    spec: Mapping[str, Any] = field(default_factory=Json)


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task of an execution, which must be there.

    Attributes:
        execution: the execution's id.
        started_at: when its first attempt began.
        ended_at: when its last attempt ended.
        attempts: how many began.
        recorder: who runs it, where that is a recorder of this machine.
    """

    execution: str
    name: str
    status: str
    created_at: int
    updated_at: int
    started_at: int | None = None
    ended_at: int | None = None
    attempts: int = 0
    spec: Mapping[str, Any] = field(default_factory=Json)
    conditions: Sequence[Mapping[str, Any]] = ()
    recorder: str | None = None


@dataclass(frozen=True, slots=True)
class StatsRow:
    """Counts of an execution as another system gave them, where they do not follow from its tasks.

    Attributes:
        execution: the execution's id.
        updated_at: when the execution last changed.
    """

    execution: str
    updated_at: int
    total: int
    success: int
    failure: int
    running: int
    cancelled: int
    retried: int


@dataclass(frozen=True, slots=True)
class DefinitionRow:
    """The definition of a scheduled task or service."""

    name: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run of a scheduled task or service.

    Attributes:
        status: pending, running or ended.
        end_reason: how it ended, in the words of either dialect.
        body: what else is known of it (`triggered_by`, `retry_attempt`, …).
    """

    id: str
    task: str
    status: str
    created_at: int
    started_at: int | None = None
    ended_at: int | None = None
    end_reason: str | None = None
    exit_code: int = 0
    body: Mapping[str, Any] = field(default_factory=Json)


@dataclass(frozen=True, slots=True)
class LineRow:
    """One line of output.

    Attributes:
        at: when it was read; 0 where that is not known.
        owner: the execution or run it belongs to.
        task: the task, empty for a run.
        stream: stdout, stderr, or system for what a scheduler said itself.
    """

    at: int
    owner: str
    task: str
    stream: Literal["stdout", "stderr", "system"]
    text: str


AnyRow = JobRow | ExecutionRow | TaskRow | StatsRow | DefinitionRow | RunRow | LineRow


def write_rows(db: sqlite3.Connection, workspace: str, records: Iterable[AnyRow]) -> None:
    """Write rows inside a transaction: each is inserted, or replaces the row with its key.

    Raises:
        sqlite3.IntegrityError: an execution's id is one of another job; a transaction raises it as a `StoreError`.
    """
    for kind, alike in groupby(records, type):
        sql, values = _WRITES[kind]
        db.executemany(sql, (values(workspace, one) for one in alike))


def to_json(value: object) -> str:
    """Return JSON as the tables keep it."""
    return json.dumps(value, separators=(",", ":"))


def _encode_job(workspace: str, one: JobRow) -> tuple[Any, ...]:
    labels: Mapping[str, str] = one.metadata.get("labels") or {}
    # Apart from each other: a search is for a part of one of them.
    searched = (one.name, one.metadata.get("displayName") or "", *labels, *labels.values())
    # A column of its own, which has no room for half a surrogate pair.
    search = "\n".join(map(str, searched)).lower().encode(errors="replace").decode()
    body = to_json({"metadata": one.metadata, "spec": one.spec})
    return (workspace, one.name, one.created_at, one.updated_at, one.status, search, body)


def _encode_execution(workspace: str, one: ExecutionRow) -> tuple[Any, ...]:
    return (
        workspace, one.job, one.id, one.created_at, one.updated_at, one.started_at, one.ended_at, one.status,
        to_json(one.spec),
    )  # fmt: skip


def _encode_task(workspace: str, one: TaskRow) -> tuple[Any, ...]:
    return (
        one.name, one.created_at, one.updated_at, one.started_at, one.ended_at, one.attempts, one.status,
        to_json(one.spec), to_json(one.conditions), one.recorder, workspace, one.execution,
    )  # fmt: skip


def _encode_stats(workspace: str, one: StatsRow) -> tuple[Any, ...]:
    counts = (one.total, one.success, one.failure, one.running, one.cancelled, one.retried)
    return (*counts, one.updated_at, workspace, one.execution)


def _encode_run(_workspace: str, one: RunRow) -> tuple[Any, ...]:
    return (
        one.id, one.task, one.created_at, one.started_at, one.ended_at, one.status, one.end_reason, one.exit_code,
        to_json(one.body),
    )  # fmt: skip


def _encode_definition(_workspace: str, one: DefinitionRow) -> tuple[Any, ...]:
    return (one.name, to_json(one.body))


def _encode_line(workspace: str, one: LineRow) -> tuple[Any, ...]:
    return (workspace, one.owner, one.task, one.at, one.stream, one.text)


_WRITE_JOB = """
    INSERT INTO jobs (workspace, name, created_at, updated_at, status, search, body) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (workspace, name) DO UPDATE SET
      created_at = excluded.created_at, updated_at = excluded.updated_at, status = excluded.status,
      search = excluded.search, body = excluded.body"""
_WRITE_EXECUTION = """
    INSERT INTO executions (workspace, job, id, created_at, updated_at, started_at, ended_at, status, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (workspace, job, id) DO UPDATE SET
      created_at = excluded.created_at, updated_at = excluded.updated_at, started_at = excluded.started_at,
      ended_at = excluded.ended_at, status = excluded.status, body = excluded.body"""
_WRITE_TASK = """
    INSERT INTO tasks (
      execution, position, name, created_at, updated_at, started_at, ended_at, attempts, status, spec, conditions,
      recorder
    )
    SELECT key, tasks, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM executions WHERE workspace = ? AND id = ?
    ON CONFLICT (execution, name) DO UPDATE SET
      created_at = excluded.created_at, updated_at = excluded.updated_at, started_at = excluded.started_at,
      ended_at = excluded.ended_at, attempts = excluded.attempts, status = excluded.status, spec = excluded.spec,
      conditions = excluded.conditions, recorder = excluded.recorder"""
_WRITE_STATS = """
    UPDATE executions SET
      total = ?, success = ?, failure = ?, running = ?, cancelled = ?, retried = ?, updated_at = ?
    WHERE workspace = ? AND id = ?"""
_WRITE_DEFINITION = "INSERT INTO definitions VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body"
_WRITE_RUN = """
    INSERT INTO runs (id, task, created_at, started_at, ended_at, status, end_reason, exit_code, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET
      created_at = excluded.created_at, started_at = excluded.started_at, ended_at = excluded.ended_at,
      status = excluded.status, end_reason = excluded.end_reason, exit_code = excluded.exit_code,
      body = excluded.body"""
_WRITE_LINE = "INSERT INTO lines (workspace, owner, task, at, stream, text) VALUES (?, ?, ?, ?, ?, ?)"

_WRITES: dict[type[AnyRow], tuple[str, Callable[[str, Any], tuple[Any, ...]]]] = {
    JobRow: (_WRITE_JOB, _encode_job),
    ExecutionRow: (_WRITE_EXECUTION, _encode_execution),
    TaskRow: (_WRITE_TASK, _encode_task),
    StatsRow: (_WRITE_STATS, _encode_stats),
    DefinitionRow: (_WRITE_DEFINITION, _encode_definition),
    RunRow: (_WRITE_RUN, _encode_run),
    LineRow: (_WRITE_LINE, _encode_line),
}
