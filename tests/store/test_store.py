"""The store: rows that are written come back, counts follow them, and nothing is lost."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtrail.store import Store, StoreError
from jobtrail.store.recording import Recording, RecordingRequest, build_condition
from jobtrail.store.rows import AnyRow, DefinitionRow, RunRow, StatsRow
from jobtrail.store.runs import RunQuery, select_runs
from jobtrail.store.store import PageQuery
from tests.plane.records import make_execution, make_job, make_task, nanoseconds_at, set_status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from sqlite3 import Row

EVERYTHING = PageQuery("createdAt", descending=False, limit=-1)
COUNTS = {"success": "succeeded", "failure": "failed", "running": "running", "cancelled": "cancelled"}
ENDED = ("succeeded", "failed", "cancelled")


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store(None)
    store.write([make_job("etl"), make_execution("e1", "etl")])
    yield store
    store.close()


def key_of(store: Store) -> int:
    return execution_of(store)["key"]


def execution_of(store: Store, identity: str = "e1") -> Row:
    row = store.find_execution("default", "etl", identity)
    assert row is not None
    return row


def stats(store: Store, identity: str = "e1") -> dict[str, int]:
    row = execution_of(store, identity)
    return {name: row[name] for name in ("total", *COUNTS, "retried")}


def counted(**counts: int) -> dict[str, int]:
    return {"total": 0, "success": 0, "failure": 0, "running": 0, "cancelled": 0, "retried": 0, **counts}


def test_an_execution_without_tasks_counts_nothing(store: Store) -> None:
    assert stats(store) == counted()


def test_stats_follow_each_status_of_a_task(store: Store) -> None:
    seen: list[dict[str, int]] = []
    statuses = ("running", "pending", "running", "failed", "cancelled", "succeeded")
    for number in range(len(statuses) + 1):
        store.write([make_task("t1", "e1", 0, *statuses[:number])])
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
    store.write([make_task("t1", "e1", 0, "running", "failed", "running", "failed", "running", "succeeded")])
    store.write([make_task("t2", "e1", 0, "running", "pending", "running")])
    assert stats(store) == counted(total=2, success=1, running=1, retried=2)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["pending", "reconciling", "running", *ENDED])), max_size=40
    )
)
def test_stats_equal_the_counts_of_the_tasks_whatever_happens(changes: Sequence[tuple[int, str]]) -> None:
    store = Store(None)
    tasks = [make_task(f"t{number}", "e1") for number in range(4)]
    store.write([make_job("etl"), make_execution("e1", "etl"), *tasks])
    for minute, (number, status) in enumerate(changes):
        tasks[number] = set_status(tasks[number], minute, status)
        store.write([tasks[number]])
    row = store.find_execution("default", "etl", "e1")
    assert row is not None
    statuses = Counter(one["status"] for one in store.iterate_tasks(row["key"]))
    counts = stats(store)
    assert {status: counts[name] for name, status in COUNTS.items()} == {s: statuses[s] for s in COUNTS.values()}
    assert counts["retried"] == sum(starts(changes, number) > 1 for number in range(4))
    store.close()


def starts(changes: Sequence[tuple[int, str]], number: int) -> int:
    """Return how often a task began to run."""
    statuses = ["pending", *(status for one, status in changes if one == number)]
    return sum(now == "running" and before != "running" for before, now in pairwise(statuses))


def test_a_job_written_again_takes_the_place_of_the_former(store: Store) -> None:
    store.write([make_job("etl", 9, title="Renamed", status="FAILED")])
    (row,) = store.list_jobs("default", EVERYTHING)
    assert (row["updated_at"], row["status"]) == (nanoseconds_at(9), "FAILED")
    query = PageQuery("name", descending=False, limit=9, q="renamed")
    assert [one["name"] for one in store.list_jobs("default", query)] == ["etl"]
    assert store.count_jobs("default") == 1


def test_a_definition_written_again_takes_the_place_of_the_former(store: Store) -> None:
    for kind in ("task", "service"):
        store.write([DefinitionRow("nightly", {"name": "nightly", "kind": kind})])
    assert [json.loads(row["body"]) for row in store.list_definitions()] == [{"name": "nightly", "kind": "service"}]


def test_an_execution_changes_with_its_tasks_and_never_back(store: Store) -> None:
    store.write([make_task("t1", "e1", 5), make_task("t2", "e1", 3)])
    assert execution_of(store)["updated_at"] == nanoseconds_at(5)
    store.write([make_task("t2", "e1", 3, "running", "running", "running")])
    assert execution_of(store)["updated_at"] == nanoseconds_at(6)


def test_stats_of_another_system_stand_until_a_task_changes(store: Store) -> None:
    told = StatsRow("e1", nanoseconds_at(9), total=900, success=869, failure=30, running=1, cancelled=0, retried=5)
    store.write([make_task("t1", "e1", 0, "running"), told])
    assert stats(store) == counted(total=900, success=869, failure=30, running=1, retried=5)
    store.write([make_task("t1", "e1", 0, "running", "succeeded")])
    assert stats(store) == counted(total=900, success=870, failure=30, retried=5)


def test_a_recorded_task_has_its_first_start_and_its_last_end() -> None:
    with closing(Store(None)) as store:
        recording = Recording(store, "token", RecordingRequest("etl", "e1", ["a", "b"], at=1))
        seen: list[tuple[int | None, int | None, int, dict[str, int]]] = []
        for step in (
            lambda: recording.begin_task("a", 2),
            lambda: recording.retry_task("a", [build_condition("exit", "no")], (), 3),
            lambda: recording.begin_task("a", 4),
            lambda: recording.end_tasks("a", "failed", [build_condition("exit", "no")] * 2, at=5),
        ):
            step()
            first = next(iter(store.list_tasks(key_of(store), EVERYTHING)))
            seen.append((first["started_at"], first["ended_at"], len(json.loads(first["conditions"])), stats(store)))
        assert seen == [
            (2, None, 0, counted(total=2, running=1)),
            (2, None, 1, counted(total=2)),
            (2, None, 1, counted(total=2, running=1, retried=1)),
            (2, 5, 2, counted(total=2, failure=1, retried=1)),
        ]
        assert (execution_of(store)["updated_at"], execution_of(store)["ended_at"]) == (5, None)
        recording.end_tasks("b", "cancelled", at=4)
        one = execution_of(store)
        assert (one["status"], one["updated_at"], one["ended_at"]) == ("cancelled", 5, 5)


def test_a_row_that_is_refused_takes_back_all_that_came_with_it(store: Store) -> None:
    store.write([make_job("report")])
    taken = make_execution("e1", "report")
    with pytest.raises(StoreError, match="UNIQUE constraint failed"):
        store.write([make_execution("e2", "etl", 0, "running"), make_task("t1", "e1", 0, "running"), taken])
    assert store.find_execution("default", "etl", "e2") is None
    assert (stats(store), store.count_executions("default", "etl")) == (counted(), 1)


def test_rows_that_cannot_be_made_take_back_those_before_them(store: Store) -> None:
    def broken() -> Iterator[AnyRow]:
        yield make_execution("e2", "etl")
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        store.write(broken())
    assert store.find_execution("default", "etl", "e2") is None


def test_a_file_store_that_is_reopened_has_its_data(tmp_path: Path) -> None:
    path = tmp_path / "plane.db"
    first = Store(path)
    first.write([make_job("etl"), make_execution("e1", "etl", 0, "failed"), make_task("t1", "e1", 0, "failed")])
    first.write([RunRow("r1", "nightly", "pending", 0, body={"triggered_by": "cron"})])
    first.write_meta("sample", "1")
    kept = [tuple(row) for row in first.list_executions("default", "etl", EVERYTHING)]
    key = first.read_meta("cursor_key")
    first.close()
    second = Store(path)
    assert [tuple(row) for row in second.list_executions("default", "etl", EVERYTHING)] == kept
    assert [row["name"] for row in second.list_tasks(key_of(second), EVERYTHING)] == ["t1"]
    assert select_runs(second, RunQuery("nightly", "created_at", descending=True, limit=1, offset=0))[1] == 1
    assert (second.read_meta("cursor_key"), second.read_meta("sample"), second.read_meta("none")) == (key, "1", None)
    assert key
    second.close()


def test_a_new_file_opened_by_many_at_once_is_made_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            stores = [*pool.map(Store, [tmp_path / f"{number}.db"] * 8)]
            assert len({store.read_meta("cursor_key") for store in stores}) == 1
            for store in stores:
                store.close()


@pytest.mark.parametrize("shared", [True, False], ids=["one store", "a store each"])
def test_nothing_recorded_from_several_threads_is_lost(tmp_path: Path, *, shared: bool) -> None:
    path = tmp_path / "plane.db"
    store = Store(path)
    store.write([make_job("etl"), make_execution("e1", "etl")])

    def record(worker: int) -> None:
        own = store if shared else Store(path)
        for number in range(25):
            own.write([make_task(f"t{worker}-{number}", "e1", number, "running", "succeeded")])
        if not shared:
            own.close()

    with ThreadPoolExecutor(8) as pool:
        assert len([*pool.map(record, range(8))]) == 8
    assert stats(store) == counted(total=200, success=200)
    positions = [
        row["position"] for row in store.list_tasks(key_of(store), PageQuery("name", descending=False, limit=-1))
    ]
    assert sorted(positions) == list(range(200))
    store.close()
