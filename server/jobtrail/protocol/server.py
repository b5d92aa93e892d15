"""Defines `JobtrailServer`, the SDK's MCP server with our error messages, resources, completion and subscriptions."""

from __future__ import annotations

import logging
import traceback
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import anyio
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from mcp.server.subscriptions import ListenHandler, ResourceUpdated
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    EmptyResult,
    Resource,
    ResourceTemplate,
    ResourceTemplateReference,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    TextContent,
    UnsubscribeRequestParams,
)
from pydantic import ValidationError

from jobtrail.errors import AgentError, BadArgument, JobtrailError, MissingArgument
from jobtrail.protocol.deferred import DeferredPrompts, DeferredTools
from jobtrail.protocol.icons import make_icon
from jobtrail.protocol.resources.addresses import FORMATS, SCHEME, TEMPLATES, Address
from jobtrail.text import find_closest, quote_unless_word, quote_value, sanitize_text
from jobtrail.vocabulary import rename_earlier

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from anyio.abc import TaskGroup
    from mcp.server.connection import Connection
    from mcp.server.context import CallNext, HandlerResult
    from mcp.server.mcpserver.tools import Tool
    from mcp.server.session import ServerSession
    from mcp.server.subscriptions import SubscriptionBus
    from mcp.shared._stream_protocols import ReadStream, WriteStream
    from mcp.shared.message import SessionMessage
    from mcp.types import GetPromptResult, InputRequiredResult, SubscriptionsListenResult
    from pydantic.networks import AnyUrl

    from jobtrail.models import FrozenModel
    from jobtrail.protocol.completion import NameCompleter
    from jobtrail.protocol.resources.watching import ResourceWatcher
    from jobtrail.sources import Sources
    from jobtrail.tools import ServerState
    from jobtrail.window import Clock

    Lifespan = Callable[[MCPServer["ProtocolState"]], AbstractAsyncContextManager["ProtocolState"]]
    Ask = Callable[[str, Mapping[str, Any]], Awaitable[FrozenModel]]

logger = logging.getLogger(__name__)

_WATCHES = "jobtrail.watches"
"""In a connection's state: whether what it watches is given up when it ends."""

CALL_SECONDS = 50.0
"""What one call may take: desktop clients give up at about 60 s."""


@dataclass(frozen=True)
class ProtocolState:
    """What lives as long as the server: what tools use (see `tools.ServerState`), and what the rest of MCP needs.

    What is imported in here is what a server need not load before it answers `initialize`.
    """

    sources: Sources
    clock: Clock
    group: TaskGroup
    bus: SubscriptionBus

    @cached_property
    def watcher(self) -> ResourceWatcher:
        """What watches resources."""
        from jobtrail.protocol.resources.watching import ResourceWatcher  # noqa: PLC0415 # see the class

        return ResourceWatcher(self.sources, self.group, lambda uri: self.bus.publish(ResourceUpdated(uri)))

    @cached_property
    def completer(self) -> NameCompleter:
        """What completes names."""
        from jobtrail.protocol.completion import NameCompleter  # noqa: PLC0415 # see the class

        return NameCompleter(self.sources, self.clock, self.group)


class JobtrailServer(MCPServer[ProtocolState]):
    """The SDK's server with our tools, prompts, resources and sentences, completion, and subscriptions in both eras.

    Args:
        sources: the names of the sources.
        lifespan: makes its state.
        bus: carries changes to `subscriptions/listen` streams.
        options: of the SDK's server.
    """

    def __init__(self, *, sources: Sequence[str], lifespan: Lifespan, bus: SubscriptionBus, **options: Any) -> None:
        self._jobs = [
            Resource(
                uri=str(Address(name, "jobs")),
                name=f"jobs-{name}",
                title=f"Jobs of {name}",
                description=f"The jobs, scheduled tasks and services of source {name}.",
                mime_type="text/plain",
                icons=[make_icon("jobs")],
            )
            for name in sources
        ]
        self._open_state = lifespan
        self._shared: ProtocolState | None = None
        super().__init__(
            subscriptions=bus,
            lifespan=self._lend_state,
            middleware=[_quote_echoes, _advertise_what_works],
            **options,
        )
        self._tool_manager = DeferredTools("jobtrail.protocol.tools:make_tools")
        self._prompt_manager = DeferredPrompts("jobtrail.protocol.prompts:make_prompts")
        self._listen_handler = ListenHandler(bus)
        # MCPServer has no decorator for these, or one that passes no context.
        add = self._lowlevel_server.add_request_handler
        add("completion/complete", CompleteRequestParams, self._complete)
        add("resources/subscribe", SubscribeRequestParams, self._subscribe)
        add("resources/unsubscribe", UnsubscribeRequestParams, self._unsubscribe)
        add("subscriptions/listen", SubscriptionsListenRequestParams, self._listen)

    async def run_streams(
        self, received: ReadStream[SessionMessage | Exception], sent: WriteStream[SessionMessage]
    ) -> None:
        """Serve one client over two streams until the first one ends."""
        options = self._lowlevel_server.create_initialization_options()
        await self._lowlevel_server.run(received, sent, options)

    @asynccontextmanager
    async def share_state(self) -> AsyncGenerator[None]:
        """Let all connections made meanwhile use one state: the SDK's SSE app would open one for each."""
        async with self._open_state(self) as state:
            self._shared = state
            try:
                yield
            finally:
                self._shared = None

    @asynccontextmanager
    async def _lend_state(self, _server: MCPServer[ProtocolState]) -> AsyncGenerator[ProtocolState]:
        """Yield the shared state, or one of its own to a single connection."""
        if self._shared is not None:
            yield self._shared
            return
        async with self._open_state(self) as state:
            yield state

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[ProtocolState] | None = None
    ) -> CallToolResult:
        """Call a tool: its answer becomes text and structured content, its error a sentence."""
        from jobtrail.rendering.answers import render  # noqa: PLC0415 # as in ProtocolState

        try:
            answer = await self._call(name, arguments, context or Context(mcp_server=self))
        except JobtrailError as error:
            return CallToolResult(content=[TextContent(type="text", text=str(error))], is_error=True)
        return CallToolResult(
            content=[TextContent(type="text", text=render(answer))],
            structured_content=answer.to_wire(),
        )

    @asynccontextmanager
    async def connect_in_process(self, tell: Callable[[str], None]) -> AsyncGenerator[Ask]:
        """Yield a function that calls a tool in this process and returns its answer or raises a `JobtrailError`.

        Args:
            tell: called with how far a call has come.
        """
        async with self._lend_state(self) as served:
            request = ServerRequestContext(
                session=cast("ServerSession", _ProgressListener(tell)),
                lifespan_context=served,
                protocol_version="",
                method="tools/call",
            )

            async def ask(name: str, arguments: Mapping[str, Any]) -> FrozenModel:
                return await self._call(name, arguments, Context(request_context=request, mcp_server=self))

            yield ask

    async def _call(self, name: str, arguments: Mapping[str, Any], context: Context[ProtocolState]) -> FrozenModel:
        """Return a tool's answer.

        Raises:
            JobtrailError: the call failed, whatever the reason.
        """
        from jobtrail.protocol.arguments import complete_call, read_arguments  # noqa: PLC0415 # as in ProtocolState

        tool = self._find_tool(name)
        try:
            given = read_arguments(tool, arguments)
            with anyio.fail_after(CALL_SECONDS):
                return await self._tool_manager.call_tool(name, given, context)
        except (JobtrailError, ToolError, TimeoutError) as error:
            found = _translate_error(name, error.__cause__ or error)
            if isinstance(found, MissingArgument):
                found.add_example(complete_call(name, tool.description, arguments, found.argument))
            raise found from None

    def _find_tool(self, name: str) -> Tool:
        tool = self._tool_manager.get_tool(name)
        if tool is None:
            known = [one.name for one in self._tool_manager.list_tools()]
            raise BadArgument(
                f"there is no tool {quote_value(name)}",
                closest=find_closest(name, known, 1),
                advice=f"there are {', '.join(known)}",
            )
        return tool

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[ProtocolState] | None = None
    ) -> GetPromptResult | InputRequiredResult:
        """Fill a prompt; a wrong request gets a sentence, where the SDK would answer with an internal error."""
        prompts = {prompt.name: prompt for prompt in await self.list_prompts()}
        if name not in prompts:
            error = BadArgument(
                f"there is no prompt {quote_value(name)}",
                closest=find_closest(name, prompts, 1),
                advice=f"there are {', '.join(prompts)}",
            )
            raise MCPError(INVALID_PARAMS, str(error))
        accepted = {one.name: bool(one.required) for one in prompts[name].arguments or []}
        given = rename_earlier(arguments or {}, accepted)
        if unknown := next((one for one in given if one not in accepted), None):
            raise MCPError(
                INVALID_PARAMS, f"{name} has no argument {quote_value(unknown)}; it takes {', '.join(accepted)}"
            )
        missing = [one for one, required in accepted.items() if required and not given.get(one)]
        if missing:
            raise MCPError(INVALID_PARAMS, f"prompt {name} needs {', '.join(missing)}")
        return await super().get_prompt(name, given, context)

    async def list_resources(self) -> list[Resource]:
        """List the board, and the jobs of each source."""
        return [*await super().list_resources(), *self._jobs]

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        """List the kinds of addresses."""
        return [
            ResourceTemplate(
                uri_template=one.uri,
                name=one.kind,
                title=one.title,
                description=one.about,
                mime_type="text/plain",
                icons=[make_icon(one.icon)],
            )
            for one in TEMPLATES
        ]

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[ProtocolState] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """Read a resource; an address of ours is a tool's answer in another form."""
        if context is None or not str(uri).startswith(f"{SCHEME}://"):
            try:
                return await super().read_resource(uri, context)
            except ResourceNotFoundError:
                raise ResourceNotFoundError(f"{quote_value(str(uri))} is no resource of this server") from None
        from jobtrail.protocol.resources.reading import read_resource  # noqa: PLC0415 # as in ProtocolState

        with _raise_protocol_errors(str(uri)):
            text, mime = await read_resource(Address.parse(str(uri)), cast("Context[ServerState]", context))
        return [ReadResourceContents(text, mime)]

    async def _complete(
        self, ctx: ServerRequestContext[ProtocolState], params: CompleteRequestParams
    ) -> CompleteResult:
        known = (params.context and params.context.arguments) or {}
        name = params.argument.name
        if isinstance(params.ref, ResourceTemplateReference):
            kinds = {one.uri: one.kind for one in TEMPLATES}
            name = kinds.get(params.ref.uri, "") if name == "id" else name
            if name == "format":
                values = [one for one in FORMATS if one.startswith(params.argument.value.lower())]
                return CompleteResult(completion=Completion(values=values, total=len(values), has_more=False))
        elif name == "job" and self._asks_for_run(params.ref.name):
            name = "scheduled"
        found = await ctx.lifespan_context.completer.complete(name, params.argument.value, known)
        total = None if found.more else len(found.values)
        return CompleteResult(completion=Completion(values=[*found.values], total=total, has_more=found.more))

    def _asks_for_run(self, prompt: str) -> bool:
        """Return whether a prompt takes a run, so that its job is one that has runs."""
        found = self._prompt_manager.get_prompt(prompt)
        return found is not None and any(one.name == "run" for one in found.arguments or ())

    async def _subscribe(
        self, ctx: ServerRequestContext[ProtocolState], params: SubscribeRequestParams
    ) -> EmptyResult:
        """Watch a resource for a client of the 2025 protocols, until it unsubscribes or its connection ends."""
        connection, watcher = _get_connection(ctx), ctx.lifespan_context.watcher
        if not connection.has_standalone_channel:
            raise MCPError(
                INVALID_PARAMS,
                "this connection has no stream for updates: subscribe over stdio or SSE, or with protocol 2026-07-28",
            )
        with _raise_protocol_errors(params.uri):
            await watcher.watch(params.uri, connection, connection.send_resource_updated)
        if not connection.state.setdefault(_WATCHES, False):
            connection.state[_WATCHES] = True
            connection.exit_stack.callback(watcher.unwatch_all, connection)
        return EmptyResult()

    async def _unsubscribe(
        self, ctx: ServerRequestContext[ProtocolState], params: UnsubscribeRequestParams
    ) -> EmptyResult:
        ctx.lifespan_context.watcher.unwatch(params.uri, _get_connection(ctx))
        return EmptyResult()

    async def _listen(
        self, ctx: ServerRequestContext[ProtocolState], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Watch resources for a client of the 2026 protocol, as long as its stream is open."""
        watcher, holder = ctx.lifespan_context.watcher, object()
        uris = [str(uri) for uri in params.notifications.resource_subscriptions or ()]
        ours = [uri for uri in uris if uri.startswith(f"{SCHEME}://")]
        try:
            for uri in ours:
                with _raise_protocol_errors(uri):
                    await watcher.watch(uri, holder)
            return await self._listen_handler(ctx, params)
        finally:
            for uri in ours:
                watcher.unwatch(uri, holder)


async def _advertise_what_works(ctx: ServerRequestContext[Any], call_next: CallNext) -> HandlerResult:
    """Take subscribing out of what `initialize` offers where no update could reach the client."""
    result = await call_next(ctx)
    if ctx.method == "initialize" and isinstance(result, dict) and not _get_connection(ctx).has_standalone_channel:
        result["capabilities"]["resources"]["subscribe"] = False
    return result


async def _quote_echoes(ctx: ServerRequestContext[Any], call_next: CallNext) -> HandlerResult:
    """Quote what the data of an error gives back of a request: the SDK repeats a method or address as it came."""
    try:
        return await call_next(ctx)
    except MCPError as error:
        raise MCPError(error.error.code, error.error.message, _quote_texts(error.error.data)) from None


def _quote_texts(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: _quote_texts(value) for name, value in cast("dict[str, Any]", data).items()}
    return quote_unless_word(data) if isinstance(data, str) and data else data


def _get_connection(ctx: ServerRequestContext[ProtocolState]) -> Connection:
    return ctx.session._connection  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] # the SDK gives handlers no other way to its end


@contextmanager
def _raise_protocol_errors(uri: str) -> Generator[None]:
    """Raise a failure to read a resource as a protocol error with the same sentence."""
    try:
        yield
    except JobtrailError as error:
        code = INVALID_PARAMS if isinstance(error, AgentError) else INTERNAL_ERROR
        raise MCPError(code, str(error), data={"uri": uri}) from None


@dataclass(frozen=True)
class _ProgressListener:
    """Takes the place of a client's session for a call made in this process: it receives progress."""

    tell: Callable[[str], None]

    async def report_progress(
        self, _progress: float, _total: float | None = None, message: str | None = None
    ) -> None:
        self.tell(message or "")


def _translate_error(tool: str, error: BaseException) -> JobtrailError:
    """Return what a tool raised as an error with a sentence for the caller."""
    match error:
        case JobtrailError():
            return error
        case ValidationError():
            return BadArgument(_write_misfit(tool, error))
        case TimeoutError():
            return JobtrailError(
                f"the answer took longer than {CALL_SECONDS:g} s and was given up; ask for less: a smaller "
                "limit, a shorter window, or one job"
            )
        case _:
            return JobtrailError(_report_bug(tool, error))


def _report_bug(tool: str, error: BaseException) -> str:
    """Log where an unforeseen error came from, without its text, which may hold a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "?"
    logger.error("unforeseen %s in %s at %s", type(error).__name__, tool, where)
    return (
        f"{tool} failed inside Jobtrail ({type(error).__name__} at {where}); this is a fault of Jobtrail, "
        "not of the call. Another call may still work"
    )


def _write_misfit(tool: str, error: ValidationError) -> str:
    """Return which argument has which wrong type, without pydantic's links."""
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"][:1])
    return f"{tool}: {name}={quote_value(first['input'])} does not fit: {sanitize_text(first['msg'])}"
