"""The sample workspace, a function of absolute time.

Every execution and run is a point of an endless schedule, and all it does follows from a hash of
its job and its time. So a later process makes the same history, with what has happened since:
what is over keeps its ids, its times and its messages, and a cursor survives a restart.
"""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from jobtrail.plane.sample_data import BATCH_JOBS, DAY, HOUR, MINUTE, SCHEDULED
from jobtrail.plane.store import Event

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jobtrail.plane.sample_data import BatchJob, Cause, Scheduled
    from jobtrail.plane.store import Store

__all__ = ["fill"]

# A Monday, so that weekly schedules fall on the day they name.
_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
_KEEP_RUNS = 14 * DAY
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SECOND = timedelta(seconds=1)
_LOST_TASKS = 4


def fill(store: Store, now: datetime) -> None:
    """Record the sample's history up to `now` and mark the store as holding it."""
    store.set_meta("sample", "1")
    # No secret, so that a cursor of the sample goes on after a restart.
    store.set_meta("cursor_key", hashlib.sha256(b"sample").hexdigest())
    store.record(_history(now))


def _history(now: datetime) -> Iterator[Event]:
    for job in BATCH_JOBS:
        yield _definition(job)
        for at in _schedule(job.every, job.at, job.keep, now):
            # What has not happened yet is left out, which is all that makes things run or wait.
            yield from _until(now, _execution(job, at))
    for task in SCHEDULED:
        yield Event("definition", now, task.name, body=_task_definition(task, now))
        for at in _schedule(task.every, task.at, _KEEP_RUNS, now):
            yield from _until(now, _runs(task, at))


def _until(now: datetime, events: Iterable[Event]) -> Iterator[Event]:
    return (event for event in events if isinstance(event.at, datetime) and event.at <= now)


def _schedule(every: timedelta | None, offset: timedelta, keep: timedelta, now: datetime) -> Iterator[datetime]:
    if every is None:
        return
    number = (now - _EPOCH - offset) // every
    first = number - keep // every + 1
    for one in range(first, number + 1):
        yield _EPOCH + offset + one * every


def _chance(*parts: object) -> random.Random:
    digest = hashlib.blake2b("\0".join(str(part) for part in parts).encode(), digest_size=8).digest()
    return random.Random(digest)  # noqa: S311 # a repeatable sample, not a secret


def _definition(job: BatchJob) -> Event:
    runtime = {
        "envs": [
            {"name": "LOG_LEVEL", "value": "info", "secret": False},
            {"name": "DATABASE_URL", "value": "postgres://sample-secret@db.internal/acme", "secret": True},
        ],
        "generation": "mk3",
        "image": f"registry.internal/{job.name}:{_chance(job.name).randrange(16**8):08x}",
        "maxRetries": 2,
        "memory": 2048,
        "timeout": 3600,
    }
    triggers = [{"id": "cron", "type": "cron", "enabled": True, "configuration": {"schedule": job.schedule}}]
    labels = {"team": job.team, "env": "production"}
    body = {
        "metadata": {"displayName": job.title, "labels": labels, "createdBy": "sample"},
        "spec": {"enabled": job.deployment == "DEPLOYED", "region": "us-pdx-1", "runtime": runtime,
                 "triggers": triggers if job.schedule else []},
        # Apart from each other: a search is for a part of one of them.
        "search": "\n".join((job.name, job.title, *labels, *labels.values())).lower(),
    }  # fmt: skip
    created = _EPOCH + timedelta(days=_chance("created", job.name).randrange(600), seconds=7)
    return Event("job.defined", created, job.name, status=job.deployment, body=body)


def _execution(job: BatchJob, at: datetime) -> list[Event]:
    """Return all that one execution ever does, in order of time."""
    chance = _chance(job.name, at)
    identity = f"exec-{chance.randrange(16**12):012x}"
    spec: dict[str, Any] = {"parallelism": job.parallelism, "timeout": 3600}
    if chance.random() < 0.2:  # noqa: PLR2004 # one in five is started by hand, with other settings
        spec["envOverride"] = {"BATCH_SIZE": "500"}
    start = at + (70 * MINUTE if job.habit == "slow_start" else chance.uniform(2, 25) * _SECOND)
    events = [
        Event("execution.created", at, identity, job.name, "queued", spec),
        Event("execution.status", at + (start - at) / 2, identity, job.name, "pending"),
        Event("execution.status", start, identity, job.name, "running"),
    ]
    tasks, end, status = _tasks(job, identity, at, start, chance)
    if job.habit == "superseded" and job.every is not None:
        # The next preview supersedes this one, and the cancellation takes its time.
        events.append(Event("execution.status", at + job.every, identity, job.name, "cancelling"))
        end, status = at + 2 * job.every + 2 * MINUTE, "cancelled"
    events.append(Event("execution.status", end, identity, job.name, status))
    return sorted([*events, *tasks], key=lambda event: event.at)


def _tasks(
    job: BatchJob, execution: str, at: datetime, start: datetime, chance: random.Random
) -> tuple[list[Event], datetime, str]:
    """Return the events of an execution's tasks, when the last one ends, and what that makes of it."""
    lanes = [start] * min(job.parallelism, job.tasks)
    bad = _badly(job, at, chance)
    events: list[Event] = []
    failed = False
    spec = {"maxRetries": 2, "timeout": "30m"}
    for number in range(job.tasks):
        name = f"task-{number}"
        lane = number % len(lanes)
        begin = lanes[lane]
        length = job.length * chance.uniform(0.5, 1.5)
        fails = number in bad
        mine = [
            Event("task.scheduled", at, name, execution, "pending", spec),
            Event("task.status", begin, name, execution, "running"),
        ]
        if fails or chance.random() < 0.01:  # noqa: PLR2004 # a rare retry that helps
            # Each attempt gets about as far as the last one.
            condition = _condition(bad.get(number, job.causes[0]), begin, chance)
            begin += length
            mine.append(Event("task.status", begin, name, execution, "pending", [condition]))
            begin += 5 * _SECOND
            mine.append(Event("task.status", begin, name, execution, "running"))
        ended = begin + length
        status = "failed" if fails else "succeeded"
        conditions = [_condition(bad[number], ended, chance, attempt) for attempt in (1, 2)] if fails else None
        if job.habit == "superseded" and job.every is not None and ended > at + job.every:
            ended, status, conditions = at + job.every + chance.uniform(1, 60) * _SECOND, "cancelled", None
        failed = failed or status == "failed"
        # A task that is cancelled does not get as far as its retry.
        events += [event for event in mine if event.at < ended]
        events.append(Event("task.status", ended, name, execution, status, conditions))
        lanes[lane] = ended
    timed_out = job.habit == "capped" and failed
    return (
        events,
        max(lanes, default=start) + _SECOND,
        "timeout" if timed_out else "failed" if failed else "succeeded",
    )


def _badly(job: BatchJob, at: datetime, chance: random.Random) -> dict[int, Cause]:
    """Return which tasks fail, and why."""
    day = (at - _EPOCH).days
    if job.habit == "backfill":
        weights = [8, 4, 2, 1][: len(job.causes)]
        return {
            number: chance.choices(job.causes, weights)[0]
            for number in range(job.tasks)
            if chance.random() < 0.03  # noqa: PLR2004 # about 300 of 10,000
        }
    likely = {"steady": 0.03, "flaky": 0.3, "capped": 0.25, "slow_start": 0.15, "superseded": 0.0}
    if job.habit == "down":
        # Two nights of three; the database has not been reachable at that hour.
        if day % 3 == 0:
            return {}
        return dict.fromkeys(range(0, job.tasks, 2), job.causes[0])
    if chance.random() >= likely[job.habit]:
        return {}
    cause = job.causes[0] if chance.random() < 0.7 else job.causes[-1]  # noqa: PLR2004 # mostly the usual one
    return dict.fromkeys(chance.sample(range(job.tasks), min(job.tasks, 1 + chance.randrange(_LOST_TASKS))), cause)


def _condition(cause: Cause, at: datetime, chance: random.Random, attempt: int = 1) -> dict[str, str]:
    message = cause.message.format(
        a=chance.randrange(2, 250),
        b=chance.randrange(2, 60),
        n=chance.randrange(1000, 99_999),
        hex=f"{chance.randrange(16**10):010x}",
        date=f"{at:%Y-%m-%d}",
    )
    return {
        "type": "Failed",
        "state": "failed",
        "severity": "error",
        "reason": cause.reason,
        "message": message,
        "executionReason": f"attempt {attempt}",
    }


def _task_definition(task: Scheduled, now: datetime) -> dict[str, Any]:
    number = (now - _EPOCH - task.at) // task.every + 1
    following = _EPOCH + task.at + number * task.every
    fields: dict[str, Any] = {
        "name": task.name,
        "kind": "service" if task.service else "task",
        "group": task.group,
        "description": task.description,
        "manualTrigger": True,
        "timeout": int((2 * HOUR).total_seconds()) * 1_000_000_000,
        "retryAttempts": task.retries,
        "onOverlap": "skip",
    }
    if task.cron:
        fields |= {"cron": task.cron, "nextRunAt": f"{following:%Y-%m-%dT%H:%M:%SZ}"}
    return fields


def _runs(task: Scheduled, at: datetime) -> Iterator[Event]:
    """Return a scheduled run, and its retries."""
    chance = _chance(task.name, at)
    ends_badly = task.failures > 0 and chance.randrange(task.failures) == 0 and not task.in_turn
    trigger = "service" if task.service else chance.choices(("cron", "api", "cloud"), (12, 2, 1))[0]
    trigger = "api" if trigger == "service" else trigger
    before: str | None = None
    for attempt in range(task.retries + 1):
        identity = _ulid(at, task.name, attempt)
        body = {"triggered_by": trigger, "retry_attempt": attempt, "retry_of_run_id": before}
        yield Event("run.created", at, identity, task.name, body=body)
        reason, code = _turn(task, at) if task.in_turn else ("success", 0)
        if ends_badly and (attempt < task.retries or chance.random() < 0.5):  # noqa: PLR2004 # half recover on the last try
            reason, code = chance.choice(task.endings)
        begin = at + chance.uniform(0.05, 2) * _SECOND
        end = begin + (timedelta() if reason == "skipped" else task.length * chance.uniform(0.7, 1.3))
        if reason != "skipped":
            yield Event("run.status", begin, identity, task.name, "running")
        yield Event("run.status", end, identity, task.name, "ended", {"end_reason": reason, "exit_code": code})
        if reason in {"success", "skipped", "stopped"}:
            return
        at, before = end + 10 * _SECOND, identity


def _turn(task: Scheduled, at: datetime) -> tuple[str, int]:
    """Return how a run ends whose bad endings take turns: one in every `failures` runs, anywhere among them."""
    round_, place = divmod((at - _EPOCH - task.at) // task.every, task.failures)
    if place != _chance("turn", task.name, round_).randrange(task.failures):
        return "success", 0
    return task.endings[round_ % len(task.endings)]


def _ulid(at: datetime, *parts: object) -> str:
    """Return a ULID: 48 bits of milliseconds, then 80 that follow from the parts."""
    number = int(at.timestamp() * 1000) << 80 | _chance("ulid", *parts, at).getrandbits(80)
    digits = ""
    for _ in range(26):
        number, digit = divmod(number, 32)
        digits = _CROCKFORD[digit] + digits
    return digits
