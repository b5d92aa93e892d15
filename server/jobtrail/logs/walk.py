"""Reads a log piece by piece, forward or backward from a line, and keeps the lines that match, within limits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from jobtrail.errors import ExcessiveAnswer, UnreadableAnswer, UpstreamError
from jobtrail.logs.lines import LONGEST, Row, Rows, clean_log_text
from jobtrail.logs.search import batch_by_length
from jobtrail.models import Note, Sentence

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from jobtrail.logs.log import Line, Lines, Log
    from jobtrail.logs.search import Find

_FEWER = 16


@dataclass(frozen=True)
class Bounds:
    """What one answer may hold and what finding it may take.

    Attributes:
        rows: at most.
        tokens: of the rows, as estimated.
        piece: lines that are read first; each further read may have four times as many.
        lines: read at most.
        seconds: after which no further piece is asked for.
    """

    rows: int
    tokens: int
    piece: int
    lines: int = 50_000
    seconds: float = 20.0


@dataclass
class Stretch:
    """The rows of a stretch of a log, and which stretch it is.

    Attributes:
        first, last: the lines it covers, whether they matched or not; an empty stretch ends before it begins.
        total: the number of the newest line.
        kept_from: the number of the oldest line that is still kept.
        final: whether no more will be written.
        matched: lines that the rows stand for.
        too_long: the lines of which only the beginning was looked at.
    """

    rows: Rows
    first: int
    last: int
    total: int = 0
    kept_from: int = 1
    final: bool = True
    matched: int = 0
    too_long: list[int] = field(default_factory=list[int])
    notes: list[Note] = field(default_factory=list[Note])

    @property
    def scanned(self) -> int:
        """How many lines it covers."""
        return self.last - self.first + 1

    def learn(self, piece: Lines) -> None:
        """Take what a piece says of the whole log."""
        self.total, self.kept_from, self.final = piece.total, piece.first, piece.final

    def cover(self, line: Line, *, back: bool) -> None:
        """Cover one line more."""
        if len(line.text) > LONGEST:
            self.too_long.append(line.n)
        if back:
            self.first = line.n
        else:
            self.last = line.n


async def read_stretch(
    log: Log, start: int, bounds: Bounds, find: Find, progress: Callable[[int, int], Awaitable[None]], *, back: bool
) -> Stretch:
    """Read a stretch of a log that begins or ends at a line.

    An upstream that fails part of the way leaves what was read with a note; one that fails at once raises.

    Args:
        log: what to read.
        start: the first line; going back, the line after the last one, or 0 for the log's end.
        bounds: where to stop.
        find: where in a text the search is.
        progress: told (lines read, lines matched) after each piece.
        back: whether to go towards older lines.

    Raises:
        UpstreamError: the first piece could not be read.
        AgentError: there is no such log, or the search is none.
    """
    found = Stretch(Rows(bounds.rows, bounds.tokens), start, start - 1)
    deadline = anyio.current_time() + bounds.seconds
    want, most = bounds.piece, log.most
    while True:
        size = min(want, most)
        try:
            piece = await _read_piece(log, found, size, back=back, tail=start == 0)
        except UpstreamError as error:
            if isinstance(error, ExcessiveAnswer) and size > 1:
                # Long lines: fewer of them fit into an answer.
                most = max(1, size // _FEWER)
                continue
            if not found.scanned:
                raise
            found.notes.append(Sentence("stopped early: ", *error.args, ". The cursor goes on from here."))
            return found
        found.learn(piece)
        if not piece.lines:
            return found
        room = await _add_lines(found, piece.lines, find, back=back)
        await progress(found.scanned, found.matched)
        at_end = found.first <= found.kept_from if back else found.last >= found.total
        if not room or at_end or found.scanned >= bounds.lines or anyio.current_time() >= deadline:
            return found
        want *= 4


async def _read_piece(log: Log, found: Stretch, want: int, *, back: bool, tail: bool) -> Lines:
    """Read the lines next to those that are covered; none where there are none.

    Raises:
        UnreadableAnswer: others were sent, or none where there are some.
    """
    if tail and not found.scanned:
        piece = await log.read(-want, want)
        found.first, found.last = piece.total + 1, piece.total
    elif back:
        first = max(found.kept_from, found.first - want)
        piece = await log.read(first, found.first - first)
        # Where the log begins later than asked, its beginning is sent, and as many lines.
        piece = replace(piece, lines=[line for line in piece.lines if line.n < found.first])
    else:
        piece = await log.read(found.last + 1, want)
        if not found.scanned and piece.first > found.last + 1:
            # What a cursor stood before has been dropped since: go on where the log begins now.
            found.first, found.last = piece.first, piece.first - 1
    beside = found.first - 1 if back else found.last + 1
    if not piece.first <= beside <= piece.total:
        return replace(piece, lines=())
    if not piece.lines or piece.lines[-1 if back else 0].n != beside:
        raise UnreadableAnswer(
            f"says that its log has line {beside:,}, but did not send it when asked",
            subject="the upstream",
            advice="a retry may help",
        )
    return piece


async def _add_lines(found: Stretch, lines: Sequence[Line], find: Find, *, back: bool) -> bool:
    """Add lines to what is covered; return False where one had no room."""
    texts: list[str] = []
    for batch in batch_by_length([line.text for line in lines]):
        texts += map(clean_log_text, batch)
        await anyio.lowlevel.checkpoint()
    places = await find(texts)
    order = range(len(lines) - 1, -1, -1) if back else range(len(lines))
    for index in order:
        line, where = lines[index], places[index]
        if where is not None:
            if not found.rows.add(Row.of(line, texts[index], where), before=back):
                return False
            found.matched += 1
        elif found.rows.full:
            return False
        found.cover(line, back=back)
    return True
