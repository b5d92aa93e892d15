"""Subscriptions: whoever watches a resource is told of its changes, in both protocol eras, over each transport."""

from __future__ import annotations

import gc
import json
import time
import tracemalloc
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourceUpdated
from mcp.types import ResourceUpdatedNotification

from jobtrail.errors import BadArgument
from jobtrail.protocol.app import build_server
from jobtrail.protocol.resources.watching import ResourceWatcher
from jobtrail.settings import Settings
from jobtrail.sources import open_sources
from jobtrail.sources.embedded.registration import EmbeddedSettings
from jobtrail.store import Store
from jobtrail.store.rows import ExecutionRow, JobRow
from tests.serving.processes import ENV, JOBTRAIL, start_server
from tests.upstreams import Upstream, accept_and_hang, listening, page, reply, run_of, settings_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]

URI = "jobtrail://embedded/executions/exec-1?job=etl"
SECONDS = 20


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store in which one execution runs."""
    now = time.time_ns()
    store = Store(tmp_path / "store.db")
    job = JobRow("etl", now, now, spec={"enabled": True, "runtime": {}})
    store.write([job, ExecutionRow("etl", "exec-1", "running", now, now, now)])
    return store


def ended(store: Store) -> None:
    now = time.time_ns()
    store.write([ExecutionRow("etl", "exec-1", "succeeded", now, now, now, now)])


class Heard:
    """What a client of the 2025 protocols is told."""

    def __init__(self) -> None:
        self.first: str | None = None
        self.told = anyio.Event()

    async def __call__(self, message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            self.first = self.first or str(message.params.uri)
            self.told.set()

    async def next(self) -> str | None:
        with anyio.fail_after(SECONDS):
            await self.told.wait()
        return self.first


@asynccontextmanager
async def client_over(transport: str, store: Store, mode: str, heard: Heard) -> AsyncGenerator[Client]:
    place = {"JOBTRAIL_STORE": str(store.path)}
    options: dict[str, Any] = {"mode": mode, "message_handler": heard}
    if transport == "memory":
        settings = Settings(sources=(EmbeddedSettings(name="embedded"),), default="embedded", store=store.path)
        async with Client(build_server(settings), **options) as client:
            yield client
    elif transport == "stdio":
        command = StdioServerParameters(command=JOBTRAIL[0], args=[*JOBTRAIL[1:], "serve"], env={**ENV, **place})
        async with Client(command, **options) as client:
            yield client
    else:
        with start_server("sse" if transport == "sse" else "http", **place) as served:
            over = sse_client(served.url) if transport == "sse" else streamable_http_client(served.url)
            async with Client(over, **options) as client:
                yield client


@pytest.mark.parametrize("transport", ["memory", "stdio", "sse"])
async def test_a_client_of_the_2025_protocols_is_told_when_what_it_subscribed_to_ends(
    transport: str, store: Store
) -> None:
    heard = Heard()
    async with client_over(transport, store, "legacy", heard) as client:
        assert client.server_capabilities
        assert client.server_capabilities.resources
        assert client.server_capabilities.resources.subscribe
        await client.subscribe_resource(URI)  # pyright: ignore[reportDeprecated]
        ended(store)
        assert await heard.next() == URI
        text = str((await client.read_resource(URI)).contents)
    assert "succeeded" in text


@pytest.mark.parametrize("transport", ["memory", "stdio", "http"])
async def test_a_client_of_the_2026_protocol_is_told_on_the_stream_it_listens_to(
    transport: str, store: Store
) -> None:
    async with (
        client_over(transport, store, "auto", Heard()) as client,
        client.listen(resource_subscriptions=[URI]) as stream,
    ):
        before = str((await client.read_resource(URI)).contents)
        ended(store)
        with anyio.fail_after(SECONDS):
            assert await anext(aiter(stream)) == ResourceUpdated(URI)
        after = str((await client.read_resource(URI)).contents)
    assert "running" in before
    assert "succeeded" in after


async def test_over_http_without_a_session_an_old_client_is_told_that_no_update_could_reach_it(store: Store) -> None:
    async with client_over("http", store, "legacy", Heard()) as client:
        with pytest.raises(MCPError, match="no stream for updates"):
            await client.subscribe_resource(URI)  # pyright: ignore[reportDeprecated]


async def test_what_is_not_there_cannot_be_watched(store: Store) -> None:
    async with client_over("memory", store, "legacy", Heard()) as client:
        for uri in ("jobtrail://embedded/executions/nope?job=etl", "jobtrail://embedded/x", "jobtrail://prod/jobs"):
            with pytest.raises(MCPError) as error:
                await client.subscribe_resource(uri)  # pyright: ignore[reportDeprecated]
            assert error.value.code == -32602
    async with client_over("memory", store, "auto", Heard()) as client:
        with pytest.raises(MCPError, match="not configured"):
            async with client.listen(resource_subscriptions=["jobtrail://prod/jobs"]):
                pass


class Watched:
    """The upstream's side of a server that watches things."""

    def __init__(self, group: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
        monkeypatch.setattr("jobtrail.protocol.resources.watching._SOONEST_S", 0.01)
        monkeypatch.setattr("jobtrail.protocol.resources.watching._LATEST_S", 0.02)
        self.upstream = Upstream()
        self.told: list[str] = []
        edge = None if changes else self.upstream
        self.watching = ResourceWatcher(open_sources(settings_of(folder, **changes), edge), group, self.tell)

    async def tell(self, uri: str) -> None:
        self.told.append(uri)

    async def until(self, true: Callable[[], bool]) -> None:
        with anyio.fail_after(SECONDS):
            while not true():  # noqa: ASYNC110 # what changes is a list that a server writes to
                await anyio.sleep(0.01)

    async def looks(self, more: int) -> None:
        """Wait until the upstream was asked some more times."""
        wanted = len(self.upstream.requests) + more
        await self.until(lambda: len(self.upstream.requests) >= wanted)


@asynccontextmanager
async def watched(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: str) -> AsyncGenerator[Watched]:
    async with anyio.create_task_group() as group:
        yield Watched(group, folder, monkeypatch, **changes)
        group.cancel_scope.cancel()


RUN = "jobtrail://runwisp/runs/{}"


async def test_nothing_is_told_while_nothing_changes_and_nothing_asked_once_nobody_watches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(tmp_path, monkeypatch) as one:
        await one.watching.watch("jobtrail://blaxel/jobs", "a")
        await one.watching.watch("jobtrail://blaxel/jobs", "b")
        await one.looks(3)
        one.watching.unwatch("jobtrail://blaxel/jobs", "a")
        await one.looks(3)
        one.watching.unwatch("jobtrail://blaxel/jobs", "b")
        await anyio.sleep(0.05)
        asked = len(one.upstream.requests)
        await anyio.sleep(0.2)
        assert len(one.upstream.requests) == asked
        assert one.told == []


async def test_an_upstream_that_fails_for_a_while_is_no_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(tmp_path, monkeypatch) as one:
        await one.watching.watch("jobtrail://blaxel/jobs/etl", "a")
        one.upstream.sick = lambda _request: httpx2.Response(503, text="away")
        await one.looks(6)
        one.upstream.sick = None
        await one.looks(4)
        assert one.told == []
        one.upstream.executions.clear()
        await one.until(lambda: one.told == ["jobtrail://blaxel/jobs/etl"])


async def test_what_has_ended_is_told_once_and_not_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(tmp_path, monkeypatch) as one:
        run = one.upstream.runs[0]
        uri = RUN.format(run["id"])
        before = dict(run)
        run.update(status="running", endReason=None, endedAt=None, exitCode=None)
        await one.watching.watch(uri, "a")
        await one.looks(2)
        run.clear()
        run.update(before)
        await one.until(lambda: one.told == [uri])
        await anyio.sleep(0.05)
        asked = len(one.upstream.requests)
        await anyio.sleep(0.2)
        assert len(one.upstream.requests) == asked


async def test_only_so_many_resources_are_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with watched(tmp_path, monkeypatch) as one:
        for number in range(50):
            await one.watching.watch(f"jobtrail://blaxel/jobs?cursor={number}", "a")
        with pytest.raises(Exception, match="50 resources are watched already; unsubscribe"):
            await one.watching.watch("jobtrail://blaxel/jobs", "a")


async def test_what_others_watch_counts_as_ones_own_once_one_watches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(tmp_path, monkeypatch) as one:
        addresses = [f"jobtrail://blaxel/jobs?cursor={number}" for number in range(51)]
        for number, address in enumerate(addresses):
            await one.watching.watch(address, f"other {number}")
        for address in addresses[:50]:
            await one.watching.watch(address, "a")
        with pytest.raises(BadArgument, match="50 resources are watched already; unsubscribe"):
            await one.watching.watch(addresses[50], "a")
        await one.watching.watch(addresses[49], "a")


async def test_a_place_is_free_again_once_what_was_watched_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(tmp_path, monkeypatch) as one:
        one.upstream.runs = [run_of(number) for number in range(60)]
        for run in one.upstream.runs:
            await one.watching.watch(RUN.format(run["id"]), "a")
            await anyio.wait_all_tasks_blocked()


async def test_one_client_does_not_take_every_place_and_all_together_take_only_so_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(tmp_path, monkeypatch) as one:
        for client in "abcd":
            for number in range(50):
                await one.watching.watch(f"jobtrail://blaxel/jobs?cursor={client}{number}", client)
        with pytest.raises(BadArgument, match="watches 200 resources already, for all clients"):
            await one.watching.watch("jobtrail://blaxel/jobs", "e")
        one.watching.unwatch_all("a")
        await one.watching.watch("jobtrail://blaxel/jobs", "e")


def jobs_page(name: str) -> bytes:
    return json.dumps(page([{"metadata": {"name": name}, "spec": {}}])).encode()


async def test_a_subscription_that_is_cancelled_before_its_answer_leaves_no_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled = 60
    async with (
        listening(*[accept_and_hang] * cancelled, reply(jobs_page("etl")), reply(jobs_page("other"))) as server,
        watched(tmp_path, monkeypatch, BL_API_URL=f"{server.url}/v0") as one,
    ):
        for number in range(cancelled):
            async with anyio.create_task_group() as group:
                group.start_soon(one.watching.watch, f"jobtrail://blaxel/jobs?cursor={number}", "a")
                await one.until(lambda number=number: server.connections > number)
                group.cancel_scope.cancel()
        await one.watching.watch("jobtrail://blaxel/jobs?cursor=0", "a")
        await one.until(lambda: one.told == ["jobtrail://blaxel/jobs?cursor=0"])


@pytest.mark.slow
async def test_subscribing_again_and_again_on_one_connection_costs_no_memory(store: Store) -> None:
    async with client_over("memory", store, "legacy", Heard()) as client:

        async def subscribe(times: int) -> int:
            for _ in range(times):
                await client.subscribe_resource(URI)  # pyright: ignore[reportDeprecated]
                await client.unsubscribe_resource(URI)  # pyright: ignore[reportDeprecated]
            await anyio.wait_all_tasks_blocked()
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            before = await subscribe(20)
            after = await subscribe(200)
        finally:
            tracemalloc.stop()
    # What stays at first are caches, of a few hundred texts.
    assert (after - before) / 200 < 500


@pytest.mark.slow
async def test_subscribing_is_offered_where_updates_can_be_sent_and_nowhere_else(store: Store) -> None:
    offered: dict[tuple[str, str], bool | None] = {}
    for transport, mode in (("http", "legacy"), ("http", "auto"), ("sse", "legacy"), ("stdio", "legacy")):
        async with client_over(transport, store, mode, Heard()) as client:
            assert client.server_capabilities
            assert client.server_capabilities.resources
            offered[transport, mode] = client.server_capabilities.resources.subscribe
    assert [way for way, there in offered.items() if not there] == [("http", "legacy")]
