"""Computes when the sample's jobs and tasks run, and makes random generators with a fixed seed."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# A Monday, so that weekly schedules fall on the day they name.
EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_microseconds(at: datetime) -> int:
    """Return a time as microseconds since 1970, in which all is planned: there is much, and integers add up fast."""
    return (at - _UNIX_EPOCH) // MICROSECOND


def from_microseconds(at: int) -> datetime:
    """Return the time that is so many microseconds after 1970."""
    return _UNIX_EPOCH + at * MICROSECOND


def for_row(at: int) -> int:
    """Return microseconds as the nanoseconds of a row."""
    return at * 1000


def list_times(every: timedelta | None, offset: timedelta, keep: timedelta, now: datetime) -> Iterator[datetime]:
    """Yield the times of a schedule that are past and still kept, oldest first."""
    if every is None:
        return
    number = (now - EPOCH - offset) // every
    first = number - keep // every + 1
    for one in range(first, number + 1):
        yield EPOCH + offset + one * every


def seed_random(*parts: object) -> random.Random:
    """Return a random number generator that is seeded with a hash of the parts."""
    digest = hashlib.blake2b("\0".join(str(part) for part in parts).encode(), digest_size=8).digest()
    return random.Random(digest)  # noqa: S311 # a repeatable sample, not a secret
