"""The command line: `serve`, `tour`, `plane`; the only module that prints or sets up logging."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from jobtrail.settings import Settings

__all__ = ["main"]

_TROUBLE = 2
_EPILOG = "Without a command it serves over stdio, which is what MCP clients start."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or 2 with one sentence on stderr."""
    from jobtrail.errors import JobtrailError  # noqa: PLC0415 # `--help` loads nothing

    arguments = _parser().parse_args(argv if argv is not None else sys.argv[1:])
    try:
        return arguments.run(arguments)
    except JobtrailError as error:
        print(f"jobtrail: {error}", file=sys.stderr)
        return _TROUBLE
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has enough, as in `jobtrail tour | head`; Python must not flush into the pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jobtrail",
        description="MCP server that answers what ran, what failed and why. It changes nothing upstream.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"jobtrail {_version()}")
    parser.set_defaults(run=_serve, transport="stdio", host="127.0.0.1", port=8080)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve MCP over stdio (default), sse or http")
    serve.add_argument("--transport", choices=("stdio", "sse", "http"), default="stdio")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    serve.add_argument("--port", type=_port, default=8080, help="port to listen on (default %(default)s)")
    serve.set_defaults(run=_serve)

    tour = commands.add_parser("tour", help="show what an agent gets: start the server, ask, print the answers")
    tour.add_argument("--source", help="ask this source instead of the default one")
    tour.set_defaults(run=_tour)

    plane = commands.add_parser("plane", help="serve the embedded control plane (both APIs) on a port")
    plane.add_argument("--host", default="127.0.0.1", help="loopback address to listen on (default %(default)s)")
    plane.add_argument("--port", type=_port, default=9478, help="port to listen on (default %(default)s)")
    plane.set_defaults(run=_plane)
    return parser


def _version() -> str:
    from jobtrail import __version__  # noqa: PLC0415 # see main

    return __version__


def _port(text: str) -> int:
    port = int(text) if text.isdecimal() else -1
    if not 0 <= port <= 65_535:  # noqa: PLR2004 # the largest port
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give 0 to 65535, 0 for any free one")
    return port


def _load() -> Settings:
    from jobtrail.settings import load  # noqa: PLC0415 # see main

    settings = load()
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


def _serve(arguments: argparse.Namespace) -> int:
    with _no_collector():
        settings = _load()
        from jobtrail import serving  # noqa: PLC0415 # settings are checked before the SDK loads
        from jobtrail.app import build_server  # noqa: PLC0415 # likewise

        server = build_server(settings)
    if arguments.transport == "stdio":
        return serving.serve_stdio(server)
    bind = serving.HttpBind.checked(arguments.host, arguments.port, settings)
    app = serving.http_app(server, arguments.transport, bind)
    path = "/sse" if arguments.transport == "sse" else "/mcp"
    return serving.run_app(
        app, bind, lambda url: print(f"jobtrail: serving {url}{path}", file=sys.stderr, flush=True)
    )


def _tour(arguments: argparse.Namespace) -> int:
    settings = _load()
    import anyio  # noqa: PLC0415 # see _serve

    from jobtrail.tour import tour  # noqa: PLC0415 # see _serve

    try:
        return anyio.run(tour, settings, arguments.source, print)
    except BaseExceptionGroup as group:
        if group.subgroup(BrokenPipeError):
            raise BrokenPipeError from None
        raise


def _plane(arguments: argparse.Namespace) -> int:
    settings = _load()
    from jobtrail.plane import SamplePlane  # noqa: PLC0415 # see _serve
    from jobtrail.serving import Gate, HttpBind, run_app  # noqa: PLC0415 # see _serve

    bind = HttpBind.loopback_only(arguments.host, arguments.port, settings)

    def ready(url: str) -> None:
        print(
            f"jobtrail: sample workspace at {url} (BL_API_URL={url}/v0 or RUNWISP_URL={url})",
            file=sys.stderr,
            flush=True,
        )

    return run_app(Gate(SamplePlane(), bind), bind, ready)
