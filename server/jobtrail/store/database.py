"""Opens the SQLite database of the store, migrates its schema, and runs transactions and queries."""

from __future__ import annotations

import errno
import os
import secrets
import sqlite3
import threading
import time
from contextlib import contextmanager, suppress
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jobtrail.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from importlib.resources.abc import Traversable
    from pathlib import Path

_BUSY_SECONDS = 120
_LOOK_AGAIN_SECONDS = 0.01
_CACHE_KIB = 16 * 1024
APPLICATION_ID = 0x4A74726C
"""SQLite's `application_id` of a store: "Jtrl"."""
_FOUND = (
    "SELECT (SELECT user_version FROM pragma_user_version), (SELECT application_id FROM pragma_application_id),"
    " EXISTS (SELECT 1 FROM sqlite_schema), (SELECT count(*) FROM pragma_table_info('events') WHERE name IN"
    " ('seq', 'kind', 'at', 'workspace', 'parent', 'name', 'status', 'body')) = 8"
)


class StoreError(SettingsError):
    """A store that cannot be opened, read or written."""


class Database:
    """A SQLite database, in memory or in a file; safe to use from several threads and processes.

    A file is in WAL mode, so that readers never wait for a writer; writers wait up to two minutes for each other.

    Args:
        path: the file, which is made where there is none, readable by its owner alone; None for memory.

    Raises:
        StoreError: the file cannot be opened, is no store, or is of a version that this Jobtrail does not know.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            self._db = self._connect(path)
        except (sqlite3.Error, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise StoreError(f"the store {path} cannot be opened: {why}") from error
        try:
            self._migrate()
        except sqlite3.Error as error:
            self._db.close()
            raise StoreError(f"the store {path} cannot be opened: {error}") from error
        except StoreError:
            self._db.close()
            raise

    def _connect(self, path: Path | None) -> sqlite3.Connection:
        if path is not None:
            _create_file(path)
        db = sqlite3.connect(
            ":memory:" if path is None else path,
            check_same_thread=False,
            isolation_level=None,
            timeout=_BUSY_SECONDS,
        )
        db.row_factory = sqlite3.Row
        # SQLite's own lower() knows ASCII alone; `q` is lowercased by Python.
        db.create_function("folded", 1, str.lower, deterministic=True)
        return db

    def _list_migrations(self) -> Sequence[Traversable]:
        return list_migrations()

    def _check_version(self) -> int:
        version, known = read_schema_version(self._db, self.path), len(self._list_migrations())
        if version > known:
            raise StoreError(
                f"the store {self.path} has version {version} and this Jobtrail knows up to {known}; "
                "use a newer Jobtrail, or another JOBTRAIL_STORE"
            )
        return version

    def _migrate(self) -> None:
        version = self._check_version()
        if self.path is not None:
            if version == 0:
                # Before there is a table, so that pruned pages can be given back to the file system.
                self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            self._use_wal()
            self._db.execute("PRAGMA synchronous = NORMAL")
            # SQLite's own 2 MB hold no index of a large store: recording was a quarter slower.
            self._db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        scripts = self._list_migrations()
        if version == len(scripts):
            return
        # In one transaction: another process may open the same new file at this moment.
        with self.transaction() as db:
            version = self._check_version()
            for script in scripts[version:]:
                for statement in _split_statements(script.read_text(encoding="utf-8")):
                    db.execute(statement)
            if version == 0:
                db.execute("INSERT INTO meta VALUES ('cursor_key', ?)", (secrets.token_hex(32),))
            db.execute(f"PRAGMA user_version = {len(scripts)}")
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")

    def _use_wal(self) -> None:
        """Switch the file to WAL mode, which the file itself remembers.

        SQLite does not wait for the lock that this takes, so it is retried: another process may open the file too.
        """
        until = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(_LOOK_AGAIN_SECONDS)
            else:
                return

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """Run a write transaction, which is rolled back if an error is raised.

        Raises:
            StoreError: other writers did not end within two minutes, the disk is full, the file may not be written.
        """
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError):
                    raise StoreError(f"the store {self.path} cannot be written: {error}") from error
                raise

    @contextmanager
    def snapshot(self) -> Generator[None]:
        """Run queries that all see the database as it is at one moment."""
        with self._lock:
            self._db.execute("BEGIN")
            try:
                yield
            finally:
                self._db.execute("COMMIT")

    def select(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return the rows of a query."""
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def read_meta(self, key: str) -> str | None:
        """Return a value of the table `meta`, None if it has no such key."""
        found = self.select("SELECT value FROM meta WHERE key = ?", (key,))
        return found[0]["value"] if found else None

    def write_meta(self, key: str, value: str) -> None:
        """Set a value of the table `meta`."""
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def read_schema_version(db: sqlite3.Connection, path: Path | None) -> int:
    """Return the version of a store's schema, 0 where there is nothing yet.

    Raises:
        StoreError: the file is a database of something else, or of a Jobtrail that was never released.
    """
    # In one statement, which sees one moment: another process may make the same new file now.
    version, mark, used, of_events = db.execute(_FOUND).fetchone()
    if of_events:
        raise StoreError(
            f"the store {path} was made before Jobtrail's first release and cannot be read any more; "
            "move it away to begin a new one, or give another JOBTRAIL_STORE"
        )
    if used and mark != APPLICATION_ID:
        raise StoreError(f"{path} is a database of something else; give another JOBTRAIL_STORE")
    return version if used else 0


@cache
def list_migrations() -> tuple[Traversable, ...]:
    """Return the scripts that lead from each version to the next; the first makes version 1 of an empty file."""
    scripts = (one for one in (files("jobtrail.store") / "sqlite").iterdir() if one.name.endswith(".sql"))
    return tuple(sorted(scripts, key=lambda script: script.name))


def _create_file(path: Path) -> None:
    """Create the file if it does not exist, readable by its owner alone, since output may hold secrets.

    An existing file is not opened, because closing it would release the locks that SQLite holds for this process.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not path.parent.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _split_statements(script: str) -> Iterator[str]:
    """Split a script into statements; `executescript` would commit the transaction around it."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
