"""Failures as text: what was searched, a row for each cause, and every source that could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobtrail.rendering.blocks import Caveat, Header, Line, OwnText, StatusText
from jobtrail.rendering.everywhere import make_error_lines, write_jobs, write_reach, write_sources
from jobtrail.rendering.parts import (
    make_cursor_line,
    make_note_lines,
    make_table,
    write_count,
    write_filters,
    write_names,
    write_window,
)
from jobtrail.times import format_time

if TYPE_CHECKING:
    from jobtrail.models import FailureCause, Failures
    from jobtrail.rendering.blocks import Block, Cell


def render_failures(one: Failures) -> list[Block]:
    """Return the blocks of an answer; it says that nothing failed only if everything was read."""
    seen = one.coverage
    same, rows = make_table([make_cause_row(cause) for cause in one.causes])
    scanned = f"{seen.matched:,} of {seen.scanned:,} scanned, {_write_causes(one)}{write_reach(one)}"
    facts = [
        write_sources(one),
        write_jobs(one),
        scanned if seen.complete else Caveat(scanned),
        write_filters(one.filters),
        write_window(one.window),
        same,
    ]
    return [
        Header("failures", facts),
        *rows,
        *([] if one.causes else [Line(_write_nothing_failed(one))]),
        *make_error_lines(one),
        *make_note_lines(one.notes),
        *make_cursor_line("more", "find_failures", one.cursor),
    ]


def _write_causes(one: Failures) -> str:
    """Return how many causes are shown of those that there are, and of how many failures causes were read."""
    shown, there = len(one.causes), one.causes_found
    parts = [
        f"{shown:,} of {there:,} causes" if shown < there else f"{there:,} {'cause' if there == 1 else 'causes'}"
    ]
    if one.failures_found is not None and one.causes_read is not None:
        parts.append(f"causes read of {one.causes_read:,} of {one.failures_found:,} failures")
    return f"{', '.join(parts)}, " if there else ""


def _write_nothing_failed(one: Failures) -> str:
    if one.coverage.complete and one.unknown:
        return "no failure among what has a known status; whether the rest failed is not known"
    if one.coverage.complete:
        asked = "the one there is was asked" if one.jobs == 1 else f"all {one.jobs:,} jobs and tasks were asked"
        reach = one.coverage.back_to if one.coverage.back_to != one.window.since else None
        if reach and one.window.until and reach > one.window.until:
            return f"not known: the oldest there is, {format_time(reach)}, is later than this window ends"
        covered = f"from the oldest there is, {format_time(reach)}, on" if reach else "whole"
        return f"nothing failed: {asked}, and the window is covered {covered}"
    if one.errors and not one.cursor:
        return (
            f"no failure in what was read whole; whether something failed in {write_names(one.errors)} is not known"
        )
    return "no failure among what was read, which is not all: whether something failed is not known"


def make_cause_row(cause: FailureCause) -> dict[str, Cell]:
    """Return the cells of a cause, by column."""
    left = f": {write_names(cause.not_recovered)}" if cause.not_recovered and len(cause.jobs or ()) > 1 else ""
    recovered = format_time(cause.recovered_at) or {True: "yes", False: f"no{left}", None: ""}[cause.recovered]
    more = f" and {cause.more_jobs:,} more" if cause.more_jobs else ""
    first = format_time(cause.first_at) if cause.first_at != cause.last_at else ""
    return {
        "count": str(cause.count),
        "tasks": write_count(cause.tasks),
        "job": cause.job or "",
        "status": StatusText(cause.status, cause.status) if cause.status else "",
        "cause": cause.cause,
        "jobs": OwnText(f"{write_names(cause.jobs)}{more}" if cause.jobs else ""),
        "last": format_time(cause.last_at),
        "first": first,
        "recovered": OwnText(recovered),
        "open": cause.open,
    }
