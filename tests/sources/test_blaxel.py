"""Blaxel through the tools: exact walks over the real contract, served by the plane in-process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client

from jobtrail.app import build_server
from jobtrail.plane import Event, Store, build_plane
from jobtrail.settings import Settings, SourceSettings
from tests.sample import FixedClock, answer, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

START = datetime(2026, 11, 1, tzinfo=UTC)
BLAXEL = Settings(
    sources=(SourceSettings(name="blaxel", kind="blaxel", url="http://blaxel.invalid/v0", workspace="default"),),
    default="blaxel",
)


class Counting(httpx2.ASGITransport):
    """The plane as the network, with the requests that reached it."""

    def __init__(self, store: Store) -> None:
        super().__init__(build_plane(store))
        self.requests: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return await super().handle_async_request(request)


def execution(number: int, status: str, job: str = "etl") -> Iterator[Event]:
    at = START + timedelta(minutes=number)
    yield Event("execution.created", at, f"exec-{number:05}", job, "queued", {"parallelism": 1})
    yield Event("execution.status", at + timedelta(seconds=1), f"exec-{number:05}", job, "running")
    yield Event("execution.status", at + timedelta(seconds=30), f"exec-{number:05}", job, status)


def stocked(count: int) -> Store:
    """Return a store with a job whose every third execution failed."""
    store = Store(None)
    body: dict[str, Any] = {"metadata": {}, "spec": {"runtime": {}}, "search": "etl"}
    events = [Event("job.defined", START, "etl", status="DEPLOYED", body=body)]
    for number in range(count):
        events += execution(number, "succeeded" if number % 3 else "failed")
    store.record(events)
    return store


def client_of(transport: httpx2.AsyncBaseTransport) -> Client:
    return Client(build_server(BLAXEL, transport, FixedClock(moment=START + timedelta(days=14))))


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(0, 260),
    arrivals=st.lists(st.integers(0, 130), max_size=6),
    limit=st.integers(1, 100),
    sort=st.sampled_from(["created_at:desc", "created_at:asc", "name:asc", "name:desc"]),
)
def test_executions_that_arrive_during_a_walk_neither_repeat_nor_hide_one(
    count: int, arrivals: list[int], limit: int, sort: str
) -> None:
    store = stocked(count)

    async def walk() -> list[str]:
        newest, pending = count, list(arrivals)
        arguments: dict[str, Any] = {"job": "etl", "status": "failed", "sort": sort, "limit": limit}
        listed: list[str] = []
        async with client_of(Counting(store)) as client:
            while True:
                _, page = await answer(client, "list_executions", **arguments)
                listed += [item["id"] for item in page["items"]]
                if "cursor" not in page:
                    return listed
                arguments = {"cursor": page["cursor"]}
                for _ in range(pending.pop() if pending else 0):
                    store.record(execution(newest, "failed"))
                    newest += 1

    listed = anyio.run(walk)
    assert len(listed) == len(set(listed))
    assert {f"exec-{number:05}" for number in range(0, count, 3)} <= set(listed)


@pytest.mark.anyio
async def test_a_window_ends_the_walk_at_its_edge() -> None:
    transport = Counting(stocked(900))
    async with client_of(transport) as client:
        _, page = await answer(client, "list_executions", job="etl", since="2026-11-01T14:30Z", status="failed")
    assert page["coverage"] == {
        "scanned": 30,
        "matched": 10,
        "complete": True,
        "back_to": "2026-11-01T14:30:00Z",
    }
    assert len(transport.requests) == 1


@pytest.mark.anyio
async def test_an_unfiltered_page_asks_the_upstream_for_no_more_than_it_shows() -> None:
    transport = Counting(stocked(300))
    async with client_of(transport) as client:
        await answer(client, "list_executions", job="etl", limit=7)
        await answer(client, "list_executions", job="etl", limit=7, status="failed")
    assert [request.url.params["limit"] for request in transport.requests] == ["7", "100"]


@pytest.mark.anyio
async def test_a_walk_past_its_budget_says_how_far_it_got_and_goes_on() -> None:
    transport = Counting(stocked(2_500))
    async with client_of(transport) as client:
        text, page = await answer(client, "list_executions", job="etl", status="timeout")
        assert page["items"] == []
        assert page["coverage"]["scanned"] == 2_000
        assert not page["coverage"]["complete"]
        assert "more to read" in text
        _, rest = await answer(client, "list_executions", cursor=page["cursor"])
    assert rest["coverage"]["complete"]
    assert rest["coverage"]["scanned"] == 2_500
    assert rest["total"] == {"value": 0, "kind": "exact"}


@pytest.mark.anyio
async def test_every_request_carries_the_version_and_the_workspace_and_only_reads() -> None:
    transport = Counting(stocked(3))
    async with client_of(transport) as client:
        for tool, arguments in (
            ("list_jobs", {}),
            ("get_job", {"job": "etl"}),
            ("list_executions", {"job": "etl"}),
            ("get_execution", {"job": "etl", "execution": "exec-00001"}),
            ("list_tasks", {"job": "etl", "execution": "exec-00001"}),
        ):
            await answer(client, tool, **arguments)
    assert {request.method for request in transport.requests} == {"GET"}
    assert {request.headers["blaxel-version"] for request in transport.requests} == {"2026-04-28"}
    assert {request.headers["x-blaxel-workspace"] for request in transport.requests} == {"default"}
    assert not [request for request in transport.requests if "show_secrets" in str(request.url)]


@pytest.mark.anyio
async def test_a_query_shorter_than_the_upstream_takes_is_still_a_filter() -> None:
    async with client_of(Counting(stocked(1))) as client:
        _, none = await answer(client, "list_jobs", query="x")
        _, one = await answer(client, "list_jobs", query="e")
    assert none["items"] == []
    assert [job["name"] for job in one["items"]] == ["etl"]


@pytest.mark.anyio
async def test_a_cursor_is_refused_when_its_source_points_at_another_workspace() -> None:
    store = stocked(50)
    async with client_of(Counting(store)) as client:
        _, page = await answer(client, "list_executions", job="etl", limit=5)
    moved = Settings(
        sources=(SourceSettings(name="blaxel", kind="blaxel", url="http://blaxel.invalid/v0", workspace="other"),),
        default="blaxel",
    )
    async with Client(build_server(moved, Counting(store))) as client:
        result = await client.call_tool("list_executions", {"cursor": page["cursor"]})
    assert result.is_error
    assert "points at another upstream" in text_of(result)
    assert "list_executions(job='etl', limit=5)" in text_of(result)
