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

LONGEST = 8_192
"""Characters of a line that are looked at; what is behind them is neither searched nor shown."""

MatchSpan = tuple[int, int]
"""Start and end of what was found in a line."""

_SHOWN = 300
_DEEPEST = 16
# What stands before a line's own text: its number, its count.
_PREFIX_TOKENS = 6
_NOT_KEPT = re.compile(r"\[([0-9][0-9,]{0,20}) earlier lines were not kept\]")
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?|\b\d\d:\d\d:\d\d(?:[.,]\d+)?Z?\b"
)


def clean_log_text(text: str) -> str:
    """Return a log's line as a terminal would show it at last, on one line: no ANSI, no control or unseen characters.

    Its indentation stays, since that says what belongs to what; other runs of blanks become one.
    """
    text = text[: LONGEST * 2].rstrip("\r\n")
    if "\r" in text:
        text = text.replace("\r\n", "\n").rpartition("\r")[2]
    if not (text.isascii() and text.isprintable()):
        text = strip_invisible(text.replace("\n", " ⏎ ").replace("\t", "    "))
    bare = text.lstrip()
    indent = min(len(text) - len(bare), _DEEPEST) if bare else 0
    return (" " * indent + " ".join(bare.split()))[:LONGEST]


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
    """

    n: int
    times: int
    text: str
    mark: str
    at: datetime | None
    same: tuple[str, str]

    @classmethod
    def of(cls, line: Line, text: str, found: MatchSpan) -> Row:
        """Return the row of one line."""
        same = (line.mark, _TIME.sub("", text))
        return cls(line.n, 1, clip_text(text, found), line.mark, line.at, same)


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
        cost = estimate_tokens(row.text) + _PREFIX_TOKENS
        if self.rows and cost > self.tokens:
            self.cut = True
            return False
        self.tokens -= cost
        return True


def format_dropped(count: int) -> str:
    """Return the line that stands where a recorder dropped lines."""
    return f"[{count:,} earlier lines were not kept]"


def count_dropped(text: str) -> int:
    """Return how many lines such a line stands for; none where it is another."""
    found = _NOT_KEPT.fullmatch(text.strip())
    return int(found[1].replace(",", "")) if found else 0
