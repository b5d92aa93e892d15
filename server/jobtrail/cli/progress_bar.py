"""The progress bar of a fan-out on a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from jobtrail.cli.command_output import LineWatcher

if TYPE_CHECKING:
    from collections.abc import Generator

    from rich.progress import TaskID

    from jobtrail.recorder.tail import Stream


@contextmanager
def watching(total: int) -> Generator[LineWatcher]:
    """Show a bar on standard error for as long as tasks run."""
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
        yield _BarWatcher(progress, progress.add_task("tasks", total=total, failed=""))


class _BarWatcher(LineWatcher):
    """Prints lines above the bar, where they would go to the same terminal."""

    def __init__(self, progress: Progress, bar: TaskID) -> None:
        super().__init__()
        self._progress = progress
        self._bar = bar

    def warn(self, text: str) -> None:
        """Print a warning above the bar."""
        self._progress.console.print(f"jobtrail: {text}", markup=False, highlight=False)

    def counted(self, ended: int, failed: int, total: int) -> None:
        """Move the bar."""
        told = f"{failed} failed" if failed else ""
        self._progress.update(self._bar, completed=ended, total=total, failed=told)

    async def lines(self, stream: Stream, text: bytes) -> None:
        """Pass on whole lines: above the bar on a terminal, untouched elsewhere."""
        if stream == "stdout" and not sys.stdout.isatty():
            await self.passed_on(stream, text)
        else:
            self._progress.console.print(Text.from_ansi(text.decode(errors="replace").removesuffix("\n")))
