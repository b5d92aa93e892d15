"""What is true, read from where it lies: the rows of a store's file as SQLite holds them, through nothing of ours."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = [
    "BAD", "WELL", "Row", "Rows", "due_times", "last_reason", "missed", "nanos", "newest", "of_each_job", "p95",
    "share", "stamp",
]  # fmt: skip

BAD = frozenset({"failed", "timeout", "crashed", "log_overflow", "start_failed"})
"""What means that an execution or a run ended badly, in the words of either document."""

WELL = frozenset({"succeeded", "success"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = dict[str, Any]


class Rows:
    """The rows of a store's file.

    An execution and a run have their `word` in common: how it stands, and how it ended once it has.
    """

    def __init__(self, path: Path) -> None:
        self._uri = f"{path.as_uri()}?mode=ro"

    def _read(self, sql: str, *values: str | int) -> list[Row]:
        with closing(sqlite3.connect(self._uri, uri=True, timeout=10)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(sql, values)]

    def jobs(self) -> list[str]:
        """Return the names of the batch jobs."""
        return [row["name"] for row in self._read("SELECT name FROM jobs")]

    def executions(self, job: str | None = None, since: datetime = _EPOCH) -> list[Row]:
        """Return executions, the newest first."""
        sql = (
            "SELECT *, status AS word FROM executions WHERE created_at >= ? AND (job = ? OR ? = '')"
            " ORDER BY created_at DESC"
        )
        return self._read(sql, nanos(since), job or "", job or "")

    def tasks(self, execution: int) -> list[Row]:
        """Return the tasks of an execution, which is named by its key, in the order they were scheduled."""
        return self._read("SELECT * FROM tasks WHERE execution = ? ORDER BY position", execution)

    def runs(self, task: str | None = None, since: datetime = _EPOCH) -> list[Row]:
        """Return runs, the newest first."""
        sql = (
            "SELECT *, task AS job, iif(status = 'ended', end_reason, status) AS word FROM runs"
            " WHERE created_at >= ? AND (task = ? OR ? = '') ORDER BY created_at DESC, seq"
        )
        return self._read(sql, nanos(since), task or "", task or "")

    def attempts(self, since: datetime = _EPOCH) -> list[Row]:
        """Return executions and runs of everything, the newest first."""
        return sorted([*self.executions(since=since), *self.runs(since=since)], key=lambda row: -row["created_at"])

    def schedules(self) -> dict[str, str]:
        """Return the cron expression of everything that has one; all are of UTC."""
        defined = self._read(
            "SELECT name, json_extract(body, '$.cron') AS cron FROM definitions UNION ALL"
            " SELECT name, json_extract(body, '$.spec.triggers[0].configuration.schedule') FROM jobs"
        )
        return {row["name"]: row["cron"] for row in defined if row["cron"]}

    def services(self) -> set[str]:
        """Return the names of the services."""
        rows = self._read("SELECT name FROM definitions WHERE json_extract(body, '$.kind') = 'service'")
        return {row["name"] for row in rows}

    def definition(self, task: str) -> Row:
        """Return how a scheduled task is defined."""
        (row,) = self._read("SELECT body FROM definitions WHERE name = ?", task)
        return json.loads(row["body"])


def nanos(moment: datetime) -> int:
    """Return a moment as the store holds it."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def stamp(nanoseconds: int) -> str:
    """Return a moment of the store as an answer writes it."""
    return f"{_EPOCH + timedelta(seconds=nanoseconds // 10**9):%Y-%m-%dT%H:%M:%SZ}"


def last_reason(task: Row) -> str:
    """Return why a task failed in the end; empty where it did not say."""
    conditions = json.loads(task["conditions"] or "[]")
    return conditions[-1]["reason"] if conditions else ""


def newest(rows: Iterable[Row], words: Iterable[str]) -> Row:
    """Return the first row whose word is one of these."""
    wanted = set(words)
    return next(row for row in rows if row["word"] in wanted)


def of_each_job(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return rows by their job, in their order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["job"], []).append(row)
    return found


def p95(rows: Iterable[Row]) -> float:
    """Return the seconds that 95 of 100 of those that ended took at most; 0 where none has ended."""
    took = sorted(
        (row["ended_at"] - row["started_at"]) / 1e9 for row in rows if row["ended_at"] and row["started_at"]
    )
    return took[ceil(len(took) * 0.95) - 1] if took else 0.0


def due_times(cron: str, since: datetime, until: datetime) -> list[datetime]:
    """Return the minutes after `since` up to `until` at which `*`, `*/n`, numbers and lists of them are due."""
    minutes = int((until - since).total_seconds()) // 60
    moments = (since.replace(second=0, microsecond=0) + timedelta(minutes=n) for n in range(minutes + 1))
    return [moment for moment in moments if since < moment <= until and _is_due(cron, moment)]


def _is_due(cron: str, at: datetime) -> bool:
    values = (at.minute, at.hour, at.day, at.month, at.isoweekday() % 7)
    return all(
        part == "*" or (value % int(part[2:]) == 0 if part.startswith("*/") else str(value) in part.split(","))
        for part, value in zip(cron.split(), values, strict=True)
    )


def missed(cron: str, created: Sequence[int], since: datetime, until: datetime) -> int:
    """Return how many due times passed without anything created from them on, up to the next.

    Args:
        cron: when it is due.
        created: nanoseconds at which something of the job was created.
        since: from when on; what was due before the oldest was created is not known.
        until: the present.
    """
    times = [nanos(moment) for moment in due_times(cron, since, until)]
    known = [at for at in times if at >= min(created, default=0)]
    spans = pairwise([*known, nanos(until) + 1])
    return sum(not any(start <= at < end for at in created) for start, end in spans)


def share(rows: Iterable[Row]) -> float:
    """Return which share of those that ended by themselves ended well."""
    words = [row["word"] for row in rows if row["word"] in WELL | BAD]
    return sum(word in WELL for word in words) / len(words)
