"""Wraps listings: one converts items, one chains several listings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from jobtrail.models import Total
from jobtrail.paging.listing import START, FetchedPage, Position, Traits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from jobtrail.paging.listing import Listing


T = TypeVar("T")
R = TypeVar("R")


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
        return replace(cast("FetchedPage[Any]", fetched), items=items)


class Chain(Generic[T]):
    """Several listings read one after the other as one, in the order of their keys.

    A position holds the key of a part and then that part's own detail, so parts may be added and removed.
    """

    def __init__(self, parts: Mapping[str, Listing[T]]) -> None:
        self._parts = dict(sorted(parts.items()))
        self.traits = Traits.combine(None, parts.values())
        self._oldest: dict[str, datetime | None] = {}

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
            oldest={} if fetched.next else self._find_oldest(key, fetched.oldest),
            total=fetched.total if len(self._parts) == 1 else Total(kind="unknown"),
        )

    def _find_oldest(self, key: str, oldest: Mapping[str, datetime]) -> Mapping[str, datetime]:
        """Return when the oldest item of all parts was created, at the end of the last, if this call has read all."""
        self._oldest[key] = oldest.get("")
        known = [time for time in self._oldest.values() if time]
        whole = len(self._oldest) == len(self._parts) and len(known) == len(self._parts)
        return {"": min(known)} if whole else {}
