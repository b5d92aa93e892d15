"""What should have run and did not, across all jobs and sources: `find_missed`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio.lowlevel
from mcp.server.mcpserver import Context

from jobtrail.analysis.starts import EARLY
from jobtrail.errors import JobtrailError, StrayCursor, Unreachable
from jobtrail.models import Attempt, Coverage, Missed, NextDue, Overdue, Sentence, Window
from jobtrail.paging import EVERYTHING, Budget, Position, Walk, Walked, run_concurrently, walk
from jobtrail.sources.base import Scheduling
from jobtrail.sources.federation import OwnedAttempt, discover_parts
from jobtrail.times import from_nanoseconds, to_nanoseconds
from jobtrail.tools import params
from jobtrail.tools.due_judgements import EARLIEST_STEP, Judged, Place, divide_times, judge, look_back, write_doubts
from jobtrail.tools.due_rows import make_rows, name_row
from jobtrail.tools.finding import explain_nowhere
from jobtrail.tools.listing import DEFAULT_LIMIT
from jobtrail.tools.page_size import fit_rows
from jobtrail.tools.resumable import (
    LARGEST_LIMIT,
    ResumableCall,
    ServerState,
    write_clock_notes,
)
from jobtrail.window import check_begun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobtrail.sources.base import Source
    from jobtrail.sources.federation import AttemptSources

# Seconds for each step; together well under a desktop client's 60.
_DISCOVERY_SECONDS, _WALK = 10.0, Budget(items=20_000, seconds=15.0)
_BEYOND = timedelta(hours=1)
"""What was created so long after the due times of a page is looked at, for what started late."""
_PAGE = 1_000
"""Rows to ask an upstream for at a time."""
_EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
_FACTS_TOKENS = 60
_MOST_NAMED = 3


async def find_missed(
    ctx: Context[ServerState],
    since: params.Since = None,
    until: params.Until = None,
    job: params.Job = None,
    limit: params.Limit = None,
    cursor: params.Cursor = None,
    source: params.Source = None,
) -> Missed:
    """What should have run by its schedule and did not: missed, late, skipped, held, never ran; what is due next.

    A row a job; with job a row a time. since is 24h if absent.
    Examples: {"since": "7d"} · {"job": "nightly-etl"}
    """
    call = ResumableCall.open(
        ctx, "find_missed", cursor, source, everywhere=True, since=since, until=until, job=job, limit=limit
    )
    limit = call.clamp("limit", DEFAULT_LIMIT, LARGEST_LIMIT)
    asked = _Asked(call)
    # Refuses what is no time before anything is asked.
    asked.find_window()
    name = call.get_text_argument("job")
    there = await discover_parts(
        call.sources, name, None, asked.find_read_window, _DISCOVERY_SECONDS, lambda one: one.timetable is not None
    )
    if there.errors and not there.definitions:
        if name and len(there.errors) > 1:
            raise explain_nowhere("job", name, there.errors)
        raise next(iter(there.errors.values()))
    check_begun(asked.find_window(), call.get_text_argument("since"), call.latest)
    call.notes += [*there.notes, *write_clock_notes(call.sources, asked.windows if len(call.sources) > 1 else {})]
    stretch = await _judge_stretch(call, there, asked)
    rows = make_rows(stretch.judged, alone=bool(name))
    begin = stretch.place.find_begin(rows)
    shown = fit_rows(call, rows[begin : begin + limit], limit, "rows", _FACTS_TOKENS)
    return _make_answer(call, there, asked, stretch, rows, begin, shown)


@dataclass
class _Asked:
    """The windows asked for: of each source on its own clock, and the one that the answer shows."""

    call: ResumableCall
    windows: dict[str, Window] = field(default_factory=dict[str, Window])

    def find_window(self) -> Window:
        """Return what the answer shows: that of a source that is asked alone, else that on our clock."""
        return self.call.find_window("24h", self.call.source if len(self.call.sources) == 1 else None)

    def find_read_window(self, source: Source) -> Window:
        """Return the window of creation to read, a little wider than that of the due times."""
        asked = self.windows[source.name] = self.call.find_window("24h", source)
        since, until = max(asked.since or _EARLIEST, _EARLIEST), asked.until
        wider = until + _BEYOND if until and until < asked.now else None
        return asked.model_copy(update={"since": since - EARLY, "until": wider})


@dataclass(frozen=True)
class _Place:
    """Where a page begins.

    Attributes:
        position: where the walk over what was created begins.
        top: up to when due times are judged, where earlier pages judged those after it.
        bottom: from when on they were judged, where a page before had some of the rows.
        shown: how many rows of these it and earlier pages had.
        last: the last of them, as `name_row` names it.
        counts: due, missed, late and skipped before this stretch.
    """

    position: Position
    top: datetime | None = None
    bottom: datetime | None = None
    shown: int = 0
    last: str = ""
    counts: tuple[int, int, int, int] = (0, 0, 0, 0)

    @classmethod
    def read(cls, position: Position) -> _Place:
        """Return what `write` wrote.

        Raises:
            StrayCursor: it did not.
        """
        match position.detail:
            case ():
                return cls(position)
            case (
                int(top), int(bottom), int(shown), str(last),
                int(due), int(missed), int(late), int(skipped), *rest,
            ):  # fmt: skip
                try:
                    times = [from_nanoseconds(one * 1_000_000_000) if one else None for one in (top, bottom)]
                except (ValueError, OverflowError):
                    raise StrayCursor("this cursor does not fit what it walks") from None
                inner = Position(position.upstream, tuple(rest))
                return cls(inner, times[0], times[1], max(0, shown), last, (due, missed, late, skipped))
            case _:
                raise StrayCursor("this cursor does not fit what it walks")

    def write(self) -> Position:
        """Return it as a position, for a cursor."""
        bounds = (to_nanoseconds(one) // 1_000_000_000 if one else 0 for one in (self.top, self.bottom))
        detail = (*bounds, self.shown, self.last, *self.counts, *self.position.detail)
        return Position(self.position.upstream, detail)

    def find_begin(self, rows: Sequence[Overdue]) -> int:
        """Return the number of the first row that no earlier page had: `shown`, if these are the same by now."""
        found = (number for number, row in enumerate(rows, 1) if name_row(row) == self.last)
        return next(found, max(self.shown - 1, 0))


@dataclass(frozen=True)
class _Stretch:
    """Due times that one call judged.

    Attributes:
        place: where it begins.
        walked: what was created, as far as it was read.
        judged: the jobs with a timetable of which everything was read.
        bottom: from when on they are judged; None where that is the beginning of the window.
        overlaps: whether the next page reads again all that may have started late.
    """

    place: _Place
    walked: Walked[OwnedAttempt]
    judged: Sequence[Judged]
    bottom: datetime | None
    overlaps: bool = True

    @property
    def begins(self) -> datetime | None:
        """From when on anything is judged; what ran before is not kept."""
        return min((one.begins for one in self.judged if not one.why), default=None)

    @property
    def reached(self) -> bool:
        """Whether it is known how far back in time the walk came: later pages go on from there."""
        return self.walked.position is None or (self.walked.ordered and self.bottom is not None)

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Due, missed, late and skipped so far, over all pages."""
        live = [one for one in self.judged if not one.held]
        due, missed, late, skipped = self.place.counts
        return (
            due + sum(one.due for one in live),
            missed + sum(one.count("missed") for one in live),
            late + sum(one.count("late") for one in live),
            skipped + sum(one.count("skipped") for one in live),
        )

    def find_next(self, shown: int, rows: Sequence[Overdue]) -> _Place | None:
        """Return where the next page begins, given how many of these rows were shown by now."""
        if shown < len(rows):
            bottom, last = self.bottom or _EARLIEST, name_row(rows[shown - 1]) if shown else ""
            return _Place(self.place.position, self.place.top, bottom, shown, last, self.place.counts)
        if self.walked.position is None or self.bottom is None:
            return None
        return _Place(self.walked.position, self.bottom, counts=self.counts)


async def _judge_stretch(call: ResumableCall, there: AttemptSources, asked: _Asked) -> _Stretch:
    """Read what was created from the cursor's place on, and judge the due times that it reaches.

    Raises:
        Unreachable: a stretch that was read before could not be read whole again.
    """
    place = _Place.read(call.cursor.position)
    how = Walk[OwnedAttempt](
        limit=EVERYTHING, keep=there.keeps, budget=_WALK, subject="none of the sources", restart=call.restart()
    )
    walked = await walk(there.merge(_PAGE), how, place.position) if there.parts else Walked[OwnedAttempt](None)
    bottom = None
    if walked.position is not None:
        # What was created in that second may not have been read whole; where no time was read, nothing is judged.
        bottom = (_find_reached(walked) or call.latest).replace(microsecond=0) + timedelta(seconds=1)
    if place.bottom and bottom and bottom > place.bottom:
        raise Unreachable(
            "could not be read again as far as before", subject="what this cursor walks",
            advice="call again with the same cursor", retryable=True,
        )  # fmt: skip
    bottom = place.bottom if place.bottom and place.bottom > _EARLIEST else bottom
    judged = await _judge_jobs(call, there, asked, _Bounds(place.top, bottom), walked)
    overlaps = _overlap(walked, bottom)
    if not overlaps:
        call.notes.append(
            "what started late for a due time between this page and the next may be called missed there"
        )
    return _Stretch(place, walked, judged, bottom, overlaps)


def _find_reached(walked: Walked[OwnedAttempt]) -> datetime | None:
    """Return when the last was created that was read, or the last before it whose time could be read."""
    times = (one.created_at for one in (walked.last, *reversed(walked.items)) if one)
    return next(filter(None, times), None)


@dataclass(frozen=True)
class _Bounds:
    """Of due times, where these are not those of the window: up to `top`, after `bottom`."""

    top: datetime | None
    bottom: datetime | None


def _overlap(walked: Walked[OwnedAttempt], bottom: datetime | None) -> bool:
    """Let the next stretch read again what may belong to due times before it, and started late; at most a half of it.

    Returns:
        Whether that is all of what may.
    """
    if bottom is None or not walked.items:
        return True
    later = sum(one.created_at is not None and one.created_at > bottom + _BEYOND for one in walked.items)
    least = max(len(walked.items) // 2, 1)
    walked.cut(max(later, least))
    return later >= least


async def _judge_jobs(
    call: ResumableCall, there: AttemptSources, asked: _Asked, bounds: _Bounds, walked: Walked[OwnedAttempt]
) -> list[Judged]:
    """Judge every job with a timetable, but those of which something could not be read."""
    sources = {one.name: one for one in call.sources}
    chosen = {
        (source, name): job
        for (source, name), job in there.definitions.items()
        if job.timetable is not None and not {source, f"{source}/", f"{source}/{name}"} & {*walked.failed}
    }
    scheduling = await _ask_scheduling(
        call, {name: sources[name] for name in dict.fromkeys(one for one, _ in chosen)}
    )
    attempts: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
    for one in walked.items:
        attempts[one.source, one.job].append(one.item)
    most, judged = divide_times(len(chosen)), list[Judged]()
    for (source, name), job in chosen.items():
        place = _find_place(asked.windows[source], bounds, most)
        judged.append(judge(sources[source], job, attempts[source, name], place, scheduling[source]))
        # Computing due times takes a while where there are many.
        await anyio.lowlevel.checkpoint()
    call.notes += await look_back(judged, sources, scheduling)
    call.notes += write_doubts(judged, scheduling)
    return judged


def _find_place(window: Window, bounds: _Bounds, most: int) -> Place:
    until = min(filter(None, (bounds.top, window.until, window.now)))
    after = max(filter(None, (bounds.bottom, window.since, _EARLIEST)))
    # What is due at the first moment of the window is of the window.
    return Place(after - (timedelta() if bounds.bottom else EARLIEST_STEP), until, window.now, most)


async def _ask_scheduling(call: ResumableCall, sources: Mapping[str, Source]) -> dict[str, Scheduling]:
    """Ask each source whether it follows its schedules."""
    answers = await run_concurrently(
        {name: one.explain_scheduling for name, one in sources.items()}, seconds=_DISCOVERY_SECONDS
    )
    found: dict[str, Scheduling] = {}
    for name in sources:
        answer = answers.get(name)
        found[name] = answer if isinstance(answer, Scheduling) else Scheduling()
        if not isinstance(answer, Scheduling):
            call.notes.append(f"source {name} does not say whether it follows its schedules")
        if not call.resumed:
            call.notes += [f"source {name}: {note}" for note in found[name].notes]
    return found


def _make_answer(
    call: ResumableCall,
    there: AttemptSources,
    asked: _Asked,
    stretch: _Stretch,
    rows: Sequence[Overdue],
    begin: int,
    shown: Sequence[Overdue],
) -> Missed:
    walked, following = stretch.walked, stretch.find_next(begin + len(shown), rows)
    failed: dict[str, JobtrailError] = {**there.errors, **walked.failed}
    due, missed, late, skipped = stretch.counts
    # What is not judged here is not judged by later pages either.
    walked.whole = walked.whole and stretch.reached and stretch.overlaps and all(one.whole for one in stretch.judged)
    before = call.cursor
    call.advance(walked)
    whole = call.check_whole(whole=walked.whole and not failed)
    if begin != stretch.place.shown:
        call.notes.append("what ran changed since the page before: rows may repeat or be missing")
        whole = call.check_whole(whole=False)
    soonest = sorted((one.next_due_at, one.source, one.job.name) for one in stretch.judged if one.next_due_at)
    coverage = Coverage(
        scanned=call.cursor.scanned,
        matched=call.cursor.matched,
        complete=following is None and whole,
        back_to=stretch.bottom or max(filter(None, (asked.find_window().since, stretch.begins)), default=None),
    )
    if following and following.bottom:
        # The next page reads this stretch again.
        call.cursor = replace(before, doubt=call.cursor.doubt)
    return Missed(
        sources=tuple(one.name for one in call.sources),
        sample=tuple(one.name for one in call.sources if one.sample) or None,
        job=call.get_text_argument("job"),
        jobs=there.jobs,
        scheduled=sum(one.timetable is not None for one in there.definitions.values()),
        due=due,
        missed=missed,
        late=late,
        skipped=skipped,
        found=len(rows),
        items=tuple(shown),
        next_due=tuple(NextDue(source=source, job=name, at=at) for at, source, name in soonest[:_MOST_NAMED]),
        errors={name: Sentence(*error.args) for name, error in failed.items()} or None,
        coverage=coverage,
        cursor=None if following is None else call.seal_cursor(following.write()),
        window=asked.find_window(),
        notes=(*call.notes, *walked.notes) or None,
    )
