"""Renders answers of every type: `render` returns text for agents, `to_blocks` returns blocks.

Text and structured content carry the same facts. A column that says the same in every row moves to
the header; an empty column goes. Times are to the second, in UTC.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jobtrail.models import (
    ActiveAttempt,
    ActivePage,
    Comparison,
    ExecutionDetail,
    ExecutionPage,
    FailureCause,
    Failures,
    History,
    JobDetail,
    JobHistory,
    JobPage,
    JobsHistory,
    ListedExecution,
    ListedJob,
    ListedRun,
    ListedTask,
    LogPage,
    Missed,
    Overdue,
    Page,
    RunDetail,
    RunPage,
    TaskPage,
    Waited,
)
from jobtrail.rendering.active import make_active_row, render_active
from jobtrail.rendering.blocks import Caveat, Header, Line, LogLines, StatusText, Table, to_text
from jobtrail.rendering.comparison import render_comparison
from jobtrail.rendering.failures import make_cause_row, render_failures
from jobtrail.rendering.history import render_history
from jobtrail.rendering.logs import render_log, render_wait_result
from jobtrail.rendering.missed import make_overdue_row, render_missed
from jobtrail.rendering.overview import make_job_history_row, render_overview
from jobtrail.rendering.parts import (
    make_cursor_line,
    make_next_lines,
    make_note_lines,
    make_table,
    write_count,
    write_duration,
    write_fields,
    write_filters,
    write_names,
    write_source,
    write_status,
    write_window,
)
from jobtrail.text import count_noun, quote_unless_word
from jobtrail.times import format_duration, format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import BaseModel

    from jobtrail.models import AttemptRecord, FailureGroup
    from jobtrail.rendering.blocks import Block, Cell


def render(answer: BaseModel) -> str:
    """Return an answer as the text that agents read."""
    return to_text(to_blocks(answer))


def to_blocks(answer: BaseModel) -> list[Block]:
    """Return the blocks that an answer is printed from."""
    return _RENDERERS[type(answer)](answer)


# A row is measured first, and written when it fits.
_keep_row = lru_cache(maxsize=128)


def _make_job_row(job: ListedJob) -> dict[str, str]:
    return {
        "name": job.name,
        "kind": job.kind,
        "deployment": StatusText(quote_unless_word(job.deployment), job.deployment) if job.deployment else "",
        "schedule": job.schedule or "",
        "next run": " = ".join(filter(None, (format_time(job.next_run_at), job.next_run_local))),
        "changed": format_time(job.updated_at or job.created_at),
        "group": job.group or "",
        "about": job.display_name or job.description or "",
    }


def _make_execution_row(one: ListedExecution) -> dict[str, str]:
    return {
        "id": one.id,
        "status": write_status(one),
        "created": format_time(one.created_at),
        "duration": write_duration(one),
        "tasks": write_count(one.tasks),
        "ok": write_count(one.succeeded),
        "failed": write_count(one.failed),
        "running": write_count(one.running),
        "cancelled": write_count(one.cancelled),
        "retried": write_count(one.retried),
    }


def _make_task_row(one: ListedTask) -> dict[str, str]:
    day, _, time = format_time(one.ended_at).partition("T")
    return {
        "name": one.name,
        "status": write_status(one) if one.status else "",
        "duration": write_duration(one),
        # Tasks mostly end on one day, which the header then says once.
        "day": day,
        "ended": time,
        "attempt": write_count(one.attempt),
        "reason": one.reason or "",
    }


def _make_run_row(one: ListedRun) -> dict[str, str]:
    return {
        "id": one.id,
        "job": one.job or "",
        "status": write_status(one),
        "created": format_time(one.created_at),
        "duration": write_duration(one),
        "exit": write_count(one.exit_code),
        "trigger": one.trigger or "",
        "attempt": write_count(one.attempt),
        "instance": write_count(one.instance),
    }


def make_row(item: object) -> Mapping[str, Cell]:
    """Return an item's cells by column, empty where nothing is known."""
    return _ROWS[type(item)](item)


_ROWS: dict[type, Callable[[Any], Mapping[str, Cell]]] = {
    ActiveAttempt: make_active_row,
    FailureCause: make_cause_row,
    JobHistory: make_job_history_row,
    Overdue: make_overdue_row,
    ListedJob: _make_job_row,
    ListedExecution: _keep_row(_make_execution_row),
    ListedTask: _keep_row(_make_task_row),
    ListedRun: _keep_row(_make_run_row),
}


def write_coverage(page: Page, count: int) -> str:
    """Return how much of the list this page and those before it cover."""
    seen, total = page.coverage, page.total
    parts = [count_noun(count, "row")]
    if seen.matched > count:
        parts.append(f"{seen.matched:,} with earlier pages")
    if seen.scanned > seen.matched:
        parts.append(f"of {seen.scanned:,} scanned")
    if seen.complete:
        return f"{', '.join(parts)}, complete"
    if page.cursor is None:
        return Caveat(f"{', '.join(parts)}, read to the end, but rows may be missing")
    if total.kind == "exact" and total.value is not None:
        parts.append(f"of {total.value:,}")
    elif total.kind == "unfiltered" and total.value is not None:
        parts.append(f"upstream counts {total.value:,} in all")
    if seen.back_to and seen.scanned > seen.matched:
        parts.append(f"back to {format_time(seen.back_to)}")
    return Caveat(f"{', '.join(parts)}, more to read")


def _render_page(page: JobPage | ExecutionPage | TaskPage | RunPage) -> list[Block]:
    title, tool = _name_list(page)
    rows = [make_row(one) for one in page.items]
    same, lines = make_table(rows)
    facts = [
        write_source(page.source, page.sample),
        write_coverage(page, len(rows)),
        write_filters(page.filters),
        write_window(page.window) if page.window else "",
        page.sort,
        same,
    ]
    return [Header(title, facts), *lines, *make_note_lines(page.notes), *make_cursor_line("more", tool, page.cursor)]


def _name_list(page: JobPage | ExecutionPage | TaskPage | RunPage) -> tuple[str, str]:
    """Return what a page lists, and the tool that lists it."""
    match page:
        case JobPage():
            return "jobs", "list_jobs"
        case ExecutionPage():
            return f"executions of {quote_unless_word(page.job)}", "list_executions"
        case TaskPage():
            return f"tasks of {quote_unless_word(page.job)} {quote_unless_word(page.execution)}", "list_tasks"
        case RunPage():
            return f"runs of {quote_unless_word(page.job)}" if page.job else "runs of all jobs", "list_runs"


def _render_job(detail: JobDetail) -> list[Block]:
    job, record = detail.job, detail.record
    return [
        Header(f"{job.kind} {quote_unless_word(job.name)}", [write_source(detail.source, detail.sample)]),
        Line(write_fields(_make_job_row(job), "name", "kind")),
        Line(write_fields(detail.settings)),
        *_make_list_line("labels", [f"{key}={value}" for key, value in (job.labels or {}).items()]),
        *_make_list_line("environment (names only)", detail.env_names or ()),
        *([] if record is None else [_render_record(record)]),
        *make_note_lines(detail.notes),
    ]


def _make_list_line(label: str, values: Sequence[str]) -> list[Line]:
    return [Line(write_names(values), label)] if values else []


def _render_record(record: AttemptRecord) -> Line:
    if not record.of:
        return Line("it has never run", "record")
    counts = ", ".join(f"{count} {status}" for status, count in record.counts.items())
    which, nothing = (f"all {record.of}", "none") if record.complete else (f"last {record.of}", "not among these")
    last_failure = quote_unless_word(record.last_failure) if record.last_failure else nothing
    return Line(
        f"{which}: {counts} · newest {record.newest_status} {format_time(record.newest_at)} · "
        f"last success {format_time(record.last_success_at) or nothing} · last failure {last_failure}"
    )


def _render_execution(detail: ExecutionDetail) -> list[Block]:
    one = detail.execution
    timing = {
        "created": format_time(one.created_at),
        "started": format_time(one.started_at),
        "ended": format_time(one.ended_at),
        "queued": format_duration(detail.queued_s),
        "waiting" if one.status == "queued" else "ran": write_duration(one),
        "parallelism": write_count(detail.parallelism),
        "timeout": format_duration(detail.timeout_s),
        "retried": write_count(one.retried),
    }
    blocks: list[Block] = [
        Header(
            f"execution {quote_unless_word(one.id)} of {quote_unless_word(one.job or '')}",
            [write_source(detail.source, detail.sample)],
        ),
        Line(detail.verdict, "verdict", one.status),
        Line(write_fields(timing)),
    ]
    if detail.failures:
        seen = detail.coverage
        reach = "all" if seen.complete else f"the first {seen.scanned:,}"
        counted = sum(group.count for group in detail.failures)
        failed = count_noun(seen.matched, "failed task")
        if counted < seen.matched:
            failed += f" ({seen.matched - counted:,} with the cause of a task within)"
        blocks.append(Line(f"{failed} by cause, from {reach} tasks:"))
        blocks.append(
            Table(
                ("count", "cause", "example", "tasks", "time"), [_make_group_row(group) for group in detail.failures]
            )
        )
    if len(detail.slowest) > 1:
        took = ", ".join(f"{quote_unless_word(one.name)} {format_duration(one.duration_s)}" for one in detail.slowest)
        blocks.append(Line(f"slowest of {detail.coverage.scanned:,} tasks read: {took}"))
    return [*blocks, *make_note_lines(detail.notes), *make_next_lines(detail.next_calls)]


def _make_group_row(group: FailureGroup) -> list[str]:
    span = " to ".join(dict.fromkeys(filter(None, (format_time(group.first_at), format_time(group.last_at)))))
    # A group of rarer causes has no cause in common.
    rarer = f"{group.signature}, such as " if group.rarer else ""
    return [str(group.count), group.cause or "", f"{rarer}{group.example}", write_names(group.tasks), span]


def _render_run(detail: RunDetail) -> list[Block]:
    one = detail.run
    times = {
        "queued": format_duration(detail.queued_s),
        "started": format_time(one.started_at),
        "ended": format_time(one.ended_at),
    }
    row = {**_make_run_row(one), **times, "retry of": one.retry_of or ""}
    blocks: list[Block] = [
        Header(
            f"run {quote_unless_word(one.id)} of {quote_unless_word(one.job or '')}",
            [write_source(detail.source, detail.sample)],
        ),
        Line(detail.verdict, "verdict", one.status),
        Line(write_fields(row, "id", "job", "status", "exit")),
        *_make_list_line("params", [f"{key}={value}" for key, value in (one.params or {}).items()]),
    ]
    if detail.log:
        last = detail.log.first_line + len(detail.log.lines) - 1
        blocks.append(Line(f"log, lines {detail.log.first_line} to {last} of {detail.log.total_lines}:"))
        blocks.append(LogLines([f"| {text}" for text in detail.log.lines]))
    return [*blocks, *make_note_lines(detail.notes), *make_next_lines(detail.next_calls)]


_RENDERERS: dict[type, Callable[[Any], list[Block]]] = {
    ActivePage: render_active,
    JobPage: _render_page,
    ExecutionPage: _render_page,
    TaskPage: _render_page,
    RunPage: _render_page,
    JobDetail: _render_job,
    ExecutionDetail: _render_execution,
    RunDetail: _render_run,
    Failures: render_failures,
    Missed: render_missed,
    History: render_history,
    Comparison: render_comparison,
    JobsHistory: render_overview,
    LogPage: render_log,
    Waited: render_wait_result,
}
