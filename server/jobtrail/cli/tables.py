"""An answer's text laid out for a person: the header apart, rows as a table, what can be typed as it is typed.

Everything is taken from the text that agents read, so that nobody sees more or less than they do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from jobtrail.cli.calls import typed

if TYPE_CHECKING:
    from collections.abc import Sequence

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
_PROSE = {"about", "reason", "cause", "example", "trouble", "open", "tasks", "time"}
"""Columns that may be folded, which ids and times are not as long as there is room."""
_LEAST_PROSE = 16
_LABEL = re.compile(r"(verdict|record|labels|note|error|more|next|older|newer|log|duration|environment[^:]*): ?")
_TYPED = {"more", "next", "older", "newer", "note"}
_PARTIAL = re.compile(r"NOT COMPLETE|PARTIAL|more to read|SAMPLE DATA")
_WORD = re.compile(r"[a-z]+")


def lay_out(console: Console, text: str, rows: int | None) -> None:
    """Print an answer.

    Args:
        console: where to.
        text: of the answer, as agents read it.
        rows: how many rows its list has; None for an answer that is no list.
    """
    first, *lines = text.split("\n")
    _header(console, first)
    place = 0
    while place < len(lines):
        length = _table_length(lines[place:], rows if place == 0 else None)
        if length:
            _table(console, lines[place : place + length])
        else:
            _line(console, lines[place])
        place += length or 1


def _header(console: Console, line: str) -> None:
    """Print what it is about, and beneath how much of the truth it covers."""
    what, *facts = line.split(" · ")
    console.print(Text(what, style="bold"))
    if facts:
        covered = Text(" · ".join(facts), style="dim")
        covered.highlight_regex(_PARTIAL, style="not dim yellow")
        console.print(covered)


def _table_length(lines: Sequence[str], rows: int | None) -> int:
    """Return how many of the next lines are a table, its head included."""
    if rows:
        return rows + 1
    count = 0
    while count < len(lines) and "\t" in lines[count]:
        count += 1
    return count


def _table(console: Console, lines: Sequence[str]) -> None:
    names = lines[0].split("\t")
    cells = [line.split("\t") for line in lines[1:]]
    cells = [[*row, *[""] * (len(names) - len(row))] for row in cells]
    if "open" in names:
        place = names.index("open")
        cells = [[typed(cell) if index == place else cell for index, cell in enumerate(row)] for row in cells]
    widths = [max(len(row[index]) for row in [names, *cells]) for index in range(len(names))]
    fixed = sum(width for name, width in zip(names, widths, strict=True) if name not in _PROSE)
    prose = sum(min(width, _LEAST_PROSE) for name, width in zip(names, widths, strict=True) if name in _PROSE)
    gap = next((gap for gap in (2, 1) if fixed + prose + gap * len(names) <= console.width), 0)
    # What is not folded would be cut where there is no room for it, and an id that is cut is none.
    roomy = gap > 0
    table = Table(box=None, padding=(0, gap or 1, 0, 0), pad_edge=False, header_style="bold", expand=False)
    for name in names:
        right = name in _COUNTS and all(_is_count(row[names.index(name)]) for row in cells)
        table.add_column(
            Text(name),
            justify="right" if right else "left",
            no_wrap=roomy and name not in _PROSE,
            overflow="fold",
        )
    for row in cells:
        table.add_row(*(Text(cell, style=_style(name, cell)) for name, cell in zip(names, row, strict=True)))
    console.print(table)


def _is_count(cell: str) -> bool:
    return not cell or cell.lstrip("-").replace(",", "").isdecimal()


def _style(name: str, cell: str) -> str:
    if name == "status":
        words = _WORD.findall(cell.rpartition("→")[2])
        return _COLOURS.get(words[0], "") if words else ""
    if name == "recovered":
        return {"yes": "green", "no": "red"}.get(cell, "")
    return "red" if name in {"failed", "timeout"} and cell not in {"", "0"} else ""


def _line(console: Console, line: str) -> None:
    """Print a line that is no row; one to be typed, or of a log, is not broken."""
    match = _LABEL.match(line)
    if match is None:
        console.print(Text(line), soft_wrap="| " in line)
        return
    label, rest = match[1], line[match.end() :]
    style = {"error": "bold red", "note": "yellow"}.get(label, "bold")
    written = typed(rest) if label in _TYPED else rest
    text = Text.assemble((f"{label}: ", style), (written, _verdict_style(label, rest)))
    console.print(text, soft_wrap=label in _TYPED - {"note"})


def _verdict_style(label: str, rest: str) -> str:
    words = _WORD.findall(rest) if label == "verdict" else []
    return _COLOURS.get(words[0], "") if words else ""
