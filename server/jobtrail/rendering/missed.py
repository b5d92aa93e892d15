"""What did not run as it was due, as text: what was judged, a row for each job or stretch, and what is due next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobtrail.rendering.blocks import Caveat, Header, Line, OwnText, StatusText
from jobtrail.rendering.everywhere import make_error_lines, write_jobs, write_reach, write_sources
from jobtrail.rendering.parts import (
    make_cursor_line,
    make_note_lines,
    make_table,
    write_count,
    write_window,
)
from jobtrail.text import quote_unless_word
from jobtrail.times import format_duration, format_time

if TYPE_CHECKING:
    from jobtrail.models import Missed, Overdue
    from jobtrail.rendering.blocks import Block, Cell


def render_missed(one: Missed) -> list[Block]:
    """Return the blocks of an answer; it says that nothing was missed only if everything was judged."""
    same, rows = make_table([make_overdue_row(row) for row in one.items])
    judged = _write_judged(one)
    facts = [
        write_sources(one),
        f"schedules of {one.scheduled:,} of {write_jobs(one)}",
        judged if one.coverage.complete else Caveat(judged),
        write_window(one.window),
        same,
    ]
    due = ", ".join(f"{quote_unless_word(row.job)} {format_time(row.at)}" for row in one.next_due)
    return [
        Header(f"due times of {quote_unless_word(one.job)}" if one.job else "due times", facts),
        *rows,
        *([] if one.items else [Line(_write_nothing(one))]),
        Line(f"next due: {due}" if due else ""),
        *make_error_lines(one),
        *make_note_lines(one.notes),
        *make_cursor_line("more", "find_missed", one.cursor),
    ]


def _write_judged(one: Missed) -> str:
    counts = [f"{one.due:,} due", f"{one.missed:,} missed", f"{one.late:,} late", f"{one.skipped:,} skipped"]
    if len(one.items) < one.found:
        counts.append(f"{len(one.items):,} of {one.found:,} rows")
    return ", ".join([*counts, _write_reach(one)])


def _write_reach(one: Missed) -> str:
    unjudged = not one.coverage.complete and not one.errors and not one.cursor
    return "NOT COMPLETE, see the notes" if unjudged else write_reach(one)


def _write_nothing(one: Missed) -> str:
    if not one.scheduled:
        return "nothing here has a schedule, so nothing says what is due"
    if not one.coverage.complete:
        return "nothing was missed, late, held or skipped in what was judged, which is not all"
    if not one.due:
        return "nothing was due in what was judged" if one.notes else "nothing was due in this window"
    ran = f"nothing was missed: all {one.due:,} that were due ran" if one.due > 1 else "the one that was due ran"
    begins, since = one.coverage.back_to, one.window.since
    return f"{ran}, from {format_time(begins)} on" if begins and since and begins > since else ran


def make_overdue_row(row: Overdue) -> dict[str, Cell]:
    """Return the cells of a row, by column."""
    missed = write_count(row.missed)
    return {
        "job": row.job,
        "state": StatusText(row.state, row.state),
        "due": write_count(row.due),
        "missed": OwnText(f"{missed} ({row.told} told)" if row.told else missed),
        "late": write_count(row.late),
        "late by": OwnText(format_duration(row.late_by_s)),
        "skipped": write_count(row.skipped),
        "reason": row.reason or "",
        "first": format_time(row.first_at),
        "last": format_time(row.last_at) if row.last_at != row.first_at else "",
        "next due": format_time(row.next_due_at),
        "schedule": row.schedule or "",
        "source": row.source,
        "open": row.open or "",
    }
