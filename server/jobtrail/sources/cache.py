"""Memory of the finished: answers about what has ended, which will not change any more.

Each source has one of its own, for the time it is open: nothing in it reaches another source or other credentials.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Mapping

Key = tuple[str, tuple[tuple[str, str | int], ...]]

_LARGEST_SHARE = 4


class Memory:
    """A bounded store of response bodies, packed; what was used longest ago goes first.

    Args:
        entries: how many it keeps.
        size: bytes it keeps, packed; one body gets at most a quarter of them.
        life: seconds after which a body is asked for anew. Less than a day, since a page may carry a cursor that
            its upstream keeps for a day.
    """

    def __init__(self, entries: int = 2_000, size: int = 32 * 1024 * 1024, life: float = 12 * 3600) -> None:
        self._entries = entries
        self._size = size
        self._life = life
        self._held: OrderedDict[Key, tuple[float, bytes]] = OrderedDict()
        self.used = 0

    def __len__(self) -> int:
        return len(self._held)

    @staticmethod
    def key(path: str, params: Mapping[str, str | int] | None) -> Key:
        """Return what a request is known by."""
        return path, tuple(sorted((params or {}).items()))

    def get(self, key: Key) -> bytes | None:
        """Return a body, None where it is not, or no longer, held."""
        found = self._held.get(key)
        if found is None:
            return None
        since, packed = found
        if anyio.current_time() - since > self._life:
            self._drop(key)
            return None
        self._held.move_to_end(key)
        return zlib.decompress(packed)

    def keep(self, key: Key, body: bytes) -> None:
        """Hold a body, in place of what was used longest ago."""
        packed = zlib.compress(body, 1)
        self._drop(key)
        if len(packed) > self._size // _LARGEST_SHARE:
            return
        self._held[key] = (anyio.current_time(), packed)
        self.used += len(packed)
        while len(self._held) > self._entries or self.used > self._size:
            self._drop(next(iter(self._held)))

    def _drop(self, key: Key) -> None:
        gone = self._held.pop(key, None)
        if gone is not None:
            self.used -= len(gone[1])
