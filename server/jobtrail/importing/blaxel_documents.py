"""Validates Blaxel's documents, and converts them to rows of the store.

Shapes are those of the seed documents and of the vendor's spec, as far as somebody is shown a field. What is secret
is no such field: values of environment variables and callback secrets are never read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from jobtrail.importing.imported_rows import ExecutionSnapshot
from jobtrail.importing.validation import (
    Count,
    Document,
    Int64,
    Label,
    Name,
    OptionalTime,
    RequiredTime,
    accept_words,
    build_refusal,
    check_end_follows,
    validate_document,
)
from jobtrail.masking import MASKED
from jobtrail.store.rows import ExecutionRow, JobRow, TaskRow
from jobtrail.times import format_nanoseconds
from jobtrail.vocabulary import DEPLOYMENT_STATUSES, EXECUTION_WORDS, TASK_WORDS, UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Mapping

_OPEN = {word for word, status in (*EXECUTION_WORDS.items(), *TASK_WORDS.items()) if status in UNFINISHED}
"""Words of what cannot have ended; `unspecified` says neither."""


class _ConditionDocument(Document):
    execution_reason: str | None = None
    message: str | None = None
    reason: str | None = None
    severity: str | None = None
    state: str | None = None
    type: str | None = None


class _TimesDocument(Document):
    started_at: OptionalTime = None
    completed_at: OptionalTime = None
    updated_at: OptionalTime = None


class _TaskMetadata(_TimesDocument):
    name: Label
    created_at: OptionalTime = None
    scheduled_at: OptionalTime = None


class _TaskDocument(Document):
    metadata: _TaskMetadata
    status: Annotated[str, accept_words(*TASK_WORDS)]
    conditions: list[_ConditionDocument] = Field(default_factory=list[_ConditionDocument])


class _ExecutionSpec(Document):
    parallelism: Count | None = None
    timeout: Count | None = None
    memory_override: Int64 | None = None
    # By name only: the values may be secret.
    env_override: Annotated[dict[str, Any], AfterValidator(lambda env: dict.fromkeys(env, MASKED))] | None = None


class _ExecutionMetadata(_TimesDocument):
    id: Name
    job: Name
    created_at: RequiredTime


class _StatsDocument(Document):
    total: Count | None = None
    success: Count | None = None
    failure: Count | None = None
    running: Count | None = None
    cancelled: Count | None = None
    retried: Count | None = None


class _ExecutionDocument(Document):
    metadata: _ExecutionMetadata
    spec: _ExecutionSpec
    status: Annotated[str, accept_words(*EXECUTION_WORDS)]
    stats: _StatsDocument = _StatsDocument()
    tasks: list[_TaskDocument] = Field(default_factory=list[_TaskDocument])


class _JobMetadata(Document):
    name: Name
    created_at: OptionalTime = None
    updated_at: OptionalTime = None
    display_name: str | None = None
    labels: dict[str, str] | None = None


class _EnvDocument(Document):
    name: str | None = None


class _RuntimeDocument(Document):
    envs: list[_EnvDocument] | None = None
    generation: Annotated[str, accept_words("mk2", "mk3")] | None = None
    image: str | None = None
    max_retries: Int64 | None = None
    memory: Int64 | None = None
    timeout: Int64 | None = None


class _TriggerConfiguration(Document):
    schedule: str | None = None


class _TriggerDocument(Document):
    configuration: _TriggerConfiguration | None = None
    enabled: bool | None = None
    type: Annotated[str, accept_words("http", "http-async", "cron")] | None = None


class _JobSpec(Document):
    enabled: bool | None = None
    region: str | None = None
    runtime: _RuntimeDocument | None = None
    triggers: list[_TriggerDocument] | None = None


class _JobDocument(Document):
    metadata: _JobMetadata
    spec: _JobSpec
    status: Annotated[str, accept_words(*(word.upper() for word in DEPLOYMENT_STATUSES))] | None = None


def read_execution(document: Mapping[str, Any]) -> ExecutionSnapshot:
    """Return the rows of a JobExecution.

    Raises:
        DocumentRefused: it is none.
    """
    given = validate_document(_ExecutionDocument, document)
    metadata = given.metadata
    _check_times("metadata.completedAt", given.status, metadata)
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


def _check_tasks(tasks: list[_TaskDocument]) -> None:
    places: dict[str, int] = {}
    for place, task in enumerate(tasks):
        name = task.metadata.name
        if places.setdefault(name, place) != place:
            raise build_refusal(
                f"tasks[{place}].metadata.name", name, f"is that of tasks[{places[name]}] too; names differ"
            )
        _check_times(f"tasks[{place}].metadata.completedAt", task.status, task.metadata)


def _read_task(given: _TaskDocument, execution: ExecutionRow) -> TaskRow:
    metadata = given.metadata
    # A task without such a time counts as created with its execution.
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


def _check_times(field: str, status: str, given: _TaskMetadata | _ExecutionMetadata) -> None:
    ended = given.completed_at
    if ended is not None and status in _OPEN:
        raise build_refusal(
            field, format_nanoseconds(ended), f"is an end, and status says {status}; give one of them"
        )
    check_end_follows(field, ended, [("startedAt", given.started_at), ("createdAt", given.created_at)])


def read_job(document: Mapping[str, Any]) -> JobRow:
    """Return the row of a Job.

    Raises:
        DocumentRefused: it is none.
    """
    given = validate_document(_JobDocument, document)
    metadata = given.metadata
    return JobRow(
        name=metadata.name,
        created_at=metadata.created_at or 0,
        updated_at=metadata.updated_at or 0,
        status=given.status or "",
        metadata=metadata.model_dump(by_alias=True, exclude_none=True, include={"display_name", "labels"}),
        spec=given.spec.to_json(),
    )
