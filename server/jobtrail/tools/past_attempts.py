"""What a job ran before an execution or run: the last success, and which failures had the same causes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jobtrail.analysis.failure_groups import make_signature
from jobtrail.models import Attempt, CauseDifference, Run, Window
from jobtrail.paging import NEWEST_FIRST, START, Budget, Walk, walk
from jobtrail.sources.federation import OwnedAttempt
from jobtrail.sources.list_options import ListOptions, StatusFilter
from jobtrail.tools.failure_causes import CauseReader
from jobtrail.vocabulary import is_failure, is_success

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from jobtrail.models import Note
    from jobtrail.paging import Walked
    from jobtrail.tools.compared_sides import Subject
    from jobtrail.tools.failure_causes import CausesOfOne

_BUDGET = Budget(items=2_000, seconds=8.0)
_LOOKED_AT = 200
"""Executions or runs before it that are looked at; beyond them only for a success."""
_CAUSES_READ = 20
_CAUSE_SECONDS = 8.0


@dataclass(frozen=True)
class Past:
    """What ran before an execution or run, the newest first, as far as it was looked at.

    Attributes:
        attempts: as far as every one was looked at.
        success: the last that succeeded; None where none was found.
        whole: whether there is nothing before `attempts`.
        searched_to: how far back a success was looked for; None where all that is kept was.
        notes: what an agent must know of the reading.
    """

    attempts: Sequence[Attempt] = ()
    success: Attempt | None = None
    whole: bool = False
    searched_to: datetime | None = None
    notes: Sequence[Note] = ()

    @property
    def back_to(self) -> datetime | None:
        """When the oldest that was looked at was created."""
        return self.attempts[-1].created_at if self.attempts else None


async def look_back(subject: Subject, this: Attempt, *, for_success: bool) -> Past:
    """Read what a job ran before one of its executions or runs.

    Args:
        subject: what is compared.
        this: likewise, as it was read.
        for_success: whether to look further than usual for a success.
    """
    if this.created_at is None:
        return Past(notes=["when it was created is not known, so nothing is known to be before it; give with=…"])

    created = this.created_at

    def is_before(one: Attempt) -> bool:
        same = not isinstance(one, Run) or not isinstance(this, Run) or one.instance == this.instance
        return same and one.id != this.id and one.created_at is not None and one.created_at <= created

    name = f"source {subject.source.name!r}"
    options = ListOptions(NEWEST_FIRST, window=Window(until=this.created_at, now=subject.now))
    listing = await subject.source.attempts(subject.job, options)
    recent = await walk(listing, Walk[Attempt](limit=_LOOKED_AT, keep=is_before, budget=_BUDGET, subject=name))
    whole = recent.position is None and recent.whole
    success = next((one for one in recent.items if is_success(one)), None)
    if success or recent.position is None or not for_success:
        searched = None if success or whole else _find_reached(recent)
        return Past(recent.items, success, whole, searched, recent.notes)
    how = Walk[Attempt](limit=1, keep=lambda one: is_before(one) and is_success(one), budget=_BUDGET, subject=name)
    at = recent.position
    if listing.traits.filtered_upstream:
        options, at = replace(options, statuses=StatusFilter(frozenset({"succeeded"}))), START
    # A listing remembers what it has handed out, so a walk goes on over a new one.
    further = await walk(await subject.source.attempts(subject.job, options), how, at)
    success = next(iter(further.items), None)
    searched = None if success or further.position is None else _find_reached(further)
    return Past(recent.items, success, whole, searched, [*recent.notes, *further.notes])


def _find_reached(walked: Walked[Attempt]) -> datetime | None:
    return walked.last.created_at if walked.last else None


@dataclass(frozen=True)
class PastCauses:
    """Failures before an execution or run whose causes were read, the newest first.

    Attributes:
        failures: each with its causes.
        whole: whether these are all failures among what was looked at, with all their causes.
        notes: what an agent must know of the reading.
    """

    failures: Sequence[tuple[Attempt, CausesOfOne]] = ()
    whole: bool = True
    notes: Sequence[Note] = ()

    def trace(self, this: Attempt, causes: CausesOfOne, base: CausesOfOne | None) -> list[CauseDifference]:
        """Return, for each cause of a failure, since when it occurs."""
        return [self._trace_cause(this, cause.text, cause.tasks, base) for cause in causes.causes]

    def _trace_cause(self, this: Attempt, text: str, tasks: int, base: CausesOfOne | None) -> CauseDifference:
        name = make_signature(text)
        having = [this, *(one for one, its in self.failures if _count_tasks(its, name))]
        return CauseDifference(
            cause=text,
            tasks=tasks or None,
            in_base=_count_tasks(base, name) if base else None,
            first_at=having[-1].created_at,
            first=having[-1].id,
            before=len(having) - 1,
        )


def _count_tasks(causes: CausesOfOne, name: str) -> int:
    """Return how many tasks failed for a cause; of a run, 1 if it did."""
    return sum(one.tasks or 1 for one in causes.causes if make_signature(one.text) == name)


async def read_past_causes(subject: Subject, past: Past) -> PastCauses:
    """Read why those before it failed, the newest first, as far as the bounds reach."""
    failures = [one for one in past.attempts if is_failure(one)]
    asked = [OwnedAttempt(subject.source.name, subject.job.name, one) for one in failures[:_CAUSES_READ]]
    read = await CauseReader([subject.source], {}, subject.now).read(asked, _CAUSE_SECONDS)
    notes: list[Note] = []
    cut = any(one.rarer or not one.complete for one in read.found)
    if read.errors:
        why = next(iter(read.errors.values())).describe_problem()
        notes.append(f"the causes of {len(read.errors)} of the failures before it could not be read: {why}")
    if cut:
        notes.append("of some failures before it not every cause was looked at: one may be older than said")
    pairs = [*zip(failures, read.found, strict=False)]
    return PastCauses(pairs, len(pairs) == len(failures) and not read.errors and not cut, notes)
