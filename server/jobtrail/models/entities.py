"""Jobs, executions, tasks and runs, in one vocabulary, and what all models share."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer

from jobtrail.masking import mask_pair, mask_text
from jobtrail.times import format_time
from jobtrail.vocabulary import Status

if TYPE_CHECKING:
    from typing import Self

Timestamp = Annotated[datetime, PlainSerializer(format_time, return_type=str, when_used="json")]
MaskedText = Annotated[str, AfterValidator(mask_text)]
"""What somebody wrote into a definition, without the secrets it shows by itself."""


def _mask_values(given: dict[str, str]) -> dict[str, str]:
    return {mask_text(key): mask_pair(key, value) for key, value in given.items()}


MaskedPairs = Annotated[dict[str, str], AfterValidator(_mask_values)]
"""Labels or settings of a definition; a value whose key says that it is a secret is masked as a whole."""


Unread = Annotated[tuple[str, ...], Field(exclude=True)]
"""Names of the fields that its upstream sent and nobody could read."""


class FrozenModel(BaseModel):
    """Base of all models: frozen, and nothing but its own fields."""

    # A model is built when it is first used: most processes use few of them.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def take_from(cls, one: FrozenModel, **changes: Any) -> Self:
        """Return the fields of another model that this one has, some of them changed."""
        return cls.model_construct(**{name: getattr(one, name) for name in cls.model_fields} | changes)

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object, absent fields left out."""
        return self.model_dump(mode="json", exclude_none=True)

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object an agent gets."""
        return self.to_json()


class Timetable(FrozenModel):
    """When a job is due by itself, as far as its source tells.

    Attributes:
        expressions: cron expressions.
        zone: of their fields, an IANA name; None where it is not told.
        held: why it does not start all the same; None where nothing says so.
        slack_s: seconds by which a start may slip, as it is configured.
        since: from when on it holds, where that is known.
        recorded: whether a recorder of this machine stored it.
        kept: whether what it starts is kept by its source.
    """

    expressions: tuple[str, ...]
    zone: str | None = None
    held: str | None = None
    slack_s: float = 0.0
    since: Timestamp | None = None
    recorded: bool = False
    kept: bool = True


class ListedJob(FrozenModel):
    """A job as a list shows it.

    `deployment` is the status of a batch job's definition, in lower case, and says nothing of how it ran; the others
    have none. `schedule` names its zone, or says that there is none; `next_run_local` is the next run in that zone,
    where it is not UTC.
    """

    name: str
    kind: Literal["job", "task", "service"]
    deployment: str | None = None
    display_name: MaskedText | None = None
    description: MaskedText | None = None
    schedule: str | None = None
    next_run_at: Timestamp | None = None
    next_run_local: str | None = None
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None
    group: str | None = None

    @property
    def status(self) -> str | None:
        """What a filter by status looks at."""
        return self.deployment


class Job(ListedJob):
    """A definition that can run: a batch job, or a scheduled task or service."""

    labels: MaskedPairs | None = None
    timetable: Annotated[Timetable | None, Field(exclude=True)] = None
    unread: Unread = ()


class ListedExecution(FrozenModel):
    """An execution as a list shows it: the list says of which job, and `get_execution` when it began and ended.

    The counts are of its tasks; no upstream counts what is queued.
    """

    id: str
    status: Status
    raw_status: str | None = None
    created_at: Timestamp | None = None
    duration_s: float | None = None
    so_far_s: int | None = None
    tasks: int | None = None
    succeeded: int | None = None
    failed: int | None = None
    running: int | None = None
    cancelled: int | None = None
    retried: int | None = None


class Execution(ListedExecution):
    """One triggered execution of a batch job; `updated_at` is known of one that is being cancelled."""

    job: str | None = None
    started_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    updated_at: Timestamp | None = Field(default=None, exclude=True)
    unread: Unread = ()


class ListedTask(FrozenModel):
    """A task as a list shows it: without its start where end and duration tell it, or with what was asked for."""

    name: str
    status: Status | None = None
    raw_status: str | None = None
    created_at: Timestamp | None = None
    started_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    duration_s: float | None = None
    so_far_s: int | None = None
    attempt: int | None = None
    reason: str | None = None


class Task(FrozenModel):
    """One unit of work inside an execution."""

    name: str
    status: Status
    raw_status: str | None = None
    created_at: Timestamp | None = None
    started_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    duration_s: float | None = None
    so_far_s: int | None = None
    attempt: int | None = None
    reason: str | None = None
    unread: Unread = ()


class ListedRun(FrozenModel):
    """A run as a list shows it; in a list of one job's runs, `job` is the list's.

    `exit_code` is there only once the run has ended. `get_run` says when it began and ended. `failure` is the
    upstream's own judgement, where that is not what the status says.
    """

    id: str
    job: str | None = None
    status: Status
    raw_status: str | None = None
    failure: bool | None = None
    created_at: Timestamp | None = None
    duration_s: float | None = None
    so_far_s: int | None = None
    exit_code: int | None = None
    trigger: str | None = None
    attempt: int | None = None
    instance: int | None = None


class Run(ListedRun):
    """One run of a scheduled task."""

    started_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    retry_of: str | None = None
    params: MaskedPairs | None = None
    unread: Unread = ()


Attempt = Execution | Run
"""What a job attempted: an execution of a batch job, or a run of a scheduled task."""
