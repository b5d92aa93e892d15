"""An execution of 100,000 tasks is sent as it is read: what it costs in memory is a page, not the whole."""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from jobtrail.plane import build_plane
from jobtrail.store import Store
from tests.plane.records import EXECUTIONS, PAGED, make_execution, make_job, make_task, open_client, set_status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Message, Scope

pytestmark = pytest.mark.anyio

MANY = 100_000
MEBI = 1024 * 1024
TRACED = 50


@pytest.fixture(scope="module")
def large() -> Iterator[Store]:
    """One execution of many tasks."""
    store = Store(None)
    store.write([make_job("etl"), make_execution("large", "etl", 0, "failed")])
    store.write(make_task(f"task-{number}", "large") for number in range(MANY))
    yield store
    store.close()


class Reader:
    """The other side of an answer: looks at each piece of the body and lets go of it.

    Attributes:
        peak: the most memory that was in use while the first pieces were made, in bytes. Tracing makes all ten times
            slower, and whoever held the tasks, or what was sent of them, would have held a quarter of them by then.
    """

    def __init__(self) -> None:
        self.status = 0
        self.peak = 0
        self.pieces = self.length = self.tasks = 0
        self.first = self.last = b""

    async def receive(self) -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        body = message["body"]
        if not body:
            return
        self.pieces += 1
        if self.pieces == TRACED:
            _, self.peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        self.length += len(body)
        self.tasks += body.count(b'"status":"pending"')
        self.first = self.first or body[:200]
        self.last = body[-100:]


def asking(path: str) -> Scope:
    headers = [(name.lower().encode(), value.encode()) for name, value in PAGED.items()]
    return {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": headers, "root_path": "", "scheme": "http", "server": ("plane.invalid", 80), "http_version": "1.1",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
    }  # fmt: skip


@pytest.mark.slow
async def test_an_execution_of_100000_tasks_is_sent_in_pieces_without_being_held(large: Store) -> None:
    plane, reader = build_plane(large), Reader()
    # What is loaded with the first answer is not the cost of this one.
    await plane(asking("/v0/jobs/etl/executions/none"), reader.receive, Reader().send)
    tracemalloc.start()
    try:
        await plane(asking(f"/v0{EXECUTIONS}/large"), reader.receive, reader.send)
    finally:
        tracemalloc.stop()
    assert (reader.status, reader.tasks) == (200, MANY)
    assert reader.length > 20 * MEBI
    assert reader.pieces > 2 * TRACED
    assert 0 < reader.peak < 5 * MEBI, f"{reader.peak / MEBI:.1f} MiB"
    assert reader.first.startswith(b'{"metadata":{"id":"large"')
    assert reader.last == b"]}"


@pytest.mark.slow
async def test_the_pieces_make_up_one_json_document_with_every_task_once(large: Store) -> None:
    async with open_client(large) as client:
        answer = await client.get(f"{EXECUTIONS}/large")
    assert answer.headers["content-type"] == "application/json"
    tasks = answer.json()["tasks"]
    assert [one["metadata"]["name"] for one in tasks] == [f"task-{number}" for number in range(MANY)]


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1000, 1001])
async def test_a_body_is_whole_json_wherever_its_pieces_end(count: int) -> None:
    store = Store(None)
    store.write([make_job("etl"), make_execution("e", "etl", 0, "failed")])
    store.write([make_task(f"t{number}", "e", 0) for number in range(count)])
    async with open_client(store) as client:
        body: dict[str, Any] = json.loads((await client.get(f"{EXECUTIONS}/e")).content)
    assert [one["metadata"]["name"] for one in body["tasks"]] == [f"t{number}" for number in range(count)]
    assert body["stats"]["total"] == count


async def test_text_that_has_no_utf8_is_sent_escaped() -> None:
    store = Store(None)
    conditions = [{"message": "half a pair: \ud83d"}]
    failed = set_status(make_task("t", "e", 0, "running"), 9, "failed", conditions=conditions)
    store.write([make_job("etl"), make_execution("e", "etl"), failed])
    async with open_client(store) as client:
        for path in (f"{EXECUTIONS}/e", f"{EXECUTIONS}/e/tasks"):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert r'"half a pair: \ud83d"' in answer.text
