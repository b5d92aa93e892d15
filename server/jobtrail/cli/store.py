"""`jobtrail store`: show what the embedded store holds, remove what is old, look for damage, rescue the rest."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from jobtrail.errors import SettingsError
from jobtrail.settings import is_store_durable, store_path
from jobtrail.store import Store, StoreError, maintenance
from jobtrail.store.faults import DamagedStore, exists
from jobtrail.store.integrity import check_integrity
from jobtrail.store.recording import fail_vanished
from jobtrail.store.salvage import salvage
from jobtrail.text import sanitize_text
from jobtrail.times import NANOSECONDS, format_nanoseconds

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator


_LONGEST_FAULT = 300


@contextmanager
def open_store(*, create: bool = False) -> Generator[Store]:
    """Open the store, and mark the tasks of vanished recorders as failed.

    Raises:
        SettingsError: there is no store and `create` is false, or it cannot be opened.
    """
    path = store_path() if create else _find_store()
    store = Store(path, durable=is_store_durable())
    try:
        with suppress(StoreError):
            # One that cannot be written is shown as it is.
            fail_vanished(store)
        yield store
    finally:
        store.close()


def _find_store() -> Path:
    """Return the path of the store.

    Raises:
        SettingsError: there is none.
    """
    path = store_path()
    if not exists(path):
        raise SettingsError(
            f"there is no store at {path} yet; `jobtrail record` or `jobtrail import` makes it, "
            "and until then the embedded source shows its sample"
        )
    return path


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


def check(_arguments: argparse.Namespace) -> int:
    """Read all of the store, and print what is damaged; return 1 if something is."""
    path = _find_store()
    try:
        faults = check_integrity(path).faults or ()
    except DamagedStore as error:
        faults = (error.what,)
    for one in faults:
        print(sanitize_text(one, _LONGEST_FAULT))
    if faults:
        print(f"{path} is damaged; `jobtrail store salvage FILE` copies what can be read into a new store")
        return 1
    print(f"{path}: nothing is damaged")
    return 0


def salvage_rows(arguments: argparse.Namespace) -> int:
    """Copy what can be read into a new store, and print how much that is; return 1 if something was lost."""
    path, target = _find_store(), Path(arguments.file).expanduser().absolute()
    found = salvage(path, target)
    for table, rows in found.items():
        lost = "it is not known how many were lost" if rows.lost is None else f"{rows.lost:,} lost"
        remade = f", {rows.remade:,} made anew by the name that executions have" if rows.remade else ""
        print(f"{table:<12}{rows.kept:,} kept, {lost}{remade}")
    print(f"to use it: JOBTRAIL_STORE={target}, or move it to {path} after you have moved that away")
    return 1 if any(rows.lost != 0 for rows in found.values()) else 0
