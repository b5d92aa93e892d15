"""`jobtrail serve`: serve MCP over stdio, SSE or HTTP."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from jobtrail.cli.settings import load_command_settings
from jobtrail.protocol.app import build_server
from jobtrail.protocol.transports import build_http_app, serve_stdio
from jobtrail.serving import HttpBind, run_app

if TYPE_CHECKING:
    import argparse

_STDIO_HINT = (
    "jobtrail: serving MCP over stdio for a client; press Ctrl-C to end, `jobtrail --help` shows the commands"
)


def run(arguments: argparse.Namespace) -> int:
    """Serve MCP over the transport asked for."""
    settings = load_command_settings()
    server = build_server(settings)
    if arguments.transport == "stdio":
        return serve_stdio(server, _greet_person)
    bind = HttpBind.for_transport(arguments.host, arguments.port, settings)
    app = build_http_app(server, arguments.transport, bind)
    path = "/sse" if arguments.transport == "sse" else "/mcp"
    return run_app(app, bind, lambda url: print(f"jobtrail: serving {url}{path}", file=sys.stderr, flush=True))


def _greet_person() -> None:
    """Tell who started a server at a terminal what it waits for; a client gives it a pipe."""
    if sys.stdin is not None and sys.stdin.isatty():
        print(_STDIO_HINT, file=sys.stderr, flush=True)
