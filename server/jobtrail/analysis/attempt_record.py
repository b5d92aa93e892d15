"""Counts a job's newest attempts by status, and finds the last success and failure among them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from jobtrail.models import AttemptRecord
from jobtrail.vocabulary import is_failure, is_success

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobtrail.models import Attempt


def summarize_attempts(newest_first: Sequence[Attempt], *, complete: bool) -> AttemptRecord:
    """Return counts by status, and the last success and failure, of a job's newest attempts.

    Args:
        newest_first: executions or runs.
        complete: whether the job has no others.
    """
    newest = newest_first[0] if newest_first else None
    success = next((one for one in newest_first if is_success(one)), None)
    failure = next((one for one in newest_first if is_failure(one)), None)
    return AttemptRecord(
        of=len(newest_first),
        complete=complete,
        counts=dict(Counter(one.status for one in newest_first).most_common()),
        newest_status=newest.status if newest else None,
        newest_at=newest.created_at if newest else None,
        last_success_at=success.created_at if success else None,
        last_failure=failure.id if failure else None,
    )
