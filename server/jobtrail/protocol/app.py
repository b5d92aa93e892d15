"""Builds the MCP server: its lifespan and its board."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
from mcp.server.apps import APP_MIME_TYPE, Apps
from mcp.server.caching import CacheHint
from mcp.server.mcpserver.resources import FunctionResource
from mcp.server.subscriptions import InMemorySubscriptionBus

from jobtrail import __version__
from jobtrail.board import BOARD_URI, build_board
from jobtrail.protocol.icons import make_icon
from jobtrail.protocol.instructions import write_instructions
from jobtrail.protocol.server import JobtrailServer, ProtocolState
from jobtrail.sources import open_sources
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
    bus = InMemorySubscriptionBus()

    @asynccontextmanager
    async def lifespan(_server: MCPServer[ProtocolState]) -> AsyncGenerator[ProtocolState]:
        sources = open_sources(settings, transport, clock)
        try:
            async with anyio.create_task_group() as group:
                yield ProtocolState(sources, clock, group, bus)
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await sources.aclose()

    return JobtrailServer(
        name="jobtrail",
        title="Jobtrail",
        version=__version__,
        instructions=write_instructions(settings),
        # No icons: the SDK would repeat them with every answer, beside the name and version.
        sources=[one.name for one in settings.sources],
        bus=bus,
        extensions=[_make_board_app()],
        cache_hints=_CACHE_HINTS,
        lifespan=lifespan,
        log_level=settings.log_level,
    )


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
