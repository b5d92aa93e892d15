"""Shows how a job does over time: the tool `history`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp.server.mcpserver import Context

from jobtrail.analysis.trend import (
    choose_width,
    compare_periods,
    describe_judgements,
    draw_sparkline,
    fill_buckets,
    find_bucket_starts,
    find_streak,
    summarize_period,
)
from jobtrail.analysis.unfinished import measure_so_far
from jobtrail.errors import BadArgument
from jobtrail.models import Attempt, Call, Coverage, Execution, History, JobsHistory, Window
from jobtrail.paging import EVERYTHING, NEWEST_FIRST, Budget, Walk, walk
from jobtrail.sources.list_options import ListOptions
from jobtrail.text import quote_value
from jobtrail.times import format_duration, format_time, parse_duration
from jobtrail.tools import params
from jobtrail.tools.finding import find_source
from jobtrail.tools.overview import clip_window, show_all_jobs
from jobtrail.tools.resumable import (
    ResumableCall,
    ServerState,
    find_gaps,
    write_clock_notes,
    write_oldest,
)
from jobtrail.vocabulary import is_failure, is_success
from jobtrail.window import check_begun, counts_from_now, resolve_window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from jobtrail.models import Job, Note
    from jobtrail.sources.base import Source

_BUDGET = Budget(items=20_000, seconds=20.0)
_MOST_BUCKETS = 36
_OF_A_SERVICE = (
    "a service is not meant to end: the rate is of its instances that ended, and one that runs now is well"
)


async def history(
    ctx: Context[ServerState],
    job: params.Job = None,
    since: params.Since = None,
    until: params.Until = None,
    bucket: params.Bucket = None,
    sort: params.Sort = None,
    limit: params.Limit = None,
    cursor: params.Cursor = None,
    source: params.Source = None,
) -> History | JobsHistory:
    """Without job: all jobs and scheduled tasks at a glance, the worst first: success rate, durations, last success.

    With job: whether it is getting worse, over time. Each against the window before; since is 7d if absent.
    sort, without job: rate, p95, failures, change or last_success.
    Examples: {"sort": "p95"} · {"job": "nightly-etl", "since": "30d", "bucket": "1d"}
    """
    if cursor or not (job and job.strip()):
        if bucket:
            raise BadArgument("bucket cuts the history of one job; give job with it, or leave it out")
        if job and job.strip():
            raise BadArgument("a cursor carries its own arguments; call ", Call("history", {"cursor": ...}), " alone")
        call = ResumableCall.open(
            ctx, "history", cursor, source, everywhere=True, since=since, until=until, sort=sort, limit=limit
        )
        return await show_all_jobs(call)
    if sort or limit:
        raise BadArgument("sort and limit are of the list of all jobs; leave them out with job, or leave job out")
    return await _show_job(ctx.request_context.lifespan_context, job, since, until, bucket, source)


async def _show_job(
    state: ServerState, name: str, since: str | None, until: str | None, bucket: str | None, source: str | None
) -> History:
    found = await find_source(state.sources, source, "job", name)
    asked = await _resolve_window(state, found.source, since, until)
    width = _read_width(bucket, asked.end - asked.start)
    detail = await found.source.job(name)
    both = Window(since=asked.start - (asked.end - asked.start), until=asked.end, now=asked.shown.now)
    past = await _read_past(found.source, detail.job, both)
    starts = find_bucket_starts(asked.start, asked.end, width, state.clock.zone)
    notes = (*found.notes, *(detail.notes or ()), *asked.notes, *write_clock_notes([found.source]))
    return _make_history(found.source, detail.job, asked, past, (width, starts), notes)


@dataclass(frozen=True)
class _Asked:
    """The window asked for: where it begins and ends, how it is shown, and notes on how it was taken."""

    start: datetime
    end: datetime
    shown: Window
    notes: Sequence[Note]


async def _resolve_window(state: ServerState, source: Source, since: str | None, until: str | None) -> _Asked:
    """Resolve a window on the clock of a source.

    Raises:
        BadArgument: a bound is not a time, or the window lies in the future or before 1970.
    """
    if counts_from_now(since or "7d") or counts_from_now(until):
        await source.measure_clock()
    here = state.clock.now().replace(microsecond=0)
    now = here + source.lead
    window, taken = resolve_window(since or "7d", until, state.clock, now)
    asked = window or Window(now=now)
    check_begun(asked, since, max(here, now))
    start, end, clipped = clip_window(asked)
    shown = Window(since=start, until=min(end, asked.until) if asked.until else None, now=now)
    return _Asked(start, end, shown, [*taken, *clipped])


def _make_history(
    source: Source,
    job: Job,
    asked: _Asked,
    past: _Past,
    cut: tuple[timedelta, Sequence[datetime]],
    notes: Sequence[Note],
) -> History:
    """Return the answer, given what was read and the width and the beginnings of its buckets."""
    (width, starts), start = cut, asked.start
    current = [one for one in past.attempts if one.created_at and one.created_at >= start]
    before = [one for one in past.attempts if one.created_at and one.created_at < start]
    whole = past.back_to <= start
    buckets = fill_buckets(current, [one for one in starts if whole or past.back_to - one < width])
    ours, then = summarize_period(current), summarize_period(before) if past.complete else None
    return History(
        source=source.name,
        sample=source.sample or None,
        job=job.name,
        kind=job.kind,
        window=asked.shown,
        bucket=_write_width(width),
        current=ours,
        before=then,
        trend=compare_periods(ours, then) if then is not None else None,
        streak=find_streak(past.attempts, complete=False),
        last_success_at=next((one.created_at for one in past.attempts if is_success(one)), None),
        buckets=tuple(one for one in buckets if one.counts),
        sparkline=draw_sparkline(buckets),
        coverage=Coverage(
            scanned=past.scanned,
            matched=len(current),
            complete=whole and past.certain,
            back_to=max(past.back_to, start, past.oldest or start),
        ),
        notes=(
            *notes,
            *([_OF_A_SERVICE] if job.kind == "service" else []),
            *_write_notes(past, whole=whole),
            *_write_unfinished(past, asked.shown.now),
            *describe_judgements(current),
        )
        or None,
        next_calls=_propose_calls(source, job, past, start, whole=whole),
    )


def _read_width(text: str | None, span: timedelta) -> timedelta:
    """Read the width of a bucket.

    Raises:
        BadArgument: not a length of time, or too many of it in the window.
    """
    if not text:
        return choose_width(span)
    width = parse_duration(text)
    if not width:
        raise BadArgument(f"bucket={quote_value(text)} is not a length of time; give one such as 15m, 1h, 1d or 1w")
    if span > width * _MOST_BUCKETS:
        least = _write_width(choose_width(span, _MOST_BUCKETS))
        raise BadArgument(
            f"bucket={quote_value(text)} cuts this window into more than {_MOST_BUCKETS} rows; give {least} or wider"
        )
    return width


def _write_width(width: timedelta) -> str:
    seconds = int(width.total_seconds())
    unit, size = next(
        (unit, size) for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)) if seconds % size == 0
    )
    return f"{seconds // size}{unit}"


@dataclass(frozen=True)
class _Past:
    """What was read, newest first, how far back that reaches, and whether nothing can be missing of that."""

    attempts: Sequence[Attempt]
    scanned: int
    complete: bool
    certain: bool
    back_to: datetime
    oldest: datetime | None
    notes: Sequence[Note]


async def _read_past(source: Source, job: Job, window: Window) -> _Past:
    """Read what a job ran in a window, as far as the budget reaches."""
    listing = await source.attempts(job, ListOptions(sort=NEWEST_FIRST, window=window))

    how = Walk[Attempt](
        limit=EVERYTHING,
        keep=lambda one: one.created_at is not None and window.contains(one.created_at),
        budget=_BUDGET,
        subject=f"source {source.name!r}",
    )
    found = await walk(listing, how)
    complete = found.position is None and found.whole
    last = found.last.created_at if found.last and found.ordered else None
    reached = window.since if complete else last
    oldest = max(find_gaps(found.oldest, window).values(), default=None)
    notes = [*found.notes, *write_oldest(found.oldest, window)]
    return _Past(found.items, found.scanned, complete, found.whole, reached or window.now, oldest, notes)


def _write_notes(past: _Past, *, whole: bool) -> list[Note]:
    notes = [*past.notes]
    if not whole:
        notes.append(f"read only back to {format_time(past.back_to)}: every number is of that part")
    elif not past.complete:
        notes.append("the window before was not read whole, so there is nothing to compare with")
    if past.complete and not past.attempts:
        notes.append("nothing was created in this window or in the one before it; give an earlier since")
    return notes


def _write_unfinished(past: _Past, now: datetime) -> list[str]:
    """Return for how long what has not ended runs or waits; what is usual is told by the durations."""
    lengths = [length for one in past.attempts if (length := measure_so_far(one, now)) is not None]
    return [f"{len(lengths)} not ended, {format_duration(max(lengths) or None) or '0s'} so far"] if lengths else []


def _propose_calls(source: Source, job: Job, past: _Past, start: datetime, *, whole: bool) -> tuple[Call, ...]:
    calls: list[Call] = []
    worst = next((one for one in past.attempts if is_failure(one)), None)
    if isinstance(worst, Execution):
        calls.append(Call("get_execution", {"job": job.name, "execution": worst.id, "source": source.name}))
    elif worst is not None:
        calls.append(Call("get_run", {"run": worst.id, "source": source.name}))
    if not whole:
        rest = {"since": format_time(start), "until": format_time(past.back_to)}
        calls.append(Call("history", {"job": job.name, **rest, "source": source.name}))
    return tuple(calls)
