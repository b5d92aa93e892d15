"""`jobtrail import`: read files into the embedded store."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from jobtrail.cli.store import open_store
from jobtrail.importing import import_files

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Generator

    from jobtrail.importing import ImportProgress


def run(arguments: argparse.Namespace) -> int:
    """Import files; return 1 if one was refused."""
    files = [Path(one) for one in arguments.files]
    with open_store(create=True) as store, _show_progress() as (say, progress):
        summaries = import_files(store, files, skip_refused=arguments.skip_refused, say=say, progress=progress)
    return 1 if any(one.refused for one in summaries) else 0


@contextmanager
def _show_progress() -> Generator[tuple[Callable[[str], None], Callable[[ImportProgress], None] | None]]:
    """Yield two functions: to print a sentence, and to show progress, which is None without a terminal."""
    if not sys.stderr.isatty():
        yield print, None
        return
    console = Console(stderr=True)
    with console.status("reading") as status:

        def say(text: str) -> None:
            status.stop()
            print(text, flush=True)
            status.start()

        def progress(now: ImportProgress) -> None:
            of = f" of {now.total:,}" if now.total is not None else ""
            status.update(f"{now.doing} {now.file}: {now.done:,}{of}")

        yield say, progress
