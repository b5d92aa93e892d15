"""The sample workspace, a function of absolute time.

Every execution and run is a point of an endless schedule, and all it does follows from a hash of
its job and its time. So a later process makes the same history, with what has happened since:
what is over keeps its ids, its times and its messages, and a cursor survives a restart.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from jobtrail.plane.sample_data import BATCH_JOBS, MINUTE
from jobtrail.plane.sample_runs import output, scheduled
from jobtrail.plane.sample_schedule import EPOCH, SECOND, chance_of, schedule
from jobtrail.plane.shapes import job_defined
from jobtrail.plane.store import Event, Line

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator

    from jobtrail.plane.sample_data import BatchJob, Cause
    from jobtrail.plane.store import Store

__all__ = ["fill"]

_LOST_TASKS = 4


def fill(store: Store, now: datetime) -> None:
    """Record the sample's history up to `now` and mark the store as holding it."""
    store.set_meta("sample", "1")
    # No secret, so that a cursor of the sample goes on after a restart.
    store.set_meta("cursor_key", hashlib.sha256(b"sample").hexdigest())
    said: list[Line] = []
    # The list is full by the time that lines are recorded, which is after the events.
    store.record(_heard(_history(now), said), lines=(line for part in (output(now), said) for line in part))


def _heard(events: Iterable[Event], said: list[Line]) -> Iterator[Event]:
    """Yield events, and keep what failed tasks printed: each attempt, and why it failed."""
    for event in events:
        if event.kind == "task.status" and event.status == "failed":
            for condition in event.body:
                said.append(
                    Line(event.at, event.parent, event.name, "stdout", f"{condition['executionReason']} began")
                )
                said.append(Line(event.at, event.parent, event.name, "stderr", condition["message"]))
        yield event


def _history(now: datetime) -> Iterator[Event]:
    for job in BATCH_JOBS:
        yield _definition(job)
        for at in schedule(job.every, job.at, job.keep, now):
            # What has not happened yet is left out, which is all that makes things run or wait.
            yield from _until(now, _execution(job, at))
    yield from scheduled(now)


def _until(now: datetime, events: Iterable[Event]) -> Iterator[Event]:
    return (event for event in events if isinstance(event.at, datetime) and event.at <= now)


def _definition(job: BatchJob) -> Event:
    runtime = {
        "envs": [
            {"name": "LOG_LEVEL", "value": "info", "secret": False},
            {"name": "DATABASE_URL", "value": "postgres://sample-secret@db.internal/acme", "secret": True},
        ],
        "generation": "mk3",
        "image": f"registry.internal/{job.name}:{chance_of(job.name).randrange(16**8):08x}",
        "maxRetries": 2,
        "memory": 2048,
        "timeout": 3600,
    }
    triggers = [{"id": "cron", "type": "cron", "enabled": True, "configuration": {"schedule": job.schedule}}]
    labels = {"team": job.team, "env": "production"}
    spec = {
        "enabled": job.deployment == "DEPLOYED",
        "region": "us-pdx-1",
        "runtime": runtime,
        "triggers": triggers if job.schedule else [],
    }
    created = EPOCH + timedelta(days=chance_of("created", job.name).randrange(600), seconds=7)
    metadata = {"displayName": job.title, "labels": labels, "createdBy": "sample"}
    return job_defined(job.name, created, metadata=metadata, spec=spec, status=job.deployment)


def _execution(job: BatchJob, at: datetime) -> list[Event]:
    """Return all that one execution ever does, in order of time."""
    chance = chance_of(job.name, at)
    identity = f"exec-{chance.randrange(16**12):012x}"
    spec: dict[str, Any] = {"parallelism": job.parallelism, "timeout": 3600}
    if chance.random() < 0.2:  # noqa: PLR2004 # one in five is started by hand, with other settings
        spec["envOverride"] = {"BATCH_SIZE": "500"}
    start = at + (70 * MINUTE if job.habit == "slow_start" else chance.uniform(2, 25) * SECOND)
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
            begin += 5 * SECOND
            mine.append(Event("task.status", begin, name, execution, "running"))
        ended = begin + length
        status = "failed" if fails else "succeeded"
        conditions = [_condition(bad[number], ended, chance, attempt) for attempt in (1, 2)] if fails else None
        if job.habit == "superseded" and job.every is not None and ended > at + job.every:
            ended, status, conditions = at + job.every + chance.uniform(1, 60) * SECOND, "cancelled", None
        failed = failed or status == "failed"
        # A task that is cancelled does not get as far as its retry.
        events += [event for event in mine if event.at < ended]
        events.append(Event("task.status", ended, name, execution, status, conditions))
        lanes[lane] = ended
    timed_out = job.habit == "capped" and failed
    return (
        events,
        max(lanes, default=start) + SECOND,
        "timeout" if timed_out else "failed" if failed else "succeeded",
    )


def _badly(job: BatchJob, at: datetime, chance: random.Random) -> dict[int, Cause]:
    """Return which tasks fail, and why."""
    day = (at - EPOCH).days
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
