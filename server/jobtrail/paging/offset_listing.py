"""Listings of an upstream that pages by offset.

Items move to other offsets as items come and go, so an offset is only a hint for where the last item returned is.
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
"""The most pages to search for the last item returned."""
OVERLAP = 1
"""The number of items that are read again, to see that they are still there."""

MISCOUNTED = "the upstream sent more rows than it counts, so there may be still more"

T = TypeVar("T")


def make_missing_error(count: int, subject: str) -> UnreadableAnswer:
    """Return the error for rows that an upstream counts and does not send."""
    return UnreadableAnswer(
        f"counts {count:,} more rows but sends none",
        subject=subject,
        advice="that is a fault of the upstream, a retry may help",
    )


@dataclass(frozen=True)
class CountedPage(Generic[T]):
    """A page as an upstream sends it, and the number of items in the whole list."""

    items: Sequence[T]
    total: int


@dataclass(frozen=True)
class OffsetListing(Generic[T]):
    """A listing over pages with offsets.

    A position is the last item returned and its number in the list. The next page starts one item early, with that
    item; if it is not there, items came or went, and it is searched for by the order.

    Attributes:
        fetch_page: called with an offset and a number of items; reads that page.
        identity: returns a text unique to an item.
        order_key: returns what an item is sorted by, before its identity; None if the upstream's order is not known.
        traits: of the listing; they have an order.
        drifted: the note for an agent if items came or went and `order_key` is None.
        subject: how an error names the upstream.
    """

    fetch_page: Callable[[int, int], Awaitable[CountedPage[T]]]
    identity: Callable[[T], str]
    order_key: Callable[[T], Key | None]
    traits: Traits
    drifted: str = "items came or went since the last page: some may repeat or be missing"
    subject: str = "the upstream"

    async def fetch(self, at: Position, want: int) -> FetchedPage[T]:
        """Read the page after the last item returned, at whatever offset that is now."""
        last = Anchor.read(at.detail)
        if last is None:
            return self._make_page(await self._page(0, want), 0, 0)
        offset, behind = max(last.number - OVERLAP, 0), False
        for _ in range(MOST_STEPS):
            page = await self._page(offset, want + OVERLAP)
            start = self._start_after(last, page.items)
            if start == 0 and offset and last.key is not None and not behind:
                # All of the page comes after the last item, and earlier items might too: step back.
                offset = max(offset - want, 0)
            elif (
                start is not None
                and 0 < start == len(page.items)
                and (offset + start < page.total or (start > OVERLAP and last.number < page.total))
            ):
                # The last item returned ends this page, as far as its offset is to be believed: read on from it.
                offset, behind = offset + start - 1, True
            elif start is not None:
                # Where it has moved, the rest may not be all, whatever the offset says.
                short = last.number + len(page.items) - start < page.total
                return self._make_page(page, offset, start, more=start > OVERLAP and short)
            elif last.key is None:
                return self._make_page(page, offset, min(OVERLAP, len(page.items)), self.drifted)
            elif not page.items:
                return self._make_page(page, offset, 0)
            else:
                offset, behind = offset + len(page.items), True
        raise UnreadableAnswer("changes faster than it can be paged", subject=self.subject, advice="ask for a window")

    async def _page(self, offset: int, size: int) -> CountedPage[T]:
        return await self.fetch_page(offset, self.traits.limit_size(size))

    def _start_after(self, last: Anchor, items: Sequence[T]) -> int | None:
        """Return the index after the last item returned; None if that is on a later page."""
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

    def _make_page(
        self, page: CountedPage[T], offset: int, start: int, note: str | None = None, *, more: bool = False
    ) -> FetchedPage[T]:
        rest, end = page.items[start:], offset + len(page.items)
        if not rest and end < page.total:
            raise make_missing_error(page.total - end, self.subject)
        if end > page.total and note is None:
            note = MISCOUNTED

        def after(index: int) -> Position:
            item = rest[index]
            return Position("", Anchor(offset + start + index + 1, self.identity(item), self.order_key(item)).write())

        more = bool(rest) and (more or end < page.total)
        return FetchedPage(
            items=rest,
            after=after,
            next=after(len(rest) - 1) if more else None,
            total=self.traits.make_total(page.total),
            note=note,
            exact=note is None,
            whole=note is None,
        )
