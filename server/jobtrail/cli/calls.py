"""Calls as agents write them, turned into what a person types."""

from __future__ import annotations

import ast
import json
import re
import shlex
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["command_line", "example_with", "examples", "typed"]

_CALL = re.compile(r"\b([a-z]+(?:_[a-z]+)*)\(")
_LONGEST = 40_000
_GAP = "…"


def command_line(tool: str, arguments: Mapping[str, Any]) -> str:
    """Return the command that makes a call."""
    given = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in arguments.items()}
    # A gap is for a person to fill, so it is not quoted.
    words = (f"{name}={value if value == _GAP else shlex.quote(value)}" for name, value in given.items())
    return " ".join(["jobtrail ask", tool, *words])


def typed(text: str) -> str:
    """Return a text with every call in it, such as `list_jobs(limit=2)` or `list_runs(task=…)`, as a command."""
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
    """Return the arguments of a call; None where it is none."""
    try:
        found = ast.parse(re.sub(rf"=\s*{_GAP}(?=\s*[,)])", f"='{_GAP}'", call), mode="eval").body
        if not isinstance(found, ast.Call) or found.args:
            return None
        return {keyword.arg: ast.literal_eval(keyword.value) for keyword in found.keywords if keyword.arg}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def example_with(tool: str, description: str, given: Mapping[str, Any], needed: str) -> str | None:
    """Return a call that has what was given and what is missing; None where no example tells what that looks like.

    Args:
        tool: the tool's name.
        description: of the tool, with its examples.
        given: the arguments that were given.
        needed: the missing argument's name, or a sentence that names several.
    """
    kept = {name: value for name, value in given.items() if value not in {"", None}}
    if kept and needed.isidentifier():
        return command_line(tool, {**kept, needed: _GAP})
    found = _examples(description)
    return command_line(tool, {**kept, **found[0]}) if found else None


def examples(tool: str, description: str) -> list[str]:
    """Return the examples of a tool's description as commands."""
    return [command_line(tool, one) for one in _examples(description)]


def _examples(description: str) -> list[dict[str, Any]]:
    _, _, listed = description.partition("Examples:")
    found: list[dict[str, Any]] = []
    for one in listed.split("·"):
        try:
            arguments = json.loads(one.strip())
        except ValueError:
            continue
        if isinstance(arguments, dict):
            found.append(cast("dict[str, Any]", arguments))
    return found
