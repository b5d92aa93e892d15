"""Parses since and until, as people write times, into a closed UTC window.

The grammar: a length of time back from now (`15m`, `24h`, `7d`, `2w`), `now`, ISO 8601 (`2026-11-22`, `2026-W47`,
`2026-11`, `2026-11-22T14:00Z`), or what people say (`spoken`). A date without a time is all of it, and so is a part
of a day: its first moment as `since`, its last as `until`. A time without a zone is taken in the configured zone, UTC
unless set.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING

from jobtrail.errors import BadArgument
from jobtrail.models import Window
from jobtrail.text import quote_value
from jobtrail.times import format_time, parse_dates, parse_duration, parse_local_time

if TYPE_CHECKING:
    from jobtrail.window.spoken import Span

_ANY_DAY = datetime(2000, 1, 1)  # noqa: DTZ001 # a local time
_UTC = re.compile(r"(?<=[0-9])Z$|\s*\b(UTC|GMT)$", re.IGNORECASE)

GRAMMAR = "24h, 2 hours ago, today, yesterday 14:00, last night, last week, or ISO 8601 such as 2026-11-22T14:00Z"


@dataclass(frozen=True)
class Clock:
    """Where now comes from, and the zone a naive time is taken in."""

    zone: tzinfo = UTC
    zone_name: str = "UTC"

    def now(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True)
class _Bound:
    """A bound in UTC.

    Attributes:
        zoned: whether it depends on the configured zone.
        note: what an agent must know of how it was taken.
    """

    moment: datetime
    zoned: bool = False
    note: str = ""


def resolve_window(
    since: str | None, until: str | None, clock: Clock, now: datetime
) -> tuple[Window | None, list[str]]:
    """Resolve two bounds to a closed window, and notes on how they were taken; no window when neither is given.

    Args:
        since: the earlier bound, in this module's grammar.
        until: the later bound; the last moment of what it names counts: of a day, of a week, of a second.
        clock: gives the zone of naive times.
        now: the moment that lengths of time count back from, on the clock that the items' times are from.

    Raises:
        BadArgument: outside the grammar, out of range, or an empty window.
    """
    if not since and not until:
        return None, []
    start = _resolve_bound("since", since, clock, now) if since else None
    stop = _resolve_bound("until", until, clock, now) if until else None
    if start and stop and start.moment > stop.moment:
        raise BadArgument(
            f"since={quote_value(since)} is later than until={quote_value(until)}; swap them or drop one of them"
        )
    bounds = [one for one in (start, stop) if one]
    window = Window(
        since=start and start.moment,
        until=stop and stop.moment,
        now=now,
        zone=clock.zone_name if any(one.zoned for one in bounds) else None,
    )
    return window, [one.note for one in bounds if one.note]


def counts_from_now(text: str | None) -> bool:
    """Return whether what a bound means depends on what time it is."""
    word = (text or "").strip()
    if not word or _is_iso(word.upper()):
        return False
    return word.upper() == "NOW" or _read_spoken(_UTC.sub("", word), _ANY_DAY) is not None


def _is_iso(word: str) -> bool:
    for parse in (parse_dates, parse_local_time):
        with suppress(ValueError):
            parse(word)
            return True
    return False


def _read_spoken(text: str, now: datetime) -> timedelta | Span | None:
    from jobtrail.window.spoken import read_spoken  # noqa: PLC0415 # a server starts without it

    return read_spoken(text, now)


def check_begun(window: Window, since: str | None, now: datetime) -> None:
    """Check that a window has begun.

    Args:
        window: what was resolved.
        since: its earlier bound as it was given.
        now: the latest current time of the clocks that are asked.

    Raises:
        BadArgument: it lies in the future.
    """
    if window.since and window.since > now:
        raise BadArgument(
            f"since={quote_value(since)} lies in the future (the server's now is {format_time(now)}); "
            "give an earlier time"
        )


def _resolve_bound(which: str, text: str, clock: Clock, now: datetime) -> _Bound:
    word, end = text.strip().upper(), which == "until"
    try:
        found = (
            _resolve_length(word, now)
            or _resolve_dates(word, clock, end=end)
            or _resolve_spoken(which, text, clock, now)
            or _resolve_time(which, word, parse_local_time(word), clock)
        )
        # Answers show times to the second, so the second that one ends with is in it.
        return replace(found, moment=_find_end_of_second(found.moment)) if end else found
    except OverflowError:
        raise BadArgument(
            f"{which}={quote_value(text)} is not within the years 1 to 9999; give a nearer time"
        ) from None
    except ValueError:
        raise BadArgument(f"{which}={quote_value(text)} is not a time; give {GRAMMAR}") from None


def _resolve_length(word: str, now: datetime) -> _Bound | None:
    back = timedelta() if word == "NOW" else parse_duration(word)
    return None if back is None else _Bound(now - back)


def _resolve_dates(word: str, clock: Clock, *, end: bool) -> _Bound | None:
    """Return the first moment of a day, week, month or year, or its last; None for what is no date."""
    try:
        first, last = parse_dates(word)
    except ValueError:
        return None
    return _take_edge(datetime.combine(last, time.max) if end else datetime.combine(first, time.min), clock, end=end)


def _take_edge(edge: datetime, clock: Clock, *, end: bool) -> _Bound:
    """Return an end of a span: clocks may turn there, so the first of two such moments begins and the second ends."""
    return _Bound(edge.replace(tzinfo=clock.zone, fold=int(end)).astimezone(UTC), zoned=True)


def _resolve_spoken(which: str, text: str, clock: Clock, now: datetime) -> _Bound | None:
    """Return what people say; None for what is not said so."""
    said, utc = _UTC.subn("", text)
    clock = Clock() if utc else clock
    found = _read_spoken(said, now.astimezone(clock.zone).replace(tzinfo=None))
    if found is None:
        return None
    if isinstance(found, timedelta):
        return _Bound(now - found)
    end = which == "until"
    bound = (
        _resolve_time(which, text.strip(), found.first, clock)
        if found.exact
        else _take_edge(found.last if end else found.first, clock, end=end)
    )
    return replace(bound, zoned=not utc)


def _resolve_time(which: str, word: str, local: datetime, clock: Clock) -> _Bound:
    """Return a day with a time; where clocks turn, a local time that is twice or never is the wider of two."""
    if local.tzinfo is not None:
        return _Bound(local.astimezone(UTC))
    one, other = (local.replace(tzinfo=clock.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    taken = max(one, other) if which == "until" else min(one, other)
    if one == other:
        return _Bound(taken, zoned=True)
    left = min(one, other) if which == "until" else max(one, other)
    times = "twice" if one < other else "never"
    return _Bound(
        taken,
        zoned=True,
        note=f"{which} {quote_value(word)} is {times} in {clock.zone_name}, where clocks turn: it was taken as "
        f"{format_time(taken)}, and could be {format_time(left)}; an offset makes it one",
    )


def _find_end_of_second(moment: datetime) -> datetime:
    return moment if moment.microsecond else moment.replace(microsecond=999_999)
