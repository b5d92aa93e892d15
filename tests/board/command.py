"""`jobtrail board` in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = ["board_command", "opened_board"]

SECONDS = 10


@contextmanager
def board_command(*arguments: str, **environ: str) -> Generator[str]:
    """Run it over the sample workspace; yield the address that it prints, and see it end well.

    Without a display in `environ` it opens no browser.
    """
    command = [sys.executable, "-m", "jobtrail", "board", *arguments]
    env = {"PATH": os.environ["PATH"], "HOME": os.devnull, "JOBTRAIL_LOG_LEVEL": "ERROR", **environ}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        printed = re.fullmatch(r"jobtrail: the board is at (http://127\.0\.0\.1:\d+/\S+)\n", line)
        assert printed, line
        try:
            yield printed[1]
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=SECONDS) == 0
        rest = process.stderr.read()
        assert not rest, rest


@contextmanager
def opened_board(folder: Path, *arguments: str) -> Generator[tuple[str, str]]:
    """Run it where there is a browser; yield the printed address, and what the browser was started with."""
    told, browser = folder / "told", folder / "browser"
    os.mkfifo(told)
    browser.write_text(f'#!/bin/sh\necho "$*" > {told}\n', encoding="utf-8")
    browser.chmod(0o700)
    with board_command(*arguments, BROWSER=str(browser), DISPLAY=":0") as address:
        yield address, told.read_text(encoding="utf-8").strip()
