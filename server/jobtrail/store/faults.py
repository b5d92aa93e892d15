"""What goes wrong with a store, as one sentence each and with what to do about it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jobtrail.errors import SettingsError, UpstreamError
from jobtrail.text import sanitize_text

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

SQLITE_FAULTS = (sqlite3.Error, UnicodeError, MemoryError, RecursionError)
"""What is raised over a file: SQLite's messages are decoded, lengths believed, and JSON may be nested without end."""

_UNWRITABLE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}

_LONGEST_REASON = 160
_DAMAGED_ADVICE = (
    "`jobtrail store check` tells what is wrong with it, "
    "and `jobtrail store salvage FILE` copies what can be read into a new one"
)
_ANOTHER = "give another JOBTRAIL_STORE"
_ADVICE = {
    sqlite3.SQLITE_BUSY: "another process holds it; try again",
    sqlite3.SQLITE_LOCKED: "another process holds it; try again",
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_IOERR: "see to its disk, which may be full",
    sqlite3.SQLITE_READONLY: f"make it writable, or {_ANOTHER}",
    sqlite3.SQLITE_CANTOPEN: f"see that you may read and write it and its folder, or {_ANOTHER}",
    sqlite3.SQLITE_PERM: f"see that you may read and write it and its folder, or {_ANOTHER}",
    sqlite3.SQLITE_NOTADB: f"move it away to begin a new one, or {_ANOTHER}",
    # What the rows break is a rule of the schema, not the file.
    sqlite3.SQLITE_CONSTRAINT: "",
}
"""By SQLite's primary result code; any other one is damage."""


class StoreError(SettingsError, UpstreamError):
    """A store that cannot be opened, read or written: one is set, and is the upstream of the source that shows it.

    Attributes:
        what: what is wrong.
        advice: what to do about it, empty where nothing is known.
    """

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(what, advice=advice)
        self.what = what
        self.advice = advice


class DamagedStore(StoreError):
    """A store whose file does not hold what Jobtrail wrote."""

    def __init__(self, path: Path | None, why: object) -> None:
        said = sanitize_text(str(why), _LONGEST_REASON)
        super().__init__(f"the store {path} is damaged ({said})", _DAMAGED_ADVICE)


def explain_fault(path: Path | None, doing: str, error: Exception) -> StoreError:
    """Return the error for what was raised over a store's file.

    Args:
        path: the file; None in memory.
        doing: what could not be done, such as `read`.
        error: one of `SQLITE_FAULTS`, or an OSError.
    """
    if isinstance(error, OSError):
        why = error.strerror or str(error)
        return StoreError(f"the store {path} cannot be {doing}: {why}", _ADVICE[sqlite3.SQLITE_CANTOPEN])
    if isinstance(error, UnicodeEncodeError):
        # A value on its way into SQLite, for a query or a row; what a file holds is decoded.
        text = sanitize_text(ascii(error.object), _LONGEST_REASON)
        return StoreError(f"the store {path} cannot be {doing}: {text} holds what is not Unicode", "give it in UTF-8")
    code = getattr(error, "sqlite_errorcode", None)
    closed = isinstance(error, sqlite3.ProgrammingError) and code is None
    if code is not None and code & 0xFF in _ADVICE:
        return StoreError(f"the store {path} cannot be {doing}: {error}", _ADVICE[code & 0xFF])
    if closed:
        return StoreError(f"the store {path} cannot be {doing}: it was closed meanwhile", "try again")
    return DamagedStore(path, error)


@contextmanager
def explain_faults(path: Path | None, doing: str) -> Generator[None]:
    """Raise what SQLite raises inside as a `StoreError`."""
    try:
        yield
    except SQLITE_FAULTS as error:
        raise explain_fault(path, doing, error) from error


def is_unwritable(error: BaseException) -> bool:
    """Return whether SQLite cannot write beside a file, which may be readable all the same."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _UNWRITABLE


def is_busy(error: BaseException) -> bool:
    """Return whether another process locked the store for longer than SQLite waits."""
    cause = error.__cause__
    return isinstance(cause, sqlite3.OperationalError) and cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def exists(path: Path) -> bool:
    """Return whether there is a file, or what cannot be looked at.

    Raises:
        StoreError: it cannot be known, as in a folder that may not be looked into.
    """
    try:
        os.stat(path)  # noqa: PTH116 # Path.exists takes what cannot be known for absence
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise explain_fault(path, "looked at", error) from error
    return True
