"""Keep the last lines of a command's output, in bounded memory."""

from __future__ import annotations

import re
import time
from collections import deque
from typing import TYPE_CHECKING, Literal

from jobtrail.store.kept_output import BYTES, LINE_BYTES, LINES, format_dropped, mark_cut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Stream = Literal["stdout", "stderr"]
_SECRET = 4_096
"""Bytes that the longest secret has: the end of a line that was cut may be the beginning of one."""
_REASON = 2_000
"""Characters of the last line that are given as a reason."""
# Escape sequences (ECMA-48), the last of which may lack its end, and control characters, tabs aside.
_UNSEEN = re.compile(
    r"\x1b\[[0-?]*[ -/]*(?:[@-~]|\Z)|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


class Tail:
    """Keeps the last lines of two streams, in the order they were read, as many as `store.kept_output` says.

    Args:
        mask: takes secrets out of a line.
    """

    def __init__(self, mask: Callable[[str], str]) -> None:
        self._mask = mask
        self._rest: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}
        self._kept: deque[tuple[int, Stream, bytes]] = deque()
        self._bytes = 0
        self._count = 0

    def feed(self, stream: Stream, chunk: bytes) -> None:
        """Take a chunk of output, which may end within a line."""
        *whole, rest = (self._rest[stream] + chunk).split(b"\n")
        for line in whole:
            self._keep(stream, line)
        self._rest[stream] = _bound(rest)

    def _keep(self, stream: Stream, line: bytes) -> None:
        self._count += 1
        self._kept.append((time.time_ns(), stream, _bound(line)))
        self._bytes += len(self._kept[-1][2])
        while len(self._kept) > LINES or self._bytes > BYTES + 1:
            self._bytes -= len(self._kept.popleft()[2])

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
            text, is_cut = self._clean(line)
            yield at, stream, mark_cut(text) if is_cut else text

    def find_last_line(self) -> tuple[Stream, str]:
        """Return the last line of stderr that is not blank, or else of stdout; an empty one if there is none."""
        for wanted in ("stderr", "stdout"):
            for _, stream, line in reversed(self._kept):
                if stream == wanted and (text := self._clean(line)[0].strip()):
                    return stream, text if len(text) <= _REASON else text[:_REASON] + "…"
        return "stdout", ""

    def _clean(self, line: bytes) -> tuple[str, bool]:
        """Return a line as it is kept, and whether it is only a beginning."""
        # Escape sequences first: they may be within a secret.
        text = self._mask(_UNSEEN.sub("", _drop_overwritten(line).decode(errors="replace")))
        is_cut = len(line) > LINE_BYTES
        return text[:-_SECRET] if is_cut else text, is_cut


def _bound(line: bytes) -> bytes:
    """Return what a terminal shows of a line; of a long one, one byte more than may be kept, to tell that it is."""
    return _drop_overwritten(line)[: LINE_BYTES + 1]


def _drop_overwritten(line: bytes) -> bytes:
    """Return what a terminal shows of a line after carriage returns, as progress bars write them.

    What follows the last one stays too: it may be unseen so far only because it goes on.
    """
    *earlier, last = line.split(b"\r")
    if not earlier or _is_seen(last):
        return last
    shown = next((piece for piece in reversed(earlier) if _is_seen(piece)), b"")
    return shown + b"\r" + last


def _is_seen(piece: bytes) -> bool:
    return bool(_UNSEEN.sub("", piece.decode(errors="replace")).strip())
