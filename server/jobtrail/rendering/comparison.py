"""Renders a comparison: what differs, what is the same, the tasks that differ, and since when the causes occur."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobtrail.rendering.blocks import Caveat, Header, Line, OwnText, StatusText, Table
from jobtrail.rendering.parts import (
    make_next_lines,
    make_note_lines,
    write_count,
    write_fields,
    write_source,
)
from jobtrail.text import count_noun, quote_unless_word
from jobtrail.times import format_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobtrail.models import CauseDifference, ComparedAttempt, Comparison, Difference, TaskDifference
    from jobtrail.rendering.blocks import Block, Cell


def render_comparison(one: Comparison) -> list[Block]:
    """Return the blocks of a comparison."""
    title = f"comparison of {quote_unless_word(one.job)} {quote_unless_word(one.this.id)}"
    if one.base:
        title += f" with {quote_unless_word(one.base.id)}"
    return [
        Header(title, [write_source(one.source, one.sample), *_write_tasks_read(one)]),
        Line(one.verdict, "verdict", one.this.status),
        *_make_table([_make_difference_row(difference, one) for difference in one.differences]),
        Line(write_fields(one.same), "same") if one.same else Line(""),
        Line(f"not told, so not compared: {', '.join(one.not_compared or ())}" if one.not_compared else ""),
        *_make_table([_make_task_row(task) for task in one.tasks]),
        Line(_write_look_back(one) if one.causes else ""),
        *_make_table([_make_cause_row(cause, one) for cause in one.causes]),
        *make_note_lines(one.notes),
        *make_next_lines(one.next_calls),
    ]


def _write_tasks_read(one: Comparison) -> list[str]:
    """Return how many tasks of each were read."""
    sides = [side for side in (one.this, one.base) if side and side.tasks_read is not None]
    if not sides:
        return []
    read = " and ".join(_write_part(side) for side in sides)
    whole = all((side.tasks_read or 0) >= (side.tasks or 0) for side in sides)
    text = f"tasks read {read}"
    return [text if whole else Caveat(f"{text}: NOT ALL COMPARED")]


def _write_part(side: ComparedAttempt) -> str:
    return f"{side.tasks_read or 0:,}" + ("" if side.tasks is None else f" of {side.tasks:,}")


def _make_table(rows: Sequence[Mapping[str, Cell]]) -> list[Table]:
    """Return a table without its empty columns; none without rows."""
    columns = [name for name in rows[0] if any(row[name] for row in rows)] if rows else []
    return [Table(columns, [[row[name] for name in columns] for row in rows])] if rows else []


def _make_difference_row(difference: Difference, one: Comparison) -> dict[str, Cell]:
    this, base = difference.this, difference.base
    status = difference.what == "status" and one.base is not None
    return {
        # What is not ours in it was quoted where it was made.
        "what": OwnText(difference.what),
        "this": StatusText(this, one.this.status) if status else this,
        "base": StatusText(base, one.base.status) if status and one.base else base,
        "change": OwnText(difference.change or ""),
    }


def _make_task_row(task: TaskDifference) -> dict[str, Cell]:
    return {
        "task": task.name,
        "change": OwnText(task.change),
        "this": OwnText(task.this or ""),
        "base": OwnText(task.base or ""),
    }


def _write_look_back(one: Comparison) -> str:
    """Return how far back the causes were looked for."""
    seen, noun = one.coverage, one.kind
    if not seen.scanned:
        return f"causes; there is no {noun} before it" if seen.complete else f"causes; no {noun} before it was read"
    reach = "all that is kept" if seen.complete else f"not all of them, back to {format_time(seen.back_to)}"
    failures = count_noun(seen.matched, "failure")
    return f"causes, and since when among {failures} of the {count_noun(seen.scanned, noun)} before it ({reach}):"


def _make_cause_row(cause: CauseDifference, one: Comparison) -> dict[str, Cell]:
    since = format_time(cause.first_at) if cause.before else "new" if one.coverage.complete else "not seen before"
    return {
        "before": write_count(cause.before),
        "cause": cause.cause,
        "tasks": write_count(cause.tasks),
        "in base": write_count(cause.in_base),
        "since": OwnText(since),
        "first": cause.first if cause.first != one.this.id else "",
    }
