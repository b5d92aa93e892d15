"""Serializes runs, definitions and log lines for the RunWisp API, in the words of each dialect.

The store spells them as 1.0.1 does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobtrail.plane.responses import drop_absent
from jobtrail.store.row_types import parse_object, read_object
from jobtrail.times import format_optional_nanoseconds
from jobtrail.vocabulary import OPEN_PHASES

if TYPE_CHECKING:
    from sqlite3 import Row

_LEGACY_REASONS = {
    "succeeded": "success",
    "failed": "failed",
    "stopped": "stopped",
    "timeout": "timeout",
    "crashed": "crashed",
    "skipped": "skipped",
    "log_overflow": "log_overflow",
    # Words that the legacy dialect does not have: the nearest it has. What never ran was skipped.
    "queue_full": "skipped",
    "dst_skipped": "skipped",
    "missed": "skipped",
    # Ended by somebody else, and not for what it did.
    "daemon_stopped": "stopped",
    # It had no process that could crash.
    "start_failed": "failed",
}
_LEGACY_TRIGGERS = {
    "cron": "cron",
    "api": "api",
    "station": "cloud",
    "cloud": "cloud",
    # Somebody asked the daemon for it; its API was the only way to.
    "ui": "api",
    "cli": "api",
    # The daemon itself thought it was time.
    "service": "cron",
    "startup": "cron",
}


def translate_legacy_status(word: str) -> tuple[str, ...]:
    """Return the phases and end reasons of 1.0.1 that the legacy dialect shows as one word; none for none."""
    if not word or word in {*OPEN_PHASES, "ended"}:
        return (word,) if word else ()
    # A word that nothing is shown as finds nothing.
    return tuple(here for here, shown in _LEGACY_REASONS.items() if shown == word) or ("",)


def serialize_run(row: Row) -> dict[str, Any]:
    """Return a run as 1.0.1 does (schema Run), as far as our source reads it."""
    body = parse_object(row["body"])
    return drop_absent(
        {
            "id": row["id"],
            "taskName": row["task"],
            "status": row["status"],
            "endReason": row["word"] if row["end_reason"] else None,
            "isFailure": bool(row["failure"]),
            "exitCode": row["exit_code"],
            "startedAt": format_optional_nanoseconds(row["started_at"]),
            "endedAt": format_optional_nanoseconds(row["ended_at"]),
            "triggeredBy": "station" if body.get("triggered_by") == "cloud" else body.get("triggered_by"),
            "createdAt": format_optional_nanoseconds(row["created_at"]),
            "retryAttempt": body.get("retry_attempt", 0),
            "retryOfRunId": body.get("retry_of_run_id"),
            "instanceIndex": body.get("replica_index", 0),
            "params": read_object(body, "params") or None,
        }
    )


def serialize_legacy_run(row: Row, schema: str) -> dict[str, Any]:
    """Return a run as the legacy dialect has it; a word that it does not know becomes the nearest it does.

    Args:
        row: the run.
        schema: the address of its JSON Schema.
    """
    body = parse_object(row["body"])
    return drop_absent(
        {
            "$schema": schema,
            "created_at": format_optional_nanoseconds(row["created_at"]),
            "end_at": format_optional_nanoseconds(row["ended_at"]),
            "end_reason": _LEGACY_REASONS.get(row["word"], "failed") if row["end_reason"] else None,
            "exit_code": row["exit_code"],
            "external_execution_id": body.get("external_execution_id"),
            "id": row["id"],
            "replica_index": body.get("replica_index", 0),
            "retry_attempt": body.get("retry_attempt", 0),
            "retry_of_run_id": body.get("retry_of_run_id"),
            "start_at": format_optional_nanoseconds(row["started_at"]),
            "status": row["status"],
            "task_name": row["task"],
            "triggered_by": _LEGACY_TRIGGERS.get(str(body.get("triggered_by")), "api"),
        }
    )


def serialize_definition(row: Row) -> dict[str, Any]:
    """Return the definition of a task or service (schema Task), as it was recorded."""
    return {**parse_object(row["body"]), "name": row["name"]}


def serialize_log_line(row: Row, number: int) -> dict[str, Any]:
    """Return a line of output (schema LogLineEntry): its number from 0, its time in milliseconds, 0 for unknown."""
    return {"n": number, "ts": row["at"] // 1_000_000, "stream": row["stream"], "text": row["text"]}
