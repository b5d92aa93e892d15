"""The plane of this machine: its own store where that holds something, the sample until then."""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx2
import pytest

from jobtrail.plane import InProcessPlane
from jobtrail.store import Store
from tests.plane.records import PAGED, make_execution, make_job, read_names
from tests.sample_client import SAMPLE, answer, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

from mcp import Client

from jobtrail.protocol.app import build_server

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def client_of_local(path: Path | None) -> AsyncGenerator[httpx2.AsyncClient]:
    plane = InProcessPlane(path)
    transport = httpx2.ASGITransport(plane)
    async with httpx2.AsyncClient(transport=transport, base_url="http://plane.invalid/v0", headers=PAGED) as client:
        yield client
    await plane.aclose()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "store.db"


def fill(path: Path, name: str = "mine") -> None:
    store = Store(path)
    store.write([make_job(name), make_execution("e1", name)])
    store.close()


async def test_without_a_store_the_sample_is_served_and_no_file_is_made(path: Path) -> None:
    async with client_of_local(path) as client:
        found = await client.get("/jobs", params={"limit": 200})
    assert "nightly-etl" in read_names(found)
    assert found.headers["jobtrail-data"] == "sample"
    assert not path.parent.exists()


async def test_a_store_that_is_empty_is_not_shown(path: Path) -> None:
    Store(path).close()
    async with client_of_local(path) as client:
        assert (await client.get("/jobs")).headers["jobtrail-data"] == "sample"


async def test_a_store_that_is_filled_while_the_sample_is_served_takes_over_at_once(path: Path) -> None:
    async with client_of_local(path) as client:
        assert "nightly-etl" in read_names(await client.get("/jobs"))
        fill(path)
        found = await client.get("/jobs")
        assert read_names(found) == ["mine"]
        assert "jobtrail-data" not in found.headers
        store = Store(path)
        store.write([make_job("later", 5)])
        store.close()
        assert read_names(await client.get("/jobs")) == ["later", "mine"]


async def test_a_store_that_is_removed_or_replaced_is_not_served_from_memory(path: Path) -> None:
    fill(path)
    async with client_of_local(path) as client:
        assert read_names(await client.get("/jobs")) == ["mine"]
        fill(path.with_name("other.db"), "theirs")
        for part in path.parent.glob("store.db*"):
            part.unlink()
        path.with_name("other.db").rename(path)
        assert read_names(await client.get("/jobs")) == ["theirs"]
        for part in path.parent.glob("store.db*"):
            part.unlink()
        assert "nightly-etl" in read_names(await client.get("/jobs"))


async def test_a_store_of_a_newer_version_is_an_error_over_http_and_to_an_agent(path: Path) -> None:
    fill(path)
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    async with client_of_local(path) as client:
        refusal = await client.get("/jobs")
    assert refusal.status_code == 500
    assert "has version 99 and this Jobtrail knows up to 1" in refusal.json()["message"]
    async with Client(build_server(SAMPLE.model_copy(update={"store": path}))) as agent:
        result = await agent.call_tool("list_jobs", {})
    assert result.is_error
    assert text_of(result).startswith(f"the store {path} has version 99")
    assert "use a newer Jobtrail, or another JOBTRAIL_STORE" in text_of(result)


async def test_an_agent_is_told_of_the_sample_until_there_is_something_of_ones_own(path: Path) -> None:
    async with Client(build_server(SAMPLE.model_copy(update={"store": path}))) as agent:
        text, content = await answer(agent, "list_jobs")
        assert (content["sample"], "SAMPLE DATA" in text) == (True, True)
        fill(path)
        text, content = await answer(agent, "list_jobs")
        assert ("sample" in content, "SAMPLE DATA" in text) == (False, False)
        assert [one["name"] for one in content["items"]] == ["mine"]


async def test_a_cursor_of_the_sample_does_not_go_on_in_ones_own_store(path: Path) -> None:
    async with Client(build_server(SAMPLE.model_copy(update={"store": path}))) as agent:
        _, first = await answer(agent, "list_executions", job="nightly-etl", limit=5, status="failed")
        fill(path, "nightly-etl")
        result = await agent.call_tool("list_executions", {"cursor": first["cursor"]})
    assert result.is_error
    assert "points at another upstream than when this cursor was made; start again with list_executions(" in text_of(
        result
    )


async def test_what_was_asked_of_the_sample_before_does_not_label_ones_own_data(path: Path) -> None:
    async with Client(build_server(SAMPLE.model_copy(update={"store": path}))) as agent:
        assert (await answer(agent, "list_runs", limit=1))[1]["sample"]
        fill(path)
        assert "sample" not in (await answer(agent, "list_executions", job="mine"))[1]
