"""Lock files that show which recorders still run.

A recorder locks a file beside the store while it runs. The operating system releases the lock when the process ends,
however it ends. The modification time of the file is when the recorder was last alive.
"""

from __future__ import annotations

import os
import secrets
import sys
from typing import TYPE_CHECKING, Self

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path


def _locate_locks(store: Path) -> Path:
    return store.with_name(f"{store.name}-recorders")


class LivenessLock:
    """The lock file of one recorder, locked inside `with`.

    Attributes:
        token: name of the file, and of the recorder in the store.
    """

    def __init__(self, store: Path) -> None:
        self.token = secrets.token_hex(8)
        self._path = _locate_locks(store) / self.token
        self._file = -1

    def __enter__(self) -> Self:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Closed in children (PEP 446), so that one that outlives the recorder does not hold the lock.
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        if sys.platform != "win32":
            fcntl.flock(self._file, fcntl.LOCK_EX)
        return self

    def renew(self) -> None:
        """Set the time at which the recorder was last alive to now."""
        os.utime(self._file)

    def __exit__(self, *_exc: object) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._file)


def read_vanished_at(store: Path, token: str) -> int | None:
    """Return when a vanished recorder was last alive, in nanoseconds since 1970; None while it runs.

    The time is 0 if its lock file is gone. On Windows, which has no such locks, every recorder counts as running.
    A caller that acts on the answer must hold the store's write lock, because a recorder removes its lock file only
    after it has written how its tasks ended.
    """
    if sys.platform == "win32":
        return None
    path = _locate_locks(store) / token
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return 0
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    else:
        return os.fstat(file).st_mtime_ns
    finally:
        os.close(file)


def remove_lock(store: Path, token: str) -> None:
    """Remove the lock file of a vanished recorder."""
    (_locate_locks(store) / token).unlink(missing_ok=True)
