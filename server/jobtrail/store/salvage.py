"""Copies the rows of a damaged store that can be read into a new one.

Tables are read in the order of their keys. Where that meets damage, they are read from the other end too, and around
it where the keys are numbers. What SQLite reaches by no way is lost.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jobtrail.store.database import Database
from jobtrail.store.faults import SQLITE_FAULTS, StoreError, explain_fault
from jobtrail.store.files import make_file, remove_files
from jobtrail.store.integrity import JSON_COLUMNS, check_json, open_read_only
from jobtrail.store.rows import JobRow, write_rows
from jobtrail.store.schema import read_version

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

_COLUMNS = {
    "jobs": "workspace, name, created_at, updated_at, status, search, body",
    "executions": "key, workspace, job, id, created_at, updated_at, started_at, ended_at, status, body",
    "tasks": "execution, position, name, created_at, updated_at, started_at, ended_at, attempts, status, spec,"
    " conditions, recorder",
    "definitions": "name, body",
    "runs": "seq, id, task, created_at, started_at, ended_at, status, end_reason, exit_code, body",
    "lines": "seq, workspace, owner, task, at, stream, text",
}
"""By table, in the order in which they are copied; counts are made anew."""
_STATS = "updated_at, total, success, failure, running, cancelled, retried"
_NUMBERED = {"executions": "key", "runs": "seq", "lines": "seq"}
_ORDERED = {"jobs": "workspace, name", "definitions": "name"}
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE TABLE %'"
"""A view or a virtual table of that name would run what came with the file."""
_WITHOUT_JOB = """
SELECT workspace, job, min(created_at), max(updated_at) FROM executions
WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.workspace = executions.workspace AND jobs.name = executions.job)
GROUP BY workspace, job
"""
_COUNT = "SELECT count(*) FROM {}"
_LAST = 2**63 - 1


@dataclass(frozen=True)
class Salvaged:
    """What became of the rows of a table.

    Attributes:
        kept: how many were copied.
        lost: how many were not; None if that is not known.
        remade: how many were made anew, of what other tables say of them.
    """

    kept: int
    lost: int | None
    remade: int = 0


def salvage(path: Path, target: Path) -> dict[str, Salvaged]:
    """Copy what can be read of a store into a new one.

    Args:
        path: the damaged store, which is only read.
        target: the file of the new one, which must not exist.

    Returns:
        By table, what was kept and lost.

    Raises:
        StoreError: nothing can be read of the store, or the new one cannot be made.
    """
    try:
        with open_read_only(path) as source:
            read_version(source, path)
            with _make_target(target), closing(Database(target)) as into, into.transaction() as db:
                return _copy_tables(source, db)
    except (*SQLITE_FAULTS, OSError) as error:
        raise explain_fault(path, "read", error) from error


@contextmanager
def _make_target(target: Path) -> Generator[None]:
    """Make the file of the new store, and remove it should anything stop what is done inside."""
    try:
        made = make_file(target)
    except OSError as error:
        raise explain_fault(target, "made", error) from error
    if not made:
        raise StoreError(f"{target} exists already", "give a file that does not")
    try:
        yield
    except BaseException:
        remove_files(target)
        raise


def _copy_tables(source: sqlite3.Connection, into: sqlite3.Connection) -> dict[str, Salvaged]:
    tables = {row["name"] for row in source.execute(_TABLES)}
    found = {table: _copy_table(source, into, table) if table in tables else Salvaged(0, None) for table in _COLUMNS}
    return {**found, "jobs": replace(found["jobs"], remade=_remake_jobs(into))}


def _copy_table(source: sqlite3.Connection, into: sqlite3.Connection, table: str) -> Salvaged:
    columns = _COLUMNS[table]
    places = ", ".join("?" * len(columns.split(",")))
    # A row that is met from both ends is there already.
    sql = f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({places})"  # noqa: S608 # our own
    for row in _read_table(source, into, table):
        with suppress(sqlite3.DataError, sqlite3.IntegrityError):
            check_json(row, JSON_COLUMNS[table])
            into.execute(sql, tuple(row))
    if table == "tasks":
        _copy_counts(source, into)
    kept: int = into.execute(_COUNT.format(table)).fetchone()[0]
    total = _count_rows(source, table)
    return Salvaged(kept, None if total is None or total < kept else total - kept)


def _read_table(source: sqlite3.Connection, into: sqlite3.Connection, table: str) -> Iterator[sqlite3.Row]:
    select = f"SELECT {_COLUMNS[table]} FROM {table}"  # noqa: S608 # our own
    if table in _NUMBERED:
        yield from _read_numbered(source, select, _NUMBERED[table])
    elif table in _ORDERED:
        yield from _read_both_ways(source, select, _ORDERED[table])
    else:
        for (key,) in into.execute("SELECT key FROM executions ORDER BY key").fetchall():
            yield from _read_both_ways(source, f"{select} WHERE execution = {key:d}", "name")


def _read_both_ways(source: sqlite3.Connection, select: str, key: str) -> Iterator[sqlite3.Row]:
    end = _End()
    yield from _read_rows(source, f"{select} ORDER BY {key}", end=end)
    if not end.reached:
        backwards = ", ".join(f"{name} DESC" for name in key.split(", "))
        yield from _read_rows(source, f"{select} ORDER BY {backwards}")


def _read_numbered(source: sqlite3.Connection, select: str, key: str) -> Iterator[sqlite3.Row]:
    """Yield the rows of a table with numbers for keys: on from each damage by growing steps, and back to it."""
    first, step = 1, 1
    between = f"{select} WHERE {key} BETWEEN ? AND ? ORDER BY {key}"
    while first <= _LAST - step:
        end = _End()
        for row in _read_rows(source, between, (first, _LAST), end):
            first, step = max(first, row[key] + 1), 1
            yield row
        if end.reached:
            return
        yield from _read_rows(source, f"{between} DESC", (first, first + step - 1))
        first, step = first + step, step * 2


@dataclass
class _End:
    """Whether a query was read to its end."""

    reached: bool = False


def _read_rows(
    source: sqlite3.Connection, sql: str, values: tuple[int, ...] = (), end: _End | None = None
) -> Iterator[sqlite3.Row]:
    """Yield the rows of a query until damage; a row whose values have wrong types is passed over."""
    with suppress(*SQLITE_FAULTS):
        cursor = source.execute(sql, values)
        while True:
            try:
                row = next(cursor, None)
            except sqlite3.DataError as error:
                if getattr(error, "sqlite_errorcode", None) is not None:
                    raise
                continue
            if row is None:
                break
            yield row
        if end is not None:
            end.reached = True


def _copy_counts(source: sqlite3.Connection, into: sqlite3.Connection) -> None:
    """Copy the counts of executions; an import may have given others than its tasks have."""
    changes = ", ".join(f"{name} = ?" for name in _STATS.split(", "))
    change = f"UPDATE executions SET {changes} WHERE key = ?"  # noqa: S608 # our own
    for row in _read_numbered(source, f"SELECT {_STATS}, key FROM executions", "key"):  # noqa: S608 # our own
        into.execute(change, tuple(row))


def _remake_jobs(into: sqlite3.Connection) -> int:
    """Make a job for executions whose job is lost, which could not be asked for; return how many."""
    lost = into.execute(_WITHOUT_JOB).fetchall()
    for workspace, name, first, last in lost:
        write_rows(into, workspace, [JobRow(name, first, last)])
    return len(lost)


def _count_rows(source: sqlite3.Connection, table: str) -> int | None:
    try:
        return source.execute(_COUNT.format(table)).fetchone()[0]
    except SQLITE_FAULTS:
        return None
