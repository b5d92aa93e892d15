"""`compare`: what differs from the last good one, only as far as both tell, and since when causes occur."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from inline_snapshot import snapshot
from mcp import Client

from jobtrail.analysis.comparison import Fact, ReadTasks, compare_facts, compare_tasks
from jobtrail.models import Task
from jobtrail.paging import Budget
from jobtrail.plane import build_plane
from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.blaxel.registration import BlaxelSettings
from jobtrail.sources.runwisp.registration import RunWispSettings
from jobtrail.store import Store
from jobtrail.store.rows import DefinitionRow, ExecutionRow, RunRow
from jobtrail.tools import compared_sides, past_attempts
from tests.plane.records import make_execution, make_job, make_task, nanoseconds_at, set_status, time_at
from tests.sample_client import FixedClock, answer, count_tokens, rows_of, sample_client, text_of
from tests.upstreams import BLAXEL_HOST, Upstream, client_of, execution_of, json_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

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
    """Two upstreams over one store, of which some paths are broken."""

    def __init__(self, store: Store) -> None:
        self._plane = httpx2.ASGITransport(build_plane(store))
        self.broken: set[str] = set()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if any(request.url.path.endswith(path) for path in self.broken):
            return httpx2.Response(403, json={"error": "forbidden"}, request=request)
        return await self._plane.handle_async_request(request)


@asynccontextmanager
async def two_sources(*records: AnyRow) -> AsyncGenerator[tuple[Client, Network]]:
    store = Store(None)
    store.write([make_job("etl"), DefinitionRow("backup", {"name": "backup", "kind": "task"}), *records])
    network = Network(store)
    async with Client(build_server(TWO, transport=network, clock=FixedClock(moment=time_at(600)))) as client:
        yield client, network
    store.close()


def executed(identity: str, minutes: float, status: str = "succeeded", **tasks: str | None) -> list[AnyRow]:
    """Return an execution, whose tasks failed for a reason or, where that is None, succeeded."""
    rows: list[AnyRow] = [set_status(make_execution(identity, "etl", minutes), minutes + 5, status)]
    for name, reason in tasks.items():
        conditions = [{"type": "Failed", "reason": reason, "message": f"at {minutes:g}"}] if reason else []
        end = "failed" if reason else "succeeded"
        rows.append(make_task(name, identity, minutes, "running", end, conditions=conditions))
    return rows


def ran(number: int, minutes: float, reason: str = "succeeded", code: int = 0, **body: Any) -> RunRow:
    begun, ended = nanoseconds_at(minutes), nanoseconds_at(minutes + 1)
    identity = f"01K9Z3V5Q8R2M4N6P7S9T0W{number:03}"
    return RunRow(identity, "backup", "ended", begun, begun, ended, reason, code, {"triggered_by": "cron", **body})


def differing(content: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {one["what"]: (one["this"], one["base"]) for one in content["differences"]}


async def test_the_newest_execution_of_a_job_is_compared_with_the_last_that_succeeded_before_it() -> None:
    async with sample_client() as client:
        text, content = await answer(client, "compare", job="nightly-etl")
        _, named = await answer(client, "compare", execution=content["this"]["id"])
    assert text == snapshot("""\
comparison of nightly-etl exec-d949a7de82d2 with exec-4c36cae6f182 · source embedded, SAMPLE DATA · tasks read 14 of 14 and 14 of 14
verdict: failed; base is the last success before it; of 14 tasks in both: 7 failed only here
what	this	base	change
status	failed	succeeded
created	2026-11-23T02:00:00Z	2026-11-22T02:00:00Z
tasks succeeded	7	14	-7
tasks failed	7	0	+7
tasks retried	7	0	+7
queued	20s	6.5s	×3.1
duration	1h31m26s	36m40s	×2.5
same: tasks 14 · tasks running 0 · tasks cancelled 0 · parallelism 4 · timeout 1h
not told, so not compared: trigger, revision
task	change	this	base
task-12	failed only here	failed 24m08s	succeeded 7m46s
task-10	failed only here	failed 18m26s	succeeded 10m57s
task-8	failed only here	failed 22m56s	succeeded 8m14s
task-6	failed only here	failed 26m25s	succeeded 5m19s
task-4	failed only here	failed 19m10s	succeeded 10m41s
causes, and since when among 20 failures of the 89 executions before it (not all of them, back to 2026-10-24T02:00:00Z):
before	cause	tasks	since	first
20	ConnectionError: psycopg.OperationalError: connection to server at '10.0.49.116', port 5432 failed: Connection refused	7	2026-10-24T02:00:00Z	exec-8b6e3fd7bfa1
note: tasks' names only count them: the same name is the same place, not surely the same work
next: get_execution(job='nightly-etl', execution='exec-d949a7de82d2', source='embedded')
next: list_tasks(job='nightly-etl', execution='exec-d949a7de82d2', status='failed', source='embedded')
next: compare(job='nightly-etl', execution='exec-8b6e3fd7bfa1', source='embedded')\
""")
    assert count_tokens(text) <= 800
    assert named == content


async def test_a_run_is_compared_by_its_id_alone() -> None:
    async with sample_client() as client:
        text, _ = await answer(client, "compare", run="01M83XJ880CH86JX615VZ8MKAW")
    assert text == snapshot("""\
comparison of healthcheck-api 01M83XJ880CH86JX615VZ8MKAW with 01M83VVAE0SJF6N05P26WDJ4X6 · source embedded, SAMPLE DATA
verdict: failed; base is the last success before it
what	this	base	change
status	failed	succeeded
created	2026-11-23T10:00:00Z	2026-11-23T09:30:00Z
exit code	1	0
queued	568ms	2.0s	×0.28
same: trigger cron · attempt 1 · duration 2.5s/2.0s
causes, and since when among 20 failures of the 200 runs before it (not all of them, back to 2026-11-20T00:00:26Z):
before	cause	since	first
10	502 Bad Gateway in 18 ms, request id req_3a27e4ddc4 (exit code 1)	2026-11-20T00:00:26Z	01M7V42905TCEYZQ4YAA704FT8
next: get_run(run='01M83XJ880CH86JX615VZ8MKAW', source='embedded')
next: compare(run='01M7V42905TCEYZQ4YAA704FT8', source='embedded')\
""")


async def test_an_execution_of_10000_tasks_stays_within_its_tokens() -> None:
    async with sample_client() as client:
        text, content = await answer(client, "compare", job="backfill-embeddings")
    assert count_tokens(text) <= 800
    assert content["this"]["tasks_read"] == 10_000
    assert "base" not in content
    assert "note: no success was found before it, looking at all that is kept" in text


async def test_tasks_that_failed_only_here_are_new_gone_or_much_slower_are_told_apart() -> None:
    slow = make_task("slow", "e2", 60, "running")
    records = [
        *executed("e1", 10, fine=None, worse=None, gone=None, slow=None),
        *executed("e2", 60, "failed", fine=None, worse="Refused", fresh=None),
        set_status(slow, 90, "succeeded"),
    ]
    async with two_sources(*records) as (client, _):
        _, content = await answer(client, "compare", job="etl")
    assert content["verdict"].endswith("1 failed only here, 1 new, 1 gone, 1 much slower")
    changes = {one["name"]: one["change"] for one in rows_of(content, "tasks")}
    assert changes == {"worse": "failed only here", "fresh": "new", "gone": "gone", "slow": "much slower"}
    assert content["verdict"].startswith("failed; base is the last success before it; of 3 tasks in both:")


async def test_it_says_since_when_each_cause_occurs_and_which_is_new() -> None:
    records = [
        *executed("e1", 10, "failed", a="Refused"),
        *executed("e2", 20, a=None, b=None),
        *executed("e3", 30, "failed", a="Refused"),
        *executed("e4", 40, "failed", a="Refused", b="OutOfMemory"),
    ]
    async with two_sources(*records) as (client, _):
        text, content = await answer(client, "compare", job="etl")
    assert content["base"]["id"] == "e2"
    assert "(1 execution between)" in content["verdict"]
    causes = {one["cause"].partition(":")[0]: one for one in content["causes"]}
    refused, memory = causes["Refused"], causes["OutOfMemory"]
    assert (refused["first"], refused["before"]) == ("e1", 2)
    assert (memory["first"], memory["before"]) == ("e4", 0)
    assert content["coverage"] == {
        "scanned": 3, "matched": 2, "complete": True, "back_to": "2026-11-01T00:10:00Z",
    }  # fmt: skip
    assert "causes, and since when among 2 failures of the 3 executions before it (all that is kept):" in text


async def test_a_look_back_that_is_cut_short_says_how_far_it_reached_and_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(past_attempts, "_CAUSES_READ", 2)
    monkeypatch.setattr(past_attempts, "_LOOKED_AT", 3)
    records = [one for number in range(9) for one in executed(f"e{number}", number * 10, "failed", a="Refused")]
    async with two_sources(*executed("e-first", -10, a=None), *records) as (client, _):
        text, content = await answer(client, "compare", job="etl")
        assert content["base"]["id"] == "e-first"
        assert content["coverage"] == {
            "scanned": 3, "matched": 2, "complete": False, "back_to": "2026-11-01T01:00:00Z",
        }  # fmt: skip
        assert "(not all of them, back to 2026-11-01T01:00:00Z):" in text
        assert content["next_calls"][-1] == "compare(job='etl', execution='e6', source='prod')"
        monkeypatch.setattr(past_attempts, "_BUDGET", Budget(items=5))
        text, content = await answer(client, "compare", job="etl")
    assert "base" not in content
    assert "note: no success was found before it, looking at back to" in text


async def test_a_cause_is_new_only_where_the_causes_of_all_failures_before_it_could_be_read() -> None:
    records = [*executed("e1", 10, "failed", a="Refused"), *executed("e2", 20, "failed", a="Refused")]
    async with two_sources(*records) as (client, network):
        network.broken = {"/e1"}
        text, content = await answer(client, "compare", job="etl")
    assert (content["causes"][0]["before"], content["coverage"]["complete"]) == (0, False)
    assert "\tnew" not in text
    assert "\tnot seen before" in text
    assert "(not all of them, back to 2026-11-01T00:10:00Z):" in text
    assert "the causes of 1 of the failures before it could not be read: " in text


async def test_what_it_was_given_is_compared_without_a_secret() -> None:
    spec = {"parallelism": 2, "envOverride": {"MODE": "x", "DB_PASSWORD": "hunter2"}, "memoryOverride": 4096}
    at = nanoseconds_at(60)
    records = [
        *executed("e1", 10, t=None),
        ExecutionRow("etl", "e2", "succeeded", at, at, at, at, spec=spec),
        make_task("t", "e2", 60, "running", "succeeded"),
        ran(1, 10, params={"mode": "fast"}),
        ran(2, 20, "failed", 3, params={"mode": "full", "api_token": "sk-secret-123", "url": "http://a:pw9@h/x"}),
    ]
    async with two_sources(*records) as (client, _):
        text, content = await answer(client, "compare", job="etl")
        assert differing(content)["env_override"] == ("DB_PASSWORD, MODE", "not given")
        assert differing(content)["memory_mb"] == ("4096", "not given")
        also, content = await answer(client, "compare", job="backup")
        shown, _ = await answer(client, "get_run", run=content["this"]["id"])
    found = differing(content)
    assert found["param mode"] == ("full", "fast")
    assert found["exit code"] == ("3", "0")
    assert found["param api_token"] == ("***", "not given")
    assert "params: mode=full, 'api_token=***', " in shown
    for secret in ("hunter2", "sk-secret-123", "pw9"):
        assert secret not in text + also + shown + str(content)


async def test_values_of_which_a_part_is_not_shown_are_not_called_the_same() -> None:
    first = {"api_token": "sk-1", "url": "http://a:pw1@h/x", "text": "x" * 3_000, "mode": "fast"}
    second = {"api_token": "sk-2", "url": "http://a:pw2@h/x", "text": "x" * 3_000 + "y", "mode": "fast"}
    async with two_sources(ran(1, 10, params=first), ran(2, 20, "failed", 3, params=second)) as (client, _):
        _, content = await answer(client, "compare", job="backup")
    assert content["same"]["param mode"] == "fast"
    for name in ("api_token", "url", "text"):
        assert f"param {name} (a part of it is masked or cut)" in content["not_compared"]


async def test_what_only_one_of_the_two_tells_is_named_and_not_compared() -> None:
    running = RunRow("01K9Z3V5Q8R2M4N6P7S9T0W002", "backup", "running", nanoseconds_at(20), nanoseconds_at(20))
    async with two_sources(ran(1, 10), running) as (client, _):
        text, content = await answer(client, "compare", job="backup")
    assert "exit code (told of one only)" in content["not_compared"]
    assert "exit code" not in differing(content)
    assert "note: it has not ended: what differs so far is compared, and may change" in text


async def test_another_one_can_be_named_and_may_have_failed_too() -> None:
    records = [
        *executed("e1", 10, "failed", a="Refused", b="Refused"),
        *executed("e2", 20, a=None, b=None),
        *executed("e3", 30, "failed", a="Refused", b=None),
    ]
    async with two_sources(*records) as (client, _):
        _, content = await answer(client, "compare", job="etl", execution="e3", **{"with": "e1"})
    assert content["verdict"].startswith("failed; base is the one named, failed (1 execution between)")
    told = content["verdict"].partition("of 2 tasks in both: ")[2]
    assert {*told.split(", ")} == {"1 failed in both", "1 failed there only"}
    assert (content["causes"][0]["tasks"], content["causes"][0]["in_base"]) == (1, 2)


async def test_the_first_one_is_not_said_to_have_some_before_it_that_were_not_looked_at() -> None:
    async with two_sources(*executed("e1", 10, "failed", t="Refused")) as (client, _):
        text, content = await answer(client, "compare", job="etl")
    assert "\ncauses; there is no execution before it\n" in text
    assert content["coverage"]["complete"]


async def test_tasks_that_were_not_all_read_are_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compared_sides, "_TASKS", Budget(items=2))
    records = [*executed("e1", 10, a=None, b=None, c=None), *executed("e2", 20, a=None, b=None, c=None)]
    async with two_sources(*records) as (client, _):
        text, content = await answer(client, "compare", job="etl")
    assert "tasks read 2 of 3 and 2 of 3: NOT ALL COMPARED" in text.splitlines()[0]
    assert content["verdict"].endswith("of 2 tasks in both: none differs")
    assert not content["tasks"]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("/tasks", "tasks and causes are not compared: "),
        ("/executions", "what ran before it could not be read: "),
    ],
)
async def test_what_cannot_be_read_costs_only_its_part(broken: str, said: str) -> None:
    async with two_sources(*executed("e1", 10, t=None), *executed("e2", 20, "failed", t="Refused")) as (
        client,
        network,
    ):
        network.broken = {broken}
        text, content = await answer(client, "compare", job="etl", execution="e2", **{"with": "e1"})
    assert differing(content)["status"] == ("failed", "succeeded")
    assert said in text


async def test_the_revision_is_the_one_that_was_deployed_last_before_it(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.executions = [execution_of(9), execution_of(1)]
    events = [
        {"type": "deployment", "revision": "rev-1", "time": "2026-10-01T00:00:00Z"},
        {"type": "deployment", "revision": "rev-2", "time": "2026-11-01T00:05:00Z"},
    ]
    metadata = {"name": "etl", "updatedAt": "2026-11-01T00:05:00Z"}
    job = {"metadata": metadata, "spec": {}, "status": "DEPLOYED", "events": events}
    known = {f"/v0/jobs/etl/executions/{one['metadata']['id']}": one for one in upstream.executions}

    def tell(request: httpx2.Request) -> httpx2.Response | None:
        path = request.url.path
        body = job if path == "/v0/jobs/etl" else known.get(path)
        return json_of(body)(request) if body and request.url.host == BLAXEL_HOST else None

    upstream.sick = tell
    async with client_of(tmp_path, upstream, RUNWISP_URL=None, RUNWISP_TOKEN=None) as client:
        text, content = await answer(client, "compare", job="etl")
    assert differing(content)["revision"] == ("rev-2", "rev-1")
    assert "the definition of the job last changed between the two, at 2026-11-01T00:05:00Z" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "compare needs job, execution or run; call list_jobs() for its values"),
        ({"job": "et"}, "job='et' does not exist in any of the sources prod, cron; closest: etl"),
        ({"execution": "e2", "run": "x"}, "compare takes execution or run, not both; name the other one in with"),
        ({"execution": "e1,e2"}, "compare takes one id, not 'e1,e2'; name the other one in with"),
        ({"job": "etl", "execution": "nope"}, "execution='nope' does not exist in job 'etl'"),
        ({"job": "etl", "with": "nope"}, "execution='nope' does not exist in job 'etl'"),
        ({"job": "etl", "with": "e2"}, "with='e2' is what is compared itself; name another, or leave it out"),
        ({"job": "backup"}, "job 'backup' has no run yet; get_job(job='backup') shows its schedule"),
        ({"job": "backup", "execution": "e2"}, "job 'backup' has runs; give run=…, or job alone for its newest"),
    ],
)
async def test_what_cannot_be_compared_is_one_clear_sentence(arguments: dict[str, str], sentence: str) -> None:
    async with two_sources(*executed("e2", 20, "failed", t="Refused")) as (client, _):
        result = await client.call_tool("compare", arguments)
    assert result.is_error
    assert text_of(result).startswith(sentence)


async def test_a_run_of_another_task_is_refused() -> None:
    other = RunRow("01K9Z3V5Q8R2M4N6P7S9T0W009", "other", "ended", nanoseconds_at(5), end_reason="succeeded")
    async with two_sources(DefinitionRow("other", {"name": "other"}), other, ran(1, 10)) as (client, _):
        result = await client.call_tool("compare", {"job": "backup", "with": other.id})
    assert result.is_error
    assert "is of other, not of backup; compare takes two of one job" in text_of(result)


@pytest.mark.parametrize(("this", "base", "change"), [(2000, 3, "×667"), (90, 60, "×1.5"), (3, 60, "×0.05")])
def test_a_ratio_of_durations_is_a_plain_number(this: float, base: float, change: str) -> None:
    def tell(seconds: float) -> dict[str, Fact]:
        return {"duration": Fact(f"{seconds:g}s", seconds, seconds=True)}

    (found,) = compare_facts(tell(this), tell(base)).differences
    assert found.change == change


def make_tasks(*names: str, failed: str = "") -> ReadTasks:
    return ReadTasks({name: Task(name=name, status="failed" if name == failed else "succeeded") for name in names})


def test_tasks_whose_names_are_all_other_ones_are_matched_by_the_number_at_the_end() -> None:
    found = compare_tasks(
        make_tasks("e2-task-0", "e2-task-1", failed="e2-task-1"), make_tasks("e1-task-0", "e1-task-1")
    )
    assert found.counts == {"failed only here": 1}
    assert found.notes == ["no task's name is in both: they are matched by the number that a name ends in"]


def test_names_that_only_count_are_said_to_be_no_more() -> None:
    found = compare_tasks(make_tasks("task-0", "task-1", failed="task-0"), make_tasks("task-0", "task-1"))
    assert found.counts == {"failed only here": 1}
    assert found.notes == ["tasks' names only count them: the same name is the same place, not surely the same work"]


def test_what_is_missing_from_a_list_that_was_cut_is_neither_new_nor_gone() -> None:
    whole, cut = make_tasks("a", "b"), ReadTasks(make_tasks("a").by_name, whole=False)
    assert compare_tasks(whole, cut).counts == {"not in what was read of the other": 1}
    assert compare_tasks(cut, whole).counts == {"not in what was read of the other": 1}
