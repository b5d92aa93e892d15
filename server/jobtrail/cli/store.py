"""`jobtrail import` and `jobtrail store`: filling and keeping the embedded store."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from jobtrail.cli import options
from jobtrail.times import NANOSECONDS, format_time, from_nanoseconds

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Generator

    from jobtrail.importing import Progress
    from jobtrail.plane import Store
    from jobtrail.plane.upkeep import Info

__all__ = ["add_import", "add_store"]


def add_import(commands: options.Commands) -> None:
    """Add `jobtrail import`."""
    parser = commands.add_parser(
        "import",
        help="read executions and runs from files into the embedded store",
        epilog="  jobtrail import saved.jsonl runwisp.db",
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="JSON Lines of what the APIs answer (- for standard input, .gz is unpacked), or RunWisp's runwisp.db",
    )
    parser.add_argument(
        "--skip-refused", action="store_true", help="import the rest of a file in which lines are refused"
    )
    parser.set_defaults(run=_import)


def add_store(commands: options.Commands) -> None:
    """Add `jobtrail store`."""
    parser = commands.add_parser("store", help="look at the embedded store, or shorten it")
    parser.set_defaults(run=_info)
    parser.set_defaults(json=False)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    info = actions.add_parser("info", help="where the store is and what it holds")
    info.add_argument("--json", action="store_true", help="print it as JSON")
    info.set_defaults(run=_info)
    prune = actions.add_parser(
        "prune", help="remove what ended long ago", epilog="  jobtrail store prune --keep 90d --dry-run"
    )
    prune.add_argument(
        "--keep", type=options.some_time, required=True, metavar="90d", help="keep what ended within this time"
    )
    prune.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    prune.set_defaults(run=_prune)


@contextmanager
def _opened(*, made: bool = False) -> Generator[Store]:
    """Yield the store, with what vanished recorders left accounted for.

    Raises:
        SettingsError: there is none and it is not to be made, or it cannot be opened.
    """
    from jobtrail.errors import SettingsError  # noqa: PLC0415 # `--help` loads nothing
    from jobtrail.plane import Store, StoreError  # noqa: PLC0415 # likewise
    from jobtrail.plane.recording import sweep  # noqa: PLC0415 # likewise
    from jobtrail.settings import store_path  # noqa: PLC0415 # likewise

    path = store_path()
    if not made and not path.exists():
        raise SettingsError(
            f"there is no store at {path} yet; `jobtrail record` or `jobtrail import` makes it, "
            "and until then the embedded source shows its sample"
        )
    try:
        store = Store(path)
        try:
            sweep(store)
            yield store
        finally:
            store.close()
    except StoreError as error:
        raise SettingsError(str(error)) from None


def _import(arguments: argparse.Namespace) -> int:
    from jobtrail.importing import import_files  # noqa: PLC0415 # see _opened

    files = [Path(one) for one in arguments.files]
    with _opened(made=True) as store, _progress() as (say, progress):
        summaries = import_files(store, files, skip_refused=arguments.skip_refused, say=say, progress=progress)
    return 1 if any(one.refused for one in summaries) else 0


@contextmanager
def _progress() -> Generator[tuple[Callable[[str], None], Callable[[Progress], None] | None]]:
    """Yield what takes sentences and what takes progress, which only a terminal shows."""
    if not sys.stderr.isatty():
        yield print, None
        return
    from rich.console import Console  # noqa: PLC0415 # a terminal is the rarer case

    console = Console(stderr=True)
    with console.status("reading") as status:

        def say(text: str) -> None:
            status.stop()
            print(text, flush=True)
            status.start()

        def progress(now: Progress) -> None:
            of = f" of {now.total:,}" if now.total is not None else ""
            status.update(f"{now.doing} {now.file}: {now.done:,}{of}")

        yield say, progress


def _info(arguments: argparse.Namespace) -> int:
    from jobtrail.plane.upkeep import info  # noqa: PLC0415 # see _opened

    with _opened() as store:
        found = info(store)
    if arguments.json:
        fields = {
            **asdict(found),
            "path": str(found.path),
            "oldest": _time(found.oldest),
            "newest": _time(found.newest),
        }
        print(json.dumps(fields))
    else:
        print(_told(found))
    return 0


def _told(found: Info) -> str:
    counts = ("jobs", "executions", "tasks", "runs", "lines", "unfinished")
    rows = {
        "store": str(found.path),
        "size": f"{found.size / 1_000_000:,.1f} MB",
        "schema": str(found.version),
        "workspaces": ", ".join(found.workspaces) or "none",
        **{name: f"{getattr(found, name):,}" for name in counts},
        "oldest": _time(found.oldest) or "none",
        "newest": _time(found.newest) or "none",
    }
    return "\n".join(f"{name:<12}{value}" for name, value in rows.items())


def _time(nanos: int | None) -> str | None:
    return format_time(from_nanoseconds(nanos)) if nanos is not None else None


def _prune(arguments: argparse.Namespace) -> int:
    from jobtrail.plane.upkeep import prune  # noqa: PLC0415 # see _opened

    before = time.time_ns() - int(arguments.keep * NANOSECONDS)
    with _opened() as store:
        gone = prune(store, before, dry_run=arguments.dry_run)
    what = ", ".join(f"{count:,} {name}" for name, count in asdict(gone).items())
    verb = "would be removed" if arguments.dry_run else "removed"
    print(f"{verb}, as ended before {_time(before)}: {what}")
    return 0
