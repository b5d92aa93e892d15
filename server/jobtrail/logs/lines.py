"""Cleans lines of a log, merges repeated lines into one row, and limits rows by number and by tokens."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobtrail.text import strip_invisible
from jobtrail.tokens import estimate_tokens

if TYPE_CHECKING:
    from datetime import datetime

    from jobtrail.logs.log import Line

LONGEST = 1_048_576
"""Characters of a line that are looked at; what is behind them is neither searched nor shown."""

MatchSpan = tuple[int, int]
"""Start and end of what was found in a line."""

_SHOWN = 300
_DEEPEST = 16
# What stands before a line's own text: its number, its count.
_PREFIX_TOKENS = 6
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?|\b\d\d:\d\d:\d\d(?:[.,]\d+)?Z?\b"
)


def clean_log_text(text: str) -> str:
    """Return a log's line as a terminal would show it at last, on one line: no ANSI, no control or unseen characters.

    What carriage returns wrote over is left out, but not for what cannot be seen. Its indentation stays, since that
    says what belongs to what; other runs of blanks become one.
    """
    text = text[:LONGEST].rstrip("\r\n")
    if not (text.isascii() and text.isprintable()):
        text = text.replace("\r\n", "\n").replace("\n", " ⏎ ").replace("\t", "    ")
        text = strip_invisible(text, keep="\r").rstrip().rpartition("\r")[2]
    bare = text.lstrip()
    indent = min(len(text) - len(bare), _DEEPEST) if bare else 0
    return " " * indent + " ".join(bare.split())


def clip_text(text: str, found: MatchSpan = (0, 0), most: int = _SHOWN) -> str:
    """Return a tidy line clipped to `most` characters and twice as many bytes, around what was found in it."""
    if len(text) <= most and len(text.encode()) <= most * 2:
        return text
    # A third of the room before what was found; all of it behind where that is at the line's beginning.
    start = 0 if found[1] < most else max(0, min(found[0], len(text)) - most // 3)
    kept = text[start : start + most].encode()[: most * 2].decode(errors="ignore")
    return ("…" if start else "") + kept.rstrip() + ("…" if start + len(kept) < len(text) else "")


@dataclass
class Row:
    """A line, or several in a row that say the same but for times of day in them; shown is the first.

    Attributes:
        n: the number of the first.
        times: how many there are.
        same: what all of them have in common; the text, which may be long, as its hash.
    """

    n: int
    times: int
    text: str
    mark: str
    at: datetime | None
    task: str
    same: tuple[str, str, int]

    @classmethod
    def of(cls, line: Line, text: str, found: MatchSpan) -> Row:
        """Return the row of one line."""
        same = (line.task, line.mark, hash(_TIME.sub("", text)))
        return cls(line.n, 1, clip_text(text, found), line.mark, line.at, line.task, same)


@dataclass
class Rows:
    """Rows that grow at either end until they are as many, or cost as much, as they may.

    Attributes:
        cut: whether it was the tokens that ended it.
    """

    most: int
    tokens: int
    rows: deque[Row] = field(default_factory=deque[Row])
    cut: bool = False

    def add(self, row: Row, *, before: bool) -> bool:
        """Take a row before or after all others; return False where there is no room."""
        edge = self.rows[0 if before else -1] if self.rows else None
        if edge is not None and edge.same == row.same and self._are_adjacent(edge, row, before=before):
            edge.times += 1
            if before:
                edge.n, edge.text, edge.at = row.n, row.text, row.at
            return True
        if self.full or not self._pay_tokens(row):
            return False
        (self.rows.appendleft if before else self.rows.append)(row)
        return True

    @property
    def full(self) -> bool:
        """Whether there is room only for what repeats a row at the edge."""
        return len(self.rows) >= self.most

    @staticmethod
    def _are_adjacent(edge: Row, row: Row, *, before: bool) -> bool:
        return row.n == (edge.n - 1 if before else edge.n + edge.times)

    def _pay_tokens(self, row: Row) -> bool:
        cost = estimate_tokens(row.text) + estimate_tokens(row.task) + _PREFIX_TOKENS
        if self.rows and cost > self.tokens:
            self.cut = True
            return False
        self.tokens -= cost
        return True
