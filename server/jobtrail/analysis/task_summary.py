"""Sums up the tasks of an execution as they are read: counts, failures by signature, the slowest."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from jobtrail.analysis.failure_groups import NO_REASON, FailureGroups
from jobtrail.models import FailureGroup, SlowTask
from jobtrail.models.unread import UnreadFields
from jobtrail.times import parse_optional_time, seconds_between
from jobtrail.vocabulary import ENDED, FAILURES

if TYPE_CHECKING:
    from jobtrail.models import Note, Task
    from jobtrail.vocabulary import Status

_SLOWEST = 3
_read_time = datetime.fromisoformat


@dataclass(frozen=True)
class TaskSummary:
    """What the tasks of an execution came to; its size does not grow with them.

    Attributes:
        scanned: how many were read.
        failed: how many of these failed.
        outer: how many of the failed ones failed after one within them, whose cause they have.
        unfinished: how many of these have not ended, as far as their status is known here.
        causes: signatures among the failed ones.
        failures: the failed ones by signature, most frequent first; past five groups the rest is one.
        slowest: the three that took longest, by name, status and duration; those that still run do not count.
        first_failed: name of the first that failed.
        strange: statuses that are not known here.
        complete: whether no failure can be missing.
        cut_short: whether another reading may come further: this one was cut short by time or an error.
        notes: what an agent must know of how they were read.
    """

    scanned: int = 0
    failed: int = 0
    outer: int = 0
    unfinished: int = 0
    causes: int = 0
    failures: tuple[FailureGroup, ...] = ()
    slowest: tuple[SlowTask, ...] = ()
    first_failed: str | None = None
    strange: tuple[str, ...] = ()
    complete: bool = True
    cut_short: bool = False
    notes: tuple[Note, ...] = ()


class TaskTally:
    """Sums up tasks one by one, so that none of them need be kept."""

    def __init__(self) -> None:
        self._scanned = self._unfinished = 0
        self._groups = FailureGroups()
        self._strange: set[str] = set()
        self._unread = UnreadFields("task")
        self._slowest: list[tuple[float, str, Status]] = []
        self._bound = timedelta()

    def add(self, task: Task) -> None:
        """Add a task."""
        self._scanned += 1
        self._unfinished += task.status not in ENDED
        self._unread.add(task.unread)
        if task.status == "unknown":
            self._strange.add(task.raw_status or "none")
        if task.status in FAILURES:
            self._groups.add(task.name, task.reason or NO_REASON, task.ended_at or task.started_at)
        if task.duration_s:
            self._add_slow(task.duration_s, task.name, task.status)

    def pass_over(self, started: str, ended: str) -> bool:
        """Count a task that succeeded if it is not among the slowest so far, and return whether that is so.

        Raises:
            ValueError, TypeError: one of its times is none.
        """
        quick = _read_time(ended) - _read_time(started) < self._bound
        self._scanned += quick
        return quick

    def add_plain(self, name: str, started: str, ended: str, reason: str | None) -> bool:
        """Add a task that succeeded or failed, by its times as an upstream wrote them and why it failed.

        The reason is None if it succeeded, and empty if none is given. No model is made of it: there are thousands.
        Return whether it was added, which takes two times.
        """
        begun, over = parse_optional_time(started), parse_optional_time(ended)
        if begun is None or over is None:
            return False
        self._scanned += 1
        if reason is not None:
            self._groups.add(name, reason or NO_REASON, over)
        duration = seconds_between(begun, over)
        if duration:
            self._add_slow(duration, name, "succeeded" if reason is None else "failed")
        return True

    def _add_slow(self, duration: float, name: str, status: Status) -> None:
        slow = -duration, name, status
        if len(self._slowest) == _SLOWEST:
            if slow >= self._slowest[-1]:
                return
            self._slowest.pop()
        insort(self._slowest, slow)
        if len(self._slowest) == _SLOWEST:
            # Durations are rounded to the millisecond.
            self._bound = timedelta(seconds=-self._slowest[-1][0], milliseconds=-1)

    def summarize(self) -> TaskSummary:
        """Return what the tasks came to so far."""
        return TaskSummary(
            scanned=self._scanned,
            failed=self._groups.failed,
            outer=self._groups.outer,
            unfinished=self._unfinished,
            causes=len(self._groups),
            failures=self._groups.to_models(),
            slowest=tuple(
                SlowTask(name=name, status=status, duration_s=-less) for less, name, status in self._slowest
            ),
            first_failed=self._groups.first,
            strange=tuple(sorted(self._strange)),
            notes=tuple(self._unread.write_notes()),
        )
