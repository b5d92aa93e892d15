"""Says for how long what is unfinished has been so, and how long the like of it usually takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobtrail.analysis.trend import find_percentile, sort_durations
from jobtrail.models import Run
from jobtrail.text import quote_unless_word
from jobtrail.times import format_duration, seconds_between
from jobtrail.vocabulary import UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from jobtrail.models import Attempt, Task

_MOST_TOLD = 3
_FEWEST_TO_TELL = 3


def measure_so_far(one: Attempt | Task, now: datetime) -> int | None:
    """Return for how many whole seconds something runs, or has waited to run; None once it has ended.

    Args:
        one: an execution, a run or a task.
        now: by the clock of its source.
    """
    if one.status not in UNFINISHED or one.ended_at is not None:
        return None
    length = seconds_between((one.started_at if one.status == "running" else None) or one.created_at, now)
    return None if length is None else round(length)


def describe_unfinished(attempts: Sequence[Attempt], now: datetime, *, shown: bool) -> list[str]:
    """Return a note for each job with something unfinished, and what is usual for that job among these attempts.

    Args:
        attempts: of any jobs of one source.
        now: by the clock of the source.
        shown: whether the answer has a row for each, so that a note is worth it only for one that takes long.
    """
    notes: list[str] = []
    for owner in dict.fromkeys(_get_owner(one) for one in attempts if measure_so_far(one, now) is not None):
        its = [one for one in attempts if _get_owner(one) == owner]
        durations = sort_durations(its)
        known = len(durations) >= _FEWEST_TO_TELL
        length, longest = _find_longest(its, now)
        if shown and not (known and length >= (find_percentile(durations, 0.5) or 0)):
            continue
        notes.append(f"{_describe(longest, length, its, now)}{_describe_usual(durations) if known else ''}")
    return notes[:_MOST_TOLD]


def _get_owner(one: Attempt) -> str:
    return one.job or ""


def _find_longest(attempts: Sequence[Attempt], now: datetime) -> tuple[int, Attempt]:
    found = [(length, one) for one in attempts if (length := measure_so_far(one, now)) is not None]
    return max(found, key=lambda pair: pair[0])


def _describe(one: Attempt, length: int, attempts: Sequence[Attempt], now: datetime) -> str:
    kind = "run" if isinstance(one, Run) else "execution"
    others = sum(measure_so_far(other, now) is not None for other in attempts) - 1
    text = (
        f"{kind} {quote_unless_word(one.id)} of {quote_unless_word(_get_owner(one))} is {one.status}, "
        f"{format_duration(length or None) or '0s'} so far"
    )
    return f"{text}, and {others} more for less" if others else text


def _describe_usual(durations: Sequence[float]) -> str:
    p50, p95 = (format_duration(find_percentile(durations, share)) for share in (0.5, 0.95))
    return f"; usual is p50 {p50}, p95 {p95}, of {len(durations)} that ended"
