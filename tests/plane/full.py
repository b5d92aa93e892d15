"""A store in which every documented field has a value and every documented word occurs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobtrail.plane import Event, Store
from jobtrail.plane.store import Line
from tests.plane.stocks import at, execution, job, task

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CONDITION", "FULL_JOB", "FULL_SPEC", "RUN", "full"]

FULL_JOB: dict[str, Any] = {
    "metadata": {
        "displayName": "Nightly ETL",
        "labels": {"team": "data", "env": "production"},
        "createdBy": "ada", "updatedBy": "grace", "externalId": "etl-1", "plan": "pro", "url": "https://run.example/etl",
    },
    "spec": {
        "enabled": True,
        "region": "us-was-1",
        "policies": ["eu-only"],
        "githubRunner": {"repositories": ["my-org/repo-a"]},
        "revision": {"active": "rev-1", "canary": "rev-2", "canaryPercent": 10, "stickySessionTtl": 0, "traffic": 90},
        "runtime": {
            "image": "registry.example/etl:1", "generation": "mk3", "memory": 2048, "diskPercent": 80,
            "maxRetries": 3, "timeout": 3600,
            "envs": [{"name": "OPEN", "value": "shown"}, {"name": "TOKEN", "value": "hidden", "secret": True}],
            "ports": [{"target": 8080, "name": "http", "protocol": "HTTP"}],
        },
        "triggers": [
            {
                "id": "trigger-1", "type": "http-async", "enabled": True,
                "configuration": {
                    "schedule": "0 * * * *", "path": "/invoke", "authenticationType": "blaxel", "retry": 3,
                    "callbackUrl": "https://app.example/hook", "callbackSecret": "hidden", "timeout": 300,
                    "tasks": [{}],
                },
            }
        ],
        "volumes": [
            {"name": "scratch", "mountPath": "/mnt/data", "type": "ephemeral", "sizeMb": 1024, "readOnly": False}
        ],
    },
    "events": [
        {
            "type": "deployment", "status": "DEPLOYED", "message": "Deployment successful", "revision": "rev-1",
            "canaryRevision": "rev-2", "time": "2026-10-31T00:00:00Z",
        }
    ],
    "search": "etl\nnightly etl\nteam\ndata\nenv\nproduction",
}  # fmt: skip
CONDITION = {
    "type": "Failed", "state": "failed", "severity": "error", "reason": "OOMKilled", "message": "exit code 137",
    "executionReason": "attempt 1",
}  # fmt: skip
FULL_SPEC: dict[str, Any] = {
    "parallelism": 5,
    "timeout": 3600,
    "memoryOverride": 2048,
    "envOverride": {"MY_VAR": "hidden", "BATCH_SIZE": "hidden"},
    "tasks": [{"metadata": {"name": "task-0"}, "spec": {"maxRetries": 3, "timeout": "30m"}}],
}
FULL_DEFINITION: dict[str, Any] = {
    "name": "nightly", "kind": "task", "group": "Backups", "description": "Nightly backup", "cron": "0 3 * * *",
    "timezone": "Europe/Berlin", "nextRunAt": "2026-11-02T03:00:00+01:00", "manualTrigger": True, "runOnStart": False,
    "autostart": False, "timeout": 7_200_000_000_000, "retryAttempts": 2, "retryDelay": 1_000_000_000,
    "retryBackoff": "linear", "onOverlap": "queue", "maxConcurrent": 1, "maxQueued": 100, "catchUp": 1,
    "env": {"PASSWORD": "***"},
}  # fmt: skip
RUN = "01JZ0000000000000000000001"

_STATUSES = ("DELETING", "TERMINATED", "FAILED", "DEACTIVATED", "DEACTIVATING", "UPLOADING", "BUILDING", "DEPLOYING")
_EXECUTIONS = ("queued", "pending", "running", "cancelling", "cancelled", "failed", "succeeded", "timeout")
_ENDINGS = (
    "success", "succeeded", "failed", "stopped", "timeout", "crashed", "skipped", "log_overflow", "queue_full",
    "dst_skipped", "daemon_stopped", "missed", "start_failed",
)  # fmt: skip
_TRIGGERS = ("cron", "api", "cloud", "ui", "cli", "station", "service", "startup")
_TASKS = ("unspecified", "pending", "reconciling", "failed", "succeeded", "running", "cancelled")


def full() -> Store:
    """Return the store: more than a page of everything, and of `etl` and its execution `full` every field."""
    store = Store(None)
    store.record(_blaxel(), lines=_lines())
    store.record(_runwisp())
    return store


def _blaxel() -> Iterator[Event]:
    yield Event("job.defined", at(-1), "etl", status="DEPLOYED", body=FULL_JOB)
    for number in range(60):
        yield job(f"job-{number:02}", number, status=_STATUSES[number % len(_STATUSES)], labels={"n": str(number)})
    for number in range(110):
        yield from execution(f"exec-{number:03}", "etl", number, _EXECUTIONS[number % len(_EXECUTIONS)])
    yield from execution("full", "etl", 200, "running", **FULL_SPEC)
    for number in range(60):
        status = _TASKS[number % len(_TASKS)]
        yield from task(f"task-{number}", "full", 200, "running", status)[:-1]
        conditions = [CONDITION] if status == "failed" else None
        yield Event("task.status", at(210), f"task-{number}", "full", status, conditions)
    yield Event("execution.status", at(220), "full", "etl", "failed")


def _lines() -> Iterator[Line]:
    yield from (Line(at(1), RUN, "", stream, f"№ of {stream}") for stream in ("stdout", "stderr", "system"))
    for number in range(30):
        yield Line(
            at(201 + number), "full", f"task-{number % 3}", "stdout" if number % 5 else "stderr", f"№ {number}"
        )


def _runwisp() -> Iterator[Event]:
    yield Event("definition", at(0), "nightly", body=FULL_DEFINITION)
    yield Event("definition", at(0), "worker", body={"kind": "service", "instances": 2, "restart": "on_failure"})
    for number in range(60):
        name = f"01JZ{number:022}"
        yield Event("run.created", at(number), name, "nightly", body=_run_body(number))
        if number:
            yield Event("run.status", at(number + 1), name, "nightly", "running")
        if number > 1:
            ended = {"end_reason": _ENDINGS[number % len(_ENDINGS)], "exit_code": number % 3}
            yield Event("run.status", at(number + 2), name, "nightly", "ended", ended)


def _run_body(number: int) -> dict[str, Any]:
    body: dict[str, Any] = {"triggered_by": _TRIGGERS[number % len(_TRIGGERS)], "retry_attempt": number % 2}
    if number % 4 == 1:
        body |= {
            "retry_of_run_id": f"01JZ{number - 1:022}", "replica_index": 1, "is_failure": True,
            "external_execution_id": f"execution-{number}", "params": {"day": "monday"},
        }  # fmt: skip
    return body
