"""Walks by cursor meet everything once that is there throughout, whatever comes, ends or goes meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client

from jobtrail.plane import build_plane
from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.runwisp.registration import RunWispSettings
from jobtrail.store import Store
from jobtrail.store.maintenance import prune
from jobtrail.store.rows import DefinitionRow, RunRow
from tests.hypothesis_profiles import scale_examples
from tests.plane.records import (
    EXECUTIONS,
    TASKS,
    make_execution,
    make_job,
    make_task,
    nanoseconds_at,
    open_client,
    read_all_pages,
    read_name,
    set_status,
)
from tests.sample_client import answer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from jobtrail.store.rows import AnyRow, ExecutionRow, TaskRow

OF_PLANE = Settings(sources=(RunWispSettings(name="runwisp", url="http://plane.invalid"),), default="runwisp")
FAR_TOO_MANY = 1000
SORTS = ("createdAt:desc", "createdAt:asc", "name:asc", "name:desc")


@pytest.mark.anyio
@pytest.mark.parametrize("sort", SORTS)
async def test_a_walk_of_10000_tasks_meets_each_exactly_once(sample: Store, sort: str) -> None:
    async with open_client(sample) as client:
        (one,) = (await client.get("/jobs/backfill-embeddings/executions")).json()["data"]
        path = f"/jobs/backfill-embeddings/executions/{one['metadata']['id']}/tasks"
        pages = await read_all_pages(client, path, limit=200, sort=sort)
    assert [len(page["data"]) for page in pages] == [200] * 50
    assert {page["meta"]["total"] for page in pages} == {10_000}
    names = [read_name(item) for page in pages for item in page["data"]]
    by_number = sorted((f"task-{number}" for number in range(10_000)), key=None if "name" in sort else number_of)
    assert names == (by_number[::-1] if sort.endswith("desc") else by_number)


def number_of(name: str) -> int:
    return int(name.removeprefix("task-"))


@dataclass(frozen=True)
class Kind:
    """What is listed: where, and what makes one come and end, given its name and a minute."""

    path: str
    table: str
    column: str
    comes: Callable[[str, int], AnyRow]
    ends: Callable[[str, int, int], AnyRow]


def job_ends(name: str, came: int, _ended: int) -> AnyRow:
    return make_job(name, came, status="TERMINATED")


def execution_comes(name: str, minute: int) -> ExecutionRow:
    return make_execution(name, "etl", minute)


def execution_ends(name: str, came: int, ended: int) -> AnyRow:
    return set_status(execution_comes(name, came), ended, "failed")


def task_comes(name: str, minute: int) -> TaskRow:
    return make_task(name, "exec-000", minute)


def task_ends(name: str, came: int, ended: int) -> AnyRow:
    return set_status(task_comes(name, came), ended, "failed")


def run_comes(name: str, minute: int) -> RunRow:
    return RunRow(name, "nightly", "pending", nanoseconds_at(minute), body={"triggered_by": "cron"})


def run_ends(name: str, came: int, ended: int) -> AnyRow:
    how = {"status": "ended", "end_reason": "failed", "exit_code": 1}
    return replace(run_comes(name, came), ended_at=nanoseconds_at(ended), **how)


RUNS = Kind("", "runs", "id", run_comes, run_ends)
KINDS = (
    Kind("/jobs", "jobs", "name", make_job, job_ends),
    Kind(EXECUTIONS, "executions", "id", execution_comes, execution_ends),
    Kind(TASKS, "tasks", "name", task_comes, task_ends),
)

# One thing that happens: something comes with a minute of creation, or ends; or goes, by itself or with all that
# ended before a minute.
NUMBER, MINUTE = st.integers(0, 15), st.integers(0, 6)
COMES = st.tuples(st.just("comes"), NUMBER, MINUTE)
ENDS = st.tuples(st.just("ends"), NUMBER, st.integers(7, 12))
CHANGE = st.one_of(
    COMES,
    ENDS,
    st.tuples(st.just("goes"), NUMBER, st.just(0)),
    st.tuples(st.just("pruned"), st.just(0), st.integers(7, 13)),
)
BEFORE = st.lists(st.one_of(COMES, ENDS), max_size=40)
MEANWHILE = st.lists(st.lists(CHANGE, max_size=4), max_size=12)
Change = tuple[str, int, int]


class Scene:
    """A store in which things of one kind come, end and go.

    Attributes:
        minutes: when each that ever was there was created.
        lasting: names of those that were there from the beginning, and still are.
    """

    def __init__(self, kind: Kind, before: Iterable[Change], name: Callable[[int], str] = "n{:03}".format) -> None:
        self.store = Store(None)
        self.kind = kind
        self.minutes: dict[str, int] = {}
        self._name = name
        nightly = DefinitionRow("nightly", {"name": "nightly", "kind": "task"})
        self.store.write([make_job("etl"), make_execution("exec-000", "etl"), nightly])
        for change in before:
            self.happens(change)
        self.lasting = self._there()

    def happens(self, change: Change) -> None:
        what, number, minute = change
        name = self._name(number)
        if what == "comes" and name not in self.minutes:
            # Never a second time: what comes back is not what was there.
            self.minutes[name] = minute
            self.store.write([self.kind.comes(name, minute)])
        elif what == "ends" and name in self._there():
            self.store.write([self.kind.ends(name, self.minutes[name], minute)])
        elif what == "goes":
            with self.store.transaction() as db:
                db.execute(f"DELETE FROM {self.kind.table} WHERE {self.kind.column} = ?", (name,))  # noqa: S608 # our own
        elif what == "pruned":
            prune(self.store, nanoseconds_at(minute))

    def _there(self) -> set[str]:
        rows = self.store.select(f"SELECT {self.kind.column} FROM {self.kind.table}")  # noqa: S608 # our own
        return {row[0] for row in rows} & {*self.minutes}

    def meanwhile(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self.happens(change)
        self.lasting &= self._there()

    def check(self, listed: list[str], sort: str) -> None:
        """Check that a walk was in order, repeated nothing and skipped nothing that was there throughout."""
        ours = [name for name in listed if name in self.minutes]
        assert len(ours) == len(set(ours))
        assert self.lasting <= {*ours}
        key = str if sort.startswith("name") else self.minutes.__getitem__
        assert [key(name) for name in ours] == sorted(map(key, ours), reverse=sort.endswith("desc"))


@settings(max_examples=scale_examples(150))
@given(
    kind=st.sampled_from(KINDS), before=BEFORE, meanwhile=MEANWHILE, limit=st.integers(1, 6),
    sort=st.sampled_from(SORTS),
)  # fmt: skip
def test_what_comes_ends_or_goes_during_a_walk_neither_repeats_nor_hides_what_was_there(
    kind: Kind, before: list[Change], meanwhile: list[list[Change]], limit: int, sort: str
) -> None:
    scene = Scene(kind, before)
    pending = iter(meanwhile)

    def between() -> None:
        scene.meanwhile(next(pending, ()))

    scene.check(anyio.run(partial(walk_while, scene, between, limit=limit, sort=sort)), sort)
    scene.store.close()


async def walk_while(scene: Scene, between: Callable[[], None], **params: Any) -> list[str]:
    """Return the names of a walk between whose pages something happens."""
    listed: list[str] = []
    cursor: dict[str, str] = {}
    async with open_client(scene.store) as client:
        while True:
            page = (await client.get(scene.kind.path, params={**params, **cursor})).json()
            listed += [read_name(one) for one in page["data"]]
            assert len(listed) < FAR_TOO_MANY
            if not page["meta"]["hasMore"]:
                return listed
            cursor = {"cursor": page["meta"]["nextCursor"]}
            between()


Walk = Callable[..., Awaitable[list[str]]]


@settings(max_examples=scale_examples(100))
@given(
    walk=st.deferred(lambda: st.sampled_from([by_list_runs, by_list_runs_of_all, by_list_runs_by_offset, by_time])),
    before=BEFORE, meanwhile=MEANWHILE, limit=st.integers(1, 6), descending=st.booleans(),
)  # fmt: skip
def test_runs_that_come_end_or_go_during_a_walk_neither_repeat_nor_hide_what_was_there(
    walk: Walk, before: list[Change], meanwhile: list[list[Change]], limit: int, *, descending: bool
) -> None:
    scene = Scene(RUNS, before, "01K9Z3V5Q8R2M4N6P7S9{:06}".format)
    pending = iter(meanwhile)

    def between() -> None:
        scene.meanwhile(next(pending, ()))

    listed = anyio.run(partial(walk, scene, between, limit=limit, descending=descending))
    scene.check(listed, "created_at:desc" if descending else "created_at:asc")
    scene.store.close()


async def by_list_runs(scene: Scene, between: Callable[[], None], **how: Any) -> list[str]:
    return await _list_runs(scene, build_plane(scene.store), between, task="nightly", **how)


async def by_list_runs_of_all(scene: Scene, between: Callable[[], None], **how: Any) -> list[str]:
    return await _list_runs(scene, build_plane(scene.store), between, **how)


async def by_list_runs_by_offset(scene: Scene, between: Callable[[], None], **how: Any) -> list[str]:
    """Walk as through a daemon of the legacy dialect, which pages by offset alone."""
    plane = build_plane(scene.store)

    async def older(scope: Scope, receive: Receive, send: Send) -> None:
        await plane({**scope, "path": "/none"} if scope["path"] == "/api/runs" else scope, receive, send)

    return await _list_runs(scene, older, between, task="nightly", **how)


async def _list_runs(
    scene: Scene, plane: ASGIApp, between: Callable[[], None], *, descending: bool, **arguments: Any
) -> list[str]:
    """Return the ids of a walk of Jobtrail's own, between whose pages something happens."""
    arguments["sort"] = "created_at:desc" if descending else "created_at:asc"
    listed: list[str] = []
    async with Client(build_server(OF_PLANE, httpx2.ASGITransport(plane))) as client:
        _, page = await answer(client, "list_runs", **arguments)
        while True:
            listed += [one["id"] for one in page["items"]]
            assert len(listed) < FAR_TOO_MANY
            if "cursor" not in page:
                return listed
            between()
            _, page = await answer(client, "list_runs", cursor=page["cursor"])


@pytest.mark.anyio
@pytest.mark.parametrize("pruned", [[2], [0, 2], [1, 2], [0, 1, 2], [2, 3], [0, 1, 2, 3, 4]])
async def test_a_walk_of_runs_that_share_a_nanosecond_goes_on_where_it_was_after_any_were_pruned(
    pruned: list[int],
) -> None:
    scene = Scene(RUNS, [("comes", number, 1) for number in range(8)], "01K9Z3V5Q8R2M4N6P7S9{:06}".format)
    listed: list[str] = []
    async with Client(build_server(OF_PLANE, httpx2.ASGITransport(build_plane(scene.store)))) as client:
        _, page = await answer(client, "list_runs", limit=3)
        listed += [one["id"] for one in page["items"]]
        for number in pruned:
            scene.happens(("goes", number, 0))
        while "cursor" in page:
            _, page = await answer(client, "list_runs", cursor=page["cursor"])
            listed += [one["id"] for one in page["items"]]
            assert "notes" not in page
    assert listed == [f"01K9Z3V5Q8R2M4N6P7S9{number:06}" for number in range(8) if number < 3 or number not in pruned]
    scene.store.close()


@pytest.mark.anyio
async def test_of_more_runs_in_a_nanosecond_than_are_remembered_some_repeat_with_a_note_and_none_is_lost() -> None:
    scene = Scene(RUNS, [("comes", number, 1) for number in range(310)], "01K9Z3V5Q8R2M4N6P7S9{:06}".format)
    listed: list[str] = []
    notes: list[str] = []
    async with Client(build_server(OF_PLANE, httpx2.ASGITransport(build_plane(scene.store)))) as client:
        _, page = await answer(client, "list_runs", limit=100)
        for _ in range(2):
            _, page = await answer(client, "list_runs", cursor=page["cursor"])
        for number in range(10, 300):
            scene.happens(("goes", number, 0))
        while "cursor" in page:
            _, page = await answer(client, "list_runs", cursor=page["cursor"])
            listed += [one["id"][-3:] for one in page["items"]]
            notes += page.get("notes", [])
    assert {f"{number:03}" for number in range(300, 310)} <= {*listed}
    assert any("may repeat" in note for note in notes)
    scene.store.close()


async def by_time(scene: Scene, between: Callable[[], None], *, limit: int, descending: bool) -> list[str]:
    """Walk as any client can: from the last time seen, which is included, past what was seen of that time."""
    order = {"sortField": "createdAt", "sortDirection": "desc" if descending else "asc"}
    listed: list[str] = []
    bound: dict[str, str] = {}
    seen = set[str]()
    async with open_client(scene.store, "/api") as client:
        while True:
            params = {**order, **bound, "limit": limit + len(seen), "taskName": "nightly"}
            items = (await client.get("/runs", params=params)).json()["items"]
            fresh = [one for one in items if one["id"] not in seen]
            if not fresh:
                return listed
            listed += [one["id"] for one in fresh]
            assert len(listed) < FAR_TOO_MANY
            last = fresh[-1]["createdAt"]
            seen = {one["id"] for one in items if one["createdAt"] == last}
            bound = {"createdBefore" if descending else "createdAfter": last}
            between()
