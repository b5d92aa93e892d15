"""A store in which every documented field has a value and every documented word occurs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jobtrail.store import Store
from jobtrail.store.rows import DefinitionRow, JobRow, LineRow, RunRow
from tests.plane.records import make_execution, make_job, make_task, nanoseconds_at, set_status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobtrail.store.rows import AnyRow

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


def make_full_store() -> Store:
    """Return the store: more than a page of everything, and of `etl` and its execution `full` every field."""
    store = Store(None)
    store.write([*_blaxel(), *_lines(), *_runwisp()])
    return store


def _blaxel() -> Iterator[AnyRow]:
    yield JobRow("etl", nanoseconds_at(-1), nanoseconds_at(-1), **FULL_JOB)
    for number in range(60):
        yield make_job(
            f"job-{number:02}", number, status=_STATUSES[number % len(_STATUSES)], labels={"n": str(number)}
        )
    for number in range(110):
        yield make_execution(f"exec-{number:03}", "etl", number, _EXECUTIONS[number % len(_EXECUTIONS)])
    yield set_status(make_execution("full", "etl", 200, "running", **FULL_SPEC), 220, "failed")
    for number in range(60):
        status = _TASKS[number % len(_TASKS)]
        conditions = [CONDITION] if status == "failed" else []
        yield set_status(make_task(f"task-{number}", "full", 200, "running"), 210, status, conditions=conditions)


def _lines() -> Iterator[LineRow]:
    yield from (
        LineRow(nanoseconds_at(1), RUN, "", stream, f"№ of {stream}") for stream in ("stdout", "stderr", "system")
    )
    for number in range(30):
        yield LineRow(
            nanoseconds_at(201 + number),
            "full",
            f"task-{number % 3}",
            "stdout" if number % 5 else "stderr",
            f"№ {number}",
        )


def _runwisp() -> Iterator[AnyRow]:
    yield DefinitionRow("nightly", FULL_DEFINITION)
    yield DefinitionRow("worker", {"kind": "service", "instances": 2, "restart": "on_failure"})
    for number in range(60):
        name = f"01JZ{number:022}"
        one = RunRow(name, "nightly", "pending", nanoseconds_at(number), body=_run_body(number))
        if number:
            one = replace(one, status="running", started_at=nanoseconds_at(number + 1))
        if number > 1:
            one = replace(one, status="ended", ended_at=nanoseconds_at(number + 2), exit_code=number % 3)
            one = replace(one, end_reason=_ENDINGS[number % len(_ENDINGS)])
        yield one


def _run_body(number: int) -> dict[str, Any]:
    body: dict[str, Any] = {"triggered_by": _TRIGGERS[number % len(_TRIGGERS)], "retry_attempt": number % 2}
    if number % 4 == 1:
        body |= {
            "retry_of_run_id": f"01JZ{number - 1:022}", "replica_index": 1, "is_failure": True,
            "external_execution_id": f"execution-{number}", "params": {"day": "monday"},
        }  # fmt: skip
    return body
