"""Signs of life: how a recorder that was killed is told from one that still runs.

A recorder holds a file beside the store locked for as long as it lives; the operating system lets go of the lock
however the process ends. Its modification time says when it was last alive.
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

__all__ = ["LivenessLock", "read_vanished_at", "remove_lock"]


def _locate_locks(store: Path) -> Path:
    return store.with_name(f"{store.name}-recorders")


class LivenessLock:
    """A recorder's own sign of life, from `with` to its end.

    Attributes:
        token: names the recorder in the store.
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
        """Say that the recorder is alive at this moment."""
        os.utime(self._file)

    def __exit__(self, *_exc: object) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._file)


def read_vanished_at(store: Path, token: str) -> int | None:
    """Return when a recorder was last alive, in nanoseconds since 1970; None while it lives.

    Zero where nothing is left of it. On Windows, which has no such locks, every recorder counts as living.
    Whoever asks must hold the store's write lock to act on it: a recorder
    removes its sign only after it has written its end.
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
    """Remove what a vanished recorder left."""
    (_locate_locks(store) / token).unlink(missing_ok=True)
