"""Calls as agents write them, turned into what a person types."""

from __future__ import annotations

import ast
import json
import re
import shlex
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["command_line", "examples", "typed"]

_CALL = re.compile(r"\b([a-z]+(?:_[a-z]+)*)\(")
_LONGEST = 40_000


def command_line(tool: str, arguments: Mapping[str, Any]) -> str:
    """Return the command that makes a call."""
    given = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in arguments.items()}
    return " ".join(["jobtrail ask", tool, *(f"{name}={shlex.quote(value)}" for name, value in given.items())])


def typed(text: str) -> str:
    """Return a text with every whole call in it, such as `list_jobs(limit=2)`, as a command."""
    pieces: list[str] = []
    place = 0
    for match in _CALL.finditer(text[:_LONGEST]):
        if match.start() < place:
            continue
        end = text.find(")", match.end())
        while end != -1:
            arguments = _arguments(text[match.start() : end + 1])
            if arguments is not None:
                pieces += [text[place : match.start()], command_line(match[1], arguments)]
                place = end + 1
                break
            # A bracket inside a value closes nothing.
            end = text.find(")", end + 1) if text.count("'", match.end(), end) % 2 else -1
    return "".join([*pieces, text[place:]])


def _arguments(call: str) -> dict[str, Any] | None:
    """Return the arguments of a call; None where it is none, or one with a gap."""
    try:
        found = ast.parse(call, mode="eval").body
        if not isinstance(found, ast.Call) or found.args:
            return None
        return {keyword.arg: ast.literal_eval(keyword.value) for keyword in found.keywords if keyword.arg}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def examples(tool: str, description: str) -> list[str]:
    """Return the examples of a tool's description as commands."""
    _, _, listed = description.partition("Examples:")
    found: list[str] = []
    for one in listed.split("·"):
        try:
            arguments = json.loads(one.strip())
        except ValueError:
            continue
        if isinstance(arguments, dict):
            found.append(command_line(tool, cast("dict[str, Any]", arguments)))
    return found
