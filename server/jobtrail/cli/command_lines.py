"""Format tool calls as commands that a person can type."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, cast

from jobtrail.models import Call, write_text
from jobtrail.text import quote_unless_word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobtrail.models import Sentence


def format_command(call: Call) -> str:
    """Return the command that makes a call; a placeholder is not quoted."""
    words = (f"{quote_unless_word(name)}={_format_argument(value)}" for name, value in call.arguments.items())
    return " ".join(["jobtrail ask", call.tool, *words])


def format_text(text: str | Call | Sentence) -> str:
    """Return a text with its calls written as commands."""
    return write_text(text, format_command)


def _format_argument(value: object) -> str:
    if value is ...:
        return "…"
    return shlex.quote(str(value).lower() if isinstance(value, bool) else str(value))


def complete_call(tool: str, description: str, given: Mapping[str, Any], missing: str | None) -> Call | None:
    """Return a call with the given and the missing arguments; None if no example shows the missing one.

    Args:
        tool: the tool's name.
        description: the tool's description, with its examples.
        given: the arguments that were given.
        missing: the missing argument; None if one of several is enough.
    """
    kept = {name: value for name, value in given.items() if value not in {"", None}}
    if kept and missing:
        return Call(tool, {**kept, missing: ...})
    found = list_examples(tool, description)
    return Call(tool, {**kept, **found[0].arguments}) if found else None


def list_examples(tool: str, description: str) -> list[Call]:
    """Return the calls in the examples of a tool's description."""
    _, _, listed = description.partition("Examples:")
    found: list[Call] = []
    for one in listed.split("·"):
        try:
            arguments = json.loads(one.strip())
        except ValueError:
            continue
        if isinstance(arguments, dict):
            found.append(Call(tool, cast("dict[str, Any]", arguments)))
    return found
