"""Bringing in what another system told, in one transaction.

What has ended here is never changed. What has not is brought forward, to what was told later. Jobs and definitions
that nothing was told of are made as small as they can be.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from jobtrail.plane.runwisp_db import log_tail
from jobtrail.plane.shapes import job_defined
from jobtrail.plane.states import ENDED, execution_events, execution_state, here, run_events, run_state
from jobtrail.plane.store import Event, Line, append, append_lines
from jobtrail.plane.told import ToldDefinition, ToldExecution, ToldJob

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator, Iterable

    from jobtrail.plane.states import Here
    from jobtrail.plane.store import Row, Store
    from jobtrail.plane.told import Told, ToldRun

__all__ = ["Importing", "Outcome", "Unfit", "importing"]

_RANKS = {"queued": 0, "pending": 1, "running": 2, "cancelling": 3}
_PLACEHOLDER = "placeholder"
"""In the body of a job of which no more than the name is known."""


class Outcome(StrEnum):
    """What became of an item."""

    NEW = "new"
    FORWARD = "brought forward"
    SAME = "already there"
    KEPT = "differs, what is here was kept"


class Unfit(Exception):
    """An item that does not go with what is here.

    Attributes:
        why: it is another job's or task's, or a recorder of this machine holds it.
        owner: that job or task.
    """

    def __init__(self, why: Literal["job", "task", "held"], owner: str = "") -> None:
        super().__init__(why, owner)
        self.why: Literal["job", "task", "held"] = why
        self.owner = owner


@contextmanager
def importing(store: Store) -> Generator[Importing]:
    """Hold the write lock and bring items in; all of them, or none where an error comes out.

    Raises:
        StoreError: the store cannot be written.
    """
    with store.transaction() as db:
        one = Importing(store, db)
        yield one
        one.finish()


class Importing:
    """An import that is under way."""

    def __init__(self, store: Store, db: sqlite3.Connection) -> None:
        self._store = store
        self._db = db
        self._space = store.workspace
        # Named so far, and when at the latest they were there: made at the end, since they may be told of yet.
        self._jobs: dict[str, int] = {}
        self._definitions: dict[str, tuple[int, bool]] = {}

    def bring(self, told: Told) -> Outcome:
        """Bring one item in.

        Raises:
            Unfit: it does not go with what is here; nothing of it was brought in.
        """
        match told:
            case ToldExecution():
                return self._execution(told)
            case ToldJob():
                return self._job(told)
            case ToldDefinition():
                return self._definition(told)
            case _:
                return self._run(told)

    def finish(self) -> None:
        """Make the jobs and definitions that were named and not told of."""
        self._append(
            _smallest_job(name, created)
            for name, created in self._jobs.items()
            if (row := self._store.job(self._space, name)) is None
            or (created < row["created_at"] and _PLACEHOLDER in json.loads(row["body"]))
        )
        self._append(
            Event("definition", seen, name, body=_smallest_definition(name, service=service))
            for name, (seen, service) in self._definitions.items()
            if not self._store.has_definition(name)
        )

    def _append(self, events: Iterable[Event]) -> None:
        append(self._db, self._space, events)

    def _one(self, sql: str, *values: str | int) -> Row | None:
        return self._db.execute(sql, values).fetchone()

    def _execution(self, told: ToldExecution) -> Outcome:
        row = self._one("SELECT * FROM executions WHERE workspace = ? AND id = ?", self._space, told.id)
        if row is None:
            self._jobs[told.job] = min(told.created, self._jobs.get(told.job, told.created))
            self._append(execution_events(told, None))
            return Outcome.NEW
        if row["job"] != told.job:
            raise Unfit("job", row["job"])
        found = here(row, self._store.all_tasks(row["key"]) if told.tasks else ())
        events = execution_events(told, found)
        first = next(events, None)
        if first is None:
            return Outcome.SAME
        held = "SELECT 1 FROM tasks WHERE execution = ? AND recorder IS NOT NULL AND ended_at IS NULL"
        if self._one(held, row["key"]) is not None:
            raise Unfit("held")
        if not _further(told, found):
            return Outcome.KEPT
        self._append(chain((first,), events))
        return Outcome.FORWARD

    def _job(self, told: ToldJob) -> Outcome:
        row = self._store.job(self._space, told.name)
        now = time.time_ns()
        event = job_defined(
            told.name,
            _first(told.updated, told.created, now),
            metadata=told.metadata,
            spec=told.spec,
            status=told.status or (row["status"] if row is not None else "DEPLOYED"),
            events=told.events,
        )
        if row is None:
            created = _first(told.created, told.updated, now)
            self._append([replace(event, at=created)] if event.at == created else [replace(event, at=created), event])
            return Outcome.NEW
        there: dict[str, Any] = json.loads(row["body"])
        there.pop("created_at", None)
        placeholder = there.pop(_PLACEHOLDER, False)
        created = _first(told.created, row["created_at"])
        if not placeholder:
            updated = _first(told.updated, row["updated_at"])
            known = (there, row["status"], row["created_at"], row["updated_at"])
            if (event.body, event.status, created, updated) == known:
                return Outcome.SAME
            if updated < row["updated_at"]:
                return Outcome.KEPT
        self._append([replace(event, body={**event.body, "created_at": created})])
        return Outcome.NEW if placeholder else Outcome.FORWARD

    def _definition(self, told: ToldDefinition) -> Outcome:
        if told.body is None:
            self._define(told.name, _first(told.seen, time.time_ns()))
            return Outcome.SAME
        row = self._one("SELECT body FROM definitions WHERE name = ?", told.name)
        if row is not None and json.loads(row["body"]) == told.body:
            return Outcome.SAME
        self._append([Event("definition", _first(told.seen, time.time_ns()), told.name, body=told.body)])
        return Outcome.NEW if row is None else Outcome.FORWARD

    def _define(self, name: str, seen: int, *, service: bool = False) -> None:
        first, was_service = self._definitions.get(name, (seen, False))
        self._definitions[name] = (min(first, seen), service or was_service)

    def _run(self, told: ToldRun) -> Outcome:
        row = self._store.run(told.id)
        if row is not None and row["task"] != told.task:
            raise Unfit("task", row["task"])
        have = run_state(row) if row is not None else None
        events = [*run_events(told, have)]
        if row is None:
            self._define(told.task, told.created, service=told.body.get("triggered_by") == "service")
        elif not events:
            return Outcome.FORWARD if self._keep_log(told) else Outcome.SAME
        elif row["status"] == "ended" or (row["status"] == "running" and told.status == "pending"):
            return Outcome.KEPT
        self._append(events)
        self._keep_log(told)
        return Outcome.NEW if row is None else Outcome.FORWARD

    def _keep_log(self, told: ToldRun) -> bool:
        """Keep the last lines of a run's output, in place of those of a former import; return whether they differ."""
        if told.log is None:
            return False
        lines = log_tail(told.log)
        where = (self._space, told.id)
        stored = self._db.execute(
            "SELECT stream, text FROM lines WHERE workspace = ? AND owner = ? ORDER BY seq", where
        )
        if [tuple(row) for row in stored] == lines:
            return False
        self._db.execute("DELETE FROM lines WHERE workspace = ? AND owner = ?", where)
        # When each was written is not told.
        append_lines(self._db, self._space, (Line(0, told.id, "", stream, text) for stream, text in lines))
        return True


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)


def _rank(status: str) -> int:
    return _RANKS.get(status, len(_RANKS))


def _further(told: ToldExecution, found: Here) -> bool:
    """Return whether what was told is later than what is here, of an execution that differs."""
    have, wanted = found.state, execution_state(told)
    if have.status in ENDED:
        # A list of executions names no tasks; those may be told later.
        same = have.but_updated == wanted.but_updated and told.stats.items() <= found.stats.items()
        return same and not found.listed and bool(told.tasks)
    if _rank(wanted.status) != _rank(have.status):
        return _rank(wanted.status) > _rank(have.status)
    return wanted.updated is None or have.updated is None or wanted.updated >= have.updated


def _smallest_job(name: str, created: int) -> Event:
    event = job_defined(name, created, metadata={}, spec={})
    return replace(event, body={**event.body, _PLACEHOLDER: True, "created_at": created})


def _smallest_definition(name: str, *, service: bool) -> dict[str, Any]:
    """Return a definition with no more than what the documents require of one (schema Task)."""
    kind = "service" if service else "task"
    return {"name": name, "kind": kind, "manualTrigger": False, "runOnStart": False, "autostart": service}
