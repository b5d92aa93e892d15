"""Listings: what can be read in order and resumed after any single item, and how they combine."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from jobtrail.models import Total

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jobtrail.errors import JobtrailError

__all__ = ["EVERYTHING", "START", "Batch", "Chain", "Edged", "Listing", "Spot"]

EVERYTHING = 1_000_000
"""A `want` that every listing clamps to its upstream's largest page."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Spot(NamedTuple):
    """A place in a listing: the upstream's own cursor, and what the listing needs besides.

    `detail` is the listing's own; whoever opens it must check it, since it travels in a cursor.
    """

    upstream: str = ""
    detail: tuple[str | int, ...] = ()


START = Spot()


@dataclass(frozen=True)
class Batch(Generic[T_co]):
    """What one upstream page came to.

    Attributes:
        items: the items after the place asked for.
        after: the spot just after item number i.
        next: the spot after the whole batch; None at the end of the listing.
        total: how many the upstream says there are.
        note: something about this batch that an agent must know.
        exact: False where the upstream changed so that rows may repeat or be missing.
        failed: parts of the listing that could not be read, and why; `next` goes on with them.
    """

    items: Sequence[T_co]
    after: Callable[[int], Spot]
    next: Spot | None
    total: Total
    note: str | None = None
    exact: bool = True
    failed: Mapping[str, JobtrailError] = field(default_factory=dict[str, "JobtrailError"])


class Listing(Protocol[T_co]):
    """Something that can be read in order and resumed after any item."""

    @property
    def narrowed(self) -> bool:
        """Whether the upstream applies every filter itself, so that a page is worth its size."""
        ...

    async def fetch(self, at: Spot, want: int) -> Batch[T_co]:
        """Read one upstream page from `at`, about `want` items of it.

        Raises:
            UpstreamError: the upstream failed.
            CursorError: `at` makes no sense here any more.
        """
        ...


class Edged(Generic[T]):
    """A time-ordered listing that ends at a window's edge: past it nothing can match.

    Args:
        listing: the whole listing.
        beyond: whether an item lies past the edge.
    """

    def __init__(self, listing: Listing[T], beyond: Callable[[T], bool]) -> None:
        self._listing = listing
        self._beyond = beyond

    @property
    def narrowed(self) -> bool:
        """Whether the whole listing is."""
        return self._listing.narrowed

    async def fetch(self, at: Spot, want: int) -> Batch[T]:
        """Read one page, as far as the edge."""
        batch = await self._listing.fetch(at, want)
        edge = next((index for index, item in enumerate(batch.items) if self._beyond(item)), None)
        return batch if edge is None else replace(batch, items=batch.items[:edge], next=None)


class Chain(Generic[T]):
    """Several listings read one after the other as one, in the order of their keys.

    A spot is the part's key in front of the part's own detail, so parts may come and go.
    """

    def __init__(self, parts: Mapping[str, Listing[T]]) -> None:
        self._parts = dict(sorted(parts.items()))

    @property
    def narrowed(self) -> bool:
        """Whether every part is."""
        return all(part.narrowed for part in self._parts.values())

    async def fetch(self, at: Spot, want: int) -> Batch[T]:
        """Read one page of the part that `at` lies in, or of the next where that part has gone."""
        wanted = str(at.detail[0]) if at.detail else ""
        key = next((name for name in self._parts if name >= wanted), None)
        if key is None:
            return Batch((), lambda _index: at, None, Total(kind="unknown"))
        inner = Spot(at.upstream, at.detail[1:]) if key == wanted else START
        batch = await self._parts[key].fetch(inner, want)

        def within(spot: Spot) -> Spot:
            return Spot(spot.upstream, (key, *spot.detail))

        following = next((name for name in self._parts if name > key), None)
        after_it = Spot("", (following,)) if following is not None else None

        def after(index: int) -> Spot:
            return within(batch.after(index))

        return replace(
            batch,
            after=after,
            next=within(batch.next) if batch.next else after_it,
            total=batch.total if len(self._parts) == 1 else Total(kind="unknown"),
        )
