"""What answers over all jobs and sources say of themselves: which sources, and how much of them was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobtrail.models import Sentence
from jobtrail.rendering.blocks import Caveat, Line
from jobtrail.rendering.parts import write_names
from jobtrail.text import quote_unless_word
from jobtrail.times import format_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jobtrail.models import Everywhere


def write_sources(one: Everywhere) -> str:
    """Return the sources of an answer, and which show sample data."""
    named = (f"{name} (SAMPLE DATA)" if name in (one.sample or ()) else name for name in one.sources)
    sources = f"sources {', '.join(named)}"
    return Caveat(sources) if one.sample else sources


def write_jobs(one: Everywhere) -> str:
    """Return how many jobs an answer is about."""
    return f"{one.jobs:,} {'job or task' if one.jobs == 1 else 'jobs and tasks'}"


def write_reach(one: Everywhere) -> str:
    """Return whether everything was read, or what was."""
    if one.coverage.complete:
        return "complete"
    if one.errors and not one.cursor:
        return f"NOT COMPLETE: all but {write_names(one.errors)} read whole"
    back = f", back to {format_time(one.coverage.back_to)}" if one.coverage.back_to else ""
    if not one.cursor and not back:
        return "NOT COMPLETE: rows may be missing"
    return f"NOT COMPLETE{back}"


def make_error_lines(one: Everywhere) -> Iterable[Line]:
    """Return a line for each source, or part of one, that could not be read."""
    return (
        Line(Sentence(f"{quote_unless_word(name)}: ", text), "error") for name, text in (one.errors or {}).items()
    )
