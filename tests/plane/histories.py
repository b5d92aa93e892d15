"""Histories for tests of the store, random and fixed; what is derived from one; a store of the first version."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from jobtrail.plane import Event, Store
from jobtrail.plane.database import SCHEMA_VERSION
from jobtrail.plane.store import Line, stamp
from tests.plane.stocks import at, execution, job, task

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "HISTORIES",
    "HISTORIES_1",
    "HISTORY",
    "KEY_1",
    "Happening",
    "Replayable",
    "derived",
    "happen",
    "version_1",
]

Happening = tuple[str, list[Event], list[Line]]
"""Recorded in one transaction: the workspace, events and output."""

_MINUTE = st.integers(0, 60)
_WORKSPACE = st.sampled_from(["default", "other"])
# Few names, so that histories meet: an id created twice, a status of what is not there, output of what is gone.
_EXECUTION = st.sampled_from(["e0", "e1", "e2", "e3"])
_TASK = st.sampled_from(["t0", "t1", "t2"])
_RUN = st.sampled_from(["r0", "r1", "r2", "r3"])
_JOB = st.sampled_from(["etl", "report"])
_STATUS = st.sampled_from(["queued", "running", "succeeded", "failed", "cancelled", "timeout"])
_TASK_STATUSES = st.lists(st.sampled_from(["pending", "running", "succeeded", "failed", "cancelled"]), max_size=4)


def _run(identity: str, minute: int, reason: str | None) -> list[Event]:
    events = [
        Event("run.created", at(minute), identity, "nightly", body={"triggered_by": "cron"}),
        Event("run.status", at(minute + 1), identity, "nightly", "running"),
    ]
    if reason:
        body = {"end_reason": reason, "exit_code": len(reason)}
        events.append(Event("run.status", at(minute + 2), identity, "nightly", "ended", body))
    return events


def _told(identity: str, minute: int, status: str) -> list[Event]:
    return [Event("execution.status", at(minute), identity, "etl", status)]


def _counted(identity: str, minute: int, total: int) -> list[Event]:
    return [Event("execution.stats", at(minute), identity, "etl", body={"total": total, "success": total // 2})]


def _tasks_of(identity: str, names: list[str], minute: int, statuses: list[str]) -> list[Event]:
    return [event for name in names for event in task(name, identity, minute, *statuses)]


def _changed(name: str, of: str, minute: int, status: str) -> list[Event]:
    return [Event("task.status", at(minute), name, of, status, [{"type": "Told", "reason": status}])]


def _changed_elsewhere(owner: str, minute: int, status: str, told: dict[str, Any]) -> list[Event]:
    """Return what an import records of what is there: times that do not follow from the status, and more."""
    if owner.startswith("r"):
        return [Event("run.status", at(minute), owner, "nightly", "ended", {"end_reason": status, **told})]
    return [
        Event("execution.status", at(minute), owner, "etl", status, {"spec": {"parallelism": minute}, **told}),
        Event("task.status", at(minute), "t0", owner, status, {"conditions": [{"reason": status}], **told}),
    ]


def _made_elsewhere(owner: str, minute: int, status: str, told: dict[str, Any]) -> list[Event]:
    """Return what an import records of what it meets for the first time, in one event each."""
    if owner.startswith("r"):
        body = {"triggered_by": "cron", "told": {"end_reason": status, **told}}
        return [Event("run.created", at(minute), owner, "nightly", "ended", body)]
    return [
        Event("execution.created", at(minute), owner, "etl", status, {"parallelism": 1}),
        Event("task.scheduled", at(minute), "t0", owner, status, {"maxRetries": 1, "told": told}),
    ]


def _defined(name: str, minute: int) -> list[Event]:
    return [
        job(name, minute, title=f"{name} of {minute}"),
        Event("definition", at(minute), name, body={"is": minute}),
    ]


_STORIES = (
    st.builds(execution, _EXECUTION, _JOB, _MINUTE, _STATUS),
    st.builds(_tasks_of, _EXECUTION, st.lists(_TASK, min_size=1, unique=True), _MINUTE, _TASK_STATUSES),
    st.builds(_told, _EXECUTION, _MINUTE, _STATUS),
    st.builds(_changed, _TASK, _EXECUTION, _MINUTE, st.sampled_from(["running", "failed", "succeeded"])),
    st.builds(_run, _RUN, _MINUTE, st.sampled_from([None, "success", "failed"])),
    st.builds(_defined, _JOB, _MINUTE),
)
_WHEN = st.integers(0, 60).map(lambda minute: stamp(at(minute)))
_ELSEWHERE = st.fixed_dictionaries(
    {},
    optional={
        "created_at": _WHEN,
        "started_at": st.one_of(st.none(), _WHEN),
        "ended_at": st.one_of(st.none(), _WHEN),
        "metadata": st.just({"createdBy": "somebody"}),
    },
)
_OUTPUT = st.builds(
    Line,
    st.builds(at, _MINUTE),
    st.one_of(_EXECUTION, _RUN),
    st.one_of(_TASK, st.just("")),
    st.sampled_from(["stdout", "stderr"]),
    st.text(max_size=5),
)
HISTORIES_1: st.SearchStrategy[list[Happening]] = st.lists(
    st.tuples(_WORKSPACE, st.one_of(_STORIES), st.just([])), max_size=25
)
"""What a store of schema version 1 can hold."""
HISTORIES: st.SearchStrategy[list[Happening]] = st.lists(
    st.tuples(
        _WORKSPACE,
        st.one_of(
            *_STORIES,
            st.builds(_counted, _EXECUTION, _MINUTE, st.integers(0, 9)),
            st.builds(_changed_elsewhere, st.one_of(_EXECUTION, _RUN), _MINUTE, _STATUS, _ELSEWHERE),
            st.builds(_made_elsewhere, st.one_of(_EXECUTION, _RUN), _MINUTE, _STATUS, _ELSEWHERE),
        ),
        st.lists(_OUTPUT, max_size=2),
    ),
    max_size=25,
)


def happen(store: Store, history: Iterable[Happening]) -> None:
    """Record what a store takes; an id that is there already is refused with all that comes with it."""
    for workspace, events, lines in history:
        try:
            store.record(events, workspace, lines)
        except sqlite3.IntegrityError:
            continue


class Replayable(Store):
    """A store that can be made to derive everything anew, as a migration does."""

    def replay(self) -> None:
        with self.transaction() as db:
            self._replay(db, SCHEMA_VERSION)


def derived(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of every table that follows from the events."""
    tables = store.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    names = {row["name"] for row in tables} - {"meta", "events", "lines"}
    assert {"jobs", "executions", "tallies", "tasks", "definitions", "runs"} <= names
    return {
        name: sorted((tuple(row) for row in store.rows(f"SELECT * FROM {name}")), key=repr)  # noqa: S608 # the schema's own names
        for name in names
    }


SCHEMA_1 = (Path(__file__).parent / "schema-1.sql").read_text(encoding="utf-8")
KEY_1 = "11" * 32
HISTORY: list[Happening] = [
    ("default", [job("etl", labels={"team": "data"}), job("etl", 9, title="Nightly")], []),
    ("other", [job("etl", 1)], []),
    ("default", execution("e1", "etl", 2, "failed"), []),
    ("other", execution("o1", "etl", 3), []),
    ("default", task("t1", "e1", 2.5, "running", "failed", "running", "succeeded"), []),
    ("default", task("t2", "e1", 2.5, "running", "failed"), []),
    ("default", [Event("definition", at(0), "nightly", body={"name": "nightly"})], []),
    ("default", [Event("run.created", at(4), "r2", "nightly", body={"triggered_by": "cron"})], []),
    ("default", [Event("run.created", at(4), "r1", "nightly", body={"triggered_by": "api"})], []),
    ("default", [Event("run.status", at(5), "r1", "nightly", "running")], []),
    ("default", [Event("run.status", at(6), "r1", "nightly", "ended", {"end_reason": "failed", "exit_code": 3})], []),
]


def version_1(path: Path, history: Iterable[Happening]) -> Path:
    """Make a store as the first version made it: in microseconds, without recorders, without output."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(SCHEMA_1)
        db.execute("PRAGMA user_version = 1")
        db.execute("INSERT INTO meta VALUES ('cursor_key', ?)", (KEY_1,))
        for workspace, events, _ in history:
            _record_1(db, workspace, events)
    return path


def _record_1(db: sqlite3.Connection, workspace: str, events: Iterable[Event]) -> None:
    rows = [
        (
            one.kind, stamp(one.at) // 1000, workspace, one.parent, one.name, one.status,
            None if one.body is None else json.dumps(one.body, separators=(",", ":")),
        )
        for one in events
    ]  # fmt: skip
    db.execute("BEGIN IMMEDIATE")
    try:
        db.executemany(
            "INSERT INTO events (kind, at, workspace, parent, name, status, body) VALUES (?, ?, ?, ?, ?, ?, ?)", rows
        )
    except sqlite3.IntegrityError:
        db.execute("ROLLBACK")
    else:
        db.execute("COMMIT")
