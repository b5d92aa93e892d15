"""Makes the SDK's tools of ours."""

from __future__ import annotations

import inspect
from functools import cache

from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations

from jobtrail.board import BOARD_URI
from jobtrail.protocol.schemas import describe_answer, slim_schema
from jobtrail.tools import TOOLS, ToolSpec


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
    tool.fn_metadata.output_schema = describe_answer(spec.answer)
    slim_schema(tool.parameters)
    return tool
