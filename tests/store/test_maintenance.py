"""Pruning and counting a store: what goes, what stays, and that a prune can be stopped anywhere."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobtrail.store import Store, StoreError
from jobtrail.store.maintenance import PruneCounts, StoreInfo, prune, prune_by_steps, read_info
from jobtrail.store.rows import AnyRow, LineRow, RunRow, TaskRow
from tests.hypothesis_profiles import scale_examples
from tests.plane.records import StepCountingStore, make_execution, make_job, make_task, nanoseconds_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


LATE = nanoseconds_at(10_000)

_MINUTE = st.integers(0, 60)
_WORKSPACE = st.sampled_from(["default", "other"])
# Few names, so that they meet: a row that is written again, an id of two jobs, a task or output of what is not there.
_OWNER = st.sampled_from(["a", "b", "c", "d"])
_TASK = st.sampled_from(["t0", "t1", "t2"])
_STATUS = st.sampled_from(["queued", "running", "succeeded", "failed", "cancelled", "timeout"])
_TASK_STATUSES = st.lists(st.sampled_from(["pending", "running", "succeeded", "failed"]), max_size=4)


def run(identity: str, minutes: float = 0, reason: str | None = None) -> RunRow:
    made = RunRow(identity, "nightly", "pending", nanoseconds_at(minutes), body={"triggered_by": "cron"})
    return replace(made, status="ended", ended_at=nanoseconds_at(minutes + 2), end_reason=reason) if reason else made


def task_in(name: str, of: str, minutes: int, statuses: list[str]) -> TaskRow:
    return make_task(name, of, minutes, *statuses)


RECORDS = st.lists(
    st.tuples(
        _WORKSPACE,
        st.one_of(
            st.builds(make_job, st.sampled_from(["etl", "report"]), _MINUTE),
            st.builds(make_execution, _OWNER, st.sampled_from(["etl", "report"]), _MINUTE, _STATUS),
            st.builds(task_in, _TASK, _OWNER, _MINUTE, _TASK_STATUSES),
            st.builds(run, _OWNER, _MINUTE, st.sampled_from([None, "success", "failed"])),
            st.builds(LineRow, _MINUTE, _OWNER, _TASK, st.sampled_from(["stdout", "stderr"]), st.text(max_size=5)),
        ),
    ),
    max_size=40,
)  # fmt: skip


def happen(store: Store, records: Iterable[tuple[str, AnyRow]]) -> None:
    """Record what a store takes."""
    for workspace, record in records:
        with suppress(StoreError):
            store.write([record], workspace)


def kept(store: Store) -> dict[str, list[dict[str, Any]]]:
    tables = ("jobs", "definitions", "executions", "tasks", "runs", "lines")
    return {table: [dict(row) for row in store.select(f"SELECT * FROM {table}")] for table in tables}  # noqa: S608 # names are ours


def assert_whole(store: Store) -> None:
    """Check that every count is that of the rows, and that no task is left without its execution."""
    counts = {
        "tallies": "SELECT workspace, job, count(*) AS executions FROM executions GROUP BY 1, 2",
        "run_tallies": "SELECT task, word, failure, count(*) AS runs FROM runs GROUP BY 1, 2, 3",
    }
    for table, counted in counts.items():
        kept = {tuple(row) for row in store.select(f"SELECT * FROM {table}")}  # noqa: S608 # names are ours
        assert kept == {tuple(row) for row in store.select(counted)}
    listed = {tuple(row) for row in store.select("SELECT execution, count(*) FROM tasks GROUP BY 1")}
    assert {tuple(row) for row in store.select("SELECT key, tasks FROM executions WHERE tasks > 0")} == listed


@settings(max_examples=scale_examples(150))
@given(before=_MINUTE, there=RECORDS, between=RECORDS, batch=st.integers(1, 5), stop=st.integers(0, 12))
def test_a_store_is_whole_at_any_moment_of_a_prune_which_can_go_on_after_a_stop(
    before: int, there: list[tuple[str, AnyRow]], between: list[tuple[str, AnyRow]], batch: int, stop: int
) -> None:
    with closing(Store(None)) as store:
        happen(store, there)
        coming = iter(between)
        for _ in islice(prune_by_steps(store, nanoseconds_at(before), batch), stop):
            assert_whole(store)
            happen(store, islice(coming, 2))
        prune(store, nanoseconds_at(before))
        assert_whole(store)
        assert prune(store, nanoseconds_at(before)) == PruneCounts()


@given(there=RECORDS, before=st.integers(-1, 70), batch=st.integers(1, 5))
def test_a_prune_takes_away_what_ended_before_and_nothing_else(
    there: list[tuple[str, AnyRow]], before: int, batch: int
) -> None:
    with closing(Store(None)) as store:
        happen(store, there)
        old, moment = kept(store), nanoseconds_at(before)
        expected = {
            table: [
                row for row in rows if "ended_at" not in row or row["ended_at"] is None or row["ended_at"] >= moment
            ]
            for table, rows in old.items()
        }
        executions = {(row["workspace"], row["id"]): row["key"] for row in expected["executions"]}
        runs = {row["id"] for row in expected["runs"]}
        expected["tasks"] = [row for row in old["tasks"] if row["execution"] in executions.values()]
        expected["lines"] = [
            row for row in old["lines"] if (row["workspace"], row["owner"]) in executions or row["owner"] in runs
        ]
        foretold = prune(store, moment, dry_run=True)
        assert kept(store) == old
        total = sum(prune_by_steps(store, moment, batch), PruneCounts())
        assert kept(store) == expected
        assert total == foretold
        tables = ("executions", "tasks", "runs", "lines")
        assert total == PruneCounts(**{table: len(old[table]) - len(expected[table]) for table in tables})


def output(owner: str, task: str = "", text: str = "…", count: int = 1) -> list[LineRow]:
    return [LineRow(nanoseconds_at(number), owner, task, "stdout", text) for number in range(count)]


@pytest.fixture
def store() -> Iterator[Store]:
    with closing(Store(None)) as store:
        yield store


def test_an_execution_that_is_pruned_goes_with_all_that_belongs_to_it(store: Store) -> None:
    ended = [
        make_execution("old", "etl", 0, "failed"),
        make_task("t1", "old", 0, "running", "failed"),
        *output("old", "t1"),
    ]
    open_ = [make_execution("open", "etl", 0), make_task("t1", "open", 0, "running"), *output("open", "t1")]
    store.write([make_job("etl"), *ended, *open_, make_execution("new", "etl", 8, "succeeded")])
    assert prune(store, nanoseconds_at(10)) == PruneCounts(executions=1, tasks=1, lines=1)
    assert [row["id"] for row in store.select("SELECT id FROM executions ORDER BY id")] == ["new", "open"]
    assert [row["owner"] for row in store.select("SELECT owner FROM lines")] == ["open"]
    assert store.count_executions("default", "etl") == 2


def test_the_moment_itself_is_kept(store: Store) -> None:
    store.write([make_job("etl"), make_execution("e1", "etl", 0, "failed")])
    assert prune(store, nanoseconds_at(2)) == PruneCounts()
    assert prune(store, nanoseconds_at(2) + 1) == PruneCounts(executions=1)


def test_what_has_not_ended_stays_however_old_it_is(store: Store) -> None:
    store.write([make_job("etl"), make_execution("e1", "etl", 0, "running"), run("r1")])
    assert prune(store, LATE) == PruneCounts()


def test_an_execution_that_begins_anew_during_a_prune_stays(store: Store) -> None:
    store.write([make_job("etl"), make_execution("e1", "etl", 0, "failed"), make_execution("e2", "etl", 0, "failed")])
    steps = prune_by_steps(store, LATE, 1)
    assert next(steps) == PruneCounts(executions=1)
    store.write([make_execution("e2", "etl", 0, "running")])
    assert sum(steps, PruneCounts()) == PruneCounts()
    assert store.find_execution("default", "etl", "e2") is not None


def test_workspaces_have_executions_of_one_name_each_of_its_own(store: Store) -> None:
    for space, status in (("a", "failed"), ("b", "queued")):
        store.write([make_job("etl"), make_execution("e1", "etl", 0, status), *output("e1", "t1")], space)
    assert prune(store, LATE) == PruneCounts(executions=1, lines=1)
    assert store.find_execution("b", "etl", "e1") is not None
    assert [row["workspace"] for row in store.select("SELECT workspace FROM lines")] == ["b"]


def test_a_prune_looks_at_output_once_however_much_goes() -> None:
    def steps(executions: int, doomed: int) -> int:
        with closing(StepCountingStore(None)) as store:
            store.write([make_job("etl")])
            for number in range(executions):
                status = "failed" if number % (executions // doomed) == 0 else "queued"
                store.write([make_execution(f"e{number}", "etl", 0, status), *output(f"e{number}")])
            with store.count_steps():
                assert prune(store, LATE).executions == doomed
            return store.steps

    once = steps(1000, 1)
    # A hundred times as many go, of as much output.
    assert steps(1000, 100) < 2 * once
    assert steps(4000, 4) < 4.5 * once


def filled(path: Path, executions: int = 40) -> Store:
    """Return a store in a file with as many executions that have ended as not, and output of each."""
    store = Store(path)
    store.write([make_job("etl")])
    for number in range(executions):
        identity, status = f"e{number:03}", "failed" if number % 2 else "queued"
        tasks = [make_task(f"t{name}", identity, number, "running", "failed") for name in range(20)]
        said = output(identity, "t0", "x" * 500, 20)
        store.write([make_execution(identity, "etl", number, status), *tasks, *said])
    return store


def size_of(path: Path) -> int:
    return sum(one.stat().st_size for one in path.parent.glob(f"{path.name}*"))


def test_the_file_gets_smaller_and_the_write_ahead_log_empty(tmp_path: Path) -> None:
    path = tmp_path / "plane.db"
    with closing(filled(path)) as store:
        before = read_info(store)
        assert before.size == path.stat().st_size + path.with_name("plane.db-wal").stat().st_size
        prune(store, LATE)
        after = read_info(store)
        assert after.size < 0.7 * before.size
        assert path.with_name("plane.db-wal").stat().st_size == 0
        assert store.select("PRAGMA freelist_count")[0][0] == 0
        assert store.select("PRAGMA integrity_check")[0][0] == "ok"
        prune(store, LATE)
        assert read_info(store).size == after.size


KILLED = """
import os, signal, sys
from pathlib import Path
from jobtrail.store import Store
from jobtrail.store.maintenance import prune_by_steps

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


def test_a_prune_that_is_killed_leaves_a_whole_store(tmp_path: Path) -> None:
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
        with closing(Store(path)) as store:
            assert_whole(store)
            prune(store, 2**62)
            assert (read_info(store).tasks, read_info(store).lines) == (20 * 20, 20 * 20)
            assert store.select("PRAGMA integrity_check")[0][0] == "ok"


def test_recorders_that_record_during_a_prune_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "plane.db"
    with closing(filled(path)) as store, ThreadPoolExecutor(4) as pool:

        def record(worker: int) -> None:
            with closing(Store(path)) as own:
                for number in range(20):
                    identity = f"w{worker}-{number}"
                    own.write([make_execution(identity, "etl", number), *output(identity)])
                    own.write([make_task("t1", identity, 0, "running", "succeeded")])

        workers = [pool.submit(record, worker) for worker in range(4)]
        total = sum(prune_by_steps(store, nanoseconds_at(9_000), 25), PruneCounts())
        for worker in workers:
            worker.result()
        assert total.executions == 20
        assert store.select("SELECT count(*), sum(success) FROM executions WHERE id LIKE 'w%'")[0][:] == (80, 80)
        assert read_info(store).lines == 20 * 20 + 80


def test_info_counts_what_a_store_holds(tmp_path: Path) -> None:
    path = tmp_path / "plane.db"
    with closing(Store(path)) as store:
        empty = read_info(store)
        assert empty == StoreInfo(path, empty.size, 1, (), 0, 0, 0, 0, 0, 0, None, None)
        assert empty.size == size_of(path) - path.with_name("plane.db-shm").stat().st_size
        store.write(
            [make_job("etl"), make_execution("e1", "etl", 3, "failed"), make_task("t1", "e1"), *output("e1", "t1")]
        )
        store.write([make_job("etl"), make_job("report"), make_execution("e1", "etl", 5)], "other")
        store.write([run("r1", 1), run("r2", 2, "success")])
        found = read_info(store)
        assert found == StoreInfo(
            path=path, size=found.size, version=1, workspaces=("default", "other"), jobs=3, executions=2, tasks=1,
            runs=2, lines=1, unfinished=2, oldest=nanoseconds_at(1), newest=nanoseconds_at(5),
        )  # fmt: skip


def test_a_store_that_may_not_be_written_cannot_be_pruned(tmp_path: Path) -> None:
    with closing(filled(tmp_path / "plane.db", 2)) as store:
        store.select("PRAGMA query_only = 1")
        assert prune(store, LATE, dry_run=True).executions == 1
        with pytest.raises(StoreError, match="cannot be written"):
            prune(store, LATE)
