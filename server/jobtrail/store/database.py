"""Opens the SQLite database of the store, migrates its schema, and runs transactions and queries.

A store is untrusted input: it may be damaged, or made by somebody else. Its schema must be ours, its rows have the
types of their columns, and whatever SQLite makes of the file is raised as a `StoreError`.
"""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from jobtrail.store.faults import SQLITE_FAULTS, StoreError, explain_fault, explain_faults, is_unwritable
from jobtrail.store.files import make_file, measure_log, narrow_files, resolve
from jobtrail.store.row_types import make_row
from jobtrail.store.schema import check_schema, list_migrations, migrate, read_version

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from importlib.resources.abc import Traversable
    from pathlib import Path

_BUSY_SECONDS = 120
_LOOK_AGAIN_SECONDS = 0.01
_CACHE_KIB = 16 * 1024
_LONGEST_VALUE = 1 << 28
"""Bytes of a text; the longest line that can be imported."""
_DEFENSIVE = 1010
"""SQLITE_DBCONFIG_DEFENSIVE, which `sqlite3` names from Python 3.12 on."""


class Database:
    """A SQLite database, in memory or in a file; safe to use from several threads and processes.

    A file is in WAL mode, so that readers never wait for a writer; writers wait up to two minutes for each other.
    A file beside which SQLite cannot write what it needs, as on a full disk, is only read.

    Args:
        path: the file, which is made where there is none, readable by its owner alone; None for memory.
        durable: whether a transaction waits until it would survive a power cut.

    Attributes:
        frozen: why it cannot be written, and what is shown is the file as it was when it was opened; None if it can.

    Raises:
        StoreError: the file cannot be opened, is no store, or is of a version that this Jobtrail does not know.
    """

    def __init__(self, path: Path | None, *, durable: bool = False) -> None:
        self.path = path
        self.frozen: StoreError | None = None
        self._durable = durable
        self._lock = threading.RLock()
        try:
            if path is not None:
                make_file(path)
            self._db = self._connect(path)
        except (*SQLITE_FAULTS, OSError) as error:
            raise explain_fault(path, "opened", error) from error
        try:
            self._set_up()
        except (*SQLITE_FAULTS, OSError) as error:
            self.close()
            raise explain_fault(path, "opened", error) from error
        except StoreError:
            self.close()
            raise

    def _set_up(self) -> None:
        try:
            self._migrate()
        except sqlite3.Error as error:
            if self.path is None or not is_unwritable(error):
                raise
            self._db.close()
            self._db = connect_frozen(self.path)
            self._check_schema()
            self.frozen = explain_fault(self.path, "written", error)

    def _connect(self, path: Path | None) -> sqlite3.Connection:
        return connect(path)

    def _list_migrations(self) -> Sequence[Traversable]:
        return list_migrations()

    def _check_version(self) -> int:
        version, known = read_version(self._db, self.path), len(self._list_migrations())
        if version > known:
            raise StoreError(
                f"the store {self.path} has version {version} and this Jobtrail knows up to {known}",
                "use a newer Jobtrail, or another JOBTRAIL_STORE",
            )
        return version

    def _check_schema(self) -> int:
        """Check that the file is a store with our schema, and return its version."""
        # Both are read at one moment: another process may make the same new file now.
        self._db.execute("BEGIN")
        try:
            version = self._check_version()
            check_schema(self._db, self.path, self._list_migrations()[:version])
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        return version

    def _migrate(self) -> None:
        version, scripts = self._check_schema(), self._list_migrations()
        if self.path is not None:
            # Not before it is known to be a store: somebody may have named another file.
            narrow_files(self.path)
            if version == 0:
                # Before there is a table, so that pruned pages can be given back to the file system.
                self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            self._use_wal()
            self._db.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
            # SQLite's own 2 MB hold no index of a large store: recording was a quarter slower.
            self._db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        if version == len(scripts):
            return
        # In one transaction: another process may open the same new file at this moment.
        with self.transaction() as db:
            version = self._check_version()
            migrate(db, version, scripts)

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
        """Close the database; what cannot be tidied up at that is left."""
        with self._lock, suppress(sqlite3.Error):
            self._db.close()

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """Run a write transaction, which is rolled back if an error is raised.

        Raises:
            StoreError: other writers did not end within two minutes, the disk is full, the file may not be written or
                is damaged, or the rows break a rule of the schema.
        """
        if self.frozen is not None:
            raise self.frozen.with_traceback(None)
        with self._lock, explain_faults(self.path, "written"):
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                # A fault may have ended it already; the one that is raised is the one to tell.
                with suppress(sqlite3.Error):
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Generator[None]:
        """Run queries that all see the database as it is at one moment."""
        with self._lock, explain_faults(self.path, "read"):
            self._db.execute("BEGIN")
            try:
                yield
            finally:
                with suppress(sqlite3.Error):
                    self._db.execute("COMMIT")

    def select(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return the rows of a query.

        Raises:
            StoreError: the file is damaged, or cannot be read.
        """
        with self._lock, explain_faults(self.path, "read"):
            return self._db.execute(sql, values).fetchall()

    def read_meta(self, key: str) -> str | None:
        """Return a value of the table `meta`, None if it has no such key."""
        found = self.select("SELECT CAST(value AS TEXT) AS value FROM meta WHERE key = ?", (key,))
        return found[0]["value"] if found else None

    def write_meta(self, key: str, value: str) -> None:
        """Set a value of the table `meta`."""
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def connect(path: Path | None, options: str = "", timeout: float = _BUSY_SECONDS) -> sqlite3.Connection:
    """Connect to a file that nobody vouches for, as SQLite advises it (sqlite.org/security.html).

    Args:
        path: the file; None for memory.
        options: of the file's URI, such as `mode=ro`.
        timeout: seconds to wait for a lock.
    """
    db = sqlite3.connect(
        "file::memory:" if path is None else f"{resolve(path).as_uri()}?{options}",
        uri=True,
        check_same_thread=False,
        isolation_level=None,
        timeout=timeout,
    )
    db.execute("PRAGMA cell_size_check = ON")
    configure: Callable[[int, bool], None] | None = getattr(db, "setconfig", None)
    if configure is not None:
        # Python 3.12 can do this: no statement may write into the schema, whatever calls it.
        configure(_DEFENSIVE, True)  # noqa: FBT003 # its only form
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    db.row_factory = make_row
    # What is not UTF-8 is shown as far as it is.
    db.text_factory = partial(str, encoding="utf-8", errors="replace")
    # SQLite's own lower() knows ASCII alone; `q` is lowercased by Python.
    db.create_function("folded", 1, _fold, deterministic=True)
    return db


def connect_frozen(path: Path) -> sqlite3.Connection:
    """Connect to a file beside which nothing can be written, to read it and its log as they are now.

    Without locks and with the index of the log in memory (sqlite.org/wal.html, "Use of WAL Without Shared-Memory").
    """
    if measure_log(path):
        db = connect(path, f"mode=ro&vfs={'win32' if sys.platform == 'win32' else 'unix'}-none")
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
    else:
        db = connect(path, "immutable=1")
    # What is sorted has no place elsewhere either.
    db.execute("PRAGMA temp_store = MEMORY")
    db.execute("PRAGMA query_only = ON")
    return db


def _fold(value: object) -> str | None:
    """Return a text in lower case; a function that raises would end the query."""
    return value.lower() if isinstance(value, str) else None
