"""Says for how long what is unfinished has been so, how long the like of it usually takes, and what stands out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from jobtrail.analysis.trend import find_percentile, sort_durations
from jobtrail.models import Run
from jobtrail.text import quote_unless_word
from jobtrail.times import format_duration, seconds_between
from jobtrail.vocabulary import ENDED, UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from jobtrail.models import Attempt, Task

_MOST_TOLD = 3
_FEWEST_TO_TELL = 3
_CANCELLING, _LONG_TO_CANCEL = "cancelling", 300
_SHORT_WAIT = 10
"""Seconds that nothing waits too long within, whatever is usual."""
_RESTARTS_WITHIN, _FEWEST_RESTARTS = timedelta(hours=1), 3


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


@dataclass(frozen=True)
class Usual:
    """How long a job's recent attempts took and waited, the shortest first."""

    durations: Sequence[float]
    waits: Sequence[float]

    @classmethod
    def measure(cls, recent: Iterable[Attempt]) -> Usual:
        """Return what is usual among recent attempts of one job."""
        known = [*recent]
        waits = (seconds_between(one.created_at, one.started_at) for one in known)
        return cls(sort_durations(known), sorted(wait for wait in waits if wait is not None))

    @property
    def told(self) -> bool:
        """Whether enough of them have ended to tell how long they take."""
        return len(self.durations) >= _FEWEST_TO_TELL


def judge_unfinished(one: Attempt, now: datetime, recent: Sequence[Attempt], *, service: bool) -> str | None:
    """Return in which way something unfinished stands out from its job's recent attempts; None if in none.

    Args:
        one: an execution or a run.
        now: by the clock of its source.
        recent: the job's newest attempts, as far as they were read.
        service: whether the job is one, which is not meant to end.
    """
    length = measure_so_far(one, now)
    if length is None:
        return None
    if service and isinstance(one, Run):
        return describe_restarts(count_restarts(recent, now, one.instance))
    unchanged = seconds_between(one.updated_at, now) if not isinstance(one, Run) else None
    if (one.raw_status or "").lower() == _CANCELLING and (unchanged or 0) >= _LONG_TO_CANCEL:
        return f"cancelling for long: {format_duration(unchanged)} since it last changed"
    usual = Usual.measure(recent)
    return _judge_wait(length, usual.waits) if one.status == "queued" else _judge_duration(length, usual.durations)


def _judge_wait(length: float, usual: Sequence[float]) -> str | None:
    wait = find_percentile(usual, 0.95) or 0
    if len(usual) < _FEWEST_TO_TELL or length <= max(wait, _SHORT_WAIT):
        return None
    return f"queued longer than usual: p95 {format_duration(wait)} of {len(usual)}"


def _judge_duration(length: float, usual: Sequence[float]) -> str | None:
    if len(usual) < _FEWEST_TO_TELL or length <= usual[-1]:
        return None
    return f"longer than it ever took: at most {format_duration(usual[-1])}, of {len(usual)}"


def count_restarts(recent: Iterable[Attempt], now: datetime, instance: int | None = None) -> int:
    """Return how many runs of a service ended within the last hour, 0 if too few to speak of.

    Args:
        recent: the service's newest runs, as far as they were read.
        now: by the clock of its source.
        instance: which of its instances; None for that which ended most often.
    """
    ended = Counter(
        one.instance
        for one in recent
        if isinstance(one, Run) and one.status in ENDED and one.ended_at and now - one.ended_at <= _RESTARTS_WITHIN
    )
    found = max(ended.values(), default=0) if instance is None else ended[instance]
    return found if found >= _FEWEST_RESTARTS else 0


def describe_restarts(count: int) -> str | None:
    """Return that a service restarts again and again; None for no restarts."""
    return f"restarts again and again: {count} ended within the last hour" if count else None
