"""Times and lengths of time, read from text and written as text.

A time is a `datetime` in UTC, or nanoseconds since 1970 where the upstreams' nine digits have to be kept, which a
`datetime` would cut to six. `parse_…` raises ValueError for what is no time, `parse_optional_…` returns None.
"""

from __future__ import annotations

import re
from calendar import monthrange
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

NANOSECONDS = 1_000_000_000
"""In a second."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Go and protobuf write times that were never set as those of the years 1 and 1970.
_FIRST_YEAR = 1971
_FRACTION = re.compile(r"\.([0-9]+)")
# The forms of ISO 8601: `2026-11-22`, `2026-W47`, `2026-W47-1`, `2026-327`, `2026-11` and `2026`; but for the month,
# hyphens may be left out.
_DATE = re.compile(
    r"(?P<year>[0-9]{4})(?:(?P<dash>-?)(?:W(?P<week>[0-9]{2})(?:(?P=dash)(?P<weekday>[1-7]))?"
    r"|(?P<month>[0-9]{2})(?P=dash)(?P<day>[0-9]{2})|(?P<ordinal>[0-9]{3}))|-(?P<whole_month>[0-9]{2}))?"
)
_DAY_AND_TIME = re.compile(r"([0-9W-]+)[T ]([0-9].*)")
_LENGTH = re.compile(r"(an?(?= )|[0-9]{1,6}(?:\.[0-9]{1,3})?)\s*([a-z]+)(?:(?:,| and)?\s+|(?=[0-9])|$)")
_UNITS = (
    (1, "s", "sec", "second"), (60, "m", "min", "minute"), (3_600, "h", "hr", "hour"), (86_400, "d", "", "day"),
    (604_800, "w", "wk", "week"), (2_592_000, "", "", "month"), (31_536_000, "", "", "year"),
)  # fmt: skip
_SECONDS = {
    word: seconds
    for seconds, letter, short, name in _UNITS
    for word in (letter, short, f"{short}s" * bool(short), name, f"{name}s")
    if word
}
_FEW_SECONDS = 10
_MOST_SECONDS = 1e12
"""More than dates go back, and less than a length of time can be."""


def parse_time(text: str) -> datetime:
    """Read a time in RFC 3339 or ISO 8601; one without a zone is in UTC.

    Raises:
        ValueError: it is none, or lies outside the years 1 to 9999.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is UTC:
        return found
    try:
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(text) from error


def parse_dates(text: str) -> tuple[date, date]:
    """Read a date in ISO 8601: a day, a week, a month or a year; return its first day and its last.

    Raises:
        ValueError: it is none.
    """
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError(text)
    year, week, weekday, ordinal = (int(found[name] or 0) for name in ("year", "week", "weekday", "ordinal"))
    if found["week"]:
        first = date.fromisocalendar(year, week, weekday or 1)
        return first, first if weekday else first + timedelta(days=6)
    if found["ordinal"]:
        one = date.fromordinal(date(year, 1, 1).toordinal() + ordinal - 1)
        if not ordinal or one.year != year:
            raise ValueError(text)
        return one, one
    if found["day"]:
        one = date(year, int(found["month"]), int(found["day"]))
        return one, one
    month = found["whole_month"]
    begins, ends = int(month or 1), int(month or 12)
    return date(year, begins, 1), date(year, ends, monthrange(year, ends)[1])


def parse_local_time(text: str) -> datetime:
    """Read a day with a time in ISO 8601; one without a zone stays without.

    Raises:
        ValueError: it is none.
    """
    found = _DAY_AND_TIME.fullmatch(text)
    if found is None:
        raise ValueError(text)
    first, last = parse_dates(found[1])
    if first != last:
        raise ValueError(text)
    return datetime.fromisoformat(f"{first}T{found[2]}")


def parse_nanoseconds(text: str) -> int:
    """Read a time as nanoseconds since 1970; digits after the ninth are dropped.

    Raises:
        ValueError: as `parse_time`.
    """
    return _add_digits(parse_time(text), text)


def _add_digits(time: datetime, text: str) -> int:
    """Return a time as nanoseconds since 1970, with the digits after the point as its text has them."""
    whole = to_nanoseconds(time) // NANOSECONDS * NANOSECONDS
    fraction = _FRACTION.search(text)
    return whole + (int(fraction[1][:9].ljust(9, "0")) if fraction else 0)


def parse_optional_time(text: str | None) -> datetime | None:
    """Read an upstream's time; None for an empty, an unreadable or a zero one."""
    try:
        found = parse_time(text or "")
    except ValueError:
        return None
    return found if found.year >= _FIRST_YEAR else None


def parse_optional_nanoseconds(text: str | None) -> int | None:
    """Read an upstream's time as nanoseconds since 1970; None for an empty, an unreadable or a zero one."""
    time = parse_optional_time(text)
    return _add_digits(time, text) if time and text else None


def parse_http_date(text: str) -> datetime | None:
    """Read a date of an HTTP header (RFC 9110); None for anything else."""
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return found.replace(tzinfo=found.tzinfo or UTC)


def parse_duration(text: str) -> timedelta | None:
    """Read a length of time such as `90s`, `1.5h`, `7d`, `2 hours` or `1h30m`; None for anything else.

    A month is 30 days, a year 365.
    """
    words, at, seconds = text.strip().lower(), 0, 0.0
    while found := _LENGTH.match(words, at):
        unit = _SECONDS.get(found[2])
        if unit is None:
            return None
        seconds += (1 if found[1] in {"a", "an"} else float(found[1])) * unit
        at = found.end()
    return timedelta(seconds=min(seconds, _MOST_SECONDS)) if words and at == len(words) else None


def to_nanoseconds(time: datetime) -> int:
    """Return a time as nanoseconds since 1970."""
    return (time - _EPOCH) // _MICROSECOND * 1_000


def from_nanoseconds(nanoseconds: int) -> datetime:
    """Return nanoseconds since 1970 as a time, to the microsecond.

    Raises:
        ValueError: it lies outside the years 1 to 9999.
    """
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1_000)
    except OverflowError as error:
        raise ValueError(nanoseconds) from error


# An answer writes the same time several times: to measure a row, as text and as structured content.
@lru_cache(maxsize=1_024)
def format_time(time: datetime | None) -> str:
    """Return a time in UTC to the second, as agents and people read it; nothing where it is not known."""
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if time else ""


def format_minute(time: datetime) -> str:
    """Return a time in UTC to the minute."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def format_local(text: str | None, zone: str | None) -> str | None:
    """Return an upstream's time to the second with an offset that is not of UTC; None where there is no such time.

    Args:
        text: the time.
        zone: whose time it is; where that is not known here, the offset is that of the text.
    """
    if parse_optional_time(text) is None:
        return None
    local = datetime.fromisoformat(text or "")
    # A zone is an upstream's word: it may be none, or no name at all.
    with suppress(ValueError, OSError, OverflowError, ZoneInfoNotFoundError):
        local = local.astimezone(ZoneInfo(zone)) if zone and local.tzinfo else local
    return local.isoformat(timespec="seconds") if local.utcoffset() else None


def format_date(time: datetime) -> str:
    """Return the date of a time, in the time's own zone."""
    return f"{time:%Y-%m-%d}"


def format_microseconds(time: datetime) -> str:
    """Return a time as RFC 3339 in UTC, with microseconds only where there are any."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def format_nanoseconds(nanoseconds: int) -> str:
    """Return nanoseconds since 1970 as RFC 3339 in UTC with the digits it has, nine at most, as both upstreams do.

    Raises:
        ValueError: as `from_nanoseconds`.
    """
    fraction = nanoseconds % NANOSECONDS
    text = from_nanoseconds(nanoseconds - fraction).isoformat().removesuffix("+00:00")
    return (f"{text}.{fraction:09}".rstrip("0") if fraction else text) + "Z"


def format_optional_nanoseconds(nanoseconds: int | None) -> str | None:
    """Return nanoseconds since 1970 as RFC 3339; None where the time is not known."""
    return None if nanoseconds is None else format_nanoseconds(nanoseconds)


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Return the time between two times in seconds, to the millisecond; None where it is not known."""
    if start is None or end is None or end < start:
        return None
    return round((end - start).total_seconds(), 3)


def format_age(seconds: float) -> str:
    """Return seconds in their two largest units, rounded down: `13d4h`, `2h10m`, `45s`."""
    left, parts = int(seconds), list[str]()
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count}{unit}" if count else "")
    return "".join(parts[:2]) or "0s"


def format_duration(seconds: float | None) -> str:
    """Return seconds as `1m32s`, `1h00m52s` or `1h`; under ten with one decimal, under one in milliseconds."""
    if seconds is None:
        return ""
    if round(seconds, 3) < 1:
        return f"{seconds * 1000:.0f}ms"
    if round(seconds, 1) < _FEW_SECONDS:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}h" if hours else ""
    text += f"{minutes:02}m" if minutes or (hours and rest) else ""
    text += f"{rest:02}s" if rest else ""
    return text.lstrip("0")
