"""Serves an ASGI app on a port until SIGINT or SIGTERM."""

from __future__ import annotations

import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

from jobtrail.errors import SettingsError
from jobtrail.serving.access import bracket_ipv6

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    import uvicorn
    from anyio.abc import TaskStatus
    from starlette.types import ASGIApp

    from jobtrail.serving.access import HttpBind

_GRACE_SECONDS = 2


def run_app(app: ASGIApp, bind: HttpBind, ready: Callable[[str], None]) -> int:
    """Serve an app until SIGINT or SIGTERM; return the exit code.

    Args:
        app: the ASGI app.
        bind: where to listen; port 0 takes any free one.
        ready: called with the base URL once the socket listens.

    Raises:
        SettingsError: the address cannot be listened on.
    """
    import uvicorn  # noqa: PLC0415 # stdio does not need it

    from jobtrail.serving import connections  # noqa: PLC0415 # likewise

    listener = _listen(bind)
    connections.limit_log()
    config = uvicorn.Config(
        app,
        **connections.bound_connections(connections.raise_file_limit()),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    url = f"http://{bracket_ipv6(bind.host)}:{listener.getsockname()[1]}"

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Generator[None]:
            """Leave signals to `serve`: uvicorn would raise them again after a clean end."""
            yield

    server = Server(config)

    async def serve() -> None:
        async with anyio.create_task_group() as group:
            await group.start(_stop_on_signal, server)
            ready(url)
            await server.serve(sockets=[listener])
            group.cancel_scope.cancel()

    anyio.run(serve)
    return 0


async def _stop_on_signal(server: uvicorn.Server, *, task_status: TaskStatus[None]) -> None:
    async for number in receive_signals(task_status.started):
        # The second one does not wait for requests under way.
        server.force_exit = server.should_exit
        # sse-starlette hooks into this method: open event streams end by themselves.
        server.handle_exit(number, None)


def _listen(bind: HttpBind) -> socket.socket:
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    # Named, since asyncio turns off Nagle's delay (40 ms an answer) only where the protocol is.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((bind.host.strip("[]"), bind.port))
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"cannot listen on {bind.host}:{bind.port} ({error.strerror}); give another --host or --port, "
            "--port 0 for any free one"
        ) from None
    listener.listen(128)
    return listener


async def receive_signals(listening: Callable[[], None] = lambda: None) -> AsyncGenerator[int]:
    """Yield each SIGINT and SIGTERM; none on Windows, whose event loop has no signal handlers.

    Args:
        listening: called as soon as a signal would be heard.
    """
    try:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            listening()
            async for number in signals:
                yield number
    except NotImplementedError:
        # There Ctrl-C raises KeyboardInterrupt, and ending the process needs no leave of ours.
        listening()
