"""`jobtrail store`: show what the embedded store holds, or remove old executions and runs from it."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from jobtrail.errors import SettingsError
from jobtrail.settings import store_path
from jobtrail.store import Store, maintenance
from jobtrail.store.recording import fail_vanished
from jobtrail.times import NANOSECONDS, format_nanoseconds

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator


@contextmanager
def open_store(*, create: bool = False) -> Generator[Store]:
    """Open the store, and mark the tasks of vanished recorders as failed.

    Raises:
        SettingsError: there is no store and `create` is false, or it cannot be opened.
    """
    path = store_path()
    if not create and not path.exists():
        raise SettingsError(
            f"there is no store at {path} yet; `jobtrail record` or `jobtrail import` makes it, "
            "and until then the embedded source shows its sample"
        )
    store = Store(path)
    try:
        fail_vanished(store)
        yield store
    finally:
        store.close()


def print_info(arguments: argparse.Namespace) -> int:
    """Print where the store is and what it holds."""
    with open_store() as store:
        found = maintenance.read_info(store)
    if arguments.json:
        fields = {
            **asdict(found),
            "path": str(found.path),
            "oldest": _format_second(found.oldest),
            "newest": _format_second(found.newest),
        }
        print(json.dumps(fields))
    else:
        print(_format_info(found))
    return 0


def _format_info(found: maintenance.StoreInfo) -> str:
    counts = ("jobs", "executions", "tasks", "runs", "lines", "unfinished")
    rows = {
        "store": str(found.path),
        "size": f"{found.size / 1_000_000:,.1f} MB",
        "schema": str(found.version),
        "workspaces": ", ".join(found.workspaces) or "none",
        **{name: f"{getattr(found, name):,}" for name in counts},
        "oldest": _format_second(found.oldest) or "none",
        "newest": _format_second(found.newest) or "none",
    }
    return "\n".join(f"{name:<12}{value}" for name, value in rows.items())


def _format_second(nanos: int | None) -> str | None:
    return None if nanos is None else format_nanoseconds(nanos // NANOSECONDS * NANOSECONDS)


def prune_old(arguments: argparse.Namespace) -> int:
    """Remove what ended long ago, or print what would be removed."""
    before = time.time_ns() - int(arguments.keep * NANOSECONDS)
    with open_store() as store:
        gone = maintenance.prune(store, before, dry_run=arguments.dry_run)
    what = ", ".join(f"{count:,} {name}" for name, count in asdict(gone).items())
    verb = "would be removed" if arguments.dry_run else "removed"
    print(f"{verb}, as ended before {_format_second(before)}: {what}")
    return 0
