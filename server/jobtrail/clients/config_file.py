"""Read, back up and replace a configuration file; it is written completely or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jobtrail.errors import SettingsError


@dataclass(frozen=True)
class ConfigSnapshot:
    """A file as it was read.

    Attributes:
        path: with symbolic links resolved, so that a link stays one when the file is replaced.
        data: its bytes; None if there is no file.
        mode: its permissions.
    """

    path: Path
    data: bytes | None
    mode: int = 0

    def text(self) -> str:
        """Return its text; empty if there is no file.

        Raises:
            SettingsError: it is not UTF-8.
        """
        try:
            return (self.data or b"").decode()
        except UnicodeDecodeError:
            raise SettingsError(f"{self.path} is not UTF-8 text; it was left as it is") from None


def read_config(path: Path) -> ConfigSnapshot:
    """Read a file.

    Raises:
        SettingsError: it cannot be read.
    """
    try:
        real = path.resolve()
        data = real.read_bytes()
        return ConfigSnapshot(real, data, real.stat().st_mode & 0o7777)
    except FileNotFoundError:
        return ConfigSnapshot(path.resolve(), None)
    except (OSError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else "its symbolic links go round"
        raise SettingsError(f"{path} cannot be read ({why})") from None


def back_up(was: ConfigSnapshot) -> Path | None:
    """Copy a file into the same folder, with the same permissions; return None if there is no file.

    Raises:
        SettingsError: the copy cannot be written.
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


def write_config(was: ConfigSnapshot, data: bytes, *, private: bool = False) -> None:
    """Replace a file's content at once, and keep its permissions.

    Args:
        was: the file as it was read; if it has changed since, it is not written.
        data: the new content.
        private: whether a new file is readable by its owner alone.

    Raises:
        SettingsError: it cannot be written, or it has changed since it was read.
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
        if read_config(path).data != was.data:
            raise SettingsError(f"{path} was changed by somebody else just now; run this again")
        temporary.replace(path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}); nothing was changed") from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
