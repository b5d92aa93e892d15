"""Due times of cron expressions in zones, and what became of each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtrail.analysis.due_times import NotJudged, find_next_due, is_due_at, list_due_times, read_expression
from jobtrail.analysis.starts import match_starts
from jobtrail.models import Run, Timetable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobtrail.vocabulary import Status

SPRING, AUTUMN = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana"])
CRONS = st.sampled_from(
    ["30 2 * * *", "0 * * * *", "*/20 * * * *", "0 0 * * *", "15 1,2,3 * * 0", "0 30 2 * * *", "@daily"]
)
MINUTES = st.integers(0, 400 * 24 * 60)
LENGTHS = st.integers(0, 4 * 24 * 60)


def timetable(*crons: str, zone: str | None = "UTC") -> Timetable:
    return Timetable(expressions=crons, zone=zone)


def clock(times: Sequence[datetime], zone: str) -> list[str]:
    return [f"{one.astimezone(ZoneInfo(zone)):%H:%M}" for one in times]


@given(CRONS, ZONES, MINUTES, st.tuples(LENGTHS, LENGTHS))
def test_the_due_times_of_two_windows_are_those_of_the_window_of_both(
    cron: str, zone: str, at: int, lengths: tuple[int, int]
) -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=at)
    middle = first + timedelta(minutes=lengths[0])
    last = middle + timedelta(minutes=lengths[1])
    whole = list_due_times(timetable(cron, zone=zone), first, last, 100_000)
    older, newer = (
        list_due_times(timetable(cron, zone=zone), since, until, 100_000)
        for since, until in ((first, middle), (middle, last))
    )
    assert [*older.times, *newer.times] == [*whole.times]


@given(CRONS, ZONES, MINUTES)
def test_due_times_are_the_same_whichever_way_they_are_counted(cron: str, zone: str, at: int) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=at)
    found: list[datetime] = []
    moment = start
    for _ in range(8):
        moment = find_next_due(timetable(cron, zone=zone), moment) or moment
        found.append(moment)
    assert [*list_due_times(timetable(cron, zone=zone), start, moment, 100).times] == found
    assert is_due_at(timetable(cron, zone=zone), moment)


@pytest.mark.parametrize(
    ("cron", "since", "times", "moved"),
    [
        ("30 2 * * *", SPRING, ["03:00"], ["03:00"]),
        ("30 2 * * *", AUTUMN, ["02:30"], []),
        # As an hour passes, so twice; whether the second starts differs.
        ("30 * * * *", AUTUMN, [f"{hour:02}:30" for hour in (*range(14, 24), 0, 1, 2, 2, *range(3, 13))], ["02:30"]),
        ("0 9 * * *", SPRING, ["09:00"], []),
    ],
)
def test_where_clocks_turn_a_time_of_day_is_due_once_and_what_upstreams_do_otherwise_is_marked(
    cron: str, since: datetime, times: list[str], moved: list[str]
) -> None:
    found = list_due_times(timetable(cron, zone="Europe/Berlin"), since, since + timedelta(days=1), 100)
    assert clock(found.times, "Europe/Berlin") == times
    assert clock(sorted(found.moved), "Europe/Berlin") == moved


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_the_last_moment_of_the_calendar_is_due_by_no_schedule(zone: str) -> None:
    assert not is_due_at(timetable("0 3 * * *", zone=zone), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))


def test_a_long_expression_is_read_to_its_end_or_refused() -> None:
    until = datetime(2026, 11, 23, tzinfo=UTC)
    every = ",".join(map(str, range(60)))
    read = list_due_times(timetable(f"{every} {every} 1 * * 1,2"), until - timedelta(days=7), until, 10_000)
    assert {one.weekday() for one in read.times} == {0, 1}
    with pytest.raises(NotJudged, match="longer than any cron expression"):
        list_due_times(timetable(f"{every} 1 * * {'1,' * 1_000}2"), until, until, 10)


def test_only_the_newest_are_listed_where_there_are_many_and_it_says_from_when_on() -> None:
    until = datetime(2026, 11, 23, tzinfo=UTC)
    found = list_due_times(timetable("* * * * * *"), until - timedelta(days=365), until, 100)
    assert len(found.times) == 100
    assert (found.begins, found.times[0], found.times[-1]) == (
        until - timedelta(seconds=100),
        found.begins + timedelta(seconds=1),
        until,
    )


def test_several_expressions_are_one_timetable() -> None:
    day = datetime(2026, 11, 23, tzinfo=UTC)
    found = list_due_times(
        timetable("0 4 * * *", "0 4,9 * * *", "CRON_TZ=Asia/Tokyo 0 9 * * *"), day, day + timedelta(hours=20), 9
    )
    assert [one.hour for one in found.times] == [4, 9]


@pytest.mark.parametrize(
    "cron", ["", "x", "* * *", "60 * * * *", "@every 5m", "@reboot", "0 0 30 2 *", "* * * * * * *", "0 2 * * *" * 50]
)
def test_what_is_no_expression_is_refused_in_a_sentence(cron: str) -> None:
    with pytest.raises(NotJudged, match="is no cron expression"):
        read_expression(cron, "UTC")


NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def run(at: datetime, status: Status = "succeeded", trigger: str | None = "cron") -> Run:
    return Run(id="r", job="t", status=status, created_at=at, trigger=trigger)


@given(
    st.lists(st.sampled_from(["there", "gone", "skipped"]), min_size=1, max_size=30),
    st.sampled_from([1, 60, 86_400]),
    st.floats(0, 0.2),
)
def test_each_due_time_is_what_was_done_at_it(fates: list[str], every: int, delay: float) -> None:
    times = [NOW - timedelta(days=40) + timedelta(seconds=every * number) for number in range(len(fates))]
    done = [
        run(at + timedelta(seconds=delay), "skipped" if fate == "skipped" else "succeeded")
        for at, fate in zip(times, fates, strict=True)
        if fate != "gone"
    ]
    found = match_starts(times, done, NOW, 0)
    wanted = {"there": "ran", "gone": "missed", "skipped": "skipped"}
    assert [one.state for one in found] == [wanted[fate] for fate in fates]


def test_what_was_due_a_moment_ago_may_come_but_not_before_what_came() -> None:
    times = [NOW - timedelta(seconds=seconds) for seconds in (90, 50, 40, 10)]
    states = [one.state for one in match_starts(times, [run(times[2])], NOW, 0)]
    assert states == ["missed", "missed", "ran", "to come"]
    allowed = [one.state for one in match_starts(times, [], NOW, 60)]
    assert allowed == ["to come"] * 4


def test_who_starts_something_by_hand_makes_up_for_nothing_but_at_its_time() -> None:
    times = [NOW - timedelta(hours=hours) for hours in (3, 2)]
    late = times[0] + timedelta(minutes=30)
    for trigger, state in (("ui", "missed"), ("cron", "late"), (None, "late")):
        found = match_starts(times, [run(late, trigger=trigger), run(times[1], trigger="ui")], NOW, 0)
        assert [one.state for one in found] == [state, "ran"]
        assert found[0].late_s == (1_800 if state == "late" else 0)
