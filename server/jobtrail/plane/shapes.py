"""Events and parts of them in the shape of the documents, for all that records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobtrail.plane.store import Event

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

__all__ = ["failed_condition", "job_defined"]


def job_defined(
    name: str,
    at: datetime | int,
    *,
    metadata: Mapping[str, Any],
    spec: Mapping[str, Any],
    status: str = "DEPLOYED",
    events: Sequence[Mapping[str, Any]] = (),
) -> Event:
    """Return the event that defines a job, or defines it anew.

    Args:
        name: of the job.
        at: when.
        metadata: what the job's metadata holds besides name and times (`displayName`, `labels`, …).
        spec: as the documents have it (Job.spec).
        status: the deployment status.
        events: as the documents have them (Job.events).
    """
    labels: Mapping[str, str] = metadata.get("labels") or {}
    # Apart from each other: a search is for a part of one of them.
    searched = (name, metadata.get("displayName") or "", *labels, *labels.values())
    # A column of its own, which has no room for half a surrogate pair.
    search = "\n".join(map(str, searched)).lower().encode(errors="replace").decode()
    body = {"metadata": dict(metadata), "spec": dict(spec), "search": search}
    return Event("job.defined", at, name, status=status, body={**body, "events": [*events]} if events else body)


def failed_condition(reason: str, message: str, attempt: int | None = None) -> dict[str, str]:
    """Return a condition of a task that failed (JobExecutionTaskCondition)."""
    condition = {"type": "Failed", "state": "failed", "severity": "error", "reason": reason, "message": message}
    return condition if attempt is None else {**condition, "executionReason": f"attempt {attempt}"}
