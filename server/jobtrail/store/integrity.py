"""Checks a store's file for damage, without changing anything in it."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobtrail.store.database import StoreError, list_migrations, read_schema_version
from jobtrail.store.liveness import read_vanished_at

if TYPE_CHECKING:
    from pathlib import Path

_HELD = "SELECT DISTINCT recorder FROM tasks WHERE recorder IS NOT NULL AND ended_at IS NULL"
_STEPS = 20_000
"""Steps of SQLite's virtual machine between two looks at the clock: some milliseconds."""


@dataclass(frozen=True)
class IntegrityReport:
    """What a check of a store's file found.

    Attributes:
        size: bytes of the file and of its write-ahead log.
        mode: permission bits of the file.
        version: version of its schema.
        known: the schema version that this Jobtrail writes.
        living: number of recorders that run.
        gone: number of recorders that vanished; the next read fails their tasks.
        faults: the messages of SQLite's check, empty if it found nothing; None if the check took too long.
    """

    size: int
    mode: int
    version: int
    known: int
    living: int
    gone: int
    faults: tuple[str, ...] | None


def check_integrity(path: Path, seconds: float) -> IntegrityReport:
    """Check a store's file.

    Args:
        path: the file, which must exist.
        seconds: the longest time that SQLite may look for damage.

    Raises:
        StoreError: the file cannot be read, or is no store.
    """
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=seconds)) as db:
            version = read_schema_version(db, path)
            # A newer schema may have no such table.
            ours = db.execute("SELECT count(*) FROM pragma_table_info('tasks') WHERE name = 'recorder'").fetchone()[0]
            held = [row[0] for row in db.execute(_HELD)] if ours else []
            faults = _find_faults(db, seconds)
        found = path.stat()
    except (sqlite3.Error, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise StoreError(f"the store {path} cannot be read: {why}") from error
    living = sum(read_vanished_at(path, token) is None for token in held)
    size = found.st_size + _measure_file(path.with_name(f"{path.name}-wal"))
    mode = found.st_mode & 0o777
    return IntegrityReport(size, mode, version, len(list_migrations()), living, len(held) - living, faults)


def _find_faults(db: sqlite3.Connection, seconds: float) -> tuple[str, ...] | None:
    until = time.monotonic() + seconds
    db.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    try:
        said = [str(row[0]) for row in db.execute("PRAGMA quick_check(5)")]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return None
    return tuple(one for one in said if one != "ok")


def _measure_file(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
