"""Counts what a store holds, and prunes executions and runs that have ended.

A prune is many short transactions, because recorders wait for each of them. If it is stopped between two of them, the
store is consistent. It deletes executions with their tasks and runs first, then output without an execution or run.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from jobtrail.store.faults import DamagedStore, StoreError
from jobtrail.store.files import measure_log

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from jobtrail.store.store import Store

BATCH = 5_000
"""Rows that one transaction deletes, or pages that it frees: some tenths of a second."""
PRUNED = "pruned"
"""The key in `meta` of when something was last pruned, in nanoseconds since 1970."""
_LONGEST_LOG = 64 * 1024 * 1024
"""Bytes of the write-ahead log, which does not begin anew by itself while others write without end."""
_LONGEST_REST = 0.1
_ALWAYS = -(2**63)
"""A time before which nothing ended."""

_ENDED = {
    "executions": "SELECT key, tasks FROM executions WHERE key > ? AND ended_at < ? ORDER BY key LIMIT ?",
    "runs": "SELECT seq AS key, 0 AS tasks FROM runs WHERE seq > ? AND ended_at < ? ORDER BY seq LIMIT ?",
}
_TAKE = {
    "executions": "DELETE FROM executions WHERE key IN (SELECT value FROM json_each(?)) AND ended_at < ?"
    " RETURNING tasks",
    "runs": "DELETE FROM runs WHERE seq IN (SELECT value FROM json_each(?)) AND ended_at < ? RETURNING 0",
}
# Output between two numbers whose execution or run is not there, or ended before a moment.
_LEFT = """
    SELECT seq FROM lines WHERE seq > ?1 AND seq <= ?2
    AND NOT EXISTS (
      SELECT 1 FROM executions WHERE workspace = lines.workspace AND id = owner
      AND (ended_at IS NULL OR ended_at >= ?3)
    )
    AND NOT EXISTS (SELECT 1 FROM runs WHERE id = owner AND (ended_at IS NULL OR ended_at >= ?3))"""


@dataclass(frozen=True)
class StoreInfo:
    """What a store holds.

    Attributes:
        path: its file; None in memory.
        size: bytes of the file and of its write-ahead log.
        version: of the schema.
        workspaces: their names, in order.
        lines: lines of output.
        unfinished: executions and runs that have not ended.
        oldest: when the first execution or run was created, in nanoseconds since 1970; None without any.
        newest: when the last one was.
    """

    path: Path | None
    size: int
    version: int
    workspaces: tuple[str, ...]
    jobs: int
    executions: int
    tasks: int
    runs: int
    lines: int
    unfinished: int
    oldest: int | None
    newest: int | None


@dataclass(frozen=True)
class PruneCounts:
    """How many rows a prune deleted."""

    executions: int = 0
    tasks: int = 0
    runs: int = 0
    lines: int = 0

    def __add__(self, other: PruneCounts) -> PruneCounts:
        return PruneCounts(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


def read_info(store: Store) -> StoreInfo:
    """Count what a store holds, which reads all of it."""
    spaces = store.select("SELECT workspace FROM jobs UNION SELECT workspace FROM tallies ORDER BY 1")
    history = "count(*), coalesce(sum(ended_at IS NULL), 0), min(created_at) AS oldest, max(created_at) AS newest"
    executions, open_executions, *times = store.select(f"SELECT {history} FROM executions")[0]  # noqa: S608 # our own columns
    runs, open_runs, *more = store.select(f"SELECT {history} FROM runs")[0]  # noqa: S608 # likewise
    known = [time for time in (*times, *more) if time is not None]
    return StoreInfo(
        path=store.path,
        size=_measure_store(store),
        version=_read_number(store, "PRAGMA user_version"),
        workspaces=tuple(row["workspace"] for row in spaces),
        jobs=_read_number(store, "SELECT count(*) FROM jobs"),
        executions=executions,
        tasks=_read_number(store, "SELECT count(*) FROM tasks"),
        runs=runs,
        lines=_read_number(store, "SELECT count(*) FROM lines"),
        unfinished=open_executions + open_runs,
        oldest=min(known, default=None),
        newest=max(known, default=None),
    )


def _read_number(store: Store, sql: str) -> int:
    return store.select(sql)[0][0]


def _measure_store(store: Store) -> int:
    if store.path is None:
        return _read_number(store, "PRAGMA page_count") * _read_number(store, "PRAGMA page_size")
    return store.path.stat().st_size + _measure_log(store)


def _measure_log(store: Store) -> int:
    return 0 if store.path is None else measure_log(store.path)


def prune(store: Store, before: int, *, dry_run: bool = False) -> PruneCounts:
    """Delete executions and runs that ended before a time, with their tasks and output, and shrink the file.

    Executions and runs that have not ended stay, as do jobs and definitions.

    Args:
        store: the store to prune.
        before: nanoseconds since 1970.
        dry_run: count, and delete nothing.

    Raises:
        StoreError: the store cannot be written; earlier transactions stay committed.
    """
    if dry_run:
        return _count_prunable(store, before)
    return sum(prune_by_steps(store, before), PruneCounts())


def _count_prunable(store: Store, before: int) -> PruneCounts:
    executions, tasks = store.select(
        "SELECT count(*), coalesce(sum(tasks), 0) FROM executions WHERE ended_at < ?", (before,)
    )[0]
    runs = store.select("SELECT count(*) FROM runs WHERE ended_at < ?", (before,))[0][0]
    count = f"SELECT count(*) FROM ({_LEFT})"  # noqa: S608 # our own
    lines = sum(store.select(count, (*span, before))[0][0] for span in _list_spans(store, BATCH))
    return PruneCounts(executions, tasks, runs, lines)


def prune_by_steps(store: Store, before: int, batch: int = BATCH) -> Iterator[PruneCounts]:
    """Prune, one transaction a step; the store is consistent between any two of them.

    Yields:
        How many rows each step deleted.
    """
    yield from _delete_ended(store, before, batch)
    yield from _delete_orphan_lines(store, batch)
    if store.path is not None:
        _shrink_file(store, batch)


def _delete_ended(store: Store, before: int, batch: int) -> Iterator[PruneCounts]:
    for table, take in _TAKE.items():
        for keys in _list_ended(store, table, before, batch):
            with _write_and_pause(store) as db:
                # The time is compared again, since one may have begun anew meanwhile.
                gone = db.execute(take, (json.dumps(keys), before)).fetchall()
                db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (PRUNED, str(time.time_ns())))
            yield PruneCounts(**{table: len(gone), "tasks": sum(tasks for (tasks,) in gone)})


def _delete_orphan_lines(store: Store, batch: int) -> Iterator[PruneCounts]:
    for span in _list_spans(store, batch):
        # Read before the lock is taken, since most output stays.
        if store.select(f"SELECT EXISTS ({_LEFT})", (*span, _ALWAYS))[0][0]:
            with _write_and_pause(store) as db:
                taken = db.execute(f"DELETE FROM lines WHERE seq IN ({_LEFT})", (*span, _ALWAYS))  # noqa: S608 # our own
            yield PruneCounts(lines=taken.rowcount)


def _list_ended(store: Store, table: str, before: int, batch: int) -> Iterator[list[int]]:
    """Yield lists of keys of ended rows, with `batch` rows and tasks at most; a single execution may have more."""
    last = 0
    while rows := store.select(_ENDED[table], (last, before, batch)):
        keys: list[int] = []
        items = 0
        for row in rows:
            items += 1 + row["tasks"]
            if keys and items > batch:
                yield keys
                keys, items = [], 1 + row["tasks"]
            keys.append(row["key"])
        yield keys
        last = _check_progress(store, last, rows[-1]["key"])


def _list_spans(store: Store, batch: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of `seq` that hold `batch` lines each, as (after, up to and including)."""
    after = 0
    end = "SELECT max(seq) FROM (SELECT seq FROM lines WHERE seq > ? ORDER BY seq LIMIT ?)"
    while (last := store.select(end, (after, batch))[0][0]) is not None:
        yield after, last
        after = _check_progress(store, after, last)


def _check_progress(store: Store, last: int, key: int) -> int:
    """Return a key that follows the last one; in a damaged index it may not, and a walk would have no end."""
    if key <= last:
        raise DamagedStore(store.path, "an index is out of order")
    return key


@contextmanager
def _write_and_pause(store: Store) -> Generator[sqlite3.Connection]:
    """Run a write transaction, then sleep as long as it took, so that waiting writers get the lock."""
    began = time.monotonic()
    with store.transaction() as db:
        yield db
    if _measure_log(store) > _LONGEST_LOG:
        store.select("PRAGMA wal_checkpoint(TRUNCATE)")
    time.sleep(min(time.monotonic() - began, _LONGEST_REST))


def _shrink_file(store: Store, pages: int) -> None:
    """Return free pages to the file system, and truncate the write-ahead log."""
    try:
        for done in range(0, free := _read_number(store, "PRAGMA freelist_count"), pages):
            with _write_and_pause(store) as db:
                for _ in range(min(pages, free - done)):
                    # One page a call: Python takes but one step of a statement that answers nothing.
                    db.execute("PRAGMA incremental_vacuum(1)")
        store.select("PRAGMA wal_checkpoint(TRUNCATE)")
    except StoreError as error:
        raise StoreError(f"the store was pruned, but does not get smaller: {error}") from error
