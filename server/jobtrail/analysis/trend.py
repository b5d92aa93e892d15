"""Computes how a job does over time: counts for each bucket, success rates, durations and streaks.

A rate is of the attempts that succeeded or count as failures, as their upstream judges. One that was cancelled or
skipped says nothing of the job, one that still runs nothing yet.
"""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Literal

from jobtrail.models import Bucket, Period, Run, Streak
from jobtrail.vocabulary import ENDED, is_failure, is_success

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jobtrail.models import Attempt

_WIDTHS = (
    timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=6), timedelta(days=1),
    timedelta(weeks=1), timedelta(weeks=4), timedelta(weeks=13), timedelta(weeks=52),
)  # fmt: skip
_DAY = timedelta(days=1)
_FEW_BUCKETS = 16
_BARS = "▁▂▃▄▅▆▇█"
_FEWEST_TO_JUDGE = 5
_POINTS = 0.1


def choose_width(span: timedelta, most: int = _FEW_BUCKETS) -> timedelta:
    """Return the narrowest usual width that cuts a span into so many buckets at most."""
    return next((width for width in _WIDTHS if span <= width * most), _WIDTHS[-1])


def find_bucket_starts(since: datetime, until: datetime, width: timedelta, zone: tzinfo) -> list[datetime]:
    """Return where buckets begin: at round times of the zone, the first at or before `since`.

    Days begin at midnight whatever the clocks do; shorter widths count from midnight, longer ones from a Monday.
    """
    local = since.astimezone(zone)
    day = datetime.combine(local.date(), time.min, zone)
    if width > _DAY:
        day -= timedelta(days=day.weekday())
    first = day if width >= _DAY else day + (local - day) // width * width
    found = [first.astimezone(UTC)]
    # Not `found[-1] + width <= until`: a calendar ends with the year 9999.
    while until - found[-1] >= width:
        # Counted in the zone's own time, where a day may have 23 hours.
        following = first + width * len(found) if width >= _DAY else (found[-1] + width).astimezone(zone)
        found.append(following.astimezone(UTC))
    return found


def fill_buckets(attempts: Iterable[Attempt], starts: Sequence[datetime]) -> tuple[Bucket, ...]:
    """Return a bucket for each start, the oldest first, with the attempts created from it on."""
    inside: list[list[Attempt]] = [[] for _ in starts]
    for one in attempts:
        place = sum(start <= one.created_at for start in starts) - 1 if one.created_at else -1
        if place >= 0:
            inside[place].append(one)
    return tuple(
        Bucket(
            start=start,
            counts=_count_statuses(group),
            success_rate=_compute_rate(group),
            p50_s=find_percentile(sort_durations(group), 0.5),
        )
        for start, group in zip(starts, inside, strict=True)
    )


def summarize_period(attempts: Sequence[Attempt]) -> Period:
    """Return counts, success rate and durations of attempts."""
    durations = sort_durations(attempts)
    return Period(
        attempts=len(attempts),
        judged=len([*_select_judged(attempts)]),
        counts=_count_statuses(attempts),
        success_rate=_compute_rate(attempts),
        p50_s=find_percentile(durations, 0.5),
        p95_s=find_percentile(durations, 0.95),
        max_s=durations[-1] if durations else None,
    )


def _count_statuses(attempts: Iterable[Attempt]) -> dict[str, int]:
    return dict(Counter(one.status for one in attempts).most_common())


def _select_judged(attempts: Iterable[Attempt]) -> Iterator[Attempt]:
    return (one for one in attempts if is_success(one) or is_failure(one))


def _compute_rate(attempts: Iterable[Attempt]) -> float | None:
    judged = [is_success(one) for one in _select_judged(attempts)]
    return round(sum(judged) / len(judged), 4) if judged else None


def sort_durations(attempts: Iterable[Attempt]) -> list[float]:
    """Return how long attempts took that have ended, the shortest first."""
    return sorted(one.duration_s for one in attempts if one.status in ENDED and one.duration_s is not None)


def find_percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the nearest-rank percentile: a duration that there was."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def find_streak(newest_first: Sequence[Attempt], *, complete: bool) -> Streak | None:
    """Return how many of the newest attempts ended alike, well or badly; None where none has ended by itself.

    Args:
        newest_first: attempts.
        complete: whether there is nothing before them, so that the count is exact.
    """
    judged = [*_select_judged(newest_first)]
    if not judged:
        return None
    well = is_success(judged[0])
    length = next((at for at, one in enumerate(judged) if is_success(one) != well), len(judged))
    open_ended = length == len(judged) and not complete
    return Streak(well=well, length=length, at_least=open_ended, since=judged[length - 1].created_at)


def compare_periods(current: Period, before: Period) -> Literal["better", "worse", "steady"] | None:
    """Return `better`, `worse` or `steady` by success rate; None where either has under five attempts to judge by.

    Ten points of difference make it better or worse.
    """
    if min(current.judged, before.judged) < _FEWEST_TO_JUDGE:
        return None
    if current.success_rate is None or before.success_rate is None:
        return None
    difference = current.success_rate - before.success_rate
    return "steady" if abs(difference) < _POINTS else "better" if difference > 0 else "worse"


def describe_judgements(attempts: Iterable[Attempt]) -> list[str]:
    """Return a sentence for what its upstream judged otherwise than its status says; counts go by the status."""
    judged = [one for one in attempts if isinstance(one, Run) and one.failure is not None]
    return [
        f"{_write_counts(some)} {'counts' if len(some) == 1 else 'count'} as {what}, as the upstream judges"
        for some, what in (
            ([one for one in judged if one.failure], "failures"),
            ([one for one in judged if not one.failure], "no failures"),
        )
        if some
    ]


def _write_counts(attempts: Iterable[Attempt]) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in _count_statuses(attempts).items())


def draw_sparkline(buckets: Sequence[Bucket]) -> str:
    """Return success rates as bars, full for 100 %, with a dot for a bucket in which nothing ended by itself."""
    return "".join(
        "·" if one.success_rate is None else _BARS[round(one.success_rate * (len(_BARS) - 1))] for one in buckets
    )
