"""Checks the arguments of a call before its tool sees them, and writes the example that a refusal shows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from jobtrail.errors import BadArgument, MissingArgument
from jobtrail.models import Call
from jobtrail.text import find_closest, quote_value
from jobtrail.vocabulary import rename_earlier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp.server.mcpserver.tools import Tool

_LONGEST_TEXT = 32_768
"""Characters of an argument; cursors are as long as their upstreams make them, and bounded where they are read."""
_LISTS = {"job": "list_jobs", "run": "list_runs"}
"""The tool that shows the values of an argument."""


def read_arguments(tool: Tool, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call under the names of today; the SDK would drop a misspelt one silently.

    Raises:
        BadArgument: one is unknown, too long or no text.
        MissingArgument: one that is always needed is not there.
    """
    accepted: Mapping[str, object] = tool.parameters["properties"]
    # Some clients send null or an empty text for each argument that they have no value for.
    arguments = rename_earlier({name: value for name, value in given.items() if value not in (None, "")}, accepted)
    for name, value in arguments.items():
        if name not in accepted:
            raise BadArgument(
                f"{tool.name} has no argument {quote_value(name)}",
                closest=find_closest(name, accepted, 1),
                advice=f"it takes {', '.join(accepted)}",
            )
        length = _measure_text(value)
        if name != "cursor" and length > _LONGEST_TEXT:
            raise BadArgument(f"{tool.name}: {name} has {length:,} characters; give at most {_LONGEST_TEXT:,}")
        if not _is_unicode(value):
            raise BadArgument(
                f"{tool.name}: {name} holds a lone surrogate, which is no text; give it as a list shows it"
            )
    for name in tool.parameters.get("required", ()):
        if not str(arguments.get(name) or "").strip():
            listed = Call(_LISTS[name])
            raise MissingArgument(
                f"{tool.name} needs {name}", advice=("call ", listed, " for its values"), argument=name
            )
    return arguments


def _measure_text(value: Any) -> int:
    """Return how many characters a text has, or a list of words that stands for one."""
    words = cast("list[object]", value) if isinstance(value, list) else [value]
    return sum(len(word) + 1 for word in words if isinstance(word, str)) - 1


def _is_unicode(value: Any) -> bool:
    """Return whether a text can be written as UTF-8: a lone surrogate cannot, and JSON can spell one."""
    try:
        ("".join(map(str, cast("list[object]", value))) if isinstance(value, list) else str(value)).encode()
    except UnicodeEncodeError:
        return False
    return True


def complete_call(tool: str, description: str, given: Mapping[str, Any], missing: str | None) -> Call | None:
    """Return a call with the given and the missing arguments; None if no example shows the missing one.

    Args:
        tool: the tool's name.
        description: the tool's description, with its examples.
        given: the arguments that were given.
        missing: the missing argument; None if one of several is enough.
    """
    kept = {name: value for name, value in given.items() if value not in ("", None)}
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
