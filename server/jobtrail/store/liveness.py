"""Signs of which recorders still run: a locked file beside the store, and a time within it.

A recorder locks a file beside the store while it runs. The operating system releases the lock when the process ends,
however it ends. The modification time of the file is when the recorder was last alive, for where there are no locks
or they do nothing, as on some network file systems. Where the file is not in sight, as after the store was moved, the
time in the store tells. What cannot be looked at counts as alive.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from jobtrail.store.files import make_folder, narrow, resolve
from jobtrail.times import NANOSECONDS

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path

FRESH = 10 * NANOSECONDS
"""How long a sign counts as renewed; a recorder renews its file every second."""
PULSE_SECONDS = 20
"""How often a recorder renews the time in the store."""
_FRESH_PULSE = 3 * PULSE_SECONDS * NANOSECONDS
_TOKEN = re.compile("[0-9a-f]{16}")
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


def _locate_sign(store: Path, token: str) -> Path:
    """Return the file of a recorder; a token of another form must not come here, since it came from the store."""
    if not _TOKEN.fullmatch(token):
        raise ValueError(token)
    real = resolve(store)
    return real.with_name(f"{real.name}-recorders") / token


def make_token() -> str:
    """Return a new name for a recorder."""
    return secrets.token_hex(8)


class LivenessLock:
    """The lock file of one recorder, locked inside `with`.

    Attributes:
        token: name of the file, and of the recorder in the store.
    """

    def __init__(self, store: Path) -> None:
        self.token = make_token()
        self._path = _locate_sign(store, self.token)
        self._file = -1

    def __enter__(self) -> Self:
        make_folder(self._path.parent)
        narrow(self._path.parent)
        # Closed in children (PEP 446), so that one that outlives the recorder does not hold the lock.
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        if sys.platform != "win32":
            with suppress(OSError):
                # Where there are no locks, the time of the file tells.
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return self

    def renew(self) -> None:
        """Set the time at which the recorder was last alive to now."""
        with suppress(OSError):
            os.utime(self._file)

    def __exit__(self, *_exc: object) -> None:
        self.release()

    def release(self) -> None:
        """Remove the file, if it is still there; the recorder has ended."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        with suppress(OSError):
            os.close(self._file)
        self._file = -1


def read_vanished_at(store: Path, token: str, pulse: int | None) -> int | None:
    """Return when a vanished recorder was last alive, in nanoseconds since 1970; None while it may run.

    The time is 0 if there is no sign of it. On Windows, which has no such locks, every recorder counts as running.
    A caller that acts on the answer must hold the store's write lock, because a recorder removes its lock file only
    after it has written how its tasks ended.

    Args:
        store: the store's file.
        token: the recorder, as the store names it.
        pulse: the time that the store holds of it; None for none.
    """
    if sys.platform == "win32":
        return None
    if not _TOKEN.fullmatch(token):
        # No recorder is called so.
        return 0
    try:
        # Not followed, and not waited for, should it be something else than a file.
        file = os.open(_locate_sign(store, token), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return _unless_fresh(pulse or 0, _FRESH_PULSE)
    except OSError:
        # Another user's, for one: alive, as far as can be known.
        return None
    try:
        return None if _is_locked(file) else _unless_fresh(os.fstat(file).st_mtime_ns, FRESH)
    except OSError:
        return None
    finally:
        os.close(file)


def _is_locked(file: int) -> bool:
    """Return whether somebody has locked a file, as far as can be known; where there are no locks, nobody has."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _NO_LOCKS
    return False


def _unless_fresh(renewed: int, fresh: int) -> int | None:
    """Return when a sign was renewed, or None where that was just now; a clock may be a little ahead."""
    return None if abs(time.time_ns() - renewed) < fresh else renewed


def remove_lock(store: Path, token: str) -> None:
    """Remove the lock file of a vanished recorder, where it is one's to remove."""
    if _TOKEN.fullmatch(token):
        with suppress(OSError):
            _locate_sign(store, token).unlink(missing_ok=True)
