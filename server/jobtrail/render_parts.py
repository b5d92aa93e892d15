"""The parts of which answers are written: times, tables, and what every answer says of itself."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobtrail.models import Note, Window

__all__ = [
    "count_text",
    "duration",
    "fields_line",
    "inline",
    "note_lines",
    "of_source",
    "stamp",
    "table",
    "window_text",
]

_OURS = re.compile(r"(more|older|newer|next|note|log|verdict|record|labels|environment|last)\b.*?:", re.IGNORECASE)


def stamp(moment: datetime | None) -> str:
    """Return a moment to the second in UTC; nothing where it is not known."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def duration(seconds: float | None) -> str:
    """Return seconds as `1m32s` or `1h`; under ten seconds with one decimal, under one in milliseconds."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 10:  # noqa: PLR2004 # where tenths begin to matter
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    written = [f"{value}{unit}" if unit == "h" else f"{value:02}{unit}" for value, unit in parts if value]
    return "".join(written).lstrip("0")


def count_text(value: int | None) -> str:
    """Return a count as a cell; nothing where it is not known."""
    return "" if value is None else str(value)


def table(rows: Sequence[Mapping[str, str]]) -> tuple[str, list[str]]:
    """Return the columns that are the same in every row, and the lines of the others."""
    if not rows:
        return "", []
    columns = [name for name in rows[0] if any(row[name] for row in rows)]
    same = [name for name in columns[1:] if len(rows) > 1 and len({row[name] for row in rows}) == 1]
    shown = [name for name in columns if name not in same]
    lines = ["\t".join(shown), *(_row([row[name] for name in shown]) for row in rows)]
    return ", ".join(f"{name} {inline(rows[0][name])}" for name in same), lines


def _row(cells: Sequence[str]) -> str:
    """Return a row; a first cell that reads like a line of ours is quoted."""
    first, *rest = cells
    return "\t".join([repr(first) if _OURS.match(first) else first, *rest]).rstrip()


def inline(cell: str) -> str:
    """Return a cell for a header, without what separates the header's own facts."""
    return cell.replace("·", "•")


def of_source(source: str, sample: bool | None) -> str:  # noqa: FBT001 # a field of every answer
    """Return whose answer it is."""
    return f"source {source}" + (", SAMPLE DATA" if sample else "")


def note_lines(notes: Sequence[Note] | None) -> list[str]:
    """Return a line for each note."""
    return [f"note: {note}" for note in notes or ()]


def fields_line(row: Mapping[str, str], *skip: str) -> str:
    """Return the cells of one thing on a line, those that are empty or to be skipped left out."""
    return " · ".join(f"{name} {inline(value)}" for name, value in row.items() if value and name not in skip)


def window_text(window: Window) -> str:
    """Return a window's bounds and the server's now."""
    bounds = [
        f"{word} {stamp(moment)}" for word, moment in (("since", window.since), ("until", window.until)) if moment
    ]
    zone = f", times without a zone taken in {window.zone}" if window.zone else ""
    return f"{' '.join(bounds)} (now {stamp(window.now)}{zone})"
