"""Plans the executions of the sample's batch jobs: their tasks, what becomes of each and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from jobtrail.sample.batch_job_definitions import MINUTE
from jobtrail.sample.schedule import EPOCH, MICROSECOND, SECOND, from_microseconds, seed_random, to_microseconds
from jobtrail.times import format_date

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence
    from datetime import datetime

    from jobtrail.sample.batch_job_definitions import FailureCause, SampleJob

_LOST_TASKS = 4
_SECOND = SECOND // MICROSECOND
_DELAY = 70 * MINUTE // MICROSECOND
_CANCELLATION = 2 * MINUTE // MICROSECOND


class Failure(NamedTuple):
    """A failed attempt: what varies in its message, which is written when somebody asks."""

    cause: FailureCause
    at: int
    attempt: int
    a: int
    b: int
    n: int
    code: int

    @property
    def message(self) -> str:
        """What the attempt says of its failure."""
        date = format_date(from_microseconds(self.at))
        return self.cause.message.format(a=self.a, b=self.b, n=self.n, hex=f"{self.code:010x}", date=date)


Step = tuple[int, str, "Sequence[Failure]"]
"""When an execution or task takes a status, which, and the failures of a task so far: plain, there are 40,000."""


class PlannedExecution(NamedTuple):
    """An execution as it is at some time: the steps of itself and of each task up to then."""

    id: str
    spec: dict[str, Any]
    steps: list[Step]
    tasks: list[list[Step]]


def plan_execution(job: SampleJob, at: datetime, until: int) -> PlannedExecution:
    """Return the execution of a job at a time of its schedule, as it is at a later time."""
    chance = seed_random(job.name, at)
    identity = f"exec-{chance.randrange(16**12):012x}"
    spec: dict[str, Any] = {"parallelism": job.parallelism, "timeout": 3600}
    if chance.random() < 0.2:  # noqa: PLR2004 # one in five is started by hand, with other settings
        spec["envOverride"] = {"BATCH_SIZE": "500"}
    created = to_microseconds(at)
    start = created + (_DELAY if job.habit == "slow_start" else round(chance.uniform(2, 25) * _SECOND))
    steps: list[Step] = [
        (created, "queued", ()),
        (round((created + start) / 2), "pending", ()),
        (start, "running", ()),
    ]
    tasks, end, status = _plan_tasks(job, created, start, _choose_failures(job, at, chance), chance)
    if job.habit == "superseded" and job.every is not None:
        # The next preview supersedes this one, and the cancellation takes its time.
        period = job.every // MICROSECOND
        steps.append((created + period, "cancelling", ()))
        end, status = created + 2 * period + _CANCELLATION, "cancelled"
    steps.append((end, status, ()))
    return PlannedExecution(identity, spec, _until(steps, until), [_until(task, until) for task in tasks])


def _until(steps: list[Step], until: int) -> list[Step]:
    """Return the steps up to a time; an execution or task whose last step is left out is still running or waiting."""
    return steps if steps[-1][0] <= until else [step for step in steps if step[0] <= until]


def _plan_tasks(
    job: SampleJob, created: int, start: int, bad: dict[int, FailureCause], chance: random.Random
) -> tuple[list[list[Step]], int, str]:
    """Return the steps of each task of an execution, when the last one ends, and what that makes of the execution."""
    lanes = [start] * min(job.parallelism, job.tasks)
    queued: Step = (created, "pending", ())
    usual = job.length // MICROSECOND
    superseded = created + job.every // MICROSECOND if job.habit == "superseded" and job.every is not None else None
    tasks: list[list[Step]] = []
    for number in range(job.tasks):
        lane = number % len(lanes)
        begin = lanes[lane]
        length = round(usual * (0.5 + chance.random()))
        steps: list[Step] = [queued, (begin, "running", ())]
        cause = bad.get(number)
        if cause or chance.random() < 0.01:  # noqa: PLR2004 # a rare retry that helps
            # Each attempt gets about as far as the last one.
            failure = _fail(cause or job.causes[0], begin, chance)
            begin += length + 5 * _SECOND
            steps += ((begin - 5 * _SECOND, "pending", (failure,)), (begin, "running", ()))
        end = begin + length
        last: Step = (end, "succeeded", ())
        if cause:
            last = (end, "failed", [_fail(cause, end, chance, attempt) for attempt in (1, 2)])
        if superseded is not None and end > superseded:
            end = superseded + round(chance.uniform(1, 60) * _SECOND)
            # A task that is cancelled does not get as far as its retry.
            last, steps = (end, "cancelled", ()), [step for step in steps if step[0] < end]
        steps.append(last)
        tasks.append(steps)
        lanes[lane] = end
    failed = any(steps[-1][1] == "failed" for steps in tasks)
    status = "timeout" if failed and job.habit == "capped" else "failed" if failed else "succeeded"
    return tasks, max(lanes, default=start) + _SECOND, status


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


def _fail(cause: FailureCause, at: int, chance: random.Random, attempt: int = 1) -> Failure:
    return Failure(
        cause,
        at,
        attempt,
        a=chance.randrange(2, 250),
        b=chance.randrange(2, 60),
        n=chance.randrange(1000, 99_999),
        code=chance.randrange(16**10),
    )
