"""Paging through runs so that arriving and pruned runs never repeat or skip one.

By time, 1.x pages by key: `createdBefore` (or, oldest first, `createdAfter`) is inclusive to the
nanosecond, so a page asks from the last time seen. Runs that share a time come in no order that
could be relied on, but in the same one each time: a spot counts how many of them were handed out.
Where a walk needs several pages, newest first, their key ranges are read at the same time: how far apart
runs lie is known from the page before. That a daemon counts a short range sooner than a long one helps too.
Offsets move under the reader, so an offset is only a hint for where the last run handed out is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from jobtrail.errors import JobtrailError, NotFound, Rejected, StrayCursor, UnreadableAnswer
from jobtrail.models import Run, Total
from jobtrail.paging import AT_ONCE, START, Batch, Spot, together
from jobtrail.sources.runwisp_wire import WireRuns
from jobtrail.sources.wire import from_nanoseconds, nanoseconds, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import anyio

    from jobtrail.paging import Listing
    from jobtrail.sources.base import Sort
    from jobtrail.sources.http import Http
    from jobtrail.sources.runwisp_wire import WireRun

__all__ = ["Failures", "KeyListing", "OffsetListing", "Runs"]

_LARGEST = 1000
_MOST_STEPS = 50
_OVERLAP = 1
_FILL = 0.9  # of an answer: runs do not keep their distances, and a range that holds more than one is read again
_LAST_TIME = 253_402_300_800_000_000_000  # the year 10000


@dataclass(frozen=True)
class Runs:
    """An endpoint that lists runs: where it is and what is always sent.

    `forget` is called when the endpoint has gone, since the daemon may speak another dialect now; `lanes` bounds
    the requests that a daemon is sent at the same time.
    """

    http: Http
    path: str
    params: dict[str, str | int]
    forget: Callable[[], None]
    lanes: anyio.CapacityLimiter

    async def get(self, size: int, **more: str | int) -> tuple[list[WireRun], int]:
        """Return one page of runs and the total that the upstream gives."""
        params = {**self.params, **more, "limit": max(1, min(size, _LARGEST))}
        try:
            async with self.lanes:
                body = await self.http.get(self.path, params)
            page = parse(WireRuns, body, self.http.who)
        except (NotFound, Rejected, UnreadableAnswer):
            self.forget()
            raise
        return page.items or [], page.total


class KeyListing:
    """Runs by creation time on 1.x.

    A spot is (time in nanoseconds, id, how many runs of that time were handed out, how many in all).
    """

    def __init__(self, runs: Runs, *, descending: bool, narrowed: bool) -> None:
        self._runs = runs
        self._descending = descending
        self._bound = "createdBefore" if descending else "createdAfter"
        self._since = nanoseconds(str(runs.params.get("createdAfter", ""))) or 0
        self.narrowed = narrowed
        # What the pages so far have shown: nanoseconds from run to run, and how many runs an answer holds.
        self._pace = 0.0
        self._full = 0

    async def fetch(self, at: Spot, want: int) -> Batch[Run]:
        """Read a page from the last time seen, which costs the same at any depth; or several at the same time."""
        if not at.detail:
            rows, total = await self._runs.get(want)
            self._learn(rows, total)
            return self._batch(rows, total, _Last(0, "", 0, 0))
        last = _last(at.detail)
        rows, total = await self._read(last, want)
        if rows and rows[0].id == last.identity:
            return self._batch(rows[1:], total - last.tied, last)
        return await self._found_again(last, want, {self._bound: from_nanoseconds(last.time)})

    async def _read(self, last: _Last, want: int) -> tuple[list[WireRun], int]:
        """Read from the last run handed out; return the runs, and how many there are from its time on."""
        ranges = self._ranges(last, want)
        answers = await together(
            {number: partial(self._runs.get, want + _OVERLAP, **bounds) for number, bounds in enumerate(ranges)}
        )
        found = [_answered(answers[number]) for number in range(len(ranges))]
        self._check(found[0][0], last)
        rows: list[WireRun] = []
        for (some, total), bounds in zip(found, ranges, strict=True):
            rows += some
            if self._learn(some, total - int(bounds["offset"])):
                # This range holds more than one answer: what lies beyond it comes after its rest.
                break
        return rows, sum(total for _, total in found)

    def _check(self, rows: Sequence[WireRun], last: _Last) -> None:
        """Raise where the daemon does not keep to the bound, since it would answer the same runs for ever."""
        first = (nanoseconds(rows[0].created) or 0) if rows else last.time
        if first > last.time if self._descending else first < last.time:
            raise UnreadableAnswer(
                f"{self._runs.http.who} does not keep to {self._bound}, so paging would never end; that is a fault "
                "of the upstream, ask for less with a narrower window"
            )

    def _learn(self, rows: Sequence[WireRun], total: int) -> bool:
        """Return whether there was more than one answer holds; see from one that is full how long a range may be."""
        if len(rows) >= total:
            return False
        self._full = max(self._full, len(rows))
        first, last = (nanoseconds(row.created) or 0 for row in (rows[0], rows[-1])) if rows else (0, 0)
        self._pace = abs(first - last) / max(len(rows) - 1, 1)
        return True

    def _ranges(self, last: _Last, want: int) -> list[dict[str, str | int]]:
        """Return the bounds to read between: the last range is open, the others hold about as much as an answer."""
        top, ranges = last.time, list[dict[str, str | int]]()
        span = int(self._pace * self._full * _FILL)
        while self._descending and span and len(ranges) < min(AT_ONCE, -(-want // self._full)) - 1:
            bottom = top - span
            if bottom <= self._since:
                break
            ranges.append({"createdBefore": from_nanoseconds(top), "createdAfter": from_nanoseconds(bottom + 1)})
            top = bottom
        ranges.append({self._bound: from_nanoseconds(top)})
        # The runs of its time that come before the last one handed out are passed over.
        return [{**bounds, "offset": 0 if number else last.tied - 1} for number, bounds in enumerate(ranges)]

    async def _found_again(self, last: _Last, want: int, bound: dict[str, str]) -> Batch[Run]:
        """Look through the runs of one time for the last one handed out, after one of them was pruned."""
        offset = 0
        for _ in range(_MOST_STEPS):
            rows, total = await self._runs.get(_LARGEST, **bound, offset=offset)
            for index, row in enumerate(rows):
                if row.id == last.identity:
                    place = offset + index + 1
                    rows, total = await self._runs.get(want, **bound, offset=place)
                    return self._batch(rows, total - place, replace(last, tied=place))
            if not rows or nanoseconds(rows[-1].created) != last.time:
                break
            offset += len(rows)
        # It was pruned itself: all of its time are handed out again rather than some of them lost.
        rows, total = await self._runs.get(want, **bound)
        batch = self._batch(rows, total, replace(last, tied=0))
        tied = bool(rows) and nanoseconds(rows[0].created) == last.time
        return replace(batch, exact=False, note=_REPEATED) if tied else batch

    def _batch(self, rows: Sequence[WireRun], left: int, last: _Last) -> Batch[Run]:
        times = [nanoseconds(row.created) or 0 for row in rows]
        if not rows and left > 0:
            raise UnreadableAnswer(
                f"{self._runs.http.who} counts {left:,} more runs but sends none; that is a fault of the upstream, a "
                "retry may help"
            )

        def after(index: int) -> Spot:
            tied = 0
            while tied <= index and times[index - tied] == times[index]:
                tied += 1
            if tied == index + 1 and times[index] == last.time:
                tied += last.tied
            return Spot("", (times[index], rows[index].id or "", tied, last.done + index + 1))

        return Batch(
            items=[row.run() for row in rows],
            after=after,
            next=after(len(rows) - 1) if rows and len(rows) < left else None,
            total=Total(value=last.done + left, kind="exact" if self.narrowed else "unfiltered"),
        )


def _answered(answer: tuple[list[WireRun], int] | JobtrailError) -> tuple[list[WireRun], int]:
    if isinstance(answer, JobtrailError):
        raise answer
    return answer


@dataclass(frozen=True)
class _Last:
    """The last run handed out: its time, its id, its number among those of its time, and in all."""

    time: int
    identity: str
    tied: int
    done: int


def _last(detail: tuple[str | int, ...]) -> _Last:
    """Check what a cursor carried."""
    match detail:
        case (int(time), str(identity), int(tied), int(done)) if 0 <= time < _LAST_TIME and tied > 0 and done >= 0:
            return _Last(time, identity, tied, done)
        case _:
            raise StrayCursor("this cursor does not fit what it walks")


class Failures:
    """A list of failed runs on 1.x that says when the daemon counts more failures than it was asked for by name.

    Parameter `isFailure`: "also match runs classified as a failure", whatever their end reason is called.
    """

    def __init__(self, listing: Listing[Run], runs: Runs) -> None:
        self._listing = listing
        self._runs = runs
        self.narrowed = listing.narrowed

    async def fetch(self, at: Spot, want: int) -> Batch[Run]:
        """Read one page; with the first, ask how many failures there are by any name."""
        batch = await self._listing.fetch(at, want)
        if at != START or batch.total.value is None:
            return batch
        _, total = await self._runs.get(1, isFailure="true")
        more = total - batch.total.value
        note = f"{more:,} more count as failures to the daemon under other words; without status they are listed"
        return replace(batch, note=note) if more > 0 else batch


class OffsetListing:
    """Runs by offset: every order of the seed dialect, and the orders of 1.x other than by time.

    A spot is (time in nanoseconds, id, offset) of the last run handed out. The next page starts one run early: if
    that one is not there, runs came or went, and it is looked for.
    """

    def __init__(self, runs: Runs, sort: Sort, *, narrowed: bool, filtered: bool) -> None:
        self._runs = runs
        self._sort = sort
        self._filtered = filtered
        self.narrowed = narrowed

    async def fetch(self, at: Spot, want: int) -> Batch[Run]:
        """Read the page after the spot, wherever that has moved to."""
        if not at.detail:
            rows, total = await self._runs.get(want)
            return self._batch(rows, total, 0, 0, None)
        created, identity, done = _opened(at.detail)
        offset = max(done - _OVERLAP, 0)
        behind = False
        for _ in range(_MOST_STEPS):
            rows, total = await self._runs.get(want + _OVERLAP, offset=offset)
            start = self._start(rows, created, identity)
            if start == 0 and offset and self._sort.key == "created_at" and not behind:
                # Everything here lies past the last run, and so might what was before: step back.
                offset = max(offset - want, 0)
                continue
            if start is not None and start == len(rows) and start > 0 and offset + start < total:
                # The last run handed out ends this page: the next begins with it.
                offset += start - 1
                behind = True
                continue
            if start is not None:
                return self._batch(rows, total, offset, start, None)
            if self._sort.key != "created_at":
                return self._batch(rows, total, offset, min(_OVERLAP, len(rows)), _DRIFTED)
            if not rows:
                return self._batch(rows, total, offset, 0, None)
            behind = True
            offset += len(rows)
        raise UnreadableAnswer(f"{self._runs.http.who} changes faster than it can be paged; ask for a window")

    def _start(self, rows: Sequence[WireRun], created: int, identity: str) -> int | None:
        """Return the index after the last run handed out; None where it lies further on."""
        for index, row in enumerate(rows):
            if row.id == identity:
                return index + 1
        if self._sort.key != "created_at":
            return None
        last = (created, identity)
        for index, row in enumerate(rows):
            here = (nanoseconds(row.created) or 0, row.id or "")
            if (here < last) if self._sort.descending else (here > last):
                return index
        return None

    def _batch(self, rows: Sequence[WireRun], total: int, offset: int, start: int, note: str | None) -> Batch[Run]:
        rest = rows[start:]

        def after(index: int) -> Spot:
            return _spot(rest[index], offset + start + index + 1)

        more = bool(rest) and offset + len(rows) < total
        return Batch(
            items=[row.run() for row in rest],
            after=after,
            next=after(len(rest) - 1) if more else None,
            total=Total(value=total, kind="unfiltered" if self._filtered else "exact"),
            note=note,
            exact=note is None,
        )


_REPEATED = "a run was pruned while paging: runs with the same time as the last one may repeat"
_DRIFTED = (
    "runs came or went since the last page, and this order cannot be paged by key: some may repeat or be "
    "missing. sort=created_at:desc is stable"
)


def _spot(row: WireRun, count: int) -> Spot:
    """Return the spot just after a run: its time in nanoseconds, its id and a count."""
    return Spot("", (nanoseconds(row.created) or 0, row.id or "", count))


def _opened(detail: tuple[str | int, ...]) -> tuple[int, str, int]:
    """Check what a cursor carried, as `_spot` makes it."""
    match detail:
        case (int(created), str(identity), int(count)) if 0 <= created < _LAST_TIME and count >= 0:
            return created, identity, count
        case _:
            raise StrayCursor("this cursor does not fit what it walks")
