"""Keep the last lines of a command's output, in bounded memory."""

from __future__ import annotations

import re
import time
from collections import deque
from typing import TYPE_CHECKING, Literal

from jobtrail.logs.lines import format_dropped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Stream = Literal["stdout", "stderr"]
_LINES = 200
_CHARACTERS = 2_000
# More than is kept of a line, so that a secret across that end is still recognised.
_BYTES = 16_384
# Escape sequences (ECMA-48) and control characters, tabs aside.
_UNSEEN = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


class Tail:
    """Keeps the last 200 lines of two streams, in the order they were read, the first 2,000 characters of each.

    Args:
        mask: takes secrets out of a line.
    """

    def __init__(self, mask: Callable[[str], str]) -> None:
        self._mask = mask
        self._rest: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}
        self._kept: deque[tuple[int, Stream, bytes]] = deque(maxlen=_LINES)
        self._count = 0

    def feed(self, stream: Stream, chunk: bytes) -> None:
        """Take a chunk of output, which may end within a line."""
        *whole, rest = (self._rest[stream] + chunk).split(b"\n")
        for line in whole:
            self._keep(stream, line)
        self._rest[stream] = _drop_overwritten(rest)[:_BYTES]

    def _keep(self, stream: Stream, line: bytes) -> None:
        self._count += 1
        self._kept.append((time.time_ns(), stream, line[-4 * _BYTES :] if b"\r" in line else line[:_BYTES]))

    def close(self) -> None:
        """Keep the last line if it has no end of line."""
        for stream, rest in self._rest.items():
            if rest:
                self._keep(stream, rest)
        self._rest = {"stdout": b"", "stderr": b""}

    def read_lines(self) -> Iterator[tuple[int, Stream, str]]:
        """Yield (nanoseconds since 1970, stream, text); if lines were dropped, the first one says how many."""
        dropped = self._count - len(self._kept)
        if dropped:
            at, stream, _ = self._kept[0]
            yield at, stream, format_dropped(dropped)
        for at, stream, line in self._kept:
            yield at, stream, self._clean(line)

    def find_last_line(self) -> str:
        """Return the last line of stderr that is not blank, or else of stdout; empty if there is none."""
        for wanted in ("stderr", "stdout"):
            for _, stream, line in reversed(self._kept):
                if stream == wanted and (text := self._clean(line).strip()):
                    return text
        return ""

    def _clean(self, line: bytes) -> str:
        # Escape sequences first: they may be within a secret.
        text = self._mask(_UNSEEN.sub("", _drop_overwritten(line.rstrip(b"\r")).decode(errors="replace")))
        return text if len(text) <= _CHARACTERS else text[:_CHARACTERS] + "…"


def _drop_overwritten(line: bytes) -> bytes:
    """Return what a terminal still shows of a line after carriage returns, as progress bars write them."""
    start = line.rfind(b"\r", 0, len(line) - 1) + 1
    return line[start:]
