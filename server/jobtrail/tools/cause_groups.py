"""Groups failures by cause, of one job or of all, and makes their rows: what `find_failures` shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobtrail.analysis.failure_groups import make_signature
from jobtrail.models import Call, FailureCause, Run
from jobtrail.text import count_noun
from jobtrail.tools.failure_causes import Recovery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobtrail.sources.federation import OwnedAttempt
    from jobtrail.tools.failure_causes import CausesOfOne

_MOST_JOBS = 10


@dataclass(frozen=True)
class Cause:
    """Failures with one cause, the newest first: of one job and status, or of all jobs.

    Attributes:
        text: why the newest failed.
        across: whether they are of all jobs.
        tasks: how many tasks of executions failed of it, where it is of all jobs.
    """

    text: str
    failures: Sequence[OwnedAttempt]
    across: bool = False
    tasks: int = 0

    @property
    def newest(self) -> OwnedAttempt:
        """The newest of them."""
        return self.failures[0]

    def split(self) -> list[Cause]:
        """Return it job by job."""
        jobs: dict[tuple[str, str], list[OwnedAttempt]] = {}
        for one in self.failures:
            jobs.setdefault((one.source, one.job), []).append(one)
        return [Cause(self.text, its) for its in jobs.values()]


def group_by_job(failures: Sequence[OwnedAttempt], causes: Sequence[CausesOfOne]) -> list[Cause]:
    """Return failures by job, status and most frequent cause, in the order of the newest of each.

    Args:
        failures: newest first.
        causes: why each failed.
    """
    groups: dict[tuple[str, ...], tuple[str, list[OwnedAttempt]]] = {}
    for one, its in zip(failures, causes, strict=True):
        key = (one.source, one.job, one.status, make_signature(its.text))
        groups.setdefault(key, (its.text, []))[1].append(one)
    return [Cause(text, group) for text, group in groups.values()]


def group_by_cause(failures: Sequence[OwnedAttempt], causes: Sequence[CausesOfOne]) -> list[Cause]:
    """Return failures by each of their causes, over all jobs, those of the most failures first.

    Args:
        failures: newest first; one of several causes is in the group of each.
        causes: why each failed.
    """
    groups: dict[str, list[tuple[OwnedAttempt, str, int]]] = {}
    for one, its in zip(failures, causes, strict=True):
        for text, tasks in its.causes:
            groups.setdefault(make_signature(text), []).append((one, text, tasks))
    found = [
        Cause(group[0][1], [one for one, *_ in group], across=True, tasks=sum(tasks for *_, tasks in group))
        for group in groups.values()
    ]
    return sorted(found, key=lambda cause: -len(cause.failures))


def describe_untold(causes: Sequence[CausesOfOne]) -> list[str]:
    """Return notes on failed tasks that are in no group: those of rarer causes, and those that were not read."""
    notes: list[str] = []
    if having := [one for one in causes if one.rarer]:
        tasks = count_noun(sum(one.rarer_tasks for one in having), "failed task")
        notes.append(f"{tasks} of {count_noun(len(having), 'execution')} had rarer causes, which have no row")
    if cut := [one for one in causes if not one.complete]:
        notes.append(
            f"of {count_noun(len(cut), 'execution')} not all tasks were read: there may be more "
            "causes, and more tasks of these; get_execution says why"
        )
    return notes


def join_recoveries(parts: Sequence[Recovery]) -> Recovery:
    """Return whether all of several jobs recovered, and when the last of them did."""
    known = {one.recovered for one in parts}
    if known != {True}:
        return Recovery(recovered=False if False in known else None)
    times = [one.at for one in parts if one.at]
    return Recovery(recovered=True, at=max(times) if len(times) == len(parts) else None)


def make_cause(cause: Cause, recoveries: Sequence[Recovery]) -> FailureCause:
    """Return the row of a cause.

    Args:
        cause: the cause.
        recoveries: of each of its jobs, in the order of `split`.
    """
    newest, recovery = cause.newest, join_recoveries(recoveries)
    times = [one.created_at for one in cause.failures if one.created_at]
    run = isinstance(newest.item, Run)
    named = {"run": newest.id} if run else {"job": newest.job, "execution": newest.id}
    row = FailureCause(
        source=newest.source,
        kind="run" if run else "execution",
        cause=cause.text,
        count=len(cause.failures),
        first_at=min(times, default=None),
        last_at=max(times, default=None),
        recovered=recovery.recovered,
        recovered_at=recovery.at,
        example=newest.id,
        open=Call("get_run" if run else "get_execution", {**named, "source": newest.source}),
    )
    own = _list_jobs(cause, recoveries) if cause.across else {"job": newest.job, "status": newest.status}
    return row.model_copy(update=own)


def _list_jobs(cause: Cause, recoveries: Sequence[Recovery]) -> dict[str, object]:
    """Return what a cause of all jobs has besides: its jobs, and which of them have not recovered."""
    parts = cause.split()
    several = len({part.newest.source for part in parts}) > 1
    names = [f"{part.newest.source}/{part.newest.job}" if several else part.newest.job for part in parts]
    left = [name for name, one in zip(names, recoveries, strict=True) if one.recovered is False]
    return {
        "jobs": (*names[:_MOST_JOBS],),
        "more_jobs": max(0, len(names) - _MOST_JOBS) or None,
        "not_recovered": (*left[:_MOST_JOBS],) or None,
        "tasks": cause.tasks or None,
    }
