"""Runs, a definition and output for the plane and for a real RunWisp daemon alike."""

from __future__ import annotations

from typing import Literal

from jobtrail.store import Store
from jobtrail.store.rows import DefinitionRow, LineRow, RunRow

SECOND = 1_000_000_000
START = 1_793_491_200 * SECOND
"""2026-11-01, in nanoseconds since 1970."""
ENDINGS = (
    "succeeded", "failed", "stopped", "timeout", "crashed", "skipped", "log_overflow", "queue_full", "dst_skipped",
    "daemon_stopped", "missed", "start_failed",
)  # fmt: skip
FAILURES = ("failed", "timeout", "crashed", "log_overflow", "start_failed", "missed")
TRIGGERS = ("cron", "api", "ui", "cli", "station", "service", "startup")
WORDED = ("pending", "running", *ENDINGS)
"""The states of the runs 0 to 13 of task `worded`, a minute apart."""
DEFINITION = {
    "name": "printing", "kind": "task", "group": "Backups", "description": "Prints", "cron": "0 0 29 2 *",
    "timezone": "Europe/Berlin", "timeout": 7_200 * SECOND, "retryAttempts": 2, "onOverlap": "queue",
}  # fmt: skip
PRINTED: tuple[tuple[Literal["stdout", "stderr"], str], ...] = (
    ("stdout", "one"),
    ("stderr", "two"),
    ("stdout", "three"),
)


def ulid(number: int) -> str:
    return f"01JZ{number:022}"


def count_seconds(number: int) -> int:
    """Return how many seconds a run of task `worded` took; each another time."""
    return number * 5 % 14 + 1 if number > 1 else 0


def _make_worded_run(number: int) -> RunRow:
    word, created = WORDED[number], START + 60 * number * SECOND
    began = created + 10 * SECOND if number else None
    body = {
        "triggered_by": TRIGGERS[number % len(TRIGGERS)],
        "is_failure": word in FAILURES,
        "retry_attempt": int(number == 3),
        "retry_of_run_id": ulid(2) if number == 3 else None,
        "replica_index": number % 2,
    }
    if number < 2:
        return RunRow(ulid(number), "worded", word, created, began, body=body)
    ended = created + (10 + count_seconds(number)) * SECOND
    return RunRow(ulid(number), "worded", "ended", created, began, ended, word, number % 3, body)


def _make_run(number: int, task: str, created: int) -> RunRow:
    body = {"triggered_by": "cron", "is_failure": False}
    return RunRow(ulid(number), task, "ended", created, created, created + SECOND, "succeeded", 0, body)


RUNS = (
    *map(_make_worded_run, range(len(WORDED))),
    # Created at one moment, in an order that is neither that of their ids nor its reverse.
    *(_make_run(number, "tied", START + 20 * 60 * SECOND) for number in (23, 20, 24, 21, 22)),
    *(_make_run(29 + nanos, "fine", START + 30 * 60 * SECOND + nanos) for nanos in (1, 2, 3)),
    *(_make_run(number, "many", START + 60 * number * SECOND) for number in range(100, 1105)),
)


def make_run_store() -> Store:
    """Return a store with all of it; the output is of run 2."""
    store = Store(None)
    store.write(DefinitionRow(name, {}) for name in ("worded", "tied", "never"))
    store.write([DefinitionRow("printing", DEFINITION), *RUNS])
    store.write(LineRow(START, ulid(2), "", stream, text) for stream, text in PRINTED)
    return store
