"""Find the command with which a client starts this Jobtrail, with an absolute path, since PATH may differ there."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCRIPTS = ("jobtrail", "jobtrail.exe")


@dataclass(frozen=True)
class StartCommand:
    """A program and its arguments."""

    program: str
    args: tuple[str, ...]


def find_start_command(
    argv0: str | None = None, executable: str | None = None, environ: Mapping[str, str] | None = None
) -> StartCommand:
    """Return the command that serves MCP over stdio.

    This is the script of the running environment, or its Python with `-m`. Under `uvx`, whose environments are in a
    cache that may be emptied, it is `uvx` itself.

    Args:
        argv0: the command that started this process; `sys.argv[0]` unless given.
        executable: the Python of this process; `sys.executable` unless given.
        environ: the environment of this process; `os.environ` unless given.
    """
    environ = os.environ if environ is None else environ
    python = Path(executable or sys.executable)
    # The folders in which uv keeps what `uvx` runs. Take the uvx beside the uv that started us.
    from_uvx = any(part.startswith(("archive-v", "environments-v")) for part in python.parts)
    places = str(Path(environ["UV"]).parent) if environ.get("UV") else environ.get("PATH")
    if from_uvx and (uvx := shutil.which("uvx", path=places)):
        return StartCommand(uvx, (*_find_origin(), "jobtrail", "serve"))
    # Keep symbolic links: pipx and package managers move the files behind them.
    called = Path(argv0 if argv0 is not None else sys.argv[0])
    for script in (called, *(python.parent / name for name in _SCRIPTS)):
        if script.name in _SCRIPTS and script.is_absolute() and script.is_file() and os.access(script, os.X_OK):
            return StartCommand(str(script), ("serve",))
    return StartCommand(str(python), ("-m", "jobtrail", "serve"))


def _find_origin() -> tuple[str, ...]:
    """Return the arguments that tell uvx where to get Jobtrail from; none for the package index."""
    try:
        text = distribution("jobtrail").read_text("direct_url.json")
        origin: dict[str, Any] = json.loads(text) if text else {}
    except (PackageNotFoundError, ValueError):
        return ()
    url = str(origin.get("url", ""))
    if url.startswith("file:"):
        return ("--from", url2pathname(urlsplit(url).path))
    return ("--from", f"git+{url}") if url and "vcs_info" in origin else ()
