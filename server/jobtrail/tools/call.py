"""One list call, from its arguments or its cursor to its page: what every list tool shares."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from mcp.server.mcpserver import Context

from jobtrail.errors import CursorError, ExpiredCursor, StrayCursor, UnknownName, clean, shown
from jobtrail.models import Call, Coverage, Sentence, Total, Window
from jobtrail.paging import Budget, Chain, Spot, Trail, Walk, Walked, walk
from jobtrail.render import row_text
from jobtrail.sources.base import NEWEST_FIRST, Ask, Sort, read_sort, read_statuses
from jobtrail.tokens import estimate
from jobtrail.tools.frame import Frame, State, given_alone, plain, required
from jobtrail.window import resolve

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from jobtrail.cursor import Cursor
    from jobtrail.models import Note, Status
    from jobtrail.paging import Listing
    from jobtrail.sources import Source, Sources

__all__ = ["DEFAULT_LIMIT", "ListCall", "begin"]

# In a cursor, beside the arguments. The list has changed under this walk, so nothing is exact any more.
_DRIFTED = "_drifted"
# What the walk remembers of the upstream's cursors, as one number.
_TRAIL = "_trail"
_MARK_BITS = 32

DEFAULT_LIMIT = 20
SCANNED_AT_ONCE = 2_000
"""Items that one call reads at most, unless its upstream has large pages."""

# Tokens of an answer: of a default page, and for each row that is asked for.
_PAGE_TOKENS, _ROW_TOKENS = 1_200, 60
# Tokens of what is neither a row nor carried by the cursor, and what is left to rows however long the cursor is.
_FRAME_TOKENS, _FEWEST_TOKENS = 70, 400


class _Item(Protocol):
    @property
    def status(self) -> str | None: ...
    @property
    def created_at(self) -> datetime | None: ...


ItemT = TypeVar("ItemT", bound=_Item)
Args = dict[str, str | int | bool]


@dataclass(kw_only=True)
class ListCall(Frame):
    """A list call of one source."""

    ctx: Context[State]
    source: Source
    window: Window | None = None

    def required(self, name: str, then: Call) -> str:
        """Return a text argument that must be given.

        Raises:
            MissingArgument: it is absent; `then` is the call that shows its values.
        """
        return required(self.tool, name, self.text(name), then)

    def ask(self, words: Mapping[str, Status], sorts: Sequence[str], default: Sort = NEWEST_FIRST) -> Ask:
        """Return what to ask the source for.

        Args:
            words: the upstream's statuses.
            sorts: the fields it can sort by.
            default: its own order.
        """
        clock = self.ctx.request_context.lifespan_context.clock
        self.window = resolve(self.text("since"), self.text("until"), clock, self.now)
        self.fix(self.window)
        return Ask(
            sort=read_sort(self.text("sort"), sorts, default),
            query=(self.text("query") or self.text("search") or "").strip() or None,
            statuses=read_statuses(self.text("status"), words),
            window=self.window,
        )

    async def walk(
        self,
        listing: Listing[ItemT],
        ask: Ask,
        searched: Callable[[ItemT], Sequence[str]],
        scanned: int = SCANNED_AT_ONCE,
    ) -> Walked[ItemT]:
        """Walk a listing from where the call stands.

        Args:
            listing: what to walk.
            ask: its filters; each is applied again here, whatever the upstream did.
            searched: the texts of an item in which `query` is looked for; none where only the
                upstream can search.
            scanned: items to read at most.
        """
        strange: Counter[str] = Counter()
        limit = self.limit_of(DEFAULT_LIMIT)
        trail = self.args.get(_TRAIL)
        how = Walk[ItemT](
            limit=limit,
            keep=_keep(ask, searched, strange),
            cost=lambda item: estimate(row_text(item)) + 1,
            budget=Budget(items=scanned, tokens=self._room(limit)),
            progress=self._progress(ask, listing),
            trail=Trail(*divmod(trail, 1 << _MARK_BITS)) if isinstance(trail, int) else Trail(),
            who=f"source {self.source.name!r}",
        )
        try:
            walked = await walk(listing, how, self.at)
        except CursorError as error:
            raise type(error)(*error.args, "; start again with ", self.restart()) from None

        if strange:
            walked.notes.append(
                f"{sum(strange.values())} scanned have a status not known here ({', '.join(sorted(strange)[:3])}) "
                "and are not among these; status=unknown lists them"
            )
        return walked

    def _progress(self, ask: Ask, listing: Listing[ItemT]) -> Callable[[Walked[ItemT]], Awaitable[None]]:
        """Return what tells the client how far a walk has come."""

        async def tell(walked: Walked[ItemT]) -> None:
            parts = [f"{self.scanned + walked.scanned:,} scanned", f"{self.matched + walked.matched:,} matched"]
            reached = walked.last and walked.last.created_at
            if reached and ask.sort.key == "created_at" and not isinstance(listing, Chain):
                way = "back to" if ask.sort.descending else "up to"
                parts.append(f"{way} {reached:%Y-%m-%dT%H:%M:%SZ}")
            await self.ctx.report_progress(walked.scanned, message=", ".join(parts))

        return tell

    def _room(self, limit: int) -> int:
        """Return the tokens that rows may take: what the answer may, without its header, cursor and notes."""
        frame = _FRAME_TOKENS + estimate(self._seal(self.at, self.scanned, self.matched))
        frame += sum(estimate(str(value)) for value in plain(self.args).values())
        return max(max(_PAGE_TOKENS, limit * _ROW_TOKENS) - frame, _FEWEST_TOKENS)

    def restart(self) -> Call:
        """Return the call that starts this walk again."""
        return Call(self.tool, {**plain(self.args), "source": self.source.name})

    def page(self, walked: Walked[ItemT], ask: Ask, listing: Listing[ItemT]) -> dict[str, Any]:
        """Return the fields that every page shares."""
        scanned, matched = self.scanned + walked.scanned, self.matched + walked.matched
        complete = walked.spot is None
        chained = isinstance(listing, Chain) and ask.sort.key == "created_at"
        back_to = self.window.since if complete and self.window else None
        if ask.sort == NEWEST_FIRST and not chained and not complete and walked.last is not None:
            back_to = walked.last.created_at
        notes = [*self.notes, *walked.notes]
        if not walked.exact:
            self.args[_DRIFTED] = True
        if walked.trail.steps:
            self.args[_TRAIL] = (walked.trail.steps << _MARK_BITS) + walked.trail.mark
        exact = _DRIFTED not in self.args
        if not exact and walked.exact:
            notes.append("the list changed during this walk, so rows may repeat or be missing")
        if complete and not matched and (hint := self._widen()):
            notes.append(hint)
        return {
            "source": self.source.name,
            "sample": self.source.sample or None,
            "coverage": Coverage(scanned=scanned, matched=matched, complete=complete, back_to=back_to),
            "total": _total(walked.total, matched, complete=complete) if exact else Total(kind="unknown"),
            "cursor": None if walked.spot is None else self._seal(walked.spot, scanned, matched),
            "window": self.window,
            "sort": f"task, then {ask.sort}" if chained else str(ask.sort),
            "filters": self._filters(),
            "notes": tuple(notes) or None,
            "items": tuple(walked.items),
        }

    def _filters(self) -> dict[str, str] | None:
        return {
            name: clean(str(self.args[name])) for name in ("status", "query", "search") if name in self.args
        } or None

    def _widen(self) -> Note | None:
        """Return the call to try next where nothing matched."""
        dropped = next((name for name in ("query", "search", "status", "since", "until") if name in self.args), None)
        if dropped is None:
            return "there is nothing to list: it exists and is empty"
        rest = {name: value for name, value in plain(self.args).items() if name != dropped}
        return Sentence("nothing matched; to widen: ", Call(self.tool, {**rest, "source": self.source.name}))

    def _seal(self, spot: Spot, scanned: int, matched: int) -> str:
        kept = self.minted if spot.upstream == self.at.upstream else 0
        return self.sealed(self.source.name, self.source.fingerprint, spot, scanned, matched, kept)


def begin(
    ctx: Context[State],
    tool: str,
    cursor: str | None,
    source: str | None,
    needs: str | None = None,
    **given: str | int | bool | None,
) -> ListCall:
    """Start a list call from its arguments, or from its cursor alone.

    Raises:
        BadArgument: both a cursor and arguments.
        CursorError: the cursor cannot be continued.
        AgentError: the source does not exist or has no such list.
    """
    state = ctx.request_context.lifespan_context
    now = state.clock.now().replace(microsecond=0)
    args, opened = given_alone(tool, cursor, {**given, **({"source": source} if cursor is not None else {})})
    if opened is None:
        return ListCall(ctx=ctx, tool=tool, source=state.sources.get(source, needs=needs), args=args, now=now)
    call = ListCall(ctx=ctx, tool=tool, source=_source_of(opened, state.sources, now), args=args, now=now)
    call.resume(opened)
    return call


def _source_of(cursor: Cursor, sources: Sources, now: datetime) -> Source:
    """Return the source that a cursor walks.

    Raises:
        StrayCursor: it is gone, or points elsewhere.
        ExpiredCursor: it no longer keeps the cursor.
    """
    restart = Call(cursor.tool, plain(cursor.args))
    try:
        source = sources.get(cursor.source)
    except UnknownName:
        names = ", ".join(sources.names)
        raise StrayCursor(
            f"this cursor walks source {shown(cursor.source)}, which is no longer configured (configured: {names}); "
            "start again with ",
            restart,
        ) from None
    if source.fingerprint != cursor.fingerprint:
        raise StrayCursor(
            f"source {source.name!r} points at another upstream than when this cursor was made; start again with ",
            restart,
        )
    age = int(now.timestamp()) - cursor.minted
    if cursor.spot.upstream and source.cursor_life and age > source.cursor_life:
        raise ExpiredCursor(
            f"this cursor is {age // 3600} h old and its upstream keeps cursors for "
            f"{source.cursor_life // 3600} h; start again with ",
            restart,
        )
    return source


def _keep(ask: Ask, searched: Callable[[ItemT], Sequence[str]], strange: Counter[str]) -> Callable[[ItemT], bool]:
    """Return whether an item matches; `strange` counts those whose status only the upstream understands."""
    statuses, window, query = ask.statuses, ask.window, (ask.query or "").lower()

    def keep(item: ItemT) -> bool:
        if statuses is not None and item.status == "unknown" and not statuses.keeps(item):
            if window is None or _inside(window, item.created_at):
                strange[getattr(item, "raw_status", None) or "none"] += 1
            return False
        return (
            (statuses is None or statuses.keeps(item))
            and (window is None or _inside(window, item.created_at))
            and (not query or _contains(searched(item), query))
        )

    return keep


def _inside(window: Window, moment: datetime | None) -> bool:
    """Return whether a moment lies in the window; one that is not known is kept, not hidden."""
    if moment is None:
        return True
    return (window.since is None or moment >= window.since) and (window.until is None or moment <= window.until)


def _contains(texts: Sequence[str], query: str) -> bool:
    return not texts or any(query in text.lower() for text in texts)


def _total(upstream: Total, matched: int, *, complete: bool) -> Total:
    """Return what is known of how many there are; a walk that ended has counted them."""
    if complete:
        return Total(value=matched, kind="exact")
    return upstream if upstream.value is not None else Total(value=matched, kind="at_least")
