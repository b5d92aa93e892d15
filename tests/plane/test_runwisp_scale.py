"""What a page of runs costs: by time as much of many as of few, whatever is filtered; totals are kept."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from jobtrail.store import Store
from jobtrail.store.rows import RunRow
from jobtrail.store.runs import RunQuery, select_runs
from tests.plane.records import StepCountingStore
from tests.plane.runwisp_records import RUNS, ulid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from sqlite3 import Row

MANY, FEW = 20_000, 100


def filled(count: int) -> StepCountingStore:
    """Return a store with runs of ten tasks, of which one in 50 (of many, 500) fails and the last three run."""
    store = StepCountingStore(None)
    rare = max(count // 40, 50)
    store.write(_run(number, rare, going=number >= count - 3) for number in range(count))
    return store


def _run(number: int, rare: int, *, going: bool) -> RunRow:
    task = f"task-{number % 10}"
    if going:
        return RunRow(ulid(number), task, "running", number)
    return RunRow(ulid(number), task, "ended", number, end_reason="succeeded" if number % rare else "failed")


@pytest.fixture(scope="module")
def few() -> Iterator[StepCountingStore]:
    with closing(filled(FEW)) as store:
        yield store


@pytest.fixture(scope="module")
def many() -> Iterator[StepCountingStore]:
    with closing(filled(MANY)) as store:
        yield store


def steps(store: StepCountingStore, query: RunQuery) -> int:
    store.steps = 0
    select_runs(store, query)
    return store.steps


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("task", ["task-0", ""])
@pytest.mark.parametrize(
    "filtered",
    [{}, {"statuses": {"succeeded"}}, {"statuses": {"ended"}}, {"statuses": {"running", "pending"}}],
)
def test_a_page_by_time_of_many_runs_costs_what_it_costs_of_few(
    few: StepCountingStore, many: StepCountingStore, task: str, filtered: dict[str, Any], *, descending: bool
) -> None:
    query = RunQuery(task, descending=descending, limit=5, **filtered)
    assert steps(many, query) < steps(few, query) + 200


@pytest.mark.parametrize(
    "query",
    [
        RunQuery(statuses={"failed", "timeout"}, limit=5),
        RunQuery(statuses={"failed"}, until=2**62, limit=5),
        RunQuery("task-0", statuses={"failed"}, limit=5),
        RunQuery(failures=True, limit=5),
        RunQuery(statuses={"timeout"}, limit=5),
        RunQuery(statuses={"running"}, sort="start_at", limit=5),
    ],
)
def test_what_is_rare_is_not_looked_for_among_what_is_common(many: StepCountingStore, query: RunQuery) -> None:
    # Reading all runs takes more than 10 steps each.
    assert steps(many, query) < 4_000


class Interrupted(Store):
    """A store to which another process adds a run after each query."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._other = Store(path)
        self.added = 0

    def select(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        found = super().select(sql, values)
        self.added += 1
        self._other.write([RunRow(ulid(9000 + self.added), "worded", "ended", 2**62, end_reason="failed")])
        return found

    def close(self) -> None:
        super().close()
        self._other.close()


@pytest.mark.parametrize("filtered", [{}, {"statuses": {"failed"}}, {"search": "ord"}])
def test_a_run_that_comes_meanwhile_takes_nobodys_place(tmp_path: Path, filtered: dict[str, Any]) -> None:
    query = RunQuery("worded", limit=50, **filtered)
    with closing(Store(tmp_path / "store.db")) as store:
        store.write(RUNS)
        before, total = select_runs(store, query)
    with closing(Interrupted(tmp_path / "store.db")) as store:
        found = select_runs(store, query)
        assert store.added > 1
    assert ([row["id"] for row in found[0]], found[1]) == ([row["id"] for row in before], total)


def test_tallies_follow_what_is_recorded_changed_and_taken_away() -> None:
    with closing(StepCountingStore(None)) as store:
        store.write(RUNS)
        store.write([RunRow(ulid(1), "worded", "ended", 0, end_reason="failed")])
        with store.transaction() as db:
            db.execute("DELETE FROM runs WHERE seq % 3 = 0")
        counted = "SELECT task, word, failure, count(*) AS runs FROM runs GROUP BY task, word, failure"
        kept = store.select("SELECT task, word, failure, runs FROM run_tallies")
        assert sorted(map(tuple, kept)) == sorted(map(tuple, store.select(counted)))
        with store.transaction() as db:
            db.execute("DELETE FROM runs")
        assert store.select("SELECT * FROM run_tallies") == []
