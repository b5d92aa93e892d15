"""Fields that an upstream sent and nobody could read: counted, and said once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobtrail.text import quote_unless_word

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

WHOLE = "(the whole of it)"
"""Stands for the field where nothing of a thing could be read."""
_MOST_NAMED = 5


def describe_unread(fields: Iterable[str], where: str = "") -> list[str]:
    """Return a note that names fields which could not be read; none where there are none.

    Args:
        fields: their names.
        where: in what, such as ` in 3 rows`.
    """
    found = sorted(set(fields))
    if not found:
        return []
    names = [one if one == WHOLE else quote_unless_word(one) for one in found[:_MOST_NAMED]]
    others = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    verb = "is" if len(found) == 1 else "are"
    return [f"{', '.join(names)}{others} could not be read{where} and {verb} left out{' there' if where else ''}"]


class UnreadFields:
    """Counts the rows of which something could not be read.

    Args:
        noun: what a row is called.
    """

    def __init__(self, noun: str = "row") -> None:
        self._noun = noun
        self._rows = 0
        self._fields: set[str] = set()

    def __bool__(self) -> bool:
        return self._rows > 0

    def add(self, fields: Collection[str]) -> None:
        """Add a row's fields that could not be read, which may be none."""
        if fields:
            self._rows += 1
            self._fields.update(fields)

    def write_notes(self) -> list[str]:
        """Return a note if there are any."""
        return describe_unread(self._fields, f" in {self._rows:,} {self._noun}{'' if self._rows == 1 else 's'}")
