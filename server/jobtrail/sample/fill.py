"""Fills a store with the sample workspace, and generates the rows of its batch jobs.

Every execution and run has its time on an endless schedule, and everything about it follows from a hash of its job
and that time. So a later process makes the same history and what has happened since: ids, times and messages of the
past stay the same, and a cursor survives a restart.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from jobtrail.sample.batch_job_definitions import MINUTE, SAMPLE_JOBS
from jobtrail.sample.runs import list_task_rows
from jobtrail.sample.schedule import EPOCH, SECOND, list_times, seed_random
from jobtrail.store.rows import ExecutionRow, JobRow, LineRow, TaskRow
from jobtrail.times import format_date, to_nanoseconds
from jobtrail.vocabulary import ENDED

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

    from jobtrail.sample.batch_job_definitions import FailureCause, SampleJob
    from jobtrail.store.rows import AnyRow
    from jobtrail.store.store import Store

_LOST_TASKS = 4


class _Step(NamedTuple):
    """When an execution or task takes a status; the conditions are those of a task so far."""

    at: datetime
    status: str
    conditions: Sequence[dict[str, str]] = ()


_Steps = list[_Step]


def fill_sample(store: Store, now: datetime) -> None:
    """Record the sample's history up to `now` and mark the store as holding it."""
    store.write_meta("sample", "1")
    # No secret, so that a cursor of the sample goes on after a restart.
    store.write_meta("cursor_key", hashlib.sha256(b"sample").hexdigest())
    store.write(chain(_list_batch_jobs(now), list_task_rows(now)))


def _list_batch_jobs(now: datetime) -> Iterator[AnyRow]:
    """Yield jobs, executions, tasks and what failed tasks printed."""
    for job in SAMPLE_JOBS:
        yield _build_job(job)
        for at in list_times(job.every, job.at, job.keep, now):
            yield from _list_execution(job, at, now)


def _build_job(job: SampleJob) -> JobRow:
    runtime = {
        "envs": [
            {"name": "LOG_LEVEL", "value": "info", "secret": False},
            {"name": "DATABASE_URL", "value": "postgres://sample-secret@db.internal/acme", "secret": True},
        ],
        "generation": "mk3",
        "image": f"registry.internal/{job.name}:{seed_random(job.name).randrange(16**8):08x}",
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
    created = to_nanoseconds(EPOCH + timedelta(days=seed_random("created", job.name).randrange(600), seconds=7))
    metadata = {"displayName": job.title, "labels": labels, "createdBy": "sample"}
    return JobRow(job.name, created, created, job.deployment, metadata, spec)


def _list_execution(job: SampleJob, at: datetime, now: datetime) -> Iterator[AnyRow]:
    """Yield an execution as it is by now, its tasks, and what those that failed printed."""
    chance = seed_random(job.name, at)
    identity = f"exec-{chance.randrange(16**12):012x}"
    spec: dict[str, Any] = {"parallelism": job.parallelism, "timeout": 3600}
    if chance.random() < 0.2:  # noqa: PLR2004 # one in five is started by hand, with other settings
        spec["envOverride"] = {"BATCH_SIZE": "500"}
    start = at + (70 * MINUTE if job.habit == "slow_start" else chance.uniform(2, 25) * SECOND)
    steps = [_Step(at, "queued"), _Step(at + (start - at) / 2, "pending"), _Step(start, "running")]
    tasks, end, status = _plan_tasks(job, at, start, chance)
    if job.habit == "superseded" and job.every is not None:
        # The next preview supersedes this one, and the cancellation takes its time.
        steps.append(_Step(at + job.every, "cancelling"))
        end, status = at + 2 * job.every + 2 * MINUTE, "cancelled"
    steps = _drop_future_steps([*steps, _Step(end, status)], now)
    yield ExecutionRow(job.name, identity, steps[-1].status, *_read_times(steps), spec=spec)
    tasks = [_drop_future_steps(task, now) for task in tasks]
    yield from (_build_task(identity, number, task) for number, task in enumerate(tasks))
    for number, task in enumerate(tasks):
        if task[-1].status == "failed":
            yield from _list_output(identity, f"task-{number}", task[-1])


def _drop_future_steps(steps: _Steps, now: datetime) -> _Steps:
    """Return the steps up to now; an execution or task whose last step is left out is still running or waiting."""
    return [step for step in steps if step.at <= now]


def _read_times(steps: _Steps) -> tuple[int, int, int | None, int | None]:
    """Return when something was created, last changed, first started, and ended."""
    began = next((to_nanoseconds(step.at) for step in steps if step.status == "running"), None)
    last = to_nanoseconds(steps[-1].at)
    return to_nanoseconds(steps[0].at), last, began, last if steps[-1].status in ENDED else None


def _build_task(execution: str, number: int, steps: _Steps) -> TaskRow:
    return TaskRow(
        execution,
        f"task-{number}",
        steps[-1].status,
        *_read_times(steps),
        attempts=sum(step.status == "running" for step in steps),
        spec={"maxRetries": 2, "timeout": "30m"},
        conditions=next((step.conditions for step in reversed(steps) if step.conditions), ()),
    )


def _list_output(execution: str, task: str, failed: _Step) -> Iterator[LineRow]:
    """Yield what a failed task printed: each attempt, and why it failed."""
    at = to_nanoseconds(failed.at)
    for condition in failed.conditions:
        yield LineRow(at, execution, task, "stdout", f"{condition['executionReason']} began")
        yield LineRow(at, execution, task, "stderr", condition["message"])


def _plan_tasks(
    job: SampleJob, at: datetime, start: datetime, chance: random.Random
) -> tuple[list[_Steps], datetime, str]:
    """Return the steps of each task of an execution, when the last one ends, and what that makes of the execution."""
    lanes = [start] * min(job.parallelism, job.tasks)
    bad = _choose_failures(job, at, chance)
    tasks: list[_Steps] = []
    failed = False
    for number in range(job.tasks):
        lane = number % len(lanes)
        begin = lanes[lane]
        length = job.length * chance.uniform(0.5, 1.5)
        fails = number in bad
        steps = [_Step(at, "pending"), _Step(begin, "running")]
        if fails or chance.random() < 0.01:  # noqa: PLR2004 # a rare retry that helps
            # Each attempt gets about as far as the last one.
            condition = _build_condition(bad.get(number, job.causes[0]), begin, chance)
            begin += length
            steps.append(_Step(begin, "pending", [condition]))
            begin += 5 * SECOND
            steps.append(_Step(begin, "running"))
        ended = begin + length
        status = "failed" if fails else "succeeded"
        conditions = [_build_condition(bad[number], ended, chance, attempt) for attempt in (1, 2)] if fails else []
        if job.habit == "superseded" and job.every is not None and ended > at + job.every:
            ended, status, conditions = at + job.every + chance.uniform(1, 60) * SECOND, "cancelled", []
        failed = failed or status == "failed"
        # A task that is cancelled does not get as far as its retry.
        tasks.append([*(step for step in steps if step.at < ended), _Step(ended, status, conditions)])
        lanes[lane] = ended
    timed_out = job.habit == "capped" and failed
    return tasks, max(lanes, default=start) + SECOND, "timeout" if timed_out else "failed" if failed else "succeeded"


def _choose_failures(job: SampleJob, at: datetime, chance: random.Random) -> dict[int, FailureCause]:
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


def _build_condition(cause: FailureCause, at: datetime, chance: random.Random, attempt: int = 1) -> dict[str, str]:
    message = cause.message.format(
        a=chance.randrange(2, 250),
        b=chance.randrange(2, 60),
        n=chance.randrange(1000, 99_999),
        hex=f"{chance.randrange(16**10):010x}",
        date=format_date(at),
    )
    return {
        "type": "Failed",
        "state": "failed",
        "severity": "error",
        "reason": cause.reason,
        "message": message,
        "executionReason": f"attempt {attempt}",
    }
