"""What is going on as text: a row for each execution or run that has not ended, and what could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobtrail.rendering.blocks import Caveat, Header, Line, OwnText
from jobtrail.rendering.everywhere import make_error_lines, write_jobs, write_reach, write_sources
from jobtrail.rendering.parts import (
    make_cursor_line,
    make_note_lines,
    make_table,
    write_count,
    write_names,
    write_status,
    write_window,
)
from jobtrail.text import count_noun
from jobtrail.times import format_duration, format_time

if TYPE_CHECKING:
    from jobtrail.models import ActiveAttempt, ActivePage
    from jobtrail.rendering.blocks import Block, Cell


def render_active(one: ActivePage) -> list[Block]:
    """Return the blocks of an answer; it says that nothing is going on only if everything was read."""
    seen = one.coverage
    same, rows = make_table([make_active_row(attempt) for attempt in one.items])
    counted = f"{count_noun(len(one.items), 'row')} of {seen.matched:,}, {seen.scanned:,} scanned, {write_reach(one)}"
    facts = [
        write_sources(one),
        write_jobs(one),
        counted if seen.complete else Caveat(counted),
        f"created_at:asc {write_window(one.window).strip()}",
        same,
    ]
    return [
        Header("queued or running", facts),
        *rows,
        *([] if one.items else [Line(_write_nothing(one))]),
        *make_error_lines(one),
        *make_note_lines(one.notes),
        *make_cursor_line("more", "list_active", one.cursor),
    ]


def _write_nothing(one: ActivePage) -> str:
    if one.coverage.complete and one.unknown:
        return "nothing is queued or running among what has a known status; whether the rest has ended is not known"
    if one.coverage.complete:
        asked = "the one there is was asked" if one.jobs == 1 else f"all {one.jobs:,} jobs and tasks were asked"
        return f"nothing is queued or running: {asked}"
    if one.errors and not one.cursor:
        return f"nothing is queued or running in what was read; for {write_names(one.errors)} it is not known"
    return "nothing is queued or running in what was read, which is not all"


def make_active_row(one: ActiveAttempt) -> dict[str, Cell]:
    """Return the cells of something unfinished, by column."""
    return {
        "job": one.job,
        "source": one.source,
        "kind": one.kind,
        "id": one.id,
        "status": write_status(one),
        "since": format_time(one.since),
        "so far": "" if one.so_far_s is None else OwnText(format_duration(one.so_far_s or None) or "0s"),
        "attempt": write_count(one.attempt),
        "instance": write_count(one.instance),
        "tasks done": OwnText(f"{one.done or 0:,} of {one.tasks:,}") if one.tasks is not None else "",
        "usual": OwnText(_write_usual(one)),
        "stands out": OwnText(one.verdict or ""),
    }


def _write_usual(one: ActiveAttempt) -> str:
    if one.usual_of is None:
        return ""
    return f"p50 {format_duration(one.p50_s)}, p95 {format_duration(one.p95_s)} of {one.usual_of}"
