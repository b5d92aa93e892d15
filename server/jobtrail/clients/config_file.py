"""Configuration files: read whole, backed up beside themselves, and written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jobtrail.errors import SettingsError


@dataclass(frozen=True)
class Snapshot:
    """A file as it was found.

    Attributes:
        path: where it is, behind any symbolic link: what is written stays where it was.
        data: its bytes; None where there is no file.
        mode: its permissions.
    """

    path: Path
    data: bytes | None
    mode: int = 0

    def text(self) -> str:
        """Return its text; nothing where there is none.

        Raises:
            SettingsError: it is not UTF-8.
        """
        try:
            return (self.data or b"").decode()
        except UnicodeDecodeError:
            raise SettingsError(f"{self.path} is not UTF-8 text; it was left as it is") from None


def look(path: Path) -> Snapshot:
    """Read a file.

    Raises:
        SettingsError: it cannot be read.
    """
    try:
        real = path.resolve()
        data = real.read_bytes()
        return Snapshot(real, data, real.stat().st_mode & 0o7777)
    except FileNotFoundError:
        return Snapshot(path.resolve(), None)
    except (OSError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else "its symbolic links go round"
        raise SettingsError(f"{path} cannot be read ({why})") from None


def back_up(was: Snapshot) -> Path | None:
    """Copy a file beside itself, readable by the same people; None where there is nothing to copy.

    Raises:
        SettingsError: it cannot be written there.
    """
    if was.data is None:
        return None
    target = was.path.with_name(f"{was.path.name}.jobtrail-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")
    try:
        file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    except OSError as error:
        raise SettingsError(f"{target} cannot be written ({error.strerror}); nothing was changed") from None
    with os.fdopen(file, "wb") as stream:
        stream.write(was.data)
    target.chmod(was.mode)
    return target


def write(was: Snapshot, data: bytes, *, private: bool = False) -> None:
    """Put other bytes in a file's place, all at once and with its permissions.

    Args:
        was: the file as it was read; one that has changed since is not written.
        data: what it is to hold.
        private: whether a file that is made is for its owner alone.

    Raises:
        SettingsError: it cannot be written, or somebody else has written it meanwhile.
    """
    path = was.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}); nothing was changed") from None
    temporary = Path(name)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(was.mode if was.data is not None else 0o600 if private else 0o644)
        if look(path).data != was.data:
            raise SettingsError(f"{path} was changed by somebody else just now; run this again")
        temporary.replace(path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}); nothing was changed") from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
