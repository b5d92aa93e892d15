"""Lists that an upstream pages by cursors of its own."""

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
    """One page.

    Attributes:
        items: what is on it.
        next: the cursor of the page after it; empty on the last page.
        total: how many there are, as far as the upstream says.
    """

    items: Sequence[T]
    next: str = ""
    total: Total = field(default_factory=lambda: Total(kind="unknown"))


@dataclass(frozen=True)
class CursorListing(Generic[T]):
    """A listing over pages with cursors.

    A position is the cursor of a page and, inside the page, the last item consumed. The page is read again, and the
    item found by its number, its identity or its place in the order, if need be on the next page.

    Attributes:
        fetch_page: reads the page of a cursor (empty for the first page) with so many items.
        identity: tells an item apart from all others.
        order_key: what the items are sorted by; None of an item where it is not known.
        traits: what the listing declares of itself; it has an order.
    """

    fetch_page: Callable[[str, int], Awaitable[CursorPage[T]]]
    identity: Callable[[T], str]
    order_key: Callable[[T], Key | None]
    traits: Traits

    async def fetch(self, at: Position, want: int) -> FetchedPage[T]:
        """Read one page; inside a page, the largest, so that the last item consumed is on it."""
        last = Anchor.read(at.detail)
        size = self.traits.page_size if last else self.traits.limit_size(want)
        page = await self.fetch_page(at.upstream, size)
        items = page.items
        start = self._start_after(last, items, more=bool(page.next)) if last else 0
        following = Position(page.next) if page.next else None
        if start is None:
            # Every item here comes before the last one consumed, which is on the next page by now.
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
        """Return the index of the first item after the last one consumed; None where that is on a later page."""
        if 0 < last.number <= len(items) and self.identity(items[last.number - 1]) == last.identity:
            return last.number
        for index, item in enumerate(items):
            if self.identity(item) == last.identity:
                return index + 1
        return self._start_by_order(last, items, more=more)

    def _start_by_order(self, last: Anchor, items: Sequence[T], *, more: bool) -> int | None:
        """Return the index by the items' order, for a last item that is on another page now, or gone."""
        places = [compare_keys(self.order_key(item), last.key, descending=self.traits.descending) for item in items]
        if None in places:
            return min(last.number, len(items))
        following = next((index for index, place in enumerate(places) if place == 1), len(items))
        same = [index for index, place in enumerate(places) if place == 0]
        if same and not (more and following == len(items)):
            # It is gone, and so is its place among those of its key: as many are before it as were handed out.
            return max(same[0], min(last.number - 1, following))
        return following if following < len(items) else None
