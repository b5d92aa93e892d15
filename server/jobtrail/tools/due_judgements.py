"""Judges jobs by their due times, for `find_missed`, and says what cannot be known of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from jobtrail.analysis.due_times import NotJudged, find_next_due, is_due_at, list_due_times
from jobtrail.analysis.starts import EARLY, Start, match_starts
from jobtrail.models import Attempt, Call, Sentence, Window
from jobtrail.paging import NEWEST_FIRST, Budget, Walk, run_concurrently, walk
from jobtrail.sources.list_options import ListOptions
from jobtrail.text import quote_unless_word
from jobtrail.times import format_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from jobtrail.models import Job, Note, Timetable
    from jobtrail.sources.base import Scheduling, Source

EARLIEST_STEP = timedelta(microseconds=1)
"""Between a time and the next that is later."""
MOST_TIMES = 50_000
"""Due times of a job that are judged at once."""
_MOST_IN_ALL = 200_000
_MOST_LOOKED_BACK = 40
_LOOK_BACK = Budget(items=2_000, seconds=8.0)
_LOOK_BACK_SECONDS = 10.0
_MOST_NAMED = 3


@dataclass(frozen=True)
class Place:
    """Where in time due times are judged.

    Attributes:
        after, until: the bounds, of which the later one is judged too.
        now: by the clock of the source.
        most: due times to judge at most.
    """

    after: datetime
    until: datetime
    now: datetime
    most: int = MOST_TIMES


@dataclass
class Judged:
    """A job, and what became of its due times.

    Attributes:
        starts: the oldest first.
        held: why it does not start by its schedule; None where nothing says so.
        why: why it is not judged; empty if it is.
        begins: from when on it is judged.
        oldest: when the oldest was created of what is known that it ran.
        never: whether nothing is kept that it ever ran.
        dense: whether it was due more often than is judged at once.
        doubted: whether it is not known if something older is kept than was read.
        untimed: how many of what ran have no time that can be read, so that each may be what a due time started.
        asked: from when on it was asked for.
        imported: whether nothing tells how it went on.
        unknown: whether it would have been due before its schedule holds, as far as that is known.
        next_due_at: when it is due next.
    """

    source: str
    job: Job
    asked: datetime
    begins: datetime
    oldest: datetime | None = None
    starts: list[Start] = field(default_factory=list[Start])
    held: str | None = None
    why: str = ""
    never: bool = False
    dense: bool = False
    doubted: bool = False
    untimed: int = 0
    imported: bool = False
    unknown: bool = False
    next_due_at: datetime | None = None

    @property
    def timetable(self) -> Timetable:
        """Of the job, which has one."""
        assert self.job.timetable is not None  # noqa: S101 # only such are judged
        return self.job.timetable

    @property
    def whole(self) -> bool:
        """Whether all of its due times were judged, as far as what ran is kept."""
        return not (self.why or self.dense or self.doubted or self.untimed)

    def count(self, state: str) -> int:
        """Return how many due times came to a state."""
        return sum(one.state == state for one in self.starts)

    @property
    def due(self) -> int:
        """How many due times were judged."""
        return len(self.starts) - self.count("to come")


def divide_times(jobs: int) -> int:
    """Return how many due times each of some jobs may have."""
    return min(MOST_TIMES, _MOST_IN_ALL // max(jobs, 1))


def judge(source: Source, job: Job, attempts: Sequence[Attempt], place: Place, scheduling: Scheduling) -> Judged:
    """Return what became of a job's due times.

    Args:
        source: that has the job.
        job: with a timetable.
        attempts: of the job, all of those that were created between the bounds, and those soon after.
        place: where in time.
        scheduling: of the source.
    """
    created = [one.created_at for one in attempts if one.created_at]
    found = Judged(source.name, job, place.after + EARLIEST_STEP, place.after, min(created, default=None))
    found.untimed = len(attempts) - len(created)
    found.held = found.timetable.held or scheduling.held
    after, until = max(filter(None, (place.after, found.timetable.since))), place.until
    if not source.follows(job):
        found.imported, until = True, min(until, max(created, default=after))
    try:
        found.next_due_at = None if found.held else _find_next(found, place.now)
        due = list_due_times(found.timetable, after, until, place.most)
        found.unknown = bool(list_due_times(found.timetable, place.after, min(after, place.until), 1).times)
    except NotJudged as error:
        found.why = str(error)
        return found
    found.begins, found.dense = due.begins, due.begins > after
    if found.held:
        found.starts = [Start(at, "held") for at in due.times]
        return found
    found.starts = match_starts(due.times, attempts, place.now, found.timetable.slack_s)
    for start in found.starts:
        if start.state == "missed" and start.at in due.moved and not start.told:
            # Clocks turned: some start then or later, others not at all.
            start.state = "skipped"
    return found


def _find_next(one: Judged, now: datetime) -> datetime | None:
    """Return when a job is due next, as its source tells or else by its schedule.

    Raises:
        NotJudged: the two say otherwise, or the schedule cannot be read, or there is nothing to judge by.
    """
    if not one.timetable.kept:
        raise NotJudged("its source keeps none of its runs")
    told = one.job.next_run_at
    if told is None:
        return find_next_due(one.timetable, now)
    if not is_due_at(one.timetable, told):
        raise NotJudged(f"its source says that it is due at {format_time(told)}, and its schedule does not")
    return told


async def look_back(
    judged: Sequence[Judged], sources: Mapping[str, Source], scheduling: Mapping[str, Scheduling]
) -> list[str]:
    """Take back what was judged as missed before the oldest run that is kept; return notes of it.

    Whether something older is kept is asked for where it matters: what is missing after that is missing.
    """
    wanted = [one for one in judged if one.starts and one.starts[0].state == "missed" and not one.held]
    asked = {f"{one.source}/{one.job.name}": one for one in wanted[:_MOST_LOOKED_BACK]}
    answers = await run_concurrently(
        {key: partial(_has_older, sources[one.source], one) for key, one in asked.items()}, seconds=_LOOK_BACK_SECONDS
    )
    await _tell_never([one for key, one in asked.items() if answers.get(key) is False and not one.oldest], sources)
    kept: list[str] = []
    for one in wanted:
        older = answers.get(f"{one.source}/{one.job.name}")
        if older is True or one.why:
            continue
        one.doubted = older is not False
        if _forget_before(one, scheduling[one.source].loaded_at) and one.oldest and not one.doubted:
            kept.append(f"{quote_unless_word(one.job.name)} since {format_time(one.oldest)}")
    return _write_kept(kept, [quote_unless_word(one.job.name) for one in wanted if one.doubted])


async def _tell_never(judged: Sequence[Judged], sources: Mapping[str, Source]) -> None:
    """Tell jobs that never ran from those that ran after the window alone: what ran within may not be kept."""
    asked = {f"{one.source}/{one.job.name}": one for one in judged}
    answers = await run_concurrently(
        {key: partial(_has_any, sources[one.source], one) for key, one in asked.items()}, seconds=_LOOK_BACK_SECONDS
    )
    for key, one in asked.items():
        one.never = answers.get(key) is False
        known = one.timetable.since
        if not one.never and not (known and known >= one.begins):
            one.starts, one.why = [], "nothing that ran by then is kept"


async def _has_any(source: Source, one: Judged) -> bool:
    """Return whether anything is kept that a job ran."""
    listing = await source.attempts(one.job, ListOptions(sort=NEWEST_FIRST))
    how = Walk[Attempt](limit=1, budget=_LOOK_BACK, subject=f"source {source.name!r}")
    return bool((await walk(listing, how)).items)


def _forget_before(one: Judged, loaded_at: datetime | None) -> bool:
    """Judge a job only from the oldest on that is kept, or since its schedule holds; return whether that is later."""
    known = one.timetable.since
    first = one.oldest or loaded_at or one.begins
    if known and known >= one.begins:
        # Nothing of it can be older.
        return False
    one.starts = [start for start in one.starts if start.at >= first or start.attempt]
    before, one.begins = one.begins, max(one.begins, first)
    return one.begins > before


async def _has_older(source: Source, one: Judged) -> bool:
    """Return whether something is kept that a job ran before it is judged."""
    window = Window(until=one.begins - EARLY, now=one.begins)
    listing = await source.attempts(one.job, ListOptions(sort=NEWEST_FIRST, window=window))
    how = Walk[Attempt](
        limit=1,
        keep=lambda attempt: window.contains(attempt.created_at),
        budget=_LOOK_BACK,
        subject=f"source {source.name!r}",
    )
    return bool((await walk(listing, how)).items)


def _write_kept(kept: Sequence[str], unknown: Sequence[str]) -> list[str]:
    notes: list[str] = []
    if kept:
        notes.append(f"not judged before the oldest that is kept: {_name_some(kept)}")
    if unknown:
        notes.append(
            "not known whether earlier ones are kept, so what was due before the oldest that was read is in doubt: "
            f"{_name_some(unknown)}"
        )
    return notes


def _name_some(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {rest:,} more" if rest > 0 else "")


def write_doubts(judged: Sequence[Judged], scheduling: Mapping[str, Scheduling]) -> list[Note]:
    """Return notes on what is not judged, and on schedules that may have been others within the window."""
    notes: list[Note] = [f"{quote_unless_word(one.job.name)} is not judged: {one.why}" for one in judged if one.why]
    if len(notes) > _MOST_NAMED:
        notes = [*notes[:_MOST_NAMED], f"{len(notes) - _MOST_NAMED:,} more are not judged, for like reasons"]
    notes += [_describe_dense(one) for one in judged if one.dense][:_MOST_NAMED]
    unknown = [
        f"{quote_unless_word(one.job.name)} since {format_time(one.timetable.since)}" for one in judged if one.unknown
    ]
    if unknown:
        notes.append(f"not judged before the schedule is known: {_name_some(unknown)}")
    untimed = [f"{quote_unless_word(one.job.name)} {one.untimed:,}" for one in judged if one.untimed]
    if untimed:
        notes.append(f"what ran at a time that cannot be read may be what looks missed: {_name_some(untimed)}")
    imported = [quote_unless_word(one.job.name) for one in judged if one.imported]
    if imported:
        notes.append(f"imported, so judged up to what was imported: {_name_some(imported)}")
    changed = [
        f"{quote_unless_word(one.job.name)} at {format_time(one.job.updated_at)}"
        for one in judged
        if one.starts and one.job.updated_at and one.job.updated_at > one.begins and not one.timetable.recorded
    ]
    if changed:
        notes.append(
            f"changed within the window, so what was due before may have been otherwise: {_name_some(changed)}"
        )
    for name, one in scheduling.items():
        if one.loaded_at and any(each.source == name and each.asked < one.loaded_at for each in judged):
            notes.append(
                f"source {name} loaded its schedules at {format_time(one.loaded_at)}; others may have been before"
            )
    return notes


def _describe_dense(one: Judged) -> Sentence:
    """Return a note on a job of which not all due times were judged, with the call that judges those before."""
    until = format_time(one.begins)
    rest = {"job": one.job.name, "source": one.source, "since": format_time(one.asked), "until": until}
    what = f"{quote_unless_word(one.job.name)} is due so often that it is judged from {until} on; before: "
    return Sentence(what, Call("find_missed", rest))
