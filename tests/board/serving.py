"""A real Jobtrail server over Streamable HTTP, and beside it the pages of a minimal MCP Apps host."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from jobtrail.protocol.app import build_server
from tests.board.browser import HOST
from tests.sample_client import SAMPLE, FixedClock

if TYPE_CHECKING:
    from collections.abc import Generator

    from starlette.requests import Request

    from jobtrail.settings import Settings

__all__ = ["host_pages"]

SECONDS = 20
# What a host makes of a resource that declares no origins at all (the specification's default).
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; font-src 'none'; "
    "connect-src 'none'; object-src 'none'; base-uri 'none'"
)


class _Listening(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextmanager
def host_pages(script: bytes, settings: Settings = SAMPLE) -> Generator[str]:
    """Serve the host and a workspace (the sample) at a fixed time, in a thread; yield the host's address."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    # The sandbox is of another origin than the host: the same server by its other name.
    host = (HOST / "host.html").read_text(encoding="utf-8").replace("{{sandbox}}", f"http://localhost:{port}/sandbox")
    sandbox = (HOST / "sandbox.html").read_text(encoding="utf-8")

    async def host_page(_request: Request) -> Response:
        return HTMLResponse(host)

    async def host_script(_request: Request) -> Response:
        return Response(script, media_type="text/javascript")

    async def sandbox_page(_request: Request) -> Response:
        return HTMLResponse(sandbox, headers={"Content-Security-Policy": POLICY})

    app = build_server(settings, clock=FixedClock()).streamable_http_app(stateless_http=True)
    app.router.routes += [Route("/", host_page), Route("/host.js", host_script), Route("/sandbox", sandbox_page)]
    server = _Listening(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert server.ready.wait(SECONDS)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join(SECONDS)
        listener.close()
