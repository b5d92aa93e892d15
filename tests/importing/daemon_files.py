"""Databases as RunWisp daemons of two versions leave them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

A, B, C = (f"01M6FK0E50C4TP2FT2ERSACTJ{letter}" for letter in "ABC")
RUNS_1 = """
CREATE TABLE runs (
  id TEXT PRIMARY KEY, execution_id TEXT, task_name TEXT NOT NULL DEFAULT '', status TEXT NOT NULL, end_reason TEXT,
  exit_code INTEGER NOT NULL DEFAULT 0, started_at DATETIME, ended_at DATETIME, triggered_by TEXT NOT NULL,
  created_at DATETIME NOT NULL, retry_attempt INTEGER NOT NULL DEFAULT 0, retry_of_run_id TEXT,
  instance_index INTEGER NOT NULL DEFAULT 0, params_json TEXT, deleted_at DATETIME,
  is_failure INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE task_registrations (task_name TEXT PRIMARY KEY, first_seen_at DATETIME NOT NULL);
"""
RUNS_0 = """
CREATE TABLE runs (
  id TEXT PRIMARY KEY, external_execution_id TEXT, task_name TEXT NOT NULL, status TEXT NOT NULL, end_reason TEXT,
  exit_code INTEGER NOT NULL DEFAULT 0, start_at DATETIME, end_at DATETIME, triggered_by TEXT NOT NULL,
  created_at DATETIME NOT NULL, retry_attempt INTEGER NOT NULL DEFAULT 0, retry_of_run_id TEXT,
  replica_index INTEGER NOT NULL DEFAULT 0
);
"""


def database(path: Path, schema: str = RUNS_1, *rows: Mapping[str, Any], wal: bool = True) -> Path:
    """Make a database as a daemon leaves it."""
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA journal_mode = {'WAL' if wal else 'DELETE'}")
        db.executescript(schema)
        insert(db, *rows)
    return path


def insert(db: sqlite3.Connection, *rows: Mapping[str, Any]) -> None:
    for row in rows:
        columns = {"status": "ended", "triggered_by": "cron", "created_at": "2026-11-01 02:15:00+00:00", **row}
        names, places = ", ".join(columns), ", ".join("?" * len(columns))
        db.execute(f"INSERT INTO runs ({names}) VALUES ({places})", [*columns.values()])  # noqa: S608 # names are ours
    db.commit()
