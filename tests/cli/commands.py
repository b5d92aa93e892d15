"""The command line in this process, and in one of its own where the process is what is looked at."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

import pytest

from jobtrail.cli import main

__all__ = ["SECONDS", "SECRET", "Ended", "read_refusal", "run_command", "run_process"]

SECRET = "s3cr3t-of-this-test"
SECONDS = 60


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def run_command(*arguments: str, **environ: str) -> Ended:
    """Run a command to its end in this process, where it starts in a fraction of the time."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        kept = _environ(environ)
        for name in os.environ.keys() - kept.keys():
            patch.delenv(name)
        for name, value in kept.items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdin", io.StringIO())
        try:
            code = main(arguments)
        except SystemExit as ended:
            # argparse ends so.
            code = int(ended.code or 0)
    return Ended(code, out.getvalue(), err.getvalue())


def run_process(*arguments: str, **environ: str) -> Ended:
    """Run a command to its end in a process of its own, with nothing on stdin."""
    ended = subprocess.run(
        [sys.executable, "-m", "jobtrail", *arguments],
        env=_environ(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def _environ(more: dict[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "COLUMNS": "200", **more}


def read_refusal(ended: Ended) -> str:
    """Return the one line of a refusal."""
    assert ended.code == 2, ended
    assert ended.out == ""
    lines = ended.err.splitlines()
    assert len(lines) == 1, ended.err
    assert lines[0].startswith("jobtrail: ")
    assert SECRET not in ended.err
    return lines[0].removeprefix("jobtrail: ")
