"""Reads the lines of a file, plain or gzip, one line in memory at a time."""

from __future__ import annotations

import gzip
import sys
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from jobtrail.text import sanitize_text

if TYPE_CHECKING:
    import io
    from collections.abc import Generator, Iterator
    from pathlib import Path

STDIN = "-"
LONGEST_LINE = 1 << 28
"""Bytes; an execution with 100,000 tasks is a tenth of it."""
_HEAD = 16
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff")


class BrokenFile(Exception):
    """A file that cannot be read to its end; the message says why."""


@contextmanager
def open_file(path: Path) -> Generator[io.BufferedReader]:
    """Open a file, or standard input.

    Raises:
        BrokenFile: there is none, or it may not be read.
    """
    if str(path) == STDIN:
        yield cast("io.BufferedReader", sys.stdin.buffer)
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise BrokenFile(f"cannot be read: {error.strerror}") from error
    with file:
        yield file


def peek_start(file: io.BufferedReader) -> bytes:
    """Return how a file begins, without reading on."""
    try:
        return file.peek(_HEAD)[:_HEAD]
    except OSError as error:
        raise BrokenFile(f"cannot be read: {error.strerror}") from error


def read_lines(file: io.BufferedReader) -> Iterator[tuple[int, bytes | None]]:
    """Yield each line that is not blank, with its number; None for one that is too long.

    Raises:
        BrokenFile: it cannot be read to its end.
    """
    if peek_start(file).startswith(_WIDE):
        raise BrokenFile("is UTF-16; JSON Lines are UTF-8")
    packed = peek_start(file).startswith(_GZIP)
    text: io.BufferedIOBase = gzip.GzipFile(fileobj=file) if packed else file
    number = 0
    try:
        while line := text.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                # The rest of the line is read and dropped.
                while line and not line.endswith(b"\n"):
                    line = text.readline(LONGEST_LINE)
                yield number, None
            elif content := (line.removeprefix(_BOM) if number == 1 else line).strip():
                yield number, content
    except EOFError as error:
        after = f" after line {number:,}" if number else ""
        raise BrokenFile(f"ends early{after}: the gzip data is cut short; fetch the file again") from error
    except (OSError, zlib.error) as error:
        # Of gzip too, which says so by an OSError without a number.
        why = getattr(error, "strerror", None) or str(error)
        reached = f" beyond line {number:,}" if number else ""
        raise BrokenFile(f"cannot be read{reached}: {sanitize_text(why)}") from error
