"""Reading responses of upstreams: lenient fields, safe text, statuses; and names quoted for a path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from jobtrail.errors import BadArgument, UnreadableAnswer
from jobtrail.text import quote_unless_word, quote_value, sanitize_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobtrail.vocabulary import Status

_LONGEST_NAME = 200

W = TypeVar("W", bound=BaseModel)


class ResponseModel(BaseModel):
    """A part of a response: unknown fields are ignored, missing ones are None."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


T = TypeVar("T")
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


def clean_line(text: str | None, most: int = 160) -> str | None:
    """Return upstream text as one safe line of at most `most` characters; None for an empty one."""
    return sanitize_text(text, most) or None if text else None


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
