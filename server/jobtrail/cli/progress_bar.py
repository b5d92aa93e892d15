"""Progress bars on standard error."""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from jobtrail.cli.colours import open_console
from jobtrail.cli.command_output import LineForwarder

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from rich.progress import TaskID

    from jobtrail.cli.colours import Colour
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
        """Print a warning above the bar, if standard error can be written."""
        with suppress(OSError):
            self._progress.console.print(f"jobtrail: {text}", markup=False, highlight=False)

    def show_progress(self, ended: int, failed: int, total: int) -> None:
        """Move the bar."""
        failures = f"{failed} failed" if failed else ""
        with suppress(OSError):
            self._progress.update(self._bar, completed=ended, total=total, failed=failures)

    async def forward_lines(self, stream: Stream, text: bytes) -> None:
        """Pass on whole lines: above the bar on a terminal, unchanged elsewhere."""
        if stream == "stdout" and not sys.stdout.isatty():
            await self.forward(stream, text)
        else:
            with suppress(OSError):
                self._progress.console.print(Text.from_ansi(text.decode(errors="replace").removesuffix("\n")))


@contextmanager
def show_page_bar(colour: Colour) -> Generator[Callable[[str, float | None, float | None], None]]:
    """Show a bar while a list is read, if standard error is a terminal.

    Yields:
        A function that sets its text, how much is done, and the total, both None if unknown.
    """
    if not sys.stderr.isatty():
        yield lambda _text, _done, _total: None
        return
    bar = Progress(
        BarColumn(bar_width=24),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=open_console(colour, sys.stderr),
        transient=True,
    )
    with bar:
        task = bar.add_task("asking", total=None)
        yield lambda text, done, total: bar.update(task, description=text, completed=done, total=total)
