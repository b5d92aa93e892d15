"""Times and lengths of time: what is read is what was written, and what is no time is told apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtrail import times

BOUND = 2**63 - 1


@given(st.integers(-BOUND, BOUND), st.sampled_from([1, 1_000, 1_000_000, times.NANOSECONDS]))
def test_nanoseconds_are_read_back_as_they_were_written_with_the_digits_they_have(count: int, unit: int) -> None:
    written = times.format_nanoseconds(count // unit * unit)
    assert times.parse_nanoseconds(written) == count // unit * unit
    assert not written.removesuffix("Z").endswith("0") or "." not in written


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_datetime_is_exact_in_nanoseconds(time: datetime) -> None:
    assert times.from_nanoseconds(times.to_nanoseconds(time)) == time


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-22T14:00:00.123456789+02:00", datetime(2026, 11, 22, 12, 0, 0, 123456, UTC)),
        ("2026-11-22T14:00:00", datetime(2026, 11, 22, 14, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_an_upstream_s_time_is_in_utc_and_empty_zero_and_unreadable_ones_are_none(
    text: str | None, time: datetime | None
) -> None:
    assert times.parse_optional_time(text) == time
    assert (times.parse_optional_nanoseconds(text) is None) == (time is None)


def test_the_digits_that_a_datetime_cuts_are_kept_in_nanoseconds() -> None:
    nanoseconds = times.parse_nanoseconds("2026-11-22T14:00:00.1234567899+02:00")
    assert times.format_nanoseconds(nanoseconds) == "2026-11-22T12:00:00.123456789Z"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""), (0, "0ms"), (0.25, "250ms"), (0.9996, "1.0s"), (9.94, "9.9s"), (9.96, "10s"), (92, "1m32s"),
        (59.6, "1m"), (3_599.6, "1h"), (3_600, "1h"), (3_652, "1h00m52s"), (3_661, "1h01m01s"), (4_320, "1h12m"),
    ],
)  # fmt: skip
def test_a_length_of_time_is_as_short_as_can_be(seconds: float | None, text: str) -> None:
    assert times.format_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        (" 1.5H ", timedelta(minutes=90)),
        ("2 w", timedelta(weeks=2)),
        ("5y", None),
        ("5ms", None),
        ("", None),
        ("1h 5", None),
        ("2 hours", timedelta(hours=2)),
        ("1h30m", timedelta(minutes=90)),
        ("1h00m52s", timedelta(seconds=3_652)),
        ("1h52s", timedelta(seconds=3_652)),
        ("a day and 3 hours", timedelta(hours=27)),
        ("90 mins", timedelta(minutes=90)),
        ("2 months", timedelta(days=60)),
    ],
)
def test_a_length_of_time_is_a_number_and_a_unit(text: str, length: timedelta | None) -> None:
    assert times.parse_duration(text) == length


@given(st.integers(10, 5_000_000))
def test_a_length_of_time_as_answers_write_it_is_read_as_the_same(seconds: int) -> None:
    assert times.parse_duration(times.format_duration(seconds)) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["Sun, 22 Nov 2026 14:00:00 GMT", "Sun, 22 Nov 2026 16:00:00 +0200"])
def test_a_date_of_a_header_is_read(text: str) -> None:
    assert times.parse_http_date(text) == datetime(2026, 11, 22, 14, tzinfo=UTC)
    assert times.parse_http_date("tomorrow") is None
