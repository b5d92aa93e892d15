"""Parts that several answers share: counts, tables, notes, next calls and the source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobtrail.models import Call
from jobtrail.rendering.blocks import Caveat, Line, OwnText, StatusText, Table, write_field
from jobtrail.text import quote_unless_word
from jobtrail.times import format_duration, format_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jobtrail.models import ActiveAttempt, Awaited, ListedExecution, ListedRun, ListedTask, Note, Window
    from jobtrail.rendering.blocks import Cell


SEARCHED = "searched"
"""Among filters: in what the text that was given is searched."""


def write_count(value: int | None) -> str:
    """Return a count as a cell; nothing where it is not known."""
    return "" if value is None else str(value)


def write_duration(one: ListedExecution | ListedTask | ListedRun | Awaited) -> OwnText:
    """Return how long something took, or has been unfinished so far."""
    if one.so_far_s is not None:
        return OwnText(f"{format_duration(one.so_far_s or None) or '0s'} so far")
    return OwnText(format_duration(one.duration_s))


def write_status(one: ListedExecution | ListedTask | ListedRun | Awaited | ActiveAttempt) -> StatusText:
    """Return a status, the upstream's own word where that is another, and its judgement where that is another."""
    status, judged = one.status or "", getattr(one, "failure", None)
    raw = f" ({quote_unless_word(one.raw_status)})" if one.raw_status else ""
    verdict = "" if judged is None else ", a failure" if judged else ", no failure"
    return StatusText(f"{status}{raw}{verdict}", status)


def make_table(rows: Sequence[Mapping[str, Cell]]) -> tuple[str, list[Table]]:
    """Return the columns that are the same in every row as text, and a table of the others; none without rows."""
    if not rows:
        return "", []
    columns = [name for name in rows[0] if any(row[name] for row in rows)]
    same = [name for name in columns[1:] if len(rows) > 1 and _is_the_same([row[name] for row in rows])]
    shown = [name for name in columns if name not in same]
    constant = ", ".join(f"{name} {write_field(rows[0][name])}" for name in same)
    table = Table(shown, [[row[name] for name in shown] for row in rows])
    return f"every row: {constant}" if same else "", [table]


def _is_the_same(cells: Sequence[Cell]) -> bool:
    """Return whether a column can stand once in the header; calls stay in their rows, to be made."""
    return len(set(cells)) == 1 and not isinstance(cells[0], Call)


def write_names(names: Iterable[str]) -> OwnText:
    """Return names that are not ours as a list between commas."""
    return OwnText(", ".join(map(quote_unless_word, names)))


def write_source(source: str, sample: bool | None) -> str:  # noqa: FBT001 # a field of every answer
    """Return the source of an answer, and that it is sample data if it is."""
    return Caveat(f"source {source}, SAMPLE DATA") if sample else f"source {source}"


def make_note_lines(notes: Sequence[Note] | None) -> list[Line]:
    """Return a line for each note."""
    return [Line(note, "note") for note in notes or ()]


def make_next_lines(calls: Sequence[Call | str]) -> list[Line]:
    """Return a line for each next call."""
    return [Line(call, "next") for call in calls]


def make_cursor_line(label: str, tool: str, cursor: str | None) -> list[Line]:
    """Return the line that continues an answer; none without a cursor."""
    return [Line(Call(tool, {"cursor": cursor}), label)] if cursor else []


def write_filters(filters: Mapping[str, str] | None) -> str:
    """Return what was asked for; in what a text was searched is said in words of ours."""
    return ", ".join(
        f"{name} in {value}" if name == SEARCHED else f"{name} {write_field(value)}"
        for name, value in (filters or {}).items()
    )


def write_fields(row: Mapping[str, str], *skip: str) -> str:
    """Return the cells of one thing on a line, those that are empty or to be skipped left out."""
    return " · ".join(f"{name} {write_field(value)}" for name, value in row.items() if value and name not in skip)


def write_window(window: Window) -> str:
    """Return a window's bounds and the server's now."""
    bounds = [
        f"since {format_time(window.since)}" if window.since else "",
        f"until {format_time(window.until)} inclusive" if window.until else "",
    ]
    zone = f", times without a zone taken in {window.zone}" if window.zone else ""
    return f"{' '.join(filter(None, bounds))} (now {format_time(window.now)}{zone})"
