"""Parses since and until, as people write times, into a closed UTC window.

The grammar: a length of time back from now (`15m`, `24h`, `7d`, `2w`), `now`, `today`, `yesterday`,
or ISO 8601 (`2026-11-22`, `2026-11-22T14:00Z`). A time without a zone is taken in the
configured zone, UTC unless set.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from jobtrail.errors import BadArgument
from jobtrail.models import Window
from jobtrail.text import quote_value
from jobtrail.times import format_time, parse_duration, parse_local_time

GRAMMAR = "15m, 24h, 7d, today, yesterday, or ISO 8601 such as 2026-11-22T14:00Z"

_LAST_MOMENT = timedelta(days=1) - timedelta(microseconds=1)


@dataclass(frozen=True)
class Clock:
    """Where now comes from, and the zone a naive time is taken in."""

    zone: tzinfo = UTC
    zone_name: str = "UTC"

    def now(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)


def resolve_window(since: str | None, until: str | None, clock: Clock, now: datetime) -> Window | None:
    """Resolve two bounds to a closed window; None when neither is given.

    Args:
        since: the earlier bound, in this module's grammar.
        until: the later bound; for a whole day its last moment counts.
        clock: gives the zone of naive times.
        now: the moment that lengths of time count back from.

    Raises:
        BadArgument: outside the grammar, out of range, or an empty window.
    """
    if not since and not until:
        return None
    start = _resolve_bound("since", since, clock, now, end=False) if since else None
    stop = _resolve_bound("until", until, clock, now, end=True) if until else None
    if start and stop and start > stop:
        raise BadArgument(
            f"since={quote_value(since)} is later than until={quote_value(until)}; swap them or drop one of them"
        )
    if start and start > now:
        raise BadArgument(
            f"since={quote_value(since)} lies in the future (the server's now is {format_time(now)}); "
            "give an earlier time"
        )
    naive = any(text and _needs_zone(text.strip()) for text in (since, until))
    return Window(since=start, until=stop, now=now, zone=clock.zone_name if naive else None)


def _needs_zone(word: str) -> bool:
    """Return whether what a time means depends on the zone it is taken in."""
    if word.casefold() in {"today", "yesterday"}:
        return True
    if word.casefold() == "now" or parse_duration(word) is not None:
        return False
    return parse_local_time(word).tzinfo is None


def _resolve_bound(which: str, text: str, clock: Clock, now: datetime, *, end: bool) -> datetime:
    word = text.strip()
    try:
        found = _resolve_relative(word.casefold(), clock, now, end=end) or _resolve_iso(word, clock, end=end)
    except OverflowError:
        raise BadArgument(
            f"{which}={quote_value(text)} is not within the years 1 to 9999; give a nearer time"
        ) from None
    except ValueError:
        found = None
    if found is None:
        raise BadArgument(f"{which}={quote_value(text)} is not a time; give {GRAMMAR}")
    return found


def _resolve_relative(word: str, clock: Clock, now: datetime, *, end: bool) -> datetime | None:
    if word == "now":
        return now
    if word in {"today", "yesterday"}:
        day = now.astimezone(clock.zone).date() - timedelta(days=word == "yesterday")
        return _find_edge_of_day(datetime.combine(day, time.min, clock.zone), end=end)
    back = parse_duration(word)
    return now - back if back is not None else None


def _resolve_iso(word: str, clock: Clock, *, end: bool) -> datetime:
    moment = parse_local_time(word)
    moment = moment.replace(tzinfo=moment.tzinfo or clock.zone)
    whole_day = re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", word) is not None
    return _find_edge_of_day(moment, end=end) if whole_day else moment.astimezone(UTC)


def _find_edge_of_day(midnight: datetime, *, end: bool) -> datetime:
    return (midnight + _LAST_MOMENT if end else midnight).astimezone(UTC)
