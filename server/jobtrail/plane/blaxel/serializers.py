"""Serializes rows of the store as in the Blaxel documents: `Job`, `JobExecution`, `JobExecutionTask`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobtrail.masking import MASKED, mask_pair
from jobtrail.plane.responses import drop_absent
from jobtrail.store.row_types import parse_list, parse_object, read_object, read_objects
from jobtrail.times import format_optional_nanoseconds

if TYPE_CHECKING:
    from sqlite3 import Row


def serialize_job(row: Row) -> dict[str, Any]:
    """Return a `Job`, without a secret value."""
    body = parse_object(row["body"])
    spec = read_object(body, "spec")
    for env in read_objects(read_object(spec, "runtime"), "envs"):
        if env.get("secret"):
            env["value"] = MASKED
        elif isinstance(name := env.get("name"), str) and isinstance(value := env.get("value"), str):
            env["value"] = mask_pair(name, value)
    for trigger in read_objects(spec, "triggers"):
        configuration = read_object(trigger, "configuration")
        if "callbackSecret" in configuration:
            configuration["callbackSecret"] = MASKED
    metadata = {
        **read_object(body, "metadata"),
        "name": row["name"],
        "workspace": row["workspace"],
        "createdAt": format_optional_nanoseconds(row["created_at"]),
        "updatedAt": format_optional_nanoseconds(row["updated_at"]),
    }
    return {"metadata": metadata, "spec": spec, "status": row["status"], "events": []}


def serialize_execution(row: Row) -> dict[str, Any]:
    """Return a `JobExecution`, without its tasks; overridden variables by name only."""
    spec = parse_object(row["body"])
    if "envOverride" in spec:
        spec["envOverride"] = dict.fromkeys(read_object(spec, "envOverride"), MASKED)
    metadata = {
        "id": row["id"],
        "job": row["job"],
        "workspace": row["workspace"],
        "createdAt": format_optional_nanoseconds(row["created_at"]),
        "updatedAt": format_optional_nanoseconds(row["updated_at"]),
        "startedAt": format_optional_nanoseconds(row["started_at"]),
        "completedAt": format_optional_nanoseconds(row["ended_at"]),
    }
    stats = {name: row[name] for name in ("total", "success", "failure", "running", "cancelled", "retried")}
    return {"metadata": drop_absent(metadata), "spec": spec, "stats": stats, "status": row["status"]}


def serialize_task(row: Row) -> dict[str, Any]:
    """Return a `JobExecutionTask`."""
    created = format_optional_nanoseconds(row["created_at"])
    metadata = {
        "name": row["name"],
        "createdAt": created,
        "scheduledAt": created,
        "updatedAt": format_optional_nanoseconds(row["updated_at"]),
        "startedAt": format_optional_nanoseconds(row["started_at"]),
        "completedAt": format_optional_nanoseconds(row["ended_at"]),
    }
    return {
        "metadata": drop_absent(metadata),
        "spec": parse_object(row["spec"]),
        "status": row["status"],
        "conditions": parse_list(row["conditions"]),
    }
