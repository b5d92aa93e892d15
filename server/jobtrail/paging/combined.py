"""Wraps listings: one stops at the end of a time window, one converts items, one chains several listings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from jobtrail.models import Total
from jobtrail.paging.listing import START, FetchedPage, Position, Traits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from jobtrail.models import Window
    from jobtrail.paging.listing import Listing


class _Dated(Protocol):
    @property
    def created_at(self) -> datetime | None: ...


T = TypeVar("T")
R = TypeVar("R")
D = TypeVar("D", bound=_Dated)


class WithinWindow(Generic[D]):
    """A listing in order of time that ends with its window, since nothing behind that can match.

    A listing in another order, or whose upstream applies the window, is read to its end.
    """

    def __init__(self, listing: Listing[D], window: Window | None) -> None:
        self._listing = listing
        self.traits = listing.traits
        by_time = self.traits.order is not None and self.traits.order.key == "created_at"
        bound = (window.since if self.traits.descending else window.until) if window else None
        self._bound = bound if by_time and "window" in self.traits.unapplied else None

    async def fetch(self, at: Position, want: int) -> FetchedPage[D]:
        """Read one page, without what is past the window."""
        fetched = await self._listing.fetch(at, want)
        cut = next((index for index, item in enumerate(fetched.items) if self._is_past(item)), None)
        return fetched if cut is None else replace(fetched, items=fetched.items[:cut], next=None)

    def _is_past(self, item: D) -> bool:
        created, bound = item.created_at, self._bound
        if created is None or bound is None:
            return False
        return created < bound if self.traits.descending else created > bound


@dataclass
class Mapped(Generic[R, T]):
    """A listing whose items are made from those of another one.

    Attributes:
        listing: the other one.
        convert: makes an item from one of its items.
    """

    listing: Listing[R]
    convert: Callable[[R], T]

    @property
    def traits(self) -> Traits:
        """Those of the other listing."""
        return self.listing.traits

    async def fetch(self, at: Position, want: int) -> FetchedPage[T]:
        """Read one page."""
        fetched = await self.listing.fetch(at, want)
        items = [self.convert(item) for item in fetched.items]
        return FetchedPage(
            items, fetched.after, fetched.next, fetched.total, fetched.note, fetched.exact, fetched.failed
        )


class Chain(Generic[T]):
    """Several listings read one after the other as one, in the order of their keys.

    A position holds the key of a part and then that part's own detail, so parts may be added and removed.
    """

    def __init__(self, parts: Mapping[str, Listing[T]]) -> None:
        self._parts = dict(sorted(parts.items()))
        self.traits = Traits.combine(None, parts.values())

    async def fetch(self, at: Position, want: int) -> FetchedPage[T]:
        """Read one page of the part that `at` lies in, or of the next one if that part is not there any more."""
        wanted = str(at.detail[0]) if at.detail else ""
        key = next((name for name in self._parts if name >= wanted), None)
        if key is None:
            return FetchedPage((), lambda _index: at, None, Total(kind="unknown"))
        inner = Position(at.upstream, at.detail[1:]) if key == wanted else START
        fetched = await self._parts[key].fetch(inner, want)

        def within(position: Position) -> Position:
            return Position(position.upstream, (key, *position.detail))

        following = next((name for name in self._parts if name > key), None)

        def after(index: int) -> Position:
            return within(fetched.after(index))

        next_part = None if following is None else Position("", (following,))
        return replace(
            fetched,
            after=after,
            next=within(fetched.next) if fetched.next else next_part,
            total=fetched.total if len(self._parts) == 1 else Total(kind="unknown"),
        )
