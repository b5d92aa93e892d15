"""The output of recorded commands, passed on to the streams of this process."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio.to_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jobtrail.recorder.tail import Stream


class Watcher:
    """Passes output on untouched, and warns on standard error."""

    def __init__(self) -> None:
        self._closed: set[Stream] = set()

    def warn(self, text: str) -> None:
        """Print a warning; where even that cannot be written, nobody can be told."""
        with suppress(OSError):
            print(f"jobtrail: {text}", file=sys.stderr, flush=True)

    def counted(self, ended: int, failed: int, total: int) -> None:
        """Say nothing of how far it is."""

    def sink(self) -> Callable[[Stream, bytes], Awaitable[None]]:
        """Return where an attempt's output goes: the same streams of this process."""
        return self.passed_on

    async def passed_on(self, stream: Stream, chunk: bytes) -> None:
        """Write to this process's own stream; one that takes no more, as on a full disk, is told of once.

        Raises:
            BrokenPipeError: nobody reads it any more, which the command is to hear of.
        """
        if stream in self._closed or not chunk:
            return
        try:
            # In a thread: whoever reads may be slow.
            await anyio.to_thread.run_sync(_write_all, 1 if stream == "stdout" else 2, chunk)
        except BrokenPipeError:
            raise
        except OSError as error:
            self._closed.add(stream)
            name = {"stdout": "standard output", "stderr": "standard error"}[stream]
            self.warn(f"{name} cannot be written ({error.strerror}); the command runs on, its output is not shown")


class LineWatcher(Watcher):
    """Passes on whole lines, so that those of tasks at the same time do not mix."""

    def sink(self) -> Callable[[Stream, bytes], Awaitable[None]]:
        """Return where an attempt's output goes."""
        rests: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}

        async def lines(stream: Stream, chunk: bytes) -> None:
            whole, newline, rests[stream] = (rests[stream] + chunk).rpartition(b"\n")
            if not chunk and rests[stream]:
                # The end of the output: what has no end of line gets one.
                whole, newline, rests[stream] = rests[stream], b"\n", b""
            if newline:
                await self.lines(stream, whole + newline)

        return lines

    async def lines(self, stream: Stream, text: bytes) -> None:
        """Pass on whole lines."""
        await self.passed_on(stream, text)


def _write_all(file: int, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        left = left[os.write(file, left) :]
