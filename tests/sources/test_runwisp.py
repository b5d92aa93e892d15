"""Paging through runs while they come and go, against a model of either dialect's list."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client

from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.runwisp.registration import RunWispSettings
from tests.hypothesis_profiles import scale_examples
from tests.sample_client import FixedClock, answer, rows_of, text_of

START = datetime(2026, 11, 1, tzinfo=UTC)
RUNWISP = Settings(sources=(RunWispSettings(name="runwisp"),), default="runwisp")
PAGE = "<!doctype html>"


@dataclass
class Daemon:
    """A daemon's list of runs of task `t`, newest first, in the order a daemon keeps them."""

    modern: bool
    runs: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    made: int = 0

    def add(self, count: int, *, tied: bool = False, **fields: Any) -> None:
        for _ in range(count):
            self.made += 1
            at = START if tied else START + timedelta(minutes=self.made)
            run = {
                "id": f"{self.made:026}",
                "taskName": "t",
                "status": "ended",
                "endReason": "failed",
                "exitCode": 1,
                "createdAt": f"{at:%Y-%m-%dT%H:%M:%SZ}",
                "triggeredBy": "cron",
                "retryAttempt": 0,
                "instanceIndex": 0,
                **fields,
            }
            self.runs.insert(0, run)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path, asked = request.url.path, request.url.params
        if path == "/api/tasks":
            return httpx2.Response(200, json={"items": [{"name": "t"}]})
        if path != ("/api/runs" if self.modern else "/api/tasks/t/runs"):
            return httpx2.Response(200, text=PAGE, headers={"content-type": "text/html"})
        runs = [run for run in self.runs if self._asked_for(run, asked)]
        offset = int(asked.get("offset", "0"))
        page = runs[offset : offset + int(asked.get("limit", "50"))]
        return httpx2.Response(200, json={"items" if self.modern else "runs": page, "total": len(runs)})

    def _asked_for(self, run: dict[str, Any], asked: httpx2.QueryParams) -> bool:
        before, words = asked.get("createdBefore"), asked.get("status")
        if asked.get("isFailure") == "true" and run["exitCode"]:
            words = None
        return (not before or run["createdAt"] <= before[:19] + "Z") and (
            not words or run["endReason"] in words.split(",") or run["status"] in words.split(",")
        )


def client_of(daemon: Daemon) -> Client:
    clock = FixedClock(moment=START + timedelta(days=30))
    return Client(build_server(RUNWISP, httpx2.MockTransport(daemon), clock))


async def pages_of(client: Client, change: Any, **arguments: Any) -> list[dict[str, Any]]:
    """Follow a walk by its cursors; call `change` after every page."""
    pages = [(await answer(client, "list_runs", **arguments))[1]]
    while cursor := pages[-1].get("cursor"):
        change(pages)
        pages.append((await answer(client, "list_runs", cursor=cursor))[1])
    return pages


def ids(pages: list[dict[str, Any]]) -> list[str]:
    return [run["id"] for page in pages for run in page["items"]]


@pytest.mark.anyio
@pytest.mark.parametrize("arguments", [{}, {"job": "t"}, {"limit": 5, "sort": "duration:desc"}])
async def test_a_page_of_runs_costs_one_request_once_the_dialect_is_known(arguments: dict[str, Any]) -> None:
    daemon, asked = Daemon(modern=True), list[str]()
    daemon.add(40)

    def network(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        return daemon(request)

    async with Client(build_server(RUNWISP, httpx2.MockTransport(network))) as client:
        await answer(client, "list_runs")
        asked.clear()
        await answer(client, "list_runs", **arguments)
    assert asked == ["/api/runs"]


@settings(max_examples=scale_examples(60))
@given(
    modern=st.booleans(),
    count=st.integers(1, 80),
    limit=st.integers(1, 25),
    arrivals=st.lists(st.integers(0, 60), max_size=5),
    prunes=st.lists(st.integers(0, 3), max_size=5),
    status=st.sampled_from([{}, {"status": "failed"}]),
)
def test_no_run_repeats_or_is_lost_while_others_arrive_and_the_oldest_are_pruned(
    modern: bool, count: int, limit: int, arrivals: list[int], prunes: list[int], status: dict[str, str]
) -> None:
    daemon = Daemon(modern)
    daemon.add(count)
    before = {run["id"] for run in daemon.runs}

    def change(_pages: list[dict[str, Any]]) -> None:
        daemon.add(arrivals.pop() if arrivals else 0)
        for _ in range(prunes.pop() if prunes else 0):
            before.discard(daemon.runs.pop()["id"])

    async def walk() -> list[str]:
        async with client_of(daemon) as client:
            return ids(await pages_of(client, change, job="t", limit=limit, **status))

    listed = anyio.run(walk)
    assert len(listed) == len(set(listed))
    assert before <= set(listed)


@pytest.mark.anyio
@pytest.mark.parametrize("modern", [True, False])
@pytest.mark.parametrize("arriving", [5, 20, 999, 1000])
async def test_as_many_arrivals_as_a_page_holds_do_not_end_a_walk(modern: bool, arriving: int) -> None:
    daemon = Daemon(modern)
    daemon.add(100)
    before = {run["id"] for run in daemon.runs}

    def arrive(pages: list[dict[str, Any]]) -> None:
        daemon.add(arriving if len(pages) == 1 else 0)

    async with client_of(daemon) as client:
        pages = await pages_of(client, arrive, job="t", limit=min(arriving, 20))
    assert before == set(ids(pages))
    assert pages[-1]["total"] == {"value": 100, "kind": "exact"}


@pytest.mark.anyio
@pytest.mark.parametrize("count", [60, 3000])
async def test_runs_of_one_time_survive_the_pruning_of_some_of_them(count: int) -> None:
    daemon = Daemon(modern=True)
    daemon.add(count, tied=True)

    def prune(pages: list[dict[str, Any]]) -> None:
        if len(pages) == 2:
            for run in list(daemon.runs[5:8]):
                daemon.runs.remove(run)

    async with client_of(daemon) as client:
        pages = await pages_of(client, prune, job="t", limit=100 if count > 100 else 10)
    assert {run["id"] for run in daemon.runs} <= set(ids(pages))
    assert len(ids(pages)) == len(set(ids(pages)))


@pytest.mark.anyio
async def test_a_walk_that_has_to_repeat_says_so_and_calls_nothing_exact() -> None:
    daemon = Daemon(modern=True)
    daemon.add(300, tied=True)

    def prune(pages: list[dict[str, Any]]) -> None:
        if len(pages) == 2:
            gone = {*ids(pages)[20:]}
            daemon.runs = [run for run in daemon.runs if run["id"] not in gone]

    async with client_of(daemon) as client:
        pages = await pages_of(client, prune, job="t", limit=100)
    assert {run["id"] for run in daemon.runs} <= set(ids(pages))
    assert "may repeat" in " ".join(pages[2]["notes"])
    assert "may repeat" in " ".join(pages[-1]["notes"])
    assert pages[-1]["total"] == {"kind": "unknown"}


@pytest.mark.anyio
@pytest.mark.parametrize("modern", [True, False])
async def test_a_pending_run_is_found_by_either_word(modern: bool) -> None:
    daemon = Daemon(modern)
    daemon.add(1, status="pending", endReason=None)
    async with client_of(daemon) as client:
        for word in ("pending", "queued"):
            _, page = await answer(client, "list_runs", job="t", status=word)
            assert [(run["status"], run["raw_status"]) for run in rows_of(page)] == [("queued", "pending")]


@pytest.mark.anyio
@pytest.mark.parametrize("modern", [True, False])
async def test_a_failure_under_an_unknown_word_is_pointed_at(modern: bool) -> None:
    daemon = Daemon(modern)
    daemon.add(1, endReason="oom_killed", exitCode=137)
    async with client_of(daemon) as client:
        text, page = await answer(client, "list_runs", job="t", status="failed,timeout")
        assert page["items"] == []
        assert ("1 more count as failures" if modern else "status not known here (oom_killed)") in text
        _, unknown = await answer(client, "list_runs", job="t", status="unknown")
    assert rows_of(unknown)[0]["exit_code"] == 137


@pytest.mark.anyio
async def test_a_log_longer_than_asked_for_is_cut_to_its_end() -> None:
    daemon = Daemon(modern=True)
    daemon.add(1)
    run = daemon.runs[0]
    lines = [{"n": number, "text": f"line {number}"} for number in range(5_000)]

    def upstream(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/log"):
            return httpx2.Response(200, json={"lines": lines, "totalLines": 5_000})
        if request.url.path.endswith(run["id"]):
            return httpx2.Response(200, json=run)
        return daemon(request)

    async with Client(build_server(RUNWISP, httpx2.MockTransport(upstream))) as client:
        _, detail = await answer(client, "get_run", run=run["id"])
    assert detail["log"]["first_line"] == 4_981
    assert detail["log"]["lines"][-1] == "line 4999"
    assert len(detail["log"]["lines"]) == 20


@pytest.mark.anyio
async def test_a_log_that_cannot_be_read_is_not_called_missing() -> None:
    daemon = Daemon(modern=True)
    daemon.add(1)
    run = daemon.runs[0]

    def upstream(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/log"):
            return httpx2.Response(200, text="{", headers={"content-type": "application/json"})
        if request.url.path.endswith(run["id"]):
            return httpx2.Response(200, json=run)
        return daemon(request)

    async with Client(build_server(RUNWISP, httpx2.MockTransport(upstream))) as client:
        result = await client.call_tool("get_run", {"run": run["id"]})
    assert "the log could not be read" in text_of(result)
