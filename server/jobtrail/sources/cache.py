"""Caches answers about executions and runs that have ended, since those do not change any more.

Each source has its own, for the time it is open: nothing in it reaches another source or other credentials.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

Key = tuple[str, tuple[tuple[str, str | int], ...]]

_LARGEST_SHARE = 4

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """Values, bounded in number, size and age; the least recently used goes first.

    Args:
        entries: how many values it keeps.
        size: the sum of their sizes; one value gets at most a quarter of it.
        life: seconds after which a value is asked for anew. Less than a day, since a page may carry a cursor that its
            upstream keeps for a day.
    """

    def __init__(self, entries: int, size: int, life: float = 12 * 3600) -> None:
        self._entries = entries
        self._size = size
        self._life = life
        self._values: OrderedDict[K, tuple[float, int, V]] = OrderedDict()
        self.used = 0

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        """Return a value; None if it is not kept, or too old."""
        found = self._values.get(key)
        if found is None:
            return None
        since, _, value = found
        if anyio.current_time() - since > self._life:
            self.drop(key)
            return None
        self._values.move_to_end(key)
        return value

    def keep(self, key: K, value: V, size: int) -> None:
        """Keep a value, and drop the least recently used ones that no longer fit."""
        self.drop(key)
        if size > self._size // _LARGEST_SHARE:
            return
        self._values[key] = (anyio.current_time(), size, value)
        self.used += size
        while len(self._values) > self._entries or self.used > self._size:
            self.drop(next(iter(self._values)))

    def drop(self, key: K) -> None:
        """Forget a value, where there is one."""
        gone = self._values.pop(key, None)
        if gone is not None:
            self.used -= gone[1]


class ResponseCache:
    """Response bodies.

    Args:
        entries: how many bodies it keeps.
        size: bytes it keeps.
        life: seconds for which it keeps a body.
    """

    def __init__(self, entries: int = 2_000, size: int = 32 * 1024 * 1024, life: float = 12 * 3600) -> None:
        self._bodies = BoundedCache[Key, bytes](entries, size, life)

    def __len__(self) -> int:
        return len(self._bodies)

    @property
    def used(self) -> int:
        """Bytes it holds."""
        return self._bodies.used

    @staticmethod
    def key(path: str, params: Mapping[str, str | int] | None) -> Key:
        """Return the key of a request: its path and its query."""
        return path, tuple(sorted((params or {}).items()))

    def get(self, key: Key) -> bytes | None:
        """Return a body; None if it is not kept, or too old."""
        return self._bodies.get(key)

    def keep(self, key: Key, body: bytes) -> None:
        """Keep a body, and drop the least recently used ones that no longer fit."""
        self._bodies.keep(key, body, len(body))
