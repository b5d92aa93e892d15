"""All jobs at a glance as text: a row each, the worst first, and every source that could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobtrail.rendering.blocks import Caveat, Header, Line, OwnText, StatusText
from jobtrail.rendering.everywhere import make_error_lines, write_jobs, write_reach, write_sources
from jobtrail.rendering.parts import make_cursor_line, make_note_lines, make_table, write_window
from jobtrail.text import count_noun
from jobtrail.times import format_age, format_duration

if TYPE_CHECKING:
    from jobtrail.models import JobHistory, JobsHistory
    from jobtrail.rendering.blocks import Block, Cell


def render_overview(one: JobsHistory) -> list[Block]:
    """Return the blocks of an overview; ages in it count back from its now."""
    seen = one.coverage
    same, rows = make_table([make_job_history_row(job) for job in one.items])
    counted = f"{count_noun(len(one.items), 'row')}, {seen.matched:,} executions and runs, {_write_reach(one)}"
    facts = [
        write_sources(one),
        write_jobs(one),
        counted if seen.complete else Caveat(counted),
        write_window(one.window),
        one.sort,
        same,
    ]
    return [
        Header("history of all jobs", facts),
        *rows,
        *([] if one.items else [Line("no job in what was read")]),
        *make_error_lines(one),
        *make_note_lines(one.notes),
        *make_cursor_line("more", "history", one.cursor),
    ]


def _write_reach(one: JobsHistory) -> str:
    """Return whether all of it was read; what is left for a later page is another matter than a window cut short."""
    since, back = one.window.since, one.coverage.back_to
    return "more to read" if one.cursor and not (since and back and back > since) else write_reach(one)


def make_job_history_row(one: JobHistory) -> dict[str, Cell]:
    """Return the cells of one job of many, by column."""
    partial = f" in {format_age(one.read_s)}" if one.read_s is not None else ""
    last = f"{one.last_status} {_write_age(one.last_ago_s)}".rstrip() if one.last_status else "never ran"
    return {
        "job": one.name,
        "source": one.source,
        "kind": one.kind,
        "runs": OwnText(f"{one.runs}{partial}"),
        "success": _write_rate(one.rate),
        "before": _write_before(one),
        "failures": str(one.failures),
        "p50": OwnText(format_duration(one.p50_s)),
        "p95": OwnText(format_duration(one.p95_s)),
        "last": StatusText(last, one.last_status or ""),
        "last success": OwnText("never" if one.never_succeeded else _write_age(one.success_ago_s)),
        "oldest kept": OwnText(_write_age(one.kept_s)),
        "next run": OwnText("" if one.next_in_s is None else f"in {format_age(one.next_in_s)}"),
    }


def _write_rate(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.0%}"


def _write_before(one: JobHistory) -> OwnText:
    if one.rate_before is not None:
        return OwnText(_write_rate(one.rate_before))
    if one.runs_before is None:
        return OwnText("")
    return OwnText(f"none of {one.runs_before} ended" if one.runs_before else "no runs")


def _write_age(seconds: int | None) -> str:
    return "" if seconds is None else f"{format_age(seconds)} ago"
