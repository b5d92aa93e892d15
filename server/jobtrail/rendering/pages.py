"""From a model to what an agent reads: a header, rows, the call that continues.

Text and structured content carry the same facts. A column that says the same in every row moves to
the header; an empty column goes. Times are to the second, in UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobtrail.errors import sanitize_text
from jobtrail.models import (
    Execution,
    ExecutionDetail,
    ExecutionPage,
    Failures,
    History,
    Job,
    JobDetail,
    JobPage,
    LogPage,
    Page,
    Run,
    RunDetail,
    RunPage,
    Task,
    TaskCounts,
    TaskPage,
    Waited,
)
from jobtrail.rendering.blocks import Header, Line, LogLines, Table, to_text
from jobtrail.rendering.failures import render_failures
from jobtrail.rendering.history import render_history
from jobtrail.rendering.logs import render_log, render_waited
from jobtrail.rendering.parts import (
    count_text,
    cursor_line,
    fields_line,
    next_lines,
    note_lines,
    of_source,
    table,
    window_text,
)
from jobtrail.times import format_duration, format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import BaseModel

    from jobtrail.models import AttemptRecord, FailureGroup
    from jobtrail.rendering.blocks import Block


def render(answer: BaseModel) -> str:
    """Return an answer as the text that agents read."""
    return to_text(to_blocks(answer))


def to_blocks(answer: BaseModel) -> list[Block]:
    """Return what an answer is made of when it is printed."""
    return _RENDERERS[type(answer)](answer)


def _status(one: Execution | Task | Run) -> str:
    return f"{one.status} ({one.raw_status})" if one.raw_status else one.status


def _job_row(job: Job) -> dict[str, str]:
    return {
        "name": job.name,
        "kind": job.kind,
        "status": job.status or "",
        "schedule": job.schedule or "",
        "next run": format_time(job.next_run_at),
        "changed": format_time(job.updated_at or job.created_at),
        "group": job.group or "",
        "about": job.display_name or job.description or "",
    }


def _execution_row(one: Execution) -> dict[str, str]:
    stats = one.stats or TaskCounts()
    return {
        "id": one.id,
        "status": _status(one),
        "created": format_time(one.created_at),
        "duration": format_duration(one.duration_s),
        "tasks": count_text(stats.total),
        "ok": count_text(stats.succeeded),
        "failed": count_text(stats.failed),
        "running": count_text(stats.running or None),
        "cancelled": count_text(stats.cancelled or None),
        "retried": count_text(stats.retried or None),
    }


def _task_row(one: Task) -> dict[str, str]:
    return {
        "name": one.name,
        "status": _status(one),
        "duration": format_duration(one.duration_s),
        "reason": one.reason or "",
    }


def _run_row(one: Run) -> dict[str, str]:
    return {
        "id": one.id,
        "task": one.task or "",
        "status": _status(one),
        "created": format_time(one.created_at),
        "duration": format_duration(one.duration_s),
        "exit": count_text(one.exit_code),
        "trigger": one.trigger or "",
        "attempt": count_text(one.attempt),
        "instance": count_text(one.instance),
    }


def cells(item: object) -> dict[str, str]:
    """Return an item's cells by column, empty where nothing is known."""
    return _ROWS[type(item)](item)


def row_text(item: object) -> str:
    """Return an item's row on a page, before columns that are the same in every row move to the header."""
    return "\t".join(cells(item).values())


_ROWS: dict[type, Callable[[Any], dict[str, str]]] = {
    Job: _job_row,
    Execution: _execution_row,
    Task: _task_row,
    Run: _run_row,
}


def coverage_text(page: Page, count: int) -> str:
    """Return how much of the truth this page and those before it cover."""
    seen, total = page.coverage, page.total
    parts = [f"{count:,} rows" if count != 1 else "1 row"]
    if seen.matched > count:
        parts.append(f"{seen.matched:,} with earlier pages")
    if seen.scanned > seen.matched:
        parts.append(f"of {seen.scanned:,} scanned")
    if seen.complete:
        return f"{', '.join(parts)}, complete"
    if total.kind == "exact" and total.value is not None:
        parts.append(f"of {total.value:,}")
    elif total.kind == "unfiltered" and total.value is not None:
        parts.append(f"upstream counts {total.value:,} in all")
    if seen.back_to and seen.scanned > seen.matched:
        parts.append(f"back to {format_time(seen.back_to)}")
    return f"{', '.join(parts)}, more to read"


def _page(page: Page, what: str, tool: str, rows: Sequence[Mapping[str, str]]) -> list[Block]:
    same, lines = table(rows)
    filters = ", ".join(f"{name} {value}" for name, value in (page.filters or {}).items())
    facts = [
        of_source(page.source, page.sample),
        coverage_text(page, len(rows)),
        filters,
        window_text(page.window) if page.window else "",
        page.sort,
        same,
    ]
    return [Header(what, facts), *lines, *note_lines(page.notes), *cursor_line("more", tool, page.cursor)]


def _jobs(page: JobPage) -> list[Block]:
    return _page(page, "jobs", "list_jobs", [_job_row(job) for job in page.items])


def _executions(page: ExecutionPage) -> list[Block]:
    return _page(
        page,
        f"executions of {sanitize_text(page.job)}",
        "list_executions",
        [_execution_row(one) for one in page.items],
    )


def _tasks(page: TaskPage) -> list[Block]:
    what = f"tasks of {sanitize_text(page.job)} {sanitize_text(page.execution)}"
    return _page(page, what, "list_tasks", [_task_row(one) for one in page.items])


def _runs(page: RunPage) -> list[Block]:
    what = f"runs of {sanitize_text(page.task)}" if page.task else "runs of all tasks"
    rows = [_run_row(one) for one in page.items]
    return _page(page, what, "list_runs", rows)


def _job(detail: JobDetail) -> list[Block]:
    job, record = detail.job, detail.record
    return [
        Header(f"{job.kind} {job.name}", [of_source(detail.source, detail.sample)]),
        Line(fields_line(_job_row(job), "name", "kind")),
        Line(fields_line(detail.settings)),
        *_listed("labels", [f"{key}={value}" for key, value in (job.labels or {}).items()]),
        *_listed("environment (names only)", detail.env_names or ()),
        *([] if record is None else [_record(record)]),
        *note_lines(detail.notes),
    ]


def _listed(label: str, values: Sequence[str]) -> list[Line]:
    return [Line(", ".join(values), label)] if values else []


def _record(record: AttemptRecord) -> Line:
    if not record.of:
        return Line("it has never run", "record")
    counts = ", ".join(f"{count} {status}" for status, count in record.counts.items())
    return Line(
        f"last {record.of}: {counts} · newest {record.newest_status} {format_time(record.newest_at)} · "
        f"last success {format_time(record.last_success_at) or 'not among these'} · "
        f"last failure {record.last_failure or 'not among these'}"
    )


def _execution(detail: ExecutionDetail) -> list[Block]:
    one = detail.execution
    timing = {
        "created": format_time(one.created_at),
        "started": format_time(one.started_at),
        "ended": format_time(one.ended_at),
        "queued": format_duration(detail.queued_s),
        "ran": format_duration(one.duration_s),
        "parallelism": count_text(detail.parallelism),
        "timeout": format_duration(detail.timeout_s),
        "retried": count_text(one.stats.retried if one.stats else None),
    }
    blocks: list[Block] = [
        Header(f"execution {one.id} of {one.job}", [of_source(detail.source, detail.sample)]),
        Line(detail.verdict, "verdict"),
        Line(fields_line(timing)),
    ]
    if detail.failures:
        seen = detail.coverage
        reach = "all" if seen.complete else f"the first {seen.scanned:,}"
        noun = "failed task" if seen.matched == 1 else "failed tasks"
        blocks.append(Line(f"{seen.matched:,} {noun} by cause, from {reach} tasks:"))
        blocks.append(Table(("count", "example", "tasks", "time"), [_group_row(group) for group in detail.failures]))
    if len(detail.slowest) > 1:
        took = ", ".join(f"{one.name} {format_duration(one.duration_s)}" for one in detail.slowest)
        blocks.append(Line(f"slowest of {detail.coverage.scanned:,} tasks read: {took}"))
    return [*blocks, *note_lines(detail.notes), *next_lines(detail.next_calls)]


def _group_row(group: FailureGroup) -> list[str]:
    span = " to ".join(dict.fromkeys(filter(None, (format_time(group.first_at), format_time(group.last_at)))))
    # A group of rarer causes has no cause in common.
    rarer = f"{group.signature}, such as " if group.signature.endswith(" rarer causes)") else ""
    return [str(group.count), f"{rarer}{group.example}", ", ".join(group.tasks), span]


def _run(detail: RunDetail) -> list[Block]:
    one = detail.run
    times = {
        "queued": format_duration(detail.queued_s),
        "started": format_time(one.started_at),
        "ended": format_time(one.ended_at),
    }
    row = {**_run_row(one), **times, "retry of": one.retry_of or ""}
    blocks: list[Block] = [
        Header(f"run {one.id} of {one.task}", [of_source(detail.source, detail.sample)]),
        Line(detail.verdict, "verdict"),
        Line(fields_line(row, "id", "task", "status", "exit")),
    ]
    if detail.log:
        last = detail.log.first_line + len(detail.log.lines) - 1
        blocks.append(Line(f"log, lines {detail.log.first_line} to {last} of {detail.log.total_lines}:"))
        blocks.append(LogLines([f"| {text}" for text in detail.log.lines]))
    return [*blocks, *note_lines(detail.notes), *next_lines(detail.next_calls)]


_RENDERERS: dict[type, Callable[[Any], list[Block]]] = {
    JobPage: _jobs,
    ExecutionPage: _executions,
    TaskPage: _tasks,
    RunPage: _runs,
    JobDetail: _job,
    ExecutionDetail: _execution,
    RunDetail: _run,
    Failures: render_failures,
    History: render_history,
    LogPage: render_log,
    Waited: render_waited,
}
