"""The shapes Blaxel answers with, as far as Jobtrail reads them, and what they become.

Contract: the seed documents and the job schemas of the vendor's spec. Secret values (env values,
callback secrets) are in none of these shapes, so they cannot reach an answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, WrapValidator

from jobtrail.masking import mask_text
from jobtrail.models import Execution, Job, JobDetail, Task, Timetable, Total
from jobtrail.sources.base import FullExecution
from jobtrail.sources.responses import (
    UNNAMED,
    Integer,
    Items,
    OrEmpty,
    ResponseModel,
    Time,
    clean_line,
    describe_schedule,
    translate_status,
)
from jobtrail.times import parse_optional_time, seconds_between
from jobtrail.vocabulary import EXECUTION_WORDS as DOCUMENTED_EXECUTION_WORDS
from jobtrail.vocabulary import TASK_WORDS as DOCUMENTED_TASK_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jobtrail.analysis.task_summary import TaskSummary
    from jobtrail.vocabulary import Status

# What its guides call an execution that its specification says succeeded.
_GUIDES: Mapping[str, Status] = {"completed": "succeeded"}
EXECUTION_WORDS: Mapping[str, Status] = {**DOCUMENTED_EXECUTION_WORDS, **_GUIDES}
TASK_WORDS: Mapping[str, Status] = {**DOCUMENTED_TASK_WORDS, **_GUIDES}

_MOST_EVENTS = 200
_MOST_NAMES = 40
_HELD = {"deactivated", "deactivating", "deleting", "terminated"}
"""Deployment statuses in which nothing runs."""
_ATTEMPT = re.compile(r"attempt ([0-9]{1,6})")


def _read_or_none(value: object, read: Callable[[object], int | None]) -> int | None:
    """Read a total; without it a page is as good, and says that the total is not known."""
    try:
        return read(value)
    except ValueError:
        return None


class _Meta(ResponseModel):
    has_more: bool | None = Field(default=None, alias="hasMore")
    next_cursor: str | None = Field(default=None, alias="nextCursor")
    total: Annotated[Integer | None, WrapValidator(_read_or_none)] = None
    # What cannot be read of it is no promise that the total is whole.
    partial: object = Field(default=None, alias="totalIsPartial")


class WirePage(ResponseModel):
    """`{data, meta}` (schema PaginationMeta); rows are read one by one."""

    data: list[object] | None = None
    meta: _Meta | None = None

    @property
    def cursor(self) -> str:
        """The cursor of the next page, empty on the last."""
        return (self.meta.next_cursor or "") if self.meta else ""

    @property
    def silent(self) -> bool:
        """Whether it does not say if there is a next page."""
        return self.meta is None or (self.meta.next_cursor is None and self.meta.has_more is None)

    @property
    def more(self) -> bool:
        """Whether there is a next page: either field is taken for a yes."""
        return bool(self.cursor or (self.meta and self.meta.has_more))

    def to_total(self, *, filtered: bool) -> Total:
        """Return `meta.total`, which ignores the filters of the page."""
        if self.meta is None or self.meta.total is None:
            return Total(kind="unknown")
        if self.meta.partial:
            return Total(value=self.meta.total, kind="at_least")
        return Total(value=self.meta.total, kind="unfiltered" if filtered else "exact")


class _Metadata(ResponseModel):
    # Only looked at: an odd one makes no job unreadable.
    workspace: object = None
    name: str | None = None
    display_name: str | None = Field(default=None, alias="displayName")
    labels: OrEmpty[dict[str, str | None]] = Field(default_factory=dict[str, str | None])
    created_at: Time = Field(default=None, alias="createdAt")
    updated_at: Time = Field(default=None, alias="updatedAt")


class _Env(ResponseModel):
    name: str | None = None


class _Runtime(ResponseModel):
    envs: Items[_Env] = Field(default_factory=list[_Env])
    generation: str | None = None
    image: str | None = None
    max_retries: Integer | None = Field(default=None, alias="maxRetries")
    memory: Integer | None = None
    timeout: Integer | None = None


class _TriggerConfiguration(ResponseModel):
    """Of a trigger; what Jobtrail records says the zone and since when, which no document has."""

    schedule: str | None = None
    timezone: str | None = None
    since: Time = None


def _add_zone(one: _TriggerConfiguration) -> str:
    return f"CRON_TZ={one.timezone} {one.schedule}" if one.timezone else one.schedule or ""


class _Trigger(ResponseModel):
    type: str | None = None
    enabled: bool | None = None
    configuration: OrEmpty[_TriggerConfiguration] = _TriggerConfiguration()


class _Event(ResponseModel):
    revision: str | None = None
    time: Time = None


class _JobSpec(ResponseModel):
    enabled: bool | None = None
    region: str | None = None
    runtime: OrEmpty[_Runtime] = _Runtime()
    triggers: Items[_Trigger] = Field(default_factory=list[_Trigger])


class WireJob(ResponseModel):
    """Schema Job, without everything secret; of its events, which revision was deployed when."""

    metadata: OrEmpty[_Metadata] = _Metadata()
    spec: OrEmpty[_JobSpec] = _JobSpec()
    status: str | None = None
    events: Items[_Event] = Field(default_factory=list[_Event])

    def to_job(self) -> Job:
        """Return it as agents see it."""
        meta = self.metadata
        return Job(
            name=clean_line(meta.name, 200) or UNNAMED,
            kind="job",
            deployment=clean_line((self.status or "").lower(), 40),
            display_name=clean_line(meta.display_name, 80),
            schedule=self._describe_schedule(),
            created_at=parse_optional_time(meta.created_at),
            updated_at=parse_optional_time(meta.updated_at),
            labels={clean_line(k, 64) or "": clean_line(v, 64) or "" for k, v in list(meta.labels.items())[:20]}
            or None,
            timetable=self._read_timetable(),
            unread=self.unread,
        )

    def _read_timetable(self) -> Timetable | None:
        """Return when it is due: by the triggers that are enabled, else by all of them, which hold it."""
        found = [one for one in self.spec.triggers if one.configuration.schedule]
        enabled = [one for one in found if one.enabled is not False]
        shown = enabled or found
        if not shown:
            return None
        status = (self.status or "").lower()
        held = "enabled false" if self.spec.enabled is False else status if status in _HELD else None
        since = [at for one in shown if (at := parse_optional_time(one.configuration.since))]
        return Timetable(
            expressions=tuple(_add_zone(one.configuration) for one in shown),
            zone="UTC",
            held=held or (None if enabled else "its trigger is disabled"),
            since=max([*since, *filter(None, [parse_optional_time(self.metadata.created_at)])], default=None),
            recorded=bool(since),
        )

    def _describe_schedule(self) -> str | None:
        """Return the schedules of its triggers; no document gives them a zone, so it is UTC but for what is recorded.

        Of a job that names neither triggers nor what it runs, or cannot be read there, nothing is known.
        """
        found = [one for one in self.spec.triggers if one.configuration.schedule]
        enabled = [one for one in found if one.enabled is not False]
        shown = enabled or found
        text = ", ".join(one.configuration.schedule or "" for one in shown)
        zones = dict.fromkeys(one.configuration.timezone or "UTC" for one in shown)
        known = {"triggers", "runtime"} & self.spec.model_fields_set
        if not text and (not known or any(name.startswith("spec") for name in self.unread)):
            return None
        return ("" if enabled or not text else "disabled: ") + describe_schedule(text, ", ".join(zones))

    def to_detail(self, source: str) -> JobDetail:
        """Return it with its settings; environment variables by name only."""
        runtime = self.spec.runtime
        found = {
            "enabled": None if self.spec.enabled is None else str(self.spec.enabled).lower(),
            "region": self.spec.region,
            "image": runtime.image,
            "generation": runtime.generation,
            "memory_mb": runtime.memory,
            "timeout_s": runtime.timeout,
            "max_retries": runtime.max_retries,
            "triggers": ", ".join(one.type for one in self.spec.triggers if one.type),
        }
        settings = {key: clean_line(str(value)) or "" for key, value in found.items() if value not in {None, ""}}
        names = tuple(name for one in runtime.envs[:_MOST_NAMES] if (name := clean_line(one.name, 64)))
        return JobDetail(
            source=source,
            job=self.to_job(),
            settings=settings,
            env_names=names or None,
            revisions={
                revision: moment
                for one in sorted(self.events[:_MOST_EVENTS], key=lambda one: one.time or "", reverse=True)
                if (revision := clean_line(one.revision, 64)) and (moment := parse_optional_time(one.time))
            },
        )


class _Condition(ResponseModel):
    execution_reason: str | None = Field(default=None, alias="executionReason")
    message: str | None = None
    reason: str | None = None


def join_reasons(reason: str | None, execution_reason: str | None, message: str | None) -> str:
    """Return what a condition says of why, from the general to the particular; empty for nothing.

    An `executionReason` that only counts attempts says nothing of why.
    """
    particular = None if execution_reason and _ATTEMPT.fullmatch(execution_reason) else execution_reason
    return ": ".join(dict.fromkeys(part for part in (reason, particular, message) if part))


class _TaskMetadata(ResponseModel):
    name: str | None = None
    created_at: Time = Field(default=None, alias="createdAt")
    scheduled_at: Time = Field(default=None, alias="scheduledAt")
    started_at: Time = Field(default=None, alias="startedAt")
    completed_at: Time = Field(default=None, alias="completedAt")


class WireTask(ResponseModel):
    """Schema JobExecutionTask; its id is `metadata.name`."""

    metadata: _TaskMetadata | None = None
    conditions: list[_Condition] | None = None
    status: str | None = None

    def to_task(self) -> Task:
        """Return it as agents see it."""
        meta = self.metadata or _TaskMetadata()
        status, raw = translate_status(self.status, TASK_WORDS)
        started, ended = parse_optional_time(meta.started_at), parse_optional_time(meta.completed_at)
        return Task(
            name=clean_line(meta.name, 200) or UNNAMED,
            status=status,
            raw_status=raw,
            created_at=parse_optional_time(meta.created_at) or parse_optional_time(meta.scheduled_at),
            started_at=started,
            ended_at=ended,
            duration_s=seconds_between(started, ended),
            attempt=self._find_attempt(status),
            reason=None if status == "succeeded" else self._reason(),
            unread=self.unread,
        )

    def _find_attempt(self, status: Status) -> int | None:
        """Return the number of the newest attempt that began, where the conditions count attempts.

        A condition says why one attempt failed (JobExecutionTaskCondition.executionReason), so a task that runs or
        succeeded is one attempt further.
        """
        named = (
            _ATTEMPT.fullmatch(condition.execution_reason or "") for condition in reversed(self.conditions or ())
        )
        failed = next((int(match[1]) for match in named if match), None)
        return None if failed is None else failed + (status in {"running", "succeeded"})

    def _reason(self) -> str | None:
        """Return the newest condition that says why, as one line."""
        for one in reversed(self.conditions or ()):
            if why := join_reasons(one.reason, one.execution_reason, one.message):
                return clean_line(why)
        return None


class _Stats(ResponseModel):
    total: Integer | None = None
    success: Integer | None = None
    failure: Integer | None = None
    running: Integer | None = None
    cancelled: Integer | None = None
    retried: Integer | None = None


class _ExecutionMetadata(ResponseModel):
    id: str | None = None
    job: str | None = None
    created_at: Time = Field(default=None, alias="createdAt")
    started_at: Time = Field(default=None, alias="startedAt")
    completed_at: Time = Field(default=None, alias="completedAt")
    # Only looked at where nothing else tells since when: an odd one makes no execution unreadable.
    updated_at: object = Field(default=None, alias="updatedAt")


class _ExecutionSpec(ResponseModel):
    parallelism: Integer | None = None
    timeout: Integer | None = None
    memory: Integer | None = Field(default=None, alias="memoryOverride")
    env: OrEmpty[dict[str, object]] = Field(default_factory=dict[str, object], alias="envOverride")

    def list_overrides(self) -> dict[str, str]:
        """Return what this execution was given instead of what its job has; of variables the names."""
        names = sorted(name for key in list(self.env)[:_MOST_NAMES] if (name := clean_line(mask_text(key), 64)))
        memory = {} if self.memory is None else {"memory_mb": str(self.memory)}
        return {**memory, **({"env_override": ", ".join(names)} if names else {})}


class WireExecution(ResponseModel):
    """Schema JobExecution; of `spec.envOverride` the names are read."""

    metadata: OrEmpty[_ExecutionMetadata] = _ExecutionMetadata()
    spec: OrEmpty[_ExecutionSpec] = _ExecutionSpec()
    stats: OrEmpty[_Stats] = _Stats()
    status: str | None = None
    tasks: list[object] | None = None

    def to_execution(self, job: str) -> Execution:
        """Return it as agents see it."""
        meta = self.metadata
        status, raw = translate_status(self.status, EXECUTION_WORDS)
        started, ended = parse_optional_time(meta.started_at), parse_optional_time(meta.completed_at)
        return Execution(
            id=clean_line(meta.id, 200) or "(no id)",
            job=clean_line(meta.job, 200) or job,
            status=status,
            raw_status=raw,
            created_at=parse_optional_time(meta.created_at),
            started_at=started,
            ended_at=ended,
            updated_at=parse_optional_time(str(meta.updated_at)) if status == "running" and raw else None,
            duration_s=seconds_between(started, ended),
            tasks=self.stats.total,
            succeeded=self.stats.success,
            failed=self.stats.failure,
            running=self.stats.running,
            cancelled=self.stats.cancelled,
            retried=self.stats.retried,
            unread=self.unread,
        )

    def to_full_execution(self, job: str, tasks: TaskSummary | None) -> FullExecution:
        """Return it with what only the single read says, and what its tasks came to, if that is known."""
        return FullExecution(
            execution=self.to_execution(job),
            tasks=tasks,
            parallelism=self.spec.parallelism,
            timeout_s=self.spec.timeout,
            overrides=self.spec.list_overrides(),
        )
