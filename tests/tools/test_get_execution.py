"""`get_execution`: the newest where none is named, the slowest tasks, and no more read than it takes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from mcp import Client

from jobtrail.protocol.app import build_server
from jobtrail.store import Store
from tests.plane.records import make_execution, make_job, make_task, set_status
from tests.sample_client import answer, sample_client, text_of
from tests.sources.test_cache import TWO, Upstream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from jobtrail.store.rows import AnyRow

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def explaining(*records: AnyRow) -> AsyncGenerator[tuple[Client, Upstream]]:
    store = Store(None)
    store.write([make_job("etl"), make_job("idle"), *records])
    upstream = Upstream(store)
    async with Client(build_server(TWO, transport=upstream)) as client:
        yield client, upstream
    store.close()


async def test_without_an_execution_the_newest_one_is_explained() -> None:
    async with explaining(make_execution("e0", "etl", 0, "failed"), make_execution("e2", "etl", 5, "failed")) as (
        client,
        _,
    ):
        _, content = await answer(client, "get_execution", source="a", job="etl")
        _, named = await answer(client, "get_execution", source="a", job="etl", execution="e2")
    assert content["execution"]["id"] == "e2"
    assert content == named


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("idle", "job 'idle' has no execution yet; get_job(job='idle') shows its schedule"),
        ("elt", "job='elt' does not exist; closest: etl"),
    ],
)
async def test_a_job_without_executions_is_told_from_one_that_is_not_there(name: str, sentence: str) -> None:
    async with explaining() as (client, _):
        result = await client.call_tool("get_execution", {"job": name, "source": "a"})
    assert (result.is_error, text_of(result)) == (True, sentence)


async def test_the_slowest_tasks_are_the_three_that_took_longest() -> None:
    tasks = [
        set_status(make_task(f"t{number}", "e1", 0, "running"), 1 + minutes, "succeeded")
        for number, minutes in enumerate((3, 9, 1, 7))
    ]
    async with explaining(set_status(make_execution("e1", "etl"), 20, "succeeded"), *tasks) as (client, _):
        text, content = await answer(client, "get_execution", source="a", job="etl")
    assert [(one["name"], one["duration_s"]) for one in content["slowest"]] == [("t1", 540), ("t3", 420), ("t0", 180)]
    assert "slowest of 4 tasks read: t1 9m, t3 7m, t0 3m" in text


async def test_where_nothing_failed_a_single_page_of_tasks_is_read() -> None:
    tasks = [make_task(f"t{number}", "e1", 0, "running", "succeeded") for number in range(450)]
    async with explaining(set_status(make_execution("e1", "etl"), 20, "succeeded"), *tasks) as (client, upstream):
        text, content = await answer(client, "get_execution", source="a", job="etl", execution="e1")
    assert upstream.seen == {"Ae1": 1, "Atasks": 1}
    assert content["coverage"] == {"scanned": 200, "matched": 0, "complete": True}
    assert "slowest of 200 tasks read" in text


async def test_tasks_and_log_without_an_execution_are_those_of_the_newest() -> None:
    async with sample_client() as client:
        _, newest = await answer(client, "get_execution", job="invoice-export")
        _, tasks = await answer(client, "list_tasks", job="invoice-export", limit=2)
        _, rest = await answer(client, "list_tasks", cursor=tasks["cursor"])
        _, log = await answer(client, "read_log", job="invoice-export")
    identity = newest["execution"]["id"]
    assert tasks["execution"] == rest["execution"] == log["execution"] == identity
