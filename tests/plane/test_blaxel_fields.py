"""What the Blaxel side answers, field by field: what was recorded comes back, secrets masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plane.full_store import CONDITION, FULL_JOB, FULL_SPEC, make_full_store
from tests.plane.records import EXECUTIONS, open_client, read_all_pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobtrail.store import Store

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    one = make_full_store()
    yield one
    one.close()


async def every(store: Store, path: str) -> list[dict[str, Any]]:
    async with open_client(store) as client:
        return [item for page in await read_all_pages(client, path) for item in page["data"]]


async def test_a_job_comes_back_with_every_documented_field_as_it_was_recorded(store: Store) -> None:
    async with open_client(store) as client:
        one = (await client.get("/jobs/etl")).json()
    spec = one["spec"]
    assert spec["runtime"]["envs"].pop()["value"] == "***"
    assert spec["triggers"][0]["configuration"].pop("callbackSecret") == "***"
    expected = {**FULL_JOB["spec"], "runtime": {**FULL_JOB["spec"]["runtime"]}}
    expected["runtime"]["envs"] = expected["runtime"]["envs"][:1]
    (trigger,) = expected["triggers"]
    open_part = {name: value for name, value in trigger["configuration"].items() if name != "callbackSecret"}
    assert spec == {**expected, "triggers": [{**trigger, "configuration": open_part}]}
    assert one["metadata"] == {
        **FULL_JOB["metadata"],
        "name": "etl",
        "workspace": "default",
        "createdAt": "2026-10-31T23:59:00Z",
        "updatedAt": "2026-10-31T23:59:00Z",
    }
    assert (one["status"], one["events"]) == ("DEPLOYED", [])
    assert set(one) == {"metadata", "spec", "status", "events"}


async def test_a_job_looks_the_same_in_the_list(store: Store) -> None:
    async with open_client(store) as client:
        one = (await client.get("/jobs/etl")).json()
    assert [job for job in await every(store, "/jobs") if job["metadata"]["name"] == "etl"] == [one]


async def test_an_execution_comes_back_with_its_specification_and_overrides_by_name(store: Store) -> None:
    async with open_client(store) as client:
        one = (await client.get(f"{EXECUTIONS}/full")).json()
    assert one["spec"] == {**FULL_SPEC, "envOverride": {"MY_VAR": "***", "BATCH_SIZE": "***"}}
    # What was asked for stays apart from what became of it.
    assert (len(one["spec"]["tasks"]), len(one["tasks"])) == (1, 60)


async def test_every_documented_status_of_executions_is_told(store: Store) -> None:
    told = {one["status"] for one in await every(store, EXECUTIONS)}
    assert told == {"queued", "pending", "running", "cancelling", "cancelled", "failed", "succeeded", "timeout"}


async def test_every_documented_status_of_tasks_is_told_and_counted(store: Store) -> None:
    tasks = await every(store, f"{EXECUTIONS}/full/tasks")
    told = [one["status"] for one in tasks]
    assert set(told) == {
        "unspecified", "pending", "reconciling", "failed", "succeeded", "running", "cancelled",
    }  # fmt: skip
    async with open_client(store) as client:
        stats = (await client.get(f"{EXECUTIONS}/full")).json()["stats"]
    words = {"success": "succeeded", "failure": "failed", "running": "running", "cancelled": "cancelled"}
    assert stats == {"total": 60, "retried": 0, **{name: told.count(word) for name, word in words.items()}}


async def test_a_condition_comes_back_with_every_documented_field(store: Store) -> None:
    for one in await every(store, f"{EXECUTIONS}/full/tasks"):
        assert one["conditions"] == ([CONDITION] if one["status"] == "failed" else [])
