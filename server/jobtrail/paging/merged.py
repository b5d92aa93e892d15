"""Several time-ordered listings as one: the newest item first (or the oldest), whichever part it comes from.

A place in N parts would be N places. It is short because time orders all of them: once the newest of
all has been handed out, then the next, everything nearer than the last one has been handed out *of every
part*. So a position is that time, and only what it does not tell:

- a *mark* for a part that stands elsewhere: it has handed out items of exactly that time, or it could not
  be read and is behind;
- the *page* of a part that is past its first upstream page, so that it need not be walked again;
- which parts have *ended*, so that they need not be asked again.

Only the time and the marks matter to what is handed out; the rest saves requests.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from jobtrail.errors import (
    AgentError,
    CursorError,
    JobtrailError,
    RateLimited,
    Unreachable,
    UnreadableAnswer,
)
from jobtrail.models import Total
from jobtrail.paging.concurrency import AT_ONCE, run_concurrently
from jobtrail.paging.listing import FetchedPage, Sort, Traits
from jobtrail.paging.merge_heads import Dated, Head, make_head
from jobtrail.paging.merge_position import MergePosition, PartMark, PartPage, read_position, write_position

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jobtrail.paging.listing import Listing, Position

_FILTERED_PAGE = 100
"""Rows to ask of a part whose every row matches: more than a call returns would be read in vain."""

_OF_THE_LANE = (RateLimited, Unreachable)
"""Errors that are not the part's own: they meet whatever else its lane is asked."""


_REPEATED = "an item went while paging: those created at the same time as the last one may repeat or be missing"


D = TypeVar("D", bound=Dated)


@dataclass(frozen=True)
class _Step(Generic[D]):
    """One item handed out of a part; `turned` where it was the last one on its page."""

    key: str
    item: D
    depth: int
    last: bool
    turned: PartPage | None


class _Seen(Generic[D]):
    """What one call has read; it is worth something only to the fetch that goes on where the last one ended.

    Attributes:
        position: where that was.
        heads: the pages at hand.
        failed: parts that could not be read.
        down: lanes that could not be.
        pages: where pages began.
        ahead: pages read before they were needed; None for one that could not be.
    """

    def __init__(self, position: Position | None = None) -> None:
        self.position = position
        self.heads: dict[str, Head[D]] = {}
        self.failed: dict[str, JobtrailError] = {}
        self.down: dict[str, JobtrailError] = {}
        self.pages: set[tuple[str, Position]] = set()
        self.ahead: dict[tuple[str, Position], FetchedPage[D] | None] = {}


class Merged(Generic[D]):
    """Several listings in one order of time, read at the same time with a bound.

    A part that cannot be read is reported in `FetchedPage.failed` and left where it stands; the others go on, and the
    next call begins with it.

    Args:
        parts: listings by key, each ordered by creation time in the same direction. Parts may come and go
            between calls.
        descending: whether the newest comes first.
        lane: which parts share an upstream; each lane is sent `AT_ONCE` requests at a time at most.
    """

    def __init__(
        self,
        parts: Mapping[str, Listing[D]],
        *,
        descending: bool = True,
        lane: Callable[[str], str] = lambda _key: "",
    ) -> None:
        self._parts = dict(sorted(parts.items()))
        traits = [part.traits for part in parts.values()]
        unapplied = frozenset[str]().union(*(one.unapplied for one in traits))
        page_size = max((one.page_size for one in traits), default=1)
        self.traits = Traits(Sort("created_at", descending), page_size, unapplied)
        self._sign = -1 if descending else 1
        self._lane = lane
        self._lanes = {name: anyio.CapacityLimiter(AT_ONCE) for name in {lane(key) for key in parts}}
        self._seen = _Seen[D]()

    async def fetch(self, at: Position, want: int) -> FetchedPage[D]:
        """Read one page of each part that needs one, and hand out what is certain to come next.

        Raises:
            JobtrailError: nothing could be read of any part.
        """
        if at != self._seen.position:
            self._seen = _Seen[D](at)
        position = read_position(at, self._parts)
        for key in self._seen.failed.keys() - position.ended:
            # Mark the failed part, or it counts as advanced with the others.
            position = position.with_mark(key, position.mark(key))
        start, read = await self._read_pages(position, want)
        failed = frozenset(self._seen.failed)
        steps = self._merged(start, want)
        end = _advanced(start, steps, failed)
        if failed and failed >= self._parts.keys() - position.ended:
            self._seen.position = None
            raise next(iter(self._seen.failed.values()))
        over = len(end.ended) == len(self._parts)
        self._seen.position = None if over else write_position(end, self._parts)
        notes = [f"{key}: {fetched.note}" for key, fetched in read.items() if fetched.note]
        return FetchedPage(
            items=[step.item for step in steps],
            after=lambda index: write_position(_advanced(start, steps[: index + 1], failed), self._parts),
            next=self._seen.position,
            total=Total(kind="unknown"),
            note="; ".join(notes) or None,
            exact=all(fetched.exact for fetched in read.values()),
            failed=dict(self._seen.failed),
        )

    async def _read_pages(
        self, position: MergePosition, want: int
    ) -> tuple[MergePosition, dict[str, FetchedPage[D]]]:
        """Read a page of every part that has none at hand; return the place as that leaves it, and the pages."""
        lacking = [key for key in self._live(position) if key not in self._seen.heads]
        # Those that are behind come first: their items are the next ones.
        lacking.sort(key=lambda key: position.mark(key).depth)
        soon = self._soon(AT_ONCE - len(lacking)) if lacking else {}
        pages = {**soon, **{key: position.page(key) for key in lacking}}
        answers = await run_concurrently(
            {key: partial(self._page, key, page, want) for key, page in pages.items()}, self._limiter, _patience()
        )
        for key, page in soon.items():
            answer = answers.get(key)
            self._seen.ahead[key, page.position] = answer if isinstance(answer, FetchedPage) else None
        read: dict[str, FetchedPage[D]] = {}
        for key in lacking:
            answer = answers.get(key) or _no_answer(key)
            if isinstance(answer, JobtrailError):
                position = self._without(position, key, answer)
            else:
                position, read[key] = self._with(position, key, answer)
        return position, read

    def _soon(self, most: int) -> dict[str, PartPage]:
        """Return the next pages of the parts whose pages at hand end first, since they will be needed first."""
        ends = sorted((head.depths[-1], key) for key, head in self._seen.heads.items())
        turned = {key: page for _, key in ends if (page := self._seen.heads[key].turned())}
        fresh = {key: page for key, page in turned.items() if (key, page.position) not in self._seen.ahead}
        return dict(islice(fresh.items(), max(most, 0)))

    def _live(self, position: MergePosition) -> list[str]:
        return [key for key in self._parts if key not in position.ended and key not in self._seen.failed]

    def _limiter(self, key: str) -> anyio.CapacityLimiter:
        return self._lanes[self._lane(key)]

    async def _page(self, key: str, page: PartPage, want: int) -> FetchedPage[D]:
        """Read a page of a part, unless its lane is known to be down."""
        part, lane, pages = self._parts[key], self._lane(key), self._seen.pages
        if ahead := self._seen.ahead.get((key, page.position)):
            return ahead
        if lane in self._seen.down:
            raise self._seen.down[lane]
        try:
            fetched = await part.fetch(
                page.position, min(want, _FILTERED_PAGE) if part.traits.filtered_upstream else want
            )
        except _OF_THE_LANE as error:
            self._seen.down[lane] = error
            raise
        pages.add((key, page.position))
        if fetched.next and (key, fetched.next) in pages:
            raise UnreadableAnswer(
                f"{key} handed back a cursor that it had given before, so paging would never end; that is a fault of "
                "the upstream, ask for less with a narrower window"
            )
        return fetched

    def _without(self, position: MergePosition, key: str, error: JobtrailError) -> MergePosition:
        """Return the place of a part that could not be read."""
        if isinstance(error, CursorError):
            if position.page(key) == PartPage():
                raise error
            # The upstream has forgotten the page: what was handed out of it is known by time.
            return position.with_page(key, PartPage())
        self._seen.failed[key] = error
        if isinstance(error, AgentError):
            # It is not there any more, and will not be next time.
            return position.with_end(key)
        return position.with_mark(key, position.mark(key))

    def _with(
        self, position: MergePosition, key: str, fetched: FetchedPage[D]
    ) -> tuple[MergePosition, FetchedPage[D]]:
        """Take up a page of a part, without what was handed out of it."""
        head = make_head(position.page(key), fetched, position.mark(key), self._sign)
        if not head.exact:
            fetched = replace(fetched, exact=False, note=_REPEATED)
        if not head.over:
            self._seen.heads[key] = head
            return position, fetched
        turned = head.turned()
        return (
            position.with_mark(key, head.mark).with_page(key, turned) if turned else position.with_end(key)
        ), fetched

    def _merged(self, position: MergePosition, want: int) -> list[_Step[D]]:
        """Hand out items until some part has no page at hand, since its next item may be the next of all."""
        heads = self._seen.heads
        steps: list[_Step[D]] = []
        if any(key not in heads for key in self._live(position)):
            return steps
        nearest = [(head.depth, key) for key, head in heads.items()]
        heapq.heapify(nearest)
        while nearest and len(steps) < want:
            depth, key = heapq.heappop(nearest)
            head = heads[key]
            item = head.fetched.items[head.index]
            head.index += 1
            turned = head.turned() if head.over else None
            steps.append(_Step(key, item, depth, head.over, turned))
            if not head.over:
                heapq.heappush(nearest, (head.depth, key))
                continue
            del heads[key]
            if turned:
                break
        return steps


def _advanced(position: MergePosition, steps: Iterable[_Step[D]], failed: frozenset[str]) -> MergePosition:
    """Return the place after some steps; the parts that failed stay where they are."""
    depth, marks, pages, ended = position.depth, dict(position.marks), dict(position.pages), set(position.ended)
    for step in steps:
        if step.depth > depth:
            depth = step.depth
            marks = {key: mark for key, mark in marks.items() if key in failed or mark.depth >= depth}
        marks[step.key] = PartMark(step.depth, "" if step.turned else step.item.id)
        if step.turned:
            pages[step.key] = step.turned
        elif step.last:
            ended.add(step.key)
            pages.pop(step.key, None)
    return MergePosition(depth, marks, pages, frozenset(ended))


def _patience() -> float | None:
    """Return the seconds that parts are waited for: half of what is left, so that the others can be answered with."""
    left = anyio.current_effective_deadline() - anyio.current_time()
    return None if left == float("inf") else max(left / 2, 0)


def _no_answer(key: str) -> Unreachable:
    return Unreachable(f"{key} did not answer in time; it is slow or hung, a retry may help", retryable=True)
