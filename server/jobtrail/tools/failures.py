"""Failures across all jobs, tasks and sources, grouped by cause: `find_failures`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from mcp.server.mcpserver import Context

from jobtrail.analysis.unfinished import describe_unfinished
from jobtrail.errors import BadArgument, StrayCursor, Unreachable
from jobtrail.models import Coverage, FailureCause, Failures, Note, Sentence
from jobtrail.paging import START, Budget, Position, Walk, walk
from jobtrail.sources.federation import OwnedAttempt, discover_parts
from jobtrail.text import quote_value
from jobtrail.times import format_microseconds
from jobtrail.tools import params
from jobtrail.tools.cause_groups import describe_untold, group_by_cause, group_by_job, make_cause
from jobtrail.tools.failure_causes import CauseReader, CausesOfOne, PartialCause
from jobtrail.tools.finding import explain_nowhere
from jobtrail.tools.listing import DEFAULT_LIMIT, write_strange_notes
from jobtrail.tools.page_size import fit_rows
from jobtrail.tools.resumable import (
    LARGEST_LIMIT,
    ResumableCall,
    ServerState,
    find_gaps,
    reach_back,
    write_clock_notes,
    write_oldest,
)
from jobtrail.vocabulary import FAILURE
from jobtrail.window import check_begun

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jobtrail.models import Window
    from jobtrail.paging import Walked
    from jobtrail.sources.federation import AttemptSources
    from jobtrail.tools.cause_groups import Cause
    from jobtrail.tools.failure_causes import ReadCauses, Recovery

_MATCHES = 500
# Seconds for each step; together well under a desktop client's 60.
_DISCOVERY_SECONDS, _WALK, _EXPLAIN_SECONDS, _RECOVERY_SECONDS = 10.0, Budget(items=5_000, seconds=15.0), 12.0, 10.0
# Tokens of the header beyond those of a list's.
_FACTS_TOKENS = 30
_CHANGED = "failures came or went since the first page: causes may repeat or be missing, and counts differ"


async def find_failures(
    ctx: Context[ServerState],
    since: params.Since = None,
    until: params.Until = None,
    job: params.Job = None,
    status: params.Status = None,
    by: params.By = None,
    limit: params.Limit = None,
    cursor: params.Cursor = None,
    source: params.Source = None,
) -> Failures:
    """What failed, across all jobs, scheduled tasks and sources: by cause, with counts and whether it recovered.

    Start here for "what broke since last night". since is 24h if absent.
    Examples: {"since": "yesterday"} · {"cursor": "1Ab…"}
    """
    call = ResumableCall.open(
        ctx, "find_failures", cursor, source, everywhere=True,
        since=since, until=until, job=job, status=status, by=by, limit=limit,
    )  # fmt: skip
    find_window = partial(call.find_window, "24h")
    find_window()
    limit = call.clamp("limit", DEFAULT_LIMIT, LARGEST_LIMIT)
    across = _read_by(call)
    filters = {
        "status": call.get_text_argument("status") or FAILURE,
        **({"job": job} if (job := call.get_text_argument("job")) else {}),
        **({"by": "cause"} if across else {}),
    }
    there = await discover_parts(call.sources, job, filters["status"], find_window, _DISCOVERY_SECONDS)
    if there.errors and not there.parts:
        # A job that no source has, or no source that answers.
        if job and len(there.errors) > 1:
            raise explain_nowhere("job", job, there.errors)
        raise next(iter(there.errors.values()))
    # Several sources have each their own window, and the answer shows that on our clock.
    window = find_window(call.source if len(call.sources) == 1 else None)
    check_begun(window, call.get_text_argument("since"), call.latest)
    call.notes += there.notes
    call.notes += write_clock_notes(call.sources, there.windows if len(call.sources) > 1 else {})
    reader = CauseReader(call.sources, there.kinds, call.now)
    stretch = await _read_stretch(call, there, reader, across=across)
    call.notes += _write_unfinished(call, stretch.walked.items)
    shown = stretch.choose_causes(limit)
    # What has run since these failures was read with them, if nothing newer was left out.
    newest = stretch.place.position == START and stretch.walked.exact and not call.get_text_argument("until")
    parts = [part.newest for cause in shown for part in cause.split()]
    recoveries = await reader.find_recoveries(parts, _RECOVERY_SECONDS, there if newest else None)
    rows = fit_rows(call, _make_rows(shown, recoveries), limit, "causes", _FACTS_TOKENS)
    return _make_answer(call, there, window, filters, stretch, rows)


@dataclass(frozen=True)
class _Place:
    """Where a page of causes begins: in a stretch of failures, which the page's call reads again.

    Attributes:
        position: where the stretch begins.
        failures: in it; 0 if it has not been read yet.
        shown: how many of its causes earlier pages had.
        last: id of the newest failure of the last of these.
    """

    position: Position
    failures: int = 0
    shown: int = 0
    last: str = ""

    @classmethod
    def read(cls, position: Position) -> _Place:
        """Return what `write` wrote.

        Raises:
            StrayCursor: it did not.
        """
        match position.detail:
            case ():
                return cls(position)
            case (int(failures), int(shown), str(last), *rest) if 0 <= shown <= failures <= _MATCHES:
                return cls(Position(position.upstream, tuple(rest)), failures, shown, last)
            case _:
                raise StrayCursor("this cursor does not fit what it walks")

    def write(self) -> Position:
        """Return it as a position, for a cursor."""
        return Position(self.position.upstream, (self.failures, self.shown, self.last, *self.position.detail))


@dataclass(frozen=True)
class _Stretch:
    """Failures that one call read, and why they failed.

    Attributes:
        place: where the page begins.
        walked: the failures whose causes were read in time.
        found: how many failures the walk came to.
        causes: of those in `walked`.
        skipped: how many of them earlier pages had.
        notes: what an agent must know.
        unread: failures of which the cause could not be read.
    """

    place: _Place
    walked: Walked[OwnedAttempt]
    found: int
    causes: Sequence[Cause]
    skipped: int
    notes: Sequence[Note]
    unread: int

    @property
    def changed(self) -> bool:
        """Whether its causes are not those that an earlier page had some of."""
        return _CHANGED in self.notes

    def choose_causes(self, limit: int) -> Sequence[Cause]:
        """Return the causes that come next."""
        return self.causes[self.skipped : self.skipped + limit]

    def find_next(self, shown: int) -> _Place | None:
        """Return where the page after so many causes begins; None if that were all."""
        end = self.skipped + shown
        if end < len(self.causes):
            last = self.causes[end - 1].newest.id if end else ""
            return _Place(self.place.position, len(self.walked.items), end, last)
        return None if self.walked.position is None else _Place(self.walked.position)


def _read_by(call: ResumableCall) -> bool:
    """Return whether causes are to be grouped over all jobs.

    Raises:
        BadArgument: by is neither job nor cause.
    """
    by = (call.get_text_argument("by") or "job").strip().lower()
    if by not in {"job", "cause"}:
        raise BadArgument(
            f"by={quote_value(by)} is no grouping; give by='cause' for one row a cause over all jobs, or leave it out"
        )
    return by == "cause"


async def _read_stretch(call: ResumableCall, there: AttemptSources, reader: CauseReader, *, across: bool) -> _Stretch:
    """Read the failures from the cursor's place on, and as many of their causes as there is time for.

    Raises:
        Unreachable: a stretch that was read before could not be read whole again.
    """
    place = _Place.read(call.cursor.position)
    how = Walk[OwnedAttempt](
        limit=place.failures or _MATCHES,
        keep=there.keeps,
        as_asked=True,
        budget=_WALK,
        subject="none of the sources",
        restart=call.restart(),
    )
    walked = await walk(there.merge(), how, place.position)
    found = len(walked.items)
    causes = await reader.read(walked.items, _EXPLAIN_SECONDS)
    # One failure at least, so that a walk goes on.
    told = causes.found or [CausesOfOne([PartialCause("(cause not read in time)")])][:found]
    walked.cut(len(told))
    if len(told) < place.failures and walked.position is not None:
        raise Unreachable(
            f"could not be read again as far as before: {len(told)} of {place.failures} failures",
            subject="what this cursor walks", advice="call again with the same cursor", retryable=True,
        )  # fmt: skip
    groups = (group_by_cause if across else group_by_job)(walked.items, told)
    skipped, notes = _skip_shown(place, groups, len(walked.items))
    notes += describe_untold(told) if across else []
    if across and (walked.position is not None or place.position != START):
        notes.append("counts are of the failures read for this page: others may have the same causes")
    notes += write_strange_notes(there.strange)
    if causes.errors:
        notes.append(_describe_unread(causes))
    return _Stretch(place, walked, found, groups, skipped, notes, len(causes.errors) or len(told) - len(causes.found))


def _skip_shown(place: _Place, causes: Sequence[Cause], total: int) -> tuple[int, list[Note]]:
    """Return how many causes earlier pages had, with a note if they are not the same any more."""
    if not place.shown:
        return 0, []
    # One failure can be the newest of several causes.
    places = [number for number, one in enumerate(causes, 1) if one.newest.id == place.last]
    if place.shown in places and total == place.failures:
        return place.shown, []
    last = next(iter(places), None)
    return min(last or place.shown, len(causes)), [_CHANGED]


def _describe_unread(causes: ReadCauses) -> Note:
    first = next(iter(causes.errors.values()))
    noun = "failure" if len(causes.errors) == 1 else "failures"
    return Sentence(f"the cause of {len(causes.errors)} {noun} could not be read: ", *first.args)


def _make_rows(causes: Sequence[Cause], recoveries: Sequence[Recovery]) -> Iterator[FailureCause]:
    left = iter(recoveries)
    for cause in causes:
        yield make_cause(cause, [*islice(left, len(cause.split()))])


def _make_answer(
    call: ResumableCall,
    there: AttemptSources,
    window: Window,
    filters: dict[str, str],
    stretch: _Stretch,
    rows: Sequence[FailureCause],
) -> Failures:
    walked, following, before = stretch.walked, stretch.find_next(len(rows)), call.cursor
    failed = {**there.errors, **walked.failed}
    errors: dict[str, Note] = {name: Sentence(*error.args) for name, error in failed.items()}
    call.advance(walked)
    whole = call.check_whole(whole=walked.whole and not errors and not stretch.changed)
    read, found = call.cursor.matched, before.matched + stretch.found
    partly = found > read or stretch.unread > 0
    reached = walked.last.created_at if walked.last and walked.ordered else None
    windows = {name: there.windows.get(name) or window for name in walked.oldest}
    oldest = {name: time for name, time in walked.oldest.items() if find_gaps({name: time}, windows[name])}
    coverage = Coverage(
        scanned=call.cursor.scanned,
        matched=read,
        complete=following is None and not stretch.unread and whole,
        back_to=reach_back(oldest, window) if walked.position is None else reached,
    )
    if following and following.failures:
        # The next page reads this stretch again: without what has come since.
        call.cursor = replace(before, doubt=call.cursor.doubt)
        call.args.setdefault("until", _find_end(there, walked.items))
    return Failures(
        sources=tuple(one.name for one in call.sources),
        sample=tuple(one.name for one in call.sources if one.sample) or None,
        jobs=there.jobs,
        failures=len({(one.source, one.id) for cause in stretch.choose_causes(len(rows)) for one in cause.failures}),
        unknown=there.strange.total(),
        failures_found=found if partly else None,
        causes_read=read - stretch.unread if partly else None,
        causes_found=len(stretch.causes),
        causes=tuple(rows),
        errors=errors or None,
        coverage=coverage,
        cursor=None if following is None else call.seal_cursor(following.write()),
        window=window,
        filters=filters,
        notes=(*call.notes, *walked.notes, *stretch.notes, *write_oldest(oldest, window)) or None,
    )


def _find_end(there: AttemptSources, failures: Sequence[OwnedAttempt]) -> str:
    """Return until when the pages of these failures look: when their walk began, or the newest that came since."""
    came = [one.created_at for one in failures if one.created_at and one.created_at > there.windows[one.source].now]
    return format_microseconds(max(came)) if came else "now"


def _write_unfinished(call: ResumableCall, found: Sequence[OwnedAttempt]) -> list[str]:
    """Return notes for what has not ended, where such statuses were asked for."""
    notes: list[str] = []
    for source in call.sources:
        attempts = [one.item for one in found if one.source == source.name]
        notes += describe_unfinished(attempts, call.now + source.lead, shown=False)
    return notes
