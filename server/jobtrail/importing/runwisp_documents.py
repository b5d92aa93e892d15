"""Validates RunWisp's documents, and converts them to rows of the store.

Runs are spelt as in the legacy dialect, as in 1.0.1, or as by a version in between; definitions are those of 1.0.1.
Environment variables of a task are kept by name only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, AliasChoices, Field, model_validator
from pydantic.alias_generators import to_snake

from jobtrail.importing.imported_rows import RunSnapshot
from jobtrail.importing.validation import (
    Count,
    Document,
    Int64,
    OptionalTime,
    RequiredTime,
    RunId,
    TaskName,
    TimeText,
    accept_words,
    as_object,
    build_refusal,
    check_end_follows,
    validate_document,
)
from jobtrail.masking import MASKED, mask_pair
from jobtrail.store.rows import DefinitionRow, RunRow
from jobtrail.times import format_optional_nanoseconds
from jobtrail.vocabulary import END_REASONS, OPEN_PHASES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TRIGGERS = ("cron", "api", "cloud", "ui", "cli", "station", "service", "startup")
_WORDS_OF_1 = {"success": "succeeded", "cloud": "station"}
"""Words of the legacy dialect that 1.0.1 has others for, which the store keeps."""


class _RunDocument(Document):
    """Schema Run of either document."""

    id: RunId
    task_name: TaskName
    status: Annotated[str, accept_words(*OPEN_PHASES, "ended")]
    end_reason: Annotated[str, accept_words(*END_REASONS)] | None = None
    exit_code: Int64
    created_at: RequiredTime
    started_at: OptionalTime = Field(None, validation_alias=AliasChoices("startedAt", "started_at", "start_at"))
    ended_at: OptionalTime = Field(None, validation_alias=AliasChoices("endedAt", "ended_at", "end_at"))
    triggered_by: Annotated[str, accept_words(*TRIGGERS)]
    retry_attempt: Count
    retry_of_run_id: RunId | None = None
    instance_index: Count = Field(validation_alias=AliasChoices("instanceIndex", "instance_index", "replica_index"))
    is_failure: bool | None = None
    params: dict[str, str] | None = None

    @model_validator(mode="before")
    @classmethod
    def _drop_empty_texts(cls, value: Any) -> Any:
        """Either upstream may write an optional field as an empty one."""
        fields = as_object(value)
        return value if fields is None else {name: one for name, one in fields.items() if one != ""}


class _DefinitionDocument(Document):
    """Schema Task, of which no more than the name is asked for; durations are nanoseconds."""

    name: TaskName
    kind: Annotated[str, accept_words("task", "service")] | None = None
    group: str | None = None
    description: str | None = None
    cron: str | None = None
    timezone: str | None = None
    next_run_at: TimeText = None
    timeout: Int64 | None = None
    retry_attempts: Int64 | None = None
    on_overlap: Annotated[str, accept_words("queue", "skip", "kill")] | None = None
    max_concurrent: Int64 | None = None
    instances: Int64 | None = None
    restart: Annotated[str, accept_words("never", "always", "on_failure")] | None = None
    env: Annotated[dict[str, str], AfterValidator(lambda env: dict.fromkeys(env, MASKED))] | None = None


def read_run(document: Mapping[str, Any], log: Path | None = None) -> RunSnapshot:
    """Return the row of a run, in either spelling.

    Args:
        document: its fields.
        log: the file that holds its output.

    Raises:
        DocumentRefused: it is none.
    """
    given = validate_document(_RunDocument, document, to_snake if "task_name" in document else str)
    _check_times(given, document)
    body = {
        "triggered_by": _WORDS_OF_1.get(given.triggered_by, given.triggered_by),
        "retry_attempt": given.retry_attempt,
        "retry_of_run_id": given.retry_of_run_id,
        "replica_index": given.instance_index,
        "is_failure": given.is_failure,
        "params": {name: mask_pair(name, value) for name, value in given.params.items()} if given.params else None,
    }
    run = RunRow(
        id=given.id,
        task=given.task_name,
        status=given.status,
        created_at=given.created_at,
        started_at=given.started_at,
        ended_at=given.ended_at,
        end_reason=_WORDS_OF_1.get(given.end_reason or "", given.end_reason),
        # A run that has not ended has none, whatever it says.
        exit_code=given.exit_code if given.status == "ended" else 0,
        body={name: value for name, value in body.items() if value is not None},
    )
    return RunSnapshot(run, log)


def _check_times(given: _RunDocument, document: Mapping[str, Any]) -> None:
    ended, started, reason, created = (
        next((name for name in names if name in document), "")
        for names in (
            ("endedAt", "ended_at", "end_at"),
            ("startedAt", "started_at", "start_at"),
            ("endReason", "end_reason"),
            ("createdAt", "created_at"),
        )
    )
    if given.status != "ended":
        for field, value in ((ended, format_optional_nanoseconds(given.ended_at)), (reason, given.end_reason)):
            if value is not None:
                raise build_refusal(field, value, f"is an end, and status says {given.status}; give one of them")
    check_end_follows(ended, given.ended_at, [(started, given.started_at), (created, given.created_at)])


def read_definition(document: Mapping[str, Any]) -> DefinitionRow:
    """Return the row of a definition of a task or service.

    Raises:
        DocumentRefused: it is none.
    """
    given = validate_document(_DefinitionDocument, document)
    return DefinitionRow(given.name, given.to_json())


def build_registration(name: Any) -> DefinitionRow:
    """Return the definition of a task of which only the name is known.

    Raises:
        DocumentRefused: it is no name.
    """
    return DefinitionRow(validate_document(_DefinitionDocument, {"name": name}).name, {})
