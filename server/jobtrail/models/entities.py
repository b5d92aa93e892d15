"""Jobs, executions, tasks and runs, in one vocabulary, and what all models share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, PlainSerializer

from jobtrail.times import format_milliseconds
from jobtrail.vocabulary import Status

Timestamp = Annotated[datetime, PlainSerializer(format_milliseconds, return_type=str, when_used="json")]


class FrozenModel(BaseModel):
    """Base of all models: frozen, and nothing but its own fields."""

    # A model is built when it is first used: most processes use few of them.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object an agent gets: absent fields left out."""
        return self.model_dump(mode="json", exclude_none=True)


class TaskCounts(FrozenModel):
    """Task counts of an execution; no upstream counts what is queued."""

    total: int | None = None
    succeeded: int | None = None
    failed: int | None = None
    running: int | None = None
    cancelled: int | None = None
    retried: int | None = None


class Job(FrozenModel):
    """A definition that can run: a batch job, or a scheduled task or service.

    `status` is the deployment status of a batch job, in lower case; the others have none.
    """

    name: str
    kind: Literal["job", "task", "service"]
    status: str | None = None
    display_name: str | None = None
    description: str | None = None
    schedule: str | None = None
    next_run_at: Timestamp | None = None
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None
    group: str | None = None
    labels: dict[str, str] | None = None


class Execution(FrozenModel):
    """One triggered execution of a batch job; on a page of one job's executions, `job` is the page's."""

    id: str
    job: str | None = None
    status: Status
    raw_status: str | None = None
    created_at: Timestamp | None = None
    started_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    duration_s: float | None = None
    stats: TaskCounts | None = None


class Task(FrozenModel):
    """One unit of work inside an execution."""

    name: str
    status: Status
    raw_status: str | None = None
    created_at: Timestamp | None = None
    started_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    duration_s: float | None = None
    attempt: int | None = None
    reason: str | None = None


class Run(FrozenModel):
    """One run of a scheduled task; on a page of one task's runs, `task` is the page's.

    `exit_code` is there only once the run has ended.
    """

    id: str
    task: str | None = None
    status: Status
    raw_status: str | None = None
    created_at: Timestamp | None = None
    started_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    duration_s: float | None = None
    exit_code: int | None = None
    trigger: str | None = None
    attempt: int | None = None
    retry_of: str | None = None
    instance: int | None = None


Attempt = Execution | Run
"""What a job attempted: an execution of a batch job, or a run of a scheduled task."""
