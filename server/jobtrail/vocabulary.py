"""Lists the words for a status: the normalised ones, and those that the documents of batch jobs give a job."""

from __future__ import annotations

from typing import Literal, get_args

Status = Literal["queued", "running", "succeeded", "failed", "timeout", "cancelled", "skipped", "unknown"]
STATUSES: tuple[Status, ...] = get_args(Status)

FAILURES: frozenset[Status] = frozenset({"failed", "timeout"})
"""It ended badly by itself; a cancelled one was stopped by somebody."""
JUDGED: frozenset[Status] = frozenset({"succeeded", "failed", "timeout"})
"""It ended by itself, so that it counts in a success rate."""
ENDED: frozenset[Status] = frozenset({"succeeded", "failed", "timeout", "cancelled", "skipped"})
"""The status does not change any more."""
UNFINISHED: frozenset[Status] = frozenset({"queued", "running"})
"""Not ended yet."""

DEPLOYMENT_STATUSES = (
    "deleting", "terminated", "failed", "deactivated", "deactivating",
    "uploading", "building", "deploying", "deployed", "built",
)  # fmt: skip
"""The statuses of a batch job, in lower case and the documents' order (schema Status); scheduled tasks have none."""
