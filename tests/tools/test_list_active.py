"""`list_active`: what is queued or running everywhere, since when, and what stands out; never less than is said."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from inline_snapshot import snapshot
from mcp import Client

from jobtrail.protocol.app import build_server
from jobtrail.store import Store
from jobtrail.store.rows import DefinitionRow, RunRow
from jobtrail.tools import active
from tests.plane.records import make_execution, make_job, nanoseconds_at, set_status, time_at
from tests.sample_client import FixedClock, answer, count_tokens, follow, rows_of, sample_client, text_of
from tests.tools.test_find_failures import TWO, Network

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from jobtrail.store.rows import AnyRow, ExecutionRow

pytestmark = pytest.mark.anyio

NOW = 600


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with sample_client() as client:
        yield client


@asynccontextmanager
async def two_sources(*records: AnyRow) -> AsyncGenerator[tuple[Client, Network]]:
    store = Store(None)
    store.write([make_job("etl"), *records])
    network = Network(store)
    async with Client(build_server(TWO, transport=network, clock=FixedClock(moment=time_at(NOW)))) as client:
        yield client, network
    store.close()


def running(identity: str, minutes: float, of: str = "etl") -> ExecutionRow:
    return set_status(make_execution(identity, of, minutes), minutes + 1, "running")


def defined(name: str, kind: str = "task") -> DefinitionRow:
    return DefinitionRow(name, {"name": name, "kind": kind})


def run(
    number: int, minutes: float, lasted: float | None = None, task: str = "backup", reason: str = "failed"
) -> RunRow:
    """Return a run that began when it was created; one that lasted no time known still runs."""
    begun = nanoseconds_at(minutes)
    row = RunRow(f"01K9Z3V5Q8R2M4N6P7S9T0W{number:03}", task, "running", begun, begun, body={"triggered_by": "cron"})
    if lasted is None:
        return row
    return replace(row, status="ended", ended_at=nanoseconds_at(minutes + lasted), end_reason=reason, exit_code=1)


async def test_what_is_going_on_in_the_sample(client: Client) -> None:
    text, content = await answer(client, "list_active")
    assert text == snapshot("""\
queued or running · sources embedded (SAMPLE DATA) · 20 jobs and tasks · 9 rows of 9, 585 scanned, NOT COMPLETE, back to 2026-11-22T11:15:00Z · created_at:asc (now 2026-11-23T12:00:00Z) · every row: source embedded
job	kind	id	status	since	so far	attempt	instance	tasks done	usual	stands out
queue-worker	run	01M82V7M000K89YX269F77TXJ6	running	2026-11-23T00:00:01Z	11h59m58s	1	0
queue-worker	run	01M83PPH0033DS4XW37RWYXMCG	running	2026-11-23T08:00:01Z	3h59m59s	1	0
preview-build	execution	exec-a5c1e67e5b05	running (cancelling)	2026-11-23T11:03:03Z	56m56s			4 of 4	p50 1h01m44s, p95 1h01m57s of 46	cancelling for long: 26m05s since it last changed
model-evals	execution	exec-008f1d3a6ef3	queued (pending)	2026-11-23T11:10:00Z	50m			0 of 5	p50 30m07s, p95 50m40s of 71
preview-build	execution	exec-fdde3da01d36	running	2026-11-23T11:33:23Z	26m37s			1 of 4	p50 1h01m44s, p95 1h01m57s of 46
fraud-scoring	execution	exec-e2cbf2ee1436	running	2026-11-23T11:45:24Z	14m35s			1 of 3	p50 22m15s, p95 25m31s of 98
healthcheck-api	run	01M844DZG0JRHQJHJND8814QJH	queued (pending)	2026-11-23T12:00:00Z	0s	1	0		p50 2.0s, p95 2.5s of 49
report-usage	run	01M844DZG0W62PMRZA235358WZ	queued (pending)	2026-11-23T12:00:00Z	0s	1	0		p50 37s, p95 50s of 49
fraud-scoring	execution	exec-2893b7113ed3	queued	2026-11-23T12:00:00Z	0s			0 of 3	p50 22m15s, p95 25m31s of 98
note: of fraud-scoring the newest were read, back to 2026-11-22T11:15:00Z; older may still run: list_active(job='fraud-scoring', source='embedded') reads its newest 2,000\
""")
    assert count_tokens(text) <= 1_200
    assert content["items"][0]["so_far_s"] == 12 * 3600 - 2


async def test_it_is_what_the_lists_of_every_job_call_queued_or_running(client: Client) -> None:
    found = {row["id"] for page in await follow(client, "list_active", limit=4) for row in rows_of(page)}
    listed: set[str] = set()
    for one in rows_of((await follow(client, "list_jobs", limit=100))[0]):
        if one["kind"] == "job":
            pages = await follow(client, "list_executions", job=one["name"], status="queued,running")
            listed |= {row["id"] for page in pages for row in page["items"]}
    listed |= {
        row["id"] for page in await follow(client, "list_runs", status="queued,running") for row in page["items"]
    }
    assert found == listed


async def test_every_page_has_the_next_oldest_and_the_last_says_whether_that_is_all() -> None:
    records = [running(f"e{number}", 10 * number) for number in range(5)]
    async with two_sources(*records, defined("backup"), run(1, 25), run(2, 5)) as (client, _):
        pages = await follow(client, "list_active", limit=3)
        whole, _ = await answer(client, "list_active")
    assert [[row["id"][-3:] for row in rows_of(page)] for page in pages] == [
        ["e0", "002", "e1"], ["e2", "001", "e3"], ["e4"],
    ]  # fmt: skip
    assert [page["coverage"]["complete"] for page in pages] == [False, False, True]
    assert {page["total"]["value"] for page in pages} == {7}
    assert "sources prod, cron · 2 jobs and tasks · 7 rows of 7, 7 scanned, complete" in whole


async def test_a_source_that_is_down_costs_its_own_rows_and_the_answer_says_so() -> None:
    async with two_sources(running("e1", 10), defined("backup"), run(1, 20)) as (client, network):
        network.down.add("cron")
        text, content = await answer(client, "list_active")
        assert [row["id"] for row in rows_of(content)] == ["e1"]
        assert "NOT COMPLETE: all but cron read whole" in text
        assert "error: cron: source 'cron' cannot be reached" in text
        network.down.add("prod")
        refused = await client.call_tool("list_active", {})
    assert refused.is_error
    assert "cannot be reached" in text_of(refused)


async def test_nothing_going_on_is_said_only_of_what_was_read() -> None:
    async with two_sources(defined("backup")) as (client, network):
        quiet, _ = await answer(client, "list_active")
        network.broken.add("/executions")
        broken, content = await answer(client, "list_active")
    assert "nothing is queued or running: all 2 jobs and tasks were asked" in quiet
    assert "nothing is queued or running in what was read; for prod it is not known" in broken
    assert content["coverage"]["complete"] is False


async def test_how_far_back_was_looked_is_said_and_one_job_is_looked_at_further() -> None:
    newer = [make_execution(f"e{number:03}", "etl", 100 + number, "succeeded") for number in range(100)]
    async with two_sources(running("stuck", 3), *newer) as (client, _):
        text, content = await answer(client, "list_active")
        assert content["items"] == []
        assert "NOT COMPLETE, back to 2026-11-01T01:40:00Z" in text
        assert (
            "note: of etl the newest were read, back to 2026-11-01T01:40:00Z; older may still run: "
            "list_active(job='etl', source='prod') reads its newest 2,000"
        ) in text
        deeper, content = await answer(client, "list_active", job="etl", source="prod")
    assert [(row["id"], row["verdict"]) for row in rows_of(content)] == [
        ("stuck", "longer than it ever took: at most 1m, of 100")
    ]
    assert "complete" in deeper


async def test_what_has_gone_on_for_longer_than_ever_stands_out_beside_what_is_usual() -> None:
    before = [run(number, 10 * number, 4, reason="succeeded") for number in range(5)]
    async with two_sources(defined("backup"), *before, run(9, 500)) as (client, _):
        text, content = await answer(client, "list_active")
    (row,) = content["items"]
    assert (row["p50_s"], row["p95_s"], row["usual_of"], row["so_far_s"]) == (240, 240, 5, 6000)
    assert row["verdict"] == "longer than it ever took: at most 4m, of 5"
    assert "p50 4m, p95 4m of 5\tlonger than it ever took" in text


async def test_a_service_that_restarts_again_and_again_is_told_whether_it_runs_or_not() -> None:
    crashes = [run(number, NOW - 50 + 10 * number, 1, "worker") for number in range(4)]
    async with two_sources(defined("worker", "service"), *crashes) as (client, _):
        stopped, _ = await answer(client, "list_active")
    async with two_sources(defined("worker", "service"), *crashes, run(9, NOW - 5, task="worker")) as (client, _):
        _, content = await answer(client, "list_active")
    assert (
        "note: service worker is not running now, and restarts again and again: 4 ended within the last hour"
    ) in stopped
    assert content["items"][0]["verdict"] == "restarts again and again: 4 ended within the last hour"
    assert "p50_s" not in content["items"][0]


async def test_a_call_reads_so_many_jobs_and_the_cursor_goes_on_with_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jobtrail.sources.federation._PARTS_AT_ONCE", 2)
    jobs = [make_job(f"job-{number}") for number in range(5)]
    executions = [running(f"e{number}", 50 - number, f"job-{number}") for number in range(5)]
    async with two_sources(*jobs, *executions, defined("backup"), run(1, 20)) as (client, _):
        pages = await follow(client, "list_active")
    assert [row["id"] for page in pages for row in rows_of(page)] == [
        "e0", "e2", "e1", "e4", "e3", "01K9Z3V5Q8R2M4N6P7S9T0W001",
    ]  # fmt: skip
    assert [page["total"]["kind"] for page in pages] == ["at_least"] * 3 + ["exact"]
    assert pages[-1]["coverage"] == {"scanned": 6, "matched": 6, "complete": True}


async def test_what_does_not_answer_in_time_is_an_error_or_the_next_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(active, "_WALK_SECONDS", 0.3)
    monkeypatch.setattr(active, "_RECENT_SECONDS", 0.3)
    jobs = [make_job("a-job"), make_job("z-job")]
    async with two_sources(*jobs, running("e1", 10, "a-job"), defined("backup"), run(1, 20)) as (client, network):
        network.hanging.add("/etl/executions")
        with anyio.fail_after(20):
            pages = await follow(client, "list_active")
    assert [row["id"] for row in rows_of(pages[0])] == ["e1"]
    assert list(pages[1]["errors"]) == ["prod/etl"]
    assert "had not answered" in pages[1]["errors"]["prod/etl"]
    assert [row["id"] for row in rows_of(pages[1])] == ["01K9Z3V5Q8R2M4N6P7S9T0W001"]
    assert pages[1]["coverage"]["complete"] is False


async def test_a_page_that_cannot_read_again_what_the_one_before_read_is_refused_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(active, "_RECENT_SECONDS", 0.3)
    jobs = [make_job("a-job"), make_job("z-job")]
    executions = [running("a", 10, "a-job"), running("e", 5), running("z", 20, "z-job")]
    async with two_sources(*jobs, *executions) as (client, network):
        _, first = await answer(client, "list_active", limit=1, source="prod")
        monkeypatch.setattr(active, "_WALK_SECONDS", 0.5)
        network.hanging.add("/etl/executions")
        refused = await client.call_tool("list_active", {"cursor": first["cursor"]})
        network.hanging.clear()
        _, second = await answer(client, "list_active", cursor=first["cursor"])
        _, third = await answer(client, "list_active", cursor=second["cursor"])
    assert "what this cursor walks could not be read again within 0.5 s" in text_of(refused)
    assert [row["id"] for page in (first, second, third) for row in rows_of(page)] == ["e", "a", "z"]
    assert third["coverage"]["complete"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"job": "elt"}, "job='elt' does not exist in any of the sources prod, cron; closest: etl"),
        ({"source": "prd"}, "source='prd' is not configured; closest: prod"),
        ({"status": "running"}, "list_active has no argument 'status'; it takes job, limit, cursor, source"),
    ],
)
async def test_what_cannot_be_answered_says_why(arguments: dict[str, Any], sentence: str) -> None:
    async with two_sources() as (client, _):
        refused = await client.call_tool("list_active", arguments)
    assert refused.is_error
    assert text_of(refused).startswith(sentence)
