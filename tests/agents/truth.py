"""What is true, read from where it lies: the rows of a store's file as SQLite holds them, through nothing of ours."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["BAD", "WELL", "Row", "Rows", "last_reason", "nanos", "newest", "share", "stamp"]

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


def share(rows: Iterable[Row]) -> float:
    """Return which share of those that ended by themselves ended well."""
    words = [row["word"] for row in rows if row["word"] in WELL | BAD]
    return sum(word in WELL for word in words) / len(words)
