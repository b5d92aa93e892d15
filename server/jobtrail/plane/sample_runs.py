"""The sample's scheduled tasks: their definitions, their runs and what those print, as functions of absolute time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from jobtrail.plane.sample_data import DAY, HOUR
from jobtrail.plane.sample_schedule import EPOCH, SECOND, chance_of, schedule
from jobtrail.plane.sample_tasks import SCHEDULED
from jobtrail.plane.store import Event, Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobtrail.plane.sample_tasks import Printed, Scheduled

__all__ = ["output", "scheduled"]

_KEEP_RUNS = 14 * DAY
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True)
class _Run:
    """One run, from its beginning to its end, even where that is yet to come."""

    id: str
    task: Scheduled
    created: datetime
    begun: datetime
    ended: datetime
    reason: str
    code: int
    body: dict[str, Any]

    def events(self) -> Iterator[Event]:
        yield Event("run.created", self.created, self.id, self.task.name, body=self.body)
        if self.reason != "skipped":
            yield Event("run.status", self.begun, self.id, self.task.name, "running")
        end = {"end_reason": self.reason, "exit_code": self.code}
        yield Event("run.status", self.ended, self.id, self.task.name, "ended", end)

    def output(self) -> Iterator[Line]:
        if self.reason == "skipped":
            return
        printed: tuple[Printed, ...] = (("stdout", self.task.begins), *self.task.ends.get(self.reason, ()))
        mine = chance_of("output", self.id)
        for number, (stream, text) in enumerate(printed):
            at = self.ended - (len(printed) - number) * SECOND / 10 if number else self.begun
            words = text.format(
                a=mine.randrange(2, 250),
                b=mine.randrange(2, 60),
                n=mine.randrange(1000, 99_999),
                hex=f"{mine.randrange(16**10):010x}",
                date=f"{self.created:%Y-%m-%d}",
            )
            yield Line(at, self.id, "", stream, words)


def scheduled(now: datetime) -> Iterator[Event]:
    """Yield what happened up to now on the RunWisp side."""
    for task in SCHEDULED:
        yield Event("definition", now, task.name, body=_definition(task, now))
        for run in _kept(task, now):
            yield from (event for event in run.events() if isinstance(event.at, datetime) and event.at <= now)


def output(now: datetime) -> Iterator[Line]:
    """Yield what its runs printed up to now."""
    for task in SCHEDULED:
        for run in _kept(task, now):
            yield from (line for line in run.output() if isinstance(line.at, datetime) and line.at <= now)


def _kept(task: Scheduled, now: datetime) -> Iterator[_Run]:
    for at in schedule(task.every, task.at, _KEEP_RUNS, now):
        yield from _runs(task, at)


def _definition(task: Scheduled, now: datetime) -> dict[str, Any]:
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
        fields |= {"cron": task.cron, "nextRunAt": f"{following:%Y-%m-%dT%H:%M:%SZ}"}
    return fields


def _runs(task: Scheduled, at: datetime) -> Iterator[_Run]:
    """Yield a scheduled run, and its retries."""
    mine = chance_of(task.name, at)
    ends_badly = task.failures > 0 and mine.randrange(task.failures) == 0 and not task.in_turn
    trigger = "service" if task.service else mine.choices(("cron", "api", "ui"), (12, 2, 1))[0]
    before: str | None = None
    for attempt in range(task.retries + 1):
        identity = _ulid(at, task.name, attempt)
        body = {"triggered_by": trigger, "retry_attempt": attempt, "retry_of_run_id": before}
        reason, code = _turn(task, at) if task.in_turn else ("succeeded", 0)
        if ends_badly and (attempt < task.retries or mine.random() < 0.5):  # noqa: PLR2004 # half recover on the last try
            reason, code = mine.choice(task.endings)
        begin = at + mine.uniform(0.05, 2) * SECOND
        end = begin + (timedelta() if reason == "skipped" else task.length * mine.uniform(0.7, 1.3))
        yield _Run(identity, task, at, begin, end, reason, code, body)
        if reason in {"succeeded", "skipped", "stopped"}:
            return
        at, before = end + 10 * SECOND, identity


def _turn(task: Scheduled, at: datetime) -> tuple[str, int]:
    """Return how a run ends whose bad endings take turns: one in every `failures` runs, anywhere among them."""
    round_, place = divmod((at - EPOCH - task.at) // task.every, task.failures)
    if place != chance_of("turn", task.name, round_).randrange(task.failures):
        return "succeeded", 0
    return task.endings[round_ % len(task.endings)]


def _ulid(at: datetime, *parts: object) -> str:
    """Return a ULID: 48 bits of milliseconds, then 80 that follow from the parts."""
    number = int(at.timestamp() * 1000) << 80 | chance_of("ulid", *parts, at).getrandbits(80)
    digits = ""
    for _ in range(26):
        number, digit = divmod(number, 32)
        digits = _CROCKFORD[digit] + digits
    return digits
