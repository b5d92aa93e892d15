"""Pruning and counting a store: what goes, what stays, and that a prune can be stopped anywhere."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobtrail.plane import Event, Store, StoreError
from jobtrail.plane.store import Line, stamp
from jobtrail.plane.upkeep import Info, Pruned, info, prune, prune_by_steps
from tests.plane.histories import HISTORIES, HISTORY, Replayable, derived, happen, version_1
from tests.plane.stocks import at, execution, job, task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.plane.histories import Happening

MOMENTS = st.integers(-1, 70)
LATE = stamp(at(10_000))


def minute(minutes: float) -> int:
    return stamp(at(minutes))


def output(owner: str, task: str = "", text: str = "…", count: int = 1) -> list[Line]:
    return [Line(at(number), owner, task, "stdout", text) for number in range(count)]


@settings(deadline=None, max_examples=150)
@given(history=HISTORIES, before=MOMENTS, between=HISTORIES, batch=st.integers(1, 5), stop=st.integers(0, 12))
def test_after_a_prune_and_at_any_moment_of_it_a_replay_derives_the_same(
    history: list[Happening], before: int, between: list[Happening], batch: int, stop: int
) -> None:
    with closing(Replayable(None)) as store:
        happen(store, history)
        coming = iter(between)
        for _ in islice(prune_by_steps(store, minute(before), batch), stop):
            happen(store, islice(coming, 2))
        seen = derived(store)
        store.replay()
        assert derived(store) == seen
        # What was stopped goes on, though it all was derived anew in between.
        prune(store, minute(before))
        seen = derived(store)
        store.replay()
        assert derived(store) == seen
        assert prune(store, minute(before)) == Pruned()


@settings(deadline=None)
@given(history=HISTORIES, before=MOMENTS, batch=st.integers(1, 5))
def test_a_prune_takes_away_what_ended_before_and_nothing_else(
    history: list[Happening], before: int, batch: int
) -> None:
    with closing(Store(None)) as store:
        happen(store, history)
        old, moment = kept(store), minute(before)
        expected = {
            **{
                table: [row for row in old[table] if row["ended_at"] is None or row["ended_at"] >= moment]
                for table in ("executions", "runs")
            },
            **{table: old[table] for table in ("jobs", "definitions")},
        }
        executions = {(row["workspace"], row["id"]): row["key"] for row in expected["executions"]}
        runs = {row["id"]: row["seq"] for row in expected["runs"]}
        expected["tasks"] = [row for row in old["tasks"] if row["execution"] in executions.values()]
        expected["lines"] = [
            row for row in old["lines"] if (row["workspace"], row["owner"]) in executions or row["owner"] in runs
        ]
        expected["events"] = [row for row in old["events"] if says_something(row, executions, runs)]
        foretold = prune(store, moment, dry_run=True)
        assert kept(store) == old
        total = sum(prune_by_steps(store, moment, batch), Pruned())
        assert kept(store) == expected
        assert total == foretold
        assert total == Pruned(
            **{
                table: len(old[table]) - len(expected[table])
                for table in ("executions", "tasks", "runs", "lines", "events")
            }
        )


def kept(store: Store) -> dict[str, list[dict[str, Any]]]:
    tables = ("jobs", "definitions", "executions", "tasks", "runs", "events", "lines")
    return {table: [dict(row) for row in store.rows(f"SELECT * FROM {table}")] for table in tables}  # noqa: S608 # names are ours


def says_something(event: dict[str, Any], executions: dict[tuple[str, str], int], runs: dict[str, int]) -> bool:
    """Return whether an event made, or came after what made, something that stays."""
    kind, seq = event["kind"], event["seq"]
    if kind in {"job.defined", "definition"}:
        return True
    if kind == "execution.created":
        return seq in executions.values()
    if kind == "run.created":
        return seq in runs.values()
    if kind == "run.status":
        return runs.get(event["name"], seq) < seq
    name = event["parent"] if kind.startswith("task.") else event["name"]
    return executions.get((event["workspace"], name), seq) < seq


@pytest.fixture
def store() -> Iterator[Store]:
    with closing(Store(None)) as store:
        yield store


def test_an_execution_that_is_pruned_goes_with_all_that_belongs_to_it(store: Store) -> None:
    store.record([job("etl"), *execution("old", "etl", 0, "failed")], lines=output("old", "t1"))
    store.record(task("t1", "old", 0, "running", "failed"))
    store.record([Event("execution.stats", at(2), "old", "etl", body={"total": 7})])
    store.record([*execution("open", "etl", 0), *task("t1", "open", 0, "running")], lines=output("open", "t1"))
    store.record(execution("new", "etl", 8, "succeeded"))
    assert prune(store, minute(10)) == Pruned(executions=1, tasks=1, lines=1, events=7)
    assert [row["id"] for row in store.rows("SELECT id FROM executions ORDER BY id")] == ["new", "open"]
    assert [row["owner"] for row in store.rows("SELECT owner FROM lines")] == ["open"]
    assert store.rows("SELECT 1 FROM events WHERE 'old' IN (name, parent)") == []
    assert store.count_executions("default", "etl") == 2


def test_the_moment_itself_is_kept(store: Store) -> None:
    store.record([job("etl"), *execution("e1", "etl", 0, "failed")])
    assert prune(store, minute(2)) == Pruned()
    assert prune(store, minute(2) + 1) == Pruned(executions=1, events=3)


def test_what_has_not_ended_stays_however_old_it_is(store: Store) -> None:
    store.record([job("etl"), *execution("e1", "etl", 0), Event("execution.status", at(1), "e1", "etl", "running")])
    store.record([Event("run.created", at(0), "r1", "nightly", body={"triggered_by": "cron"})])
    assert prune(store, LATE) == Pruned()


def test_an_execution_that_begins_anew_during_a_prune_stays(store: Store) -> None:
    store.record([job("etl"), *execution("e1", "etl", 0, "failed"), *execution("e2", "etl", 0, "failed")])
    steps = prune_by_steps(store, LATE, 1)
    assert next(steps) == Pruned(executions=1, events=1)
    store.record([Event("execution.status", at(5), "e2", "etl", "running")])
    assert sum(steps, Pruned()) == Pruned(events=2)
    assert store.execution("default", "etl", "e2") is not None


def test_workspaces_have_executions_of_one_name_each_of_its_own(store: Store) -> None:
    for space, status in (("a", "failed"), ("b", "queued")):
        store.record([job("etl"), *execution("e1", "etl", 0, status)], space, output("e1", "t1"))
    assert prune(store, LATE) == Pruned(executions=1, lines=1, events=3)
    assert store.execution("b", "etl", "e1") is not None
    assert [row["workspace"] for row in store.rows("SELECT workspace FROM lines")] == ["b"]


def test_what_was_said_of_something_before_it_was_made_goes(store: Store) -> None:
    early = [
        Event("run.status", at(0), "r1", "nightly", "ended", {"end_reason": "failed"}),
        Event("execution.status", at(0), "e1", "etl", "failed"),
        Event("task.scheduled", at(0), "t1", "e1", "pending"),
    ]
    made = [job("etl"), *execution("e1", "etl"), Event("run.created", at(0), "r1", "nightly", body={})]
    store.record([*early, *made, *task("t1", "e1")])
    assert prune(store, LATE) == Pruned(events=3)
    assert [row["seq"] for row in store.rows("SELECT seq FROM events")] == [4, 5, 6, 7]


@pytest.mark.parametrize("size", [1, 7, 20_000])
def test_leave_to_delete_events_ends_with_each_transaction(store: Store, size: int) -> None:
    store.record([job("etl"), *(one for number in range(9) for one in execution(f"e{number}", "etl", 0, "failed"))])
    for _ in prune_by_steps(store, LATE, size):
        assert store.meta("pruning") is None
        with pytest.raises(sqlite3.IntegrityError, match="append-only"), store.transaction() as db:
            db.execute("DELETE FROM events")
    assert [row["kind"] for row in store.rows("SELECT kind FROM events")] == ["job.defined"]


def test_a_prune_looks_at_the_log_once_however_much_goes() -> None:
    def steps(executions: int, doomed: int) -> int:
        with closing(Counted(None)) as store:
            store.record([job("etl")])
            for number in range(executions):
                status = "failed" if number % (executions // doomed) == 0 else "queued"
                store.record([*execution(f"e{number}", "etl", 0, status), *task("t1", f"e{number}")])
            store.steps = 0
            assert prune(store, LATE).executions == doomed
            return store.steps

    once = steps(1000, 1)
    # A hundred times as many go, from a log of the same length.
    assert steps(1000, 100) < 2 * once
    assert steps(4000, 4) < 4.5 * once


class Counted(Store):
    """A store that counts the steps of SQLite's machine."""

    steps = 0

    def _connect(self, path: Path | None) -> sqlite3.Connection:
        db = super()._connect(path)
        db.set_progress_handler(self._step, 1)
        return db

    def _step(self) -> None:
        self.steps += 1


def filled(path: Path, executions: int = 40) -> Store:
    """Return a store in a file with as many executions that have ended as not, and output of each."""
    store = Store(path)
    store.record([job("etl")])
    for number in range(executions):
        identity, status = f"e{number:03}", "failed" if number % 2 else "queued"
        events = [*execution(identity, "etl", number, status)]
        events += [one for name in range(20) for one in task(f"t{name}", identity, number, "running", "failed")]
        store.record(events, lines=output(identity, "t0", "x" * 500, 20))
    return store


def size_of(path: Path) -> int:
    return sum(one.stat().st_size for one in path.parent.glob(f"{path.name}*"))


@pytest.mark.parametrize("former", [False, True], ids=["a store of this version", "a store of the first version"])
def test_the_file_gets_smaller_and_the_write_ahead_log_empty(tmp_path: Path, *, former: bool) -> None:
    path = tmp_path / "plane.db"
    if former:
        version_1(path, HISTORY)
    with closing(filled(path)) as store:
        before = info(store)
        assert before.size == path.stat().st_size + path.with_name("plane.db-wal").stat().st_size
        prune(store, LATE)
        after = info(store)
        assert after.size < 0.7 * before.size
        assert path.with_name("plane.db-wal").stat().st_size == 0
        assert store.rows("PRAGMA freelist_count")[0][0] == 0
        assert store.rows("PRAGMA integrity_check")[0][0] == "ok"
        prune(store, LATE)
        assert info(store).size == after.size


KILLED = """
import os, signal, sys
from pathlib import Path
from jobtrail.plane import Store
from jobtrail.plane.upkeep import prune_by_steps

class Killed(Store):
    steps = 0

    def _connect(self, path):
        db = super()._connect(path)
        db.set_progress_handler(self.step, 500)
        return db

    def step(self):
        self.steps += 1
        if self.steps == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)

store = Killed(Path(sys.argv[1]))
store.steps = 0
for _ in prune_by_steps(store, 2**62, 50):
    pass
print(store.steps)
"""


def test_a_prune_that_is_killed_leaves_a_whole_store_and_no_leave_to_delete(tmp_path: Path) -> None:
    filled(tmp_path / "whole.db").close()
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path / "whole.db", "0"], capture_output=True, text=True, check=True
    )
    steps = int(ran.stdout)
    assert steps > 20
    for number, part in enumerate((0.01, 0.2, 0.4, 0.6, 0.8, 0.95)):
        path = tmp_path / f"{number}.db"
        filled(path).close()
        command = [sys.executable, "-c", KILLED, str(path), str(max(1, int(steps * part)))]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
        with closing(Replayable(path)) as store:
            assert store.meta("pruning") is None
            seen = derived(store)
            store.replay()
            assert derived(store) == seen
            prune(store, 2**62)
            assert info(store).events == 1 + 20 * (1 + 3 * 20)
            assert store.rows("PRAGMA integrity_check")[0][0] == "ok"


def test_recorders_that_record_during_a_prune_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "plane.db"
    with closing(filled(path)) as store, ThreadPoolExecutor(4) as pool:

        def record(worker: int) -> None:
            with closing(Store(path)) as own:
                for number in range(20):
                    identity = f"w{worker}-{number}"
                    own.record(execution(identity, "etl", number), lines=output(identity))
                    own.record([*task("t1", identity, 0, "running", "succeeded")])

        workers = [pool.submit(record, worker) for worker in range(4)]
        total = sum(prune_by_steps(store, minute(9_000), 25), Pruned())
        for worker in workers:
            worker.result()
        assert total.executions == 20
        assert store.rows("SELECT count(*), sum(success) FROM executions WHERE id LIKE 'w%'")[0][:] == (80, 80)
        assert info(store).lines == 20 * 20 + 80


def test_info_counts_what_a_store_holds(tmp_path: Path) -> None:
    path = tmp_path / "plane.db"
    with closing(Store(path)) as store:
        empty = info(store)
        assert empty == Info(path, empty.size, 2, (), 0, 0, 0, 0, 0, 0, 0, None, None)
        assert empty.size == size_of(path) - path.with_name("plane.db-shm").stat().st_size
        store.record([job("etl"), *execution("e1", "etl", 3, "failed"), *task("t1", "e1")], lines=output("e1", "t1"))
        store.record([job("etl"), job("report"), *execution("e1", "etl", 5)], "other")
        store.record([Event("run.created", at(1), "r1", "nightly", body={"triggered_by": "cron"})])
        store.record([Event("run.created", at(2), "r2", "nightly", body={"triggered_by": "cron"})])
        store.record([Event("run.status", at(9), "r2", "nightly", "ended", {"end_reason": "success"})])
        found = info(store)
        assert found == Info(
            path=path, size=found.size, version=2, workspaces=("default", "other"), jobs=3, executions=2, tasks=1,
            runs=2, lines=1, events=11, unfinished=2, oldest=minute(1), newest=minute(5),
        )  # fmt: skip


def test_a_store_that_may_not_be_written_cannot_be_pruned(tmp_path: Path) -> None:
    with closing(filled(tmp_path / "plane.db", 2)) as store:
        store.rows("PRAGMA query_only = 1")
        assert prune(store, LATE, dry_run=True).executions == 1
        with pytest.raises(StoreError, match="cannot be written"):
            prune(store, LATE)
