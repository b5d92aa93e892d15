"""Defines the field types of imported documents, and the error messages for values that they refuse.

Fields are checked strictly: a number in quotes is no number.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from jobtrail.text import quote_value, sanitize_text
from jobtrail.times import format_nanoseconds, format_optional_nanoseconds, parse_nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_TIME = re.compile(r"[0-9-]{10}[Tt ][0-9:]{8}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})")
_LONGEST_NAME = 200

D = TypeVar("D", bound="Document")


class DocumentRefused(Exception):
    """A document that is not imported; the message says which field, its value, and what is valid."""


class Document(BaseModel):
    """An object of an upstream, with the fields that are kept of it; a null is as good as absent."""

    model_config = ConfigDict(strict=True, frozen=True, alias_generator=to_camel, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, value: Any) -> Any:
        fields = as_object(value)
        return value if fields is None else {name: one for name, one in fields.items() if one is not None}

    def to_json(self) -> dict[str, Any]:
        """Return the fields that were given, as the upstream spells them."""
        return self.model_dump(by_alias=True, exclude_none=True)


def as_object(value: Any) -> dict[str, Any] | None:
    """Return a JSON object as one, anything else as None."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _parse_time(value: Any) -> int | None:
    if value == "":
        return None
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise _build_time_error()
    if value.startswith("0001"):
        return None
    try:
        nanoseconds = parse_nanoseconds(value.upper())
    except ValueError:
        raise _build_time_error() from None
    if not 0 <= nanoseconds < 2**63:
        raise PydanticCustomError("time", "lies outside 1970 to 2262")
    return nanoseconds or None


def _build_time_error() -> PydanticCustomError:
    return PydanticCustomError("time", "is no time; give RFC 3339, such as 2026-11-01T09:30:00Z")


def _parse_required_time(value: Any) -> int:
    found = _parse_time(value)
    if found is None:
        raise PydanticCustomError("missing", "is missing")
    return found


def _normalize_time(value: Any) -> str | None:
    return format_optional_nanoseconds(_parse_time(value))


OptionalTime = Annotated[int | None, PlainValidator(_parse_time)]
"""A time in RFC 3339, in nanoseconds since 1970; None for an empty one and the zero times of either upstream."""
RequiredTime = Annotated[int, PlainValidator(_parse_required_time)]
"""Likewise, where there has to be one."""
TimeText = Annotated[str | None, PlainValidator(_normalize_time)]
"""An optional time in RFC 3339, as it is written in UTC."""


def accept_words(*words: str) -> AfterValidator:
    """Return what takes one of these words in any case, and gives it as it is written here."""
    known = {word.casefold(): word for word in words}

    def find(word: str) -> str:
        if word.casefold() not in known:
            raise PydanticCustomError("word", "is none of {words}", {"words": ", ".join(words)})
        return known[word.casefold()]

    return AfterValidator(find)


def _accept_valid(is_valid: Callable[[str], object], why_not: str) -> AfterValidator:
    def find(text: str) -> str:
        if not is_valid(text):
            raise PydanticCustomError("text", "{why}", {"why": why_not})
        return text

    return AfterValidator(find)


def _is_label(text: str) -> bool:
    return bool(text.strip()) and len(text) <= _LONGEST_NAME and text.isprintable()


def _is_name(text: str) -> bool:
    return _is_label(text) and "/" not in text and text.strip() not in {".", ".."}


_NO_LABEL = f"is no name; give 1 to {_LONGEST_NAME} printable characters"

Name = Annotated[str, _accept_valid(_is_name, f"{_NO_LABEL} without /")]
"""Of a job, or the id of an execution: one segment of a path."""
Label = Annotated[str, _accept_valid(_is_label, _NO_LABEL)]
"""A name that no path holds, such as that of a task in an execution."""
TaskName = Annotated[
    str,
    _accept_valid(
        re.compile(r"[a-zA-Z0-9._:-]{1,100}").fullmatch, "is no task name; give 1 to 100 of a-z A-Z 0-9 . _ : -"
    ),
]
"""RunWisp's pattern of 1.0.1, which that of the legacy dialect is a part of."""
RunId = Annotated[
    str,
    _accept_valid(
        re.compile(r"[0-9A-HJKMNP-TV-Z]{26}").fullmatch, "is no run id; give a ULID, 26 of 0-9 A-Z without I L O U"
    ),
]
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
"""What both documents call int64, such as a duration in nanoseconds."""

_WHY = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}


def validate_document(shape: type[D], document: Any, spell: Callable[[str], str] = str) -> D:
    """Return a document's fields as a shape has them.

    Args:
        shape: what is documented.
        document: what is given.
        spell: how the document would spell a top-level field that it lacks.

    Raises:
        DocumentRefused: they are not; the message names the first that is not, and how many more there are.
    """
    try:
        return shape.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        more = f" (and {error.error_count() - 1:,} more)" if error.error_count() > 1 else ""
        head, *rest = first["loc"] or ("",)
        if first["type"] == "missing":
            raise DocumentRefused(f"{_format_path((spell(str(head)), *rest))} is missing{more}") from None
        why = _WHY[first["type"]].format(**first.get("ctx", {})) if first["type"] in _WHY else first["msg"]
        raise build_refusal(_format_path(first["loc"]), first["input"], f"{why}{more}") from None


def build_refusal(field: str, value: object, why: str) -> DocumentRefused:
    """Return the refusal of a value: where it is, what it is, why not."""
    return DocumentRefused(f"{field}={quote_value(value)} {why}")


def check_end_follows(field: str, ended: int | None, earlier: Iterable[tuple[str, int | None]]) -> None:
    """Refuse an end that lies before one of the times named; None is a time that is not known."""
    for name, time in earlier:
        if ended is not None and time is not None and ended < time:
            raise build_refusal(field, format_nanoseconds(ended), f"lies before {name}, {format_nanoseconds(time)}")


def _format_path(parts: Iterable[str | int]) -> str:
    """Return a place in a document, such as `tasks[3].metadata.name`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{sanitize_text(part, 40)}" for part in parts)
    return text.removeprefix(".")
