"""Makes the store's file and folders for their owner alone, since output may hold secrets."""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

_OTHERS, _OTHERS_WRITE = 0o077, 0o022
_BESIDE = ("", "-wal", "-shm", "-journal")
"""What SQLite appends to the name of a database for the files that it keeps beside it."""


def resolve(path: Path) -> Path:
    """Return where a store really lies; SQLite, too, keeps its files beside what a symbolic link points at."""
    return Path(os.path.realpath(path))


def make_folder(path: Path) -> None:
    """Make a folder and what is missing above it, for their owner alone whatever the umask is."""
    if path.is_dir():
        return
    make_folder(path.parent)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        # Another process has just made it, or it is a file.
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None


def make_file(path: Path) -> bool:
    """Make a store's file for its owner alone if it is not there; return whether it was made.

    An existing file is not opened, because closing it would release the locks that SQLite holds for this process.

    Raises:
        OSError: it cannot be made, or what is there is no file.
    """
    real = resolve(path)
    make_folder(real.parent)
    try:
        os.close(os.open(real, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if real.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
        if not real.is_file():
            raise OSError(errno.EINVAL, "it is a device, a pipe or a socket") from None
        return False
    return True


def remove_files(path: Path) -> None:
    """Remove a store's file and what SQLite keeps beside it."""
    real = resolve(path)
    for name in _BESIDE:
        with suppress(OSError):
            real.with_name(f"{real.name}{name}").unlink(missing_ok=True)


def narrow_files(path: Path) -> None:
    """Take from others what they may do with a store's files, which must be known to be a store's."""
    real = resolve(path)
    for name in _BESIDE:
        narrow(real.with_name(f"{real.name}{name}"))


def narrow(path: Path) -> None:
    """Take from others what they may do with a file or folder that is ours; where that fails it stays as it is.

    What a link leads to, or what has another name too, is somebody else's matter.
    """
    if sys.platform == "win32":
        return
    with suppress(OSError):
        found = path.lstat()
        if not (stat.S_ISDIR(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_nlink == 1)):
            return
        if found.st_uid == os.geteuid() and found.st_mode & _OTHERS:
            path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)


def is_open_to_others(path: Path) -> bool:
    """Return whether other users of the machine can read or write a file, as far as its mode tells."""
    try:
        return sys.platform != "win32" and bool(path.stat().st_mode & _OTHERS)
    except OSError:
        return False


def can_others_replace(path: Path) -> bool:
    """Return whether other users can exchange a file, since they can write its folder and may remove what is ours."""
    mode = resolve(path).parent.stat().st_mode
    return bool(mode & _OTHERS_WRITE) and not mode & stat.S_ISVTX


def measure_log(path: Path) -> int:
    """Return how many bytes the write-ahead log of a store has."""
    real = resolve(path)
    try:
        return real.with_name(f"{real.name}-wal").stat().st_size
    except OSError:
        return 0


def read_state(path: Path) -> tuple[int, ...]:
    """Return a mark that changes when a store's file or its log are written."""
    real = resolve(path)
    marks: list[int] = []
    for name in _BESIDE[:2]:
        with suppress(OSError):
            found = real.with_name(f"{real.name}{name}").stat()
            marks += [found.st_ino, found.st_size, found.st_mtime_ns]
    return tuple(marks)
