"""Inserts many rows as they lie in their tables, into a store in memory that does not count tasks itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jobtrail.store.database import Database


class ExecutionValues(NamedTuple):
    """An execution with the counts of its tasks, which are inserted later."""

    key: int
    workspace: str
    job: str
    id: str
    created_at: int
    updated_at: int
    started_at: int | None
    ended_at: int | None
    status: str
    body: str
    tasks: int
    total: int
    success: int
    failure: int
    running: int
    cancelled: int
    retried: int


class TaskValues(NamedTuple):
    """A task of an execution, which is named by its key."""

    execution: int
    position: int
    name: str
    created_at: int
    updated_at: int
    started_at: int | None
    ended_at: int | None
    attempts: int
    status: str
    spec: str
    conditions: str
    recorder: str | None = None


class LineValues(NamedTuple):
    """A line of output; the store gives it its place."""

    seq: None
    workspace: str
    owner: str
    task: str
    at: int
    stream: str
    text: str


Values = ExecutionValues | TaskValues | LineValues
_TABLES: dict[type[Values], str] = {ExecutionValues: "executions", TaskValues: "tasks", LineValues: "lines"}


def stop_counting_tasks(store: Database) -> None:
    """Let executions keep the counts that they come with when their tasks are inserted."""
    with store.transaction() as db:
        db.execute("DROP TRIGGER task_inserted")


def insert_values(store: Database, kind: type[Values], values: Iterable[Values]) -> None:
    """Insert rows of one table."""
    places = ", ".join("?" * len(kind._fields))
    with store.transaction() as db:
        db.executemany(f"INSERT INTO {_TABLES[kind]} VALUES ({places})", values)  # noqa: S608 # our own names
