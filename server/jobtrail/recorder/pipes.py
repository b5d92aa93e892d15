"""The pipes that a command writes to: read to their end, or handed to a process that outlives the recorder."""

from __future__ import annotations

import math
import os
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jobtrail.recorder.tail import Stream, Tail

_CHUNK = 65_536
DESCRIPTORS: dict[Stream, int] = {"stdout": 1, "stderr": 2}
"""This process's own file descriptor for each stream of a command."""


class OutputPipe:
    """A pipe that can be left before the process ends, as the event loop's own pipes cannot.

    Attributes:
        write_end: for the command.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream: Stream = stream
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._deadline = math.inf
        self._waiting = anyio.CancelScope()

    def close(self) -> None:
        """Close the end that is read; whoever still writes to the other gets SIGPIPE."""
        os.close(self._read_end)

    def limit_wait(self, seconds: float) -> None:
        """Wait so long for more output from now on, not counting the time in which our own reader takes none."""
        self._deadline = self._waiting.deadline = anyio.current_time() + seconds

    async def pump(self, tail: Tail, sink: Callable[[Stream, bytes], Awaitable[None]]) -> None:
        """Pass the output on until its end, then an empty chunk; what comes after a limited wait, a copier passes on.

        Args:
            tail: keeps the last lines.
            sink: takes each chunk.
        """
        left_open = True
        try:
            while chunk := await self._read():
                tail.feed(self._stream, chunk)
                began = anyio.current_time()
                await sink(self._stream, chunk)
                self._deadline += anyio.current_time() - began
            left_open = chunk is None
            await sink(self._stream, b"")
        except OSError:
            # The reader of our output is gone: close the pipe, and the command gets SIGPIPE as it would without us.
            left_open = False
        finally:
            if left_open:
                self._start_copier()
            self.close()

    async def _read(self) -> bytes | None:
        """Wait for output and return it; empty at the end, None if it was waited for too long."""
        with anyio.CancelScope(deadline=self._deadline) as self._waiting:
            await anyio.wait_readable(self._read_end)
            return os.read(self._read_end, _CHUNK)
        return None

    def _start_copier(self) -> None:
        """Leave the pipe to a `cat` of its own session: a child of the command still writes to it, and must live."""
        os.set_blocking(self._read_end, True)
        with suppress(OSError):
            subprocess.Popen(
                ["cat"],  # noqa: S607 # as the command would find it
                stdin=self._read_end,
                stdout=DESCRIPTORS[self._stream],
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )
