"""The network's edge: every request to an upstream is counted there, and some of them go wrong."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import format_datetime
from typing import TYPE_CHECKING

import anyio
import httpx2

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Generator, Sequence
    from datetime import datetime

__all__ = ["Edge", "Fault", "broken", "counted", "down", "dropped", "limited", "slow"]

SLOW_SECONDS = 0.3


@dataclass(frozen=True)
class Fault:
    """What goes wrong with some requests.

    Attributes:
        words: for people.
        happens: answers in the upstream's stead, raises, or returns None after a while.
        to: a part of the addresses it happens to.
        at: the numbers, from 1, of those requests that it happens to; none for all of them.
    """

    words: str
    happens: Callable[[httpx2.Request], Awaitable[httpx2.Response | None]]
    to: str = ""
    at: Collection[int] = ()


def limited(to: str = "", at: Collection[int] = (1,)) -> Fault:
    """Return a fault: the upstream limits its callers."""

    async def happens(_request: httpx2.Request) -> httpx2.Response | None:
        return httpx2.Response(429, json={"error": "too many requests"}, headers={"Retry-After": "1"})

    return Fault("429 with Retry-After", happens, to, at)


def broken(to: str = "", at: Collection[int] = (1,), words: str = "a 500") -> Fault:
    """Return a fault: the upstream fails."""

    async def happens(_request: httpx2.Request) -> httpx2.Response | None:
        return httpx2.Response(500, json={"error": "internal", "code": 500, "message": "internal error"})

    return Fault(words, happens, to, at)


def dropped(to: str = "", at: Collection[int] = (1,)) -> Fault:
    """Return a fault: the connection is dropped."""

    async def happens(request: httpx2.Request) -> httpx2.Response | None:
        raise httpx2.RemoteProtocolError("Server disconnected without sending a response.", request=request)

    return Fault("a dropped connection", happens, to, at)


def slow(to: str = "", at: Collection[int] = (1,)) -> Fault:
    """Return a fault: a page takes its time."""

    async def happens(_request: httpx2.Request) -> httpx2.Response | None:
        await anyio.sleep(SLOW_SECONDS)
        return None

    return Fault("a slow page", happens, to, at)


def down(host: str) -> Fault:
    """Return a fault: an upstream is not there at all."""

    async def happens(request: httpx2.Request) -> httpx2.Response | None:
        raise httpx2.ConnectError("Connection refused", request=request)

    return Fault(f"{host.partition('.')[0]} is down", happens, host)


class Edge(httpx2.AsyncBaseTransport):
    """A transport that counts what passes and lets faults happen to it.

    Args:
        inner: what answers where nothing goes wrong.
        faults: the first that is due happens.
        clock: the upstreams', where their answers tell the time.
    """

    def __init__(
        self,
        inner: httpx2.AsyncBaseTransport,
        faults: Sequence[Fault] = (),
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.requests = 0
        self._inner = inner
        self._clock = clock
        self._met = dict.fromkeys(faults, 0)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Count a request, and answer it or not."""
        self.requests += 1
        for fault in [fault for fault in self._met if fault.to in str(request.url)]:
            self._met[fault] += 1
            if fault.at and self._met[fault] not in fault.at:
                continue
            if (answer := await fault.happens(request)) is not None:
                return answer
        response = await self._inner.handle_async_request(request)
        if self._clock:
            response.headers["Date"] = format_datetime(self._clock(), usegmt=True)
        return response

    @property
    def spared(self) -> list[str]:
        """Which faults did not happen as often as they were to, for want of requests."""
        return [fault.words for fault, met in self._met.items() if met < max(fault.at, default=1)]

    async def aclose(self) -> None:
        """Close what is behind."""
        await self._inner.aclose()


class _Counter(logging.Handler):
    """Counts what the HTTP library says it has sent."""

    requests = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.requests += record.getMessage().startswith("HTTP Request:")


@contextmanager
def counted() -> Generator[_Counter]:
    """Count the requests of this process by the HTTP library's own log: those of an embedded source pass no edge."""
    logger, counter = logging.getLogger("httpx2"), _Counter()
    before = logger.level, logger.propagate
    logger.addHandler(counter)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield counter
    finally:
        logger.removeHandler(counter)
        logger.setLevel(before[0])
        logger.propagate = before[1]
