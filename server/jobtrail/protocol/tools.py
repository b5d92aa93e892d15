"""Makes the SDK's tools of ours."""

from __future__ import annotations

import inspect
from functools import cache
from keyword import iskeyword
from typing import Any

from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import FuncMetadata
from mcp.types import ToolAnnotations

from jobtrail.board import BOARD_URI
from jobtrail.protocol.schemas import describe_answer, slim_schema
from jobtrail.tools import TOOLS, ToolSpec


class LiteralArguments(FuncMetadata):
    """Takes arguments as they came: a text that looks like JSON, such as `null` or `[1]`, is that text."""

    def pre_parse_json(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments; the SDK's own method would parse texts, and so drop a search for `null`."""
        return data

    def validate_arguments(self, arguments_to_validate: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments by the names of the function's parameters; one named like a keyword ends in `_`."""
        found = super().validate_arguments(arguments_to_validate)
        return {f"{name}_" if iskeyword(name) else name: value for name, value in found.items()}


def make_tools() -> list[Tool]:
    """Return all tools, in the order in which clients see them."""
    return [_make_tool(spec) for spec in TOOLS]


@cache  # Servers of one process share them: they say the same.
def _make_tool(spec: ToolSpec) -> Tool:
    tool = Tool.from_function(
        spec.fn,
        name=spec.fn.__name__,
        title=spec.title,
        description=inspect.getdoc(spec.fn),
        annotations=ToolAnnotations(
            read_only_hint=True,
            destructive_hint=False,
            idempotent_hint=True,
            open_world_hint=True,
        ),
        meta={"ui": {"resourceUri": BOARD_URI}} if spec.board else None,
    )
    tool.fn_metadata = LiteralArguments(
        arg_model=tool.fn_metadata.arg_model, output_schema=describe_answer(spec.answer, spec.other)
    )
    slim_schema(tool.parameters)
    return tool
