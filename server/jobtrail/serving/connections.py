"""Bounds what the connections of an HTTP server may cost, whoever opens them: their number, and how slow they may be.

A connection whose request has come keeps its place while it is answered. Of the others the oldest makes room for a
new one, so that a crowd of silent ones keeps nobody out.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from importlib import import_module
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

logger = logging.getLogger(__name__)

HEAD_SECONDS, BODY_SECONDS, STALLED_SECONDS = 5.0, 30.0, 30.0
"""What a request's head, its body, and a client that does not read its response may take."""

TO_COME = {
    h11.IDLE: (HEAD_SECONDS, "closed a connection that sent no whole request within %g s"),
    h11.SEND_BODY: (BODY_SECONDS, "closed a connection that sent no whole body within %g s"),
}
_MOST, _BACKLOG = 1_000, 128
_FILES_WANTED = 4_096
_LOG_SECONDS = 60.0
_STRANGERS = {__name__, "jobtrail.protocol.messages"}
"""What of Jobtrail logs what strangers do."""


def raise_file_limit() -> int:
    """Raise this process's limit of open files as far as is of use; return how many it may open, or may use."""
    try:
        resource: Any = import_module("resource")
    except ImportError:
        # Windows has no such limit.
        return _FILES_WANTED
    soft, hard = (
        _FILES_WANTED if limit == resource.RLIM_INFINITY else limit
        for limit in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    wanted = min(hard, _FILES_WANTED)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return wanted


class RepeatsFilter(logging.Filter):
    """Logs once a minute what strangers can cause again and again, with how many of its kind there were since."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[object, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a record; the rest of Jobtrail says only what it means to."""
        if record.name.startswith("jobtrail.") and record.name not in _STRANGERS:
            return True
        # A message that is not made of a template and arguments may be another each time.
        said = record.msg if record.args else None
        kind = (record.pathname, record.lineno, said, record.exc_info and record.exc_info[0])
        now = time.monotonic()
        shown, missed = self._kinds.get(kind, (-_LOG_SECONDS, 0))
        if now - shown < _LOG_SECONDS:
            self._kinds[kind] = (shown, missed + 1)
            return False
        self._kinds[kind] = (now, 0)
        if missed:
            record.msg, record.args = f"{record.getMessage()} ({missed:,} more since the last time)", ()
        return True


def limit_log() -> None:
    """Filter what this process logs."""
    repeats = RepeatsFilter()
    for handler in logging.getLogger().handlers:
        handler.addFilter(repeats)


class BoundedProtocol(H11Protocol):
    """uvicorn's connection, with time limits until a request has come and while its response is not read.

    Attributes:
        most: how many of a server's there may be at once.
        waiting: those of a server whose request is still to come, oldest first.
    """

    most: int
    waiting: OrderedDict[BoundedProtocol, None]

    # None until the first request of the connection has begun, which uvicorn does not declare.
    cycle: Any
    _arrival: asyncio.TimerHandle | None = None
    _reader: asyncio.TimerHandle | None = None
    _awaits: Any = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] # as uvicorn's
        """Take a place, or the oldest waiting one's where none is free."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            crowded = next(iter(self.waiting), self)
            crowded.drop("closed a connection to make room: %d are open", self.most)
        if self in self.connections:
            self._note_progress()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._arrival, self._reader = _stop(self._arrival), _stop(self._reader)
        self.waiting.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read a part of a request."""
        begins = not self.conn.trailing_data[0]
        super().data_received(data)
        self._note_progress(begins=begins)

    def on_response_complete(self) -> None:
        """Wait for the next request; uvicorn closes the connection in silence if none begins soon."""
        super().on_response_complete()
        self._note_progress()
        if self.conn.their_state is h11.IDLE:
            self._arrival = _stop(self._arrival)
        if self._reader is None:
            self._watch_reader()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, unless a response is under way: then the connection ends without another."""
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            super().send_400_response(msg)
        else:
            self.transport.close()

    def _should_upgrade(self) -> bool:
        """Answer in HTTP whatever else a client could speak (RFC 9110, section 7.8)."""
        return False

    def pause_writing(self) -> None:
        """Bound how long a response that is not read is kept."""
        super().pause_writing()
        if self._reader is None:
            self._watch_reader()

    def _watch_reader(self, unread: int | None = None) -> None:
        """Give a connection up whose client has read nothing of its response since the last look at it."""
        self._reader = None
        left = self.transport.get_write_buffer_size()
        if left and left == unread:
            self.drop("closed a connection whose client did not read for %g s", STALLED_SECONDS)
        elif left:
            self._reader = self.loop.call_later(STALLED_SECONDS, self._watch_reader, left)

    def _note_progress(self, *, begins: bool = False) -> None:
        """Note whether a whole request has come, and start the time limit of what is waited for, unless it runs."""
        awaits = self.conn.their_state
        # The first request of a connection may have no beginning that can be read.
        if awaits in TO_COME or self.cycle is None or self.cycle.response_complete:
            self.waiting.setdefault(self)
        else:
            self.waiting.pop(self, None)
        if awaits is self._awaits and not (begins and awaits is h11.IDLE):
            return
        self._awaits = awaits
        self._arrival = _stop(self._arrival)
        if awaits in TO_COME:
            seconds, why = TO_COME[awaits]
            self._arrival = self.loop.call_later(seconds, self.drop, why, seconds)

    def drop(self, why: str, number: float) -> None:
        """Close the connection at once, and say why."""
        logger.warning(why, number)
        self.waiting.pop(self, None)
        self.connections.discard(self)
        self._arrival, self._reader = _stop(self._arrival), _stop(self._reader)
        self.transport.abort()


def _stop(timer: asyncio.TimerHandle | None) -> None:
    """Stop a timer if it runs; there is none then."""
    if timer is not None:
        timer.cancel()


def bound_connections(files: int) -> dict[str, Any]:
    """Return the settings of uvicorn that bound a server's connections, for a process that may open so many files."""
    # The other half is for those just accepted, the sources and the store.
    most = max(1, min(_MOST, files // 2))
    protocol = type("Connection", (BoundedProtocol,), {"most": most, "waiting": OrderedDict()})
    # The event loop accepts a whole backlog before any of it is counted.
    return {"http": protocol, "ws": "none", "backlog": max(1, min(_BACKLOG, files // 16))}
