"""Makes the rows of `find_missed`: one for each job, or one for each stretch of a job's due times that went alike."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from jobtrail.models import Call, Overdue, Run
from jobtrail.times import format_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobtrail.analysis.starts import Start
    from jobtrail.models.missed import Outcome
    from jobtrail.tools.due_judgements import Judged

_BEFORE: dict[Outcome, int] = {"never ran": 0, "missed": 1, "late": 2, "held": 3, "skipped": 4}


def make_rows(judged: Sequence[Judged], *, alone: bool) -> list[Overdue]:
    """Return the rows of jobs, those first that miss most; of one job `alone` those of its times."""
    if alone:
        return [row for one in judged for row in _make_time_rows(one)]
    rows = [row for one in judged if (row := _make_job_row(one))]
    return sorted(
        rows, key=lambda row: (_BEFORE[row.state], -(row.missed or 0), -(row.late or 0), row.source, row.job)
    )


def name_row(row: Overdue) -> str:
    """Return what tells a row from the others: its job, and its time where rows are of one job."""
    return f"{row.source}/{row.job} {format_time(row.first_at)}"


def _make_job_row(one: Judged) -> Overdue | None:
    """Return the row of a job; None for one that ran as it was due."""
    state = _choose_state(one)
    if state is None:
        return None
    of_state = [start for start in one.starts if start.state == ("missed" if state == "never ran" else state)]
    lateness = [start.late_s for start in one.starts if start.state == "late"]
    skipped = next((start for start in reversed(one.starts) if start.state == "skipped"), None)
    return Overdue(
        source=one.source,
        job=one.job.name,
        state=state,
        due=one.due,
        missed=one.count("missed") or None,
        told=sum(start.told for start in one.starts if start.state == "missed") or None,
        late=len(lateness) or None,
        late_by_s=max(lateness, default=None),
        skipped=one.count("skipped") or None,
        reason=one.held or (_explain(skipped) if skipped else None),
        first_at=of_state[0].at if of_state else None,
        last_at=of_state[-1].at if of_state else None,
        next_due_at=one.next_due_at,
        schedule=one.job.schedule,
    )


def _choose_state(one: Judged) -> Outcome | None:
    if one.held:
        return "held"
    if one.never and one.count("missed"):
        return "never ran"
    found: tuple[Outcome, ...] = ("missed", "late", "skipped")
    return next((state for state in found if one.count(state)), None)


def _explain(start: Start) -> str:
    """Return why a due time was skipped, in the upstream's word where it has one of its own."""
    if start.attempt is None:
        return "clocks turned then"
    return start.attempt.raw_status or "skipped"


def _make_time_rows(one: Judged) -> list[Overdue]:
    """Return a row for each stretch of due times in a row that did not go as they were due, the newest first."""
    if one.held:
        return [row] if (row := _make_job_row(one)) else []
    groups = [[*group] for _, group in groupby(one.starts, key=_read_outcome)]
    return [_make_time_row(one, group) for group in reversed(groups) if group[0].state not in {"ran", "to come"}]


def _read_outcome(start: Start) -> tuple[object, ...]:
    """Return what due times of one row have in common; what can be opened has its own."""
    return start.state, start.attempt.id if start.attempt else ""


def _make_time_row(one: Judged, group: Sequence[Start]) -> Overdue:
    first, last = group[0], group[-1]
    state: Outcome = "late" if last.state == "late" else "skipped" if last.state == "skipped" else "missed"
    return Overdue(
        source=one.source,
        job=one.job.name,
        state=state,
        due=len(group),
        missed=len(group) if state == "missed" else None,
        told=len(group) if state == "missed" and last.told else None,
        late=len(group) if state == "late" else None,
        skipped=len(group) if state == "skipped" else None,
        late_by_s=last.late_s if state == "late" else None,
        reason=_explain(last) if state == "skipped" else None,
        first_at=first.at,
        last_at=last.at,
        open=_propose_call(one, last),
    )


def _propose_call(one: Judged, start: Start) -> Call | None:
    if start.attempt is None:
        return None
    run = isinstance(start.attempt, Run)
    named = {"run": start.attempt.id} if run else {"job": one.job.name, "execution": start.attempt.id}
    return Call("get_run" if run else "get_execution", {**named, "source": one.source})
