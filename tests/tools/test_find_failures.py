"""`find_failures`: everything that ended badly, everywhere at once; never silence where something was not read."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
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
from jobtrail.store.rows import DefinitionRow, LineRow, RunRow
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
    """Two upstreams over one store; each can be down, and paths of theirs can hang or be gone."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._plane = httpx2.ASGITransport(build_plane(store))
        self.down: set[str] = set()
        self.hanging: set[str] = set()
        self.broken: set[str] = set()
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url.path)
        if request.url.host.partition(".")[0] in self.down:
            raise httpx2.ConnectError("refused", request=request)
        if any(request.url.path.endswith(path) for path in self.hanging):
            await anyio.sleep_forever()
        if any(request.url.path.endswith(path) for path in self.broken):
            return httpx2.Response(404, json={"error": "gone"}, request=request)
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
failures · sources embedded (SAMPLE DATA) · 20 jobs and tasks · 38 of 287 scanned, 8 of 14 causes, NOT COMPLETE, back to 2026-11-22T00:00:00Z · status failure · since 2026-11-22T00:00:00Z (now 2026-11-23T12:00:00Z, times without a zone taken in UTC)
count	job	status	cause	last	first	recovered	open
6	embed-documents	failed	RateLimited: HTTP 429 from api.embeddings.example after 4 attempts, request id req_6c967f547c	2026-11-23T10:05:00Z	2026-11-22T08:05:00Z	no	get_execution(job='embed-documents', execution='exec-8443932c7199', source='embedded')
6	healthcheck-api	timeout	timeout with exit code -1	2026-11-23T10:00:13Z	2026-11-22T03:00:26Z	2026-11-23T10:00:26Z	get_run(run='01M83XJMYYKACNP9SA7VD69TXZ', source='embedded')
6	healthcheck-api	failed	502 Bad Gateway in 18 ms, request id req_3a27e4ddc4 (exit code 1)	2026-11-23T10:00:00Z	2026-11-22T03:00:00Z	2026-11-23T10:00:26Z	get_run(run='01M83XJ880CH86JX615VZ8MKAW', source='embedded')
5	invoice-export	failed	AccessDenied: S3 GetObject s3://acme-exports/2026-11-23/part-70552.parquet: AccessDenied	2026-11-23T09:20:00Z	2026-11-22T03:20:00Z	no	get_execution(job='invoice-export', execution='exec-3e21440c5bee', source='embedded')
2	embed-documents	failed	OOMKilled: container exceeded its memory limit of 2048 MiB (13192 MiB) and was killed (exit code 137)	2026-11-23T06:05:00Z	2026-11-22T16:05:00Z	2026-11-23T08:05:00Z	get_execution(job='embed-documents', execution='exec-f536d2245abb', source='embedded')
3	model-evals	failed	OOMKilled: container exceeded its memory limit of 2048 MiB (52184 MiB) and was killed (exit code 137)	2026-11-23T05:10:00Z	2026-11-22T09:10:00Z	2026-11-23T06:10:00Z	get_execution(job='model-evals', execution='exec-a5c08a034216', source='embedded')
1	nightly-etl	failed	ConnectionError: psycopg.OperationalError: connection to server at '10.0.16.209', port 5432 failed: Connection refused	2026-11-23T02:00:00Z		no	get_execution(job='nightly-etl', execution='exec-d949a7de82d2', source='embedded')
1	crm-sync	failed	ConnectionError: psycopg.OperationalError: connection to server at '10.0.23.105', port 5432 failed: Connection refused	2026-11-23T01:30:00Z		no	get_execution(job='crm-sync', execution='exec-c0e8f73d3d40', source='embedded')
note: stopped at 8 of 20 causes, since they are long; the cursor goes on with the next
more: find_failures(cursor="1EHgbssMeYMkpZuZJRiALYNorU4tLUotSEiuBssBoQjLQyDjE0AhmIML3IEW1sQA..0.0.0.0.0.0.0.~12.~8.exec-c0e8f73d3d40")\
""")
    assert count_tokens(text) <= 1_200


async def test_whether_a_job_recovered_is_told_by_what_was_read_with_its_failures() -> None:
    succeeded = set_status(make_execution("e2", "etl", 200), 210, "succeeded")
    async with two_sources(*failed("e1", 100, "Refused"), succeeded, *failed("e3", 300, "Refused")) as (
        client,
        network,
    ):
        _, content = await answer(client, "find_failures", job="etl")
        lists = network.asked.count("/v0/jobs/etl/executions")
        _, until = await answer(client, "find_failures", job="etl", until=time_at(150).isoformat())
    assert content["causes"][0]["recovered"] is False
    assert until["causes"][0]["recovered_at"] == time_at(200).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert lists == 1


async def test_counts_are_those_of_the_lists_of_every_job(client: Client) -> None:
    _, content = await answer(client, "find_failures", since="24h", limit=50)
    jobs = rows_of((await follow(client, "list_jobs", limit=100))[0])
    counted: dict[str, int] = {}
    for one in jobs:
        tool, name = ("list_executions", "job") if one["kind"] == "job" else ("list_runs", "job")
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


async def test_nothing_failed_is_not_said_of_a_window_that_ends_before_the_oldest_there_is() -> None:
    async with two_sources(make_execution("e1", "etl", 10, "succeeded")) as (client, _):
        text, _ = await answer(client, "find_failures", since="2026-10-30", until="2026-10-31")
    assert "nothing failed" not in text
    assert "not known: the oldest there is, 2026-11-01T00:10:00Z, is later than this window ends" in text


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


async def test_causes_are_paged_each_once_with_all_its_failures_and_complete_is_said_with_the_last() -> None:
    words = "Refused", "OutOfMemory", "Denied"
    records = [one for number in range(12) for one in failed(f"e{number:02}", number * 10, words[number % 3])]
    async with two_sources(*records) as (client, network):
        text, _ = await answer(client, "find_failures", limit=1)
        pages = await follow(client, "find_failures", limit=1)
        _, whole = await answer(client, "find_failures")
    assert "12 of 12 scanned, 1 of 3 causes, NOT COMPLETE" in text
    causes = [one for page in pages for one in rows_of(page, "causes")]
    assert causes == rows_of(whole, "causes")
    assert [one["count"] for one in causes] == [4, 4, 4]
    assert [(page["failures"], page["causes_found"]) for page in pages] == [(4, 3)] * 3
    assert [page["coverage"]["complete"] for page in pages] == [False, False, True]
    assert {page["coverage"]["scanned"] for page in pages} == {12}
    assert network.down == set()


async def test_a_failure_that_comes_between_two_pages_of_causes_changes_neither() -> None:
    words = "Refused", "OutOfMemory", "Denied"
    records = [one for place, word in enumerate(words) for one in failed(f"e{place}", place * 10, word)]
    async with two_sources(*records) as (client, network):
        _, first = await answer(client, "find_failures", limit=2)
        network.store.write(failed("e9", 610, "Denied"))
        _, second = await answer(client, "find_failures", cursor=first["cursor"])
    assert [one["example"] for page in (first, second) for one in page["causes"]] == ["e2", "e1", "e0"]
    assert "came or went" not in str(second.get("notes"))


async def test_a_failure_that_is_gone_between_two_pages_of_causes_is_told() -> None:
    words = "Refused", "OutOfMemory", "Denied"
    records = [one for place, word in enumerate(words) for one in failed(f"e{place}", place * 10, word)]
    async with two_sources(*records) as (client, network):
        _, first = await answer(client, "find_failures", limit=1)
        network.store.write([set_status(make_execution("e1", "etl", 10), 90, "succeeded")])
        text, second = await answer(client, "find_failures", cursor=first["cursor"])
    assert [one["example"] for one in second["causes"]] == ["e0"]
    assert "note: failures came or went since the first page: causes may repeat or be missing" in text


async def test_what_was_not_read_in_time_is_no_row_but_comes_with_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "_EXPLAIN_SECONDS", 0.5)
    records = [one for number in range(5) for one in failed(f"e{number}", number * 10, "Refused")]
    async with two_sources(*records) as (client, network):
        network.hanging = {"/executions/e2"}
        text, first = await answer(client, "find_failures")
        assert "causes read of 2 of 5 failures, NOT COMPLETE" in text
        assert [one["count"] for one in first["causes"]] == [2]
        network.hanging = set()
        text, second = await answer(client, "find_failures", cursor=first["cursor"])
    assert [one["count"] for one in second["causes"]] == [3]
    assert "5 of 5 scanned, 1 cause, complete" in text
    assert (first["failures_found"], second.get("failures_found")) == (5, None)


async def test_the_causes_of_all_failures_are_read_however_many_a_job_has() -> None:
    records = [
        one
        for number in range(91)
        for one in failed(f"e{number:02}", number, "Denied" if number % 7 else "OutOfMemory")
    ]
    async with two_sources(*records) as (client, _):
        text, content = await answer(client, "find_failures")
    assert {one["cause"].partition(":")[0]: one["count"] for one in rows_of(content, "causes")} == {
        "Denied": 78,
        "OutOfMemory": 13,
    }
    assert "91 of 91 scanned, 2 causes, complete" in text


async def test_a_cause_that_cannot_be_read_is_said_with_why_and_nothing_is_complete() -> None:
    async with two_sources(*failed("e1", 10, "Refused"), *failed("e2", 20, "Refused")) as (client, network):
        network.broken = {"/executions/e2"}
        text, content = await answer(client, "find_failures")
    assert [(one["cause"].partition(":")[0], one["count"]) for one in rows_of(content, "causes")] == [
        ("(cause not read", 1),
        ("Refused", 1),
    ]
    assert "causes read of 1 of 2 failures, NOT COMPLETE" in text
    assert "note: the cause of 1 failure could not be read: execution='e2' does not exist" in text
    assert not content["coverage"]["complete"]


async def test_failures_of_two_statuses_are_two_rows_though_their_cause_is_one() -> None:
    records = [*failed("e1", 10, "Slow"), *failed("e2", 20, "Slow", status="timeout"), *failed("e3", 30, "Slow")]
    async with two_sources(*records) as (client, _):
        _, content = await answer(client, "find_failures")
    assert [(one["status"], one["count"]) for one in rows_of(content, "causes")] == [("failed", 2), ("timeout", 1)]


async def test_each_cause_has_recovered_if_its_job_succeeded_since_it_last_occurred_and_when() -> None:
    records = [
        *failed("e1", 10, "RateLimited"), *(make_execution(f"e{at}", "etl", at, "succeeded") for at in (20, 30, 40)),
        *failed("e5", 50, "OutOfMemory"), defined(), run(1, 10, code=3), run(2, 20, "succeeded", 0),
        run(3, 30, "succeeded", 0), run(4, 40, code=4, reason="timeout"),
    ]  # fmt: skip
    async with two_sources(*records) as (client, _):
        text, content = await answer(client, "find_failures")
    found = {(one["job"], one["last_at"][14:16]): one for one in rows_of(content, "causes")}
    assert {key: (one["recovered"], one.get("recovered_at")) for key, one in found.items()} == {
        ("etl", "50"): (False, None),
        ("backup", "40"): (False, None),
        ("etl", "10"): (True, "2026-11-01T00:20:00Z"),
        ("backup", "10"): (True, "2026-11-01T00:20:00Z"),
    }
    assert "\tno\t" in text
    assert "\t2026-11-01T00:20:00Z\t" in text


async def test_a_service_has_recovered_if_the_instance_that_failed_runs_again() -> None:
    def instance(number: int, minutes: float, index: int, ended: str | None = "crashed") -> RunRow:
        one = run(number, minutes, ended or "", -1, task="web")
        body = {"triggered_by": "service", "replica_index": index}
        return replace(one, body=body) if ended else replace(one, body=body, status="running", ended_at=None)

    records = [
        DefinitionRow("web", {"name": "web", "kind": "service"}), instance(1, 10, 1), instance(2, 20, 2),
        instance(3, 30, 2, None),
        LineRow(0, instance(1, 10, 1).id, "", "stderr", "fatal: one"),
        LineRow(0, instance(2, 20, 2).id, "", "stderr", "fatal: two of them"),
    ]  # fmt: skip
    async with two_sources(*records) as (client, _):
        _, content = await answer(client, "find_failures", job="web")
    assert [(one["cause"], one["recovered"], one.get("recovered_at")) for one in rows_of(content, "causes")] == [
        ("fatal: two of them (crashed, exit code -1)", True, "2026-11-01T00:30:00Z"),
        ("fatal: one (crashed, exit code -1)", False, None),
    ]


async def test_the_cause_of_a_run_is_the_last_telling_line_of_its_log_where_there_is_one() -> None:
    told, silent = run(1, 10), run(2, 20)
    printed = [
        LineRow(0, told.id, "", "stderr", "pg_dump: error: connection to 10.0.0.7 refused"),
        LineRow(0, told.id, "", "stderr", "retrying"),
        LineRow(0, told.id, "", "stdout", "took 12 s, bye"),
        LineRow(0, silent.id, "", "stdout", "took 12 s, bye"),
    ]
    async with two_sources(defined(), told, silent, *printed) as (client, _):
        _, content = await answer(client, "find_failures")
    assert [one["cause"] for one in rows_of(content, "causes")] == [
        "failed with exit code 1",
        "pg_dump: error: connection to 10.0.0.7 refused (exit code 1)",
    ]


async def test_a_default_page_of_causes_stays_within_its_tokens_as_text_and_as_structured_content(
    client: Client,
) -> None:
    for since in ("24h", "yesterday", "7d"):
        pages = await follow(client, "find_failures", since=since)
        assert pages[-1]["coverage"]["complete"]
        text, _ = await answer(client, "find_failures", since=since)
        assert count_tokens(text) <= 1_200
        assert (
            max(count_tokens(json.dumps(page, ensure_ascii=False, separators=(",", ":"))) for page in pages) <= 1_500
        )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"job": "elt"}, "job='elt' does not exist in any of the sources prod, cron; closest: etl"),
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
