"""`find_failures`: everything that ended badly, everywhere at once; never silence where something was not read."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from inline_snapshot import snapshot
from mcp import Client

from jobtrail.plane import build_plane
from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.blaxel.registration import BlaxelSettings
from jobtrail.sources.runwisp.registration import RunWispSettings
from jobtrail.store import Store
from jobtrail.store.rows import DefinitionRow, RunRow
from jobtrail.tools import failures
from tests.plane.records import make_execution, make_job, make_task, nanoseconds_at, set_status, time_at
from tests.sample_client import FixedClock, answer, count_tokens, follow, rows_of, sample_client, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from jobtrail.store.rows import AnyRow

pytestmark = pytest.mark.anyio

TWO = Settings(
    sources=(
        BlaxelSettings(name="prod", url="http://prod.invalid/v0"),
        RunWispSettings(name="cron", url="http://cron.invalid"),
    ),
    default="prod",
)


class Network(httpx2.AsyncBaseTransport):
    """Two upstreams over one store, each of which can be down."""

    def __init__(self, store: Store) -> None:
        self._plane = httpx2.ASGITransport(build_plane(store))
        self.down: set[str] = set()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.host.partition(".")[0] in self.down:
            raise httpx2.ConnectError("refused", request=request)
        return await self._plane.handle_async_request(request)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with sample_client() as client:
        yield client


@asynccontextmanager
async def two_sources(*records: AnyRow) -> AsyncGenerator[tuple[Client, Network]]:
    store = Store(None)
    store.write([make_job("etl"), make_job("quiet"), *records])
    network = Network(store)
    async with Client(build_server(TWO, transport=network, clock=FixedClock(moment=time_at(600)))) as client:
        yield client, network
    store.close()


def failed(identity: str, minutes: float, reason: str, of: str = "etl", status: str = "failed") -> list[AnyRow]:
    condition = {"type": "Failed", "reason": reason, "message": f"attempt at {minutes}"}
    return [
        set_status(make_execution(identity, of, minutes), minutes + 2, status),
        make_task("t0", identity, minutes, "running", "failed", conditions=[condition]),
    ]


def run(number: int, minutes: float, reason: str = "failed", code: int = 1, task: str = "backup") -> RunRow:
    identity = f"01K9Z3V5Q8R2M4N6P7S9T0W{number:03}"
    begun, ended = nanoseconds_at(minutes), nanoseconds_at(minutes + 1)
    return RunRow(identity, task, "ended", begun, begun, ended, reason, code, {"triggered_by": "cron"})


def defined(name: str = "backup") -> DefinitionRow:
    return DefinitionRow(name, {"name": name, "kind": "task"})


async def test_what_failed_in_the_sample_since_yesterday(client: Client) -> None:
    text, _ = await answer(client, "find_failures", since="yesterday")
    assert text == snapshot("""\
failures · sources embedded (SAMPLE DATA) · 20 jobs and tasks · 38 of 287 scanned, complete · status failure · since 2026-11-22T00:00:00Z (now 2026-11-23T12:00:00Z, times without a zone taken in UTC)
count	job	status	cause	last	first	recovered	open
4	embed-documents	failed	RateLimited: HTTP 429 from api.embeddings.example after 4 attempts, request id req_6c967f547c	2026-11-23T10:05:00Z	2026-11-22T18:05:00Z	no	get_execution(job='embed-documents', execution='exec-8443932c7199', source='embedded')
6	healthcheck-api	timeout	timeout with exit code -1	2026-11-23T10:00:13Z	2026-11-22T03:00:26Z	yes	get_run(run='01M83XJMYYKACNP9SA7VD69TXZ', source='embedded')
6	healthcheck-api	failed	failed with exit code 1	2026-11-23T10:00:00Z	2026-11-22T03:00:00Z	yes	get_run(run='01M83XJ880CH86JX615VZ8MKAW', source='embedded')
5	invoice-export	failed	AccessDenied: S3 GetObject s3://acme-exports/2026-11-23/part-70552.parquet: AccessDenied	2026-11-23T09:20:00Z	2026-11-22T03:20:00Z	no	get_execution(job='invoice-export', execution='exec-3e21440c5bee', source='embedded')
1	embed-documents	failed	OOMKilled: container exceeded its memory limit of 2048 MiB (13192 MiB) and was killed (exit code 137)	2026-11-23T06:05:00Z		no	get_execution(job='embed-documents', execution='exec-f536d2245abb', source='embedded')
3	model-evals	failed	OOMKilled: container exceeded its memory limit of 2048 MiB (52184 MiB) and was killed (exit code 137)	2026-11-23T05:10:00Z	2026-11-22T09:10:00Z	yes	get_execution(job='model-evals', execution='exec-a5c08a034216', source='embedded')
1	nightly-etl	failed	ConnectionError: psycopg.OperationalError: connection to server at '10.0.16.209', port 5432 failed: Connection refused	2026-11-23T02:00:00Z		no	get_execution(job='nightly-etl', execution='exec-d949a7de82d2', source='embedded')
1	crm-sync	failed	ConnectionError: psycopg.OperationalError: connection to server at '10.0.23.105', port 5432 failed: Connection refused	2026-11-23T01:30:00Z		no	get_execution(job='crm-sync', execution='exec-c0e8f73d3d40', source='embedded')
1	report-usage	failed	failed with exit code 3	2026-11-23T00:00:00Z		yes	get_run(run='01M82V7M002TY8ZGCTFWHKWERT', source='embedded')
3	fraud-scoring	failed	OOMKilled: container exceeded its memory limit of 2048 MiB (13347 MiB) and was killed (exit code 137)	2026-11-22T18:15:00Z	2026-11-22T02:30:00Z	yes	get_execution(job='fraud-scoring', execution='exec-a10e54b11e15', source='embedded')
note: 5 older causes (7 failures) are not shown, of embed-documents, image-moderation, invoice-export, reindex-search, sync-ldap; give job=…, or a larger limit\
""")
    assert count_tokens(text) <= 1_200


async def test_counts_are_those_of_the_lists_of_every_job(client: Client) -> None:
    _, content = await answer(client, "find_failures", since="24h", limit=50)
    jobs = rows_of((await follow(client, "list_jobs", limit=100))[0])
    counted: dict[str, int] = {}
    for one in jobs:
        tool, name = ("list_executions", "job") if one["kind"] == "job" else ("list_runs", "task")
        pages = await follow(client, tool, status="failed,timeout", since="24h", **{name: one["name"]})
        if count := sum(len(page["items"]) for page in pages):
            counted[one["name"]] = count
    found: dict[str, int] = {}
    for cause in rows_of(content, "causes"):
        found[cause["job"]] = found.get(cause["job"], 0) + cause["count"]
    assert found == counted
    assert content["coverage"]["complete"]


async def test_failures_of_two_sources_are_grouped_by_job_and_cause_the_newest_first() -> None:
    records = [
        *failed("e1", 10, "Refused"), *failed("e2", 60, "Refused"), *failed("e3", 90, "OutOfMemory"),
        make_execution("e4", "etl", 100, "succeeded"), defined(), run(1, 95), run(2, 20),
    ]  # fmt: skip
    async with two_sources(*records) as (client, _):
        text, content = await answer(client, "find_failures")
    causes = [
        (one["source"], one["job"], one["cause"], one["count"], one["recovered"])
        for one in rows_of(content, "causes")
    ]
    assert causes == [
        ("cron", "backup", "failed with exit code 1", 2, False),
        ("prod", "etl", "OutOfMemory: attempt at 90", 1, True),
        ("prod", "etl", "Refused: attempt at 60", 2, True),
    ]
    assert content["causes"][2]["first_at"] == "2026-11-01T00:10:00Z"
    assert content["causes"][1]["open"] == "get_execution(job='etl', execution='e3', source='prod')"
    assert content["causes"][0]["open"] == f"get_run(run='{content['causes'][0]['example']}', source='cron')"
    assert "complete" in text.splitlines()[0]


@pytest.mark.parametrize("down", ["cron", "prod"])
async def test_a_source_that_is_down_is_an_error_beside_the_results_of_the_other(down: str) -> None:
    async with two_sources(*failed("e1", 10, "Refused"), defined(), run(1, 95)) as (client, network):
        network.down = {down}
        text, content = await answer(client, "find_failures")
    assert [one["source"] for one in rows_of(content, "causes")] == ["prod" if down == "cron" else "cron"]
    assert [*content["errors"]] == [down]
    assert not content["coverage"]["complete"]
    assert f"NOT COMPLETE: all but {down} read whole" in text
    assert f"error: {down}: source '{down}' cannot be reached" in text


async def test_nothing_failed_is_said_only_where_everything_was_read() -> None:
    async with two_sources(make_execution("e1", "etl", 10, "succeeded"), defined()) as (client, network):
        text, _ = await answer(client, "find_failures")
        reach = "the window is covered from the oldest there is, 2026-11-01T00:10:00Z, on"
        assert f"nothing failed: all 3 jobs and tasks were asked, and {reach}" in text
        network.down = {"cron"}
        text, _ = await answer(client, "find_failures")
        assert "nothing failed" not in text
        assert "no failure in what was read whole; whether something failed in cron is not known" in text
        network.down = {"cron", "prod"}
        result = await client.call_tool("find_failures", {})
        assert result.is_error
        assert "cannot be reached" in text_of(result)


async def test_a_walk_by_cursors_meets_every_failure_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "_MATCHES", 7)
    records = [one for number in range(20) for one in failed(f"e{number:02}", number * 10, "Refused")]
    runs = [run(number, number * 10 + 5) for number in range(20)]
    async with two_sources(*records, defined(), *runs) as (client, _):
        pages = await follow(client, "find_failures")
    counts = [sum(one["count"] for one in rows_of(page, "causes")) for page in pages]
    assert counts == [7, 7, 7, 7, 7, 5]
    assert [page["failures"] for page in pages] == counts
    assert [page["coverage"]["complete"] for page in pages] == [False] * 5 + [True]
    assert pages[-1]["coverage"]["matched"] == 40


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "the configured sources are not those this cursor was made with"),
        ({"source": "prod"}, "this cursor walks source 'prod', which is no longer configured (configured: embedded)"),
    ],
)
async def test_a_cursor_of_other_sources_is_refused_with_the_call_to_make(
    given: dict[str, str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "_MATCHES", 1)
    records = [*failed("e1", 10, "Refused"), *failed("e2", 60, "Refused")]
    async with two_sources(*records) as (client, _):
        _, first = await answer(client, "find_failures", **given)
    async with sample_client() as other:
        result = await other.call_tool("find_failures", {"cursor": first["cursor"]})
    assert result.is_error
    assert f"{why}; start again with find_failures(" in text_of(result)


async def test_more_causes_than_are_shown_are_counted_and_their_jobs_named() -> None:
    words = "Refused", "OutOfMemory", "Denied"
    records = [one for place, word in enumerate(words) for one in failed(f"e{place}", place * 10, word)]
    async with two_sources(*records) as (client, _):
        text, content = await answer(client, "find_failures", limit=1)
    assert len(content["causes"]) == 1
    assert "note: 2 older causes (2 failures) are not shown, of etl; give job=…, or a larger limit" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"job": "elt"}, "job='elt' does not exist; closest: etl"),
        ({"status": "faild"}, "status='faild' is not a status; closest: failed"),
        ({"since": "soon"}, "since='soon' is not a time"),
        ({"source": "dev"}, "source='dev' is not configured"),
        ({"cursor": "1abc", "job": "etl"}, "a cursor carries its own arguments, but job came with it"),
        ({"cursor": "1abc"}, "this is not a cursor that Jobtrail returned"),
    ],
)
async def test_what_cannot_be_answered_says_why(arguments: dict[str, Any], sentence: str) -> None:
    async with two_sources() as (client, _):
        result = await client.call_tool("find_failures", arguments)
    assert result.is_error
    assert sentence in text_of(result)


async def test_one_job_alone_is_looked_for_in_every_source() -> None:
    async with two_sources(*failed("e1", 10, "Refused"), defined(), run(1, 95)) as (client, _):
        _, content = await answer(client, "find_failures", job="backup")
        _, other = await answer(client, "find_failures", job="etl")
    assert ([one["job"] for one in rows_of(content, "causes")], content["jobs"]) == (["backup"], 1)
    assert ([one["job"] for one in rows_of(other, "causes")], other.get("errors")) == (["etl"], None)


@pytest.mark.parametrize(("limit", "taken"), [(0, 1), (1000, 100)])
async def test_a_limit_out_of_range_is_taken_as_the_nearest_and_said(limit: int, taken: int) -> None:
    async with two_sources(*failed("e1", 10, "Refused")) as (client, _):
        text, content = await answer(client, "find_failures", limit=limit)
    assert f"note: limit {limit} was taken as {taken}; it can be 1 to 100" in text
    assert len(content["causes"]) == 1
