"""Answers as Markdown for people. What an upstream sent is escaped: it can neither format, nor link, nor be HTML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jobtrail.models import ExecutionDetail, JobDetail, JobPage, RunDetail
from jobtrail.render import cells, coverage_text
from jobtrail.render_parts import count_text, duration, stamp
from jobtrail.resources.addresses import Address

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jobtrail.models import Job, Run

__all__ = ["markdown"]

_SPECIAL = re.compile(r"([\\`*\[\]<>|~&$]|(?<!\w)_|_(?!\w))")
_TICKS = re.compile(r"`+")


def markdown(answer: JobPage | JobDetail | ExecutionDetail | RunDetail) -> str:
    """Return an answer as one Markdown document."""
    match answer:
        case JobPage():
            return _document(_jobs(answer))
        case JobDetail():
            return _document(_job(answer))
        case ExecutionDetail():
            return _document(_execution(answer))
        case RunDetail():
            return _document(_run(answer))


def _document(blocks: Iterable[str]) -> str:
    return "\n\n".join(block for block in blocks if block) + "\n"


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _code(text: str) -> str:
    """Return a name or an id as code, or escaped where code cannot hold it."""
    return _plain(text) if not text or "`" in text or "|" in text else f"`{text}`"


def _link(text: str, address: Address) -> str:
    return f"[{_code(text)}]({str(address).replace('(', '%28').replace(')', '%29')})"


def _heading(what: str, name: str, source: str, sample: bool | None) -> str:  # noqa: FBT001 # a field of every answer
    title = f"# {what} {_code(name)}" if name else f"# {what}"
    return f"{title}\n\nSource {_code(source)}" + (" · **sample data**" if sample else "")


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    """Return a table of cells that are Markdown already; a column that is empty in every row goes."""
    columns = [name for name in (rows[0] if rows else ()) if any(row[name] for row in rows)]
    lines = [[*columns], ["---"] * len(columns), *([row[name] for name in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if rows else ""


def _facts(facts: Mapping[str, str]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in facts.items() if value)


def _notes(notes: Sequence[object] | None) -> str:
    return "\n".join(f"> {_plain(str(note))}" for note in notes or ())


def _jobs(page: JobPage) -> Iterable[str]:
    yield _heading("Jobs", "", page.source, page.sample)
    yield _plain(coverage_text(page, len(page.items)))
    yield _table([_job_row(job, page.source) for job in page.items])
    yield _notes(page.notes)
    if page.cursor:
        yield f"{_link('more', Address(page.source, 'jobs', cursor=page.cursor))}"


def _job_row(job: Job, source: str) -> dict[str, str]:
    return {
        **_cells(job),
        "name": _link(job.name, Address(source, "job", job.name)),
    }


def _cells(item: Job | Run) -> dict[str, str]:
    """Return an item's cells; a schedule is code, since its stars would have to be escaped."""
    return {name: _code(value) if name == "schedule" else _plain(value) for name, value in cells(item).items()}


def _job(detail: JobDetail) -> Iterable[str]:
    job, record = detail.job, detail.record
    yield _heading(job.kind.capitalize(), job.name, detail.source, detail.sample)
    facts = {name: value for name, value in _cells(job).items() if name not in {"name", "kind"}}
    facts |= {_plain(name): _plain(value) for name, value in detail.settings.items()}
    facts["labels"] = ", ".join(_code(f"{key}={value}") for key, value in (job.labels or {}).items())
    facts["environment, names only"] = ", ".join(map(_code, detail.env_names or ()))
    yield _facts(facts)
    if record is None:
        return
    counts = ", ".join(f"{count} {status}" for status, count in record.counts.items())
    yield f"## Last {record.of}" if record.of else "It has never run."
    last = record.last_failure
    address = (
        Address(detail.source, "execution", last or "", job.name)
        if job.kind == "job"
        else Address(detail.source, "run", last or "")
    )
    yield _facts(
        {
            "counts": counts,
            "newest": f"{record.newest_status} {stamp(record.newest_at)}" if record.newest_at else "",
            "last success": stamp(record.last_success_at),
            "last failure": _link(last, address) if last else "",
        }
    )
    yield _notes(detail.notes)


def _execution(detail: ExecutionDetail) -> Iterable[str]:
    one, seen = detail.execution, detail.coverage
    yield _heading("Execution", one.id, detail.source, detail.sample)
    yield f"**{_plain(detail.verdict)}**"
    yield _facts(
        {
            "job": _link(one.job, Address(detail.source, "job", one.job)) if one.job else "",
            "created": stamp(one.created_at),
            "started": stamp(one.started_at),
            "ended": stamp(one.ended_at),
            "queued": duration(detail.queued_s),
            "ran": duration(one.duration_s),
            "parallelism": count_text(detail.parallelism),
            "timeout": duration(detail.timeout_s),
        }
    )
    if detail.failures:
        reach = "all" if seen.complete else f"the first {seen.scanned:,}"
        yield f"## Failed tasks by cause\n\n{seen.matched:,} failed, from {reach} tasks."
        yield _table(
            [
                {
                    "count": f"{group.count:,}",
                    "example": _plain(group.example),
                    "tasks": ", ".join(map(_code, group.tasks)),
                    "first": stamp(group.first_at),
                    "last": stamp(group.last_at),
                }
                for group in detail.failures
            ]
        )
    if detail.slowest:
        yield f"## Slowest tasks\n\nOf {seen.scanned:,} read."
        yield _table(
            [
                {"task": _code(task.name), "status": task.status, "ran": duration(task.duration_s)}
                for task in detail.slowest
            ]
        )
    yield _notes(detail.notes)


def _run(detail: RunDetail) -> Iterable[str]:
    one = detail.run
    yield _heading("Run", one.id, detail.source, detail.sample)
    yield f"**{_plain(detail.verdict)}**"
    facts = {
        name: _plain(value) for name, value in cells(one).items() if name not in {"id", "status", "exit", "task"}
    }
    yield _facts(
        {
            "task": _link(one.task, Address(detail.source, "job", one.task)) if one.task else "",
            **facts,
            "queued": duration(detail.queued_s),
            "started": stamp(one.started_at),
            "ended": stamp(one.ended_at),
            "retry of": _link(one.retry_of, Address(detail.source, "run", one.retry_of)) if one.retry_of else "",
        }
    )
    if detail.log:
        last = detail.log.first_line + len(detail.log.lines) - 1
        yield f"## Log\n\nLines {detail.log.first_line} to {last} of {detail.log.total_lines}."
        yield _fenced(detail.log.lines)
    yield _notes(detail.notes)


def _fenced(lines: Sequence[str]) -> str:
    """Return lines as a block of code that none of them can end."""
    longest = max((len(run) for line in lines for run in _TICKS.findall(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}text", *lines, fence])
