"""Lists that an upstream pages by offset.

Offsets move under the reader as items come and go, so an offset is only a hint for where the last item consumed is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from jobtrail.errors import UnreadableAnswer
from jobtrail.paging.anchor import Anchor, Key, compare_keys
from jobtrail.paging.listing import FetchedPage, Position

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from jobtrail.paging.listing import Traits

MOST_STEPS = 50
"""Pages that are looked through at most for the last item consumed."""
OVERLAP = 1
"""Items that are read again, to see that they are still there."""

T = TypeVar("T")


@dataclass(frozen=True)
class CountedPage(Generic[T]):
    """A page, and how many items there are to be paged through in all."""

    items: Sequence[T]
    total: int


@dataclass(frozen=True)
class OffsetListing(Generic[T]):
    """A listing over pages with offsets.

    A position is the last item consumed and how many came before it. The next page starts one item early: if that
    one is not there, items came or went, and it is looked for by its place in the order.

    Attributes:
        fetch_page: reads so many items from an offset on.
        identity: tells an item apart from all others.
        order_key: what the items are sorted by, then by identity; None where that tells no place.
        traits: what the listing declares of itself; it has an order.
        drifted: said where items came or went and the order tells no place.
        subject: how an error names the upstream.
    """

    fetch_page: Callable[[int, int], Awaitable[CountedPage[T]]]
    identity: Callable[[T], str]
    order_key: Callable[[T], Key | None]
    traits: Traits
    drifted: str = "items came or went since the last page: some may repeat or be missing"
    subject: str = "the upstream"

    async def fetch(self, at: Position, want: int) -> FetchedPage[T]:
        """Read the page after a position, wherever that has moved to."""
        last = Anchor.read(at.detail)
        if last is None:
            return self._make_page(await self._page(0, want), 0, 0)
        offset, behind = max(last.number - OVERLAP, 0), False
        for _ in range(MOST_STEPS):
            page = await self._page(offset, want + OVERLAP)
            start = self._start_after(last, page.items)
            if start == 0 and offset and last.key is not None and not behind:
                # Everything here lies past the last item, and so might what was before: step back.
                offset = max(offset - want, 0)
            elif start is not None and 0 < start == len(page.items) and offset + start < page.total:
                # The last item consumed ends this page: the next begins with it.
                offset, behind = offset + start - 1, True
            elif start is not None:
                return self._make_page(page, offset, start)
            elif last.key is None:
                return self._make_page(page, offset, min(OVERLAP, len(page.items)), self.drifted)
            elif not page.items:
                return self._make_page(page, offset, 0)
            else:
                offset, behind = offset + len(page.items), True
        raise UnreadableAnswer(f"{self.subject} changes faster than it can be paged; ask for a window")

    async def _page(self, offset: int, size: int) -> CountedPage[T]:
        return await self.fetch_page(offset, self.traits.limit_size(size))

    def _start_after(self, last: Anchor, items: Sequence[T]) -> int | None:
        """Return the index after the last item consumed; None where it lies further on."""
        for index, item in enumerate(items):
            if self.identity(item) == last.identity:
                return index + 1
        return next((index for index, item in enumerate(items) if self._comes_after(item, last)), None)

    def _comes_after(self, item: T, last: Anchor) -> bool:
        descending = self.traits.descending
        way = compare_keys(self.order_key(item), last.key, descending=descending)
        if way == 0:
            way = compare_keys(self.identity(item), last.identity, descending=descending)
        return way == 1

    def _make_page(self, page: CountedPage[T], offset: int, start: int, note: str | None = None) -> FetchedPage[T]:
        rest = page.items[start:]

        def after(index: int) -> Position:
            item = rest[index]
            return Position("", Anchor(offset + start + index + 1, self.identity(item), self.order_key(item)).write())

        more = bool(rest) and offset + len(page.items) < page.total
        return FetchedPage(
            items=rest,
            after=after,
            next=after(len(rest) - 1) if more else None,
            total=self.traits.make_total(page.total),
            note=note,
            exact=note is None,
        )
