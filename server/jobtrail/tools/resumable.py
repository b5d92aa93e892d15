"""`ResumableCall`: a tool call opened from its arguments, or from a cursor that carries them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import Context

from jobtrail.errors import (
    BadArgument,
    ExpiredCursor,
    MissingArgument,
    StrayCursor,
    UnknownName,
)
from jobtrail.models import Call, Note, Run, Window
from jobtrail.paging.cursor import Cursor, seal, unseal
from jobtrail.sources.base import CLOCK_TOLERANCE
from jobtrail.text import quote_value
from jobtrail.times import format_duration, format_microseconds, format_time, parse_optional_time
from jobtrail.tools.finding import find_execution, find_ids, find_newest, find_source
from jobtrail.vocabulary import rename_earlier
from jobtrail.window import Clock, check_begun, counts_from_now, resolve_window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from typing import Self

    from jobtrail.paging import Position, Walked
    from jobtrail.paging.cursor import Args
    from jobtrail.sources import Sources
    from jobtrail.sources.base import Source
    from jobtrail.tools.finding import Found, Need

LARGEST_LIMIT = 100
MISSING = 2
"""In a cursor: rows may be missing from the walk."""
_ALL = "*"
"""In a cursor: every configured source."""
_BEGAN = "now"
"""In a cursor: the argument that says when the walk began."""
_EARLIER = "on an earlier page of this walk not all could be read, so rows may be missing"


@dataclass(frozen=True)
class ServerState:
    """What lives as long as the server: the sources and the clock."""

    sources: Sources
    clock: Clock


@dataclass(kw_only=True)
class ResumableCall:
    """A tool call that a cursor can continue.

    Attributes:
        sources: what it reads: one source, or every one.
        now: when the call was made.
        cursor: the arguments, the position of the walk, and what its pages came to, this call's included.
        resumed: whether a cursor was given.
        named: whether a source was given.
        notes: what the agent must know of its arguments.
    """

    ctx: Context[ServerState]
    sources: Sequence[Source]
    now: datetime
    cursor: Cursor
    resumed: bool
    named: bool = False
    notes: list[Note] = field(default_factory=list[Note])

    @classmethod
    def open(
        cls,
        ctx: Context[ServerState],
        tool: str,
        token: str | None,
        source: str | None,
        *,
        needs: Need | None = None,
        everywhere: bool = False,
        **given: str | int | bool | None,
    ) -> Self:
        """Open a call from its arguments, or from its cursor alone.

        Args:
            ctx: the SDK's context.
            tool: the name of the tool.
            token: the cursor that the agent gave.
            source: the source that it named.
            needs: what a source must have to be taken when none is named.
            everywhere: whether every source is read when none is named.
            given: the other arguments.

        Raises:
            BadArgument: both a cursor and arguments.
            CursorError: the cursor cannot be continued.
            AgentError: the source does not exist or has no such list.
        """
        state = ctx.request_context.lifespan_context
        now = state.clock.now().replace(microsecond=0)
        args: Args = {name: value for name, value in given.items() if value is not None and value != ""}
        if token is None:
            every = everywhere and not source
            sources = state.sources.all() if every else [state.sources.get(source, needs=needs)]
            cursor = Cursor(tool, _ALL if every else sources[0].name, args=args)
            return cls(ctx=ctx, sources=sources, now=now, cursor=cursor, resumed=False, named=bool(source))
        if named := [*args, *(["source"] if source else [])]:
            raise BadArgument(
                f"a cursor carries its own arguments, but {', '.join(named)} came with it",
                advice=("call ", Call(tool, {"cursor": ...}), " alone"),
            )
        cursor = unseal(token, tool)
        cursor = replace(cursor, args=rename_earlier(cursor.args, given))
        sources = _find_sources(cursor, state.sources, now, everywhere=everywhere)
        return cls(ctx=ctx, sources=sources, now=now, cursor=cursor, resumed=True)

    @property
    def source(self) -> Source:
        """The source that the call reads, or the first of them."""
        return self.sources[0]

    async def find_source(self, argument: str, name: str | None, needs: Need) -> None:
        """Read the source that has a job of this name from now on, where neither a source nor a cursor was given.

        Raises:
            AgentError: none has it, or several.
        """
        if self.resumed or self.named:
            return
        self._read_from(await find_source(self._configured, None, argument, name, needs))

    async def find_run(self, run: str) -> None:
        """Read the source that has a run from now on, where neither a source nor a cursor was given.

        Raises:
            AgentError: none has it, or several.
        """
        if not self.resumed and not self.named:
            self._read_from(await find_ids(self._configured, None, "run", [run]))

    async def find_execution(self) -> tuple[str, str]:
        """Return the job and the id of the execution that is asked for, and read its source from now on.

        Raises:
            AgentError: there is none, or nothing was named.
        """
        job, execution = self.get_text_argument("job"), self.get_text_argument("execution")
        if not self.resumed:
            given = self.source.name if self.named else None
            found, job, execution = await find_execution(self._configured, given, self.cursor.tool, job, execution)
            self._read_from(found)
            self.args.update(job=job, execution=execution)
        return job or "", execution or ""

    async def find_newest(self) -> None:
        """Read the newest execution or run of the job that is asked for: the arguments name it from now on."""
        job = self.get_text_argument("job") or ""
        given = self.source.name if self.named else None
        self._read_from(await find_source(self._configured, given, "job", job))
        newest = await find_newest(self.source, (await self.source.job(job)).job)
        if isinstance(newest, Run):
            del self.args["job"]
        self.args["run" if isinstance(newest, Run) else "execution"] = newest.id

    @property
    def _configured(self) -> Sources:
        return self.ctx.request_context.lifespan_context.sources

    def _read_from(self, found: Found) -> None:
        self.sources, self.cursor = [found.source], replace(self.cursor, source=found.source.name)
        self.notes += found.notes

    @property
    def args(self) -> Args:
        """The arguments, which the next cursor carries."""
        return self.cursor.args

    def get_text_argument(self, name: str) -> str | None:
        """Return a text argument; None if it is not given."""
        value = self.args.get(name)
        return value if isinstance(value, str) else None

    def clamp(self, name: str, default: int, most: int) -> int:
        """Return a number argument limited to 1 to `most`; add a note if that changed it."""
        asked = self.args.get(name, default)
        asked = asked if isinstance(asked, int) else default
        number = max(1, min(asked, most))
        if number != asked:
            self.notes.append(f"{name} {quote_value(asked, 20)} was taken as {number}; it can be 1 to {most}")
            self.args[name] = number
        return number

    async def resolve_window(self) -> Window | None:
        """Return the window asked for, on the clock of the source; None where none was.

        The cursor carries it resolved, so that `24h` stays the same on later pages.

        Raises:
            BadArgument: a bound is not a time, or `since` lies in the future.
            UpstreamError: the source did not answer.
        """
        since, until = self.get_text_argument("since"), self.get_text_argument("until")
        if not since and not until:
            return None
        if counts_from_now(since) or counts_from_now(until):
            await self.source.measure_clock()
        window = self._read_window(since, until, self.now + self.source.lead)
        if not self.resumed:
            check_begun(window, since, self.latest)
        for name, bound in (("since", window.since), ("until", window.until)):
            if bound:
                self.args[name] = format_microseconds(bound)
        return window

    def find_window(self, since: str, source: Source | None = None) -> Window:
        """Return the window asked for, on the clock of one of several sources, or on ours.

        The cursor carries the time that it counts back from.

        Args:
            since: where it begins when the call does not say.
            source: whose clock counts.

        Raises:
            BadArgument: a bound is not a time.
        """
        began = parse_optional_time(self.get_text_argument(_BEGAN)) or self.now
        self.args[_BEGAN] = format_time(began)
        since, until = self.get_text_argument("since") or since, self.get_text_argument("until")
        return self._read_window(since, until, began + (source.lead if source else timedelta()))

    def _read_window(self, since: str | None, until: str | None, now: datetime) -> Window:
        window, notes = resolve_window(since, until, self.ctx.request_context.lifespan_context.clock, now)
        self.notes += [note for note in notes if note not in self.notes]
        return window or Window(now=now)

    @property
    def latest(self) -> datetime:
        """The current time by the clock that is the furthest ahead: ours, or that of a source."""
        return self.now + max(timedelta(), *(one.lead for one in self.sources))

    def advance(self, walked: Walked[Any]) -> None:
        """Add a part of the walk to the cursor: its counts, its trail, and whether its rows are in doubt."""
        self.cursor = replace(
            self.cursor,
            scanned=self.cursor.scanned + walked.scanned,
            matched=self.cursor.matched + walked.matched,
            counted=min(filter(None, (self.cursor.counted, walked.counted)), default=0),
            trail=walked.trail,
            doubt=max(self.cursor.doubt, 0 if walked.exact else 1, 0 if walked.whole else MISSING),
        )

    def check_whole(self, *, whole: bool) -> bool:
        """Return whether no page of the walk can have missed rows; the cursor remembers it where one has.

        Args:
            whole: whether this page has missed none.
        """
        if not whole:
            self.cursor = replace(self.cursor, doubt=MISSING)
        elif self.cursor.doubt >= MISSING:
            self.notes.append(_EARLIER)
        return self.cursor.doubt < MISSING

    def restart(self, **changed: str | int | None) -> Call:
        """Return the call that starts this walk again.

        Args:
            changed: arguments to give instead; None leaves one out.
        """
        args = {**_drop_began(self.args), **changed}
        if self.cursor.source != _ALL:
            args["source"] = self.cursor.source
        return Call(self.cursor.tool, {name: value for name, value in args.items() if value is not None})

    def seal_cursor(self, position: Position) -> str:
        """Return the cursor that continues from a position."""
        kept = position.upstream == self.cursor.position.upstream
        minted = self.cursor.minted if kept else int(self.now.timestamp())
        fingerprint = _compute_fingerprint(self.sources)
        return seal(replace(self.cursor, position=position, minted=minted, fingerprint=fingerprint))


def _drop_began(args: Args) -> Args:
    """Return the arguments without what only a cursor carries."""
    return {name: value for name, value in args.items() if name != _BEGAN}


def write_clock_notes(sources: Iterable[Source], windows: Mapping[str, Window] | None = None) -> list[str]:
    """Return a note for each source whose clock differs from ours by more than a few seconds.

    Args:
        sources: whose times are shown.
        windows: of those that have a window of their own.
    """
    notes: list[str] = []
    for one in sources:
        if abs(one.lead) > CLOCK_TOLERANCE:
            apart = format_duration(abs(one.lead).total_seconds())
            way = "ahead of" if one.lead > timedelta() else "behind"
            own = (windows or {}).get(one.name)
            begins = f", here since {format_time(own.since)}" if own and own.since else ""
            notes.append(
                f"the clock of source {one.name} is {apart} {way} this machine's: its times are its own, and "
                f"relative ones were counted on it{begins}"
            )
    return notes


def _find_sources(cursor: Cursor, sources: Sources, now: datetime, *, everywhere: bool) -> Sequence[Source]:
    """Return the sources that a cursor walks.

    Raises:
        StrayCursor: they are gone, or point elsewhere.
        ExpiredCursor: the source no longer keeps the cursor.
    """
    every = everywhere and cursor.source == _ALL
    again = ("start again with ", Call(cursor.tool, _drop_began(cursor.args)))
    try:
        found = sources.all() if every else [sources.get(cursor.source)]
    except UnknownName:
        raise StrayCursor(
            f"this cursor walks source {quote_value(cursor.source)}, which is no longer configured "
            f"(configured: {', '.join(sources.names)})",
            advice=again,
        ) from None
    if cursor.fingerprint != _compute_fingerprint(found):
        raise StrayCursor(
            "the configured sources are not those this cursor was made with"
            if every
            else f"source {cursor.source!r} points at another upstream than when this cursor was made",
            advice=again,
        )
    life, age = found[0].cursor_life, int(now.timestamp()) - cursor.minted
    if cursor.position.upstream and life and age > life:
        raise ExpiredCursor(
            f"this cursor is {age // 3600} h old and its upstream keeps cursors for {life // 3600} h", advice=again
        )
    return found


def _compute_fingerprint(sources: Sequence[Source]) -> str:
    """Return a hash of the sources: it changes if one is added, removed or points at another upstream."""
    if len(sources) == 1:
        return sources[0].fingerprint
    text = "\0".join(f"{one.name}={one.fingerprint}" for one in sources)
    return hashlib.blake2b(text.encode(), digest_size=3).hexdigest()


def find_gaps(oldest: Mapping[str, datetime], window: Window | None) -> dict[str, datetime]:
    """Return when the oldest was created of what does not reach back to the beginning of a window, by part."""
    since = window.since if window else None
    return {name: time for name, time in oldest.items() if since and time > since}


def reach_back(oldest: Mapping[str, datetime], window: Window | None) -> datetime | None:
    """Return from when on a walk that ended has covered a window: there may be nothing as old as its beginning."""
    return max(find_gaps(oldest, window).values(), default=window.since if window else None)


def write_oldest(oldest: Mapping[str, datetime], window: Window | None) -> list[str]:
    """Return a note where a walk ended before its window does."""
    gaps = [f"{format_time(time)}{f' in {name}' if name else ''}" for name, time in find_gaps(oldest, window).items()]
    return [f"oldest there is: {', '.join(gaps)}; what ran before, if anything, is not kept"] if gaps else []


def require_argument(tool: str, name: str, value: str | None, then: Call) -> str:
    """Return an argument that must be given.

    Raises:
        MissingArgument: it is absent; `then` is the call that shows its values.
    """
    if value is None or not value.strip():
        raise MissingArgument(f"{tool} needs {name}", advice=("call ", then, " for its values"), argument=name)
    return value.strip()
