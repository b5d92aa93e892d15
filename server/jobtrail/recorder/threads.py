"""Calls that may block for ever, in threads that do not keep this process from ending."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def run_in_daemon_thread(function: Callable[[], T]) -> T:
    """Run a function in a thread of its own, and return what it does; a cancellation abandons the thread.

    The worker threads of anyio are waited for when the interpreter ends, even the abandoned ones.
    """
    outcome: Future[T] = Future()
    # From now on it cannot be cancelled, only abandoned.
    outcome.set_running_or_notify_cancel()

    def run() -> None:
        try:
            outcome.set_result(function())
        except BaseException as error:  # noqa: BLE001 # raised again where the outcome is awaited
            outcome.set_exception(error)

    Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(outcome)
