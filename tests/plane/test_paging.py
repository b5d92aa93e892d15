"""Walks by cursor: everything once, whatever arrives meanwhile, and each page at the cost of a page."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobtrail.plane import Event, Store
from jobtrail.plane.runs import RunQuery, select_runs
from jobtrail.plane.store import Query
from tests.plane.stocks import EXECUTIONS, at, client_of, execution, job, name_of, task, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jobtrail.plane.store import Key

SORTS = ("createdAt:desc", "createdAt:asc", "name:asc", "name:desc")
Sort = Literal["createdAt", "name"]


@pytest.mark.anyio
@pytest.mark.parametrize("sort", SORTS)
async def test_a_walk_of_10000_tasks_meets_each_exactly_once(sample: Store, sort: str) -> None:
    async with client_of(sample) as client:
        (one,) = (await client.get("/jobs/backfill-embeddings/executions")).json()["data"]
        path = f"/jobs/backfill-embeddings/executions/{one['metadata']['id']}/tasks"
        pages = await walk(client, path, limit=200, sort=sort)
    assert [len(page["data"]) for page in pages] == [200] * 50
    assert {page["meta"]["total"] for page in pages} == {10_000}
    names = [name_of(item) for page in pages for item in page["data"]]
    by_number = sorted((f"task-{number}" for number in range(10_000)), key=None if "name" in sort else number_of)
    assert names == (by_number[::-1] if sort.endswith("desc") else by_number)


def number_of(name: str) -> int:
    return int(name.removeprefix("task-"))


# What happens between two pages: new executions, as (id, minute of creation), and ends of old ones.
ARRIVALS = st.tuples(st.integers(0, 999), st.integers(-5, 30))
CHANGES = st.lists(st.one_of(ARRIVALS, st.integers(0, 30)), max_size=4)


@settings(max_examples=60, deadline=None)
@given(
    old=st.lists(ARRIVALS, max_size=25, unique_by=lambda one: one[0]),
    between=st.lists(CHANGES, max_size=12),
    limit=st.integers(1, 6),
    sort=st.sampled_from(SORTS),
)
def test_executions_that_come_or_end_during_a_walk_neither_repeat_nor_hide_one_that_was_there(
    old: list[tuple[int, int]], between: list[list[tuple[int, int] | int]], limit: int, sort: str
) -> None:
    store = Store(None)
    store.record([job("etl"), *(event for number, minute in old for event in created(number, minute))])
    pending = iter(between)

    def happen() -> None:
        for change in next(pending, ()):
            if isinstance(change, int):
                ended = [Event("execution.status", at(99), f"e{n:03}", "etl", "failed") for n, _ in old[change:][:1]]
                store.record(ended)
            elif store.execution("default", "etl", f"e{change[0]:03}") is None:
                store.record(created(*change))

    listed = anyio.run(partial(walk_while, store, happen, limit=limit, sort=sort))
    assert len(listed) == len(set(listed))
    assert {f"e{number:03}" for number, _ in old} <= set(listed)
    known = {row["id"]: (row["created_at"], row["id"]) for row in all_executions(store)}
    key: Callable[[str], Any] = known.__getitem__ if sort.startswith("createdAt") else str
    assert listed == sorted(listed, key=key, reverse=sort.endswith("desc"))
    store.close()


def created(number: int, minute: int) -> list[Event]:
    return execution(f"e{number:03}", "etl", minute)


def all_executions(store: Store) -> list[Any]:
    return store.executions("default", "etl", Query("createdAt", descending=False, limit=-1))


async def walk_while(store: Store, happen: Callable[[], None], **params: Any) -> list[str]:
    """Return the ids of a walk between whose pages something happens."""
    listed: list[str] = []
    cursor: dict[str, str] = {}
    async with client_of(store) as client:
        while True:
            page = (await client.get(EXECUTIONS, params={**params, **cursor})).json()
            listed += [name_of(one) for one in page["data"]]
            if not page["meta"]["hasMore"]:
                return listed
            cursor = {"cursor": page["meta"]["nextCursor"]}
            happen()


class Watched(Store):
    """A store that keeps the plan of every query."""

    def __init__(self) -> None:
        super().__init__(None)
        self.plans: list[str] = []

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        if not sql.startswith("EXPLAIN"):
            self.plans += self.plan(sql, values)
        return super().rows(sql, values)


@pytest.fixture
def watched() -> Watched:
    store = Watched()
    store.record([job(f"job-{number}", number) for number in range(5)])
    store.record([event for number in range(9) for event in execution(f"e{number}", "job-1", number)])
    store.record([event for number in range(9) for event in task(f"t{number}", "e1", number)])
    body = {"triggered_by": "cron"}
    store.record([Event("run.created", at(number), f"r{number}", "nightly", body=body) for number in range(9)])
    return store


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("sort", ["createdAt", "name"])
@pytest.mark.parametrize("q", ["", "needle"])
@pytest.mark.parametrize("later", [True, False], ids=["a later page", "the first page"])
def test_a_page_is_read_from_an_index_in_its_order(
    watched: Watched, sort: Sort, q: str, *, descending: bool, later: bool
) -> None:
    after: dict[str, Key] = {
        "jobs": (1, "job-1"),
        "executions": (1, "e1"),
        "tasks": (1, 1 if sort == "createdAt" else "t1"),
    }

    def query(of: str) -> Query:
        return Query(sort, descending=descending, limit=2, q=q, after=after[of] if later else None)

    watched.jobs("default", query("jobs"))
    watched.jobs("default", query("jobs"), ("DEPLOYED", "FAILED"))
    watched.executions("default", "job-1", query("executions"))
    watched.tasks(2, query("tasks"))
    # A single search each, in the order asked for: a sort would be a step of its own.
    assert len(watched.plans) == 4
    for plan in watched.plans:
        assert plan.startswith("SEARCH ")
        assert " USING " in plan
    columns = {"jobs": "workspace=?", "executions": "workspace=? AND job=?", "tasks": "execution=?"}
    key = {
        "jobs": {"createdAt": "(created_at,name)>(?,?)", "name": "name>?"},
        "executions": {"createdAt": "(created_at,id)>(?,?)", "name": "id>?"},
        "tasks": {"createdAt": "(created_at,position)>(?,?)", "name": "name>?"},
    }
    for plan, of in zip(watched.plans, ("jobs", "jobs", "executions", "tasks"), strict=True):
        bounds = columns[of]
        if later:
            bounds += " AND " + (key[of][sort].replace(">", "<") if descending else key[of][sort])
        assert plan.endswith(f"({bounds})"), plan


def test_what_a_page_says_besides_its_rows_is_read_from_an_index(watched: Watched) -> None:
    watched.job("default", "job-1")
    watched.execution("default", "job-1", "e1")
    watched.count_jobs("default")
    watched.count_executions("default", "job-1")
    assert len([*watched.all_tasks(2)]) == 9
    watched.run("r1")
    select_runs(watched, RunQuery("nightly", "created_at", descending=True, limit=3, offset=3))
    assert len(watched.plans) == 9
    assert all(plan.startswith("SEARCH ") and " USING " in plan for plan in watched.plans), watched.plans
