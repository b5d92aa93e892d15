"""Print an answer's blocks for a person: a header, tables, and calls as commands.

If the terminal is too narrow, prose is cut short, then the columns that matter less go beneath their row; where not
even names and statuses fit, rows are printed one under the other. Ids, names and times are always shown whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len
from rich.padding import Padding
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
    "due",
    "late",
    "runs",
    "failures",
    *STATUSES,
}
_PROSE = {"about", "reason", "cause", "example", "trouble"}
"""Columns that may be cut short; ids, names, times and commands never are."""
_ESSENTIAL = {"job", "name", "task", "status", "state", "last"}
"""Columns that stay in their row, with the first one, while there is room for any."""
_COMMANDS = {"open"}
_BENEATH = {"id", "kind", "source", "schedule", "usual", "stands out", *_PROSE, *_COMMANDS}
"""Columns that leave their row before all others."""
_Side = Literal["left", "right"]
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
    """Print a line a row if all columns fit, else those that matter most, and the others beneath their row."""
    widths = _measure_columns(console.width, names, cells)
    fits = _sum_widths(widths) <= console.width
    kept = [*range(len(names))] if fits else _choose_columns(console.width, names, widths)
    if not kept:
        _print_records(console, names, cells)
        return
    rest = [at for at in range(len(names)) if at not in kept]
    sides: dict[int, _Side] = {at: _choose_side(names[at], [row[at] for row in cells]) for at in kept}

    def print_line(row: Sequence[Text]) -> None:
        for at, side in sides.items():
            row[at].truncate(widths[at], overflow="ellipsis")
            row[at].align(side, widths[at])
        line = Text(" " * _GAP).join(row[at] for at in kept)
        line.rstrip()
        console.print(line, soft_wrap=True)

    print_line([Text(name, style="bold") for name in names])
    for row in cells:
        print_line([Text(cell, style=_choose_style(name, cell)) for name, cell in zip(names, row, strict=True)])
        _print_beneath(console, [names[at] for at in rest], [row[at] for at in rest])


def _choose_side(name: str, cells: Sequence[str]) -> _Side:
    return "right" if name in _COUNTS and all(map(_is_count, cells)) else "left"


def _measure_columns(width: int, names: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int]:
    """Return the columns' widths; prose is as narrow as it has to be, and no narrower than it may be."""
    widths = [max(cell_len(row[index]) for row in [names, *cells]) for index in range(len(names))]
    prose = [index for index, name in enumerate(names) if name in _PROSE]
    widest = max((widths[index] for index in prose), default=0)
    # Columns that fit are not cut; only the widest become narrower.
    while _sum_widths(widths) > width and widest > _LEAST_PROSE:
        widest -= 1
        widths = [min(wide, widest) if index in prose else wide for index, wide in enumerate(widths)]
    return widths


def _sum_widths(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _choose_columns(width: int, names: Sequence[str], widths: Sequence[int]) -> list[int]:
    """Return the columns that stay beside each other: what a row is about first; none if not even that fits."""
    about = [index for index, name in enumerate(names) if index == 0 or name in _ESSENTIAL]
    rest = [index for index, name in enumerate(names) if index not in about and name not in _BENEATH]
    kept = about if _sum_widths([widths[index] for index in about]) <= width else []
    for index in rest if kept else ():
        if _sum_widths([widths[one] for one in [*kept, index]]) <= width:
            kept = sorted([*kept, index])
    return kept


def _print_beneath(console: Console, names: Sequence[str], row: Sequence[str]) -> None:
    """Print the cells that have no room in their row, as many to a line as fit; prose and commands have their own."""
    line = Text()
    for name, cell in zip(names, row, strict=True):
        own_line = name in _PROSE or name in _COMMANDS
        if line and (own_line or cell_len(line.plain) + len(name) + cell_len(cell) + 3 + _GAP >= console.width):
            console.print(line, soft_wrap=True)
            line = Text()
        if own_line:
            _print_cell(console, name, cell)
        elif cell:
            line.append(" · " if line else " " * _GAP)
            line.append(Text.assemble((f"{name} ", "dim"), (cell, _choose_style(name, cell))))
    if line:
        console.print(line, soft_wrap=True)


def _print_records(console: Console, names: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """Print rows one under the other, a line for each cell; only prose is wrapped, between words."""
    first, *rest = names
    for row in cells:
        head = f"{first} {row[0]}" if first in _COUNTS else row[0]
        console.print(Text(head, style=_choose_style(first, row[0]) or "bold"), soft_wrap=True)
        for name, cell in zip(rest, row[1:], strict=True):
            _print_cell(console, name, cell)


def _print_cell(console: Console, name: str, cell: str) -> None:
    """Print a cell on a line of its own, unless it is empty."""
    if not cell:
        return
    text = Text.assemble((f"{name} ", "dim"), (cell, _choose_style(name, cell)))
    if name in _PROSE:
        # Every line of a wrapped text is indented, so none can pose as a line of ours.
        console.print(Padding(text, (0, 0, 0, _GAP), expand=False))
    else:
        console.print(Text(" " * _GAP) + text, soft_wrap=True)


def _is_count(cell: str) -> bool:
    return not cell or cell.lstrip("-").replace(",", "").isdecimal()


def _choose_style(name: str, cell: str) -> str:
    if isinstance(cell, blocks.StatusText):
        return _COLOURS.get(cell.status, "")
    if name == "recovered":
        return "red" if cell.startswith("no") else "green"
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
