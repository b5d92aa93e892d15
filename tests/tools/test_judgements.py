"""What counts as a failure, in every tool: what the upstream itself calls one, else a status that is one."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from mcp import Client

from jobtrail.plane import build_plane
from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.blaxel.registration import BlaxelSettings
from jobtrail.sources.runwisp.registration import RunWispSettings
from jobtrail.store import Store
from jobtrail.store.rows import DefinitionRow, RunRow
from tests.plane.records import make_execution, make_job, nanoseconds_at, set_status, time_at
from tests.sample_client import FixedClock, answer, rows_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from jobtrail.store.rows import AnyRow

pytestmark = pytest.mark.anyio

CRON = Settings(sources=(RunWispSettings(name="cron", url="http://cron.invalid"),), default="cron")
BATCH = Settings(sources=(BlaxelSettings(name="prod", url="http://prod.invalid/v0"),), default="prod")


def run(number: int, reason: str, *, failure: bool | None = None) -> RunRow:
    begun = nanoseconds_at(number)
    body = {"triggered_by": "cron", **({} if failure is None else {"is_failure": failure})}
    return RunRow(f"01K9Z3V5Q8R2M4N6P7S9T0W{number:03}", "backup", "ended", begun, begun, begun + 1, reason, -1, body)


@asynccontextmanager
async def daemon_with(*rows: AnyRow, of: Settings = CRON) -> AsyncGenerator[Client]:
    store = Store(None)
    store.write([DefinitionRow("backup", {"kind": "task"}), *rows])
    network = httpx2.ASGITransport(build_plane(store))
    async with Client(build_server(of, transport=network, clock=FixedClock(moment=time_at(600)))) as client:
        yield client
    store.close()


@pytest.mark.parametrize(
    ("reason", "told", "counts", "status"),
    [
        ("missed", None, True, "missed"),
        ("missed", False, False, "missed, no failure"),
        ("stopped", True, True, "cancelled (stopped), a failure"),
        ("stopped", None, False, "cancelled (stopped)"),
        ("skipped", True, True, "skipped, a failure"),
        ("crashed", None, True, "failed (crashed)"),
        ("failed", False, False, "failed, no failure"),
        ("oom_killed", True, True, "unknown (oom_killed), a failure"),
        ("succeeded", True, True, "succeeded, a failure"),
        ("succeeded", None, False, "succeeded"),
    ],
)
async def test_the_upstream_judges_what_a_failure_is(
    reason: str, *, told: bool | None, counts: bool, status: str
) -> None:
    one = run(500, reason, failure=told)
    async with daemon_with(run(400, "succeeded"), one) as client:
        text, found = await answer(client, "find_failures")
        assert [cause["example"] for cause in rows_of(found, "causes")] == [one.id] * counts
        assert ("nothing failed" in text) == (not counts)
        _, listed = await answer(client, "list_runs", status="failure")
        assert [row["id"] for row in rows_of(listed)] == [one.id] * counts
        text, detail = await answer(client, "get_run", run=one.id)
        assert f"verdict: {status}" in text
        assert [call.partition("(")[0] for call in detail["next_calls"]] == ["list_runs"] * counts
        _, past = await answer(client, "history", job="backup")
        good = 1 + (reason == "succeeded" and not counts)
        assert past["current"]["success_rate"] == good / (good + counts)
        assert past["streak"]["well"] == (not counts)
        text, known = await answer(client, "get_job", job="backup")
        assert known["record"].get("last_failure") == (one.id if counts else None)
        assert ("as the upstream judges" in text) == (", " in status)
        _, waited = await answer(client, "wait_for", run=one.id, timeout=0)
        assert [call.partition("(")[0] for call in waited["next_calls"]] == ["get_run"] * counts


async def test_a_missed_run_is_a_status_of_its_own_and_never_ran() -> None:
    async with daemon_with(run(500, "missed"), run(501, "skipped")) as client:
        for word in ("missed", "MISSED"):
            text, page = await answer(client, "list_runs", status=word)
            (one,) = rows_of(page)
            assert one["status"] == "missed"
            assert "exit_code" not in one
            assert "exit" not in text
        _, page = await answer(client, "list_runs", status="skipped")
        assert [one["status"] for one in rows_of(page)] == ["skipped"]


async def test_a_status_that_leaves_failures_out_says_how_many_and_how_to_list_them() -> None:
    async with daemon_with(run(500, "missed"), run(501, "failed"), run(502, "stopped", failure=True)) as client:
        text, _ = await answer(client, "list_runs", status="failed")
        assert "2 more count as failures to the daemon under other words; status=failure lists them too" in text
        text, page = await answer(client, "list_runs", status="failure,cancelled")
    assert len(page["items"]) == 3
    assert "count as failures" not in text


async def test_what_is_judged_otherwise_is_in_the_structure_and_only_there_where_it_is() -> None:
    async with daemon_with(run(500, "stopped", failure=True), run(501, "stopped"), run(502, "failed")) as client:
        _, page = await answer(client, "list_runs")
        _, past = await answer(client, "history", job="backup")
    judged: list[Any] = [one.get("failure") for one in rows_of(page)]
    assert judged == [None, None, True]
    assert "1 cancelled counts as failures, as the upstream judges" in past["notes"]


async def test_a_status_that_nobody_knows_is_never_nothing_failed() -> None:
    one = set_status(make_execution("exec-1", "etl", 500), 501, "preempted")
    async with daemon_with(make_job("etl"), one, of=BATCH) as client:
        text, found = await answer(client, "find_failures")
    assert found["causes"] == []
    assert "nothing failed" not in text
    assert "whether the rest failed is not known" in text
    note = "1 scanned has a status not known here (preempted) and is not among these; status=unknown lists it"
    assert note in found["notes"]
