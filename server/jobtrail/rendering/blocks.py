"""The blocks that an answer is printed from, and their text for agents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobtrail.models import Call, Sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Self


class StatusText(str):
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


@dataclass(frozen=True)
class Header:
    """The first line: what the answer is about, and how much it covers."""

    title: str
    facts: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Rows under named columns."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


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


def to_text(blocks: Iterable[Block]) -> str:
    """Return the text that agents read."""
    return "\n".join(line for block in blocks for line in _write_lines(block))


def _write_lines(block: Block) -> Iterator[str]:
    match block:
        case Header():
            yield " · ".join(filter(None, (block.title, *block.facts)))
        case Table():
            for row in (block.columns, *block.rows):
                yield "\t".join(map(str, row)).rstrip()
        case Line():
            if text := str(block.text):
                yield f"{block.label}: {text}" if block.label else text
        case LogLines():
            yield from block.lines
