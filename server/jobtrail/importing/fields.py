"""What fields of documents may hold, and how a value that they may not is told to a person.

Checked strictly: a number in quotes is no number. Null is the same as absent, as are an empty time and the zero
times of either upstream.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationError
from pydantic_core import PydanticCustomError

from jobtrail.errors import clean, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic import TypeAdapter

__all__ = [
    "Count", "Given", "Label", "Name", "Refused", "RunId", "TaskName", "Time", "TimeText", "Whole", "among",
    "as_object", "check", "refuse",
]  # fmt: skip

_NANO = 1_000_000_000
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}).([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9})[0-9]*)?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_SEPARATORS = "Tt "
_FIRST, _LAST = 0, 2**63 // _NANO * _NANO
_LONGEST_NAME = 200
_RUN_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_TASK_NAME = re.compile(r"[a-zA-Z0-9._:-]{1,100}")

T = TypeVar("T")


class Refused(Exception):
    """A document that is not imported; the message says which field, its value, and what is valid."""


def as_object(value: Any) -> dict[str, Any] | None:
    """Return a JSON object as one, anything else as None."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _without_nulls(value: Any) -> Any:
    fields = as_object(value)
    return value if fields is None else {key: one for key, one in fields.items() if one is not None}


Given = Annotated[T, BeforeValidator(_without_nulls)]
"""An object, as far as it is given: its nulls are absent."""


def _nanoseconds(value: Any) -> int | None:
    if value == "":
        return None
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None or value[10] not in _SEPARATORS:
        raise _no_time()
    day, clock, fraction, sign, hours, minutes = found.groups()
    if day.startswith("0001"):
        return None
    try:
        whole = int(datetime.fromisoformat(f"{day}T{clock}+00:00").timestamp())
    except ValueError:
        raise _no_time() from None
    if sign:
        ahead = int(hours) * 3600 + int(minutes) * 60
        whole += -ahead if sign == "+" else ahead
    nanos = whole * _NANO + int((fraction or "").ljust(9, "0"))
    if not _FIRST <= nanos < _LAST:
        raise PydanticCustomError("time", "lies outside 1970 to 2262")
    return nanos or None


def _no_time() -> PydanticCustomError:
    return PydanticCustomError("time", "is no time; give RFC 3339, such as 2026-11-01T09:30:00Z")


def _time_text(value: Any) -> Any:
    return value if _nanoseconds(value) is not None else ""


Time = Annotated[int | None, PlainValidator(_nanoseconds)]
"""A time in RFC 3339, in nanoseconds since 1970; None for an empty or zero one."""
TimeText = Annotated[str, PlainValidator(_time_text)]
"""A time in RFC 3339, as it is given; empty for a zero one."""


def among(words: Iterable[str]) -> Callable[[str], str]:
    """Return what takes one of these words, in any case, and gives it as it is written here."""
    known = {word.casefold(): word for word in words}

    def check(word: str) -> str:
        if word.casefold() not in known:
            raise PydanticCustomError("word", "is none of {words}", {"words": ", ".join(known.values())})
        return known[word.casefold()]

    return check


def _is_name(text: str) -> bool:
    return bool(text.strip()) and len(text) <= _LONGEST_NAME and text.isprintable()


def _named(text: str) -> str:
    if not _is_name(text) or "/" in text or text.strip() in {".", ".."}:
        raise PydanticCustomError(
            "name", "is no name; give 1 to {most} printable characters without /", {"most": _LONGEST_NAME}
        )
    return text


def _labelled(text: str) -> str:
    if not _is_name(text):
        raise PydanticCustomError(
            "name", "is no name; give 1 to {most} printable characters", {"most": _LONGEST_NAME}
        )
    return text


def _matching(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise PydanticCustomError("pattern", "{what}", {"what": what})
        return text

    return check


Name = Annotated[str, AfterValidator(_named)]
"""Of a job, or the id of an execution: one segment of a path."""
Label = Annotated[str, AfterValidator(_labelled)]
"""A name that no path holds, such as that of a task in an execution."""
TaskName = Annotated[
    str, AfterValidator(_matching(_TASK_NAME, "is no task name; give 1 to 100 of a-z A-Z 0-9 . _ : -"))
]
"""RunWisp's pattern of 1.0.1, which the seed's is a part of."""
RunId = Annotated[str, AfterValidator(_matching(_RUN_ID, "is no run id; give a ULID, 26 of 0-9 A-Z without I L O U"))]
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
Whole = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
"""What both documents call int64, such as a duration in nanoseconds."""


def refuse(field: str, value: object, why: str) -> Refused:
    """Return the refusal of a value: where it is, what it is, why not."""
    return Refused(f"{field}={shown(value)} {why}")


_SIMPLE = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
}


def check(shape: TypeAdapter[T], document: Any, spelt: Callable[[str], str] = str) -> T:
    """Return a document's fields as a shape has them.

    Args:
        shape: what is documented.
        document: what is given.
        spelt: how the document spells a top-level field.

    Raises:
        Refused: they are not; the message names the first that is not, and how many more there are.
    """
    try:
        return shape.validate_python(document, strict=True)
    except ValidationError as error:
        raise _explain(error, spelt) from None


def _explain(error: ValidationError, spelt: Callable[[str], str]) -> Refused:
    first = error.errors(include_url=False)[0]
    head, *rest = first["loc"] or ("",)
    field = _path((spelt(head) if isinstance(head, str) else head, *rest))
    more = error.error_count() - 1
    others = f" (and {more:,} more)" if more else ""
    context = first.get("ctx", {})
    match first["type"]:
        case "missing":
            return Refused(f"{field} is missing{others}")
        case "greater_than_equal":
            why = f"must be at least {context['ge']}"
        case "less_than_equal":
            why = f"must be at most {context['le']}"
        case kind:
            why = _SIMPLE.get(kind, first["msg"])
    return refuse(field, first["input"], f"{why}{others}")


def _path(parts: Iterable[str | int]) -> str:
    """Return a place in a document, such as `tasks[3].metadata.name`."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{clean(part, 40)}" if text else clean(part, 40)
    return text
