"""Stores in a position which item of a listing was returned last, and compares sort keys."""

from __future__ import annotations

from typing import NamedTuple

from jobtrail.errors import StrayCursor

Key = int | str
"""What items are sorted by: a text, or an integer such as a time in microseconds."""

_LARGEST = 10**21


class Anchor(NamedTuple):
    """An item that was returned.

    Attributes:
        number: of the item, from 1: on its page for a cursor listing, in the whole list for an offset listing.
        identity: unique in the listing.
        key: what it is sorted by; None if that is not known.
        moved: whether items have moved in the whole list, so that numbers tell less than what comes; a position has
            the number below zero then.
    """

    number: int
    identity: str
    key: Key | None
    moved: bool = False

    def write(self) -> tuple[str | int, ...]:
        """Return the anchor as the detail of a position; a key equal to the identity is not written twice."""
        number = -self.number if self.moved else self.number
        if self.key is None or self.key == self.identity:
            return (number, self.identity, *(("",) if self.key is None else ()))
        return (number, self.identity, self.key)

    @classmethod
    def read(cls, detail: tuple[str | int, ...]) -> Anchor | None:
        """Return the anchor in the detail of a position; None for the beginning of a page.

        Raises:
            StrayCursor: the position is of another kind of listing.
        """
        match detail:
            case ():
                return None
            case (int(number), str(identity)) if abs(number) < _LARGEST:
                return cls(abs(number), identity, identity, number < 0)
            case (int(number), str(identity), (int() | str()) as key) if abs(number) < _LARGEST:
                if isinstance(key, int) and abs(key) >= _LARGEST:
                    raise StrayCursor("this cursor does not fit what it walks")
                return cls(abs(number), identity, None if key == "" else key, number < 0)
            case _:
                raise StrayCursor("this cursor does not fit what it walks")


def compare_keys(key: Key | None, other: Key | None, *, descending: bool) -> int | None:
    """Return 1 if `key` comes after `other` in the order, -1 if before, 0 if they are equal; None if unknown."""
    if key is None or other is None or isinstance(key, int) != isinstance(other, int):
        return None
    # Both are numbers or both are texts; the other half of each pair is equal.
    left, right = ((one, "") if isinstance(one, int) else (0, one) for one in (key, other))
    way = (left > right) - (left < right)
    return -way if descending else way
