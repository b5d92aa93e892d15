"""Blaxel's documents: the fields that are kept of them, checked, and the rows they become.

Shapes are those of the seed documents and of the vendor's spec, as far as somebody is shown a field. What is secret
is no such field: values of environment variables and callback secrets are never read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from jobtrail.importing.snapshot import ExecutionSnapshot
from jobtrail.importing.validation import (
    Count,
    Document,
    Label,
    Name,
    OptionalTime,
    Time,
    Whole,
    check,
    check_end,
    one_of,
    refuse,
)
from jobtrail.store.rows import ExecutionRow, JobRow, TaskRow
from jobtrail.times import format_nanoseconds

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TASK_WORDS", "read_execution", "read_job"]

EXECUTION_WORDS = ("queued", "pending", "running", "cancelling", "cancelled", "failed", "succeeded", "timeout")
"""Schema JobExecutionStatus."""
TASK_WORDS = ("unspecified", "pending", "reconciling", "failed", "succeeded", "running", "cancelled")
"""Schema JobExecutionTaskStatus."""
DEPLOYMENTS = (
    "DELETING", "TERMINATED", "FAILED", "DEACTIVATED", "DEACTIVATING",
    "UPLOADING", "BUILDING", "DEPLOYING", "DEPLOYED", "BUILT",
)  # fmt: skip
"""Schema Status."""
_OPEN = {"queued", "pending", "running", "cancelling", "reconciling"}
"""Words of what cannot have ended; `unspecified` says neither."""


class _Condition(Document):
    execution_reason: str | None = None
    message: str | None = None
    reason: str | None = None
    severity: str | None = None
    state: str | None = None
    type: str | None = None


class _Lifetime(Document):
    started_at: OptionalTime = None
    completed_at: OptionalTime = None
    updated_at: OptionalTime = None


class _TaskMetadata(_Lifetime):
    name: Label
    created_at: OptionalTime = None
    scheduled_at: OptionalTime = None


class _Task(Document):
    metadata: _TaskMetadata
    status: Annotated[str, one_of(*TASK_WORDS)]
    conditions: list[_Condition] = Field(default_factory=list[_Condition])


class _ExecutionSpec(Document):
    parallelism: Count | None = None
    timeout: Count | None = None


class _ExecutionMetadata(_Lifetime):
    id: Name
    job: Name
    created_at: Time


class _Stats(Document):
    total: Count | None = None
    success: Count | None = None
    failure: Count | None = None
    running: Count | None = None
    cancelled: Count | None = None
    retried: Count | None = None


class _Execution(Document):
    metadata: _ExecutionMetadata
    spec: _ExecutionSpec
    status: Annotated[str, one_of(*EXECUTION_WORDS)]
    stats: _Stats = _Stats()
    tasks: list[_Task] = Field(default_factory=list[_Task])


class _JobMetadata(Document):
    name: Name
    created_at: OptionalTime = None
    updated_at: OptionalTime = None
    display_name: str | None = None
    labels: dict[str, str] | None = None


class _Env(Document):
    name: str | None = None


class _Runtime(Document):
    envs: list[_Env] | None = None
    generation: Annotated[str, one_of("mk2", "mk3")] | None = None
    image: str | None = None
    max_retries: Whole | None = None
    memory: Whole | None = None
    timeout: Whole | None = None


class _TriggerConfiguration(Document):
    schedule: str | None = None


class _Trigger(Document):
    configuration: _TriggerConfiguration | None = None
    enabled: bool | None = None
    type: Annotated[str, one_of("http", "http-async", "cron")] | None = None


class _JobSpec(Document):
    enabled: bool | None = None
    region: str | None = None
    runtime: _Runtime | None = None
    triggers: list[_Trigger] | None = None


class _Job(Document):
    metadata: _JobMetadata
    spec: _JobSpec
    status: Annotated[str, one_of(*DEPLOYMENTS)] | None = None


def read_execution(document: Mapping[str, Any]) -> ExecutionSnapshot:
    """Return what a JobExecution tells.

    Raises:
        Refused: it is none.
    """
    given = check(_Execution, document)
    metadata = given.metadata
    _check_end("metadata.completedAt", given.status, metadata)
    execution = ExecutionRow(
        job=metadata.job,
        id=metadata.id,
        status=given.status,
        created_at=metadata.created_at,
        updated_at=metadata.updated_at or 0,
        started_at=metadata.started_at,
        ended_at=metadata.completed_at,
        spec=given.spec.to_json(),
    )
    _check_tasks(given.tasks)
    return ExecutionSnapshot(execution, [_read_task(one, execution) for one in given.tasks], given.stats.to_json())


def _check_tasks(tasks: list[_Task]) -> None:
    places: dict[str, int] = {}
    for place, task in enumerate(tasks):
        name = task.metadata.name
        if places.setdefault(name, place) != place:
            raise refuse(f"tasks[{place}].metadata.name", name, f"is that of tasks[{places[name]}] too; names differ")
        _check_end(f"tasks[{place}].metadata.completedAt", task.status, task.metadata)


def _read_task(given: _Task, execution: ExecutionRow) -> TaskRow:
    metadata = given.metadata
    # A task of which that is not told was created with its execution, as far as anyone knows.
    created = metadata.created_at or metadata.scheduled_at or metadata.started_at or execution.created_at
    return TaskRow(
        execution=execution.id,
        name=metadata.name,
        status=given.status,
        created_at=created,
        updated_at=metadata.updated_at or metadata.completed_at or metadata.started_at or created,
        started_at=metadata.started_at,
        ended_at=metadata.completed_at,
        attempts=0 if metadata.started_at is None else 1,
        conditions=[one.to_json() for one in given.conditions],
    )


def _check_end(field: str, status: str, given: _TaskMetadata | _ExecutionMetadata) -> None:
    ended = given.completed_at
    if ended is not None and status in _OPEN:
        raise refuse(field, format_nanoseconds(ended), f"is an end, and status says {status}; give one of them")
    check_end(field, ended, [("startedAt", given.started_at), ("createdAt", given.created_at)])


def read_job(document: Mapping[str, Any]) -> JobRow:
    """Return what a Job tells.

    Raises:
        Refused: it is none.
    """
    given = check(_Job, document)
    metadata = given.metadata
    return JobRow(
        name=metadata.name,
        created_at=metadata.created_at or 0,
        updated_at=metadata.updated_at or 0,
        status=given.status or "",
        metadata=metadata.model_dump(by_alias=True, exclude_none=True, include={"display_name", "labels"}),
        spec=given.spec.to_json(),
    )
