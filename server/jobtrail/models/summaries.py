"""Summaries of many executions and runs: `History` of a job, `Failures` across all jobs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, WithJsonSchema

from jobtrail.models.calls import NextCall, Note
from jobtrail.models.entities import FrozenModel, Timestamp
from jobtrail.models.pages import Answer, Coverage, Rows, Total, Window
from jobtrail.vocabulary import Status

Seconds = Annotated[
    float,
    PlainSerializer(lambda number: int(number) if number == int(number) else number),
    WithJsonSchema({"type": "number"}),
]
"""A length of time, sent without a fraction that is nothing."""


class Period(FrozenModel):
    """What a stretch of time came to; rates are of what succeeded or counts as a failure, durations of what ended."""

    attempts: int
    judged: int = Field(default=0, exclude=True)
    counts: dict[str, int]
    success_rate: float | None = Field(default=None, description="0 to 1")
    p50_s: float | None = None
    p95_s: float | None = None
    max_s: float | None = None


class Bucket(FrozenModel):
    """One bucket of a history."""

    start: Timestamp
    counts: dict[str, int]
    success_rate: float | None = None
    p50_s: float | None = None


class Streak(FrozenModel):
    """The newest attempts that ended alike; `at_least` where more of them may lie before what was read."""

    well: bool
    length: int
    at_least: bool = False
    since: Timestamp | None = None


class History(Answer):
    """How a job has been doing, and whether that is better or worse than in the window before."""

    rows = "buckets"

    job: str
    kind: Literal["job", "task", "service"]
    window: Window
    bucket: str
    current: Period
    before: Period | None = Field(default=None, description="the window of the same length before this one")
    trend: Literal["better", "worse", "steady"] | None = None
    streak: Streak | None = None
    last_success_at: Timestamp | None = None
    buckets: tuple[Bucket, ...]
    sparkline: str
    coverage: Coverage
    next_calls: tuple[NextCall, ...] = ()


class FailureCause(FrozenModel):
    """Executions or runs that ended badly for what looks like one reason: of one job and status, or of all `jobs`.

    `source` and `kind` are those of the newest.
    """

    source: str
    job: str | None = None
    kind: Literal["execution", "run"]
    status: Status | None = None
    jobs: tuple[str, ...] | None = None
    more_jobs: int | None = None
    not_recovered: tuple[str, ...] | None = Field(default=None, description="of these jobs")
    cause: str
    count: int
    tasks: int | None = Field(default=None, description="of executions, that failed of it")
    first_at: Timestamp | None = None
    last_at: Timestamp | None = None
    recovered: bool | None = Field(default=None, description="whether every job succeeded after it last failed so")
    recovered_at: Timestamp | None = Field(default=None, description="when the last of them first did")
    example: str = Field(description="id of the newest of them")
    open: NextCall = Field(description="the call that explains it")


class Everywhere(Rows):
    """An answer over all jobs and sources; `errors` names sources, or parts of one, that could not be read."""

    sources: tuple[str, ...]
    sample: tuple[str, ...] | None = Field(default=None, description="sources that show sample data")
    jobs: int
    errors: dict[str, Note] | None = None
    coverage: Coverage
    cursor: str | None = None
    window: Window
    notes: tuple[Note, ...] | None = None


class Failures(Everywhere):
    """What ended badly, across jobs and sources."""

    rows = "causes"

    failures: int = Field(description="of this page")
    unknown: int = Field(default=0, exclude=True)
    failures_found: int | None = Field(default=None, description="where not all causes are read")
    causes_read: int | None = Field(default=None, description="of how many of these")
    causes_found: int = Field(description="in what was read, this page's among them")
    causes: tuple[FailureCause, ...]
    filters: dict[str, str]


class ActiveAttempt(FrozenModel):
    """An execution or a run that has not ended; `p50_s` and `p95_s` are of the `usual_of` recent ones that have."""

    id: str
    source: str
    job: str
    kind: Literal["execution", "run"]
    status: Status
    raw_status: str | None = None
    since: Timestamp | None = Field(default=None, description="when it began to run, or to wait")
    so_far_s: int | None = None
    attempt: int | None = None
    instance: int | None = None
    tasks: int | None = None
    done: int | None = Field(default=None, description="tasks that ended")
    p50_s: float | None = None
    p95_s: float | None = None
    usual_of: int | None = None
    verdict: str | None = Field(default=None, description="where it stands out")


class ActivePage(Everywhere):
    """What is queued or running now, the oldest first."""

    rows = "items"

    unknown: int = Field(default=0, exclude=True)
    total: Total
    items: tuple[ActiveAttempt, ...]


class JobHistory(FrozenModel):
    """How one job has been doing in a window, as one of many; ages count back from the answer's `now`.

    `runs_before` is there where these make no rate, or there are none; `never_succeeded` where all that is kept was
    read.
    """

    name: str
    source: str
    kind: Literal["job", "task", "service"]
    runs: int
    rate: float | None = None
    failures: int = 0
    rate_before: float | None = None
    runs_before: int | None = None
    p50_s: Seconds | None = None
    p95_s: Seconds | None = None
    last_status: Status | None = None
    last_ago_s: int | None = None
    success_ago_s: int | None = None
    never_succeeded: bool | None = None
    kept_s: int | None = Field(default=None, description="how far back its history is kept")
    next_in_s: int | None = None
    read_s: int | None = Field(default=None, description="how far back was read, where not the whole window")


class JobsHistory(Everywhere):
    """How all jobs have been doing, the worst first, each against the window before."""

    rows = "items"

    sort: str
    items: tuple[JobHistory, ...]
