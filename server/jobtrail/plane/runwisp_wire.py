"""What the RunWisp side answers with: runs and definitions in both dialects, and how each spells their words.

The store keeps what was recorded; its columns `word` and `via` spell it as 1.0.1 does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jobtrail.plane.store import moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from jobtrail.plane.store import Row

__all__ = ["TRIGGERS", "definition", "link", "log_line", "run", "seed_run", "seed_statuses"]

TRIGGERS = ("cron", "api", "ui", "cli", "station", "service", "startup")
"""What can trigger a run, in 1.0.1."""

_SEED_REASONS = {
    "succeeded": "success",
    "failed": "failed",
    "stopped": "stopped",
    "timeout": "timeout",
    "crashed": "crashed",
    "skipped": "skipped",
    "log_overflow": "log_overflow",
    # Words that the seed document does not have yet: the nearest it has. What never ran was skipped.
    "queue_full": "skipped",
    "dst_skipped": "skipped",
    "missed": "skipped",
    # Ended by somebody else, and not for what it did.
    "daemon_stopped": "stopped",
    # It had no process that could crash.
    "start_failed": "failed",
}
_SEED_TRIGGERS = {
    "cron": "cron",
    "api": "api",
    "station": "cloud",
    # Somebody asked the daemon for it; its API was the only way to.
    "ui": "api",
    "cli": "api",
    # The daemon itself thought it was time.
    "service": "cron",
    "startup": "cron",
}


def seed_statuses(word: str) -> tuple[str, ...]:
    """Return the phases and end reasons of 1.0.1 that the seed dialect shows as one word; none for none."""
    if not word or word in {"pending", "running", "ended"}:
        return (word,) if word else ()
    # A word that nothing is shown as finds nothing.
    return tuple(here for here, shown in _SEED_REASONS.items() if shown == word) or ("",)


def run(row: Row) -> dict[str, Any]:
    """Return a run as 1.0.1 does (schema Run): its fields in the daemon's order, without those that have no value."""
    body = json.loads(row["body"])
    return _present(
        {
            "id": row["id"],
            "executionId": body.get("external_execution_id"),
            "taskName": row["task"],
            "status": row["status"],
            "endReason": _reason(row),
            "isFailure": bool(row["failure"]),
            "exitCode": row["exit_code"],
            "startedAt": moment(row["started_at"]),
            "endedAt": moment(row["ended_at"]),
            "triggeredBy": row["via"],
            "createdAt": moment(row["created_at"]),
            "retryAttempt": row["attempt"],
            "retryOfRunId": body.get("retry_of_run_id"),
            "instanceIndex": body.get("replica_index", 0),
            "params": body.get("params"),
        }
    )


def seed_run(row: Row, request: Request) -> dict[str, Any]:
    """Return a run as the seed document has it; a word that it does not know becomes the nearest it does."""
    body = json.loads(row["body"])
    reason = _reason(row)
    return _present(
        {
            "$schema": link(request, "Run"),
            "created_at": moment(row["created_at"]),
            "end_at": moment(row["ended_at"]),
            "end_reason": None if reason is None else _SEED_REASONS.get(reason, "failed"),
            "exit_code": row["exit_code"],
            "external_execution_id": body.get("external_execution_id"),
            "id": row["id"],
            "replica_index": body.get("replica_index", 0),
            "retry_attempt": row["attempt"],
            "retry_of_run_id": body.get("retry_of_run_id"),
            "start_at": moment(row["started_at"]),
            "status": row["status"],
            "task_name": row["task"],
            "triggered_by": _SEED_TRIGGERS.get(row["via"], "api"),
        }
    )


def _reason(row: Row) -> str | None:
    return "succeeded" if row["end_reason"] == "success" else row["end_reason"]


def definition(row: Row) -> dict[str, Any]:
    """Return the definition of a task or service (schema TaskResponse), with all that the document requires."""
    body: dict[str, Any] = json.loads(row["body"])
    required = {"manualTrigger": False, "runOnStart": False, "autostart": body.get("kind") == "service"}
    return {**required, **body, "name": row["name"]}


def log_line(row: Row, number: int) -> dict[str, Any]:
    """Return a line of output (schema LogLineEntry): its number from 0, its time in milliseconds, 0 for unknown."""
    return {"n": number, "ts": row["at"] // 1_000_000, "stream": row["stream"], "text": row["text"]}


def link(request: Request, schema: str) -> str:
    """Return the address of a schema, at the host that was asked."""
    # Not `request.url`: that needs the query to be well formed.
    base = request.base_url
    return f"{base.scheme}://{base.netloc}/schemas/{schema}.json"


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
