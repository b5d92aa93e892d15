"""The last item that was handed out of a page, as a position keeps it."""

from __future__ import annotations

from typing import NamedTuple

from jobtrail.errors import StrayCursor

Key = int | str
"""What items are sorted by: a text, or a whole number such as a time in microseconds."""

_LARGEST = 10**21


class Anchor(NamedTuple):
    """An item that was handed out.

    Attributes:
        number: how many came up to and with it: on its page, or in the whole list.
        identity: what tells it apart.
        key: what it is sorted by; None where that is not known.
    """

    number: int
    identity: str
    key: Key | None

    def write(self) -> tuple[str | int, ...]:
        """Return it as the detail of a position; a key that is the identity is not written twice."""
        if self.key is None or self.key == self.identity:
            return (self.number, self.identity, *(("",) if self.key is None else ()))
        return (self.number, self.identity, self.key)

    @classmethod
    def read(cls, detail: tuple[str | int, ...]) -> Anchor | None:
        """Return what a position holds; None for the beginning of a page.

        Raises:
            StrayCursor: the position is of another kind of listing.
        """
        match detail:
            case ():
                return None
            case (int(number), str(identity)) if 0 <= number < _LARGEST:
                return cls(number, identity, identity)
            case (int(number), str(identity), (int() | str()) as key) if 0 <= number < _LARGEST:
                if isinstance(key, int) and abs(key) >= _LARGEST:
                    raise StrayCursor("this cursor does not fit what it walks")
                return cls(number, identity, None if key == "" else key)
            case _:
                raise StrayCursor("this cursor does not fit what it walks")


def compare_keys(key: Key | None, other: Key | None, *, descending: bool) -> int | None:
    """Return 1 for a key that comes after another one in an order, -1 before it, 0 beside it; None if unknown."""
    if key is None or other is None or isinstance(key, int) != isinstance(other, int):
        return None
    left, right = _sortable(key), _sortable(other)
    way = (left > right) - (left < right)
    return -way if descending else way


def _sortable(key: Key) -> tuple[int, str]:
    return (key, "") if isinstance(key, int) else (0, key)
