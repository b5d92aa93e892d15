"""Checks a store's file for damage, without changing anything in it."""

from __future__ import annotations

import sqlite3
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobtrail.store.database import connect, connect_frozen
from jobtrail.store.faults import SQLITE_FAULTS, explain_fault, is_unwritable
from jobtrail.store.files import measure_log
from jobtrail.store.recording import list_recorders
from jobtrail.store.row_types import parse_list, parse_object
from jobtrail.store.schema import find_strange, list_migrations, read_version

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
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
_BUSY_SECONDS = 5
_MOST_FAULTS = 5


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
        faults: what is wrong with it, as far as the time went; empty if nothing is, None if time ended before that.
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
            recorders = _list_recorders(db, path) if 0 < version <= known and not strange else {}
            faults = faults or _find_faults(db, seconds, rows=version == known)
    except (*SQLITE_FAULTS, OSError) as error:
        raise explain_fault(path, "read", error) from error
    living = sum(last is None for last in recorders.values())
    size, mode = found.st_size + measure_log(path), found.st_mode & 0o777
    return IntegrityReport(size, mode, version, known, living, len(recorders) - living, faults)


@contextmanager
def open_read_only(path: Path) -> Generator[sqlite3.Connection]:
    """Open a store's file and its log to read them, also where SQLite cannot keep what it needs beside them."""
    with ExitStack() as opened:
        db = opened.enter_context(closing(connect(path, "mode=ro", timeout=_BUSY_SECONDS)))
        try:
            db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.Error as error:
            if not is_unwritable(error):
                raise
            db.close()
            db = opened.enter_context(closing(connect_frozen(path)))
        yield db


def _list_recorders(db: sqlite3.Connection, path: Path) -> dict[str, int | None]:
    def select(sql: str, values: Sequence[Any]) -> list[sqlite3.Row]:
        return db.execute(sql, values).fetchall()

    return list_recorders(select, path)


def _find_faults(db: sqlite3.Connection, seconds: float | None, *, rows: bool) -> tuple[str, ...] | None:
    if seconds is not None:
        until = time.monotonic() + seconds
        db.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    faults: list[str] = []
    try:
        # At the first, where time is short: what is found before time ends must be told.
        most = _MOST_FAULTS if seconds is None else 1
        faults += [str(said) for (said,) in db.execute(f"PRAGMA quick_check({most})") if said != "ok"]
        if rows and not faults:
            faults.extend(_find_bad_rows(db))
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return tuple(faults) or None
    finally:
        db.set_progress_handler(None, 0)
    return tuple(faults)


def _find_bad_rows(db: sqlite3.Connection) -> Iterator[str]:
    """Yield a sentence for each table of which a row cannot be read, with the first reason."""
    for table, columns in JSON_COLUMNS.items():
        try:
            for row in db.execute(f"SELECT * FROM {table}"):  # noqa: S608 # our own
                check_json(row, columns)
        except SQLITE_FAULTS as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                raise
            yield f"a row of {table} cannot be read: {error}"


def check_json(row: sqlite3.Row, columns: dict[str, Callable[[str], object]]) -> None:
    """Check the columns of JSON of a row.

    Raises:
        sqlite3.DataError: one holds something else.
    """
    for name, parse in columns.items():
        parse(row[name])
