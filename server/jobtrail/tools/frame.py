"""What every call that can be continued has, wherever its arguments came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobtrail.cursor import Args, Cursor, seal, unseal
from jobtrail.errors import BadArgument, MissingArgument, shown
from jobtrail.models import Call, Note
from jobtrail.paging import START, Spot

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from jobtrail.models import Window
    from jobtrail.sources import Source, Sources
    from jobtrail.window import Clock

__all__ = ["LARGEST_LIMIT", "Frame", "State", "given_alone", "plain", "required", "source_notes"]

LARGEST_LIMIT = 100


@dataclass(frozen=True)
class State:
    """What lives as long as the server: the sources and the clock."""

    sources: Sources
    clock: Clock


@dataclass(kw_only=True)
class Frame:
    """A call whose arguments are known.

    Attributes:
        args: the normalised arguments, which the next cursor carries.
        now: when it was made.
        at: where the walk starts.
        minted: when the upstream cursor in `at` was obtained, in Unix seconds.
        scanned, matched: what earlier pages of this walk came to.
        continued: whether a cursor was given.
        notes: what the agent must know of its arguments.
    """

    tool: str
    args: Args
    now: datetime
    at: Spot = START
    minted: int = 0
    scanned: int = 0
    matched: int = 0
    continued: bool = False
    notes: list[Note] = field(default_factory=list[Note])

    def text(self, name: str) -> str | None:
        """Return a text argument."""
        value = self.args.get(name)
        return value if isinstance(value, str) else None

    def limit_of(self, default: int) -> int:
        """Return how many rows to return; a note tells where that is not what was asked for."""
        asked = self.args.get("limit", default)
        asked = asked if isinstance(asked, int) else default
        limit = max(1, min(asked, LARGEST_LIMIT))
        if limit != asked:
            self.notes.append(f"limit {shown(asked, 20)} was taken as {limit}; it can be 1 to {LARGEST_LIMIT}")
            self.args["limit"] = limit
        return limit

    def fix(self, window: Window | None) -> None:
        """Let the cursor carry the moments of a window, so that `24h` does not move with the pages."""
        for name, bound in (("since", window and window.since), ("until", window and window.until)):
            if bound:
                self.args[name] = bound.isoformat().replace("+00:00", "Z")

    def resume(self, cursor: Cursor) -> None:
        """Go on where a cursor stands."""
        self.at, self.minted, self.continued = cursor.spot, cursor.minted, True
        self.scanned, self.matched = cursor.scanned, cursor.matched

    def sealed(self, source: str, fingerprint: str, spot: Spot, scanned: int, matched: int, minted: int = 0) -> str:
        """Return the cursor that goes on from a spot."""
        minted = minted or int(self.now.timestamp())
        return seal(Cursor(self.tool, source, fingerprint, minted, self.args, scanned, matched, spot))


def given_alone(
    tool: str, cursor: str | None, given: Mapping[str, str | int | bool | None]
) -> tuple[Args, Cursor | None]:
    """Return a call's arguments, and the cursor that carries them where one was given.

    Raises:
        BadArgument: both a cursor and arguments.
        CursorError: what was given is no cursor of this tool.
    """
    args: Args = {name: value for name, value in given.items() if value is not None and value != ""}
    if cursor is None:
        return args, None
    if args:
        raise BadArgument(
            f"a cursor carries its own arguments, but {', '.join(args)} came with it; call ",
            Call(tool, {"cursor": ...}),
            " alone",
        )
    opened = unseal(cursor, tool)
    return dict(opened.args), opened


def plain(args: Args) -> Args:
    """Return the arguments that an agent can give."""
    return {name: value for name, value in args.items() if not name.startswith("_")}


def required(tool: str, name: str, value: str | None, then: Call) -> str:
    """Return an argument that must be given.

    Raises:
        MissingArgument: it is absent; `then` is the call that shows its values.
    """
    if value is None or not value.strip():
        raise MissingArgument(f"{tool} needs {name}; call ", then, " for its values", argument=name)
    return value.strip()


def source_notes(state: State, given: str | None, used: Source) -> list[str]:
    """Return which other sources there are, where none was asked for."""
    others = [name for name in state.sources.names if name != used.name]
    return [f"other sources: {', '.join(others)} (give source=…)"] if others and given is None else []
