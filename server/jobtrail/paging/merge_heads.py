"""A page of one part of a merged listing, and where on it the part goes on."""

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
    """What can be merged: it has a time, and is told apart from others of its part."""

    @property
    def id(self) -> str:
        """What tells it apart."""
        ...

    @property
    def created_at(self) -> datetime | None:
        """When it was created."""
        ...


D = TypeVar("D", bound=Dated)


@dataclass
class Head(Generic[D]):
    """A page that is being handed out.

    Attributes:
        page: where it begins.
        fetched: what is on it.
        depths: the items' times in microseconds that grow along the walk.
        index: the number of the next item.
        mark: how far its part has been handed out once the page is.
        exact: False where the last item handed out has gone, so that others of its time may repeat or be missing.
    """

    page: PartPage
    fetched: FetchedPage[D]
    depths: Sequence[int]
    index: int
    mark: PartMark
    exact: bool = True

    @property
    def over(self) -> bool:
        """Whether nothing is left on the page."""
        return self.index == len(self.depths)

    @property
    def depth(self) -> int:
        """The depth of the next item."""
        return self.depths[self.index]

    def turned(self) -> PartPage | None:
        """Return the page after this one; None at the part's end."""
        if self.fetched.next is None:
            return None
        return PartPage(self.fetched.next, self.depths[-1] if self.depths else self.page.floor)


def make_head(page: PartPage, fetched: FetchedPage[D], mark: PartMark, sign: int) -> Head[D]:
    """Take up a page where its part stands.

    Args:
        page: where the page begins.
        fetched: what is on it.
        mark: how far the part has been handed out.
        sign: 1 where times grow along the walk, else -1.
    """
    # An item that has no time, or is out of order, stays by its neighbour.
    depths = list(accumulate((_depth(item, sign) for item in fetched.items), max, initial=page.floor))[1:]
    start, end = bisect_left(depths, mark.depth), bisect_right(depths, mark.depth)
    if not mark.last:
        return Head(page, fetched, depths, start, mark)
    found = next((index for index in range(start, end) if fetched.items[index].id == mark.last), None)
    if found is not None:
        return Head(page, fetched, depths, found + 1, PartMark(mark.depth))
    if end == len(depths) and fetched.next:
        # Newer items have pushed it on: it is looked for on the next page.
        return Head(page, fetched, depths, end, mark)
    # It is gone: those of its time are handed out again rather than some of them lost.
    alone = start == end and page.floor != mark.depth
    return Head(page, fetched, depths, start, PartMark(mark.depth), exact=alone)


def _depth(item: Dated, sign: int) -> int:
    return BEFORE_EVERY_TIME if item.created_at is None else sign * round(item.created_at.timestamp() * 1_000_000)
