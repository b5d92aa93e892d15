"""The blocks that an answer is printed from, and their text for agents.

By form, what is not ours cannot pose as a line or a field. A line of ours begins with a word or a label and a blank.
What begins a row, and what stands between words of ours, is one plain word or quoted (`text.quote_unless_word`).
Between tabs any text may stand that does not begin with a quote. A log's text stands behind a `|`. No block breaks a
line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobtrail.models import Call, Sentence
from jobtrail.text import quote_unless_word, strip_invisible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Self


class OwnText(str):
    """A text of ours, in which what is not ours is quoted already; every other `str` in a cell is not ours."""

    __slots__ = ()


class StatusText(OwnText):
    """A status as it is written.

    Attributes:
        status: the normalised word, or a job's deployment status.
    """

    __slots__ = ("status",)

    def __new__(cls, text: str, status: str) -> Self:
        """Make it of a text and the status that the text writes."""
        one = super().__new__(cls, text)
        one.status = status
        return one


class Caveat(str):
    """A fact of a header which says that an answer is not whole, or not real."""

    __slots__ = ()


Cell = str | Call

_LONGEST = 1_000
"""Characters of a value between words of ours."""


@dataclass(frozen=True)
class Header:
    """The first line: what the answer is about, and how much it covers."""

    title: str
    facts: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Rows under named columns; a cell that could be read as something else is quoted."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def __post_init__(self) -> None:
        """Quote cells: the first begins a line, so it is one word; the others end at a tab."""
        rows = [[write_field(row[0]), *map(_write_cell, row[1:])] for row in self.rows]
        object.__setattr__(self, "rows", rows)


@dataclass(frozen=True)
class Line:
    """One line, after its label where it has one; an empty line is not printed.

    Attributes:
        status: the status that the line is about.
    """

    text: str | Call | Sentence
    label: str = ""
    status: str = ""


@dataclass(frozen=True)
class LogLines:
    """Lines of a log, each behind a `|`."""

    lines: Sequence[str]


Block = Header | Table | Line | LogLines


def write_field(value: Cell) -> Cell:
    """Return a value for a place between words of ours, or at the beginning of a line."""
    if isinstance(value, OwnText | Call):
        return value
    return OwnText(quote_unless_word(value, _LONGEST) if value else "")


def _write_cell(value: Cell) -> Cell:
    """Return a value for a place between tabs; only what begins with a quote could be read as another text."""
    if isinstance(value, OwnText | Call):
        return value
    return write_field(value) if value.startswith(("'", '"')) else strip_invisible(value)


def to_text(blocks: Iterable[Block]) -> str:
    """Return the text that agents read."""
    return "\n".join(line for block in blocks for line in _write_lines(block))


def _write_lines(block: Block) -> Iterator[str]:
    match block:
        case Header():
            yield strip_invisible(" · ".join(filter(None, (block.title, *block.facts))))
        case Table():
            for row in (block.columns, *block.rows):
                yield "\t".join(map(str, row)).rstrip()
        case Line():
            if text := str(block.text):
                yield strip_invisible(f"{block.label}: {text}" if block.label else text)
        case LogLines():
            yield from map(strip_invisible, block.lines)
