"""What is queued or running now, across all jobs, tasks and sources: `list_active`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import anyio
from mcp.server.mcpserver import Context

from jobtrail.analysis.trend import find_percentile
from jobtrail.analysis.unfinished import Usual, count_restarts, describe_restarts, judge_unfinished, measure_so_far
from jobtrail.errors import StrayCursor
from jobtrail.models import (
    ActiveAttempt,
    ActivePage,
    Attempt,
    Call,
    Coverage,
    Execution,
    Job,
    Note,
    Sentence,
    Total,
    Window,
)
from jobtrail.paging import AT_ONCE, EVERYTHING, NEWEST_FIRST, Budget, Position, Walk, run_concurrently, walk
from jobtrail.sources.federation import OwnedAttempt, discover_parts, read_parts
from jobtrail.sources.list_options import ListOptions
from jobtrail.text import quote_unless_word
from jobtrail.times import format_time
from jobtrail.tools import params
from jobtrail.tools.finding import explain_nowhere
from jobtrail.tools.listing import DEFAULT_LIMIT, write_strange_notes
from jobtrail.tools.page_size import fit_rows
from jobtrail.tools.resumable import (
    LARGEST_LIMIT,
    ResumableCall,
    ServerState,
    write_clock_notes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jobtrail.paging import Listing, Walked
    from jobtrail.sources.federation import AttemptSources, PartsRead

ACTIVE = "queued,running"
_DISCOVERY_SECONDS, _WALK_SECONDS, _RECENT_SECONDS = 10.0, 18.0, 8.0
_NEWEST, _NEWEST_OF_ONE = 100, 2_000
"""Attempts that are read of each job where its upstream does not filter by status, and of one that is asked for."""
_RECENT = 50
_MOST_SERVICES = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def list_active(
    ctx: Context[ServerState],
    job: params.Job = None,
    limit: params.Limit = None,
    cursor: params.Cursor = None,
    source: params.Source = None,
) -> ActivePage:
    """What is queued or running now, across all jobs, scheduled tasks and sources, the oldest first.

    For how long, tasks done, what is usual for the job, and a verdict where one stands out.
    Examples: {} · {"job": "nightly-etl"}
    """
    call = ResumableCall.open(ctx, "list_active", cursor, source, everywhere=True, job=job, limit=limit)
    limit = call.clamp("limit", DEFAULT_LIMIT, LARGEST_LIMIT)
    job = call.get_text_argument("job")
    moment = Window(now=call.now)
    there = await discover_parts(call.sources, job, ACTIVE, lambda _source: moment, _DISCOVERY_SECONDS)
    if there.errors and not there.parts:
        # A job that no source has, or no source that answers.
        if job and len(there.errors) > 1:
            raise explain_nowhere("job", job, there.errors)
        raise next(iter(there.errors.values()))
    place = _Place.read(call.cursor.position)
    most = _NEWEST_OF_ONE if job else _NEWEST
    calls = {key: partial(_read_part, listing, most) for key, listing in there.parts.items()}
    read = _Read(there, await read_parts(calls, place.part, call.sources, _WALK_SECONDS, place.last))
    ahead = [one for one in read.active if place.precedes(one)]
    recent = await _read_recent(call, read, ahead[:limit])
    rows = fit_rows(call, _make_rows(call, read, ahead[:limit], recent), limit, "rows")
    call.notes += [*there.notes, *write_clock_notes(call.sources), *_write_restarts(call, read, recent)]
    for each in call.sources:
        shown = [one.item for one in ahead[: len(rows)] if one.source == each.name]
        call.notes += await each.explain_unfinished(shown)
    call.notes += _describe_older(call, read)
    return _make_page(call, read, place, ahead, rows)


@dataclass(frozen=True)
class _Place:
    """Where a page begins: with a part of a source, or behind a row of the parts that the page before read.

    Attributes:
        last: of these parts; empty where none was read before.
    """

    part: str = ""
    last: str = ""
    created: int = 0
    name: str = ""

    @classmethod
    def read(cls, position: Position) -> _Place:
        """Return what `write` wrote.

        Raises:
            StrayCursor: it did not.
        """
        match position.detail:
            case ():
                return cls()
            case (str(part), str(last), int(created), str(name)):
                return cls(part, last, created, name)
            case _:
                raise StrayCursor("this cursor does not fit what it walks")

    def write(self) -> Position:
        """Return it as a position, for a cursor."""
        return Position("", (self.part, self.last, self.created, self.name))

    def precedes(self, one: OwnedAttempt) -> bool:
        """Return whether an attempt comes after it."""
        return not self.last or (self.created, self.name) < _find_place(one)


def _find_place(one: OwnedAttempt) -> tuple[int, str]:
    """Return where an attempt comes: the oldest first; what does not say when it was created is the last."""
    created = round((one.created_at - _EPOCH).total_seconds() * 1_000_000) if one.created_at else 2**60
    return created, f"{one.source}/{one.id}"


async def _read_part(listing: Listing[OwnedAttempt], most: int) -> Walked[OwnedAttempt]:
    """Read what is active of a part, or its newest attempts where the upstream does not filter."""
    most = _NEWEST_OF_ONE if listing.traits.filtered_upstream else most
    how = Walk[OwnedAttempt](limit=EVERYTHING, budget=Budget(items=most, seconds=_WALK_SECONDS))
    return await walk(listing, how)


class _Read:
    """What a call read of the parts.

    Attributes:
        there: what was discovered.
        parts: what was read of each.
        active: what is queued or running, the oldest first.
        ends: parts of which only the newest were read, by `source/job`.
    """

    def __init__(self, there: AttemptSources, parts: PartsRead[Walked[OwnedAttempt]]) -> None:
        self.there = there
        self.parts = parts
        found = [one for walked in parts.answers.values() for one in walked.items if there.keeps(one)]
        self.active = sorted(found, key=_find_place)
        self.ends = [key for key, walked in parts.answers.items() if walked.position is not None]

    @property
    def back_to(self) -> datetime | None:
        """Since when everything was read; None if everything was."""
        last = [self.parts.answers[key].last for key in self.ends]
        return max((one.created_at for one in last if one and one.created_at), default=None)

    @property
    def scanned(self) -> int:
        """How many attempts were read."""
        return sum(walked.scanned for walked in self.parts.answers.values())

    @property
    def whole(self) -> bool:
        """Whether nothing can be missing from what was read."""
        return not self.ends and all(walked.whole for walked in self.parts.answers.values())

    def write_notes(self) -> list[Note]:
        """Return what to know of how the parts were read."""
        told = [note for walked in self.parts.answers.values() for note in walked.notes]
        return [*dict.fromkeys(told), *write_strange_notes(self.there.strange)]

    def find_newest(self, job: tuple[str, str]) -> Sequence[Attempt] | None:
        """Return a job's newest attempts; None where only those were read that are active."""
        key = "/".join(job)
        if key not in self.parts.answers or self.there.parts[key].traits.filtered_upstream:
            return None
        return [one.item for one in self.parts.answers[key].items]

    def list_services(self) -> list[tuple[str, str]]:
        """Return the services whose runs were read, as many as are looked at."""
        found = [job for job, one in self.there.definitions.items() if one.kind == "service"]
        return [job for job in found if f"{job[0]}/" in self.parts.answers or "/".join(job) in self.parts.answers][
            :_MOST_SERVICES
        ]


async def _read_recent(
    call: ResumableCall, read: _Read, shown: Sequence[OwnedAttempt]
) -> Mapping[tuple[str, str], Sequence[Attempt]]:
    """Return the newest attempts of each job that is shown and of services, as far as there is time to read them."""
    jobs = dict.fromkeys([*((one.source, one.job) for one in shown), *read.list_services()])
    known = {job: newest for job in jobs if (newest := read.find_newest(job)) is not None}
    sources = {one.name: one for one in call.sources}
    lanes = {name: anyio.CapacityLimiter(AT_ONCE) for name in sources}

    async def read_newest(job: tuple[str, str]) -> Sequence[Attempt]:
        one = read.there.definitions.get(job) or Job(name=job[1], kind="task")
        listing = await sources[job[0]].attempts(one, ListOptions(sort=NEWEST_FIRST))
        return (await walk(listing, Walk[Attempt](limit=_RECENT, budget=Budget(seconds=_RECENT_SECONDS)))).items

    calls = {job: partial(read_newest, job) for job in jobs if job not in known}
    answers = await run_concurrently(calls, lambda job: lanes[job[0]], _RECENT_SECONDS)
    return {**known, **{job: answer for job, answer in answers.items() if isinstance(answer, list)}}


def _make_rows(
    call: ResumableCall,
    read: _Read,
    shown: Sequence[OwnedAttempt],
    recent: Mapping[tuple[str, str], Sequence[Attempt]],
) -> Iterator[ActiveAttempt]:
    leads = {one.name: one.lead for one in call.sources}
    services = {job for job, one in read.there.definitions.items() if one.kind == "service"}
    for one in shown:
        job = (one.source, one.job)
        service = job in services
        yield _make_row(one, call.now + leads[one.source], recent.get(job, ()), service=service)


def _make_row(one: OwnedAttempt, now: datetime, recent: Sequence[Attempt], *, service: bool) -> ActiveAttempt:
    item, usual = one.item, Usual.measure(recent)
    batch = item if isinstance(item, Execution) else None
    run = None if isinstance(item, Execution) else item
    told = usual.told and not service
    ended = [batch.succeeded, batch.failed, batch.cancelled] if batch else []
    return ActiveAttempt(
        id=one.id,
        source=one.source,
        job=one.job,
        kind="execution" if batch else "run",
        status=one.status,
        raw_status=one.raw_status,
        since=(item.started_at if one.status == "running" else None) or item.created_at,
        so_far_s=measure_so_far(item, now),
        attempt=run.attempt if run else None,
        instance=run.instance if run else None,
        tasks=batch.tasks if batch else None,
        done=sum(filter(None, ended)) if any(count is not None for count in ended) else None,
        p50_s=find_percentile(usual.durations, 0.5) if told else None,
        p95_s=find_percentile(usual.durations, 0.95) if told else None,
        usual_of=len(usual.durations) if told else None,
        verdict=judge_unfinished(item, now, recent, service=service),
    )


def _write_restarts(
    call: ResumableCall, read: _Read, recent: Mapping[tuple[str, str], Sequence[Attempt]]
) -> list[str]:
    """Return a note for each service that is not running, but restarts again and again."""
    running = {(one.source, one.job) for one in read.active}
    leads = {one.name: one.lead for one in call.sources}
    notes: list[str] = []
    for job in read.list_services():
        restarts = count_restarts(recent.get(job, ()), call.now + leads[job[0]])
        if restarts and job not in running:
            notes.append(f"service {quote_unless_word(job[1])} is not running now, and {describe_restarts(restarts)}")
    return notes


def _make_page(
    call: ResumableCall, read: _Read, place: _Place, ahead: Sequence[OwnedAttempt], rows: Sequence[ActiveAttempt]
) -> ActivePage:
    failed = {**read.there.errors, **read.parts.errors}
    errors: dict[str, Note] = {name: Sentence(*error.args) for name, error in failed.items()}
    whole = call.check_whole(whole=read.whole and not errors)
    scanned, matched = call.cursor.scanned + read.scanned, call.cursor.matched + len(read.active)
    following: _Place | None = None
    if len(rows) < len(ahead):
        # The next page reads the same parts again.
        following = _Place(place.part, read.parts.last, *_find_place(ahead[len(rows) - 1]))
    elif read.parts.following is not None:
        following = _Place(read.parts.following)
        call.cursor = replace(call.cursor, scanned=scanned, matched=matched)
    asked = whole and read.parts.following is None
    return ActivePage(
        sources=tuple(one.name for one in call.sources),
        sample=tuple(one.name for one in call.sources if one.sample) or None,
        jobs=read.there.jobs,
        unknown=read.there.strange.total(),
        items=tuple(rows),
        errors=errors or None,
        coverage=Coverage(
            scanned=scanned, matched=matched, complete=asked and following is None, back_to=read.back_to
        ),
        total=Total(value=matched, kind="exact" if asked else "at_least"),
        cursor=None if following is None else call.seal_cursor(following.write()),
        window=Window(now=call.now),
        notes=(*call.notes, *read.write_notes()) or None,
    )


def _describe_older(call: ResumableCall, read: _Read) -> list[Note]:
    """Return a note for jobs that have older attempts, which were not looked at and may still run."""
    if not read.ends:
        return []
    (first, *_), count = read.ends, len(read.ends)
    name = quote_unless_word(first.partition("/")[2] or first)
    others = f" and of {count - 1:,} more" if count > 1 else ""
    looked = f"of {name}{others} the newest were read, back to {format_time(read.back_to)}; older may still run: "
    deeper = {"job": first.partition("/")[2], "source": first.partition("/")[0]}
    if call.get_text_argument("job") or not deeper["job"]:
        return [looked + "list_executions or list_runs with status=running,queued reads on"]
    return [Sentence(looked, Call("list_active", deeper), f" reads its newest {_NEWEST_OF_ONE:,}")]
