"""An answer's blocks printed for a person: the header apart, rows as a table, what can be typed as it is typed.

Where a terminal is too narrow, prose is cut short, or rows are laid out one under the other; ids, names and times are
shown whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from jobtrail.cli.command_lines import with_commands
from jobtrail.models import Call
from jobtrail.rendering import blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

__all__ = ["lay_out"]

_COLOURS = {
    "succeeded": "green", "deployed": "green", "failed": "red", "timeout": "red", "running": "cyan", "queued": "cyan",
    "cancelled": "yellow", "skipped": "yellow", "unknown": "magenta",
}  # fmt: skip
_COUNTS = {
    "count",
    "tasks",
    "ok",
    "failed",
    "running",
    "cancelled",
    "retried",
    "exit",
    "attempt",
    "instance",
    *_COLOURS,
}
_PROSE = {"about", "reason", "cause", "example", "trouble"}
"""Columns that may be cut short where there is no room; ids, names, times and what can be typed never are."""
_LEAST_PROSE = 16
_GAP = 2
_PARTIAL = re.compile(r"NOT COMPLETE|PARTIAL|more to read|SAMPLE DATA")
_WORD = re.compile(r"[a-z]+")


def lay_out(console: Console, answer: Iterable[blocks.Block]) -> None:
    """Print an answer."""
    for block in answer:
        match block:
            case blocks.Header():
                _header(console, block)
            case blocks.Table():
                cells = [[with_commands(cell) for cell in row] for row in block.rows]
                _table(console, block.columns, cells)
            case blocks.Line():
                _line(console, block)
            case blocks.LogLines():
                for line in block.lines:
                    console.print(Text(line), soft_wrap=True)


def _header(console: Console, header: blocks.Header) -> None:
    """Print what it is about, and beneath how much of the truth it covers."""
    console.print(Text(header.title, style="bold"))
    facts = [fact for fact in header.facts if fact]
    if facts:
        covered = Text(" · ".join(facts), style="dim")
        covered.highlight_regex(_PARTIAL, style="not dim yellow")
        console.print(covered)


def _table(console: Console, names: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    room = _room(console.width, names, cells)
    if room is None:
        _records(console, names, cells)
        return
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold", expand=False)
    for name in names:
        right = name in _COUNTS and all(_is_count(row[names.index(name)]) for row in cells)
        table.add_column(
            Text(name),
            justify="right" if right else "left",
            no_wrap=True,
            overflow="ellipsis",
            max_width=room if name in _PROSE else None,
        )
    for row in cells:
        table.add_row(*(Text(cell, style=_style(name, cell)) for name, cell in zip(names, row, strict=True)))
    console.print(table)


def _room(width: int, names: Sequence[str], cells: Sequence[Sequence[str]]) -> int | None:
    """Return how wide a column of prose may be; None where even the others have no room beside each other."""
    widths = [max(cell_len(row[index]) for row in [names, *cells]) for index in range(len(names))]
    prose = [wide for name, wide in zip(names, widths, strict=True) if name in _PROSE]
    left = width - (sum(widths) - sum(prose)) - _GAP * (len(names) - 1)
    if left < sum(min(wide, _LEAST_PROSE) for wide in prose):
        return None
    # What fits is not cut: the room is that of the widest which has to give.
    room = max(prose, default=0)
    while sum(min(wide, room) for wide in prose) > left:
        room -= 1
    return room


def _records(console: Console, names: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """Print rows one under the other, a line for each cell; prose is broken between words, and nothing else is."""
    first, *rest = names
    for row in cells:
        head = f"{first} {row[0]}" if first in _COUNTS else row[0]
        console.print(Text(head, style=_style(first, row[0]) or "bold"), soft_wrap=True)
        for name, cell in zip(rest, row[1:], strict=True):
            if cell:
                text = Text.assemble((f"  {name} ", "dim"), (cell, _style(name, cell)))
                console.print(text, soft_wrap=name not in _PROSE)


def _is_count(cell: str) -> bool:
    return not cell or cell.lstrip("-").replace(",", "").isdecimal()


def _style(name: str, cell: str) -> str:
    if name == "status":
        words = _WORD.findall(cell.rpartition("→")[2])
        return _COLOURS.get(words[0], "") if words else ""
    if name == "recovered":
        return {"yes": "green", "no": "red"}.get(cell, "")
    return "red" if name in {"failed", "timeout"} and cell not in {"", "0"} else ""


def _line(console: Console, line: blocks.Line) -> None:
    """Print a line that is no row; one that can be typed is not broken."""
    written = with_commands(line.text)
    if not written:
        return
    if not line.label:
        console.print(Text(written))
        return
    style = {"error": "bold red", "note": "yellow"}.get(line.label, "bold")
    words = _WORD.findall(written) if line.label == "verdict" else []
    colour = _COLOURS.get(words[0], "") if words else ""
    text = Text.assemble((f"{line.label}: ", style), (written, colour))
    console.print(text, soft_wrap=isinstance(line.text, Call))
