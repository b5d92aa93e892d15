"""Makes the SDK's tools of ours, with schemas as short as they can be."""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations

from jobtrail.board import BOARD_URI
from jobtrail.protocol.icons import make_icon
from jobtrail.tools import TOOLS, ToolSpec

if TYPE_CHECKING:
    from collections.abc import Mapping


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
            title=spec.title,
            read_only_hint=True,
            destructive_hint=False,
            idempotent_hint=True,
            open_world_hint=True,
        ),
        icons=[make_icon(spec.icon)],
        meta={"ui": {"resourceUri": BOARD_URI}} if spec.board else None,
    )
    if tool.output_schema:
        _slim_schema(tool.output_schema)
    _slim_schema(tool.parameters)
    return tool


def _slim_schema(schema: dict[str, Any], definitions: Mapping[str, dict[str, Any]] | None = None) -> None:
    """Drop what costs tokens or time and says nothing: generated titles, null alternatives and defaults, references.

    A definition takes the place of the references to it, which clients would look up for every row of an answer.
    """
    definitions = cast("Mapping[str, dict[str, Any]]", schema.pop("$defs", definitions or {}))
    either: list[dict[str, Any]] = schema.get("anyOf", [])
    options = [one for one in either if one != {"type": "null"}]
    if len(options) == 1:
        del schema["anyOf"]
        schema |= {**options[0], **schema}
    if "$ref" in schema:
        name = str(schema.pop("$ref")).rpartition("/")[2]
        schema |= {**definitions[name], **schema}
    schema.pop("title", None)
    if schema.get("default", ...) is None:
        del schema["default"]
    for part in (*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")):
        if isinstance(part, dict):
            _slim_schema(cast("dict[str, Any]", part), definitions)
