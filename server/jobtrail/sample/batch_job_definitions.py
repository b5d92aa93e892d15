"""Lists the sample's batch jobs and the failures that their tasks can have, as constants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

Habit = Literal["steady", "flaky", "down", "slow_start", "superseded", "backfill", "capped"]


@dataclass(frozen=True)
class FailureCause:
    """A recurring failure: its reason, and a message with numbers and ids that vary."""

    reason: str
    message: str


REFUSED = FailureCause(
    "ConnectionError",
    "psycopg.OperationalError: connection to server at '10.0.{b}.{a}', port 5432 failed: Connection refused",
)
OOM = FailureCause(
    "OOMKilled", "container exceeded its memory limit of 2048 MiB ({n} MiB) and was killed (exit code 137)"
)
RATE = FailureCause("RateLimited", "HTTP 429 from api.embeddings.example after {a} attempts, request id req_{hex}")
DENIED = FailureCause("AccessDenied", "S3 GetObject s3://acme-exports/{date}/part-{n}.parquet: AccessDenied")
BAD_ROW = FailureCause("KeyError", "KeyError: 'customer_id' in record {n} of batch {hex}")
DISK = FailureCause("DiskFull", "[Errno 28] No space left on device: '/scratch/{hex}.tmp' after writing {n} MiB")
TIMED_OUT = FailureCause("DeadlineExceeded", "task ran longer than its timeout of 30m and was terminated")
TLS = FailureCause("SSLError", "certificate verify failed: certificate for crm.example expired at {date}T00:00:00Z")


@dataclass(frozen=True)
class SampleJob:
    """One sample job.

    Attributes:
        every: between two executions; None for a job that has never run.
        at: offset of the first execution of the period.
        keep: how long executions are kept.
        tasks: tasks of an execution.
        length: how long a task takes, about.
        habit: how its executions tend to end.
        causes: what its failures look like, the usual one first.
    """

    name: str
    title: str
    team: str
    every: timedelta | None
    at: timedelta
    keep: timedelta
    tasks: int
    length: timedelta
    habit: Habit
    causes: tuple[FailureCause, ...] = (REFUSED,)
    deployment: str = "DEPLOYED"
    schedule: str = ""
    parallelism: int = 4


SAMPLE_JOBS = (
    SampleJob(
        "nightly-etl",
        "Nightly ETL",
        "data",
        DAY,
        2 * HOUR,
        90 * DAY,
        14,
        9 * MINUTE,
        "down",
        (REFUSED, BAD_ROW),
        schedule="0 2 * * *",
    ),
    SampleJob(
        "backfill-embeddings",
        "Backfill embeddings",
        "search",
        7 * DAY,
        30 * HOUR,
        7 * DAY,
        10_000,
        MINUTE,
        "backfill",
        (RATE, OOM, BAD_ROW, DENIED),
        schedule="0 6 * * 2",
        parallelism=200,
    ),
    SampleJob(
        "embed-documents",
        "Embed new documents",
        "search",
        2 * HOUR,
        5 * MINUTE,
        7 * DAY,
        8,
        2 * MINUTE,
        "flaky",
        (RATE, OOM),
        schedule="5 */2 * * *",
    ),
    SampleJob(
        "invoice-export",
        "Invoice export",
        "billing",
        3 * HOUR,
        20 * MINUTE,
        10 * DAY,
        6,
        3 * MINUTE,
        "flaky",
        (DENIED, BAD_ROW),
        schedule="20 */3 * * *",
    ),
    SampleJob(
        "fraud-scoring",
        "Fraud scoring",
        "risk",
        15 * MINUTE,
        0 * MINUTE,
        2 * DAY,
        3,
        17 * MINUTE,
        "steady",
        (OOM,),
        schedule="*/15 * * * *",
    ),
    SampleJob(
        "model-evals",
        "Model evaluations",
        "ml",
        HOUR,
        10 * MINUTE,
        3 * DAY,
        5,
        6 * MINUTE,
        "slow_start",
        (OOM, RATE),
        schedule="10 * * * *",
        parallelism=1,
    ),
    SampleJob("preview-build", "Preview build", "web", 30 * MINUTE, 3 * MINUTE, DAY, 4, 45 * MINUTE, "superseded"),
    SampleJob(
        "image-moderation",
        "Image moderation",
        "trust",
        6 * HOUR,
        40 * MINUTE,
        10 * DAY,
        10,
        4 * MINUTE,
        "capped",
        (TIMED_OUT,),
        schedule="40 */6 * * *",
    ),
    SampleJob(
        "crm-sync",
        "CRM sync",
        "sales",
        12 * HOUR,
        90 * MINUTE,
        14 * DAY,
        4,
        5 * MINUTE,
        "flaky",
        (TLS, REFUSED),
        schedule="30 1,13 * * *",
    ),
    SampleJob(
        "log-compaction",
        "Log compaction",
        "platform",
        DAY,
        4 * HOUR,
        30 * DAY,
        6,
        12 * MINUTE,
        "steady",
        (DISK,),
        schedule="0 4 * * *",
    ),
    SampleJob(
        "weekly-report",
        "Weekly report",
        "finance",
        7 * DAY,
        80 * HOUR,
        60 * DAY,
        2,
        7 * MINUTE,
        "steady",
        deployment="DEACTIVATED",
    ),
    SampleJob(
        "thumbnail-render", "Thumbnail render", "web", None, 0 * MINUTE, DAY, 0, MINUTE, "steady", deployment="FAILED"
    ),
)
