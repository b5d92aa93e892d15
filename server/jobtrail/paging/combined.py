"""Listings made of other listings: cut at an edge, mapped, one after the other."""

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
    """A listing that ends where its order has left a window: past that edge nothing can match.

    A listing whose upstream applies the window, or that is in another order, is read whole.
    """

    def __init__(self, listing: Listing[D], window: Window | None) -> None:
        self._listing = listing
        self.traits = listing.traits
        order = self.traits.order
        by_time = order is not None and order.key == "created_at" and "window" in self.traits.unapplied
        self._descending = order is not None and order.descending
        self._edge = (window.since if self._descending else window.until) if window and by_time else None

    async def fetch(self, at: Position, want: int) -> FetchedPage[D]:
        """Read one page, as far as the edge."""
        fetched = await self._listing.fetch(at, want)
        cut = next((index for index, item in enumerate(fetched.items) if self._is_past(item)), None)
        return fetched if cut is None else replace(fetched, items=fetched.items[:cut], next=None)

    def _is_past(self, item: D) -> bool:
        created, edge = item.created_at, self._edge
        if created is None or edge is None:
            return False
        return created < edge if self._descending else created > edge


@dataclass
class Mapped(Generic[R, T]):
    """A listing whose items are made from those of another one.

    Attributes:
        listing: the other listing.
        read: makes one item.
    """

    listing: Listing[R]
    read: Callable[[R], T]

    @property
    def traits(self) -> Traits:
        """Those of the listing."""
        return self.listing.traits

    async def fetch(self, at: Position, want: int) -> FetchedPage[T]:
        """Read one page."""
        fetched = await self.listing.fetch(at, want)
        items = [self.read(item) for item in fetched.items]
        return FetchedPage(
            items, fetched.after, fetched.next, fetched.total, fetched.note, fetched.exact, fetched.failed
        )


class Chain(Generic[T]):
    """Several listings read one after the other as one, in the order of their keys.

    A position is the part's key in front of the part's own detail, so parts may come and go.
    """

    def __init__(self, parts: Mapping[str, Listing[T]]) -> None:
        self._parts = dict(sorted(parts.items()))
        traits = [part.traits for part in parts.values()]
        unapplied = frozenset[str]().union(*(one.unapplied for one in traits))
        self.traits = Traits(None, max((one.page_size for one in traits), default=1), unapplied)

    async def fetch(self, at: Position, want: int) -> FetchedPage[T]:
        """Read one page of the part that `at` lies in, or of the next where that part has gone."""
        wanted = str(at.detail[0]) if at.detail else ""
        key = next((name for name in self._parts if name >= wanted), None)
        if key is None:
            return FetchedPage((), lambda _index: at, None, Total(kind="unknown"))
        inner = Position(at.upstream, at.detail[1:]) if key == wanted else START
        fetched = await self._parts[key].fetch(inner, want)

        def within(position: Position) -> Position:
            return Position(position.upstream, (key, *position.detail))

        following = next((name for name in self._parts if name > key), None)
        after_it = Position("", (following,)) if following is not None else None

        def after(index: int) -> Position:
            return within(fetched.after(index))

        return replace(
            fetched,
            after=after,
            next=within(fetched.next) if fetched.next else after_it,
            total=fetched.total if len(self._parts) == 1 else Total(kind="unknown"),
        )
