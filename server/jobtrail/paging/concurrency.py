"""Calls run at the same time, with a bound on how many."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, TypeVar

import anyio

from jobtrail.errors import JobtrailError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

AT_ONCE = 4
"""The most requests that one source is sent at the same time."""

K = TypeVar("K")
T = TypeVar("T")


async def run_concurrently(
    calls: Mapping[K, Callable[[], Awaitable[T]]],
    limiter: Callable[[K], AbstractAsyncContextManager[None]] = lambda _key: nullcontext(),
    seconds: float | None = None,
) -> dict[K, T | JobtrailError]:
    """Run calls at the same time.

    Args:
        calls: by any key.
        limiter: returns what bounds the call of a key; omit it if the calls limit themselves.
        seconds: after which calls that have not returned are cancelled; None for no limit.

    Returns:
        By key, what the call returned or the `JobtrailError` it raised; cancelled calls are missing.
    """
    results: dict[K, T | JobtrailError] = {}

    async def make(key: K, call: Callable[[], Awaitable[T]]) -> None:
        try:
            async with limiter(key):
                results[key] = await call()
        except JobtrailError as error:
            results[key] = error

    with anyio.move_on_after(seconds):
        async with anyio.create_task_group() as group:
            for key, call in calls.items():
                group.start_soon(make, key, call)
    return results
