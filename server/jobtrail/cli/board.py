"""`jobtrail board`: the board as a page on loopback, for whatever sources are configured."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from jobtrail.cli import options

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncGenerator

    from jobtrail.board.page import Call
    from jobtrail.serving import HttpBind
    from jobtrail.settings import Settings

__all__ = ["add_board"]

_KEY_BYTES = 24
_EPILOG = """\
  jobtrail board
  jobtrail board --job nightly
  jobtrail board --job nightly --execution exec-1278516b6ac7

The address holds a key, so that only who gets it can read your jobs. Ctrl-C ends the page.
"""


def add_board(commands: options.Commands) -> None:
    """Add `jobtrail board`."""
    import argparse  # noqa: PLC0415 # for its formatter alone

    parser = commands.add_parser(
        "board",
        help="look at your jobs in the browser: timelines, causes of failure, histories",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on (default %(default)s)")
    parser.add_argument("--port", type=options.port, default=0, help="port to listen on (default any free one)")
    parser.add_argument("--no-open", action="store_true", help="print the address, open no browser")
    parser.add_argument("--job", help="begin with this job's history")
    parser.add_argument("--execution", help="with --job, begin with this execution")
    parser.add_argument("--run", dest="of_run", metavar="RUN", help="begin with this run")
    parser.add_argument("--source", help="source that those are of (default the default one)")
    parser.set_defaults(run=_board)


def _board(arguments: argparse.Namespace) -> int:
    import secrets  # noqa: PLC0415 # `--help` loads nothing

    from jobtrail.cli.serving import load_settings  # noqa: PLC0415 # likewise

    settings = load_settings()
    from jobtrail import __version__  # noqa: PLC0415 # likewise
    from jobtrail.board import board_page  # noqa: PLC0415 # likewise
    from jobtrail.board.page import page_app  # noqa: PLC0415 # likewise
    from jobtrail.serving import Gate, run_app  # noqa: PLC0415 # likewise

    first = _first(arguments)
    bind = _bind(arguments.host, arguments.port, settings)
    key = secrets.token_urlsafe(_KEY_BYTES)
    app = page_app(board_page(__version__), key, lambda: _caller(settings))
    with tempfile.TemporaryDirectory(prefix="jobtrail-board-") as folder:

        def ready(url: str) -> None:
            address = f"{url}/{key}/{first}"
            print(f"jobtrail: the board is at {address}", file=sys.stderr, flush=True)
            if not arguments.no_open and _has_display():
                _open(address, Path(folder))

        return run_app(Gate(app, bind), bind, ready)


def _first(arguments: argparse.Namespace) -> str:
    """Return the part of the address that says what is shown first.

    Raises:
        SettingsError: what is named does not go together.
    """
    from jobtrail.errors import SettingsError  # noqa: PLC0415 # see _board

    if arguments.execution and not arguments.job:
        raise SettingsError("--execution needs --job, the job that it is of")
    if arguments.of_run and arguments.job:
        raise SettingsError("give --run or --job, not both")
    named = {
        "job": arguments.job,
        "execution": arguments.execution,
        "run": arguments.of_run,
        "source": arguments.source,
    }
    given = {name: value for name, value in named.items() if value}
    return f"#{urlencode(given)}" if given else ""


def _bind(host: str, port: int, settings: Settings) -> HttpBind:
    """Return where to listen.

    Raises:
        SettingsError: not a loopback address.
    """
    from jobtrail.errors import SettingsError  # noqa: PLC0415 # see _board
    from jobtrail.serving import HttpBind, is_loopback  # noqa: PLC0415 # see _board

    if not is_loopback(host):
        raise SettingsError(f"--host {host}: the board shows your jobs, so it listens on loopback only")
    return HttpBind.loopback_only(host, port, settings)


@asynccontextmanager
async def _caller(settings: Settings) -> AsyncGenerator[Call]:
    """Hold one client of the server open, so that sources are logged in to once; give what calls a tool."""
    from mcp import Client, MCPError  # noqa: PLC0415 # see _board

    from jobtrail.app import build_server  # noqa: PLC0415 # see _board

    async with Client(build_server(settings)) as client:

        async def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
            try:
                result = await client.call_tool(name, arguments)
            except MCPError as error:
                return {"content": [{"type": "text", "text": str(error)}], "isError": True}
            return result.model_dump(mode="json", by_alias=True, exclude_none=True)

        yield call


def _has_display() -> bool:
    return sys.platform in {"darwin", "win32"} or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open(address: str, folder: Path) -> None:
    """Open the browser on a file that leads on: every user can read a program's arguments, but not this file."""
    import html  # noqa: PLC0415 # only here
    import threading  # noqa: PLC0415 # likewise
    import webbrowser  # noqa: PLC0415 # likewise

    page = folder / "board.html"
    page.write_text(f'<meta http-equiv="refresh" content="0; url={html.escape(address)}">\n', encoding="utf-8")
    # Some browsers' starters take seconds to return, in which the page has to be served already.
    threading.Thread(target=webbrowser.open, args=(page.as_uri(),), daemon=True).start()
