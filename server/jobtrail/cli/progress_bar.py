"""Progress bars on standard error."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from jobtrail.cli.command_output import LineForwarder

if TYPE_CHECKING:
    from collections.abc import Generator

    from rich.progress import TaskID

    from jobtrail.recorder.tail import Stream


@contextmanager
def show_task_bar(total: int) -> Generator[LineForwarder]:
    """Show a bar of ended tasks while commands are recorded; yield what passes their output on around it."""
    console = Console(stderr=True)
    progress = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("[red]{task.fields[failed]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
    with progress:
        yield _BarForwarder(progress, progress.add_task("tasks", total=total, failed=""))


class _BarForwarder(LineForwarder):
    """Prints lines above the bar if they go to the same terminal."""

    def __init__(self, progress: Progress, bar: TaskID) -> None:
        super().__init__()
        self._progress = progress
        self._bar = bar

    def warn(self, text: str) -> None:
        """Print a warning above the bar."""
        self._progress.console.print(f"jobtrail: {text}", markup=False, highlight=False)

    def show_progress(self, ended: int, failed: int, total: int) -> None:
        """Move the bar."""
        failures = f"{failed} failed" if failed else ""
        self._progress.update(self._bar, completed=ended, total=total, failed=failures)

    async def forward_lines(self, stream: Stream, text: bytes) -> None:
        """Pass on whole lines: above the bar on a terminal, unchanged elsewhere."""
        if stream == "stdout" and not sys.stdout.isatty():
            await self.forward(stream, text)
        else:
            self._progress.console.print(Text.from_ansi(text.decode(errors="replace").removesuffix("\n")))
