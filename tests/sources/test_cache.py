"""What has ended is asked for once: counted at the network's edge, and never for what can still change."""

from __future__ import annotations

import json
import os
import pickle
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client

from jobtrail.plane import build_plane
from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.blaxel.ended_executions import MOST, MOST_BYTES, EndedExecutions
from jobtrail.sources.blaxel.registration import BlaxelSettings
from jobtrail.sources.blaxel.source import Blaxel
from jobtrail.sources.cache import ResponseCache
from jobtrail.sources.embedded.registration import EmbeddedSettings
from jobtrail.sources.http import Http
from jobtrail.sources.runwisp.registration import RunWispSettings
from jobtrail.store import Store
from jobtrail.store.maintenance import prune
from tests.plane.records import make_execution, make_job, make_task, nanoseconds_at, set_status
from tests.sample_client import answer, follow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

TASKS = 450
START = "2026-11-01T00:00:00Z"


class Upstream(httpx2.ASGITransport):
    """The plane as the network; it counts requests, and leaves out inline tasks, which no document requires.

    Attributes:
        inline: whether tasks are sent with their execution.
        changed: what is sent of an execution in place of what the plane says.
    """

    def __init__(self, store: Store, *, inline: bool = False) -> None:
        super().__init__(build_plane(store))
        self.seen: Counter[str] = Counter()
        self.inline = inline
        self.changed: dict[str, Any] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        what = request.url.path.rpartition("/")[2]
        self.seen[f"{request.headers.get('authorization', '')[-1:]}{what}"] += 1
        answered = await super().handle_async_request(request)
        if what != "e1":
            return answered
        body = json.loads(await answered.aread())
        return httpx2.Response(200, json={**body, **({} if self.inline else {"tasks": None}), **self.changed})


def source(name: str, key: str) -> BlaxelSettings:
    url = "http://blaxel.invalid/v0"
    return BlaxelSettings.model_validate({"name": name, "url": url, "api_key": key})


TWO = Settings(sources=(source("a", "key-A"), source("b", "key-B")), default="a")


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store(None)
    store.write([make_job("etl"), make_execution("e1", "etl", 0, "running")])
    store.write(
        make_task(f"t{number}", "e1", 1, "running", "failed" if number % 50 == 0 else "succeeded")
        for number in range(TASKS)
    )
    yield store
    store.close()


def end(store: Store) -> None:
    store.write([set_status(make_execution("e1", "etl", 0, "running"), 60, "failed")])


async def explained(client: Client, source: str = "a") -> dict[str, Any]:
    return (await answer(client, "get_execution", job="etl", execution="e1", source=source))[1]


async def test_a_finished_execution_is_explained_again_without_one_upstream_request(store: Store) -> None:
    end(store)
    upstream = Upstream(store)
    async with Client(build_server(TWO, transport=upstream)) as client:
        first = await explained(client)
        assert upstream.seen == {"Ae1": 1, "Atasks": 3}
        assert await explained(client) == first
        assert upstream.seen == {"Ae1": 1, "Atasks": 3}
    assert first["coverage"] == {"scanned": TASKS, "matched": 9, "complete": True}


async def test_tasks_that_came_with_a_finished_execution_are_not_asked_for_again(store: Store) -> None:
    end(store)
    upstream = Upstream(store, inline=True)
    async with Client(build_server(TWO, transport=upstream)) as client:
        first = await explained(client)
        assert await explained(client) == first
        await answer(client, "wait_for", source="a", job="etl", execution="e1", timeout=0)
    assert upstream.seen == {"Ae1": 1}
    assert first["coverage"] == {"scanned": TASKS, "matched": 9, "complete": True}


COUNTS = {"total": TASKS, "success": 441, "failure": 9, "running": 0, "cancelled": 0}


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize(
    "changed",
    [
        {"status": "cancelling"},
        {"status": "hibernating"},
        {"stats": {**COUNTS, "running": 1}},
        {"stats": {**COUNTS, "success": 440}},
        {"metadata": {"id": "e1", "startedAt": "2026-11-01T00:00:00Z"}},
        {"metadata": {"id": "e1", "completedAt": f"{datetime.now(UTC) + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"}},
    ],
    ids=["ending", "unknown", "a-task-runs", "a-task-is-not-counted", "no-end", "ended-just-now"],
)
async def test_what_may_still_change_is_asked_for_each_time(
    changed: dict[str, Any], inline: bool, store: Store
) -> None:
    end(store)
    upstream = Upstream(store, inline=inline)
    upstream.changed = changed
    async with Client(build_server(TWO, transport=upstream)) as client:
        await explained(client)
        upstream.changed = {"stats": {**COUNTS, "failure": 8, "cancelled": 1}}
        assert (await explained(client))["execution"]["failed"] == 8
    assert upstream.seen["Ae1"] == 2


@pytest.mark.parametrize("inline", [False, True])
async def test_an_execution_that_ended_before_a_task_did_is_asked_for_each_time(inline: bool, store: Store) -> None:
    store.write([make_task("t449", "e1", 1, "running")])
    end(store)
    upstream = Upstream(store, inline=inline)
    upstream.changed = {"stats": COUNTS}
    async with Client(build_server(TWO, transport=upstream)) as client:
        await explained(client)
        store.write([make_task("t449", "e1", 1, "running", "failed")])
        assert (await explained(client))["coverage"]["matched"] == 10
    assert upstream.seen["Ae1"] == 2


async def test_what_was_cut_short_is_read_again(store: Store) -> None:
    end(store)
    broken = True

    class Failing(Upstream):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if broken and "cursor" in request.url.params:
                return httpx2.Response(200, text="a proxy's page")
            return await super().handle_async_request(request)

    upstream = Failing(store)
    async with Client(build_server(TWO, transport=upstream)) as client:
        first = await explained(client)
        assert not first["coverage"]["complete"]
        broken = False
        assert (await explained(client))["coverage"] == {"scanned": TASKS, "matched": 9, "complete": True}
    # The execution itself and the first page were final already.
    assert upstream.seen == {"Ae1": 1, "Atasks": 3}


async def test_the_store_of_this_machine_is_asked_each_time_and_sends_only_what_has_changed(
    store: Store,
) -> None:
    told: list[tuple[int, int]] = []

    class Plane(httpx2.ASGITransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            answered = await super().handle_async_request(request)
            told.append((answered.status_code, (await answered.aread()).count(b'"conditions"')))
            return answered

    plane = httpx2.AsyncClient(transport=Plane(build_plane(store)), base_url="http://plane.invalid/v0/")
    plane.headers["Blaxel-Version"] = "2026-04-28"
    source = Blaxel("s", Http(plane, "source 's'", ""), "")
    for change in (lambda: None, lambda: end(store), lambda: store.write([make_task("t1", "e1", 1, "failed")])):
        change()
        first = await source.need_batch().explain("etl", "e1")
        assert await source.need_batch().explain("etl", "e1") == first
    await source.aclose()
    # What runs is sent each time; what has ended again only after it has changed.
    assert told == [(200, TASKS)] * 3 + [(304, 0)] + [(200, TASKS), (304, 0)]


async def test_a_prune_and_an_import_of_this_machines_store_show_at_once(store: Store, tmp_path: Path) -> None:
    mine = Store(tmp_path / "store.db")
    mine.write([make_job("etl"), make_execution("e1", "etl", 0, "failed"), make_task("t", "e1", 0, "failed")])
    own = Settings(sources=(EmbeddedSettings(name="a"),), default="a", store=mine.path)
    async with Client(build_server(own)) as client:
        assert (await explained(client))["failures"][0]["example"] == "(no reason given)"
        prune(mine, nanoseconds_at(99))
        mine.write([make_job("etl"), make_execution("e1", "etl", 0, "failed")])
        conditions = [{"reason": "Error", "message": "disk full"}]
        mine.write([make_task("t", "e1", 0, "failed", conditions=conditions)])
        assert (await explained(client))["failures"][0]["example"] == "Error: disk full"
        prune(mine, nanoseconds_at(99))
        gone = await client.call_tool("get_execution", {"job": "etl", "execution": "e1"})
    assert gone.is_error
    mine.close()


async def test_a_thousand_executions_of_10000_tasks_take_no_more_memory_than_the_bound() -> None:
    tasks = [
        {
            "metadata": {"name": f"{number}-{'n' * 300}", "startedAt": START, "completedAt": START},
            "status": "failed",
            "conditions": [{"reason": chr(0x4E00 + number) * 400}],
        }
        for number in range(10_000)
    ]
    stats = {"total": 10_000, "failure": 10_000}
    wide: dict[str, Any] = {"status": "failed", "stats": stats, "tasks": tasks}
    small = {"status": "failed", "stats": {"total": 1, "failure": 1}, "tasks": tasks[:1]}

    def api(request: httpx2.Request) -> httpx2.Response:
        identity = request.url.path.rpartition("/")[2]
        metadata = {"id": identity, "completedAt": START}
        return httpx2.Response(200, json={"metadata": metadata, **(wide if identity == "e0" else small)})

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(api), base_url="http://blaxel.invalid")
    ended = EndedExecutions(Http(client, "source 's'", "", cache=ResponseCache()))
    full = await ended.read("etl", "e0", "e0")
    assert full.tasks is not None
    assert (full.tasks.failed, full.tasks.causes) == (10_000, 10_000)
    # As bytes, and as objects: one of 10,000 tasks takes no more than one of a few.
    assert len(pickle.dumps(full)) < 16 * 1024
    for number in range(MOST + 100):
        await ended.read("etl", f"e{number}", f"e{number}")
    assert len(ended) == MOST
    assert ended.used <= MOST_BYTES
    await client.aclose()


async def test_what_still_runs_is_asked_for_each_time_and_remembered_once_it_has_ended(store: Store) -> None:
    upstream = Upstream(store)
    async with Client(build_server(TWO, transport=upstream)) as client:
        await explained(client)
        before = await explained(client)
        assert upstream.seen == {"Ae1": 2, "Atasks": 6}
        store.write([make_task("t1", "e1", 1, "running", "failed")])
        end(store)
        after = await explained(client)
        assert await explained(client) == after
    assert upstream.seen == {"Ae1": 3, "Atasks": 9}
    assert (before["coverage"]["matched"], after["coverage"]["matched"]) == (9, 10)


async def test_pages_read_before_the_end_was_seen_are_not_served_after_it(store: Store) -> None:
    upstream = Upstream(store)
    async with Client(build_server(TWO, transport=upstream)) as client:
        await follow(client, "list_tasks", source="a", job="etl", execution="e1", status="failed")
        store.write([make_task("t1", "e1", 1, "running", "failed")])
        end(store)
        assert (await explained(client))["coverage"]["matched"] == 10
        pages = await follow(client, "list_tasks", source="a", job="etl", execution="e1", status="failed")
    assert sum(len(page["items"]) for page in pages) == 10


async def test_nothing_is_served_across_sources_or_credentials(store: Store) -> None:
    end(store)
    upstream = Upstream(store)
    async with Client(build_server(TWO, transport=upstream)) as client:
        await explained(client)
        await explained(client, "b")
        await explained(client, "b")
    assert upstream.seen == {"Ae1": 1, "Atasks": 3, "Be1": 1, "Btasks": 3}


async def test_a_run_that_ended_is_asked_for_once_and_one_that_runs_each_time() -> None:
    asked: Counter[str] = Counter()
    runs = {"01K9Z3V5Q8R2M4N6P7S9T0W1X2": "ended", "01K9Z3V5Q8R2M4N6P7S9T0W1X3": "running"}

    def daemon(request: httpx2.Request) -> httpx2.Response:
        identity = request.url.path.rpartition("/")[2]
        asked[identity] += 1
        if identity in runs:
            return httpx2.Response(200, json={"id": identity, "taskName": "backup", "status": runs[identity]})
        return httpx2.Response(200, json={"lines": [], "totalLines": 0, "finalized": True})

    settings = Settings(sources=(RunWispSettings(name="cron", url="http://cron.invalid"),), default="cron")
    async with Client(build_server(settings, transport=httpx2.MockTransport(daemon))) as client:
        for identity in (*runs, *runs):
            await answer(client, "get_run", run=identity)
    assert {identity: asked[identity] for identity in runs} == dict(zip(runs, (1, 2), strict=True))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3000)), max_size=60))
async def test_memory_never_holds_more_than_its_bounds_and_gives_back_what_it_was_given(
    steps: list[tuple[int, int]],
) -> None:
    cache = ResponseCache(entries=10, size=8_000)
    given_last: dict[int, bytes] = {}
    for name, length in steps:
        given_last[name] = os.urandom(length)
        cache.keep(ResponseCache.key(f"e{name}", None), given_last[name])
        assert len(cache) <= 10
        assert cache.used <= 8_000
    held = {name: cache.get(ResponseCache.key(f"e{name}", None)) for name in given_last}
    assert all(body is None or body == given_last[name] for name, body in held.items())
    if steps and steps[-1][1] < 1_900:
        assert held[steps[-1][0]] is not None


async def test_what_was_used_longest_ago_goes_first() -> None:
    cache = ResponseCache(entries=2)
    first, second, third = (ResponseCache.key(name, {"limit": 1}) for name in "abc")
    cache.keep(first, b"1")
    cache.keep(second, b"2")
    assert cache.get(first) == b"1"
    cache.keep(third, b"3")
    assert [cache.get(one) for one in (first, second, third)] == [b"1", None, b"3"]


async def test_what_was_kept_too_long_is_forgotten() -> None:
    cache = ResponseCache(life=0.01)
    key = ResponseCache.key("e1", None)
    cache.keep(key, b"1")
    with anyio.fail_after(5):
        while cache.get(key) is not None:
            await anyio.lowlevel.checkpoint()
    assert (len(cache), cache.used) == (0, 0)
