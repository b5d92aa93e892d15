"""Where runs are listed, and paging through them by offset.

Offsets move under the reader, so an offset is only a hint for where the last run handed out is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jobtrail.errors import NotFound, Rejected, StrayCursor, UnreadableAnswer
from jobtrail.models import Run, Total
from jobtrail.paging import START, Batch, Spot
from jobtrail.sources.runwisp_wire import WireRuns
from jobtrail.sources.wire import nanoseconds, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import anyio

    from jobtrail.paging import Listing
    from jobtrail.sources.base import Sort
    from jobtrail.sources.http import Http
    from jobtrail.sources.runwisp_wire import WireRun

__all__ = ["LARGEST", "LAST_TIME", "MOST_STEPS", "OVERLAP", "Failures", "OffsetListing", "Runs"]

LARGEST = 1000
"""Rows that a page has at most (RunWisp, parameter limit)."""
MOST_STEPS = 50
"""Pages that are looked through at most for the last run handed out."""
OVERLAP = 1
"""Rows that are read again, to see that they are still there."""
LAST_TIME = 253_402_300_800_000_000_000
"""The year 10000, in nanoseconds."""


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
        params = {**self.params, **more, "limit": max(1, min(size, LARGEST))}
        try:
            async with self.lanes:
                body = await self.http.get(self.path, params)
            page = parse(WireRuns, body, self.http.who)
        except (NotFound, Rejected, UnreadableAnswer):
            self.forget()
            raise
        return page.items or [], page.total


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
        offset = max(done - OVERLAP, 0)
        behind = False
        for _ in range(MOST_STEPS):
            rows, total = await self._runs.get(want + OVERLAP, offset=offset)
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
                return self._batch(rows, total, offset, min(OVERLAP, len(rows)), _DRIFTED)
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
        case (int(created), str(identity), int(count)) if 0 <= created < LAST_TIME and count >= 0:
            return created, identity, count
        case _:
            raise StrayCursor("this cursor does not fit what it walks")
