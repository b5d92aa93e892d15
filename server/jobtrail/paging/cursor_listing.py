"""Listings of an upstream that pages by cursors of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from jobtrail.models import Total
from jobtrail.paging.anchor import Anchor, Key, compare_keys
from jobtrail.paging.listing import FetchedPage, Position

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from jobtrail.paging.listing import Traits

T = TypeVar("T")


@dataclass(frozen=True)
class CursorPage(Generic[T]):
    """A page as an upstream sends it.

    Attributes:
        items: on the page.
        next: the cursor of the page after it; empty on the last page.
        total: number of items in the list, as far as the upstream says.
    """

    items: Sequence[T]
    next: str = ""
    total: Total = field(default_factory=lambda: Total(kind="unknown"))


@dataclass(frozen=True)
class CursorListing(Generic[T]):
    """A listing over pages with cursors.

    A position is the cursor of a page and, inside the page, the last item returned. The page is read again, and that
    item is found by its number, by its identity or by the order; if it has moved, on the next page.

    Attributes:
        fetch_page: called with a cursor (empty for the first page) and a number of items; reads that page.
        identity: returns a text unique to an item.
        order_key: returns what an item is sorted by; None if that is not known.
        traits: of the listing; they have an order.
    """

    fetch_page: Callable[[str, int], Awaitable[CursorPage[T]]]
    identity: Callable[[T], str]
    order_key: Callable[[T], Key | None]
    traits: Traits

    async def fetch(self, at: Position, want: int) -> FetchedPage[T]:
        """Read one page; inside a page ask for the largest size, so that the last item returned is on it."""
        last = Anchor.read(at.detail)
        size = self.traits.page_size if last else self.traits.limit_size(want)
        page = await self.fetch_page(at.upstream, size)
        items = page.items
        start = self._start_after(last, items, more=bool(page.next)) if last else 0
        following = Position(page.next) if page.next else None
        if start is None:
            # Every item here comes before the last one returned, which has moved to the next page.
            start = len(items)
            following = Position(page.next, at.detail) if page.next else None

        def after(index: int) -> Position:
            number = start + index + 1
            if number == len(items) and following is not None:
                return following
            item = items[number - 1]
            return Position(at.upstream, Anchor(number, self.identity(item), self.order_key(item)).write())

        return FetchedPage(items[start:], after, following, page.total)

    def _start_after(self, last: Anchor, items: Sequence[T], *, more: bool) -> int | None:
        """Return the index of the first item after the last one returned; None if that is on a later page."""
        if 0 < last.number <= len(items) and self.identity(items[last.number - 1]) == last.identity:
            return last.number
        for index, item in enumerate(items):
            if self.identity(item) == last.identity:
                return index + 1
        return self._start_by_order(last, items, more=more)

    def _start_by_order(self, last: Anchor, items: Sequence[T], *, more: bool) -> int | None:
        """Return that index by the order, for a last item that was deleted or is on another page now."""
        places = [compare_keys(self.order_key(item), last.key, descending=self.traits.descending) for item in items]
        if None in places:
            return min(last.number, len(items))
        following = next((index for index, place in enumerate(places) if place == 1), len(items))
        same = [index for index, place in enumerate(places) if place == 0]
        if same and not (more and following == len(items)):
            # It was deleted, so its place among items of the same key is unknown: go by how many were returned.
            return max(same[0], min(last.number - 1, following))
        return following if following < len(items) else None
