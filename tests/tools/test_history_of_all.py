"""`history` without a job: all jobs at a glance, the worst first, with numbers that are those of each job's own history."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import pytest
from inline_snapshot import snapshot
from mcp import Client

from jobtrail.protocol.app import build_server
from jobtrail.store import Store
from jobtrail.store.rows import DefinitionRow, RunRow
from jobtrail.times import format_age
from jobtrail.tools import job_records, overview
from tests.plane.records import make_execution, make_job, nanoseconds_at, set_status, time_at
from tests.sample_client import FixedClock, answer, count_tokens, follow, rows_of, sample_client, text_of
from tests.tools.test_find_failures import TWO, Network

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from jobtrail.store.rows import AnyRow, ExecutionRow

pytestmark = pytest.mark.anyio

DAY = 24 * 60
NOW = 20 * DAY


class CountingNetwork(Network):
    """Two upstreams over one store, whose requests are counted by host."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.requests: Counter[str] = Counter()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests[request.url.host.partition(".")[0]] += 1
        if request.url.path == "/api/runs/summary":
            body = {"total": 303, "success": 299, "failed": 3, "missed": 1, "lastFailure": "2026-11-20T00:00:00Z"}
            return httpx2.Response(200, json=body, request=request)
        return await super().handle_async_request(request)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with sample_client() as client:
        yield client


@asynccontextmanager
async def two_sources(*records: AnyRow) -> AsyncGenerator[tuple[Client, CountingNetwork]]:
    store = Store(None)
    store.write([*records])
    network = CountingNetwork(store)
    async with Client(build_server(TWO, transport=network, clock=FixedClock(moment=time_at(NOW)))) as client:
        yield client, network
    store.close()


def execution(identity: str, of: str, ago: float, status: str = "succeeded", lasted: float = 1) -> ExecutionRow:
    """Return an execution that was created so many minutes ago, began a minute later and lasted some."""
    begun = set_status(make_execution(identity, of, NOW - ago), NOW - ago + 1, "running")
    return begun if status == "running" else set_status(begun, NOW - ago + 1 + lasted, status)


def defined(name: str) -> DefinitionRow:
    return DefinitionRow(name, {"name": name, "kind": "task"})


def run(number: int, task: str, ago: float, reason: str = "succeeded", lasted: float = 1) -> RunRow:
    begun, ended = nanoseconds_at(NOW - ago), nanoseconds_at(NOW - ago + lasted)
    identity = f"01K9Z3V5Q8R2M4N6P7S9{number:06}"
    return RunRow(identity, task, "ended", begun, begun, ended, reason, 0, {"triggered_by": "cron"})


MIXED = [
    make_job("quiet"),
    make_job("never"),
    make_job("worse"),
    make_job("slow"),
    execution("q1", "quiet", 19 * DAY),
    *(execution(f"w{number}", "worse", number * DAY, "failed" if number < 4 else "succeeded", 0.5) for number in range(1, 13)),
    *(execution(f"s{number}", "slow", number * DAY, lasted=90) for number in range(1, 5)),
    defined("backup"),
    *(run(number, "backup", number * DAY, "failed" if number == 2 else "succeeded") for number in range(1, 11)),
]  # fmt: skip


async def order(client: Client, **arguments: Any) -> list[str]:
    return [row["name"] for page in await follow(client, "history", **arguments) for row in rows_of(page)]


async def test_all_jobs_of_the_sample_at_a_glance(client: Client) -> None:
    text, content = await answer(client, "history")
    assert text == snapshot("""\
history of all jobs · sources embedded (SAMPLE DATA) · 20 jobs and tasks · 16 rows, 1,149 executions and runs, more to read · since 2026-11-16T12:00:00Z (now 2026-11-23T12:00:00Z) · rate:asc · every row: source embedded
job	kind	runs	success	before	failures	p50	p95	last	last success	oldest kept	next run
backfill-embeddings	job	1	0%	no runs	1	59m35s	59m35s	failed 6d6h ago	never	6d6h ago
nightly-etl	job	7	29%	43%	5	58m58s	1h31m26s	failed 10h ago	1d10h ago	89d10h ago
backup-postgres	task	9	56%	88%	4	21m08s	26m21s	succeeded 8h45m ago	8h45m ago	13d8h ago	in 15h15m
invoice-export	job	56	57%	62%	24	7m49s	14m59s	failed 2h40m ago	5h40m ago	9d23h ago
crm-sync	job	14	57%	57%	6	7m24s	14m47s	failed 10h30m ago	22h30m ago	13d22h ago
embed-documents	job	84	63%	no runs	31	5m21s	8m19s	failed 1h55m ago	3h55m ago	6d23h ago
reindex-search	task	3	67%	50%	1	47m51s	1h05m52s	failed 1d11h ago	3d11h ago	13d11h ago	in 13h
image-moderation	job	28	71%	33%	8	13m24s	17m25s	succeeded 5h20m ago	5h20m ago	9d23h ago
model-evals	job	72	85%	no runs	11	30m07s	50m40s	queued 50m ago	1h50m ago	2d23h ago
healthcheck-api	task	381	86%	89%	54	2.0s	2.5s	queued 0s ago	30m ago	13d23h ago	in 30m
fraud-scoring	job	192	97%	no runs	6	22m50s	36m24s	queued 0s ago	30m ago	1d23h ago
sync-ldap	task	168	98%	98%	4	9.2s	11s	succeeded 40m ago	40m ago	13d23h ago	in 20m
report-usage	task	43	98%	93%	1	36s	50s	queued 0s ago	4h ago	13d20h ago	in 4h
cert-renew	task	7	100%	86%	0	17s	22s	succeeded 7h ago	7h ago	13d7h ago	in 17h
log-compaction	job	7	100%	100%	0	27m35s	34m21s	succeeded 8h ago	8h ago	29d8h ago
rotate-logs	task	7	100%	100%	0	3m13s	3m44s	succeeded 8h ago	8h ago	13d8h ago	in 16h
note: stopped at 16 of 20 jobs, since they are long; the cursor goes on with the next
more: history(cursor="1O9J98otWygBalQ8MRkhQJaeYmScZgYwGRgaSNiPjEEMjhDYA..0.0.0.0.0.0.0..~~ZW1iZWRkZWQvd2Vla2x5LXJlcG9ydA.~g.~~ZW1iZWRkZWQvcm90YXRlLWxvZ3M")\
""")
    assert count_tokens(text) <= 1_200
    assert count_tokens(json.dumps(content, ensure_ascii=False, separators=(",", ":"))) <= 1_500


async def test_each_row_has_the_numbers_of_the_jobs_own_history(client: Client) -> None:
    rows = [row for page in await follow(client, "history", since="5d") for row in rows_of(page)]
    assert len(rows) == 20
    for row in rows:
        _, own = await answer(client, "history", job=row["name"], since="5d")
        current, before = own["current"], own["before"]
        assert row["runs"] == current["attempts"]
        if row["kind"] != "service":
            assert row.get("rate", -1) == pytest.approx(current.get("success_rate", -1), abs=0.0051)
            assert row.get("rate_before", -1) == pytest.approx(before.get("success_rate", -1), abs=0.0051)
        assert row.get("p95_s", -1) == pytest.approx(current.get("p95_s", -1), abs=0.5)
        assert row["failures"] == sum(current["counts"].get(word, 0) for word in ("failed", "timeout", "missed"))


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        (None, ["worse", "backup", "slow", "quiet", "never"]),
        ("p95", ["slow", "backup", "worse", "quiet", "never"]),
        ("failures", ["worse", "backup", "never", "quiet", "slow"]),
        ("change", ["worse", "backup", "quiet", "never", "slow"]),
        # What succeeded before both windows alone has waited longest.
        ("last_success", ["quiet", "worse", "backup", "slow", "never"]),
        ("rate:desc", ["slow", "backup", "worse", "quiet", "never"]),
    ],
)
async def test_the_worst_comes_first_by_what_it_is_sorted_by(sort: str | None, names: list[str]) -> None:
    async with two_sources(*MIXED) as (client, _):
        assert sorted(await order(client, limit=2)) == sorted(names)
        found = await order(client, sort=sort, limit=2)
    known = 3 if sort != "change" else 2
    assert found[:known] == names[:known]


async def test_what_is_older_than_both_windows_is_found_and_what_never_was_is_said() -> None:
    async with two_sources(*MIXED) as (client, _):
        text, content = await answer(client, "history")
    rows = {row["name"]: row for row in rows_of(content)}
    quiet, worse = rows["quiet"], rows["worse"]
    assert (quiet["runs"], quiet["last_status"], quiet["success_ago_s"]) == (0, "succeeded", 19 * 86_400)
    assert (worse["rate"], worse["rate_before"], worse["success_ago_s"]) == (0.57, 1, 4 * 86_400)
    assert rows["slow"]["runs_before"] == 0
    assert rows["backup"]["kept_s"] == 10 * 86_400
    assert "rate" not in rows["never"]
    lines = {line.split("\t")[0]: line.split("\t") for line in text.splitlines()}
    assert "never ran" in lines["never"]
    assert "no runs" in lines["slow"]
    assert "1h30m" in lines["slow"]
    assert lines["worse"][lines["job"].index("last success")] == "4d ago"


async def test_a_job_that_has_only_failed_says_so_where_all_that_is_kept_was_read() -> None:
    async with two_sources(make_job("bad"), execution("b1", "bad", 60, "failed")) as (client, _):
        text, content = await answer(client, "history")
    assert content["items"][0]["never_succeeded"]
    assert "\tnever\t" in text


async def test_a_service_has_no_rate_and_is_well_while_it_runs() -> None:
    worker = DefinitionRow("worker", {"name": "worker", "kind": "service"})
    now = RunRow(
        f"01K9Z3V5Q8R2M4N6P7S9{900:06}", "worker", "running", nanoseconds_at(NOW - 5), nanoseconds_at(NOW - 5)
    )
    async with two_sources(worker, run(1, "worker", 60, "failed"), now) as (client, _):
        _, content = await answer(client, "history")
    (row,) = content["items"]
    assert (row["failures"], row["last_status"], row["success_ago_s"]) == (1, "running", 300)
    assert not {"rate", "never_succeeded"} & row.keys()


async def test_a_source_that_is_down_costs_its_own_jobs_and_the_answer_says_so() -> None:
    async with two_sources(*MIXED) as (client, network):
        network.down.add("cron")
        text, content = await answer(client, "history")
    assert len(content["items"]) == 4
    assert content["coverage"]["complete"] is False
    assert "NOT COMPLETE: all but cron read whole" in text
    assert "error: cron: source 'cron' cannot be reached" in text


async def test_a_job_that_cannot_be_read_is_an_error_beside_the_others() -> None:
    async with two_sources(*MIXED) as (client, network):
        network.broken.add("/worse/executions")
        _, content = await answer(client, "history")
    assert list(content["errors"]) == ["prod/worse"]
    assert len(content["items"]) == 4


async def test_forty_jobs_cost_a_request_each_and_one_for_each_row_that_is_shown() -> None:
    jobs = [make_job(f"job-{number:02}") for number in range(40)]
    executions = [
        execution(f"e{number:02}{day}", f"job-{number:02}", day * DAY) for number in range(40) for day in (1, 8)
    ]
    async with two_sources(*jobs, *executions) as (client, network):
        network.down.add("cron")
        _, content = await answer(client, "history", source="prod")
        assert len(content["items"]) >= 15
        assert network.requests["prod"] <= 1 + 40 + 20


async def test_forty_tasks_of_a_daemon_are_read_in_one_list() -> None:
    tasks = [defined(f"task-{number:02}") for number in range(40)]
    runs = [run(100 * number + day, f"task-{number:02}", day * DAY) for number in range(40) for day in (1, 8)]
    async with two_sources(*tasks, *runs) as (client, network):
        _, content = await answer(client, "history", source="cron")
        assert len(content["items"]) >= 15
        assert network.requests["cron"] <= 4 + 20


async def test_a_daemon_with_more_runs_than_a_call_reads_is_read_task_by_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(job_records, "_OF_ALL", 50)
    monkeypatch.setattr(job_records, "_OF_ONE", 100)
    busy = [run(number, "busy", number) for number in range(1, 300)]
    rare = [run(1_000 + day, "rare", day * DAY, "failed") for day in (1, 2, 8)]
    async with two_sources(defined("busy"), defined("rare"), *busy, *rare) as (client, _):
        text, content = await answer(client, "history", source="cron")
    rows = {row["name"]: row for row in rows_of(content)}
    assert (rows["rare"]["runs"], rows["rare"]["rate"], rows["rare"]["rate_before"]) == (2, 0, 0)
    assert (rows["busy"]["runs"], rows["busy"]["read_s"]) == (100, 6_000)
    assert "rate_before" not in rows["busy"]
    assert "100 in 1h40m" in text
    assert "NOT COMPLETE, back to 2026-11-20T22:20:00Z" in text
    assert (
        "note: source 'cron' keeps 303 runs of all tasks: 299 succeeded, 3 failed, 1 missed; "
        "the last failure was 2026-11-20T00:00:00Z"
    ) in text


async def test_a_call_reads_so_many_jobs_and_the_cursor_goes_on_with_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jobtrail.sources.federation._PARTS_AT_ONCE", 2)
    async with two_sources(*MIXED) as (client, _):
        first, _ = await answer(client, "history")
        assert "these are in order among the 2 jobs of this stretch of 5; the cursor goes on with the others" in first
        assert sorted(await order(client, limit=1)) == ["backup", "never", "quiet", "slow", "worse"]


async def test_a_source_that_hangs_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "_WALK_SECONDS", 0.5)
    monkeypatch.setattr(job_records, "_PART_SECONDS", 0.25)
    async with two_sources(*MIXED) as (client, network):
        network.hanging.add("/executions")
        with anyio.fail_after(20):
            _, content = await answer(client, "history")
    assert [row["name"] for row in rows_of(content)] == ["backup"]
    assert list(content["errors"]) == ["prod"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"sort": "size"}, "sort='size' is not an order; give one of rate, p95, failures, change, last_success with"),
        ({"bucket": "1d"}, "bucket cuts the history of one job; give job with it, or leave it out"),
        ({"job": "slow", "sort": "p95"}, "sort and limit are of the list of all jobs; leave them out with job"),
        ({"since": "soon"}, "since='soon' is not a time"),
        ({"since": "1900-01-01", "until": "1960-01-01"}, "until lies before 1970"),
        ({"cursor": "1abc", "job": "slow"}, "a cursor carries its own arguments"),
    ],
)
async def test_what_cannot_be_answered_says_why(arguments: dict[str, Any], sentence: str) -> None:
    async with two_sources(*MIXED) as (client, _):
        refused = await client.call_tool("history", arguments)
    assert refused.is_error
    assert text_of(refused).startswith(sentence)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (60, "1m"), (3_601, "1h"), (9_000, "2h30m"), (13 * 86_400 + 60, "13d")],
)
def test_an_age_is_written_in_its_two_largest_units(seconds: int, text: str) -> None:
    assert format_age(seconds) == text
