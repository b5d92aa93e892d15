"""Builds the MCP server: its lifespan, tools, prompts and board."""

from __future__ import annotations

import inspect
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import anyio
from mcp.server.apps import APP_MIME_TYPE, Apps
from mcp.server.caching import CacheHint
from mcp.server.mcpserver.resources import FunctionResource
from mcp.server.mcpserver.tools import Tool
from mcp.server.subscriptions import ResourceUpdated
from mcp.types import ToolAnnotations

from jobtrail import __version__
from jobtrail.board import BOARD_URI, build_board
from jobtrail.protocol.completion import NameCompleter
from jobtrail.protocol.icons import make_icon
from jobtrail.protocol.instructions import write_instructions
from jobtrail.protocol.prompts import add_prompts
from jobtrail.protocol.resources import ResourceWatcher
from jobtrail.protocol.server import JobtrailServer, ProtocolState
from jobtrail.sources import open_sources
from jobtrail.tools import TOOLS, ToolSpec
from jobtrail.window import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    import httpx2
    from mcp.server.caching import CacheableMethod
    from mcp.server.mcpserver import MCPServer

    from jobtrail.settings import Settings

_LISTED_MS = 600_000
_CACHE_HINTS: Mapping[CacheableMethod, CacheHint] = {
    # What a process lists does not change while it lives; only resources depend on its configuration.
    "tools/list": CacheHint(_LISTED_MS, "public"),
    "prompts/list": CacheHint(_LISTED_MS, "public"),
    "resources/templates/list": CacheHint(_LISTED_MS, "public"),
    "resources/list": CacheHint(_LISTED_MS, "private"),
    "server/discover": CacheHint(_LISTED_MS, "private"),
}


def build_server(
    settings: Settings, transport: httpx2.AsyncBaseTransport | None = None, clock: Clock | None = None
) -> JobtrailServer:
    """Return the server over the configured sources.

    Args:
        settings: which sources there are.
        transport: the network edge of every source but the embedded one, where tests stand in for it.
        clock: where now comes from; the machine's clock unless given.
    """
    clock = clock or Clock(settings.zone(), settings.timezone)

    @asynccontextmanager
    async def lifespan(_server: MCPServer[ProtocolState]) -> AsyncGenerator[ProtocolState]:
        sources = open_sources(settings, transport, clock)
        try:
            async with anyio.create_task_group() as group:
                watcher = ResourceWatcher(sources, group, lambda uri: server.bus.publish(ResourceUpdated(uri)))
                yield ProtocolState(sources, clock, watcher, NameCompleter(sources, clock, group))
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await sources.aclose()

    server = JobtrailServer(
        name="jobtrail",
        title="Jobtrail",
        version=__version__,
        instructions=write_instructions(settings),
        # No icons: the SDK would repeat them with every answer, beside the name and version.
        tools=[_make_tool(spec) for spec in TOOLS],
        sources=[one.name for one in settings.sources],
        extensions=[_make_board_app()],
        cache_hints=_CACHE_HINTS,
        lifespan=lifespan,
        log_level=settings.log_level,
    )
    add_prompts(server)
    return server


def _make_board_app() -> Apps:
    """Return the board as an MCP App: it may connect to nothing and load nothing but itself."""
    apps = Apps()
    apps.add_resource(
        FunctionResource.from_function(
            build_board,
            BOARD_URI,
            name="board",
            title="Board",
            description="A picture of an execution's tasks or a job's history, for hosts that show MCP Apps.",
            mime_type=APP_MIME_TYPE,
            icons=[make_icon("history")],
            meta={"ui": {"csp": {"connectDomains": [], "resourceDomains": []}, "prefersBorder": True}},
        )
    )
    return apps


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
