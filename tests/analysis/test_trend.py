"""The arithmetic of histories: buckets, rates, percentiles, streaks."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtrail.analysis.trend import (
    choose_width,
    compare_periods,
    draw_sparkline,
    fill_buckets,
    find_bucket_starts,
    find_streak,
    summarize_period,
)
from jobtrail.models import Run
from jobtrail.vocabulary import STATUSES

if TYPE_CHECKING:
    from jobtrail.models import Attempt, Period
    from jobtrail.vocabulary import Status

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WALL_CLOCK = datetime(2025, 1, 1)  # noqa: DTZ001 # strategies make naive times


def run_of(status: Status, created_at: datetime = NOON, duration_s: float = 1.0) -> Run:
    return Run(id="", status=status, created_at=created_at, duration_s=duration_s)


def of(text: str) -> list[Attempt]:
    """Return attempts, newest first: s succeeded, f failed, t timeout, c cancelled, r running."""
    words: dict[str, Status] = {
        "s": "succeeded", "f": "failed", "t": "timeout", "c": "cancelled", "r": "running", "k": "skipped",
    }  # fmt: skip
    return [run_of(words[letter]) for letter in text]


@given(
    st.datetimes(WALL_CLOCK, WALL_CLOCK + 700 * DAY),
    st.sampled_from([timedelta(minutes=15), HOUR, 6 * HOUR, DAY, 7 * DAY]),
    st.integers(1, 40),
    st.sampled_from([UTC, BERLIN, ZoneInfo("Asia/Kathmandu")]),
)
def test_buckets_cover_the_window_without_gap_and_begin_at_round_times(
    naive: datetime, width: timedelta, count: int, zone: ZoneInfo
) -> None:
    since = naive.replace(tzinfo=UTC)
    until = since + count * width
    starts = find_bucket_starts(since, until, width, zone)
    assert starts[0] <= since < starts[0] + width + HOUR
    assert starts[-1] <= until
    assert starts == sorted(set(starts))
    assert all(later - earlier <= width + HOUR for earlier, later in pairwise(starts))
    if width >= DAY:
        assert {one.astimezone(zone).hour for one in starts} == {0}
    if width > DAY:
        assert {one.astimezone(zone).weekday() for one in starts} == {0}


def test_days_begin_at_midnight_on_both_sides_of_a_change_of_clocks() -> None:
    since = datetime(2026, 10, 24, 1, tzinfo=UTC)
    starts = find_bucket_starts(since, since + 3 * DAY, DAY, BERLIN)
    assert [one.isoformat() for one in starts] == [
        "2026-10-23T22:00:00+00:00", "2026-10-24T22:00:00+00:00", "2026-10-25T23:00:00+00:00",
        "2026-10-26T23:00:00+00:00",
    ]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(STATUSES), st.integers(0, 6 * 24 * 60)), max_size=60))
def test_every_attempt_is_in_the_one_bucket_of_its_time(rows: list[tuple[Status, int]]) -> None:
    since = NOON - 6 * DAY
    attempts = [run_of(status, since + timedelta(minutes=minutes)) for status, minutes in rows]
    starts = find_bucket_starts(since, NOON, 6 * HOUR, UTC)
    buckets = fill_buckets(attempts, starts)
    assert sum(sum(one.counts.values()) for one in buckets) == len(attempts)
    for bucket in buckets:
        inside = [
            one for one in attempts if one.created_at and bucket.start <= one.created_at < bucket.start + 6 * HOUR
        ]
        assert bucket.counts == Counter(one.status for one in inside)


@pytest.mark.parametrize(
    ("span", "width"), [(HOUR, timedelta(minutes=5)), (DAY, 6 * HOUR), (7 * DAY, DAY), (90 * DAY, 7 * DAY)]
)
def test_the_width_fits_the_window(span: timedelta, width: timedelta) -> None:
    assert choose_width(span) == width


def test_rates_are_of_what_ended_by_itself_and_durations_of_what_ended() -> None:
    found = summarize_period(
        [*of("ssft"), *of("ccr"), run_of("succeeded", duration_s=9.0), run_of("running", duration_s=99.0)]
    )
    assert (found.attempts, found.success_rate) == (9, 0.6)
    assert (found.p50_s, found.p95_s, found.max_s) == (1.0, 9.0, 9.0)
    assert summarize_period(of("ccr")).success_rate is None
    assert summarize_period([]).max_s is None


@given(st.lists(st.floats(0.1, 1e6), min_size=1, max_size=40))
def test_a_percentile_is_a_duration_that_at_least_that_share_did_not_exceed(durations: list[float]) -> None:
    found = summarize_period([run_of("failed", duration_s=one) for one in durations])
    for value, share in ((found.p50_s, 0.5), (found.p95_s, 0.95), (found.max_s, 1.0)):
        assert value in durations
        assert value is not None
        assert sum(one <= value for one in durations) >= share * len(durations)
        assert sum(one < value for one in durations) < share * len(durations)


@pytest.mark.parametrize(
    ("newest_first", "well", "length", "at_least"),
    [("ffs", False, 2, False), ("rcksssf", True, 3, False), ("ftf", False, 3, True), ("scs", True, 2, True)],
)
def test_a_streak_counts_what_ended_alike_and_says_where_it_may_go_on(
    newest_first: str, length: int, *, well: bool, at_least: bool
) -> None:
    found = find_streak(of(newest_first), complete=False)
    assert found is not None
    assert (found.well, found.length, found.at_least) == (well, length, at_least)


def test_a_streak_that_reaches_the_beginning_is_exact_and_none_is_none() -> None:
    found = find_streak(of("ff"), complete=True)
    assert found is not None
    assert not found.at_least
    assert find_streak(of("rck"), complete=True) is None


def of_rate(good: int, bad: int) -> Period:
    return summarize_period(of("s" * good + "f" * bad))


@pytest.mark.parametrize(
    ("current", "before", "expected"),
    [
        (of_rate(5, 5), of_rate(9, 1), "worse"),
        (of_rate(9, 1), of_rate(5, 5), "better"),
        (of_rate(95, 5), of_rate(90, 10), "steady"),
        (of_rate(2, 2), of_rate(9, 1), None),
        (of_rate(9, 1), of_rate(0, 0), None),
    ],
)
def test_ten_points_make_it_better_or_worse_where_there_is_enough_to_judge(
    current: Period, before: Period, expected: str | None
) -> None:
    assert compare_periods(current, before) == expected


def test_the_sparkline_is_full_for_all_and_a_dot_for_nothing() -> None:
    starts = [NOON - 3 * HOUR, NOON - 2 * HOUR, NOON - HOUR]
    buckets = fill_buckets([run_of("succeeded", starts[0]), run_of("failed", starts[2])], starts)
    assert draw_sparkline(buckets) == "█·▁"
