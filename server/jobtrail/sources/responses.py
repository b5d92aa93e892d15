"""Reading responses of upstreams: lenient fields, safe text, statuses; and names quoted for a path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast
from urllib.parse import quote

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from jobtrail.errors import BadArgument, UnreadableAnswer
from jobtrail.models.unread import WHOLE
from jobtrail.text import quote_unless_word, quote_value, sanitize_text
from jobtrail.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from jobtrail.vocabulary import Status

_LONGEST_NAME = 200
UNNAMED = "(unnamed)"
"""Stands for a name that an upstream does not tell."""

W = TypeVar("W", bound=BaseModel)


def _send_nothing(_sent: object) -> tuple[str, ...]:
    return ()


class ResponseModel(BaseModel):
    """A part of a response: unknown fields are ignored, missing ones are None.

    Attributes:
        unread: the fields that were sent and could not be read, as `parse_fields` found; an upstream cannot set it.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    unread: Annotated[tuple[str, ...], BeforeValidator(_send_nothing)] = ()


def _check_time(text: str | None) -> str | None:
    if text:
        parse_time(text)
    return text


T = TypeVar("T")
Time = Annotated[str | None, AfterValidator(_check_time)]
"""A time as its upstream wrote it, which may be empty."""
OrEmpty = Annotated[T, BeforeValidator(lambda value: {} if value is None else value)]
"""An object for which an upstream may send null."""
Integer = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""An integer, but no larger one than any upstream sends: that would overflow later, or fill an answer."""
Items = Annotated[list[T], BeforeValidator(lambda value: [] if value is None else value)]
"""A list for which an upstream may send null."""


def parse_response(shape: type[W], body: Any, subject: str) -> W:
    """Return the body of a response as a model.

    Raises:
        UnreadableAnswer: it does not fit; the message names the first field that differs.
    """
    try:
        return shape.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        what = first["msg"].partition(" or instance of")[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UnreadableAnswer(
            "answered in a shape its documents do not describe: "
            f"{quote_unless_word(where, 80) if where else 'the body'} ({sanitize_text(what, 80)})",
            subject=subject,
            advice="that is a fault of the upstream, or it is something else: check its address",
        ) from None


def parse_fields(shape: type[W], body: Any, subject: str) -> W:
    """Return what can be read of one thing: a field that cannot is left out, and named in `unread`.

    Not for what tells whether there is more: what is left out there would be taken for an end.

    Raises:
        UnreadableAnswer: it is no object, or lacks what it must have.
    """
    try:
        return shape.model_validate(body)
    except ValidationError as error:
        places = {_find_place(body, one["loc"]) for one in error.errors(include_url=False, include_input=False)}
    parsed = parse_response(shape, _leave_out(body, places), subject)
    names = (".".join(str(part) for part in place if isinstance(part, str)) for place in places)
    return parsed.model_copy(update={"unread": tuple(sanitize_text(name, 80) for name in names)})


def parse_row(shape: type[W], row: Any, subject: str) -> W:
    """Return what can be read of a row of a list, which counts as one even where that is nothing.

    Args:
        shape: of which no field is required.
        row: as it was sent.
        subject: how an error would name the upstream.
    """
    if isinstance(row, dict):
        return parse_fields(shape, row, subject)
    return shape().model_copy(update={"unread": (WHOLE,)})


def _find_place(value: Any, place: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Return the place in a JSON value that an error is of; beyond it stand the types that it could have had."""
    for depth, key in enumerate(place):
        try:
            value = value[key]
        except (TypeError, LookupError):
            return place[:depth]
    return place


def _leave_out(value: Any, places: Collection[tuple[int | str, ...]]) -> Any:
    """Return a JSON value without what is at some places in it."""
    inside: dict[int | str, list[tuple[int | str, ...]]] = {}
    for first, *rest in filter(None, places):
        inside.setdefault(first, []).append(tuple(rest))
    gone = {key for key, rests in inside.items() if () in rests}
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value).items()
        return {key: _leave_out(one, inside.get(key, ())) for key, one in fields if key not in gone}
    if isinstance(value, list):
        items = enumerate(cast("list[Any]", value))
        return [_leave_out(one, inside.get(at, ())) for at, one in items if at not in gone]
    return value


def clean_line(text: str | None, most: int = 160) -> str | None:
    """Return upstream text as one safe line of at most `most` characters; None for an empty one."""
    return sanitize_text(text, most) or None if text else None


def is_named(name: str, told: str | None) -> bool:
    """Return whether what an item says of its owner is this name; case aside, which some upstreams ignore."""
    return (
        told in {None, UNNAMED}
        or (told or "").casefold() == (clean_line(name, _LONGEST_NAME) or name).strip().casefold()
    )


def check_told(what: str, asked: str, told: str | None, subject: str) -> None:
    """Check that an answer about one thing is about the one that was asked for, as far as it says.

    Raises:
        UnreadableAnswer: it is about another.
    """
    named = clean_line(told, _LONGEST_NAME)
    if not is_named(asked, named):
        raise UnreadableAnswer(
            f"was asked for {what} {quote_value(asked)} and answered with {quote_value(named or '')}",
            subject=subject,
            advice="that is a fault of the upstream, or of what stands between: retry",
        )


def describe_schedule(expressions: str | None, zone: str | None) -> str:
    """Return cron expressions with the zone that they are of, or that there are none."""
    if not expressions:
        return "no schedule"
    return f"{clean_line(expressions, 80)} ({clean_line(zone, 40) or 'zone unknown'})"


def translate_status(raw: str | None, known: Mapping[str, Status]) -> tuple[Status, str | None]:
    """Return our status for an upstream's word, and that word if it differs from ours."""
    if not raw:
        return "unknown", None
    status = known.get(raw.strip().lower(), "unknown")
    return status, None if raw == status else sanitize_text(raw, 40)


def quote_name(what: str, name: str) -> str:
    """Return a name quoted as one segment of a path.

    Raises:
        BadArgument: a name that no path segment can carry.
    """
    if not name.strip() or len(name) > _LONGEST_NAME or re.fullmatch(r"\.{1,2}", name.strip()):
        raise BadArgument(
            f"{what}={quote_value(name)} cannot be a name; give 1 to {_LONGEST_NAME} characters, other than . and .."
        )
    try:
        return quote(name, safe="")
    except UnicodeEncodeError:
        raise BadArgument(
            f"{what}={quote_value(name)} is not valid Unicode; give the name as a list shows it"
        ) from None
