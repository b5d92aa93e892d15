"""Several time-ordered listings as one: the newest item first (or the oldest), whichever part it comes from.

Items are returned in order of time across all parts. After an item at time T, every part has given up
everything before T, so one time says for all parts where to go on. A position holds that time, and

- a *mark* for a part that has returned items of exactly T, or that could not be read and is behind;
- the *page* of a part past its first upstream page, so that earlier pages are not read again;
- which parts have *ended*, so that they are not read again.

Only the time and the marks decide what is returned next; the rest saves requests.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from jobtrail.errors import AgentError, CursorError, JobtrailError, RateLimited, Unreachable, UnreadableAnswer
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

_UPSTREAM_ERRORS = (RateLimited, Unreachable)
"""Errors of a part that all parts of its upstream would meet."""


_REPEATED = "an item went while paging: those created at the same time as the last one may repeat or be missing"


D = TypeVar("D", bound=Dated)


@dataclass(frozen=True)
class _MergeStep(Generic[D]):
    """One item returned; `last` says whether it ended its page, `next_page` is the one after that, if any.

    Attributes:
        oldest: how far back its part reaches, if the part ends with it, as in `MergePosition`.
    """

    key: str
    upstream: str
    item: D
    time: int
    last: bool
    next_page: PartPage | None
    oldest: int | None


class _CallState(Generic[D]):
    """What was read so far; of use only to a fetch that goes on where the last one ended.

    Attributes:
        position: where the last fetch ended.
        heads: pages with items left, by part.
        failed: parts that could not be read, and why.
        unreachable: upstreams that could not be read, and why.
        pages: the pages that were read, to notice a cursor that comes back.
        prefetched: pages read before they were needed; None for one that could not be read.
    """

    def __init__(self, position: Position | None = None) -> None:
        self.position = position
        self.heads: dict[str, Head[D]] = {}
        self.failed: dict[str, JobtrailError] = {}
        self.unreachable: dict[str, JobtrailError] = {}
        self.pages: set[tuple[str, Position]] = set()
        self.prefetched: dict[tuple[str, Position], FetchedPage[D] | None] = {}


class Merged(Generic[D]):
    """Several listings in one order of time, read at the same time with a bound.

    A part that cannot be read is reported in `FetchedPage.failed`; the others go on, and the next call retries it.

    Args:
        parts: listings by key, each ordered by creation time in the same direction. Parts may come and go
            between calls.
        descending: whether the newest comes first.
        upstream_of: returns the upstream of a part; each is sent at most `AT_ONCE` requests at the same time.
        page: rows to ask at a time of a part whose every row matches.
    """

    def __init__(
        self,
        parts: Mapping[str, Listing[D]],
        *,
        descending: bool = True,
        upstream_of: Callable[[str], str] = lambda _key: "",
        page: int = _FILTERED_PAGE,
    ) -> None:
        self._parts = dict(sorted(parts.items()))
        self.traits = Traits.combine(Sort("created_at", descending), parts.values())
        self._sign = -1 if descending else 1
        self._upstream_of = upstream_of
        self._page = page
        self._limiters = {name: anyio.CapacityLimiter(AT_ONCE) for name in {upstream_of(key) for key in parts}}
        self._state = _CallState[D]()

    async def fetch(self, at: Position, want: int) -> FetchedPage[D]:
        """Read one page of each part that needs one, and return the items that certainly come next.

        Raises:
            JobtrailError: nothing could be read of any part.
        """
        if at != self._state.position:
            self._state = _CallState[D](at)
        position = read_position(at, self._parts)
        for key in self._state.failed.keys() - position.ended:
            # Mark the failed part, or it counts as advanced with the others.
            position = position.with_mark(key, position.mark(key))
        start, read = await self._read_pages(position, want)
        failed = frozenset(self._state.failed)
        steps = self._merge_heads(start, want)
        end = _advance(start, steps, failed)
        if failed and failed >= self._parts.keys() - position.ended:
            self._state.position = None
            raise next(iter(self._state.failed.values()))
        exhausted = len(end.ended) == len(self._parts)
        self._state.position = None if exhausted else write_position(end, self._parts)
        notes = [f"{key}: {fetched.note}" for key, fetched in read.items() if fetched.note]
        return FetchedPage(
            items=[step.item for step in steps],
            after=lambda index: write_position(_advance(start, steps[: index + 1], failed), self._parts),
            next=self._state.position,
            total=Total(kind="unknown"),
            note="; ".join(notes) or None,
            exact=all(fetched.exact for fetched in read.values()),
            whole=all(fetched.whole for fetched in read.values()),
            ordered=all(fetched.ordered for fetched in read.values()),
            oldest=self._list_oldest(end),
            failed=dict(self._state.failed),
        )

    async def _read_pages(
        self, position: MergePosition, want: int
    ) -> tuple[MergePosition, dict[str, FetchedPage[D]]]:
        """Read a page of every part that has no head; return the position after that, and the pages."""
        lacking = [key for key in self._find_live(position) if key not in self._state.heads]
        # Parts that are behind come first: their items are the next ones.
        lacking.sort(key=lambda key: position.mark(key).time)
        soon = self._choose_prefetch(AT_ONCE - len(lacking)) if lacking else {}
        pages = {**soon, **{key: position.page(key) for key in lacking}}
        answers = await run_concurrently(
            {key: partial(self._fetch_page, key, page, want) for key, page in pages.items()},
            lambda key: self._limiters[self._upstream_of(key)],
            _compute_timeout(),
        )
        for key, page in soon.items():
            answer = answers.get(key)
            self._state.prefetched[key, page.position] = answer if isinstance(answer, FetchedPage) else None
        read: dict[str, FetchedPage[D]] = {}
        for key in lacking:
            answer = answers.get(key) or Unreachable(
                "did not answer in time",
                subject=key,
                advice="it is slow or hung, a retry may help",
                retryable=True,
            )
            if isinstance(answer, JobtrailError):
                position = self._record_failure(position, key, answer)
            else:
                position, read[key] = self._take_page(position, key, answer)
        return position, read

    def _choose_prefetch(self, most: int) -> dict[str, PartPage]:
        """Return the pages after the heads that end first, since they will be needed first."""
        ends = sorted((head.times[-1], key) for key, head in self._state.heads.items())
        following = {key: page for _, key in ends if (page := self._state.heads[key].find_next_page())}
        fresh = {key: page for key, page in following.items() if (key, page.position) not in self._state.prefetched}
        return dict(islice(fresh.items(), max(most, 0)))

    def _list_oldest(self, position: MergePosition) -> dict[str, datetime]:
        """Return how far back each upstream reaches, of those that have been read to their end."""
        going_on = {self._upstream_of(key) for key in self._parts if key not in position.ended}
        return {
            upstream: datetime.fromtimestamp(time / 1_000_000, UTC)
            for upstream, time in position.oldest.items()
            if time > 0 and upstream not in going_on
        }

    def _find_live(self, position: MergePosition) -> list[str]:
        return [key for key in self._parts if key not in position.ended and key not in self._state.failed]

    async def _fetch_page(self, key: str, page: PartPage, want: int) -> FetchedPage[D]:
        """Read a page of a part, unless its upstream is known to be unreachable."""
        part, upstream, pages = self._parts[key], self._upstream_of(key), self._state.pages
        if prefetched := self._state.prefetched.get((key, page.position)):
            return prefetched
        if upstream in self._state.unreachable:
            raise self._state.unreachable[upstream]
        try:
            fetched = await part.fetch(
                page.position, min(want, self._page) if part.traits.filtered_upstream else want
            )
        except _UPSTREAM_ERRORS as error:
            self._state.unreachable[upstream] = error
            raise
        pages.add((key, page.position.page))
        if fetched.next and (key, fetched.next.page) in pages:
            raise UnreadableAnswer(
                "handed back a cursor that it had given before, so paging would never end",
                subject=key,
                advice="that is a fault of the upstream, ask for less with a narrower window",
            )
        return fetched

    def _record_failure(self, position: MergePosition, key: str, error: JobtrailError) -> MergePosition:
        """Note that a part could not be read; return the position after that."""
        if isinstance(error, CursorError):
            if position.page(key) == PartPage():
                raise error
            # The upstream has forgotten the page: go back to the first one, and skip by time.
            return position.with_page(key, PartPage())
        self._state.failed[key] = error
        if isinstance(error, AgentError):
            # The part is gone for good.
            return position.with_end(key)
        return position.with_mark(key, position.mark(key))

    def _take_page(
        self, position: MergePosition, key: str, fetched: FetchedPage[D]
    ) -> tuple[MergePosition, FetchedPage[D]]:
        """Make a page the head of its part, unless all of it was returned before; return the position after that."""
        head = make_head(position.page(key), fetched, position.mark(key), self._sign)
        if not head.exact:
            fetched = replace(fetched, exact=False, whole=False, note=_REPEATED)
        if not head.exhausted:
            self._state.heads[key] = head
            return position, fetched
        next_page = head.find_next_page()
        if next_page is None:
            oldest = _read_oldest(fetched, started=position.page(key) != PartPage())
            return position.with_end(key).with_oldest(self._upstream_of(key), oldest), fetched
        return position.with_mark(key, head.mark).with_page(key, next_page), fetched

    def _merge_heads(self, position: MergePosition, want: int) -> list[_MergeStep[D]]:
        """Take items from the heads until a part has no head, since its next item may be the next of all."""
        heads = self._state.heads
        steps: list[_MergeStep[D]] = []
        if any(key not in heads for key in self._find_live(position)):
            return steps
        nearest = [(head.time, key) for key, head in heads.items()]
        heapq.heapify(nearest)
        while nearest and len(steps) < want:
            time, key = heapq.heappop(nearest)
            head = heads[key]
            item = head.fetched.items[head.index]
            head.index += 1
            next_page = head.find_next_page() if head.exhausted else None
            oldest = _read_oldest(head.fetched, started=True) if head.exhausted and not next_page else None
            steps.append(_MergeStep(key, self._upstream_of(key), item, time, head.exhausted, next_page, oldest))
            if not head.exhausted:
                heapq.heappush(nearest, (head.time, key))
                continue
            del heads[key]
            if next_page:
                break
        return steps


def _advance(position: MergePosition, steps: Iterable[_MergeStep[D]], failed: frozenset[str]) -> MergePosition:
    """Return the position after some steps; parts that failed do not advance."""
    time, marks, pages, ended = position.time, dict(position.marks), dict(position.pages), set(position.ended)
    reached = MergePosition(oldest=position.oldest)
    for step in steps:
        if step.time > time:
            time = step.time
            marks = {key: mark for key, mark in marks.items() if key in failed or mark.time >= time}
        marks[step.key] = PartMark(step.time, "" if step.next_page else step.item.id)
        if step.next_page:
            pages[step.key] = step.next_page
        elif step.last:
            ended.add(step.key)
            pages.pop(step.key, None)
            reached = reached.with_oldest(step.upstream, step.oldest)
    return MergePosition(time, marks, pages, frozenset(ended), reached.oldest)


def _read_oldest(fetched: FetchedPage[D], *, started: bool) -> int | None:
    """Return how far back a part reaches whose last page this is: 0 if not known, None if it never had an item."""
    if oldest := fetched.oldest.get(""):
        return round(oldest.timestamp() * 1_000_000)
    return 0 if started or fetched.items else None


def _compute_timeout() -> float | None:
    """Return the seconds to wait for parts: half of those left, so that the rest can still be returned."""
    left = anyio.current_effective_deadline() - anyio.current_time()
    return None if left == float("inf") else max(left / 2, 0)
