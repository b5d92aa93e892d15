"""The one walker: filters, budgets and coverage over any listing; it knows no upstream.

A `Listing` hands out batches and can resume after any single item; the walker decides where to
stop. Together they keep the promise that following cursors to the end yields every matching item
exactly once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

import anyio

from jobtrail.errors import UnreadableAnswer, UpstreamError
from jobtrail.models import Total

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

__all__ = [
    "EVERYTHING",
    "START",
    "Batch",
    "Budget",
    "Chain",
    "Edged",
    "Listing",
    "Spot",
    "Walk",
    "Walked",
    "walk",
]

EVERYTHING = 1_000_000
"""A `want` that every listing clamps to its upstream's largest page."""

T = TypeVar("T")


class Spot(NamedTuple):
    """A place in a listing: the upstream's own cursor, and what the listing needs besides.

    `detail` is the listing's own; whoever opens it must check it, since it travels in a cursor.
    """

    upstream: str = ""
    detail: tuple[str | int, ...] = ()


START = Spot()


@dataclass(frozen=True)
class Batch(Generic[T]):
    """What one upstream page came to.

    Attributes:
        items: the items after the place asked for.
        after: the spot just after item number i.
        next: the spot after the whole batch; None at the end of the listing.
        total: how many the upstream says there are.
        note: something about this batch that an agent must know.
        exact: False where the upstream changed so that rows may repeat or be missing.
    """

    items: Sequence[T]
    after: Callable[[int], Spot]
    next: Spot | None
    total: Total
    note: str | None = None
    exact: bool = True


class Listing(Protocol[T]):
    """Something that can be read in order and resumed after any item."""

    @property
    def narrowed(self) -> bool:
        """Whether the upstream applies every filter itself, so that a page is worth its size."""
        ...

    async def fetch(self, at: Spot, want: int) -> Batch[T]:
        """Read one upstream page from `at`, about `want` items of it.

        Raises:
            UpstreamError: the upstream failed.
            CursorError: `at` makes no sense here any more.
        """
        ...


@dataclass(frozen=True)
class Budget:
    """How much one call may spend: items scanned and seconds, whichever ends first."""

    items: int = 2_000
    seconds: float = 20.0


async def _silent(_scanned: int, _matched: int) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True)
class Walk(Generic[T]):
    """How to walk a listing.

    Attributes:
        limit: matches to return at most.
        keep: whether an item matches.
        budget: what the call may spend.
        progress: told (scanned, matched) after each upstream page.
    """

    limit: int
    keep: Callable[[T], bool] = lambda _item: True
    budget: Budget = field(default_factory=Budget)
    progress: Callable[[int, int], Awaitable[None]] = _silent


@dataclass
class Walked(Generic[T]):
    """Where a walk got to; `spot` is None once nothing is left to read."""

    spot: Spot | None
    scanned: int = 0
    matched: int = 0
    total: Total = field(default_factory=lambda: Total(kind="unknown"))
    items: list[T] = field(default_factory=list[T])
    last: T | None = None
    exact: bool = True
    notes: list[str] = field(default_factory=list[str])


async def walk(listing: Listing[T], how: Walk[T], at: Spot = START) -> Walked[T]:
    """Walk a listing from a spot until enough matches, the end or the budget.

    An upstream that fails part of the way leaves a partial answer with a note and the spot to retry
    from; one that fails at once raises.

    Raises:
        UpstreamError: the first page could not be read.
        CursorError: the spot makes no sense to the listing any more.
    """
    walked = Walked[T](spot=at)
    deadline = anyio.current_time() + how.budget.seconds
    want = how.limit if listing.narrowed else EVERYTHING
    while walked.spot is not None and len(walked.items) < how.limit:
        try:
            batch = await listing.fetch(walked.spot, want)
        except UpstreamError as error:
            if walked.spot == at:
                raise
            walked.notes.append(f"stopped early: {error}. The cursor goes on from here.")
            break
        _take(batch, how, walked)
        await how.progress(walked.scanned, walked.matched)
        if walked.scanned >= how.budget.items or anyio.current_time() >= deadline:
            break
    return walked


def _take(batch: Batch[T], how: Walk[T], walked: Walked[T]) -> None:
    """Move `walked` through a batch: to its end, or to just before the match that no longer fits."""
    if batch.next is not None and batch.next == walked.spot:
        raise UnreadableAnswer("the upstream handed back the cursor it was given, so paging would not end")
    walked.total = batch.total
    walked.exact = walked.exact and batch.exact
    if batch.note and batch.note not in walked.notes:
        walked.notes.append(batch.note)
    for index, item in enumerate(batch.items):
        kept = how.keep(item)
        if kept and len(walked.items) == how.limit:
            return
        walked.scanned += 1
        walked.last = item
        walked.spot = batch.after(index)
        if kept:
            walked.matched += 1
            walked.items.append(item)
    walked.spot = batch.next


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
