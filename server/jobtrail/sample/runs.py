"""Plans the runs of the sample's scheduled tasks, and makes the rows of definitions, runs and their output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from jobtrail.sample.batch_job_definitions import DAY, HOUR
from jobtrail.sample.schedule import (
    EPOCH,
    MICROSECOND,
    SECOND,
    for_row,
    from_microseconds,
    list_times,
    seed_random,
    to_microseconds,
)
from jobtrail.store.bulk import LineValues
from jobtrail.store.rows import DefinitionRow, RunRow
from jobtrail.times import format_date, format_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from jobtrail.sample.scheduled_task_definitions import PrintedLine, SampleTask

_KEEP_RUNS = 14 * DAY
_SECOND = SECOND // MICROSECOND
_LINE = _SECOND // 10
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID_DIGITS = range(125, -1, -5)


class PlannedRun(NamedTuple):
    """One run, from its beginning to its end, even where that is yet to come."""

    id: str
    task: SampleTask
    created: int
    begun: int
    ended: int
    reason: str
    code: int
    body: dict[str, Any]

    def build_row(self, until: int) -> RunRow:
        """Return it as it is at a time."""
        ended, begun = self.ended <= until, self.begun <= until and self.reason != "skipped"
        return RunRow(
            self.id,
            self.task.name,
            "ended" if ended else "running" if begun else "pending",
            for_row(self.created),
            started_at=for_row(self.begun) if begun else None,
            ended_at=for_row(self.ended) if ended else None,
            end_reason=self.reason if ended else None,
            exit_code=self.code if ended else 0,
            body=self.body,
        )

    def list_output(self, workspace: str, until: int) -> Iterator[LineValues]:
        """Yield what it has printed up to a time."""
        if self.reason == "skipped":
            return
        printed: tuple[PrintedLine, ...] = (("stdout", self.task.begins), *self.task.ends.get(self.reason, ()))
        mine = seed_random("output", self.id)
        for number, (stream, text) in enumerate(printed):
            at = self.ended - (len(printed) - number) * _LINE if number else self.begun
            words = text.format(
                a=mine.randrange(2, 250),
                b=mine.randrange(2, 60),
                n=mine.randrange(1000, 99_999),
                hex=f"{mine.randrange(16**10):010x}",
                date=format_date(from_microseconds(self.created)),
            )
            if at <= until:
                yield LineValues(None, workspace, self.id, "", for_row(at), stream, words)


def plan_runs(task: SampleTask, now: datetime) -> list[PlannedRun]:
    """Return the runs of a task that are kept and were created up to now."""
    times, until = list_times(task.every, task.at, _KEEP_RUNS, now), to_microseconds(now)
    return [run for at in times for run in _plan_runs(task, at) if run.created <= until]


def build_definition(task: SampleTask, now: datetime) -> DefinitionRow:
    """Return a task's definition as it is now."""
    number = (now - EPOCH - task.at) // task.every + 1
    following = EPOCH + task.at + number * task.every
    fields: dict[str, Any] = {
        "name": task.name,
        "kind": "service" if task.service else "task",
        "group": task.group,
        "description": task.description,
        "manualTrigger": True,
        "runOnStart": False,
        "autostart": task.service,
        "timeout": int((2 * HOUR).total_seconds()) * 1_000_000_000,
        "retryAttempts": task.retries,
        "onOverlap": "skip",
    }
    if task.cron:
        fields |= {"cron": task.cron, "timezone": "UTC", "nextRunAt": format_time(following)}
    return DefinitionRow(task.name, fields)


def _plan_runs(task: SampleTask, at: datetime) -> Iterator[PlannedRun]:
    """Yield a scheduled run, and its retries."""
    mine = seed_random(task.name, at)
    ends_badly = task.failures > 0 and mine.randrange(task.failures) == 0 and not task.in_turn
    trigger = "service" if task.service else mine.choices(("cron", "api", "ui"), (12, 2, 1))[0]
    before: str | None = None
    length = task.length // MICROSECOND
    for attempt in range(task.retries + 1):
        created = to_microseconds(at)
        identity = _make_ulid(at, created, task.name, attempt)
        body = {"triggered_by": trigger, "retry_attempt": attempt, "retry_of_run_id": before}
        reason, code = _choose_ending(task, at) if task.in_turn else ("succeeded", 0)
        if ends_badly and (attempt < task.retries or mine.random() < 0.5):  # noqa: PLR2004 # half recover on the last try
            reason, code = mine.choice(task.endings)
        begin = created + round(mine.uniform(0.05, 2) * _SECOND)
        end = begin + (0 if reason == "skipped" else round(length * mine.uniform(0.7, 1.3)))
        yield PlannedRun(identity, task, created, begin, end, reason, code, body)
        if reason in {"succeeded", "skipped", "stopped"}:
            return
        at, before = from_microseconds(end + 10 * _SECOND), identity


def _choose_ending(task: SampleTask, at: datetime) -> tuple[str, int]:
    """Return how a run ends whose bad endings take turns: one in every `failures` runs, anywhere among them."""
    round_, place = divmod((at - EPOCH - task.at) // task.every, task.failures)
    if place != seed_random("turn", task.name, round_).randrange(task.failures):
        return "succeeded", 0
    return task.endings[round_ % len(task.endings)]


def _make_ulid(at: datetime, created: int, *parts: object) -> str:
    """Return a ULID: 48 bits of milliseconds, then 80 that follow from the parts and the time."""
    number = created // 1000 << 80 | seed_random("ulid", *parts, at).getrandbits(80)
    return "".join([_CROCKFORD[number >> bits & 31] for bits in _ULID_DIGITS])
