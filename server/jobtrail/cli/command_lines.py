"""Calls as a person types them."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, cast

from jobtrail.models import Call, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobtrail.models import Sentence


def to_command(call: Call) -> str:
    """Return the command that makes a call; a gap is for a person to fill, so it is not quoted."""
    words = (f"{name}={_typed(value)}" for name, value in call.arguments.items())
    return " ".join(["jobtrail ask", call.tool, *words])


def with_commands(text: str | Call | Sentence) -> str:
    """Return a text with every call in it as a command."""
    return write_text(text, to_command)


def _typed(value: object) -> str:
    if value is ...:
        return "…"
    return shlex.quote(str(value).lower() if isinstance(value, bool) else str(value))


def complete_call(tool: str, description: str, given: Mapping[str, Any], missing: str | None) -> Call | None:
    """Return a call that has what was given and what is missing; None where no example tells what that looks like.

    Args:
        tool: the tool's name.
        description: of the tool, with its examples.
        given: the arguments that were given.
        missing: the missing argument; None where one of several will do.
    """
    kept = {name: value for name, value in given.items() if value not in {"", None}}
    if kept and missing:
        return Call(tool, {**kept, missing: ...})
    found = list_examples(tool, description)
    return Call(tool, {**kept, **found[0].arguments}) if found else None


def list_examples(tool: str, description: str) -> list[Call]:
    """Return the examples of a tool's description."""
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
