"""From a model to the text an agent reads: a header, tab-separated rows, the call that continues.

Text and structured content carry the same facts. A column that says the same in every row moves to
the header; an empty column goes. Times are to the second, in UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jobtrail.errors import clean
from jobtrail.models import (
    Execution,
    ExecutionDetail,
    ExecutionPage,
    Job,
    JobDetail,
    JobPage,
    Page,
    Run,
    RunDetail,
    RunPage,
    Stats,
    Task,
    TaskPage,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic import BaseModel

__all__ = ["render"]


_OURS = re.compile(r"(more|next|note|log|verdict|record|labels|environment|last)\b.*?:", re.IGNORECASE)


def render(answer: BaseModel) -> str:
    """Return an answer as text."""
    return _RENDERERS[type(answer)](answer)


def _stamp(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def _duration(seconds: float | None) -> str:
    """Return seconds as `1m32s` or `1h`; under ten seconds with one decimal, under one in milliseconds."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 10:  # noqa: PLR2004 # where tenths begin to matter
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    written = [f"{value}{unit}" if unit == "h" else f"{value:02}{unit}" for value, unit in parts if value]
    return "".join(written).lstrip("0")


def _status(one: Execution | Task | Run) -> str:
    return f"{one.status} ({one.raw_status})" if one.raw_status else one.status


def _job_row(job: Job) -> dict[str, str]:
    return {
        "name": job.name,
        "kind": job.kind,
        "status": job.status or "",
        "schedule": job.schedule or "",
        "next run": _stamp(job.next_run_at),
        "changed": _stamp(job.updated_at or job.created_at),
        "group": job.group or "",
        "about": job.display_name or job.description or "",
    }


def _count(value: int | None) -> str:
    return "" if value is None else str(value)


def _execution_row(one: Execution) -> dict[str, str]:
    stats = one.stats or Stats()
    return {
        "id": one.id,
        "status": _status(one),
        "created": _stamp(one.created_at),
        "duration": _duration(one.duration_s),
        "tasks": _count(stats.total),
        "ok": _count(stats.succeeded),
        "failed": _count(stats.failed),
        "running": _count(stats.running or None),
        "cancelled": _count(stats.cancelled or None),
        "retried": _count(stats.retried or None),
    }


def _task_row(one: Task) -> dict[str, str]:
    return {
        "name": one.name,
        "status": _status(one),
        "duration": _duration(one.duration_s),
        "reason": one.reason or "",
    }


def _run_row(one: Run) -> dict[str, str]:
    return {
        "id": one.id,
        "task": one.task or "",
        "status": _status(one),
        "created": _stamp(one.created_at),
        "duration": _duration(one.duration_s),
        "exit": _count(one.exit_code),
        "trigger": one.trigger or "",
        "attempt": _count(one.attempt),
        "instance": _count(one.instance),
    }


def _table(rows: Sequence[Mapping[str, str]]) -> tuple[str, list[str]]:
    """Return the columns that are the same in every row, and the lines of the others."""
    if not rows:
        return "", []
    columns = [name for name in rows[0] if any(row[name] for row in rows)]
    same = [name for name in columns[1:] if len(rows) > 1 and len({row[name] for row in rows}) == 1]
    shown = [name for name in columns if name not in same]
    lines = ["\t".join(shown), *(_row([row[name] for name in shown]) for row in rows)]
    return ", ".join(f"{name} {_inline(rows[0][name])}" for name in same), lines


def _row(cells: Sequence[str]) -> str:
    """Return a row; a first cell that reads like a line of ours is quoted."""
    first, *rest = cells
    return "\t".join([repr(first) if _OURS.match(first) else first, *rest]).rstrip()


def _inline(cell: str) -> str:
    """Return a cell for a header, without what separates the header's own facts."""
    return cell.replace("·", "•")


def _of_source(source: str, sample: bool | None) -> str:  # noqa: FBT001 # private
    return f"source {source}" + (", SAMPLE DATA" if sample else "")


def _coverage(page: Page, count: int) -> str:
    """Return how much of the truth this page and those before it cover."""
    seen, total = page.coverage, page.total
    parts = [f"{count} rows" if count != 1 else "1 row"]
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
        parts.append(f"back to {_stamp(seen.back_to)}")
    return f"{', '.join(parts)}, more to read"


def _window(window: Window) -> str:
    bounds = [
        f"{word} {_stamp(moment)}" for word, moment in (("since", window.since), ("until", window.until)) if moment
    ]
    return f"{' '.join(bounds)} (now {_stamp(window.now)})"


def _page(page: Page, what: str, tool: str, rows: Sequence[Mapping[str, str]]) -> str:
    same, lines = _table(rows)
    filters = ", ".join(f"{name} {value}" for name, value in (page.filters or {}).items())
    header = [
        what,
        _of_source(page.source, page.sample),
        _coverage(page, len(rows)),
        filters,
        _window(page.window) if page.window else "",
        page.sort,
        f"every row: {same}" if same else "",
    ]
    more = [f'more: {tool}(cursor="{page.cursor}")'] if page.cursor else []
    return "\n".join([" · ".join(part for part in header if part), *lines, *_notes(page.notes), *more])


def _notes(notes: Sequence[str] | None) -> list[str]:
    return [f"note: {note}" for note in notes or ()]


def _jobs(page: JobPage) -> str:
    return _page(page, "jobs", "list_jobs", [_job_row(job) for job in page.items])


def _executions(page: ExecutionPage) -> str:
    return _page(
        page, f"executions of {clean(page.job)}", "list_executions", [_execution_row(one) for one in page.items]
    )


def _tasks(page: TaskPage) -> str:
    what = f"tasks of {clean(page.job)} {clean(page.execution)}"
    return _page(page, what, "list_tasks", [_task_row(one) for one in page.items])


def _runs(page: RunPage) -> str:
    what = f"runs of {clean(page.task)}" if page.task else "runs of all tasks"
    rows = [_run_row(one) for one in page.items]
    return _page(page, what, "list_runs", rows)


def _fields(row: Mapping[str, str], *skip: str) -> str:
    return " · ".join(f"{name} {_inline(value)}" for name, value in row.items() if value and name not in skip)


def _job(detail: JobDetail) -> str:
    job, record = detail.job, detail.record
    lines = [
        f"{job.kind} {job.name} · {_of_source(detail.source, detail.sample)}",
        _fields(_job_row(job), "name", "kind"),
        _fields(detail.settings),
    ]
    if job.labels:
        lines.append("labels: " + ", ".join(f"{key}={value}" for key, value in job.labels.items()))
    if detail.env_names:
        lines.append(f"environment (names only): {', '.join(detail.env_names)}")
    if record is not None and not record.of:
        lines.append("record: it has never run")
    if record is not None and record.of:
        counts = ", ".join(f"{count} {status}" for status, count in record.counts.items())
        lines.append(
            f"last {record.of}: {counts} · newest {record.newest_status} {_stamp(record.newest_at)} · "
            f"last success {_stamp(record.last_success_at) or 'not among these'} · "
            f"last failure {record.last_failure or 'not among these'}"
        )
    lines += _notes(detail.notes)
    return "\n".join(line for line in lines if line)


def _execution(detail: ExecutionDetail) -> str:
    one = detail.execution
    timing = {
        "created": _stamp(one.created_at),
        "started": _stamp(one.started_at),
        "ended": _stamp(one.ended_at),
        "queued": _duration(detail.queued_s),
        "ran": _duration(one.duration_s),
        "parallelism": _count(detail.parallelism),
        "timeout": _duration(detail.timeout_s),
        "retried": _count(one.stats.retried if one.stats else None),
    }
    lines = [
        f"execution {one.id} of {one.job} · {_of_source(detail.source, detail.sample)}",
        f"verdict: {detail.verdict}",
        _fields(timing),
    ]
    if detail.failures:
        seen = detail.coverage
        reach = "all" if seen.complete else f"the first {seen.scanned:,}"
        lines.append(f"{seen.matched:,} failed tasks by cause, from {reach} tasks:")
        lines.append("count\texample\ttasks\ttime")
        for group in detail.failures:
            span = " to ".join(dict.fromkeys(filter(None, (_stamp(group.first_at), _stamp(group.last_at)))))
            lines.append(f"{group.count}\t{group.example}\t{', '.join(group.tasks)}\t{span}")
    if len(detail.slowest) > 1:
        took = ", ".join(f"{one.name} {_duration(one.duration_s)}" for one in detail.slowest)
        lines.append(f"slowest of {detail.coverage.scanned:,} tasks read: {took}")
    lines += [*_notes(detail.notes), *(f"next: {call}" for call in detail.next_calls)]
    return "\n".join(line for line in lines if line)


def _run(detail: RunDetail) -> str:
    one = detail.run
    times = {
        "queued": _duration(detail.queued_s),
        "started": _stamp(one.started_at),
        "ended": _stamp(one.ended_at),
    }
    row = {**_run_row(one), **times, "retry of": one.retry_of or ""}
    lines = [
        f"run {one.id} of {one.task} · {_of_source(detail.source, detail.sample)}",
        f"verdict: {detail.verdict}",
        _fields(row, "id", "task", "status", "exit"),
    ]
    if detail.log:
        last = detail.log.first_line + len(detail.log.lines) - 1
        lines.append(f"log, lines {detail.log.first_line} to {last} of {detail.log.total_lines}:")
        lines += [f"| {text}" for text in detail.log.lines]
    lines += [*_notes(detail.notes), *(f"next: {call}" for call in detail.next_calls)]
    return "\n".join(line for line in lines if line)


_RENDERERS: dict[type, Callable[[Any], str]] = {
    JobPage: _jobs,
    ExecutionPage: _executions,
    TaskPage: _tasks,
    RunPage: _runs,
    JobDetail: _job,
    ExecutionDetail: _execution,
    RunDetail: _run,
}
