"""What both upstreams' shapes share: lenient fields, times, names in paths."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from jobtrail.errors import BadArgument, UnreadableAnswer, clean, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobtrail.models import Status

_LONGEST_NAME = 200
_FIRST_YEAR = 1971

W = TypeVar("W", bound=BaseModel)


class Wire(BaseModel):
    """An upstream shape: unknown fields ignored, missing ones absent."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


def _or_empty(value: Any) -> Any:
    return {} if value is None else value


def _or_no_items(value: Any) -> Any:
    return [] if value is None else value


T = TypeVar("T")
OrEmpty = Annotated[T, BeforeValidator(_or_empty)]
"""An object for which an upstream may send null."""
Items = Annotated[list[T], BeforeValidator(_or_no_items)]
"""A list for which an upstream may send null."""


def parse(shape: type[W], body: Any, subject: str) -> W:
    """Read a body as a shape.

    Raises:
        UnreadableAnswer: it is not; the message names the first field that differs.
    """
    try:
        return shape.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        what = first["msg"].partition(" or instance of")[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise UnreadableAnswer(
            f"answered in a shape its documents do not describe: {clean(where, 80)} ({clean(what, 80)})",
            subject=subject,
            advice="; that is a fault of the upstream, or it is something else: check its address",
        ) from None


def moment(text: str | None) -> datetime | None:
    """Read an upstream time; empty, unreadable and zero times are absent."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return found if found.year >= _FIRST_YEAR else None


_NANO = 1_000_000_000


def nanoseconds(text: str | None) -> int | None:
    """Read an upstream time to the nanosecond, which datetime would cut to microseconds."""
    found = moment(text)
    if found is None or text is None:
        return None
    fraction = re.search(r"\.(\d+)", text)
    digits = (fraction[1] if fraction else "")[:9].ljust(9, "0")
    return int(found.replace(microsecond=0).timestamp()) * _NANO + int(digits)


def from_nanoseconds(count: int) -> str:
    """Write a time to the nanosecond as RFC 3339 in UTC.

    Raises:
        ValueError: a count that no date has.
    """
    whole, fraction = divmod(count, _NANO)
    try:
        return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09}Z"
    except (OverflowError, OSError) as error:
        raise ValueError(count) from error


def seconds(start: datetime | None, end: datetime | None) -> float | None:
    """Return the time between two moments in seconds, to the millisecond; absent where it is not known."""
    if start is None or end is None or end < start:
        return None
    return round((end - start).total_seconds(), 3)


def line(text: str | None, most: int = 160) -> str | None:
    """Return upstream text as one safe line, absent where there is none."""
    return clean(text, most) or None if text else None


def word(raw: str | None, known: Mapping[str, Status]) -> tuple[Status, str | None]:
    """Return the normalised status, and the upstream's word where it differs."""
    if not raw:
        return "unknown", None
    status = known.get(raw.strip().lower(), "unknown")
    return status, None if raw == status else clean(raw, 40)


def name_in_path(what: str, name: str) -> str:
    """Return a name quoted for one path segment.

    Raises:
        BadArgument: a name that no path segment can carry.
    """
    if not name.strip() or len(name) > _LONGEST_NAME or re.fullmatch(r"\.{1,2}", name.strip()):
        raise BadArgument(
            f"{what}={shown(name)} cannot be a name; give 1 to {_LONGEST_NAME} characters, other than . and .."
        )
    try:
        return quote(name, safe="")
    except UnicodeEncodeError:
        raise BadArgument(f"{what}={shown(name)} is not valid Unicode; give the name as a list shows it") from None
