"""Blaxel's documents, as the seed documents and the vendor's spec have them; other fields are left out.

What is secret does not get past these shapes: values of secret variables, overridden ones, callback secrets.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Required

from pydantic import AfterValidator, TypeAdapter
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from jobtrail.importing.fields import Count, Given, Label, Name, Time, TimeText, Whole, among

__all__ = ["DEPLOYMENTS", "EXECUTIONS", "JOBS", "TASK_WORDS", "Execution", "Job", "Task"]

EXECUTION_WORDS = ("queued", "pending", "running", "cancelling", "cancelled", "failed", "succeeded", "timeout")
"""Schema JobExecutionStatus."""
TASK_WORDS = ("unspecified", "pending", "reconciling", "failed", "succeeded", "running", "cancelled")
"""Schema JobExecutionTaskStatus."""
DEPLOYMENTS = (
    "DELETING", "TERMINATED", "FAILED", "DEACTIVATED", "DEACTIVATING",
    "UPLOADING", "BUILDING", "DEPLOYING", "DEPLOYED", "BUILT",
)  # fmt: skip
"""Schema Status."""
_MASK = "***"

ExecutionWord = Annotated[str, AfterValidator(among(EXECUTION_WORDS))]
TaskWord = Annotated[str, AfterValidator(among(TASK_WORDS))]
Deployment = Annotated[str, AfterValidator(among(DEPLOYMENTS))]


def _masked(values: dict[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(values, _MASK)


def _masked_secret(_value: str) -> str:
    return _MASK


def _finite(value: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise PydanticCustomError("number", "holds a number that JSON has not") from None
    return value


Masked = Annotated[dict[str, Any], AfterValidator(_masked)]
MaskedSecret = Annotated[str, AfterValidator(_masked_secret)]
Anything = Annotated[dict[str, Any], AfterValidator(_finite)]


class Condition(TypedDict, total=False):
    """Schema JobExecutionTaskCondition."""

    executionReason: str
    message: str
    reason: str
    severity: str
    state: str
    type: str


class TaskSpec(TypedDict, total=False):
    """Schema JobExecutionTaskSpec."""

    maxRetries: Count
    timeout: str


class TaskMetadata(TypedDict, total=False):
    """Schema JobExecutionTaskMetadata."""

    name: Required[Label]
    createdAt: Time
    scheduledAt: Time
    startedAt: Time
    completedAt: Time
    updatedAt: Time


class Task(TypedDict, total=False):
    """Schema JobExecutionTask, as the runtime state has it."""

    metadata: Required[Given[TaskMetadata]]
    spec: Given[TaskSpec]
    status: Required[TaskWord]
    conditions: list[Given[Condition]]


class PlannedMetadata(TypedDict, total=False):
    """Schema JobExecutionTaskMetadata, in a specification, which is kept as it is written."""

    name: Label
    createdAt: TimeText
    scheduledAt: TimeText
    startedAt: TimeText
    completedAt: TimeText
    updatedAt: TimeText


class PlannedTask(TypedDict, total=False):
    """Schema JobExecutionTask, in a specification."""

    metadata: Given[PlannedMetadata]
    spec: Given[TaskSpec]
    status: TaskWord
    conditions: list[Given[Condition]]


class ExecutionSpec(TypedDict, total=False):
    """Schema JobExecutionSpec."""

    envOverride: Masked
    memoryOverride: Count
    parallelism: Count
    tasks: list[Given[PlannedTask]]
    timeout: Count


class ExecutionMetadata(TypedDict, total=False):
    """Schema JobExecutionMetadata."""

    id: Required[Name]
    job: Required[Name]
    createdAt: Required[Time]
    startedAt: Time
    completedAt: Time
    updatedAt: Time
    deletedAt: Time
    expiredAt: Time
    cluster: str


class Stats(TypedDict, total=False):
    """Schema JobExecutionStats."""

    total: Count
    success: Count
    failure: Count
    running: Count
    cancelled: Count
    retried: Count


class Execution(TypedDict, total=False):
    """Schema JobExecution."""

    metadata: Required[Given[ExecutionMetadata]]
    spec: Required[Given[ExecutionSpec]]
    status: Required[ExecutionWord]
    stats: Given[Stats]
    tasks: list[Given[Task]]


class JobMetadata(TypedDict, total=False):
    """Schema Metadata."""

    name: Required[Name]
    createdAt: Time
    updatedAt: Time
    createdBy: str
    updatedBy: str
    displayName: str
    externalId: str
    labels: Given[dict[str, str]]
    plan: str
    url: str


class GithubRunner(TypedDict, total=False):
    """Schema GithubRunnerConfig."""

    repositories: list[str]


class Revision(TypedDict, total=False):
    """Schema RevisionConfiguration."""

    active: str
    canary: str
    canaryPercent: Whole
    stickySessionTtl: Whole
    traffic: Whole


class Env(TypedDict, total=False):
    """Schema Env."""

    name: str
    secret: bool
    value: str


def _without_secret(env: Env) -> Env:
    return {**env, "value": _MASK} if env.get("secret") and "value" in env else env


class Port(TypedDict, total=False):
    """Schema Port."""

    name: str
    protocol: Annotated[str, AfterValidator(among(["HTTP", "TCP", "UDP", "TLS"]))]
    target: Required[Whole]


class Runtime(TypedDict, total=False):
    """Schema JobRuntime."""

    diskPercent: Whole
    envs: list[Annotated[Given[Env], AfterValidator(_without_secret)]]
    generation: Annotated[str, AfterValidator(among(["mk2", "mk3"]))]
    image: str
    maxRetries: Whole
    memory: Whole
    ports: list[Given[Port]]
    timeout: Whole


class TriggerConfiguration(TypedDict, total=False):
    """Schema TriggerConfiguration."""

    authenticationType: str
    callbackSecret: MaskedSecret
    callbackUrl: str
    path: str
    retry: Whole
    schedule: str
    tasks: list[Anything]
    timeout: Whole


class Trigger(TypedDict, total=False):
    """Schema Trigger."""

    configuration: Given[TriggerConfiguration]
    enabled: bool
    id: str
    type: Annotated[str, AfterValidator(among(["http", "http-async", "cron"]))]


class Volume(TypedDict, total=False):
    """Schema JobVolume."""

    mountPath: Required[str]
    name: Required[str]
    readOnly: bool
    sizeMb: Required[Whole]
    type: Required[Annotated[str, AfterValidator(among(["ephemeral"]))]]


class JobSpec(TypedDict, total=False):
    """Schema JobSpec."""

    enabled: bool
    githubRunner: Given[GithubRunner]
    policies: list[str]
    region: str
    revision: Given[Revision]
    runtime: Given[Runtime]
    triggers: list[Given[Trigger]]
    volumes: list[Given[Volume]]


class CoreEvent(TypedDict, total=False):
    """Schema CoreEvent."""

    canaryRevision: str
    message: str
    revision: str
    status: str
    time: TimeText
    type: str


class Job(TypedDict, total=False):
    """Schema Job."""

    metadata: Required[Given[JobMetadata]]
    spec: Required[Given[JobSpec]]
    status: Deployment
    events: list[Given[CoreEvent]]


EXECUTIONS = TypeAdapter(Given[Execution])
JOBS = TypeAdapter(Given[Job])
