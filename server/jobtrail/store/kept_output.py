"""Says how much is kept of an output, and what stands in it for what was not.

Recording and importing write that and reading a log finds it, so that what lost something never reads as a whole log.
"""

from __future__ import annotations

import re

LINES = 200
"""The last so many lines are kept, or fewer where they are long."""
BYTES = 262_144
"""Of all lines that are kept."""
LINE_BYTES = BYTES // 2
"""Of a line its beginning is kept, so that one line never takes the place of all others."""

_CUT = "… [the rest of this line was not kept]"
_DROPPED = re.compile(r"\[(?:([0-9][0-9,]{0,20}) )?earlier lines were not kept\]")


def format_dropped(count: int | None) -> str:
    """Return the line that stands for a number of lines before it; None is an unknown number."""
    return f"[{count:,} earlier lines were not kept]" if count else "[earlier lines were not kept]"


def count_dropped(text: str) -> int | None:
    """Return how many lines such a line stands for, 0 for an unknown number; None for any other line."""
    found = _DROPPED.fullmatch(text.strip())
    return int((found[1] or "0").replace(",", "")) if found else None


def mark_cut(text: str) -> str:
    """Return the beginning of a line with what stands for its rest."""
    return text + _CUT


def is_cut(text: str) -> bool:
    """Return whether a line as it was kept is only the beginning of what was written."""
    return text.endswith(_CUT)
