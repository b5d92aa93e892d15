"""Pass the output of recorded commands on to this process's standard output and standard error."""

from __future__ import annotations

import os
import select
from contextlib import suppress
from typing import TYPE_CHECKING

from jobtrail.recorder.pipes import DESCRIPTORS
from jobtrail.recorder.threads import run_in_daemon_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jobtrail.recorder.tail import Stream


class OutputForwarder:
    """Passes output on unchanged, and shows warnings on standard error."""

    def __init__(self) -> None:
        self._closed: set[Stream] = set()

    def warn(self, text: str) -> None:
        """Print a warning, if standard error can be written."""
        with suppress(OSError):
            _write_all(DESCRIPTORS["stderr"], f"jobtrail: {text}\n".encode(errors="backslashreplace"))

    def show_progress(self, ended: int, failed: int, total: int) -> None:
        """Show nothing: only the progress bar does."""

    def open_sink(self) -> Callable[[Stream, bytes], Awaitable[None]]:
        """Return a function that passes the output of one attempt on."""
        return self.forward

    async def forward(self, stream: Stream, chunk: bytes) -> None:
        """Write a chunk to the stream of this process; warn once if it cannot be written, as on a full disk.

        Raises:
            BrokenPipeError: nobody reads the stream any more, and the command has to be told.
        """
        if stream in self._closed or not chunk:
            return
        try:
            # In a thread: the reader may be slow.
            await run_in_daemon_thread(lambda: _write_all(DESCRIPTORS[stream], chunk))
        except BrokenPipeError:
            raise
        except OSError as error:
            self._closed.add(stream)
            name = {"stdout": "standard output", "stderr": "standard error"}[stream]
            self.warn(f"{name} cannot be written ({error.strerror}); the command runs on, its output is not shown")


class LineForwarder(OutputForwarder):
    """Passes on whole lines, so that the lines of parallel tasks do not mix."""

    def open_sink(self) -> Callable[[Stream, bytes], Awaitable[None]]:
        """Return a function that passes the output of one attempt on by whole lines."""
        rests: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}

        async def collect(stream: Stream, chunk: bytes) -> None:
            whole, newline, rests[stream] = (rests[stream] + chunk).rpartition(b"\n")
            if not chunk and rests[stream]:
                # The end of the output: the last line gets an end of line.
                whole, newline, rests[stream] = rests[stream], b"\n", b""
            if newline:
                await self.forward_lines(stream, whole + newline)

        return collect

    async def forward_lines(self, stream: Stream, text: bytes) -> None:
        """Pass on whole lines."""
        await self.forward(stream, text)


def _write_all(file: int, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        try:
            left = left[os.write(file, left) :]
        except BlockingIOError:
            # Whoever shares the file with us made it so.
            select.select([], [file], [])
