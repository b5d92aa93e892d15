"""The command by which a client starts this Jobtrail: absolute, since what has a window has a PATH of its own."""

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
class Command:
    """A program and its arguments."""

    program: str
    args: tuple[str, ...]


def own_command(
    argv0: str | None = None, executable: str | None = None, environ: Mapping[str, str] | None = None
) -> Command:
    """Return the command that serves over stdio.

    The script of the environment that runs now, or its Python with `-m`; what `uvx` runs lies in a cache that may be
    emptied, so that there it is `uvx` itself.

    Args:
        argv0: how this process was started; `sys.argv[0]` unless given.
        executable: its Python; `sys.executable` unless given.
        environ: its environment; `os.environ` unless given.
    """
    environ = os.environ if environ is None else environ
    python = Path(executable or sys.executable)
    # Where uv keeps what `uvx` runs; the uvx to name is the one beside the uv that says it started us.
    passing = any(part.startswith(("archive-v", "environments-v")) for part in python.parts)
    places = str(Path(environ["UV"]).parent) if environ.get("UV") else environ.get("PATH")
    if passing and (uvx := shutil.which("uvx", path=places)):
        return Command(uvx, (*_origin(), "jobtrail", "serve"))
    # As it was called, symbolic links and all: pipx and package managers move what is behind theirs.
    called = Path(argv0 if argv0 is not None else sys.argv[0])
    for script in (called, *(python.parent / name for name in _SCRIPTS)):
        if script.name in _SCRIPTS and script.is_absolute() and script.is_file() and os.access(script, os.X_OK):
            return Command(str(script), ("serve",))
    return Command(str(python), ("-m", "jobtrail", "serve"))


def _origin() -> tuple[str, ...]:
    """Return what tells uvx where to get Jobtrail from, where that is not the package index."""
    try:
        text = distribution("jobtrail").read_text("direct_url.json")
        told: dict[str, Any] = json.loads(text) if text else {}
    except (PackageNotFoundError, ValueError):
        return ()
    url = str(told.get("url", ""))
    if url.startswith("file:"):
        return ("--from", url2pathname(urlsplit(url).path))
    return ("--from", f"git+{url}") if url and "vcs_info" in told else ()
