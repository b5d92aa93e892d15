"""Paging through the runs of 1.x by time, so that arriving and pruned runs never repeat or skip one.

`createdBefore` (or, oldest first, `createdAfter`) is inclusive to the nanosecond, so a page asks from the last time
seen. Runs that share a time come in no order that could be relied on, but in the same one each time: a spot counts
how many of them were handed out, and carries a short mark of each, so that the place is found again after any of
them was pruned.
Where a walk needs several pages, newest first, their key ranges are read at the same time: how far apart
runs lie is known from the page before. That a daemon counts a short range sooner than a long one helps too.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from jobtrail.errors import JobtrailError, StrayCursor, UnreadableAnswer
from jobtrail.models import Run, Total
from jobtrail.paging import AT_ONCE, Batch, Spot, together
from jobtrail.sources.runwisp_runs import LARGEST, LAST_TIME, MOST_STEPS, OVERLAP
from jobtrail.sources.wire import from_nanoseconds, nanoseconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobtrail.sources.runwisp_runs import Runs
    from jobtrail.sources.runwisp_wire import WireRun

__all__ = ["KeyListing"]

_FILL = 0.9  # of an answer: runs do not keep their distances, and a range that holds more than one is read again
_MARK = 4  # characters
_MOST_MARKS = 100
_REPEATED = "a run was pruned while paging: runs with the same time as the last one may repeat"


class KeyListing:
    """Runs by creation time on 1.x.

    A spot is (time in nanoseconds, id, how many runs of that time were handed out, how many in all, the marks
    of those of that time before the last, if any).
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
            return self._batch(rows, total, _Last(0, "", 0, 0, ""))
        last = _last(at.detail)
        rows, total = await self._read(last, want)
        if rows and rows[0].id == last.identity:
            return self._batch(rows[1:], total - last.tied, last)
        return await self._found_again(last, want, {self._bound: from_nanoseconds(last.time)})

    async def _read(self, last: _Last, want: int) -> tuple[list[WireRun], int]:
        """Read from the last run handed out; return the runs, and how many there are from its time on."""
        ranges = self._ranges(last, want)
        answers = await together(
            {number: partial(self._runs.get, want + OVERLAP, **bounds) for number, bounds in enumerate(ranges)}
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
        """Go on after the newest of its time that was handed out and is still there, after others were pruned."""
        place, offset, known = 0, 0, last.known()
        for _ in range(MOST_STEPS):
            rows, _ = await self._runs.get(LARGEST, **bound, offset=offset)
            tied = [row.id or "" for row in rows if nanoseconds(row.created) == last.time]
            place = max((offset + index for index, one in enumerate(tied, 1) if _mark(one) in known), default=place)
            if len(tied) < len(rows) or not rows:
                break
            offset += len(rows)
        rows, total = await self._runs.get(want, **bound, offset=place)
        batch = self._batch(rows, total - place, replace(last, tied=place))
        # Marks are kept of so many only: where there were more, and none that is known is left, some may repeat.
        unsure = not place and last.forgotten and bool(rows) and nanoseconds(rows[0].created) == last.time
        return replace(batch, exact=False, note=_REPEATED) if unsure else batch

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
            marks = "".join(_mark(row.id or "") for row in rows[index - tied + 1 : index])
            if tied == index + 1 and times[index] == last.time:
                tied += last.tied
                marks = last.marks + _mark(last.identity) + marks
            kept = (marks[-_MARK * _MOST_MARKS :],) if marks else ()
            return Spot("", (times[index], rows[index].id or "", tied, last.done + index + 1, *kept))

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
    """The last run handed out: its time, its id, its number among those of its time, and in all.

    `marks` are of those of its time that were handed out before it.
    """

    time: int
    identity: str
    tied: int
    done: int
    marks: str

    def known(self) -> frozenset[str]:
        """Return the marks of all of this time that were handed out."""
        return frozenset(self.marks[at : at + _MARK] for at in range(0, len(self.marks), _MARK)) | {
            _mark(self.identity)
        }

    @property
    def forgotten(self) -> bool:
        """Whether more of this time were handed out than there are marks of."""
        return len(self.marks) >= _MARK * _MOST_MARKS


def _mark(identity: str) -> str:
    """Return a mark of a run: 24 bits, in which one of a few that share a nanosecond is hardly taken for another."""
    return base64.urlsafe_b64encode(hashlib.blake2b(identity.encode(), digest_size=3).digest()).decode()


def _last(detail: tuple[str | int, ...]) -> _Last:
    """Check what a cursor carried."""
    match detail:
        case (int(time), str(identity), int(tied), int(done), *marks) if (
            0 <= time < LAST_TIME and tied > 0 and done >= 0 and len(marks) <= 1
        ):
            return _Last(time, identity, tied, done, "".join(map(str, marks)))
        case _:
            raise StrayCursor("this cursor does not fit what it walks")
