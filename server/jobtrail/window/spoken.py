"""Reads times as people say them: `2 hours ago`, `last night`, `yesterday 14:00`, `monday`, `last week`, `nov 22`.

A part of a day, a day, a week, a month or a year is a span of local time. A night lasts from 18:00 to 6:00; a morning
begins at midnight, so that nothing of the small hours is left out. A weekday or a time of day is the latest that has
begun.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from jobtrail.times import parse_dates, parse_duration

__all__ = ["Span", "read_spoken"]

_SMALL_WORDS = re.compile(r"^(?:(?:since|from|until|till|on|at|in|over|within|during|for|the|of)\s+)+")
_BACK = ("last ", "past ", "previous ")
_LENGTH = re.compile(r"(?:(last|past|previous) )?(.+?)( ago| back)?")
_CALENDAR = ("week", "month", "year")
_PARTS = {"morning": (0, 12), "afternoon": (12, 18), "evening": (18, 24), "night": (18, 30)}
"""The hours of a day at which its parts begin and end."""
_PART = re.compile(rf"(.*?) ?\b({'|'.join(_PARTS)})")
_TIME = re.compile(r"(.*?),? ?\b(?:at )?(?:([0-9]{1,2})(?::([0-9]{2})(?::([0-9]{2}))?)? ?(am|pm)?|(noon|midnight))")
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_SHORTEST = 3
_DAY_OF_MONTH = re.compile(r"(?:([a-z]{3,9})\.? ([0-9]{1,2})(?:st|nd|rd|th)?|([0-9]{1,2})(?:st|nd|rd|th)? ([a-z]{3,9})\.?)(?:,? ([0-9]{4}))?")  # fmt: skip  # noqa: E501
_NOON, _HOURS, _MINUTES = 12, 24, 60

Days = tuple[date, date]


@dataclass(frozen=True)
class Span:
    """Local time from its first moment to its last, which may be one.

    Attributes:
        exact: whether it is a time of day, which may be twice or never where clocks turn.
    """

    first: datetime
    last: datetime
    exact: bool = False


def read_spoken(text: str, now: datetime) -> timedelta | Span | None:
    """Read a length of time back from now, or a span of local time; None for what is none.

    Args:
        text: what was said.
        now: the current local time, without its zone.
    """
    said = " ".join(text.lower().split())
    words = _SMALL_WORDS.sub("", said)
    length = _read_length(words)
    if length is not None:
        # In two hours is not two hours ago; in the last two hours is since then.
        return None if said == f"in {words}" and not words.startswith(_BACK) else length
    try:
        return _read_part(words, now) or _read_time(words, now) or _make_span(_read_days(words, now.date()))
    except (ValueError, OverflowError):
        return None


def _read_length(words: str) -> timedelta | None:
    """Read `2 hours ago`, `last 24 hours` or `past week`; a last week, month or year is one of the calendar."""
    found = _LENGTH.fullmatch(words)
    if found is None:
        return None
    before, length, _ = found.groups()
    if before and length not in _CALENDAR:
        return parse_duration(length) or parse_duration(f"1 {length}")
    return parse_duration(f"1 {length}" if before == "past" else length)


def _read_part(words: str, now: datetime) -> Span | None:
    """Read `last night`, `this morning` or `monday evening`."""
    found = _PART.fullmatch("this night" if words == "tonight" else words)
    if found is None:
        return None
    day, part = found.groups()
    yesterday = day == "last" or (day, part) == ("", "night")
    named = {"this": "today", "last": "yesterday"}.get(day, "yesterday" if yesterday else day or "today")
    days = _read_days(named, now.date())
    if days is None or days[0] != days[1]:
        return None
    midnight = datetime.combine(days[0], time())
    if midnight + timedelta(hours=_PARTS[part][0]) > now and _find_name(named, _WEEKDAYS) is not None:
        midnight -= timedelta(days=7)
    first, end = (midnight + timedelta(hours=hour) for hour in _PARTS[part])
    return Span(first, end - timedelta(microseconds=1))


def _read_time(words: str, now: datetime) -> Span | None:
    """Read `yesterday 14:00`, `monday at 2pm` or `14:00`; a bare number is none."""
    found = _TIME.fullmatch(words)
    if found is None or not (found[3] or found[5] or found[6]):
        return None
    moment = _read_clock(found)
    days = _read_days(found[1], now.date()) if found[1] else _make_days(now.date())
    if days is None or days[0] != days[1]:
        return None
    at = datetime.combine(days[0], moment)
    if at > now and (not found[1] or _find_name(found[1], _WEEKDAYS) is not None):
        at -= timedelta(days=7 if found[1] else 1)
    return Span(at, at, exact=True)


def _read_clock(found: re.Match[str]) -> time:
    """Return a time of day.

    Raises:
        ValueError: it is none.
    """
    if found[6]:
        return time(_NOON if found[6] == "noon" else 0)
    hour = int(found[2])
    if found[5]:
        if not 1 <= hour <= _NOON:
            raise ValueError(found[0])
        hour = hour % _NOON + (_NOON if found[5] == "pm" else 0)
    return time(hour, int(found[3] or 0), int(found[4] or 0))


def _make_span(days: Days | None) -> Span | None:
    if days is None:
        return None
    return Span(datetime.combine(days[0], time.min), datetime.combine(days[1], time.max))


def _read_days(words: str, today: date) -> Days | None:
    """Read a day, or a week, month or year of the calendar, as its first day and its last."""
    named = {"today": 0, "this day": 0, "yesterday": 1, "day before yesterday": 2}.get(words)
    if named is not None:
        return _make_days(today - timedelta(days=named))
    before, _, noun = words.rpartition(" ")
    if before not in {"", "this", "last", "previous", "past"}:
        return _read_day_of_month(words, today) or _read_iso(words)
    back = before in {"last", "previous", "past"}
    if noun in {*_CALENDAR, "weekend"}:
        return _find_period(noun, today, back=back) if before else None
    if (weekday := _find_name(noun, _WEEKDAYS)) is not None:
        ago = (today.weekday() - weekday) % 7
        return _make_days(today - timedelta(days=ago or (7 if back else 0)))
    if (month := _find_name(noun, _MONTHS)) is not None:
        year = today.year - (month + 1 > today.month or (back and month + 1 == today.month))
        return parse_dates(f"{year:04}-{month + 1:02}")
    return _read_iso(words)


def _make_days(day: date) -> Days:
    return day, day


def _find_name(word: str, names: tuple[str, ...]) -> int | None:
    """Return which of some names a word is, or begins with three letters at least."""
    if len(word) < _SHORTEST:
        return None
    return next((number for number, name in enumerate(names) if name.startswith(word)), None)


def _find_period(noun: str, today: date, *, back: bool) -> Days:
    if noun == "year":
        return parse_dates(f"{today.year - back:04}")
    if noun == "month":
        day = today.replace(day=1) - timedelta(days=1) if back else today
        return parse_dates(f"{day:%Y-%m}")
    monday = today - timedelta(days=today.weekday() + (7 if back else 0))
    return monday + timedelta(days=5 if noun == "weekend" else 0), monday + timedelta(days=6)


def _read_day_of_month(words: str, today: date) -> Days | None:
    """Read `nov 22`, `22 november` or `nov 22, 2025`; without a year the latest that has begun."""
    found = _DAY_OF_MONTH.fullmatch(words)
    month = _find_name(found[1] or found[4], _MONTHS) if found else None
    if found is None or month is None:
        return None
    number = int(found[2] or found[3])
    if found[5]:
        return _make_days(date(int(found[5]), month + 1, number))
    day = date(today.year, month + 1, number)
    return _make_days(day if day <= today else date(today.year - 1, month + 1, number))


def _read_iso(words: str) -> Days | None:
    try:
        return parse_dates(words.upper())
    except ValueError:
        return None
