"""Renders pages of logs and results of waits.

An upstream's text comes after a `|`. Before it are the line's number, its time and its task if they differ from those
above, its mark, and how many equal lines it stands for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobtrail.rendering.blocks import Header, LogLines, OwnText, StatusText
from jobtrail.rendering.parts import (
    make_cursor_line,
    make_next_lines,
    make_note_lines,
    make_table,
    write_count,
    write_duration,
    write_source,
    write_status,
)
from jobtrail.text import quote_unless_word, quote_value
from jobtrail.times import format_duration, format_time

if TYPE_CHECKING:
    from jobtrail.models import Awaited, LogLine, LogPage, Waited
    from jobtrail.rendering.blocks import Block


def render_log(page: LogPage) -> list[Block]:
    """Return the blocks of a page of a log."""
    lines = zip(page.lines, [None, *page.lines], strict=False)
    return [
        Header(f"log of {_name_log(page)}", [write_source(page.source, page.sample), _write_reach(page)]),
        LogLines([f"{_write_line_prefix(line, above)}| {line.text}".rstrip() for line, above in lines]),
        *make_note_lines(page.notes),
        *make_next_lines(page.next_calls),
        *make_cursor_line("older", "read_log", page.older),
        *make_cursor_line("newer", "read_log", page.newer),
    ]


def _name_log(page: LogPage) -> str:
    if page.run:
        return f"run {quote_unless_word(page.run)}"
    return " ".join(quote_unless_word(name) for name in (page.job, page.execution, page.task) if name)


def _write_reach(page: LogPage) -> str:
    """Return which lines this covers, of how many, and whether there can be more."""
    facts: list[str] = []
    if page.first_line is None or page.last_line is None:
        facts.append(
            "no lines yet"
            if page.growing and not page.total_lines
            else "no more lines"
            if page.total_lines
            else "no lines"
        )
    else:
        facts.append(f"lines {page.first_line:,} to {page.last_line:,} of {page.total_lines:,}")
    if page.query is not None:
        lines = "1 line matches" if page.matched == 1 else f"{page.matched or 0:,} lines match"
        facts[0] = f"{lines} {quote_value(page.query, 160)} among {facts[0]}"
    if page.kept_from:
        facts.append(f"the source keeps them from {page.kept_from:,} on")
    facts.append("complete" if page.complete else "more may follow" if page.growing else "")
    return ", ".join(fact for fact in facts if fact)


def _write_line_prefix(line: LogLine, above: LogLine | None) -> str:
    now, before = format_time(line.at), format_time(above.at if above else None)
    # The day is left out if it is that of the line above.
    time = "" if now == before else now.partition("T")[2] if now[:10] == before[:10] else now
    task = "" if line.task == (above and above.task) else quote_unless_word(line.task or "")
    times = f"×{line.times}" if line.times else ""
    return " ".join(part for part in (str(line.n), time, task, line.mark or "", times) if part)


def render_wait_result(answer: Waited) -> list[Block]:
    """Return the blocks of a wait: a row for each target, changes written `before → now`."""
    same, rows = make_table([_make_awaited_row(one) for one in answer.items])
    ended = sum(one.ended for one in answer.items)
    what = f"executions of {quote_unless_word(answer.job)}" if answer.job else "runs"
    return [
        Header(
            f"waited {format_duration(answer.waited_s)} of {format_duration(answer.timeout_s)} for {what}",
            [write_source(answer.source, answer.sample), f"{ended} of {len(answer.items)} ended", same],
        ),
        *rows,
        *make_note_lines(answer.notes),
        *make_next_lines(answer.next_calls),
    ]


def _make_awaited_row(one: Awaited) -> dict[str, str]:
    now = write_status(one)
    return {
        "id": one.id,
        "status": now if one.before == one.status else StatusText(_write_change(one.before, now), now.status),
        "tasks done": OwnText(f"{_write_change(one.done_before, one.done)} of {one.tasks:,}")
        if one.tasks is not None
        else "",
        "failed": OwnText(_write_change(one.failed_before, one.failed)),
        "duration": write_duration(one),
        "exit": write_count(one.exit_code),
        "trouble": str(one.error or ""),
    }


def _write_change(before: object, now: object) -> str:
    if now is None:
        return ""
    return f"{now}" if before is None or before == now else f"{before} → {now}"
