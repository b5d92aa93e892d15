"""Sums up the tasks of an execution: those sent with it, or those of its pages."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jobtrail.paging import EVERYTHING, Budget, Walk, walk
from jobtrail.rendering.parts import write_names
from jobtrail.sources.blaxel.endpoint_pages import LARGEST
from jobtrail.sources.blaxel.response_models import TASK_WORDS, WireTask, join_reasons
from jobtrail.sources.responses import clean_line, parse_row
from jobtrail.vocabulary import ENDED, FAILURES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jobtrail.analysis.task_summary import TaskSummary, TaskTally
    from jobtrail.models import Execution, Note, Task
    from jobtrail.paging import Listing

_is_plain_name = re.compile(r"[!-~]{1,80}").fullmatch
_A_PAGE = Budget(items=LARGEST)


def read_task(row: object, subject: str) -> Task:
    """Read a task, as far as it can be read."""
    return parse_row(WireTask, row, subject).to_task()


def _add_row(tally: TaskTally, row: Any, subject: str) -> None:
    """Add a task; one that succeeded or failed and is as the documents have it without making a model."""
    try:
        metadata, status = row["metadata"], row["status"]
        name, started, ended = metadata["name"], metadata["startedAt"], metadata["completedAt"]
        if status in {"succeeded", "failed"} and type(started) is type(ended) is str and _is_plain_name(name):
            reason = None if status == "succeeded" else _read_reason(row["conditions"])
            if tally.add_plain(name, started, ended, reason):
                return
    except (AttributeError, KeyError, TypeError):
        # Something is missing or of another type, which may be well all the same.
        pass
    tally.add(read_task(row, subject))


def _read_reason(conditions: list[dict[str, str | None]]) -> str:
    """Return what `WireTask` takes as the reason; empty for none."""
    for condition in reversed(conditions):
        if why := join_reasons(condition.get("reason"), condition.get("executionReason"), condition.get("message")):
            return clean_line(why) or ""
    return ""


def name_row(row: Any) -> str:
    """Return the name of a task that is not read yet; empty if it has none."""
    try:
        return str(row["metadata"]["name"])
    except (KeyError, TypeError):
        return ""


def has_only_ended(body: Any) -> bool:
    """Return whether every task of a page, as it was answered, has ended."""
    try:
        words = {row["status"] for row in body["data"]}
        return all(TASK_WORDS.get(word.strip().lower()) in ENDED for word in words)
    except (AttributeError, KeyError, TypeError):
        return False


def summarize_sent(one: Execution, rows: Sequence[object] | None, subject: str) -> TaskSummary | None:
    """Return what the tasks that were sent with an execution came to; None if they are not all of its tasks."""
    if one.tasks == 0 and not rows:
        return _tally_rows((), subject)
    if not rows or one.tasks is None or len(rows) < one.tasks:
        return None
    return _judge(one, _tally_rows(rows, subject), complete=True, notes=())


async def summarize_listed(one: Execution, listing: Listing[object], subject: str, lacking: str = "") -> TaskSummary:
    """Return what the tasks of a listing came to, as far as the budget of one call reaches.

    If nothing failed, only one page is read, to find the slowest tasks.

    Args:
        one: the execution.
        listing: its tasks.
        subject: how errors name the upstream.
        lacking: why the upstream may count tasks and list none, and what would mend that.
    """
    fine = one.tasks is not None and one.failed == 0 and one.status not in FAILURES
    budget = _A_PAGE if fine else Budget()
    tally = _start_tally()

    def count(row: object) -> bool:
        _count_row(tally, row, subject)
        # It is not kept: there are thousands.
        return False

    walked = await walk(listing, Walk[object](limit=EVERYTHING, keep=count, subject=subject, budget=budget))
    notes = list(walked.notes)
    cut_short = bool(notes) or (walked.position is not None and walked.scanned < budget.items)
    summary = replace(tally.summarize(), cut_short=cut_short)
    if one.tasks and walked.position is None and not walked.scanned and lacking:
        return replace(summary, complete=fine, notes=(*notes, describe_unlisted(one, lacking)))
    if fine:
        # The counts say that no task failed, so the unread tasks hold no failure.
        return replace(summary, notes=(*notes, *summary.notes))
    if walked.position is not None and not notes:
        notes.append(f"only the first {walked.scanned:,} tasks were read; list_tasks goes through all of them")
    return _judge(one, summary, complete=walked.position is None, notes=notes)


def describe_unlisted(one: Execution, lacking: str) -> str:
    """Return a note for an execution whose tasks are counted and not listed."""
    noun = "task" if one.tasks == 1 else "tasks"
    return f"the upstream counts {one.tasks or 0:,} {noun} here and lists none{lacking and f': {lacking}'}"


def _start_tally() -> TaskTally:
    from jobtrail.analysis.task_summary import TaskTally  # noqa: PLC0415 # few calls need it

    return TaskTally()


def _tally_rows(rows: Iterable[object], subject: str) -> TaskSummary:
    tally = _start_tally()
    for row in rows:
        _count_row(tally, row, subject)
    return tally.summarize()


def _count_row(tally: TaskTally, row: Any, subject: str) -> None:
    """Add a task; one that succeeded and is not among the slowest is counted without being read any further."""
    try:
        if row["status"] == "succeeded":
            times = row["metadata"]
            if tally.pass_over(times["startedAt"], times["completedAt"]):
                return
    except (KeyError, TypeError, ValueError):
        # Something is missing or of another type, which may be well all the same.
        pass
    _add_row(tally, row, subject)


def _judge(one: Execution, summary: TaskSummary, *, complete: bool, notes: Iterable[Note]) -> TaskSummary:
    """Return a summary with a note if fewer tasks failed than the upstream counts, or some have an unknown status."""
    counted, notes = one.failed or 0, [*notes, *summary.notes]
    if summary.strange:
        notes.append(f"some tasks have a status not known here: {write_names(summary.strange[:3])}")
    if complete and summary.failed < counted:
        complete = False
        noun = "task" if counted == 1 else "tasks"
        notes.append(f"the upstream counts {counted:,} failed {noun}, but lists {summary.failed:,}")
    return replace(summary, complete=complete, notes=tuple(notes))
