"""What a page costs: read from an index in its order, the same wherever it lies, in memory that stays flat.

Nothing here is timed; benchmarks/plane.py does that.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tracemalloc
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from jobtrail.plane import Event, Store
from jobtrail.plane.store import Query
from tests.plane.stocks import EXECUTIONS, at, client_of, execution, job, task

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncGenerator, Generator, Iterator, Sequence

    import httpx2

    from jobtrail.plane.store import Key, Row

SORTS = ("createdAt:desc", "createdAt:asc", "name:asc", "name:desc")
ROOT = Path(__file__).parents[2]
JOB_COUNT, EXECUTION_COUNT, TASK_COUNT, RUN_COUNT = 1_000, 20_000, 100_000, 5_000
WALKS = [
    (EXECUTIONS, EXECUTION_COUNT, 100),
    (f"{EXECUTIONS}/e00007/tasks", TASK_COUNT, 200),
    ("/jobs", JOB_COUNT, 50),
]
RUN_SORTS = ("created_at", "start_at", "duration", "exit_code", "status", "task_name")
MEBI = 1024 * 1024


class Watched(Store):
    """A store that keeps the plan of every query, or counts the steps of SQLite's machine, when told to.

    Attributes:
        plans: one line a step of a plan; None while they are not kept.
    """

    def __init__(self) -> None:
        self.plans: list[str] | None = None
        super().__init__(None)

    def _connect(self, path: Path | None) -> sqlite3.Connection:
        self._watched = super()._connect(path)
        return self._watched

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        if self.plans is not None:
            self.plans += self.plan(sql, values)
        return super().rows(sql, values)

    @contextmanager
    def counted(self) -> Generator[Counter]:
        counter = Counter()
        self._watched.set_progress_handler(counter.step, 1)
        yield counter
        self._watched.set_progress_handler(None, 0)


class Counter:
    """Counts steps."""

    def __init__(self) -> None:
        self.steps = 0

    def step(self) -> None:
        self.steps += 1


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    with closing(Watched()) as store:
        store.record([job("etl"), *(job(f"item-{number}", number, status="BUILT") for number in range(9))])
        store.record([event for number in range(9) for event in execution(f"item-{number}", "etl", number)])
        store.record([event for number in range(9) for event in task(f"item-{number}", "item-1", number)])
        store.record([Event("definition", at(0), "nightly", body={"name": "nightly", "kind": "task"})])
        store.record([event for number in range(9) for event in run(number)])
        yield store


def run(number: int) -> list[Event]:
    identity = f"01K9Z3V5Q8R2M4N6P7S9{number:06}"
    end = {"end_reason": ("success", "failed", "timeout")[number % 3], "exit_code": number % 3}
    return [
        Event("run.created", at(number), identity, "nightly", body={"triggered_by": "cron"}),
        Event("run.status", at(number + 0.5), identity, "nightly", "running"),
        Event("run.status", at(number + 1 + number % 7), identity, "nightly", "ended", end),
    ]


async def plans_of(client: httpx2.AsyncClient, store: Watched, path: str, **params: Any) -> tuple[list[str], Any]:
    """Return the plan of every query that a request makes, and the answer."""
    store.plans = []
    answer = await client.get(path, params=params)
    plans, store.plans = store.plans, None
    assert answer.status_code == 200, answer.text
    return plans, answer.json()


def searched(plans: list[str]) -> list[str]:
    """Return what is searched for in each step of plans that read nothing else and sort nothing."""
    for plan in plans:
        assert plan.startswith("SEARCH "), plan
        assert " USING " in plan
    return [plan[plan.rindex("(", 0, plan.index("=?")) :] for plan in plans]


LISTS = {
    "/jobs": ("(workspace=?", {"createdAt": "(created_at,name)", "name": "name"}),
    EXECUTIONS: ("(workspace=? AND job=?", {"createdAt": "(created_at,id)", "name": "id"}),
    f"{EXECUTIONS}/item-1/tasks": ("(execution=?", {"createdAt": "(created_at,position)", "name": "name"}),
}


@pytest.mark.anyio
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("filtered", [{}, {"q": "item"}, {"status": "BUILT,FAILED"}], ids=["all", "q", "status"])
@pytest.mark.parametrize("path", LISTS)
async def test_a_page_is_one_search_of_an_index_in_its_order(
    watched: Watched, path: str, filtered: dict[str, str], sort: str
) -> None:
    prefix, orders = LISTS[path]
    key, _, direction = sort.partition(":")
    async with client_of(watched) as client:
        plans, page = await plans_of(client, watched, path, sort=sort, limit=2, **filtered)
        assert f"{prefix})" in searched(plans)
        cursor = page["meta"]["nextCursor"]
        plans, page = await plans_of(client, watched, path, sort=sort, limit=2, cursor=cursor, **filtered)
    row, sign = orders[key], "<" if direction == "desc" else ">"
    place = f"{row}{sign}({','.join('?' * (row.count(',') + 1))})" if row.startswith("(") else f"{row}{sign}?"
    assert f"{prefix} AND {place})" in searched(plans)
    assert page["meta"]["hasMore"]


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/jobs/etl", f"{EXECUTIONS}/item-1", "/jobs?anchor=end"])
async def test_what_is_read_at_once_is_searched_for(watched: Watched, path: str) -> None:
    async with client_of(watched) as client:
        plans, _ = await plans_of(client, watched, path)
    assert searched(plans)


@pytest.mark.anyio
@pytest.mark.parametrize("direction", ["desc", "asc"])
@pytest.mark.parametrize("sort", RUN_SORTS)
@pytest.mark.parametrize("filtered", [{}, {"status": "failed"}, {"search": "01K9"}], ids=["all", "status", "search"])
async def test_a_page_of_a_tasks_runs_is_read_from_an_index_in_its_order(
    watched: Watched, filtered: dict[str, str], sort: str, direction: str
) -> None:
    async with client_of(watched, "/api") as client:
        order = {"sort_field": sort, "sort_direction": direction}
        plans, page = await plans_of(client, watched, "/tasks/nightly/runs", limit=2, offset=1, **order, **filtered)
    assert len(page["runs"]) == 2
    # Whether there is such a task, how many runs it has, what a search leaves of them, and the page.
    assert len(searched(plans)) == (4 if "search" in filtered else 3)


RUN_FILTERS = {
    "all": {},
    "of a task": {"taskName": "nightly"},
    "by time": {"createdBefore": "2026-11-01T00:07:00Z"},
    "of a task by time": {"taskName": "nightly", "createdAfter": "2026-11-01T00:02:00Z"},
    "by status": {"status": "failed,timeout"},
    "failures of a task": {"taskName": "nightly", "isFailure": "true"},
}


@pytest.mark.anyio
@pytest.mark.parametrize("direction", ["desc", "asc"])
@pytest.mark.parametrize("sort", ["taskName", "status", "startedAt", "exitCode", "duration", "createdAt"])
@pytest.mark.parametrize("filtered", RUN_FILTERS.values(), ids=RUN_FILTERS)
async def test_a_page_of_runs_is_read_from_an_index_in_its_order(
    watched: Watched, filtered: dict[str, str], sort: str, direction: str
) -> None:
    async with client_of(watched, "/api") as client:
        order = {"sortField": sort, "sortDirection": direction}
        plans, page = await plans_of(client, watched, "/runs", limit=2, offset=1, **order, **filtered)
    assert len(page["items"]) == 2
    *counts, plan = plans
    # One step, so nothing is sorted: through the index of the order, from where the filters let it begin.
    index = plan.partition(" USING INDEX ")[2].partition(" ")[0]
    assert plan.startswith("SEARCH runs USING INDEX " if "(" in plan else "SCAN runs USING INDEX ")
    assert INDEXES[sort] in index
    assert index.endswith("_down") == (direction == "desc" and index != "runs_by_task")
    assert ("(task=?" in plan) == ("taskName" in filtered)
    for count in counts:
        # A row for each task and state; and what lies within bounds of time, without looking at the runs themselves.
        assert "run_tallies" in count or count.startswith("SEARCH runs USING COVERING INDEX "), count


INDEXES = {
    "taskName": "by_task", "status": "by_status", "startedAt": "by_start", "exitCode": "by_exit",
    "duration": "by_duration", "createdAt": "by_time",
}  # fmt: skip


def test_legacy_pages_and_counts_are_read_from_an_index(watched: Watched) -> None:
    watched.plans = []
    watched.jobs("default", Query("createdAt", descending=True, limit=-1))
    watched.executions("default", "etl", Query("createdAt", descending=True, limit=2, offset=5))
    watched.count_jobs("default")
    watched.count_executions("default", "etl")
    plans, watched.plans = watched.plans, None
    assert len(searched(plans)) == 4
    # How many executions a job has is not counted, but looked up.
    assert plans[-1].startswith("SEARCH tallies USING PRIMARY KEY")


@pytest.fixture(scope="module")
def large() -> Iterator[Watched]:
    """1,000 jobs, 20,000 executions of one, 100,000 tasks in one of these, and 5,000 runs."""
    with closing(Watched()) as store:
        store.record([job("etl"), *(job(f"j{number:03}", number) for number in range(JOB_COUNT - 1))])
        store.record(one for number in range(EXECUTION_COUNT) for one in execution(f"e{number:05}", "etl", number))
        store.record(task(f"t{number:05}", "e00007", number / 7)[0] for number in range(TASK_COUNT))
        store.record(event for number in range(RUN_COUNT) for event in run(number))
        yield store


def assert_even(steps: list[int]) -> None:
    """Check that pages cost the same, but for a row that is read to see whether more follow.

    The first has no place to compare its rows with, so it costs a little less.
    """
    assert max(steps[1:]) - min(steps[1:]) <= 50
    assert 0.8 * steps[1] < steps[0] <= steps[1]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("table", ["executions", "tasks"])
def test_a_page_takes_as_many_steps_wherever_it_lies(large: Watched, table: str, sort: str) -> None:
    order: Literal["createdAt", "name"] = "name" if sort.startswith("name") else "createdAt"
    many = EXECUTION_COUNT if table == "executions" else TASK_COUNT
    one = large.execution("default", "etl", "e00007")
    assert one is not None

    def page(after: Key | None, limit: int = 200) -> list[Row]:
        query = Query(order, descending=sort.endswith("desc"), limit=limit, after=after)
        return large.executions("default", "etl", query) if table == "executions" else large.tasks(one["key"], query)

    def place(row: Row) -> Key:
        second = "id" if table == "executions" else "position" if order == "createdAt" else "name"
        return row["created_at"], row[second]

    everything = page(None, -1)
    assert len(everything) == many
    steps: list[int] = []
    for number in (0, 1, many // 2, many - 200):
        with large.counted() as counter:
            rows = page(place(everything[number - 1]) if number else None)
        assert [*map(tuple, rows)] == [*map(tuple, everything[number : number + 200])]
        steps.append(counter.steps)
    assert_even(steps)


@pytest.mark.anyio
@pytest.mark.parametrize(("path", "many", "limit"), WALKS)
async def test_every_page_of_a_whole_walk_takes_as_many_steps(
    large: Watched, path: str, many: int, limit: int
) -> None:
    async with client_of(large) as client:
        steps = [counter.steps async for counter in walked(large, client, path, limit)]
    assert len(steps) * limit == many
    assert_even(steps)


@pytest.mark.anyio
@pytest.mark.parametrize("direction", ["desc", "asc"])
async def test_a_page_of_runs_by_time_takes_no_more_steps_the_further_on_it_lies(
    large: Watched, direction: str
) -> None:
    bound = "createdBefore" if direction == "desc" else "createdAfter"
    order = {"sortField": "createdAt", "sortDirection": direction, "taskName": "nightly", "limit": 100}
    steps: list[int] = []
    async with client_of(large, "/api") as client:
        for place in (0, RUN_COUNT // 2, RUN_COUNT - 100):
            number = RUN_COUNT - 1 - place if direction == "desc" else place
            with large.counted() as counter:
                page = (await client.get("/runs", params={**order, bound: at(number).isoformat()})).json()
            assert (len(page["items"]), page["total"]) == (100, RUN_COUNT - place)
            steps.append(counter.steps)
    # How many are left is counted anew for each page, which is the less the further on.
    assert steps == sorted(steps, reverse=True)


@pytest.mark.anyio
async def test_memory_stays_flat_during_a_whole_walk(large: Watched) -> None:
    path, many, limit = WALKS[0]
    peaks: list[int] = []
    async with client_of(large) as client:
        await client.get(path, params={"limit": limit})
        tracemalloc.start()
        async for _ in walked(large, client, path, limit):
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.reset_peak()
        tracemalloc.stop()
    assert len(peaks) * limit == many
    assert max(peaks[-10:]) < max(peaks[:10]) + MEBI / 4


async def walked(store: Watched, client: httpx2.AsyncClient, path: str, limit: int) -> AsyncGenerator[Counter]:
    """Yield how many steps each page of a walk took."""
    cursor: dict[str, str] | None = {}
    while cursor is not None:
        with store.counted() as counter:
            page = (await client.get(path, params={"limit": limit, **cursor})).json()
        yield counter
        cursor = {"cursor": page["meta"]["nextCursor"]} if page["meta"]["hasMore"] else None


def test_the_page_of_benchmarks_shows_what_the_benchmark_prints() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert "```sh\npython benchmarks/plane.py\n```" in page
    small = ["--executions", "400", "--jobs", "60", "--tasks", "250", "--runs", "250"]
    ran = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "plane.py", *small], capture_output=True, text=True, check=True
    )
    assert tables(ran.stdout) == tables(page)[1:]


def tables(text: str) -> list[str]:
    """Return the headings and the lines of all tables, but for numbers."""
    lines = [line for line in text.splitlines() if line.startswith(("| ", "## ", "### "))]
    return [re.sub(r"\d[\d,.]*", "0", line.replace("###", "##")) for line in lines]
