"""The MCP server: lifespan, registration, error translation; nothing else."""

from __future__ import annotations

import functools
import inspect
import logging
import traceback
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, cast

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, CallToolResult, TextContent, ToolAnnotations
from pydantic import ValidationError

from jobtrail import __version__
from jobtrail.errors import JobtrailError, clean, closest, shown
from jobtrail.prompts import add_prompts
from jobtrail.render import render
from jobtrail.sources import open_sources
from jobtrail.tools import TOOLS, State, ToolSpec
from jobtrail.window import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    import httpx2
    from mcp.types import GetPromptResult, InputRequiredResult
    from pydantic import BaseModel

    from jobtrail.settings import Settings

__all__ = ["build_server"]

logger = logging.getLogger(__name__)

CALL_SECONDS = 50.0
"""What one call may take: desktop clients give up at about 60 s."""

_INSTRUCTIONS = """\
Jobtrail answers what ran, what failed and why, over {sources}. It only reads.
"What broke?": find_failures, across all sources. "Is it getting worse?": history. "Is it done?": wait_for.
To look around begin with list_jobs. Kind job: list_executions, then get_execution (causes), then list_tasks. \
Kind task or service: list_runs, then get_run. read_log shows logs.
Every list says how much it covers. When it ends in a line `more:`, make exactly that call to go on; \
a cursor is given alone. Say "nothing failed" only when an answer is complete.\
"""


def build_server(
    settings: Settings, transport: httpx2.AsyncBaseTransport | None = None, clock: Clock | None = None
) -> MCPServer[State]:
    """Return the server over the configured sources.

    Args:
        settings: which sources there are.
        transport: the network edge of every source but the embedded one, where tests stand in for it.
        clock: where now comes from; the machine's clock unless given.
    """
    clock = clock or Clock(settings.zone(), settings.timezone)

    @asynccontextmanager
    async def lifespan(_server: MCPServer[State]) -> AsyncGenerator[State]:
        sources = open_sources(settings, transport, clock)
        try:
            yield State(sources, clock)
        finally:
            with anyio.CancelScope(shield=True):
                await sources.aclose()

    names = ", ".join(f"{one.name} ({one.kind})" for one in settings.sources)
    server = _Server(
        name="jobtrail",
        title="Jobtrail",
        version=__version__,
        instructions=_INSTRUCTIONS.format(sources=f"{names}; default {settings.default}"),
        tools=[_tool(spec) for spec in TOOLS],
        lifespan=lifespan,
        log_level=settings.log_level,
    )
    add_prompts(server)
    return server


class _Server(MCPServer[State]):
    """The SDK's server with our sentences for arguments that fit no schema."""

    def __init__(self, *, tools: list[Tool], **options: Any) -> None:
        super().__init__(tools=tools, **options)
        self._accepted = {tool.name: tuple(tool.parameters.get("properties", {})) for tool in tools}

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[State] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool; a misspelt argument is an error here, where the SDK would drop it in silence."""
        accepted = self._accepted.get(name)
        if accepted is None:
            near = closest(name, self._accepted)
            known = ", ".join(self._accepted)
            return _failed(f"there is no tool {shown(name)}; {_did_you_mean(near)}there are {known}")
        for given, value in arguments.items():
            if given not in accepted:
                near = closest(given, accepted)
                hint = f"{_did_you_mean(near)}it takes {', '.join(accepted)}"
                return _failed(f"{name} has no argument {shown(given)}; {hint}")
            if not _is_unicode(value):
                return _failed(
                    f"{name}: {given} holds a lone surrogate, which is no text; give it as a list shows it"
                )
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            if isinstance(error.__cause__, ValidationError):
                return _failed(_misfit(name, error.__cause__))
            raise

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[State] | None = None
    ) -> GetPromptResult | InputRequiredResult:
        """Fill a prompt; what is wrong with the request is said, where the SDK would call it an internal error."""
        prompts = {prompt.name: prompt for prompt in await self.list_prompts()}
        if name not in prompts:
            hint = _did_you_mean(closest(name, prompts))
            raise MCPError(INVALID_PARAMS, f"there is no prompt {shown(name)}; {hint}there are {', '.join(prompts)}")
        accepted = {one.name: bool(one.required) for one in prompts[name].arguments or []}
        for given in arguments or {}:
            if given not in accepted:
                raise MCPError(
                    INVALID_PARAMS, f"{name} has no argument {shown(given)}; it takes {', '.join(accepted)}"
                )
        missing = [one for one, required in accepted.items() if required and not (arguments or {}).get(one)]
        if missing:
            raise MCPError(INVALID_PARAMS, f"prompt {name} needs {', '.join(missing)}")
        return await super().get_prompt(name, arguments, context)


def _is_unicode(value: Any) -> bool:
    """Return whether a text can be written as UTF-8: a lone surrogate cannot, and JSON can spell one."""
    try:
        ("".join(map(str, cast("list[object]", value))) if isinstance(value, list) else str(value)).encode()
    except UnicodeEncodeError:
        return False
    return True


def _did_you_mean(near: Any) -> str:
    return f"did you mean {near[0]}? " if near else ""


def _misfit(tool: str, error: ValidationError) -> str:
    """Return which argument has which wrong type, without pydantic's links."""
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"][:1])
    return f"{tool}: {name}={shown(first['input'])} does not fit: {clean(first['msg'])}"


def _answered(answer: BaseModel) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=render(answer))],
        structured_content=answer.model_dump(mode="json", exclude_none=True),
    )


def _failed(message: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=message)], is_error=True)


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
            return _failed(str(error))
        except TimeoutError:
            return _failed(
                f"the answer took longer than {CALL_SECONDS:g} s and was given up; ask for less: a smaller "
                "limit, a shorter window, or one job"
            )
        except Exception as error:  # noqa: BLE001 # the top: nothing may leak from here, nor end the server
            return _failed(_bug(spec.fn.__name__, error))

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
