"""Print an answer's blocks for a person: a header, tables, and calls as commands.

If the terminal is too narrow, prose is cut short or rows are printed one under the other; ids, names and times are
always shown whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from jobtrail.cli.command_lines import format_text
from jobtrail.models import Call
from jobtrail.rendering import blocks
from jobtrail.vocabulary import ENDED, FAILURES, STATUSES, UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

_COLOURS: dict[str, str] = {
    **dict.fromkeys(UNFINISHED, "cyan"),
    **dict.fromkeys(ENDED, "yellow"),
    **dict.fromkeys(FAILURES, "red"),
    "succeeded": "green",
    "deployed": "green",
    "unknown": "magenta",
}
"""By status; `deployed` is a job's."""
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
    *STATUSES,
}
_PROSE = {"about", "reason", "cause", "example", "trouble"}
"""Columns that may be cut short; ids, names, times and commands never are."""
_LEAST_PROSE = 16
_GAP = 2


def print_blocks(console: Console, answer: Iterable[blocks.Block]) -> None:
    """Print an answer."""
    for block in answer:
        match block:
            case blocks.Header():
                _print_header(console, block)
            case blocks.Table():
                cells = [
                    [cell if isinstance(cell, blocks.StatusText) else format_text(cell) for cell in row]
                    for row in block.rows
                ]
                _print_table(console, block.columns, cells)
            case blocks.Line():
                _print_line(console, block)
            case blocks.LogLines():
                for line in block.lines:
                    console.print(Text(line), soft_wrap=True)


def _print_header(console: Console, header: blocks.Header) -> None:
    """Print the title, and under it the coverage."""
    console.print(Text(header.title, style="bold"))
    facts = [fact for fact in header.facts if fact]
    if facts:
        styled = [Text(fact, style="not dim yellow" if isinstance(fact, blocks.Caveat) else "") for fact in facts]
        covered = Text(" · ").join(styled)
        covered.stylize_before("dim")
        console.print(covered)


def _print_table(console: Console, names: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    room = _measure_prose(console.width, names, cells)
    if room is None:
        _print_records(console, names, cells)
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
        table.add_row(*(Text(cell, style=_choose_style(name, cell)) for name, cell in zip(names, row, strict=True)))
    console.print(table)


def _measure_prose(width: int, names: Sequence[str], cells: Sequence[Sequence[str]]) -> int | None:
    """Return the greatest width of a prose column; None if the other columns are too wide for one line."""
    widths = [max(cell_len(row[index]) for row in [names, *cells]) for index in range(len(names))]
    prose = [wide for name, wide in zip(names, widths, strict=True) if name in _PROSE]
    left = width - (sum(widths) - sum(prose)) - _GAP * (len(names) - 1)
    if left < sum(min(wide, _LEAST_PROSE) for wide in prose):
        return None
    # Columns that fit are not cut; only the widest become narrower.
    room = max(prose, default=0)
    while sum(min(wide, room) for wide in prose) > left:
        room -= 1
    return room


def _print_records(console: Console, names: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """Print rows one under the other, a line for each cell; only prose is wrapped, between words."""
    first, *rest = names
    for row in cells:
        head = f"{first} {row[0]}" if first in _COUNTS else row[0]
        console.print(Text(head, style=_choose_style(first, row[0]) or "bold"), soft_wrap=True)
        for name, cell in zip(rest, row[1:], strict=True):
            if cell:
                text = Text.assemble((f"{name} ", "dim"), (cell, _choose_style(name, cell)))
                if name in _PROSE:
                    # Every line of a wrapped text is indented, so none can pose as a line of ours.
                    console.print(Padding(text, (0, 0, 0, 2), expand=False))
                else:
                    console.print(Text("  ") + text, soft_wrap=True)


def _is_count(cell: str) -> bool:
    return not cell or cell.lstrip("-").replace(",", "").isdecimal()


def _choose_style(name: str, cell: str) -> str:
    if isinstance(cell, blocks.StatusText):
        return _COLOURS.get(cell.status, "")
    if name == "recovered":
        return "red" if cell == "no" else "green"
    return "red" if name in {"failed", "timeout"} and cell not in {"", "0"} else ""


def _print_line(console: Console, line: blocks.Line) -> None:
    """Print a line that is no row; a command is not wrapped."""
    written = format_text(line.text)
    if not written:
        return
    if not line.label:
        console.print(Text(written))
        return
    style = {"error": "bold red", "note": "yellow"}.get(line.label, "bold")
    text = Text.assemble((f"{line.label}: ", style), (written, _COLOURS.get(line.status, "")))
    console.print(text, soft_wrap=isinstance(line.text, Call))
