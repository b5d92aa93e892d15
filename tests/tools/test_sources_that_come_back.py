"""A source that is down on one page of a walk and answers on the next: what was not shown is never called complete."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client

from jobtrail.protocol.app import build_server
from jobtrail.store import Store
from jobtrail.store.rows import DefinitionRow
from tests.plane.records import make_execution, make_job, set_status, time_at
from tests.sample_client import FixedClock, answer
from tests.tools.test_find_failures import TWO, Network, failed, run

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = pytest.mark.anyio

HOURLY = {"triggers": [{"type": "cron", "enabled": True, "configuration": {"schedule": "0 * * * *"}}]}
EARLIER = "on an earlier page of this walk not all could be read, so rows may be missing"


@asynccontextmanager
async def two_sources() -> AsyncGenerator[tuple[Client, Network]]:
    """Run a server over two jobs and a scheduled task, each with a failure and something that still runs."""
    store = Store(None)
    jobs = [replace(make_job(name), spec={"enabled": True, "runtime": {}, **HOURLY}) for name in ("etl", "load")]
    running = [set_status(make_execution(f"r-{name}", name, 90), 91, "running") for name in ("etl", "load")]
    failures = [one for name in ("etl", "load") for one in failed(f"f-{name}", 70, f"No{name}", name)]
    task = DefinitionRow("backup", {"name": "backup", "kind": "task", "cron": "30 * * * *", "timezone": "UTC"})
    store.write([*jobs, *running, *failures, task, run(1, 60)])
    network = Network(store)
    async with Client(build_server(TWO, transport=network, clock=FixedClock(moment=time_at(600)))) as client:
        yield client, network
    store.close()


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("list_active", {}),
        ("history", {}),
        ("find_missed", {}),
        ("find_failures", {}),
        ("find_failures", {"by": "cause"}),
    ],
)
async def test_what_a_source_did_not_answer_for_one_page_is_not_complete_on_the_next(
    tool: str, arguments: dict[str, Any]
) -> None:
    async with two_sources() as (client, network):
        network.down = {"cron"}
        _, content = await answer(client, tool, **arguments, limit=1)
        network.down = set()
        text, pages = "", 1
        while cursor := content.get("cursor"):
            text, content = await answer(client, tool, cursor=cursor)
            pages += 1
    assert pages > 1
    assert not content["coverage"]["complete"]
    assert content.get("errors") is None
    assert f"note: {EARLIER}" in text
    assert "NOT COMPLETE" in text
