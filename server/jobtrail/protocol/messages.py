"""Answers what is no JSON-RPC message, the same over every transport: the SDK drops some of it in silence."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import anyio
from mcp.server.transport_security import DEFAULT_MAX_REQUEST_BODY_SIZE, RequestBodyLimitMiddleware
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp.types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError, jsonrpc_message_adapter
from pydantic import ValidationError
from pydantic_core import from_json
from starlette.responses import Response

from jobtrail.text import sanitize_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
    from contextvars import Context
    from types import TracebackType
    from typing import Self

    from mcp.shared._stream_protocols import ReadStream, WriteStream
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

_REFUSAL = "jobtrail.refusal"
"""In the scope of a request: how its message is answered on the stream of its connection."""
_NOTHING = b'{"jsonrpc":"2.0","method":"notifications/refused"}'


@dataclass(frozen=True)
class Refusal:
    """How something that is no message is answered.

    Attributes:
        error: JSON-RPC 2.0, section 5.1.
        responds: whether it would be a response, which nobody waits to hear about.
    """

    error: JSONRPCError
    responds: bool = False


def find_refusal(text: str | bytes) -> Refusal | None:
    """Return how a text that is no message is answered; None for a message. Who sent it cannot always be told."""
    refusal = _judge(text)
    if refusal is not None and refusal.responds:
        logger.warning("dropped a response that is no JSON-RPC")
    elif refusal is not None and refusal.error.id is None:
        logger.warning("refused what is no JSON-RPC: %s", refusal.error.error.message)
    return refusal


def _judge(text: str | bytes) -> Refusal | None:
    try:
        message: Any = from_json(text)
    except ValueError as error:
        return _refuse(None, f"Parse error: {sanitize_text(str(error))}", PARSE_ERROR)
    if not isinstance(message, dict):
        return _refuse(None, "Invalid request: give one object; there are no batches")
    fields = cast("dict[str, Any]", message)
    responds = "method" not in fields and not fields.keys().isdisjoint({"result", "error"})
    identity = fields.get("id")
    fits = isinstance(identity, int | str) and not isinstance(identity, bool)
    if "id" in fields and not fits and not responds:
        return _refuse(None, "Invalid request: id must be a text or a whole number")
    try:
        jsonrpc_message_adapter.validate_python(fields, by_name=False)
    except ValidationError:
        if responds:
            return Refusal(_refuse(None, "Invalid response: it was dropped").error, responds=True)
        what = 'Invalid request: give jsonrpc "2.0", a method, and params as an object where there are any'
        return _refuse(identity, what)
    return None


def _refuse(identity: str | int | None, message: str, code: int = INVALID_REQUEST) -> Refusal:
    return Refusal(JSONRPCError(jsonrpc="2.0", id=identity, error=ErrorData(code=code, message=message)))


class MessageLines:
    """Lines of stdin that are messages.

    Attributes:
        refuse: sends an error.
    """

    def __init__(self, stdin: AsyncIterable[str]) -> None:
        self._stdin = stdin
        self.refuse: Callable[[SessionMessage], Awaitable[None]] | None = None

    async def __aiter__(self) -> AsyncIterator[str]:
        async for line in self._stdin:
            refusal = find_refusal(line) if line.strip() else None
            if refusal is None:
                yield line
            elif self.refuse is not None and not refusal.responds:
                await self.refuse(SessionMessage(refusal.error))


class MessageEndpoint:
    """ASGI middleware that reads what is POSTed to a path, and answers what is no message.

    Args:
        app: the SDK's; it gets whole messages only. Its own responses pass through as they come.
        path: of the endpoint.
        streams: whether answers go to the stream of a connection, where `MessageStream` sends them; the SDK then
            gets a notification of nothing in place of the message, and answers this request as any other.
    """

    def __init__(self, app: ASGIApp, path: str, *, streams: bool) -> None:
        self._app = app
        self._path = path
        self._streams = streams
        self._read = RequestBodyLimitMiddleware(self._check, DEFAULT_MAX_REQUEST_BODY_SIZE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is a message, and what is meant for another path."""
        posted = scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == self._path
        await (self._read if posted else self._app)(scope, receive, send)

    async def _check(self, scope: Scope, receive: Receive, send: Send) -> None:
        whole = await receive()
        if whole["type"] != "http.request" or whole["more_body"]:
            # The client has gone, or what it sends is no HTTP: there is nobody to answer.
            return
        refusal = find_refusal(whole["body"])
        if refusal is not None and (refusal.responds or not self._streams):
            await Response(_write(refusal.error), 400, media_type="application/json")(scope, receive, send)
            return
        if refusal is not None:
            scope, whole = {**scope, _REFUSAL: refusal.error}, {**whole, "body": _NOTHING}
        messages = iter([whole])

        async def replay() -> Message:
            return next(messages, None) or await receive()

        await self._app(scope, replay, send)


def _write(error: JSONRPCError) -> str:
    return error.model_dump_json(by_alias=True, exclude_unset=True)


class MessageStream:
    """The messages of a connection with a stream, without what `MessageEndpoint` refused, which is answered there."""

    def __init__(self, received: ReadStream[SessionMessage | Exception], sent: WriteStream[SessionMessage]) -> None:
        self._received = received
        self._sent = sent

    @property
    def last_context(self) -> Context | None:
        """The context in which the last message was sent."""
        return getattr(self._received, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        """Return the next message.

        Raises:
            EndOfStream: there is none.
        """
        while (error := _find_refused(message := await self._received.receive())) is not None:
            await self._sent.send(SessionMessage(error))
        return message

    async def aclose(self) -> None:
        """End reading."""
        await self._received.aclose()

    async def __aenter__(self) -> Self:
        """Begin to read."""
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        """End reading."""
        await self.aclose()

    def __aiter__(self) -> Self:
        """Read on."""
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        """Return the next message."""
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None


def _find_refused(message: SessionMessage | Exception) -> JSONRPCError | None:
    metadata = None if isinstance(message, Exception) else message.metadata
    request: Any = metadata.request_context if isinstance(metadata, ServerMessageMetadata) else None
    return None if request is None else request.scope.get(_REFUSAL)
