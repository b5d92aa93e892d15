"""The MCP server: lifespan, registration, error translation; nothing else."""

from __future__ import annotations

import functools
import inspect
import logging
import traceback
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import anyio
from mcp.server.apps import APP_MIME_TYPE, Apps
from mcp.server.caching import CacheHint
from mcp.server.mcpserver.resources import FunctionResource
from mcp.server.mcpserver.tools import Tool
from mcp.server.subscriptions import ResourceUpdated
from mcp.types import CallToolResult, TextContent, ToolAnnotations

from jobtrail import __version__
from jobtrail.board import BOARD_URI, board_html
from jobtrail.completing import Completing
from jobtrail.endpoint import Endpoint, Served, failed
from jobtrail.errors import JobtrailError
from jobtrail.icons import icon
from jobtrail.instructions import instructions
from jobtrail.prompts import add_prompts
from jobtrail.render import render
from jobtrail.resources import Watching
from jobtrail.sources import open_sources
from jobtrail.tools import TOOLS, ToolSpec
from jobtrail.window import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    import httpx2
    from mcp.server.caching import CacheableMethod
    from mcp.server.mcpserver import MCPServer
    from pydantic import BaseModel

    from jobtrail.settings import Settings

__all__ = ["build_server"]

logger = logging.getLogger(__name__)

_LISTED_MS = 600_000
_CACHE_HINTS: Mapping[CacheableMethod, CacheHint] = {
    # What a process lists does not change while it lives; only resources depend on its configuration.
    "tools/list": CacheHint(_LISTED_MS, "public"),
    "prompts/list": CacheHint(_LISTED_MS, "public"),
    "resources/templates/list": CacheHint(_LISTED_MS, "public"),
    "resources/list": CacheHint(_LISTED_MS, "private"),
    "server/discover": CacheHint(_LISTED_MS, "private"),
}

CALL_SECONDS = 50.0
"""What one call may take: desktop clients give up at about 60 s."""


def build_server(
    settings: Settings, transport: httpx2.AsyncBaseTransport | None = None, clock: Clock | None = None
) -> Endpoint:
    """Return the server over the configured sources.

    Args:
        settings: which sources there are.
        transport: the network edge of every source but the embedded one, where tests stand in for it.
        clock: where now comes from; the machine's clock unless given.
    """
    clock = clock or Clock(settings.zone(), settings.timezone)

    @asynccontextmanager
    async def lifespan(_server: MCPServer[Served]) -> AsyncGenerator[Served]:
        sources = open_sources(settings, transport, clock)
        try:
            async with anyio.create_task_group() as group:
                watching = Watching(sources, group, lambda uri: server.bus.publish(ResourceUpdated(uri)))
                yield Served(sources, clock, watching, Completing(sources, clock, group))
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await sources.aclose()

    server = Endpoint(
        name="jobtrail",
        title="Jobtrail",
        version=__version__,
        instructions=instructions(settings),
        # No icons: the SDK would repeat them with every answer, beside the name and version.
        tools=[_tool(spec) for spec in TOOLS],
        sources=[one.name for one in settings.sources],
        extensions=[_board()],
        cache_hints=_CACHE_HINTS,
        lifespan=lifespan,
        log_level=settings.log_level,
    )
    add_prompts(server)
    return server


def _board() -> Apps:
    """Return the board as an MCP App: it may connect to nothing and load nothing but itself."""
    apps = Apps()
    apps.add_resource(
        FunctionResource.from_function(
            board_html,
            BOARD_URI,
            name="board",
            title="Board",
            description="A picture of an execution's tasks or a job's history, for hosts that show MCP Apps.",
            mime_type=APP_MIME_TYPE,
            icons=[icon("history")],
            meta={"ui": {"csp": {"connectDomains": [], "resourceDomains": []}, "prefersBorder": True}},
        )
    )
    return apps


def _answered(answer: BaseModel) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=render(answer))],
        structured_content=answer.model_dump(mode="json", exclude_none=True),
    )


def _tool(spec: ToolSpec) -> Tool:
    tool = Tool.from_function(
        _translated(spec),
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
        icons=[icon(spec.icon)],
        meta={"ui": {"resourceUri": BOARD_URI}} if spec.board else None,
    )
    if tool.output_schema:
        _slim(tool.output_schema)
    _slim(tool.parameters)
    return tool


def _translated(spec: ToolSpec) -> Callable[..., Any]:
    """Wrap a tool: its model becomes text and structured content, its error a sentence."""

    @functools.wraps(spec.fn)
    async def call(**arguments: Any) -> CallToolResult:
        try:
            with anyio.fail_after(CALL_SECONDS):
                return _answered(await spec.fn(**arguments))
        except JobtrailError as error:
            return failed(str(error))
        except TimeoutError:
            return failed(
                f"the answer took longer than {CALL_SECONDS:g} s and was given up; ask for less: a smaller "
                "limit, a shorter window, or one job"
            )
        except Exception as error:  # noqa: BLE001 # the top: nothing may leak from here, nor end the server
            return failed(_bug(spec.fn.__name__, error))

    returns = Annotated[CallToolResult, spec.answer]
    signature = inspect.signature(spec.fn, eval_str=True)
    call.__signature__ = signature.replace(return_annotation=returns)  # pyright: ignore[reportAttributeAccessIssue] # the SDK reads it
    call.__annotations__ = {
        **{name: one.annotation for name, one in signature.parameters.items()},
        "return": returns,
    }
    return call


def _bug(tool: str, error: Exception) -> str:
    """Log where an unforeseen error came from, without its text, which may hold a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "?"
    logger.error("unforeseen %s in %s at %s", type(error).__name__, tool, where)
    return (
        f"{tool} failed inside Jobtrail ({type(error).__name__} at {where}); this is a fault of Jobtrail, "
        "not of the call. Another call may still work"
    )


def _slim(schema: dict[str, Any]) -> None:
    """Drop what costs an agent tokens and says nothing: generated titles, null alternatives, null defaults."""
    schema.pop("title", None)
    if schema.get("default", ...) is None:
        del schema["default"]
    either: list[dict[str, Any]] = schema.get("anyOf", [])
    options = [one for one in either if one != {"type": "null"}]
    if len(options) == 1:
        del schema["anyOf"]
        schema |= {**options[0], **schema}
    for key in ("properties", "$defs"):
        for part in schema.get(key, {}).values():
            _slim(part)
    if "items" in schema:
        _slim(schema["items"])
