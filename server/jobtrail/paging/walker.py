"""The walker: reads any listing, with filters, within a budget, and counts what it covered.

A `Listing` fetches pages and can resume after any item; the walker decides where to stop. So following
cursors to the end returns every matching item exactly once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import anyio

from jobtrail.errors import CursorError, Unreachable, UnreadableAnswer, UpstreamError
from jobtrail.models import Note, Sentence, Total
from jobtrail.models.unread import UnreadFields
from jobtrail.paging.checked import FOREIGN
from jobtrail.paging.listing import EVERYTHING, START, Position

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from jobtrail.errors import JobtrailError
    from jobtrail.models import Call
    from jobtrail.paging.listing import FetchedPage, Listing

T = TypeVar("T")


@dataclass(frozen=True)
class Budget:
    """The most that one call may spend; the walk ends with the first limit it reaches.

    Attributes:
        items: to scan.
        seconds: to read; a page that is still being read then is cancelled.
        tokens: of the items returned; the first one is returned whatever it costs.
    """

    items: int = 2_000
    seconds: float = 20.0
    tokens: int = EVERYTHING


class Trail(NamedTuple):
    """What a walk remembers of the upstream's cursors, across calls, to notice that they repeat.

    It remembers one cursor, that of the last step whose number is a power of two: however long the cycle, the walk
    comes to that cursor again (R. P. Brent, 1980).

    Attributes:
        steps: number of upstream cursors followed so far.
        mark: a hash of the cursor remembered.
    """

    steps: int = 0
    mark: int = 0

    def after(self, mark: int) -> Trail:
        """Return the trail after one more step, to the cursor with this hash."""
        steps = self.steps + 1
        return Trail(steps, mark if steps & (steps - 1) == 0 else self.mark)


async def _report_nothing(_walked: Walked[Any]) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True)
class Walk(Generic[T]):
    """How to walk a listing.

    Attributes:
        limit: matches to return at most.
        keep: returns whether an item matches.
        as_asked: whether what matches is exactly what the listing was asked for.
        cost: returns the tokens that a match adds to the answer; called once for each, in order.
        budget: what the call may spend.
        progress: called with the state of the walk after each upstream page that had items.
        trail: that the walk's earlier call ended with.
        subject: how errors name what is walked.
        restart: the call that starts the walk again; None unless the walk began at a cursor.
    """

    limit: int
    keep: Callable[[T], bool] = lambda _item: True
    as_asked: bool = False
    cost: Callable[[T], int] = lambda _item: 0
    budget: Budget = field(default_factory=Budget)
    progress: Callable[[Walked[T]], Awaitable[None]] = _report_nothing
    trail: Trail = field(default_factory=Trail)
    subject: str = "the upstream"
    restart: Call | None = None


class Mark(NamedTuple):
    """A place in a walk, right behind a match.

    Attributes:
        scanned: items scanned up to there.
        page: the match's page.
        place: the place of the match in it.
    """

    scanned: int
    page: FetchedPage[Any]
    place: int


@dataclass
class Walked(Generic[T]):
    """What a walk came to.

    Attributes:
        position: where the walk goes on; None at the end of the listing.
        items: the matches.
        marks: a mark for each of them.
        scanned, matched: number of items in this call.
        tokens: that the items cost.
        total: number of items in the list, as far as the upstream says.
        counted: the fewest items that the upstream counted, in lists of exactly what is asked for; None if in none.
        last: the last item scanned.
        exact: False if items may repeat, or had to be left out, so that no count of the upstream's holds.
        whole: False if items may be missing.
        ordered: False if items are known to be out of order.
        oldest: by part, how far back the list is known to reach.
        notes: what an agent must know.
        failed: parts that could not be read, and why.
        trail: for the next call.
    """

    position: Position | None
    items: list[T] = field(default_factory=list[T])
    marks: list[Mark] = field(default_factory=list[Mark])
    scanned: int = 0
    matched: int = 0
    tokens: int = 0
    total: Total = field(default_factory=lambda: Total(kind="unknown"))
    counted: int | None = None
    last: T | None = None
    exact: bool = True
    whole: bool = True
    ordered: bool = True
    oldest: dict[str, datetime] = field(default_factory=dict[str, "datetime"])
    notes: list[Note] = field(default_factory=list[Note])
    failed: dict[str, JobtrailError] = field(default_factory=dict[str, "JobtrailError"])
    trail: Trail = field(default_factory=Trail)

    def cut(self, count: int) -> None:
        """Take back all but the first `count` matches; a walk from `position` comes to the others again."""
        if count < len(self.items):
            mark = self.marks[count - 1]
            self.items, self.marks, self.matched = self.items[:count], self.marks[:count], count
            self.scanned, self.position, self.last = mark.scanned, mark.page.after(mark.place), self.items[-1]


async def walk(listing: Listing[T], how: Walk[T], at: Position = START) -> Walked[T]:
    """Walk a listing from a position until enough matches, the end or the budget.

    If the upstream fails or hangs after the first page, the result is partial, with a note and the position to
    retry from.

    Raises:
        UpstreamError: the first page could not be read.
        CursorError: the position makes no sense to the listing any more.
    """
    walked, unread = Walked[T](position=at, trail=how.trail), UnreadFields()
    deadline = anyio.current_time() + how.budget.seconds
    # The pages read in this call; a position inside a page counts as that page.
    seen = {at.page}
    while walked.position is not None:
        before = walked.scanned
        try:
            fetched = await _fetch(listing, how, walked, deadline)
            _check_new_page(fetched, how, walked, seen)
        except UpstreamError as error:
            if walked.position == at:
                raise
            walked.notes.append(
                Sentence("stopped early: ", *error.args, ". The cursor goes on from here." if how.restart else "")
            )
            break
        filtered = how.as_asked and listing.traits.filtered_upstream
        more = _scan_page(fetched, how, walked, unread, filtered=filtered)
        if walked.scanned > before:
            await how.progress(walked)
        if not more or anyio.current_time() >= deadline:
            break
    walked.notes += unread.write_notes()
    return walked


async def _fetch(listing: Listing[T], how: Walk[T], walked: Walked[T], deadline: float) -> FetchedPage[T]:
    """Read the next page; a read that hangs past the deadline is cancelled."""
    left = how.budget.items - walked.scanned
    want = min(how.limit, left) if listing.traits.filtered_upstream and walked.exact else left
    try:
        with anyio.CancelScope(deadline=deadline):
            return await listing.fetch(walked.position or START, want)
    except CursorError as error:
        if how.restart is None:
            raise
        raise type(error)(*error.problem, subject=error.subject, advice=("start again with ", how.restart)) from None
    raise Unreachable(
        f"had not answered when the {how.budget.seconds:g} s of this call were over",
        subject=how.subject,
        advice="it is slow or hung, ask again later or for less",
        retryable=True,
    )


def _check_new_page(fetched: FetchedPage[T], how: Walk[T], walked: Walked[T], seen: set[Position]) -> None:
    """Check that the page after this one is a new one.

    Raises:
        UnreadableAnswer: the walk has read it, in this call or, as far as the trail tells, in an earlier one.
    """
    position = fetched.next
    if position is None:
        return
    mark = _hash_position(position.page)
    trail = walked.trail
    if position.page in seen or (position.upstream and trail.steps and mark == trail.mark):
        # Let the next call notice this cursor at once.
        walked.trail = Trail(max(trail.steps, 1), mark)
        raise UnreadableAnswer(
            "handed back a cursor that it had given before, so paging would never end",
            subject=how.subject,
            advice="that is a fault of the upstream, ask for less with a narrower window or query",
        )
    seen.add(position.page)


def _hash_position(position: Position) -> int:
    return int.from_bytes(hashlib.blake2b(repr(position).encode(errors="replace"), digest_size=4).digest())


def _scan_page(
    fetched: FetchedPage[T], how: Walk[T], walked: Walked[T], unread: UnreadFields, *, filtered: bool
) -> bool:
    """Move `walked` through a page, as far as its items fit; return whether the walk goes on."""
    walked.total = fetched.total
    if fetched.total.kind == "exact" and fetched.total.value is not None:
        walked.counted = min(fetched.total.value, walked.counted or fetched.total.value)
    walked.exact = walked.exact and fetched.exact
    walked.whole = walked.whole and fetched.whole
    walked.ordered = walked.ordered and fetched.ordered
    walked.failed.update(fetched.failed)
    if fetched.note and fetched.note not in walked.notes:
        walked.notes.append(fetched.note)
    end = _count_fitting(fetched, how, walked, unread, filtered=filtered)
    if end < len(fetched.items):
        if end:
            walked.position = fetched.after(end - 1)
        return False
    walked.position = fetched.next
    walked.oldest.update(fetched.oldest)
    if fetched.next and fetched.next.upstream:
        walked.trail = walked.trail.after(_hash_position(fetched.next.page))
    return len(walked.items) < how.limit and walked.scanned < how.budget.items


def _count_fitting(
    fetched: FetchedPage[T], how: Walk[T], walked: Walked[T], unread: UnreadFields, *, filtered: bool
) -> int:
    """Add the items of a page, up to the first that does not fit; return its number, or how many there are."""
    # Thousands of items pass here in a call, most of them to be counted alone.
    keep, room, end = how.keep, how.budget.items - walked.scanned, len(fetched.items)
    for index, item in enumerate(fetched.items):
        kept = index < room and keep(item)
        if index >= room or (kept and not _add_match(item, how, walked)):
            end = index
            break
        if kept:
            walked.marks.append(Mark(walked.scanned + index + 1, fetched, index))
        elif filtered:
            _note_foreign(walked)
        if not isinstance(item, dict) and (fields := getattr(item, "unread", ())):
            unread.add(fields)
    walked.scanned += end
    walked.last = fetched.items[end - 1] if end else walked.last
    return end


def _note_foreign(walked: Walked[T]) -> None:
    """Note that an upstream which filters has sent an item that does not match: what it counts is something else."""
    walked.exact = False
    if FOREIGN not in walked.notes:
        walked.notes.append(FOREIGN)


def _add_match(item: T, how: Walk[T], walked: Walked[T]) -> bool:
    """Add one more match, unless there are enough; if its size forbids that, add a note instead."""
    if len(walked.items) >= how.limit:
        return False
    cost = how.cost(item)
    if walked.items and walked.tokens + cost > how.budget.tokens:
        walked.notes.append(
            f"stopped at {len(walked.items)} of {how.limit} rows, since they are long; "
            "the cursor goes on with the next"
        )
        return False
    walked.matched += 1
    walked.tokens += cost
    walked.items.append(item)
    return True
