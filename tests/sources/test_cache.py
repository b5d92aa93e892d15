"""What has ended is asked for once: counted at the network's edge, and never for what can still change."""

from __future__ import annotations

import json
import os
from collections import Counter
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
from jobtrail.sources.blaxel.registration import BlaxelSettings
from jobtrail.sources.cache import ResponseCache
from jobtrail.sources.runwisp.registration import RunWispSettings
from jobtrail.store import Store
from tests.plane.records import make_execution, make_job, make_task, set_status
from tests.sample_client import answer, follow

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio

TASKS = 450


class Upstream(httpx2.ASGITransport):
    """The plane as the network; it counts requests, and leaves out inline tasks, which no document requires."""

    def __init__(self, store: Store) -> None:
        super().__init__(build_plane(store))
        self.seen: Counter[str] = Counter()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        what = request.url.path.rpartition("/")[2]
        self.seen[f"{request.headers.get('authorization', '')[-1:]}{what}"] += 1
        answered = await super().handle_async_request(request)
        if what != "e1":
            return answered
        body = json.loads(await answered.aread())
        return httpx2.Response(200, json={**body, "tasks": None})


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
        await follow(client, "list_tasks", job="etl", execution="e1", status="failed")
        store.write([make_task("t1", "e1", 1, "running", "failed")])
        end(store)
        assert (await explained(client))["coverage"]["matched"] == 10
        pages = await follow(client, "list_tasks", job="etl", execution="e1", status="failed")
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
        return httpx2.Response(404, json={})

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
