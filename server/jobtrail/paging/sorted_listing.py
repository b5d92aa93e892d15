"""A listing in an order that its upstream does not have: as much as one call reads of it, sorted here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from jobtrail.errors import StrayCursor
from jobtrail.models import Total
from jobtrail.paging.listing import EVERYTHING, FetchedPage, Position, Traits
from jobtrail.paging.walker import Budget, Walk, walk
from jobtrail.text import count_noun
from jobtrail.times import format_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobtrail.paging.listing import Listing, Sort
    from jobtrail.paging.walker import Walked

CHANGED = "the list changed since the last page, so rows may repeat or be missing"

T = TypeVar("T")


@dataclass(frozen=True)
class SortedListing(Generic[T]):
    """The newest items of a listing, sorted by what they have; those that lack it come last.

    A position is how many items were returned and which was the last: the next page reads and sorts them again.

    Attributes:
        listing: newest first.
        order: how to sort.
        key: returns what an item is sorted by; None where it lacks that.
        identity: returns a text unique to an item.
        budget: how much is read.
        noun: what the items are.
        subject: how an error names the upstream.
    """

    listing: Listing[T]
    order: Sort
    key: Callable[[T], float | None]
    identity: Callable[[T], str]
    budget: Budget
    noun: str
    subject: str

    @property
    def traits(self) -> Traits:
        """Those of the listing, but for the order."""
        return Traits(self.order, self.listing.traits.page_size, self.listing.traits.unapplied)

    async def fetch(self, at: Position, want: int) -> FetchedPage[T]:
        """Read the listing, and return what comes after a position."""
        del want
        start, last = _read_position(at)
        walked = await walk(self.listing, Walk[T](limit=EVERYTHING, budget=self.budget, subject=self.subject))
        items = sorted(walked.items, key=self._rank)
        same = start <= len(items) and (not start or self.identity(items[start - 1]) == last)
        rest = items[start:]

        def after(index: int) -> Position:
            return Position("", (start + index + 1, self.identity(rest[index])))

        notes = [self._describe_reach(walked), *walked.notes, *([] if same else [CHANGED])]
        whole = same and walked.whole and walked.position is None
        return FetchedPage(
            rest, after, None, Total(kind="unknown"), "; ".join(map(str, notes)),
            exact=same and walked.exact, whole=whole, oldest=walked.oldest,
        )  # fmt: skip

    def _rank(self, item: T) -> tuple[bool, float]:
        value = self.key(item)
        return value is None, (-(value or 0) if self.order.descending else value or 0)

    def _describe_reach(self, walked: Walked[T]) -> str:
        """Return among how many they were sorted."""
        count = count_noun(walked.scanned, self.noun)
        if walked.position is None:
            return f"sorted among all {count} of this list"
        created = getattr(walked.last, "created_at", None)
        back = f", back to {format_time(created)}" if created else ""
        return f"sorted among the {count} that were read, the newest{back}: since and until choose others"


def _read_position(at: Position) -> tuple[int, str]:
    match at.detail:
        case ():
            return 0, ""
        case (int(start), str(last)) if start > 0 and not at.upstream:
            return start, last
        case _:
            raise StrayCursor("this cursor does not fit what it walks")
