"""`serve`, `tour` and `plane`: what starts servers."""

from __future__ import annotations

import gc
import logging
import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jobtrail.cli import options

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator

    from jobtrail.settings import Settings

__all__ = ["add_plane", "add_serve", "add_tour", "load_settings", "serve"]

_STDIO_HINT = (
    "jobtrail: serving MCP over stdio for a client; press Ctrl-C to end, `jobtrail --help` shows the commands"
)


def add_serve(commands: options.Commands) -> None:
    """Add `jobtrail serve`."""
    parser = commands.add_parser("serve", help="serve MCP over stdio (default), sse or http")
    parser.add_argument("--transport", choices=("stdio", "sse", "http"), default="stdio")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=options.port, default=8080, help="port to listen on (default %(default)s)")
    parser.set_defaults(run=serve)


def add_tour(commands: options.Commands) -> None:
    """Add `jobtrail tour`."""
    parser = commands.add_parser("tour", help="show what an agent gets: start the server, ask, print the answers")
    parser.add_argument("--source", help="ask this source instead of the default one")
    parser.set_defaults(run=_tour)


def add_plane(commands: options.Commands) -> None:
    """Add `jobtrail plane`."""
    parser = commands.add_parser("plane", help="serve the embedded control plane (both APIs) on a port")
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on (default %(default)s)")
    parser.add_argument("--port", type=options.port, default=9478, help="port to listen on (default %(default)s)")
    parser.add_argument("--sample", action="store_true", help="serve the sample workspace, whatever the store holds")
    parser.set_defaults(run=_plane)


def load_settings() -> Settings:
    """Read all settings, and set up logging by them."""
    from jobtrail.sources import registry  # noqa: PLC0415 # see main

    settings = registry.load_settings()
    # Before the SDK sets up the root logger: stdout belongs to the protocol under stdio.
    logging.basicConfig(
        level=settings.log_level,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        force=True,
    )
    for name in ("httpx2", "httpcore2"):
        # They log addresses and headers, which may hold credentials.
        logging.getLogger(name).setLevel(logging.WARNING)
    # A retry that helps is nobody's concern; one that does not is the answer's.
    logging.getLogger("stamina").setLevel(logging.ERROR)
    return settings


@contextmanager
def _no_collector() -> Generator[None]:
    """Load without garbage collection, a tenth of a cold start; what is loaded stays, so it is never searched."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def serve(arguments: argparse.Namespace) -> int:
    """Serve MCP over the transport asked for."""
    with _no_collector():
        settings = load_settings()
        from jobtrail import serving  # noqa: PLC0415 # settings are checked before the SDK loads
        from jobtrail.app import build_server  # noqa: PLC0415 # likewise

        server = build_server(settings)
    if arguments.transport == "stdio":
        if sys.stdin is not None and sys.stdin.isatty():
            # A client would have given it a pipe.
            print(_STDIO_HINT, file=sys.stderr, flush=True)
        return serving.serve_stdio(server)
    bind = serving.HttpBind.checked(arguments.host, arguments.port, settings)
    app = serving.http_app(server, arguments.transport, bind)
    path = "/sse" if arguments.transport == "sse" else "/mcp"
    return serving.run_app(
        app, bind, lambda url: print(f"jobtrail: serving {url}{path}", file=sys.stderr, flush=True)
    )


def _tour(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    import anyio  # noqa: PLC0415 # see serve

    from jobtrail.tour import tour  # noqa: PLC0415 # see serve

    with tempfile.TemporaryDirectory(prefix="jobtrail-tour-") as folder:
        # The embedded source shows its sample, whatever is in the user's own store.
        environ = {**os.environ, "JOBTRAIL_STORE": str(Path(folder) / "store.db")}
        try:
            return anyio.run(tour, settings, arguments.source, print, environ)
        except BaseExceptionGroup as group:
            if group.subgroup(BrokenPipeError):
                raise BrokenPipeError from None
            raise


def _plane(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    from jobtrail.errors import SettingsError  # noqa: PLC0415 # see serve
    from jobtrail.plane import LocalPlane, Store, StoreError  # noqa: PLC0415 # see serve
    from jobtrail.serving import Gate, HttpBind, run_app  # noqa: PLC0415 # see serve

    bind = HttpBind.loopback_only(arguments.host, arguments.port, settings)
    store = None if arguments.sample else settings.store
    if store is not None and store.exists():
        try:
            Store(store).close()
        except StoreError as error:
            raise SettingsError(str(error)) from None

    def ready(url: str) -> None:
        what = "sample workspace" if store is None else f"store {store} (the sample workspace while it is empty)"
        print(f"jobtrail: {what} at {url} (BL_API_URL={url}/v0 or RUNWISP_URL={url})", file=sys.stderr, flush=True)

    return run_app(Gate(LocalPlane(store), bind), bind, ready)
