"""What a page costs: read from an index in its order, the same wherever it lies, in memory that stays flat.

Nothing here is timed; benchmarks/plane.py does that.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tracemalloc
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from jobtrail.store.rows import RunRow
from jobtrail.store.store import PageQuery
from tests.plane.records import (
    EXECUTIONS,
    StepCountingStore,
    make_execution,
    make_job,
    make_task,
    nanoseconds_at,
    open_client,
    time_at,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from sqlite3 import Row

    import httpx2

    from jobtrail.store.store import PageKey

pytestmark = pytest.mark.slow

SORTS = ("createdAt:desc", "createdAt:asc", "name:asc", "name:desc")
ROOT = Path(__file__).parents[2]
JOB_COUNT, EXECUTION_COUNT, TASK_COUNT, RUN_COUNT = 1_000, 20_000, 100_000, 5_000
WALKS = [
    (EXECUTIONS, EXECUTION_COUNT, 100),
    (f"{EXECUTIONS}/e00007/tasks", TASK_COUNT, 200),
    ("/jobs", JOB_COUNT, 50),
]
MEBI = 1024 * 1024


def run(number: int) -> RunRow:
    times = nanoseconds_at(number), nanoseconds_at(number + 0.5), nanoseconds_at(number + 1 + number % 7)
    end = (("success", 0), ("failed", 1), ("timeout", 2))[number % 3]
    return RunRow(f"01K9Z3V5Q8R2M4N6P7S9{number:06}", "nightly", "ended", *times, *end, {"triggered_by": "cron"})


@pytest.fixture(scope="module")
def large() -> Iterator[StepCountingStore]:
    """1,000 jobs, 20,000 executions of one, 100,000 tasks in one of these, and 5,000 runs."""
    with closing(StepCountingStore(None)) as store:
        store.write([make_job("etl"), *(make_job(f"j{number:03}", number) for number in range(JOB_COUNT - 1))])
        store.write(make_execution(f"e{number:05}", "etl", number) for number in range(EXECUTION_COUNT))
        store.write(make_task(f"t{number:05}", "e00007", number / 7) for number in range(TASK_COUNT))
        store.write(map(run, range(RUN_COUNT)))
        yield store


def assert_even(steps: list[int], rows: int) -> None:
    """Check that pages cost the same, but for a row that is read to see whether more follow, and no more than a page.

    The first has no place to compare its rows with, so it costs a little less.
    """
    assert max(steps) < 100 * rows
    assert max(steps[1:]) - min(steps[1:]) <= 50
    assert 0.8 * steps[1] < steps[0] <= steps[1]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("table", ["executions", "tasks"])
def test_a_page_takes_as_many_steps_wherever_it_lies(large: StepCountingStore, table: str, sort: str) -> None:
    order: Literal["createdAt", "name"] = "name" if sort.startswith("name") else "createdAt"
    many = EXECUTION_COUNT if table == "executions" else TASK_COUNT
    one = large.find_execution("default", "etl", "e00007")
    assert one is not None

    def page(after: PageKey | None, limit: int = 200) -> list[Row]:
        query = PageQuery(order, descending=sort.endswith("desc"), limit=limit, after=after)
        return (
            large.list_executions("default", "etl", query)
            if table == "executions"
            else large.list_tasks(one["key"], query)
        )

    def place(row: Row) -> PageKey:
        second = "id" if table == "executions" else "position" if order == "createdAt" else "name"
        return row["created_at"], row[second]

    everything = page(None, -1)
    assert len(everything) == many
    steps: list[int] = []
    for number in (0, 1, many // 2, many - 200):
        with large.count_steps():
            rows = page(place(everything[number - 1]) if number else None)
        steps.append(large.steps)
        assert [*map(tuple, rows)] == [*map(tuple, everything[number : number + 200])]
    assert_even(steps, 200)


@pytest.mark.anyio
@pytest.mark.parametrize(("path", "many", "limit"), WALKS)
async def test_every_page_of_a_whole_walk_takes_as_many_steps(
    large: StepCountingStore, path: str, many: int, limit: int
) -> None:
    async with open_client(large) as client:
        steps = [steps async for steps in walked(large, client, path, limit)]
    assert len(steps) * limit == many
    assert_even(steps, limit)


@pytest.mark.anyio
@pytest.mark.parametrize("direction", ["desc", "asc"])
async def test_a_page_of_runs_by_time_takes_no_more_steps_the_further_on_it_lies(
    large: StepCountingStore, direction: str
) -> None:
    bound = "createdBefore" if direction == "desc" else "createdAfter"
    order = {"sortField": "createdAt", "sortDirection": direction, "taskName": "nightly", "limit": 100}
    steps: list[int] = []
    async with open_client(large, "/api") as client:
        for place in (0, RUN_COUNT // 2, RUN_COUNT - 100):
            number = RUN_COUNT - 1 - place if direction == "desc" else place
            with large.count_steps():
                page = (await client.get("/runs", params={**order, bound: time_at(number).isoformat()})).json()
            steps.append(large.steps)
            assert (len(page["items"]), page["total"]) == (100, RUN_COUNT - place)
    # How many are left is counted anew for each page, which is the less the further on.
    assert steps == sorted(steps, reverse=True)


@pytest.mark.anyio
async def test_memory_stays_flat_during_a_whole_walk(large: StepCountingStore) -> None:
    path, many, limit = WALKS[0]
    peaks: list[int] = []
    async with open_client(large) as client:
        await client.get(path, params={"limit": limit})
        tracemalloc.start()
        async for _ in walked(large, client, path, limit):
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.reset_peak()
        tracemalloc.stop()
    assert len(peaks) * limit == many
    assert max(peaks[-10:]) < max(peaks[:10]) + MEBI / 4


async def walked(store: StepCountingStore, client: httpx2.AsyncClient, path: str, limit: int) -> AsyncGenerator[int]:
    """Yield how many steps each page of a walk took."""
    cursor: dict[str, str] | None = {}
    while cursor is not None:
        with store.count_steps():
            page = (await client.get(path, params={"limit": limit, **cursor})).json()
        yield store.steps
        cursor = {"cursor": page["meta"]["nextCursor"]} if page["meta"]["hasMore"] else None


def test_the_page_of_benchmarks_shows_what_the_benchmark_prints() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert "```sh\npython benchmarks/plane.py\n```" in page
    small = ["--executions", "400", "--jobs", "60", "--tasks", "250", "--runs", "250"]
    ran = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "plane.py", *small], capture_output=True, text=True, check=True
    )
    printed, shown = tables(ran.stdout), tables(page)
    begin = shown.index(printed[0])
    assert printed == shown[begin : begin + len(printed)]


def tables(text: str) -> list[str]:
    """Return the headings and the lines of all tables, but for numbers."""
    lines = [line for line in text.splitlines() if line.startswith(("| ", "## ", "### "))]
    return [re.sub(r"\d[\d,.]*", "0", line.replace("###", "##")) for line in lines]
