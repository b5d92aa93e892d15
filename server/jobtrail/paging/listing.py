"""A listing: items in an order, read page by page and resumed after any of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from jobtrail.models import Total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from jobtrail.errors import JobtrailError

EVERYTHING = 1_000_000
"""A number of items to ask for that means all: a listing reads as much as its upstream's largest page holds."""

T_co = TypeVar("T_co", covariant=True)


class Position(NamedTuple):
    """Where a listing goes on: the upstream's own cursor, and what the listing needs besides.

    `detail` means something to its listing only, which must check it, since it comes back from an agent in a cursor.
    """

    upstream: str = ""
    detail: tuple[str | int, ...] = ()

    @property
    def page(self) -> Position:
        """The page of an upstream's cursor that it lies on; itself where the upstream has no cursors."""
        return Position(self.upstream) if self.upstream else self


START = Position()


@dataclass(frozen=True)
class Sort:
    """An order: a field of our models, and a direction."""

    key: str
    descending: bool

    def flipped(self) -> Sort:
        """Return the opposite order."""
        return Sort(self.key, not self.descending)

    def __str__(self) -> str:
        return f"{self.key}:{'desc' if self.descending else 'asc'}"


NEWEST_FIRST = Sort("created_at", descending=True)
OLDEST_FIRST = NEWEST_FIRST.flipped()


@dataclass(frozen=True)
class Traits:
    """What a listing declares of itself.

    Attributes:
        order: how its items are sorted; None where they come in several orders, one after the other.
        page_size: items that one page of its upstream has at most.
        unapplied: filters that were asked for and that the upstream does not apply: `query`, `statuses`, `window`.
    """

    order: Sort | None
    page_size: int
    unapplied: frozenset[str] = frozenset()

    @classmethod
    def combine(cls, order: Sort | None, listings: Iterable[Listing[object]]) -> Traits:
        """Return the traits of several listings as one."""
        traits = [one.traits for one in listings]
        unapplied = frozenset[str]().union(*(one.unapplied for one in traits))
        return cls(order, max((one.page_size for one in traits), default=1), unapplied)

    @property
    def filtered_upstream(self) -> bool:
        """Whether the upstream applies every filter, so that each item of a page is a match."""
        return not self.unapplied

    @property
    def descending(self) -> bool:
        """Whether the order is a descending one."""
        return self.order is not None and self.order.descending

    def limit_size(self, size: int) -> int:
        """Return how many items to ask of the upstream for one page."""
        return max(1, min(size, self.page_size))

    def make_total(self, count: int) -> Total:
        """Return the total for a count of the upstream's, which knows only the filters that it applies."""
        return Total(value=count, kind="unfiltered" if self.unapplied else "exact")


@dataclass(frozen=True)
class FetchedPage(Generic[T_co]):
    """One page of a listing.

    Attributes:
        items: those after the position asked for.
        after: returns the position after the item of an index.
        next: the position after the whole page; None at the end of the listing.
        total: how many the upstream says there are.
        note: something about this page that an agent must know.
        exact: False if items may repeat, or had to be left out, so that no count of the upstream's holds.
        whole: False if items may be missing.
        ordered: False if items are known to be out of order, on this page or before.
        oldest: by part, how far back the list is known to reach: on its last page, where that is known.
        failed: parts of the listing that could not be read, and why; `next` goes on with them.
    """

    items: Sequence[T_co]
    after: Callable[[int], Position]
    next: Position | None
    total: Total
    note: str | None = None
    exact: bool = True
    whole: bool = True
    ordered: bool = True
    oldest: Mapping[str, datetime] = field(default_factory=dict[str, "datetime"])
    failed: Mapping[str, JobtrailError] = field(default_factory=dict[str, "JobtrailError"])


class Listing(Protocol[T_co]):
    """What can be read in an order and resumed after any item."""

    @property
    def traits(self) -> Traits:
        """Its order, page size and filters."""
        ...

    async def fetch(self, at: Position, want: int) -> FetchedPage[T_co]:
        """Read one upstream page from the position `at` on, about `want` items of it.

        Raises:
            UpstreamError: the upstream failed.
            CursorError: `at` makes no sense here any more.
        """
        ...
