"""Defines tool calls that an answer or an error suggests, and sentences that contain such calls.

They stay values until they are printed: an agent reads `list_jobs(limit=2)`, a person at a terminal reads the
command that does the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from pydantic import InstanceOf, PlainSerializer, WithJsonSchema

from jobtrail.text import quote, quote_unless_word

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Call:
    """A call of a tool; an argument whose value is `...` is left for the caller to fill."""

    tool: str
    arguments: Mapping[str, object] = field(default_factory=dict[str, object])

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        """Return the call as an agent would write it."""
        written = (
            f"{quote_unless_word(name)}={_write_argument(name, value)}" for name, value in self.arguments.items()
        )
        return f"{quote_unless_word(self.tool)}({', '.join(written)})"


def _write_argument(name: str, value: object) -> str:
    if value is ...:
        return "…"
    # A cursor is URL-safe, so nothing in it needs escaping.
    return f'"{value}"' if name == "cursor" else quote(value) if isinstance(value, str) else repr(value)


class Sentence:
    """Text with calls in it."""

    def __init__(self, *parts: str | Call | Sentence) -> None:
        self.parts = parts

    def __str__(self) -> str:
        """Return the sentence as agents read it."""
        return write_text(self, str)


def write_text(text: str | Call | Sentence, write_call: Callable[[Call], str]) -> str:
    """Return a text with each call in it written in some way."""
    match text:
        case str():
            return text
        case Call():
            return write_call(text)
        case Sentence():
            return "".join(write_text(part, write_call) for part in text.parts)


# An answer's fields: values here, plain strings in JSON and in its schema.
NextCall = Annotated[InstanceOf[Call] | str, PlainSerializer(str), WithJsonSchema({"type": "string"})]
Note = Annotated[InstanceOf[Sentence] | str, PlainSerializer(str), WithJsonSchema({"type": "string"})]
