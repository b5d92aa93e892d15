"""What differs between two executions or runs of one job: `Comparison`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jobtrail.models.calls import NextCall
from jobtrail.models.entities import FrozenModel, Timestamp
from jobtrail.models.pages import Answer, Coverage
from jobtrail.vocabulary import Status

TaskChange = Literal["failed only here", "new", "gone", "much slower"]


class ComparedAttempt(FrozenModel):
    """One of the two; `tasks_read` of `tasks` were compared where it has tasks."""

    id: str
    status: Status
    tasks: int | None = None
    tasks_read: int | None = None


class Difference(FrozenModel):
    """A fact that both tell and that is not the same."""

    what: str
    this: str
    base: str
    change: str | None = None


class TaskDifference(FrozenModel):
    """A task that failed only here, is new, gone or much slower, with status and duration in both: `failed 2m`."""

    name: str
    change: TaskChange
    this: str | None = None
    base: str | None = None


class CauseDifference(FrozenModel):
    """A cause of the failure, and since when it occurs at all, as far back as was looked."""

    cause: str
    tasks: int | None = None
    in_base: int | None = Field(default=None, description="tasks of the other that it failed; of a run 1 or 0")
    first_at: Timestamp | None = None
    first: str = Field(description="id of the oldest failure with it")
    before: int = Field(description="failures before it with the cause, of those that were looked at; 0: it is new")


class Comparison(Answer):
    """What differs between two executions or runs; `coverage` is of the look back over what ran before."""

    rows = "tasks"

    job: str
    kind: Literal["execution", "run"] = Field(default="execution", exclude=True)
    verdict: str
    this: ComparedAttempt
    base: ComparedAttempt | None = None
    differences: tuple[Difference, ...] = ()
    same: dict[str, str] = Field(default_factory=dict[str, str])
    not_compared: tuple[str, ...] | None = None
    tasks: tuple[TaskDifference, ...] = ()
    causes: tuple[CauseDifference, ...] = ()
    coverage: Coverage
    next_calls: tuple[NextCall, ...] = ()
