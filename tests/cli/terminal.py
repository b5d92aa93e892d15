"""A program at a real pseudo-terminal: typed to, read from, told to stop."""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if sys.platform != "win32":
    import fcntl
    import pty
    import struct
    import termios

if TYPE_CHECKING:
    from collections.abc import Sequence


SECONDS = 60
ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def plain(text: str) -> str:
    """Return text without colours and line endings of terminals."""
    return ANSI.sub("", text).replace("\r\n", "\n")


@dataclass
class Terminal:
    """A program on a terminal of its own.

    Attributes:
        seen: everything it has written so far.
    """

    command: Sequence[str]
    environ: dict[str, str]
    columns: int = 120
    seen: str = ""
    _pid: int = 0
    _file: int = -1
    _code: int | None = field(default=None)

    def __enter__(self) -> Self:
        self._pid, self._file = pty.fork()
        if self._pid == 0:
            os.execvpe(self.command[0], [*self.command], self.environ)  # noqa: S606 # a test's own program
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", 50, self.columns, 0, 0))
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._code is None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._file)

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self._file, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C, as far as the program hears of it."""
        os.kill(self._pid, signal.SIGINT)

    def until(self, pattern: str) -> str:
        """Read until what it has written since the last call matches; return that."""
        start, end = len(self.seen), time.monotonic() + SECONDS
        while not re.search(pattern, plain(self.seen[start:])):
            assert time.monotonic() < end, f"{pattern!r} not in {self.seen[start:]!r}"
            assert self._more(end), f"{pattern!r} not in {self.seen[start:]!r}, and it has ended"
        return plain(self.seen[start:])

    def rest(self) -> tuple[int, str]:
        """Read to its end; return its exit code and everything it wrote."""
        end = time.monotonic() + SECONDS
        while self._more(end):
            assert time.monotonic() < end, self.seen
        while not (ended := os.waitpid(self._pid, os.WNOHANG))[0]:
            assert time.monotonic() < end, f"it has not ended: {self.seen}"
            time.sleep(0.01)
        status = ended[1]
        self._code = os.waitstatus_to_exitcode(status)
        return self._code, self.seen

    def _more(self, end: float) -> bool:
        ready, _, _ = select.select([self._file], [], [], max(0.0, end - time.monotonic()))
        try:
            piece = os.read(self._file, 65_536) if ready else b""
        except OSError:
            # Linux says so at the end of a terminal.
            return False
        self.seen += piece.decode(errors="replace")
        return bool(piece)
