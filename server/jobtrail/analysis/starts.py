"""Matches due times with what ran: which were missed, which started late or were skipped.

What ran is matched by when it was created, since no upstream tells for which due time that was. It belongs to the
last due time at or before it. Within `ON_TIME` of that it is on time, whatever started it; later it is late, if its
schedule started it or nobody says what did. More of them than due times make up for missed ones before, newest first.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from jobtrail.models import Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jobtrail.models import Attempt

ON_TIME = timedelta(seconds=60)
"""After a due time; a job that allows its starts to slip has that besides."""
EARLY = timedelta(seconds=2)
"""Before a due time something may be created that belongs to it: clocks differ."""

# Who starts by schedule, in the upstream's words; a daemon's station has one too.
_BY_SCHEDULE = {None, "cron", "station", "cloud"}

State = Literal["ran", "missed", "late", "skipped", "held", "to come"]


@dataclass
class Start:
    """A due time, and what became of it.

    Attributes:
        attempt: what ran, was skipped, or was told as missed.
        late_s: seconds from the due time to the creation of what ran.
        told: whether the upstream told that it was missed.
    """

    at: datetime
    state: State = "missed"
    attempt: Attempt | None = None
    late_s: float = 0.0
    told: bool = False


def match_starts(
    times: Sequence[datetime], attempts: Iterable[Attempt], now: datetime, slack_s: float
) -> list[Start]:
    """Return what became of each due time.

    Args:
        times: the oldest first.
        attempts: of the job, in any order.
        now: by the clock of the source; what was due a moment ago may still start.
        slack_s: seconds by which a start may slip.
    """
    starts = [Start(at) for at in times]
    allowed = ON_TIME + timedelta(seconds=slack_s)
    created = [(one.created_at, one) for one in attempts if one.created_at is not None and not _is_retry(one)]
    for at, one in sorted(created, key=lambda pair: pair[0]):
        place = bisect_right(times, at + _choose_early(times, at)) - 1
        if place >= 0:
            _take(starts, place, one, at, allowed)
    for start in reversed(starts):
        if start.attempt is not None or now - start.at > allowed:
            # What was due before something that is there does not come any more.
            break
        start.state = "to come"
    return starts


def _is_retry(one: Attempt) -> bool:
    return isinstance(one, Run) and (one.retry_of is not None or (one.attempt or 1) > 1)


def _choose_early(times: Sequence[datetime], at: datetime) -> timedelta:
    """Return how long before a due time something may belong to it: less where due times are close."""
    place = bisect_right(times, at)
    gap = times[place] - times[place - 1] if 0 < place < len(times) else EARLY * 2
    return min(EARLY, gap / 4)


def _take(starts: list[Start], place: int, one: Attempt, at: datetime, allowed: timedelta) -> None:
    """Let something that was created count for a due time, or for a missed one before it."""
    start = starts[place]
    if one.status == "missed":
        if start.state == "missed":
            start.attempt, start.told = one, True
        return
    if one.status == "skipped":
        if start.state == "missed":
            start.attempt, start.state = one, "skipped"
        return
    trigger = one.trigger if isinstance(one, Run) else None
    if start.state not in {"ran", "late"}:
        if at - start.at <= allowed or trigger in _BY_SCHEDULE:
            _run(start, one, at, allowed)
    elif trigger == "cron" and (before := _find_missed(starts, place)) is not None:
        # Only who says what started a run can be known to make up for what was missed.
        _run(before, one, at, allowed)


def _find_missed(starts: Sequence[Start], place: int) -> Start | None:
    """Return the newest missed due time before some that were made up for; None where there is none."""
    while place > 0 and starts[place].state == "late":
        place -= 1
    return starts[place] if starts[place].state == "missed" else None


def _run(start: Start, one: Attempt, at: datetime, allowed: timedelta) -> None:
    start.attempt, start.late_s = one, max(0.0, (at - start.at).total_seconds())
    start.state = "late" if start.told or at - start.at > allowed else "ran"
