"""Keeps the items of a file until all of them are checked, so that the store is not locked while a file is read."""

from __future__ import annotations

import pickle
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jobtrail.importing.imported_rows import Snapshot

_IN_MEMORY = 1 << 23


class StagingFile:
    """Items in their order, each with its place; beyond 8 MiB in a file that nobody else can open.

    Args:
        folder: of the file; not the system's, which may be memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=folder and str(folder))  # noqa: SIM115 # see close
        self.count = 0
        self.close = self._file.close

    def add(self, place: str, item: Snapshot) -> None:
        """Append an item."""
        pickle.dump((place, item), self._file, pickle.HIGHEST_PROTOCOL)
        self.count += 1

    def __iter__(self) -> Iterator[tuple[str, Snapshot]]:
        self._file.seek(0)
        for _ in range(self.count):
            yield pickle.load(self._file)  # noqa: S301 # our own, from a file without a name
