"""Upstreams that ignore what they were asked: rows of others, in another order, twice, or fewer than the window asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.sample_client import answer, follow, rows_of
from tests.upstreams import Upstream, client_of, execution_of, json_of, page, run_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

LEFT_OUT = "the upstream sent rows that it was not asked for: they are left out"
DISORDERED = "the upstream does not keep to the order it was asked for: all of it is read, as it comes"
TWICE = "the upstream sent rows twice: each is listed once"
NEWER, OLDER = "2026-11-01T00:30:00Z", "2026-10-25T00:00:00Z"


def ids(found: dict[str, Any]) -> list[str]:
    return [one["id"] for one in found["items"]]


async def test_runs_of_other_tasks_are_left_out_by_an_upstream_that_ignores_the_task(tmp_path: Path) -> None:
    upstream = Upstream()
    runs = [run_of(number, taskName="job1" if number % 10 == 0 else "other") for number in reversed(range(266))]
    upstream.sick = lambda request: (
        json_of({"items": runs[int(request.url.params.get("offset", 0)) :][:1_000], "total": 266})(request)
        if request.url.path == "/api/runs"
        else None
    )
    async with client_of(tmp_path, upstream) as client:
        found = (await answer(client, "list_runs", job="job1", limit=100))[1]
    assert len(found["items"]) == 27
    assert found["coverage"]["complete"]
    assert found["total"] == {"kind": "unknown"}
    assert LEFT_OUT in found["notes"]


async def test_executions_of_another_job_are_left_out(tmp_path: Path) -> None:
    upstream = Upstream()
    foreign = execution_of(2)
    foreign["metadata"]["job"] = "billing"
    upstream.executions = [foreign, execution_of(1)]
    async with client_of(tmp_path, upstream) as client:
        text, found = await answer(client, "list_executions", job="etl")
    assert ids(found) == ["exec-0001"]
    assert f"note: {LEFT_OUT}" in text


async def test_a_status_that_the_upstream_ignores_ends_exact(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.sick = lambda request: (
        json_of({"items": upstream.runs, "total": 3})(request) if request.url.path == "/api/runs" else None
    )
    async with client_of(tmp_path, upstream) as client:
        found = (await answer(client, "list_runs", status="timeout"))[1]
    assert (found["items"], found["total"]) == ([], {"kind": "unknown"})
    assert found["notes"] == [LEFT_OUT]


@pytest.mark.parametrize("limit", [2, 20])
async def test_a_walk_over_executions_in_any_order_does_not_stop_at_the_edge_of_the_window(
    tmp_path: Path, limit: int
) -> None:
    upstream = Upstream()
    upstream.executions = [execution_of(number) for number in (5, 90, 1, 60, 2, 50, 3, 40)]
    upstream.largest = 3
    async with client_of(tmp_path, upstream) as client:
        pages = await follow(client, "list_executions", job="etl", since=NEWER, limit=limit)
    assert {one for found in pages for one in ids(found)} == {"exec-0090", "exec-0060", "exec-0050", "exec-0040"}
    assert pages[-1]["coverage"]["complete"]
    assert all(found["notes"] for found in pages)
    assert DISORDERED in pages[0]["notes"]
    assert pages[-1]["total"] == {"kind": "unknown"}


async def test_runs_that_come_oldest_first_whatever_was_asked_are_read_by_offset(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.runs = [run_of(number) for number in range(50)]
    async with client_of(tmp_path, upstream) as client:
        pages = await follow(client, "list_runs", job="backup", limit=20)
    assert [one for found in pages for one in ids(found)] == [run["id"] for run in upstream.runs]
    assert DISORDERED in pages[0]["notes"]


@pytest.mark.parametrize("limit", [2, 3, 20])
async def test_a_row_on_two_pages_is_handed_out_once_and_there_is_no_total(tmp_path: Path, limit: int) -> None:
    upstream = Upstream()
    rows = [execution_of(number) for number in reversed(range(9))]

    def overlap(request: httpx2.Request) -> httpx2.Response | None:
        if not request.url.path.endswith("/executions"):
            return None
        start = int(request.url.params.get("cursor", "0"))
        size = min(int(request.url.params["limit"]), 3)
        following = start + size - 1 if start + size < len(rows) else 0
        body = page(rows[start : start + size], cursor=str(following) if following else "", total=9)
        return httpx2.Response(200, json=body)

    upstream.sick = overlap
    async with client_of(tmp_path, upstream) as client:
        pages = await follow(client, "list_executions", job="etl", limit=limit)
    assert [one for found in pages for one in ids(found)] == [row["metadata"]["id"] for row in rows]
    assert any(TWICE in found.get("notes", ()) for found in pages)
    assert pages[-1]["total"] == {"kind": "unknown"}


@pytest.mark.parametrize("source", ["blaxel", "runwisp"])
async def test_a_window_that_begins_before_the_oldest_there_is_says_so(tmp_path: Path, source: str) -> None:
    upstream = Upstream()
    asked = {"blaxel": ("list_executions", {"job": "etl"}), "runwisp": ("list_runs", {"job": "backup"})}[source]
    async with client_of(tmp_path, upstream) as client:
        text, found = await answer(client, asked[0], **asked[1], since=OLDER, until="2026-11-02")
        failures = await answer(client, "find_failures", source=source, since=OLDER, until="2026-11-02")
    note = "oldest there is: 2026-11-01T00:00:00Z; what ran before, if anything, is not kept"
    assert f"note: {note}" in text
    assert found["coverage"]["back_to"] == failures[1]["coverage"]["back_to"] == "2026-11-01T00:00:00Z"
    assert "nothing failed: the one there is was asked" in failures[0]
    assert "covered from the oldest there is, 2026-11-01T00:00:00Z, on" in failures[0]


async def test_a_window_within_what_is_kept_says_nothing_of_it(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.executions = [execution_of(number) for number in (90, 60, 1)]
    upstream.runs = [run_of(number) for number in (90, 60, 1)]
    async with client_of(tmp_path, upstream) as client:
        for source, (tool, asked) in {
            "blaxel": ("list_executions", {"job": "etl"}),
            "runwisp": ("list_runs", {"job": "backup"}),
        }.items():
            found = (await answer(client, tool, **asked, since=NEWER, until="2026-11-02"))[1]
            assert "notes" not in found
            text, _ = await answer(client, "find_failures", source=source, since=NEWER, until="2026-11-02")
            assert "the window is covered whole" in text


@pytest.mark.parametrize(("source", "job"), [("blaxel", "etl"), ("runwisp", "backup")])
async def test_a_history_says_that_nothing_ran_before_instead_of_leaving_it_out(
    tmp_path: Path, source: str, job: str
) -> None:
    async with client_of(tmp_path, Upstream()) as client:
        text, found = await answer(client, "history", job=job, source=source, since="2026-11-01", until="2026-11-02")
    assert f"success 100% (before: no {'executions' if source == 'blaxel' else 'runs'})" in text
    assert found["before"]["attempts"] == 0
    assert "note: oldest there is: 2026-11-01T00:00:00Z" in text


async def test_rows_that_are_counted_and_not_sent_end_complete(tmp_path: Path) -> None:
    upstream = Upstream()
    async with client_of(tmp_path, upstream) as client:
        execution = {"job": "etl", "execution": "exec-0002"}
        upstream.sick = lambda request: (
            json_of(page(upstream.tasks, total=5))(request) if request.url.path.endswith("/tasks") else None
        )
        text, found = await answer(client, "list_tasks", **execution)
        assert not found["coverage"]["complete"]
        assert "read to the end, but rows may be missing" in text
        assert "note: the upstream counts 5 rows, but has listed 3" in text
        upstream.sick = lambda request: (
            json_of({"items": upstream.runs, "total": 1})(request) if request.url.path == "/api/runs" else None
        )
        found = (await answer(client, "list_runs"))[1]
        assert not found["coverage"]["complete"]
        assert len(rows_of(found)) == 3
