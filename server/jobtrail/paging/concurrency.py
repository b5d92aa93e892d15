"""Reads at the same time, with a bound."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, TypeVar

import anyio

from jobtrail.errors import JobtrailError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

AT_ONCE = 4
"""Requests that one source is sent at the same time at most."""

K = TypeVar("K")
T = TypeVar("T")


async def together(
    calls: Mapping[K, Callable[[], Awaitable[T]]],
    lane: Callable[[K], AbstractAsyncContextManager[None]] = lambda _key: nullcontext(),
    seconds: float | None = None,
) -> dict[K, T | JobtrailError]:
    """Make calls at the same time, as many as a limiter lets.

    Args:
        calls: by a key of the caller's.
        lane: the limiter that a call has to pass, where nothing it calls has one.
        seconds: after which calls that have not returned are abandoned.

    Returns:
        What each call returned, or the foreseen error that it raised; nothing for one that was abandoned.
    """
    results: dict[K, T | JobtrailError] = {}

    async def make(key: K, call: Callable[[], Awaitable[T]]) -> None:
        try:
            async with lane(key):
                results[key] = await call()
        except JobtrailError as error:
            results[key] = error

    with anyio.move_on_after(seconds):
        async with anyio.create_task_group() as group:
            for key, call in calls.items():
                group.start_soon(make, key, call)
    return results
