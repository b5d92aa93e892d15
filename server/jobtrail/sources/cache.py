"""Caches response bodies about executions and runs that have ended, since those do not change any more.

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


class ResponseCache:
    """Response bodies, compressed and bounded; the least recently used goes first.

    Args:
        entries: how many bodies it keeps.
        size: bytes it keeps, compressed; one body gets at most a quarter of them.
        life: seconds after which a body is asked for anew. Less than a day, since a page may carry a cursor that
            its upstream keeps for a day.
    """

    def __init__(self, entries: int = 2_000, size: int = 32 * 1024 * 1024, life: float = 12 * 3600) -> None:
        self._entries = entries
        self._size = size
        self._life = life
        self._bodies: OrderedDict[Key, tuple[float, bytes]] = OrderedDict()
        self.used = 0

    def __len__(self) -> int:
        return len(self._bodies)

    @staticmethod
    def key(path: str, params: Mapping[str, str | int] | None) -> Key:
        """Return the key of a request: its path and its query."""
        return path, tuple(sorted((params or {}).items()))

    def get(self, key: Key) -> bytes | None:
        """Return a body; None if it is not kept, or too old."""
        found = self._bodies.get(key)
        if found is None:
            return None
        since, compressed = found
        if anyio.current_time() - since > self._life:
            self._drop(key)
            return None
        self._bodies.move_to_end(key)
        return zlib.decompress(compressed)

    def keep(self, key: Key, body: bytes) -> None:
        """Keep a body, and drop the least recently used ones that no longer fit."""
        compressed = zlib.compress(body, 1)
        self._drop(key)
        if len(compressed) > self._size // _LARGEST_SHARE:
            return
        self._bodies[key] = (anyio.current_time(), compressed)
        self.used += len(compressed)
        while len(self._bodies) > self._entries or self.used > self._size:
            self._drop(next(iter(self._bodies)))

    def _drop(self, key: Key) -> None:
        gone = self._bodies.pop(key, None)
        if gone is not None:
            self.used -= len(gone[1])
