"""What a page of runs costs: it is read from the index of its order, nothing is sorted, totals are kept."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, get_args

import pytest

from jobtrail.plane import Event, Store
from jobtrail.plane.runs import RunQuery, RunSort, select_runs, summarise
from jobtrail.plane.store import stamp
from tests.plane.runwisp_stock import run, ulid
from tests.plane.stocks import at
from tests.plane.test_scale import Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from jobtrail.plane.store import Row

SORTS: tuple[RunSort, ...] = get_args(RunSort)
NAMES = {
    "task_name": "task", "status": "status", "start_at": "start", "exit_code": "exit", "duration": "duration",
    "created_at": "time",
}  # fmt: skip


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    with closing(Watched()) as store:
        store.record([event for number in range(60) for event in run(number)])
        yield store


@pytest.fixture(scope="module")
def large() -> Iterator[Watched]:
    """20,000 runs of ten tasks, of which one in 500 fails and the last three still run."""
    with closing(Watched()) as store:
        store.record(event for number in range(20_000) for event in one_of_many(number))
        yield store


def one_of_many(number: int) -> list[Event]:
    name, task = ulid(number), f"task-{number % 10}"
    events = [
        Event("run.created", at(number), name, task, body={"triggered_by": "cron"}),
        Event("run.status", at(number + 0.1), name, task, "running"),
    ]
    if number < 19_997:
        reason = "failed" if number % 500 == 0 else "succeeded"
        ended = {"end_reason": reason, "exit_code": number % 7}
        events.append(Event("run.status", at(number + 1 + number % 13), name, task, "ended", ended))
    return events


def query(task: str = "", sort: RunSort = "created_at", **changes: Any) -> RunQuery:
    fields: dict[str, Any] = {"descending": True, "limit": 5, "offset": 0, **changes}
    return RunQuery(task, sort, **fields)


def plans_of(store: Watched, asked: RunQuery) -> tuple[list[str], list[Row]]:
    store.plans = []
    rows, _ = select_runs(store, asked)
    plans, store.plans = store.plans, None
    return plans, rows


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("task", ["nightly", ""])
@pytest.mark.parametrize(
    "filtered",
    [
        {}, {"statuses": {"failed"}}, {"statuses": {"succeeded", "failed"}}, {"failures": True}, {"search": "nigh"},
        {"until": 2**63 - 1}, {"since": 0, "via": "cron"}, {"retries": True}, {"least": 0, "most": 200},
    ],
    ids=str,
)  # fmt: skip
def test_every_order_is_read_from_its_index(
    watched: Watched, task: str, sort: RunSort, filtered: dict[str, Any], *, descending: bool
) -> None:
    plans, rows = plans_of(watched, query(task, sort, descending=descending, **filtered))
    assert not any("TEMP" in plan for plan in plans)
    assert plans[0].startswith("SEARCH run_tallies USING PRIMARY KEY" if task else "SCAN run_tallies")
    # A task's runs by the task's name are in the order of insertion, whichever way.
    way = "_down" if descending and not (task and sort == "task_name") else ""
    index = f"{'_of_task' if task and sort != 'task_name' else ''}_by_{NAMES[sort]}{way}"
    bad = sort == "created_at" and ("failures" in filtered or filtered.get("statuses") == {"failed"})
    assert rows
    assert f" USING INDEX {'bad_' if bad else ''}runs{index}" in plans[-1], plans
    assert plans[-1].startswith(
        "SEARCH runs USING INDEX" if task else ("SEARCH runs USING INDEX", "SCAN runs USING INDEX")
    )


@pytest.mark.parametrize(
    "filtered",
    [{}, {"statuses": {"failed"}}, {"statuses": {"ended"}}, {"failures": True, "statuses": {"running"}}],
    ids=str,
)
@pytest.mark.parametrize("task", ["nightly", ""])
def test_how_many_runs_there_are_by_status_is_not_counted_but_kept(
    watched: Watched, task: str, filtered: dict[str, Any]
) -> None:
    plans, _ = plans_of(watched, query(task, **filtered))
    assert len(plans) == 2
    assert not any("count" in plan for plan in plans)


def steps(store: Watched, work: Callable[[], object]) -> int:
    with store.counted() as counter:
        work()
    return counter.steps


@pytest.mark.parametrize("task", ["task-0", ""])
@pytest.mark.parametrize("sort", SORTS)
def test_the_first_page_of_many_runs_costs_what_it_costs_of_few(
    watched: Watched, large: Watched, sort: RunSort, task: str
) -> None:
    few = steps(watched, lambda: select_runs(watched, query("nightly" if task else "", sort)))
    many = steps(large, lambda: select_runs(large, query(task, sort)))
    # The state of each task is a row to read.
    assert many < few + (0 if task else 400)


@pytest.mark.parametrize("task", ["nightly", ""])
def test_a_page_up_to_a_time_is_searched_for_by_that_time(watched: Watched, task: str) -> None:
    """RunWisp's clients page by offset; the time is a key, by which Jobtrail pages."""
    plans, rows = plans_of(watched, query(task, until=stamp(at(30))))
    place = f"{'task=? AND ' if task else ''}created_at<?"
    assert [plan[plan.rindex("(") :] for plan in plans[1:]] == [f"({place})"] * 2
    assert [row["id"] for row in rows] == [ulid(number) for number in (30, 29, 28, 27, 26)]


@pytest.mark.parametrize(
    "asked",
    [
        query(statuses={"failed", "timeout"}),
        query(statuses={"failed"}, until=2**63 - 1),
        query("task-0", statuses={"failed"}),
        query(failures=True),
        query(statuses={"running"}),
        query(statuses={"running", "pending"}, sort="start_at"),
        query(statuses={"timeout"}),
    ],
    ids=str,
)
def test_what_is_rare_is_not_looked_for_among_what_is_common(large: Watched, asked: RunQuery) -> None:
    # Reading all runs in their order takes more than 10 steps each.
    assert steps(large, lambda: select_runs(large, asked)) < 4_000


def test_the_summary_is_not_counted_either(large: Watched) -> None:
    assert steps(large, lambda: summarise(large)) < 1_000
    assert summarise(large).failed == 40
    large.plans = []
    summarise(large)
    plans, large.plans = large.plans, None
    assert plans == ["SCAN run_tallies", "SCAN runs USING INDEX failed_runs_by_end"]


class Interrupted(Store):
    """A store to which another process adds a run after each query."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._other = Store(path)
        self.added = 100

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        found = super().rows(sql, values)
        self.added += 1
        self._other.record(run(self.added))
        return found

    def close(self) -> None:
        super().close()
        self._other.close()


@pytest.mark.parametrize(
    "filtered", [{}, {"statuses": {"failed", "crashed", "timeout"}}, {"search": "nigh"}], ids=str
)
def test_a_run_that_comes_meanwhile_takes_nobodys_place(tmp_path: Path, filtered: dict[str, Any]) -> None:
    with closing(Store(tmp_path / "store.db")) as store:
        store.record([event for number in range(2, 32) for event in run(number)])
        before, total = select_runs(store, query(limit=50, **filtered))
    with closing(Interrupted(tmp_path / "store.db")) as store:
        found = select_runs(store, query(limit=50, **filtered))
        assert store.added > 101
    assert ([row["id"] for row in found[0]], found[1]) == ([row["id"] for row in before], total)


def test_tallies_follow_what_is_recorded_changed_and_taken_away() -> None:
    with closing(Watched()) as store:
        store.record([event for number in range(60) for event in run(number)])
        store.record([Event("run.status", at(99), ulid(1), "nightly", "ended", {"end_reason": "failed"})])
        with store.transaction() as db:
            db.execute("DELETE FROM runs WHERE seq % 3 = 0")
        counted = "SELECT task, word, failure, count(*) AS runs FROM runs GROUP BY task, word, failure"
        kept = store.rows("SELECT task, word, failure, runs FROM run_tallies")
        assert sorted(map(tuple, kept)) == sorted(map(tuple, store.rows(counted)))
        with store.transaction() as db:
            db.execute("DELETE FROM runs")
        assert store.rows("SELECT * FROM run_tallies") == []
