"""Windows: the grammar of times, the zone of naive ones, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtrail.errors import BadArgument
from jobtrail.window import Clock, resolve_window

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
CLOCK = Clock()
BERLIN = Clock(ZoneInfo("Europe/Berlin"), "Europe/Berlin")


def since(text: str, clock: Clock = CLOCK) -> datetime | None:
    window = resolve_window(text, None, clock, NOW)
    assert window is not None
    return window.since


def until(text: str, clock: Clock = CLOCK) -> datetime | None:
    window = resolve_window(None, text, clock, NOW)
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


def test_a_day_as_the_end_includes_all_of_it() -> None:
    assert until("yesterday") == datetime(2026, 11, 22, 23, 59, 59, 999999, tzinfo=UTC)
    assert until("2026-11-20") == datetime(2026, 11, 20, 23, 59, 59, 999999, tzinfo=UTC)


def test_a_time_with_a_zone_keeps_it_and_one_without_is_taken_in_the_configured_zone() -> None:
    assert since("2026-11-22T14:00+02:00", BERLIN) == datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    assert since("2026-11-22T14:00Z", BERLIN) == datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
    assert since("2026-11-22T14:00", BERLIN) == datetime(2026, 11, 22, 13, 0, tzinfo=UTC)


def test_no_bounds_are_no_window() -> None:
    assert resolve_window(None, None, CLOCK, NOW) is None
    assert resolve_window("", "", CLOCK, NOW) is None


@pytest.mark.parametrize(
    "text",
    ["lastweek", "24", "h", "-1h", "24 hours", "2026-13-01", "2026-02-30T00:00Z", "1e3h", "\uff19h", "tomorrow"],
)
def test_a_time_outside_the_grammar_is_refused_with_the_grammar(text: str) -> None:
    with pytest.raises(BadArgument, match="15m, 24h, 7d, today, yesterday, or ISO 8601"):
        resolve_window(text, None, CLOCK, NOW)


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(BadArgument, match="swap them"):
        resolve_window("1h", "2h", CLOCK, NOW)


def test_a_window_in_the_future_is_refused() -> None:
    with pytest.raises(BadArgument, match="lies in the future"):
        resolve_window("2027-01-01", None, CLOCK, NOW)


def test_a_length_longer_than_dates_go_back_is_refused() -> None:
    with pytest.raises(BadArgument, match="not within the years 1 to 9999; give a nearer time"):
        resolve_window("999999w", None, CLOCK, NOW)


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    try:
        window = resolve_window(text, None, CLOCK, NOW)
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
    found = resolve_window(since, until, BERLIN, NOW)
    assert found is not None
    assert found.zone == zone
