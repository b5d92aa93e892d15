"""The store: what events make of it, and that nothing of it is lost."""

from __future__ import annotations

import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtrail.plane import Event, Store
from jobtrail.plane.runs import RunQuery, select_runs
from jobtrail.plane.store import Query
from tests.plane.histories import derived
from tests.plane.stocks import at, execution, job, task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from jobtrail.plane.store import Row

EVERYTHING = Query("createdAt", descending=False, limit=-1)
COUNTS = {"success": "succeeded", "failure": "failed", "running": "running", "cancelled": "cancelled"}
ENDED = ("succeeded", "failed", "cancelled")


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store(None)
    store.record([job("etl"), *execution("e1", "etl")])
    yield store
    store.close()


def key_of(store: Store) -> int:
    return execution_of(store)["key"]


def execution_of(store: Store, identity: str = "e1") -> Row:
    row = store.execution("default", "etl", identity)
    assert row is not None
    return row


def stats(store: Store, identity: str = "e1") -> dict[str, int]:
    row = execution_of(store, identity)
    return {name: row[name] for name in ("total", *COUNTS, "retried")}


def counted(**counts: int) -> dict[str, int]:
    return {"total": 0, "success": 0, "failure": 0, "running": 0, "cancelled": 0, "retried": 0, **counts}


def test_an_execution_without_tasks_counts_nothing(store: Store) -> None:
    assert stats(store) == counted()


def test_stats_follow_each_event_of_a_task(store: Store) -> None:
    seen: list[dict[str, int]] = []
    for event in task("t1", "e1", 0, "running", "pending", "running", "failed", "cancelled", "succeeded"):
        store.record([event])
        seen.append(stats(store))
    assert seen == [
        counted(total=1),
        counted(total=1, running=1),
        counted(total=1),
        counted(total=1, running=1, retried=1),
        counted(total=1, failure=1, retried=1),
        counted(total=1, cancelled=1, retried=1),
        counted(total=1, success=1, retried=1),
    ]


def test_a_task_that_is_retried_twice_is_one_retried_task(store: Store) -> None:
    store.record(task("t1", "e1", 0, "running", "failed", "running", "failed", "running", "succeeded"))
    store.record(task("t2", "e1", 0, "running", "pending", "running"))
    assert stats(store) == counted(total=2, success=1, running=1, retried=2)


def test_the_same_status_told_twice_changes_no_count(store: Store) -> None:
    store.record(task("t1", "e1", 0, "running", "running", "succeeded", "succeeded"))
    assert stats(store) == counted(total=1, success=1)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["pending", "reconciling", "running", *ENDED])), max_size=40
    )
)
def test_stats_equal_the_counts_of_the_tasks_whatever_happens(changes: Sequence[tuple[int, str]]) -> None:
    store = Store(None)
    store.record([job("etl"), *execution("e1", "etl"), *(one for n in range(4) for one in task(f"t{n}", "e1"))])
    store.record([Event("task.status", at(i), f"t{n}", "e1", status) for i, (n, status) in enumerate(changes)])
    row = store.execution("default", "etl", "e1")
    assert row is not None
    statuses = Counter(one["status"] for one in store.all_tasks(row["key"]))
    counts = stats(store)
    assert {status: counts[name] for name, status in COUNTS.items()} == {s: statuses[s] for s in COUNTS.values()}
    assert counts["retried"] == sum(starts(changes, number) > 1 for number in range(4))
    store.close()


def starts(changes: Sequence[tuple[int, str]], number: int) -> int:
    """Return how often a task began to run."""
    statuses = ["pending", *(status for one, status in changes if one == number)]
    return sum(now == "running" and before != "running" for before, now in pairwise(statuses))


def test_a_job_defined_again_keeps_its_creation_and_takes_the_rest(store: Store) -> None:
    store.record([job("etl", 9, title="Renamed", status="FAILED")])
    (row,) = store.jobs("default", EVERYTHING)
    assert (row["created_at"], row["status"]) == (store.jobs("default", EVERYTHING)[0]["created_at"], "FAILED")
    assert row["updated_at"] - row["created_at"] == 9 * 60_000_000_000
    assert [one["name"] for one in store.jobs("default", Query("name", descending=False, limit=9, q="renamed"))] == [
        "etl"
    ]
    assert store.count_jobs("default") == 1


def test_a_definition_told_again_replaces_the_former(store: Store) -> None:
    for kind in ("task", "service"):
        store.record([Event("definition", at(0), "nightly", body={"name": "nightly", "kind": kind})])
    assert store.definitions() == [{"name": "nightly", "kind": "service"}]


def test_a_retried_task_has_its_first_start_and_its_last_end(store: Store) -> None:
    store.record(task("t1", "e1", 0, "running", "failed", "running"))
    (row,) = store.tasks(key_of(store), EVERYTHING)
    assert (row["started_at"] - row["created_at"], row["ended_at"]) == (60_000_000_000, None)
    store.record([Event("task.status", at(7), "t1", "e1", "succeeded")])
    (row,) = store.tasks(key_of(store), EVERYTHING)
    assert (row["started_at"] - row["created_at"], row["ended_at"] - row["created_at"]) == (
        60_000_000_000,
        420_000_000_000,
    )


@pytest.mark.parametrize("change", ["UPDATE events SET name = 'x'", "DELETE FROM events"])
def test_events_are_append_only(tmp_path: Path, change: str) -> None:
    path = tmp_path / "plane.db"
    store = Store(path)
    store.record([job("etl")])
    store.close()
    db = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(change)
    assert db.execute("SELECT count(*) FROM events WHERE name = 'etl'").fetchone() == (1,)
    db.close()


@pytest.mark.parametrize(
    "bad",
    [
        execution("e1", "etl")[0],
        Event("execution.created", at(1), "e1", "report", "queued", {}),
        Event("execution.created", at(1), "e3", "etl", None, {}),
        task("t0", "e1")[0],
        Event("job.defined", at(1), "other", status="DEPLOYED", body={}),
    ],
    ids=["known execution", "id of another job's execution", "no status", "known task", "no search text"],
)
def test_a_failing_event_takes_back_all_that_came_with_it(store: Store, bad: Event) -> None:
    store.record([job("report"), *task("t0", "e1")])
    before = derived(store)
    with pytest.raises(sqlite3.IntegrityError):
        store.record([*execution("e2", "etl", 0, "running"), *task("t1", "e1", 0, "running"), bad, *task("t2", "e1")])
    assert derived(store) == before
    store.record(execution("e2", "etl"))
    assert store.count_executions("default", "etl") == 2


def test_events_that_cannot_be_made_take_back_those_before_them(store: Store) -> None:
    def broken() -> Iterator[Event]:
        yield from execution("e2", "etl")
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        store.record(broken())
    assert store.execution("default", "etl", "e2") is None


def test_a_file_store_that_is_reopened_has_its_data(tmp_path: Path) -> None:
    path = tmp_path / "plane.db"
    first = Store(path)
    first.record([job("etl"), *execution("e1", "etl", 0, "failed"), *task("t1", "e1", 0, "failed")])
    first.record([Event("run.created", at(0), "r1", "nightly", body={"triggered_by": "cron"})])
    first.set_meta("sample", "1")
    kept = [tuple(row) for row in first.executions("default", "etl", EVERYTHING)]
    key = first.meta("cursor_key")
    first.close()
    second = Store(path)
    assert [tuple(row) for row in second.executions("default", "etl", EVERYTHING)] == kept
    assert [row["name"] for row in second.tasks(key_of(second), EVERYTHING)] == ["t1"]
    assert select_runs(second, RunQuery("nightly", "created_at", descending=True, limit=1, offset=0))[1] == 1
    assert (second.meta("cursor_key"), second.meta("sample"), second.meta("none")) == (key, "1", None)
    assert key
    second.close()


def test_a_new_file_opened_by_many_at_once_is_made_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            stores = [*pool.map(Store, [tmp_path / f"{number}.db"] * 8)]
            assert len({store.meta("cursor_key") for store in stores}) == 1
            for store in stores:
                store.close()


@pytest.mark.parametrize("shared", [True, False], ids=["one store", "a store each"])
def test_nothing_recorded_from_several_threads_is_lost(tmp_path: Path, *, shared: bool) -> None:
    path = tmp_path / "plane.db"
    store = Store(path)
    store.record([job("etl"), *execution("e1", "etl")])

    def record(worker: int) -> None:
        own = store if shared else Store(path)
        for number in range(25):
            own.record(task(f"t{worker}-{number}", "e1", number, "running", "succeeded"))
        if not shared:
            own.close()

    with ThreadPoolExecutor(8) as pool:
        assert len([*pool.map(record, range(8))]) == 8
    assert stats(store) == counted(total=200, success=200)
    positions = [row["position"] for row in store.tasks(key_of(store), Query("name", descending=False, limit=-1))]
    assert sorted(positions) == list(range(200))
    store.close()
