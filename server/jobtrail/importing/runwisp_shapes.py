"""RunWisp's documents: runs in the seed document's spelling or that of 1.0.1, and definitions of 1.0.1.

Other fields are left out; environment variables of a task are kept by name only.
"""

from __future__ import annotations

from typing import Annotated, Required

from pydantic import AfterValidator, TypeAdapter
from typing_extensions import TypedDict

from jobtrail.importing.fields import Count, Given, Label, RunId, TaskName, Time, TimeText, Whole, among

__all__ = ["CAMEL", "DEFINITIONS", "REGISTRATIONS", "RUNS", "Definition", "Run"]

CAMEL = {
    "task_name": "taskName",
    "end_reason": "endReason",
    "exit_code": "exitCode",
    "created_at": "createdAt",
    "start_at": "startedAt",
    "started_at": "startedAt",
    "end_at": "endedAt",
    "ended_at": "endedAt",
    "triggered_by": "triggeredBy",
    "retry_attempt": "retryAttempt",
    "retry_of_run_id": "retryOfRunId",
    "replica_index": "instanceIndex",
    "instance_index": "instanceIndex",
    "external_execution_id": "executionId",
    "execution_id": "executionId",
    "is_failure": "isFailure",
}
"""The seed document's spelling, and those in between, beside that of 1.0.1."""
PHASES = ("pending", "running", "ended")
END_REASONS = (
    "succeeded", "success", "failed", "stopped", "timeout", "crashed", "skipped", "log_overflow",
    "queue_full", "dst_skipped", "daemon_stopped", "missed", "start_failed",
)  # fmt: skip
TRIGGERS = ("cron", "api", "cloud", "ui", "cli", "station", "service", "startup")

Phase = Annotated[str, AfterValidator(among(PHASES))]
EndReason = Annotated[str, AfterValidator(among(END_REASONS))]
TriggeredBy = Annotated[str, AfterValidator(among(TRIGGERS))]


def _by_name(values: dict[str, str]) -> dict[str, str]:
    return dict.fromkeys(values, "***")


class Run(TypedDict, total=False):
    """Schema Run of either document, spelt as in 1.0.1."""

    id: Required[RunId]
    taskName: Required[TaskName]
    status: Required[Phase]
    endReason: EndReason
    exitCode: Required[Whole]
    createdAt: Required[Time]
    startedAt: Time
    endedAt: Time
    triggeredBy: Required[TriggeredBy]
    retryAttempt: Required[Count]
    retryOfRunId: RunId
    instanceIndex: Required[Count]
    executionId: Label
    params: Given[dict[str, str]]
    isFailure: bool


class Parameter(TypedDict, total=False):
    """Schema TaskParam."""

    allowCustom: bool
    choices: list[str]
    default: str
    description: str
    key: Required[str]
    kind: Required[Annotated[str, AfterValidator(among(["env", "arg", "option", "flag"]))]]
    required: bool
    type: Annotated[str, AfterValidator(among(["string", "number"]))]


class Compose(TypedDict, total=False):
    """Schema TaskComposeRef."""

    file: Required[str]
    projectName: Required[str]
    service: str


Backoff = Annotated[str, AfterValidator(among(["constant", "linear", "exponential"]))]


class Definition(TypedDict, total=False):
    """Schema Task, of which no more than the name is asked for; durations are nanoseconds."""

    name: Required[TaskName]
    kind: Annotated[str, AfterValidator(among(["task", "service"]))]
    group: str
    description: str
    cron: str
    timezone: str
    nextRunAt: TimeText
    autostart: bool
    catchUp: Whole
    compose: Given[Compose]
    dependsOn: list[str]
    env: Annotated[Given[dict[str, str]], AfterValidator(_by_name)]
    envBase: str
    envFile: str
    gracefulStop: Whole
    healthyAfter: Whole
    heldBy: Annotated[str, AfterValidator(among(["cron"]))]
    instances: Whole
    jitter: Whole
    keepFor: Whole
    keepRuns: Whole
    logMaxSize: Whole
    logOnFull: Annotated[str, AfterValidator(among(["drop_new", "drop_old", "kill"]))]
    manualTrigger: bool
    maxConcurrent: Whole
    maxQueued: Whole
    onOverlap: Annotated[str, AfterValidator(among(["queue", "skip", "kill"]))]
    parameters: list[Given[Parameter]]
    priority: Whole
    restart: Annotated[str, AfterValidator(among(["never", "always", "on_failure"]))]
    restartAttempts: Whole
    restartBackoff: Backoff
    restartDelay: Whole
    retryAttempts: Whole
    retryBackoff: Backoff
    retryDelay: Whole
    runOnStart: bool
    secretsFile: str
    shell: str
    source: Annotated[str, AfterValidator(among(["staged", "cron"]))]
    sourceFile: str
    stopSignal: Annotated[
        str,
        AfterValidator(among(["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2"])),
    ]
    timeout: Whole
    umask: str
    user: str
    workingDir: str


class Registration(TypedDict, total=False):
    """A row of the daemon's own table of tasks that it has seen."""

    name: Required[TaskName]
    seen: Time


RUNS = TypeAdapter(Given[Run])
REGISTRATIONS = TypeAdapter(Given[Registration])
DEFINITIONS = TypeAdapter(Given[Definition])
