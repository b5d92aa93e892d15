"""`jobtrail tour`: print what an agent gets from the configured sources."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from jobtrail.cli.settings import load_command_settings
from jobtrail.tour import run_tour

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    """Print the tour over the sources that are configured."""
    settings = load_command_settings()
    with tempfile.TemporaryDirectory(prefix="jobtrail-tour-") as folder:
        # The embedded source shows its sample, whatever is in the user's own store.
        environ = {**os.environ, "JOBTRAIL_STORE": str(Path(folder) / "store.db")}
        try:
            return anyio.run(run_tour, settings, arguments.source, print, environ)
        except BaseExceptionGroup as group:
            if group.subgroup(BrokenPipeError):
                raise BrokenPipeError from None
            raise
