"""The shapes RunWisp answers with, in either dialect, and what they become.

The legacy dialect (that of the seed document, about 0.4) spells fields in snake_case, 1.0.1 in camelCase, and names
moved one by one in between: every field is read by either spelling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AliasChoices, BeforeValidator, Field

from jobtrail.masking import mask_pair, mask_text
from jobtrail.models import Job, JobDetail, Run, Timetable
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
from jobtrail.times import format_local, parse_optional_time, seconds_between
from jobtrail.vocabulary import END_REASONS, FAILURES, OPEN_PHASES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobtrail.vocabulary import Status

RUN_WORDS: Mapping[str, Status] = {**OPEN_PHASES, **END_REASONS}
"""Phases and end reasons of either dialect."""

RUN_WORDS_1: Mapping[str, Status] = {word: status for word, status in RUN_WORDS.items() if word != "success"}
"""Those that 1.0.1 knows."""

_NANOSECONDS = 1_000_000_000
_MOST_PARAMS = 20
_CRON_FIELDS = (5, 6)


def _either(camel: str, *others: str) -> AliasChoices:
    return AliasChoices(camel, *others)


class WireDaemon(ResponseModel):
    """Schema of `GET /api/daemon`: who answers, the zone of schedules that name none, and whether it follows them."""

    version: str | None = None
    scheduling: bool | None = Field(default=None, validation_alias=_either("schedulingActive", "scheduling_active"))
    warnings: Items[str] = Field(
        default_factory=list[str], validation_alias=_either("configWarnings", "config_warnings")
    )
    stale: bool | None = Field(default=None, validation_alias=_either("configStale", "config_stale"))
    loaded: Time = Field(default=None, validation_alias=_either("configLoadedAt", "config_loaded_at"))
    timezone: str | None = Field(default=None, validation_alias=_either("resolvedTimezone", "resolved_timezone"))


class WireRun(ResponseModel):
    """Schema Run of either dialect."""

    id: str | None = None
    task_name: str | None = Field(default=None, validation_alias=_either("taskName", "task_name"))
    status: str | None = None
    end_reason: str | None = Field(default=None, validation_alias=_either("endReason", "end_reason"))
    is_failure: bool | None = Field(default=None, validation_alias=_either("isFailure", "is_failure"))
    exit_code: Integer | None = Field(default=None, validation_alias=_either("exitCode", "exit_code"))
    started: Time = Field(default=None, validation_alias=_either("startedAt", "start_at", "started_at"))
    ended: Time = Field(default=None, validation_alias=_either("endedAt", "end_at", "ended_at"))
    created: Time = Field(default=None, validation_alias=_either("createdAt", "created_at"))
    triggered_by: str | None = Field(default=None, validation_alias=_either("triggeredBy", "triggered_by"))
    attempt: Integer | None = Field(default=None, validation_alias=_either("retryAttempt", "retry_attempt"))
    retry_of: str | None = Field(default=None, validation_alias=_either("retryOfRunId", "retry_of_run_id"))
    instance: Integer | None = Field(
        default=None, validation_alias=_either("instanceIndex", "instance_index", "replica_index")
    )
    params: OrEmpty[dict[str, str]] = Field(default_factory=dict[str, str])

    beside: Annotated[str | None, BeforeValidator(lambda _sent: None)] = None
    """When its neighbour in a list was created, where it does not say so itself; nothing that an upstream sends."""

    def to_run(self) -> Run:
        """Return it as agents see it; a run that has not ended has no exit code, whatever it says."""
        over = (self.status or "").lower() == "ended"
        status, raw = translate_status(self.end_reason if over else self.status, RUN_WORDS)
        started, ended = parse_optional_time(self.started), parse_optional_time(self.ended)
        return Run(
            id=clean_line(self.id, 64) or "(no id)",
            job=clean_line(self.task_name, 200) or UNNAMED,
            status=status,
            raw_status=raw,
            failure=self.is_failure if over and self.is_failure not in {None, status in FAILURES} else None,
            created_at=parse_optional_time(self.created),
            started_at=started,
            ended_at=ended if over else None,
            duration_s=seconds_between(started, ended) if over else None,
            exit_code=self.exit_code if over and status not in {"missed", "skipped"} else None,
            trigger=clean_line(self.triggered_by, 40),
            attempt=None if self.attempt is None else self.attempt + 1,
            retry_of=clean_line(self.retry_of, 64),
            instance=self.instance,
            params=self._list_params() or None,
            unread=self.unread,
        )

    def _list_params(self) -> dict[str, str]:
        """Return what it was given; secrets go before a value is cut, which could hide that it is one."""
        given = list(self.params.items())[:_MOST_PARAMS]
        return {
            clean_line(mask_text(name), 64) or "": clean_line(mask_pair(name, value)) or "" for name, value in given
        }


class WireSummary(ResponseModel):
    """Schema RunSummary: of all runs that are kept, of every task."""

    total: Integer
    success: Integer = 0
    failed: Integer = 0
    missed: Integer = 0
    last_failure: Time = Field(default=None, validation_alias=_either("lastFailure", "last_failure"))


class WireRuns(ResponseModel):
    """`{items, total}` or `{runs, total}`; either list may be null, and its rows are read one by one."""

    items: list[object] | None = Field(default=None, validation_alias=AliasChoices("items", "runs"))
    total: Integer


class WireTaskDefinition(ResponseModel):
    """Schema Task, as far as it is shown: environment variables by name only."""

    name: str | None = None
    kind: str | None = None
    group: str | None = None
    description: str | None = None
    cron: str | None = None
    timezone: str | None = None
    next_run_at: Time = Field(default=None, validation_alias=_either("nextRunAt", "next_run_at"))
    held_by: str | None = Field(default=None, validation_alias=_either("heldBy", "held_by"))
    jitter: Integer | None = None
    keep_runs: Integer | None = Field(default=None, validation_alias=_either("keepRuns", "keep_runs"))
    timeout: Integer | None = None
    retries: Integer | None = Field(default=None, validation_alias=_either("retryAttempts", "retry_attempts"))
    overlap: str | None = Field(default=None, validation_alias=_either("onOverlap", "on_overlap"))
    concurrent: Integer | None = Field(default=None, validation_alias=_either("maxConcurrent", "max_concurrent"))
    instances: Integer | None = None
    restart: str | None = None
    env: OrEmpty[dict[str, object]] = Field(default_factory=dict[str, object])

    def to_job(self, zone: str | None) -> Job:
        """Return it as agents see it.

        Args:
            zone: of its schedule if it names none.
        """
        zone = None if "timezone" in self.unread else self.timezone or zone
        # Of a task that is only known by its runs, nothing else is.
        known = self.cron or (self.kind and "cron" not in self.unread)
        return Job(
            name=clean_line(self.name, 200) or UNNAMED,
            kind="service" if self.kind == "service" else "task",
            description=clean_line(self.description),
            schedule=describe_schedule(self.cron, zone) if known else None,
            next_run_at=parse_optional_time(self.next_run_at),
            next_run_local=format_local(self.next_run_at, zone),
            group=clean_line(self.group, 80),
            timetable=self._read_timetable(zone) if self.cron else None,
            unread=self.unread,
        )

    def _read_timetable(self, zone: str | None) -> Timetable:
        """Return when it is due; a step in one of the fields for days leaves it a restriction, as 1.0.1 reads it."""
        parts = (self.cron or "").split()
        for place, days in ((-3, "1-31"), (-1, "0-6")):
            if len(parts) in _CRON_FIELDS and parts[place].startswith("*/"):
                parts[place] = days + parts[place][1:]
        held = "heldBy cron: a cron daemon that is alive starts it" if self.held_by else None
        return Timetable(
            expressions=(" ".join(parts),),
            zone=zone,
            held=held,
            kept=self.keep_runs != 0,
            slack_s=(self.jitter or 0) / _NANOSECONDS,
        )

    def to_detail(self, source: str, zone: str | None) -> JobDetail:
        """Return it with its settings; durations arrive in nanoseconds."""
        found = {
            "timeout_s": None if self.timeout is None else f"{self.timeout / _NANOSECONDS:g}",
            "retry_attempts": self.retries,
            "on_overlap": self.overlap,
            "max_concurrent": self.concurrent,
            "instances": self.instances,
            "restart": self.restart,
        }
        settings = {key: clean_line(str(value)) or "" for key, value in found.items() if value not in {None, ""}}
        names = tuple(name for key in list(self.env)[:40] if (name := clean_line(key, 64)))
        return JobDetail(source=source, job=self.to_job(zone), settings=settings, env_names=names or None)


class WireTasks(ResponseModel):
    """`{items}` or `{tasks}` of `GET /api/tasks`; read one by one."""

    items: list[object] | None = Field(default=None, validation_alias=AliasChoices("items", "tasks"))
