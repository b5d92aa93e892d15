"""The plane on a port, for clients that are not ours."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from starlette.types import ASGIApp


@contextmanager
def serve_app(app: ASGIApp, *, on: Path | None = None) -> Generator[str]:
    """Serve an app by uvicorn in a thread, and return its URL.

    Args:
        app: what is served.
        on: a Unix socket that does not exist yet; a free port otherwise.
    """
    uds = str(on) if on else None
    config = uvicorn.Config(app, port=0, uds=uds, log_level="critical", lifespan="off", ws="none")
    listener, server = config.bind_socket(), uvicorn.Server(config)
    # Whoever connects before the server runs waits in the queue of the socket.
    listener.listen()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield "http://localhost" if on else f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
    assert not thread.is_alive()
