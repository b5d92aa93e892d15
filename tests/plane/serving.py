"""The plane, or answers of a test's own, on a port: for clients that are not ours, and for servers in a process."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import uvicorn
from starlette.requests import Request
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send


@contextmanager
def serve_app(app: ASGIApp, *, on: Path | None = None, **options: Any) -> Generator[str]:
    """Serve an app by uvicorn in a thread, and return its URL.

    Args:
        app: what is served.
        on: a Unix socket that does not exist yet; a free port otherwise.
        options: further ones of uvicorn's.
    """
    uds = str(on) if on else None
    settings: dict[str, Any] = {"ws": "none", **options}
    config = uvicorn.Config(app, port=0, uds=uds, log_level="critical", lifespan="off", **settings)
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


def serve_answers(answer: Callable[[httpx2.Request], httpx2.Response]) -> AbstractContextManager[str]:
    """Serve what a function answers, and return its URL."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked = Request(scope, receive)
        request = httpx2.Request(
            asked.method, str(asked.url), headers=asked.headers.items(), content=await asked.body()
        )
        answered = answer(request)
        await Response(answered.content, answered.status_code, answered.headers)(scope, receive, send)

    return serve_app(app)
