"""`jobtrail board`: serve the board as a web page on loopback, for the configured sources."""

from __future__ import annotations

import html
import os
import secrets
import sys
import tempfile
import threading
import webbrowser
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from mcp import Client, MCPError

from jobtrail import __version__
from jobtrail.board import build_board_page
from jobtrail.board.page import build_page_app
from jobtrail.cli.settings import load_command_settings
from jobtrail.errors import SettingsError
from jobtrail.protocol.app import build_server
from jobtrail.serving import AccessMiddleware, HttpBind, run_app
from jobtrail.settings import is_loopback

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncGenerator

    from jobtrail.board.page import Call
    from jobtrail.settings import Settings

_KEY_BYTES = 24


def run(arguments: argparse.Namespace) -> int:
    """Serve the board until Ctrl-C, and open the browser on it."""
    settings = load_command_settings()
    fragment = _build_fragment(arguments)
    if not is_loopback(arguments.host):
        raise SettingsError(f"--host {arguments.host}: the board shows your jobs, so it listens on loopback only")
    bind = HttpBind.for_loopback(arguments.host, arguments.port, settings)
    key = secrets.token_urlsafe(_KEY_BYTES)
    app = build_page_app(build_board_page(__version__), key, lambda: _open_caller(settings))
    with tempfile.TemporaryDirectory(prefix="jobtrail-board-") as folder:

        def show_address(url: str) -> None:
            address = f"{url}/{key}/{fragment}"
            print(f"jobtrail: the board is at {address}", file=sys.stderr, flush=True)
            if not arguments.no_open and _has_display():
                _open_browser(address, Path(folder))

        return run_app(AccessMiddleware(app, bind), bind, show_address)


def _build_fragment(arguments: argparse.Namespace) -> str:
    """Return the fragment of the address that says what the board shows first.

    Raises:
        SettingsError: the options exclude each other.
    """
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


@asynccontextmanager
async def _open_caller(settings: Settings) -> AsyncGenerator[Call]:
    """Yield a function that calls a tool; it uses one client of the server, so that sources are logged in to once."""
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


def _open_browser(address: str, folder: Path) -> None:
    """Open the browser on a file that redirects to the board: other users can read arguments, but not this file."""
    page = folder / "board.html"
    page.write_text(f'<meta http-equiv="refresh" content="0; url={html.escape(address)}">\n', encoding="utf-8")
    # Some browsers' launchers take seconds to return, and the page has to be served meanwhile.
    threading.Thread(target=webbrowser.open, args=(page.as_uri(),), daemon=True).start()
