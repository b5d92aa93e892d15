"""Listings: what can be read in order and resumed after any single item."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jobtrail.errors import JobtrailError
    from jobtrail.models import Total

EVERYTHING = 1_000_000
"""A `want` that every listing clamps to its upstream's largest page."""

T_co = TypeVar("T_co", covariant=True)


class Position(NamedTuple):
    """A place in a listing: the upstream's own cursor, and what the listing needs besides.

    `detail` is the listing's own; whoever opens it must check it, since it travels in a cursor.
    """

    upstream: str = ""
    detail: tuple[str | int, ...] = ()


START = Position()


@dataclass(frozen=True)
class Sort:
    """An order: a field of our vocabulary and a direction."""

    key: str
    descending: bool

    def flipped(self) -> Sort:
        """Return the opposite order."""
        return Sort(self.key, not self.descending)

    def __str__(self) -> str:
        return f"{self.key}:{'desc' if self.descending else 'asc'}"


NEWEST_FIRST = Sort("created_at", descending=True)


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

    @property
    def filtered_upstream(self) -> bool:
        """Whether the upstream applies every filter, so that each row of a page is a match."""
        return not self.unapplied


@dataclass(frozen=True)
class FetchedPage(Generic[T_co]):
    """What one upstream page came to.

    Attributes:
        items: the items after the place asked for.
        after: the position just after item number i.
        next: the position after the whole page; None at the end of the listing.
        total: how many the upstream says there are.
        note: something about this page that an agent must know.
        exact: False where the upstream changed so that rows may repeat or be missing.
        failed: parts of the listing that could not be read, and why; `next` goes on with them.
    """

    items: Sequence[T_co]
    after: Callable[[int], Position]
    next: Position | None
    total: Total
    note: str | None = None
    exact: bool = True
    failed: Mapping[str, JobtrailError] = field(default_factory=dict[str, "JobtrailError"])


class Listing(Protocol[T_co]):
    """Something that can be read in order and resumed after any item."""

    @property
    def traits(self) -> Traits:
        """Its order, page size and filters."""
        ...

    async def fetch(self, at: Position, want: int) -> FetchedPage[T_co]:
        """Read one upstream page from `at`, about `want` items of it.

        Raises:
            UpstreamError: the upstream failed.
            CursorError: `at` makes no sense here any more.
        """
        ...
