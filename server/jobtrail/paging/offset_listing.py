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


def _has_moved(last: Anchor, number: int) -> bool:
    """Return whether an item that is this number now has moved, here or before."""
    return last.moved or number != last.number


@dataclass(frozen=True)
class CountedPage(Generic[T]):
    """A page as an upstream sends it, and the number of items in the whole list."""

    items: Sequence[T]
    total: int


def _goes_on_behind(page: CountedPage[T], offset: int, start: int, last: Anchor) -> bool:
    """Return whether the last item returned ends a page which need not be that of the end."""
    unsure = start > OVERLAP or offset + start < page.total or _has_moved(last, offset + start)
    return 0 < start == len(page.items) and unsure


@dataclass(frozen=True)
class OffsetListing(Generic[T]):
    """A listing over pages with offsets.

    A position is the last item returned and its number in the list. The next page starts one item early, with that
    item; if it is not there, items came or went, or pages overlap, and it is searched for by the order. From then on
    the list ends where nothing comes behind the last item: numbers and counts may be of another list than before.

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
        offset, behind, alone = max(last.number - OVERLAP, 0), False, -1
        for _ in range(MOST_STEPS):
            page = await self._page(offset, want + OVERLAP)
            start = self._start_after(last, page.items)
            if (start == 0 or not page.items) and offset and last.key is not None and not behind:
                # All of the page comes after the last item, or the list is shorter now: what is before may too.
                offset = max(min(offset, page.total) - want, 0)
            elif start is not None and _goes_on_behind(page, offset, start, last):
                # The last item returned ends this page: read on from it, or from behind it if it is alone there.
                alone = page.total if start == OVERLAP else -1
                offset, behind = offset + max(start - 1, 1), True
            elif start is not None or alone >= 0 or not page.items:
                # Where no page has the last item and another one, only the count tells that nothing came between.
                sure = alone in {-1, page.total} and (bool(page.items) or behind or last.key is not None)
                return self._make_page(page, offset, start or 0, last, None if sure else self.drifted)
            elif last.key is None:
                return self._make_page(page, offset, OVERLAP, last, self.drifted)
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
        self, page: CountedPage[T], offset: int, start: int, last: Anchor | None = None, note: str | None = None
    ) -> FetchedPage[T]:
        rest, end = page.items[start:], offset + len(page.items)
        if not rest and end < page.total:
            raise make_missing_error(page.total - end, self.subject)
        # What is not where it was left is read on from until nothing comes, whatever the upstream counts.
        moved = last is not None and _has_moved(last, offset + start)
        if end > page.total and note is None:
            note = MISCOUNTED

        def after(index: int) -> Position:
            item = rest[index]
            number = offset + start + index + 1
            return Position("", Anchor(number, self.identity(item), self.order_key(item), moved).write())

        more = bool(rest) and (moved or end != page.total)
        first = self.order_key(rest[0]) if rest else None
        return FetchedPage(
            items=rest,
            after=after,
            next=after(len(rest) - 1) if more else None,
            total=self.traits.make_total(page.total),
            note=note,
            exact=note is None,
            whole=note is None,
            ordered=last is None or compare_keys(first, last.key, descending=self.traits.descending) != -1,
        )
