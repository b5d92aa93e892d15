"""Checks a store's file for damage, without changing anything in it."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobtrail.store.database import connect
from jobtrail.store.faults import SQLITE_FAULTS, UNWRITABLE, explain_fault
from jobtrail.store.files import measure_log
from jobtrail.store.recording import list_recorders
from jobtrail.store.row_types import parse_list, parse_object
from jobtrail.store.schema import find_strange, list_migrations, read_version

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

JSON_COLUMNS: dict[str, dict[str, Callable[[str], object]]] = {
    "jobs": {"body": parse_object},
    "executions": {"body": parse_object},
    "tasks": {"spec": parse_object, "conditions": parse_list},
    "lines": {},
    "definitions": {"body": parse_object},
    "runs": {"body": parse_object},
}
"""The tables whose rows are read, and what their columns of JSON must hold."""

_STEPS = 20_000
"""Steps of SQLite's virtual machine between two looks at the clock: some milliseconds."""
_FEW = 5


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
        faults: what is wrong with it, empty if nothing was found; None if the check took too long.
    """

    size: int
    mode: int
    version: int
    known: int
    living: int
    gone: int
    faults: tuple[str, ...] | None


def check_integrity(path: Path, seconds: float | None = None) -> IntegrityReport:
    """Check a store's file: SQLite's pages, the schema, and that each row can be read.

    Args:
        path: the file, which must exist.
        seconds: the longest time to look for damage; None for as long as it takes.

    Raises:
        StoreError: the file cannot be read, or is no store.
    """
    try:
        found = path.stat()
        with open_read_only(path) as db:
            version, known = read_version(db, path), len(list_migrations())
            strange = find_strange(db, list_migrations()[:version]) if version <= known else ""
            faults = (f"its {strange} is not Jobtrail's",) if strange else ()
            recorders = _list_recorders(db, path) if version <= known and not strange else {}
            faults = faults or _find_faults(db, seconds, rows=version == known)
    except (*SQLITE_FAULTS, OSError) as error:
        raise explain_fault(path, "read", error) from error
    living = sum(last is None for last in recorders.values())
    size, mode = found.st_size + measure_log(path), found.st_mode & 0o777
    return IntegrityReport(size, mode, version, known, living, len(recorders) - living, faults)


@contextmanager
def open_read_only(path: Path) -> Generator[sqlite3.Connection]:
    """Open a store's file to read it; where SQLite cannot keep what it needs beside it, as it is without its log."""
    for options in ("mode=ro", "immutable=1"):
        with closing(connect(path, options, timeout=_FEW)) as db:
            try:
                db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in UNWRITABLE or options != "mode=ro":
                    raise
                continue
            yield db
            return


def _list_recorders(db: sqlite3.Connection, path: Path) -> dict[str, int | None]:
    def select(sql: str, values: Sequence[Any]) -> list[sqlite3.Row]:
        return db.execute(sql, values).fetchall()

    return list_recorders(select, path)


def _find_faults(db: sqlite3.Connection, seconds: float | None, *, rows: bool) -> tuple[str, ...] | None:
    if seconds is not None:
        until = time.monotonic() + seconds
        db.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    try:
        said = [str(row[0]) for row in db.execute(f"PRAGMA quick_check({_FEW})")]
        faults = [one for one in said if one != "ok"]
        return tuple(faults or (_find_bad_rows(db) if rows else ()))
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return None
    finally:
        db.set_progress_handler(None, 0)


def _find_bad_rows(db: sqlite3.Connection) -> list[str]:
    """Return a sentence for each table of which a row cannot be read, with the first reason."""
    faults: list[str] = []
    for table, columns in JSON_COLUMNS.items():
        try:
            for row in db.execute(f"SELECT * FROM {table}"):  # noqa: S608 # our own
                check_json(row, columns)
        except SQLITE_FAULTS as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                raise
            faults.append(f"a row of {table} cannot be read: {error}")
    return faults


def check_json(row: sqlite3.Row, columns: dict[str, Callable[[str], object]]) -> None:
    """Check the columns of JSON of a row.

    Raises:
        sqlite3.DataError: one holds something else.
    """
    for name, parse in columns.items():
        parse(row[name])
