"""Holds the current page of each part of a merged listing, and the index of the next item on it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from jobtrail.paging.merge_position import BEFORE_EVERY_TIME, PartMark, PartPage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from jobtrail.paging.listing import FetchedPage


class Dated(Protocol):
    """What can be merged: it has a time, and an id unique in its part."""

    @property
    def id(self) -> str:
        """Unique in its part."""
        ...

    @property
    def created_at(self) -> datetime | None:
        """When it was created."""
        ...


D = TypeVar("D", bound=Dated)


@dataclass
class Head(Generic[D]):
    """A page of a part, and the index of the next item to return of it.

    Attributes:
        page: where it begins.
        fetched: its items.
        times: of its items, as in `MergePosition`.
        index: of the next item.
        mark: of its part once all of the page has been returned.
        exact: False if the last item returned was deleted, so that others of its time may repeat or be missing.
    """

    page: PartPage
    fetched: FetchedPage[D]
    times: Sequence[int]
    index: int
    mark: PartMark
    exact: bool = True

    @property
    def exhausted(self) -> bool:
        """Whether all items of the page have been returned."""
        return self.index == len(self.times)

    @property
    def time(self) -> int:
        """The time of the next item."""
        return self.times[self.index]

    def find_next_page(self) -> PartPage | None:
        """Return the page after this one; None at the part's end."""
        if self.fetched.next is None:
            return None
        return PartPage(self.fetched.next, self.times[-1] if self.times else self.page.time_before)


def make_head(page: PartPage, fetched: FetchedPage[D], mark: PartMark, sign: int) -> Head[D]:
    """Return the head for a page, at the first item that has not been returned.

    Args:
        page: where the page begins.
        fetched: its items.
        mark: which items of the part have been returned.
        sign: 1 for the oldest item first, -1 for the newest first.
    """
    # An item that has no time, or is out of order, gets the time of the item before it.
    times = list(accumulate((_read_time(item, sign) for item in fetched.items), max, initial=page.time_before))[1:]
    start, end = bisect_left(times, mark.time), bisect_right(times, mark.time)
    if not mark.last_id:
        return Head(page, fetched, times, start, mark)
    found = next((index for index in range(start, end) if fetched.items[index].id == mark.last_id), None)
    if found is not None:
        return Head(page, fetched, times, found + 1, PartMark(mark.time))
    if end == len(times) and fetched.next:
        # Newer items moved it to the next page.
        return Head(page, fetched, times, end, mark)
    # It was deleted: return the items of its time again rather than lose some.
    alone = start == end and page.time_before != mark.time
    return Head(page, fetched, times, start, PartMark(mark.time), exact=alone)


def _read_time(item: Dated, sign: int) -> int:
    return BEFORE_EVERY_TIME if item.created_at is None else sign * round(item.created_at.timestamp() * 1_000_000)
