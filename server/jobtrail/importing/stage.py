"""Where what a file tells waits until all of it is checked, so that nobody waits while a file is read."""

from __future__ import annotations

import pickle
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from jobtrail.plane.told import Told

__all__ = ["Stage"]

_IN_MEMORY = 1 << 23


class Stage:
    """Items in their order, each with its place; beyond 8 MiB in a file that nobody else can open.

    Args:
        folder: of the file; not the system's, which may be memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=folder and str(folder))  # noqa: SIM115 # closed by __exit__
        self.count = 0

    def add(self, place: str, told: Told) -> None:
        """Put an item at the end."""
        pickle.dump((place, told), self._file, pickle.HIGHEST_PROTOCOL)
        self.count += 1

    def __iter__(self) -> Iterator[tuple[str, Told]]:
        self._file.seek(0)
        for _ in range(self.count):
            yield pickle.load(self._file)  # noqa: S301 # our own, from a file without a name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
