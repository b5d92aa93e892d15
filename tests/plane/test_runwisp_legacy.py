"""Jobtrail over a RunWisp of the legacy dialect, which the embedded plane plays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.legacy_daemon import open_legacy_client
from tests.sample_client import answer, follow, rows_of, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mcp import Client

    from jobtrail.store import Store
    from tests.legacy_daemon import LegacyDaemon

pytestmark = pytest.mark.anyio

TASK = "report-usage"


@pytest.fixture
async def legacy(sample: Store) -> AsyncGenerator[tuple[Client, LegacyDaemon]]:
    client, daemon = open_legacy_client(sample)
    async with client:
        yield client, daemon


def ids(store: Store, task: str = "") -> list[str]:
    sql = "SELECT id FROM runs WHERE ? IN ('', task) ORDER BY id"
    return [row["id"] for row in store.select(sql, (task,))]


@pytest.mark.parametrize(
    "sort", ["created_at:desc", "created_at:asc", "started_at:desc", "duration:desc", "status:asc", "exit_code:asc"]
)
async def test_every_run_is_listed_once_in_every_order(
    legacy: tuple[Client, LegacyDaemon], sample: Store, sort: str
) -> None:
    client, daemon = legacy
    pages = await follow(client, "list_runs", job=TASK, sort=sort, limit=9)
    assert sorted(run["id"] for page in pages for run in page["items"]) == ids(sample, TASK)
    assert set(daemon.paths) == {"/api/runs", f"/api/tasks/{TASK}/runs"}


async def test_all_tasks_are_walked_one_after_the_other(legacy: tuple[Client, LegacyDaemon], sample: Store) -> None:
    client, _ = legacy
    pages = await follow(client, "list_runs", limit=100)
    runs = [run for page in pages for run in rows_of(page)]
    assert sorted(run["id"] for run in runs) == ids(sample)
    names = [run["job"] for run in runs]
    assert names == sorted(names)
    assert len(set(names)) == 8


async def test_its_words_are_read_and_shown_beside_ours(legacy: tuple[Client, LegacyDaemon], sample: Store) -> None:
    client, _ = legacy
    found = {
        status: [
            run["id"] for page in await follow(client, "list_runs", job=TASK, status=status) for run in page["items"]
        ]
        for status in ("succeeded", "success", "failed", "pending")
    }
    assert found["succeeded"] == found["success"]
    assert sorted(found["success"] + found["failed"] + found["pending"]) == ids(sample, TASK)
    _, page = await answer(client, "list_runs", job=TASK, limit=1, status="succeeded")
    assert (page["items"][0]["status"], page["items"][0]["raw_status"]) == ("succeeded", "success")


async def test_an_unknown_task_is_said_to_be_none_and_a_single_run_not_to_be_served(
    legacy: tuple[Client, LegacyDaemon], sample: Store
) -> None:
    client, _ = legacy
    unknown = await client.call_tool("list_runs", {"job": "report-usages"})
    single = await client.call_tool("get_run", {"run": ids(sample)[0]})
    assert "closest: report-usage" in text_of(unknown)
    assert "does not serve single runs" in text_of(single)
