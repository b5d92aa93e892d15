"""Makes the rows of the sample's batch jobs: jobs, counted executions, tasks, and what failed tasks printed."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from jobtrail.sample.schedule import EPOCH, for_row, seed_random
from jobtrail.store.bulk import ExecutionValues, LineValues, TaskValues
from jobtrail.store.rows import JobRow, to_json
from jobtrail.times import to_nanoseconds
from jobtrail.vocabulary import ENDED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jobtrail.sample.batch_job_definitions import SampleJob
    from jobtrail.sample.executions import Failure, PlannedExecution, Step

_TASK_SPEC = to_json({"maxRetries": 2, "timeout": "30m"})


def build_job(job: SampleJob) -> JobRow:
    """Return a job's row."""
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


def build_execution(key: int, workspace: str, job: str, plan: PlannedExecution) -> ExecutionValues:
    """Return an execution's row, which counts its tasks."""
    statuses = Counter([steps[-1][1] for steps in plan.tasks])
    last = max([steps[-1][0] for steps in (plan.steps, *plan.tasks)])
    created, _, began, ended = _read_times(plan.steps)
    return ExecutionValues(
        key=key,
        workspace=workspace,
        job=job,
        id=plan.id,
        created_at=created,
        updated_at=for_row(last),
        started_at=began,
        ended_at=ended,
        status=plan.steps[-1][1],
        body=to_json(plan.spec),
        tasks=len(plan.tasks),
        total=len(plan.tasks),
        success=statuses["succeeded"],
        failure=statuses["failed"],
        running=statuses["running"],
        cancelled=statuses["cancelled"],
        # Created, began, failed, began again.
        retried=sum([len(steps) > 3 and _count_attempts(steps) > 1 for steps in plan.tasks]),  # noqa: PLR2004 # as above
    )


def list_tasks(key: int, plan: PlannedExecution) -> Iterator[TaskValues]:
    """Yield the rows of an execution's tasks."""
    for number, steps in enumerate(plan.tasks):
        created, updated, began, ended = _read_times(steps)
        failures = next((failures for _, _, failures in reversed(steps) if failures), ())
        yield TaskValues(
            key,
            number,
            f"task-{number}",
            created,
            updated,
            began,
            ended,
            _count_attempts(steps),
            steps[-1][1],
            _TASK_SPEC,
            to_json([_build_condition(failure) for failure in failures]) if failures else "[]",
        )


def list_output(workspace: str, plan: PlannedExecution) -> Iterator[LineValues]:
    """Yield what each failed task printed: each attempt, and why it failed."""
    for number, steps in enumerate(plan.tasks):
        at, status, failures = steps[-1]
        if status == "failed":
            where = (None, workspace, plan.id, f"task-{number}", for_row(at))
            for failure in failures:
                yield LineValues(*where, "stdout", f"attempt {failure.attempt} began")
                yield LineValues(*where, "stderr", failure.message)


def _read_times(steps: Sequence[Step]) -> tuple[int, int, int | None, int | None]:
    """Return when something was created, last changed, first started, and ended."""
    last = for_row(steps[-1][0])
    began = next((for_row(at) for at, status, _ in steps if status == "running"), None)
    return for_row(steps[0][0]), last, began, last if steps[-1][1] in ENDED else None


def _count_attempts(steps: Sequence[Step]) -> int:
    return sum(status == "running" for _, status, _ in steps)


def _build_condition(failure: Failure) -> dict[str, str]:
    return {
        "type": "Failed",
        "state": "failed",
        "severity": "error",
        "reason": failure.cause.reason,
        "message": failure.message,
        "executionReason": f"attempt {failure.attempt}",
    }
