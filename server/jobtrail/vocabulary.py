"""Lists the words for a status: the normalised ones, and those of the documents that are read and imported.

And the earlier words for arguments, which are still understood.

A document's words are here because a source, importing and the plane all know them; an upstream that only a source
knows keeps its words in its package.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar, get_args

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

T = TypeVar("T")

Status = Literal[
    "queued", "running", "succeeded", "failed", "timeout", "missed", "cancelled", "skipped", "unknown"
]  # fmt: skip
STATUSES: tuple[Status, ...] = get_args(Status)

FAILURES: frozenset[Status] = frozenset({"failed", "timeout", "missed"})
"""It ended badly by itself, or should have run and did not; a cancelled one was stopped by somebody."""
FAILURE = "failure"
"""Stands for whatever `is_failure` holds of, where statuses to keep are named."""
ENDED: frozenset[Status] = frozenset({"succeeded", "failed", "timeout", "missed", "cancelled", "skipped"})
"""The status does not change any more."""
UNFINISHED: frozenset[Status] = frozenset({"queued", "running"})
"""Not ended yet."""

AFTER_INNER = re.compile(r"(?:exit code \d+|killed by \S+) after its task .+? failed: (?=.)")
"""Begins the reason of a recorded task that failed after one within it had, whose cause follows."""


class HasStatus(Protocol):
    """A thing with a status; one that has a `failure` besides was judged by its upstream."""

    @property
    def status(self) -> str | None:
        """The normalised word."""
        ...


def is_failure(one: HasStatus) -> bool:
    """Return whether a thing counts as a failure: as its upstream judged it, else by its status."""
    judged: bool | None = getattr(one, "failure", None)
    return one.status in FAILURES if judged is None else judged


def is_success(one: HasStatus) -> bool:
    """Return whether a thing succeeded, which its upstream may judge otherwise."""
    return one.status == "succeeded" and not is_failure(one)


DEPLOYMENT_STATUSES = (
    "deleting", "terminated", "failed", "deactivated", "deactivating",
    "uploading", "building", "deploying", "deployed", "built",
)  # fmt: skip
"""The statuses of a batch job, in lower case and the documents' order (schema Status); scheduled tasks have none."""

EXECUTION_WORDS: Mapping[str, Status] = {
    "queued": "queued",
    "pending": "queued",
    "running": "running",
    "cancelling": "running",
    "cancelled": "cancelled",
    "failed": "failed",
    "succeeded": "succeeded",
    "timeout": "timeout",
}
"""The statuses of an execution of a batch job (schema JobExecutionStatus), and what they mean."""

TASK_WORDS: Mapping[str, Status] = {
    "unspecified": "unknown",
    "pending": "queued",
    "reconciling": "running",
    "failed": "failed",
    "succeeded": "succeeded",
    "running": "running",
    "cancelled": "cancelled",
}
"""The statuses of a task of an execution (schema JobExecutionTaskStatus), and what they mean."""

END_REASONS: Mapping[str, Status] = {
    "succeeded": "succeeded",
    "success": "succeeded",
    "failed": "failed",
    "stopped": "cancelled",
    "timeout": "timeout",
    "crashed": "failed",
    "skipped": "skipped",
    "log_overflow": "failed",
    "queue_full": "skipped",
    "dst_skipped": "skipped",
    "daemon_stopped": "cancelled",
    "missed": "missed",
    "start_failed": "failed",
}
"""Why a run of a scheduled task ended, in the words of either dialect (schema Run), and what they mean."""

OPEN_PHASES: Mapping[str, Status] = {"pending": "queued", "running": "running"}
"""The phases of a run that has not ended (schema Run), and what they mean."""

EARLIER_NAMES = {"task": "job", "search": "query"}
"""Earlier names of arguments and fields, and those of today."""


def rename_earlier(given: Mapping[str, T], accepted: Collection[str]) -> dict[str, T]:
    """Return arguments under their names of today: an earlier name is understood where it is no name of another."""
    renamed = dict(given)
    for earlier, today in EARLIER_NAMES.items():
        if earlier in renamed and earlier not in accepted and today in accepted and today not in renamed:
            renamed[today] = renamed.pop(earlier)
    return renamed
