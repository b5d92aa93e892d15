"""Serializes rows of the store as in the Blaxel documents: `Job`, `JobExecution`, `JobExecutionTask`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jobtrail.plane.responses import drop_absent
from jobtrail.times import format_optional_nanoseconds

if TYPE_CHECKING:
    from sqlite3 import Row

_MASK = "***"


def serialize_job(row: Row) -> dict[str, Any]:
    """Return a `Job`, without a secret value."""
    body = json.loads(row["body"])
    spec = body["spec"]
    for env in spec.get("runtime", {}).get("envs", []):
        if env.get("secret"):
            env["value"] = _MASK
    for trigger in spec.get("triggers", []):
        if "callbackSecret" in trigger.get("configuration", {}):
            trigger["configuration"]["callbackSecret"] = _MASK
    metadata = {
        **body["metadata"],
        "name": row["name"],
        "workspace": row["workspace"],
        "createdAt": format_optional_nanoseconds(row["created_at"]),
        "updatedAt": format_optional_nanoseconds(row["updated_at"]),
    }
    return {"metadata": metadata, "spec": spec, "status": row["status"], "events": []}


def serialize_execution(row: Row) -> dict[str, Any]:
    """Return a `JobExecution`, without its tasks; overridden variables by name only."""
    spec = json.loads(row["body"])
    if "envOverride" in spec:
        spec["envOverride"] = dict.fromkeys(spec["envOverride"], _MASK)
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
        "spec": json.loads(row["spec"]),
        "status": row["status"],
        "conditions": json.loads(row["conditions"]),
    }
