"""Windows: the grammar of times, the zone of naive ones, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtrail.errors import BadArgument
from jobtrail.times import format_time
from jobtrail.window import Clock, check_begun, counts_from_now, resolve_window

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
CLOCK = Clock()
BERLIN = Clock(ZoneInfo("Europe/Berlin"), "Europe/Berlin")


def since(text: str, clock: Clock = CLOCK) -> datetime | None:
    window, _ = resolve_window(text, None, clock, NOW)
    assert window is not None
    return window.since


def until(text: str, clock: Clock = CLOCK) -> datetime | None:
    window, _ = resolve_window(None, text, clock, NOW)
    assert window is not None
    return window.until


@pytest.mark.parametrize(
    ("text", "back"),
    [
        ("15m", timedelta(minutes=15)),
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
        (" 7 D ", timedelta(days=7)),
        ("now", timedelta()),
    ],
)
def test_a_length_of_time_counts_back_from_now(text: str, back: timedelta) -> None:
    assert since(text) == NOW - back


def test_a_day_is_taken_in_the_configured_zone() -> None:
    assert since("today", BERLIN) == datetime(2026, 11, 22, 23, 0, tzinfo=UTC)
    assert since("yesterday", BERLIN) == datetime(2026, 11, 21, 23, 0, tzinfo=UTC)
    assert since("2026-11-20", BERLIN) == datetime(2026, 11, 19, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2h ago", "2026-11-23T11:00", "2026-11-23T11:00"),
        ("2 hours", "2026-11-23T11:00", "2026-11-23T11:00"),
        ("since 24 hours ago", "2026-11-22T13:00", "2026-11-22T13:00"),
        ("in the last 2 days", "2026-11-21T13:00", "2026-11-21T13:00"),
        ("past week", "2026-11-16T13:00", "2026-11-16T13:00"),
        ("last hour", "2026-11-23T12:00", "2026-11-23T12:00"),
        ("last night", "2026-11-22T18:00", "2026-11-23T05:59:59"),
        ("this morning", "2026-11-23T00:00", "2026-11-23T11:59:59"),
        ("yesterday evening", "2026-11-22T18:00", "2026-11-22T23:59:59"),
        ("friday afternoon", "2026-11-20T12:00", "2026-11-20T17:59:59"),
        ("monday night", "2026-11-16T18:00", "2026-11-17T05:59:59"),
        ("yesterday 14:00", "2026-11-22T14:00", "2026-11-22T14:00"),
        ("Yesterday at 2pm", "2026-11-22T14:00", "2026-11-22T14:00"),
        ("14:00", "2026-11-22T14:00", "2026-11-22T14:00"),
        ("9:30", "2026-11-23T09:30", "2026-11-23T09:30"),
        ("monday 18:00", "2026-11-16T18:00", "2026-11-16T18:00"),
        ("nov 20, 2:30 pm", "2026-11-20T14:30", "2026-11-20T14:30"),
        ("midnight", "2026-11-23T00:00", "2026-11-23T00:00"),
        ("since monday", "2026-11-23T00:00", "2026-11-23T23:59:59"),
        ("last monday", "2026-11-16T00:00", "2026-11-16T23:59:59"),
        ("wed", "2026-11-18T00:00", "2026-11-18T23:59:59"),
        ("the day before yesterday", "2026-11-21T00:00", "2026-11-21T23:59:59"),
        ("last week", "2026-11-16T00:00", "2026-11-22T23:59:59"),
        ("this week", "2026-11-23T00:00", "2026-11-29T23:59:59"),
        ("last weekend", "2026-11-21T00:00", "2026-11-22T23:59:59"),
        ("last month", "2026-10-01T00:00", "2026-10-31T23:59:59"),
        ("november", "2026-11-01T00:00", "2026-11-30T23:59:59"),
        ("last year", "2025-01-01T00:00", "2025-12-31T23:59:59"),
        ("22 nov", "2026-11-22T00:00", "2026-11-22T23:59:59"),
        ("december 24th", "2025-12-24T00:00", "2025-12-24T23:59:59"),
        ("Nov 3, 2024", "2024-11-03T00:00", "2024-11-03T23:59:59"),
    ],
)
def test_a_time_is_taken_as_people_mean_it_in_the_configured_zone(text: str, first: str, last: str) -> None:
    begins, ends = (datetime.fromisoformat(one).replace(tzinfo=BERLIN.zone) for one in (first, last))
    assert since(text, BERLIN) == begins
    assert until(text, BERLIN) == ends + timedelta(microseconds=999_999)


def test_a_time_of_day_in_utc_is_that_whatever_the_configured_zone() -> None:
    assert since("yesterday 14:00 UTC", BERLIN) == datetime(2026, 11, 22, 14, tzinfo=UTC)
    assert since("today 9:00Z", BERLIN) == datetime(2026, 11, 23, 9, tzinfo=UTC)


def test_a_spoken_time_that_is_twice_is_the_wider_one_and_told() -> None:
    window, notes = resolve_window("oct 25 02:30", None, BERLIN, NOW)
    assert window is not None
    assert window.since == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert notes[0].startswith("since 'oct 25 02:30' is twice in Europe/Berlin")


def test_a_day_as_the_end_includes_all_of_it() -> None:
    assert until("yesterday") == datetime(2026, 11, 22, 23, 59, 59, 999999, tzinfo=UTC)
    assert until("2026-11-20") == datetime(2026, 11, 20, 23, 59, 59, 999999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-11-20", "2026-11-20", "2026-11-20"),
        ("20261120", "2026-11-20", "2026-11-20"),
        ("2026-324", "2026-11-20", "2026-11-20"),
        ("2026324", "2026-11-20", "2026-11-20"),
        ("2026-W47-5", "2026-11-20", "2026-11-20"),
        ("2026w475", "2026-11-20", "2026-11-20"),
        ("2026-W47", "2026-11-16", "2026-11-22"),
        ("2026W47", "2026-11-16", "2026-11-22"),
        ("2026-W01", "2025-12-29", "2026-01-04"),
        ("2026-02", "2026-02-01", "2026-02-28"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2026", "2026-01-01", "2026-12-31"),
    ],
)
def test_a_date_without_a_time_is_all_of_its_days(text: str, first: str, last: str) -> None:
    window, notes = resolve_window(text, text, BERLIN, NOW)
    assert window is not None
    assert window.since == datetime.fromisoformat(first).replace(tzinfo=BERLIN.zone)
    end = datetime.fromisoformat(last).replace(hour=23, minute=59, second=59, microsecond=999_999)
    assert window.until == end.replace(tzinfo=BERLIN.zone)
    assert (window.zone, notes) == ("Europe/Berlin", [])


@given(st.dates(date(1971, 1, 1), NOW.date()), st.sampled_from(["%Y-%m-%d", "%Y-%j", "%G-W%V-%u", "%Y%m%d"]))
def test_a_day_is_the_same_however_it_is_written(day: date, form: str) -> None:
    assert resolve_window(f"{day:{form}}", f"{day:{form}}", CLOCK, NOW) == resolve_window(
        str(day), str(day), CLOCK, NOW
    )


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-10-25", 25),
        ("Europe/Berlin", "2026-03-29", 23),
        # Clocks turn at midnight: Cuba's is there twice in autumn, Egypt's never in spring.
        ("America/Havana", "2026-11-01", 25),
        ("Africa/Cairo", "2026-04-24", 23),
    ],
)
def test_a_day_on_which_clocks_turn_is_whole(zone: str, day: str, hours: int) -> None:
    window, notes = resolve_window(day, day, Clock(ZoneInfo(zone), zone), NOW)
    assert window is not None
    assert window.since is not None
    assert window.until is not None
    assert window.until - window.since == timedelta(hours=hours) - timedelta(microseconds=1)
    assert notes == []


@pytest.mark.parametrize(
    ("local", "first", "last"),
    [
        ("2026-10-25T02:30", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
        ("2026-03-29T02:30", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"),
    ],
)
def test_a_local_time_that_is_twice_or_never_leaves_nothing_out_and_is_told(
    local: str, first: str, last: str
) -> None:
    window, notes = resolve_window(local, local, BERLIN, NOW)
    assert window is not None
    assert (format_time(window.since), format_time(window.until)) == (first, last)
    assert [one.split(" is ")[0] for one in notes] == [f"since '{local}'", f"until '{local}'"]
    times = "twice" if local.startswith("2026-10") else "never"
    assert notes[0] == (
        f"since '{local}' is {times} in Europe/Berlin, where clocks turn: it was taken as {first}, and could be "
        f"{last}; an offset makes it one"
    )
    assert resolve_window(f"{local}+01:00", None, BERLIN, NOW)[1] == []


def test_the_end_is_inclusive_to_the_last_moment_of_the_second_that_answers_show() -> None:
    assert until("2026-11-20T14:00:05Z") == datetime(2026, 11, 20, 14, 0, 5, 999_999, tzinfo=UTC)
    assert until("2026-11-20T14:00:05.25Z") == datetime(2026, 11, 20, 14, 0, 5, 250_000, tzinfo=UTC)
    assert until("now") == NOW + timedelta(microseconds=999_999)


def test_a_time_with_a_zone_keeps_it_and_one_without_is_taken_in_the_configured_zone() -> None:
    assert since("2026-11-22T14:00+02:00", BERLIN) == datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    assert since("2026-11-22T14:00Z", BERLIN) == datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
    assert since("2026-11-22T14:00", BERLIN) == datetime(2026, 11, 22, 13, 0, tzinfo=UTC)


def test_no_bounds_are_no_window() -> None:
    assert resolve_window(None, None, CLOCK, NOW) == (None, [])
    assert resolve_window("", "", CLOCK, NOW) == (None, [])


@pytest.mark.parametrize(
    "text",
    [
        "lastweek",
        "24",
        "h",
        "-1h",
        "in 2 hours",
        "ago",
        "25:00",
        "13pm",
        "feb 30",
        "week",
        "2026-13-01",
        "2026-02-30T00:00Z",
        "1e3h",
        "\uff19h",
        "tomorrow",
        "2026-W54",
        "2026-W47-8",
        "2026-W471",
        "2026-366",
        "2026-000",
        "202611",
        "2026-00",
        "2026-Q4",
        "0000",
        "\uff12026",
        "2026-W47T10:00",
        "2026-11T10:00",
        "2026-11-20x10:00",
        "2026-11-20T",
        "2026-11-20TT10:00",
        "In an hour",
    ],
)
def test_a_time_outside_the_grammar_is_refused_with_the_grammar(text: str) -> None:
    with pytest.raises(BadArgument, match=r"not a time; give 24h, 2 hours ago, .*, or ISO 8601 such as"):
        resolve_window(text, None, CLOCK, NOW)


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(BadArgument, match="swap them"):
        resolve_window("1h", "2h", CLOCK, NOW)


def test_a_window_in_the_future_is_refused() -> None:
    window, _ = resolve_window("2027-01-01", None, CLOCK, NOW)
    assert window is not None
    with pytest.raises(BadArgument, match="since='2027-01-01' lies in the future"):
        check_begun(window, "2027-01-01", NOW)


@pytest.mark.parametrize("text", ["999999w", "999999 years", "999999 years 999999 years 999999 years"])
def test_a_length_longer_than_dates_go_back_is_refused(text: str) -> None:
    assert counts_from_now(text)
    with pytest.raises(BadArgument, match="not within the years 1 to 9999; give a nearer time"):
        resolve_window(text, None, CLOCK, NOW)


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    try:
        window, _ = resolve_window(text, None, CLOCK, NOW)
    except BadArgument:
        return
    assert window is None or window.since is not None


@pytest.mark.parametrize(
    ("since", "until", "zone"),
    [
        ("today", None, "Europe/Berlin"),
        (None, "Yesterday", "Europe/Berlin"),
        ("2026-11-20", None, "Europe/Berlin"),
        ("2026-11-20T14:00", "now", "Europe/Berlin"),
        ("24h", "now", None),
        ("2026-11-20T14:00Z", None, None),
    ],
)
def test_the_zone_is_said_where_a_time_was_taken_in_it(
    since: str | None, until: str | None, zone: str | None
) -> None:
    found, _ = resolve_window(since, until, BERLIN, NOW)
    assert found is not None
    assert found.zone == zone


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("15m", True),
        (" Today ", True),
        ("now", True),
        ("2026", False),
        ("", False),
        ("last night", True),
        ("yesterday 14:00Z", True),
        ("2026-11-20T14:00", False),
        ("soon", False),
    ],
)
def test_only_a_word_or_a_length_of_time_counts_from_now(text: str, counts: bool) -> None:  # a row of the table
    assert counts_from_now(text) is counts
