"""Computes when a timetable was due: its cron expressions, read in their zone.

Expressions have five fields, or six with the seconds first, or are one of the words that stand for five, such as
`@daily`; `CRON_TZ=Europe/Berlin` before one gives it a zone of its own. `cronsim` reads them as Debian's cron does:
where clocks turn, what is due at a time of day is due once, and what is due every so often whenever that time comes.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jobtrail.text import quote_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cronsim import CronSim

    from jobtrail.models import Timetable

_WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ZONED = re.compile(r"(?:CRON_)?TZ=(\S+)\s+(.*)")
_LONGEST = 1_000
_SECOND, _HOUR = timedelta(seconds=1), timedelta(hours=1)


class NotJudged(Exception):
    """Why it is not known when a timetable was due; the message is for an agent."""


@dataclass(frozen=True)
class DueTimes:
    """Due times in a window.

    Attributes:
        times: the oldest first.
        begins: from when on these are all; later than the window begins where there are more than were listed.
        moved: those of a time of day that clocks skipped, or that was an hour before too; upstreams differ then.
    """

    times: Sequence[datetime]
    begins: datetime
    moved: frozenset[datetime]


def list_due_times(timetable: Timetable, since: datetime, until: datetime, most: int) -> DueTimes:
    """Return when a timetable was due after `since` up to `until`, the newest `most` of these times.

    Raises:
        NotJudged: an expression or a zone that cannot be read.
    """
    found: set[datetime] = set()
    moved: set[datetime] = set()
    begins = since
    for text, zone in _read_all(timetable):
        later = None
        for number, (local, skipped) in enumerate(_walk_back(text, zone, until)):
            at = local.astimezone(UTC)
            if later is not None and later.replace(tzinfo=None) == local.replace(tzinfo=None):
                # Clocks went back: the same time of day again, for which not all start again.
                moved.add(later.astimezone(UTC))
            if at <= begins:
                break
            if number == most:
                begins = at
                break
            found.add(at)
            moved.update([at] if skipped else [])
            later = local
    times = sorted(found)
    return DueTimes(times[bisect_right(times, begins) :], begins, frozenset(moved))


def find_next_due(timetable: Timetable, now: datetime) -> datetime | None:
    """Return when a timetable is due next; None for never.

    Raises:
        NotJudged: an expression or a zone that cannot be read.
    """
    found = [next(_iterate(text, now.astimezone(zone)), None) for text, zone in _read_all(timetable)]
    return min((one.astimezone(UTC) for one in found if one), default=None)


def is_due_at(timetable: Timetable, told: datetime) -> bool:
    """Return whether a time that an upstream tells is due; where clocks skip an hour it may lie within the next.

    Raises:
        NotJudged: an expression or a zone that cannot be read.
    """
    try:
        due = list_due_times(timetable, told - _HOUR, told, int(_HOUR.total_seconds()))
    except OverflowError:
        # Some say that nothing is due by the last moment of the calendar.
        return False
    return told.replace(microsecond=0) in due.times or bool(due.moved)


def _read_all(timetable: Timetable) -> list[tuple[str, tzinfo]]:
    return [read_expression(one, timetable.zone) for one in timetable.expressions]


def read_expression(expression: str, zone: str | None) -> tuple[str, tzinfo]:
    """Return an expression as `cronsim` takes it, and the zone that its fields are of.

    Raises:
        NotJudged: it cannot be read.
    """
    text = " ".join(expression.split())
    if len(text) > _LONGEST:
        raise NotJudged(f"{quote_value(expression)} is longer than any cron expression")
    if zoned := _ZONED.fullmatch(text):
        zone, text = zoned[1], zoned[2]
    text = _WORDS.get(text.lower(), text)
    if text.startswith("@"):
        raise NotJudged(f"{quote_value(expression)} is no cron expression: it says when relative to a start")
    text = " ".join("*" + part[1:] if part.startswith("?") else part for part in text.split())
    where = find_zone(zone)
    _iterate(text, datetime(2000, 1, 1, tzinfo=UTC))
    return text, where


def find_zone(name: str | None) -> tzinfo:
    """Return a zone by its name.

    Raises:
        NotJudged: there is none of that name, or it is not told.
    """
    if name is None:
        raise NotJudged("its zone is not told")
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise NotJudged(f"zone {quote_value(name)} does not exist here") from None


def _iterate(text: str, start: datetime, *, reverse: bool = False) -> CronSim:
    """Return the due times after a time, or those before it.

    Raises:
        NotJudged: the expression cannot be read.
    """
    # Only this tool needs it, and the recorder where a schedule is given.
    from cronsim import CronSim, CronSimError  # noqa: PLC0415

    try:
        return CronSim(text, start, reverse=reverse)
    except (CronSimError, ValueError) as error:
        raise NotJudged(f"{quote_value(text)} is no cron expression that is understood here ({error})") from None


def _walk_back(text: str, zone: tzinfo, until: datetime) -> Iterator[tuple[datetime, bool]]:
    """Yield the due times up to a time in their zone, the newest first, and of each whether clocks skipped it."""
    times = _iterate(text, (until + _SECOND).replace(microsecond=0).astimezone(zone), reverse=True)
    for local in times:
        if local.astimezone(UTC) <= until:
            yield local, _is_moved(times, local)


def _is_moved(times: CronSim, local: datetime) -> bool:
    """Return whether a due time is not what its expression says: clocks skipped that, and this comes next."""
    return local.hour not in times.hours or local.minute not in times.minutes
