"""Listings of an upstream that is paged by the sort key, so that no item repeats or is skipped as others come and go.

A page is asked for from the last key on, that key included. Items of the same key come in an unknown order, but in
the same one each time: a position counts how many of them were returned, and holds a short hash of each, so that the
listing goes on at the right item after any of them was deleted. Where an upstream ignores the order or the bounds, or
does not say what an item is sorted by, it is read by offset from there on. Where the ranges held fewer items than the
whole list, that is counted again at the end: some have gone, or were passed by.
If a descending walk needs several pages, their key ranges are read at the same time; the page before tells how far
apart the keys are. An upstream also counts a short range sooner than a long one.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Generic, TypeVar

from jobtrail.errors import JobtrailError, StrayCursor
from jobtrail.paging.concurrency import AT_ONCE, run_concurrently
from jobtrail.paging.listing import FetchedPage, Position
from jobtrail.paging.offset_listing import (
    MISCOUNTED,
    MOST_STEPS,
    OVERLAP,
    CountedPage,
    OffsetListing,
    make_missing_error,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from jobtrail.paging.listing import Traits

_FILL = 0.9  # of an answer: items do not keep their distances, and a range that holds more than one is read again
_MARK = 4  # characters
_SECOND = 1_000_000_000
_MOST_MARKS = 100
_MOST_PARTS_OF_ANCHOR = 3
_BY_OFFSET = "the upstream does not keep to the order or the bounds it was asked for: it is read by offset now"
_BEHIND = "the upstream counts more rows than it listed in order: some may be missing"
_REPEATED = "a row was deleted while paging: rows with the same time as the last one may repeat"

T = TypeVar("T")


@dataclass(frozen=True)
class KeyRange:
    """A range of keys, both ends included; None for an open end."""

    lowest: int | None = None
    highest: int | None = None


@dataclass
class _KeySpacing:
    """What the pages so far have shown: the distance between two keys, and the number of items in a full page."""

    distance: float = 0.0
    full: int = 0


@dataclass(frozen=True)
class KeysetListing(Generic[T]):
    """A listing over the pages of key ranges.

    Attributes:
        fetch_page: called with a range, an offset in it and a number of items; its total is that of the range.
        identity: returns a text unique to an item.
        order_key: returns what an item is sorted by, an integer; 0 where that is not known.
        traits: of the listing; they have an order.
        find_newest: returns the highest key that an item may have now.
        lowest: the lowest key that any item has.
        subject: how an error names the upstream.
    """

    fetch_page: Callable[[KeyRange, int, int], Awaitable[CountedPage[T]]]
    identity: Callable[[T], str]
    order_key: Callable[[T], int]
    traits: Traits
    find_newest: Callable[[], int]
    lowest: int = 0
    subject: str = "the upstream"
    _spacing: _KeySpacing = field(default_factory=_KeySpacing)

    async def fetch(self, at: Position, want: int) -> FetchedPage[T]:
        """Read a page from the last key on, or several at the same time."""
        if 0 < len(at.detail) <= _MOST_PARTS_OF_ANCHOR:
            return await self._by_offset().fetch(at, want)
        if not at.detail:
            newest = self.find_newest()
            page = await self._page(KeyRange(), 0, want)
            if not self._is_sorted(page.items):
                return await self._by_offset().fetch(at, want)
            self._learn_spacing(page.items, page.total)
            return self._make_page(page.items, page.total, _Last(-1, "", 0, 0, page.total, newest, ""))
        last = _Last.read(at.detail)
        items, total = await self._read_ranges(last, want)
        if not self._is_sorted(items, last.key):
            return await self._go_on_by_offset(last, want)
        if items and self.identity(items[0]) == last.identity:
            return await self._count_again(self._make_page(items[1:], total - last.tied, last), last)
        return await self._count_again(await self._find_again(last, want), last)

    async def _page(self, keys: KeyRange, offset: int, size: int) -> CountedPage[T]:
        return await self.fetch_page(keys, offset, self.traits.limit_size(size))

    def _make_range_from(self, key: int) -> KeyRange:
        """Return the range from a key on."""
        return KeyRange(highest=key) if self.traits.descending else KeyRange(lowest=key)

    async def _read_ranges(self, last: _Last, want: int) -> tuple[list[T], int]:
        """Read from the last item returned on; return the items, and the number of items from its key on."""
        ranges = self._choose_ranges(last.key, want)
        # Skip the items of the same key that come before the last one returned.
        offsets = [last.tied - 1, *(0 for _ in ranges[1:])]
        answers = await run_concurrently(
            {
                number: partial(self._page, keys, offset, want + OVERLAP)
                for number, (keys, offset) in enumerate(zip(ranges, offsets, strict=True))
            }
        )
        pages = [_require_page(answers[number]) for number in range(len(ranges))]
        items: list[T] = []
        for page, offset in zip(pages, offsets, strict=True):
            items += page.items
            if self._learn_spacing(page.items, page.total - offset):
                # This range holds more than one page: the next ranges come after its rest.
                break
        return items, sum(page.total for page in pages)

    def _is_sorted(self, items: Sequence[T], bound: int | None = None) -> bool:
        """Return whether items keep to the order and to the bound of their page; where not, keys lead nowhere."""
        keys = [*([] if bound is None else [bound]), *map(self.order_key, items)]
        return all(keys) and all(
            last >= key if self.traits.descending else last <= key for last, key in pairwise(keys)
        )

    def _by_offset(self) -> OffsetListing[T]:
        """Return the same rows by offset, for an upstream that ignores order or bounds."""

        async def fetch_page(offset: int, size: int) -> CountedPage[T]:
            return await self.fetch_page(KeyRange(), offset, size)

        return OffsetListing(fetch_page, self.identity, lambda _item: None, self.traits, subject=self.subject)

    async def _go_on_by_offset(self, last: _Last, want: int) -> FetchedPage[T]:
        fetched = await self._by_offset().fetch(Position("", (last.done, last.identity, "")), want)
        return replace(fetched, exact=False, note=fetched.note or _BY_OFFSET)

    async def _count_again(self, fetched: FetchedPage[T], last: _Last) -> FetchedPage[T]:
        """Return a walk's last page, with a note if more was there when it began than it came to, and still is."""
        came = fetched.total.value
        if fetched.next or came is None or came >= last.counted:
            return fetched
        count = (await self._page(KeyRange(highest=last.newest), 0, 1)).total
        return fetched if count <= came else replace(fetched, exact=False, whole=False, note=fetched.note or _BEHIND)

    def _learn_spacing(self, items: Sequence[T], total: int) -> bool:
        """Return whether a range holds more than this page; if so, learn from it how long a range may be."""
        if len(items) >= total:
            return False
        self._spacing.full = max(self._spacing.full, len(items))
        if items:
            first, last = self.order_key(items[0]), self.order_key(items[-1])
            self._spacing.distance = abs(first - last) / max(len(items) - 1, 1)
        return True

    def _choose_ranges(self, key: int, want: int) -> list[KeyRange]:
        """Return the ranges to read: the last one is open, the others hold about one page each."""
        highest, ranges = key, list[KeyRange]()
        span = int(self._spacing.distance * self._spacing.full * _FILL)
        while self.traits.descending and span and len(ranges) < min(AT_ONCE, -(-want // self._spacing.full)) - 1:
            lower = highest - span
            if lower <= self.lowest:
                break
            ranges.append(KeyRange(lower + 1, highest))
            highest = lower
        return [*ranges, self._make_range_from(highest)]

    async def _find_again(self, last: _Last, want: int) -> FetchedPage[T]:
        """Go on after the last item of the same key that was returned and is still there, as others were deleted."""
        keys, known = self._make_range_from(last.key), last.find_marks()
        place, offset = 0, 0
        for _ in range(MOST_STEPS):
            page = await self._page(keys, offset, self.traits.page_size)
            tied = [self.identity(item) for item in page.items if self.order_key(item) == last.key]
            place = max(
                (offset + index for index, one in enumerate(tied, 1) if _hash_identity(one) in known), default=place
            )
            if len(tied) < len(page.items) or not page.items:
                break
            offset += len(page.items)
        again = min(place, OVERLAP)
        page = await self._page(keys, place - again, want + again)
        returned = [
            self.order_key(one) == last.key and _hash_identity(self.identity(one)) in known for one in page.items
        ]
        if place > last.tied or returned[:again] != [True] * again or any(returned[again:]):
            return await self._go_on_by_offset(last, want)
        fetched = self._make_page(page.items[again:], page.total - place, replace(last, tied=place))
        # If more items were returned than hashes are kept, and none of those is left, some may repeat.
        unsure = not place and last.forgotten and bool(page.items) and self.order_key(page.items[0]) == last.key
        return replace(fetched, exact=False, note=_REPEATED) if unsure else fetched

    def _make_page(self, items: Sequence[T], left: int, last: _Last) -> FetchedPage[T]:
        keys = [self.order_key(item) for item in items]
        if not items and left > 0:
            raise make_missing_error(left, self.subject)
        miscounted = len(items) > left

        def after(index: int) -> Position:
            tied = 0
            while tied <= index and keys[index - tied] == keys[index]:
                tied += 1
            marks = "".join(_hash_identity(self.identity(item)) for item in items[index - tied + 1 : index])
            if tied == index + 1 and keys[index] == last.key:
                tied += last.tied
                marks = last.marks + _hash_identity(last.identity) + marks
            kept = marks[-_MARK * _MOST_MARKS :]
            identity, done = self.identity(items[index]), last.done + index + 1
            return _Last(keys[index], identity, tied, done, last.counted, last.newest, kept).write()

        return FetchedPage(
            items=items,
            after=after,
            next=after(len(items) - 1) if items and len(items) < left else None,
            total=self.traits.make_total(last.done + left),
            note=MISCOUNTED if miscounted else None,
            exact=not miscounted,
            whole=not miscounted,
        )


def _require_page(answer: CountedPage[T] | JobtrailError) -> CountedPage[T]:
    if isinstance(answer, JobtrailError):
        raise answer
    return answer


@dataclass(frozen=True)
class _Last:
    """The last item returned.

    Attributes:
        key: its sort key.
        identity: its identity.
        tied: its number, from 1, among the items of the same key.
        done: its number, from 1, in the whole list; 0 before the first item.
        counted: the number of items in the whole list, when its walk began.
        newest: the highest key that an item may have had then.
        marks: hashes of the items of the same key before it, joined.
    """

    key: int
    identity: str
    tied: int
    done: int
    counted: int
    newest: int
    marks: str

    def write(self) -> Position:
        """Return the item as a position."""
        marks, newest = (self.marks,) if self.marks else (), self.newest // _SECOND
        return Position("", (self.key, self.identity, self.tied, self.done, self.counted, newest, *marks))

    @classmethod
    def read(cls, detail: tuple[str | int, ...]) -> _Last:
        """Return the item that a position holds.

        Raises:
            StrayCursor: the position is of another kind of listing.
        """
        match detail:
            case (int(key), str(identity), int(tied), int(done), int(counted), int(newest), *marks) if (
                key >= 0 and tied > 0 and done >= 0 and newest >= 0 and len(marks) <= 1
            ):
                return cls(key, identity, tied, done, counted, newest * _SECOND, "".join(map(str, marks)))
            case (int(), str(), int(), int(), *marks) if not any(isinstance(one, int) for one in marks):
                # As it was written before lists were counted again.
                return cls.read((*detail[:4], 0, 0, *marks))
            case _:
                raise StrayCursor("this cursor does not fit what it walks")

    def find_marks(self) -> frozenset[str]:
        """Return the hashes of all items of this key that were returned."""
        return frozenset(self.marks[at : at + _MARK] for at in range(0, len(self.marks), _MARK)) | {
            _hash_identity(self.identity)
        }

    @property
    def forgotten(self) -> bool:
        """Whether more items of this key were returned than there are hashes of."""
        return len(self.marks) >= _MARK * _MOST_MARKS


def _hash_identity(identity: str) -> str:
    """Return a hash of an item: 24 bits, enough to tell apart the few that share a key."""
    return base64.urlsafe_b64encode(hashlib.blake2b(identity.encode(), digest_size=3).digest()).decode()
