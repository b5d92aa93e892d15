"""Pages whose seams, counts and order are not what they say: fixed examples of what the lying upstreams vary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from jobtrail.tools import job_records
from tests.sample_client import answer, follow, rows_of
from tests.upstreams import Upstream, client_of, execution_of, html, json_of, run_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp import Client

pytestmark = pytest.mark.anyio

LEGACY = "/api/tasks/backup/runs"
SINCE = "2026-10-25T00:00:00Z"


def list_by_offset(upstream: Upstream, largest: int, overlap: int = 0) -> None:
    """Make RunWisp a legacy one, whose pages after the first begin a few rows too early."""

    def answer_legacy(request: httpx2.Request) -> httpx2.Response | None:
        query = request.url.params
        if request.url.path == "/api/runs":
            return html()(request)
        if request.url.path != LEGACY:
            return None
        asked, rows = int(query.get("offset", 0)), upstream.runs
        start = max(asked - overlap, 0)
        page = rows[start : start + min(int(query["limit"]), largest)]
        return json_of({"items": page, "total": len(rows)})(request)

    upstream.sick = answer_legacy


def ids(pages: list[dict[str, Any]]) -> list[str]:
    return [one["id"] for page in pages for one in rows_of(page)]


@pytest.mark.parametrize("overlap", [1, 3])
@pytest.mark.parametrize("largest", [1, 3, 4])
@pytest.mark.parametrize("limit", [1, 20])
async def test_pages_by_offset_that_overlap_lose_no_run_and_list_none_twice(
    tmp_path: Path, overlap: int, largest: int, limit: int
) -> None:
    upstream = Upstream()
    upstream.runs = [run_of(number) for number in reversed(range(10))]
    list_by_offset(upstream, largest, overlap)
    async with client_of(tmp_path, upstream) as client:
        pages = await follow(client, "list_runs", job="backup", limit=limit)
    assert ids(pages) == [run["id"] for run in upstream.runs]
    assert len(pages) <= 12


@pytest.mark.parametrize(("largest", "limit"), [(2, 3), (4, 1)])
@pytest.mark.parametrize("pruned", [slice(0, 2), slice(-3, None), slice(2, 5), slice(0, None, 2)])
async def test_a_walk_by_offset_ends_while_runs_are_pruned(
    tmp_path: Path, largest: int, limit: int, pruned: slice
) -> None:
    upstream = Upstream()
    upstream.runs = [run_of(number) for number in reversed(range(12))]
    first = [run["id"] for run in upstream.runs]
    list_by_offset(upstream, largest)
    async with client_of(tmp_path, upstream) as client:
        pages = await follow_while(client, lambda: prune(upstream, pruned), limit)
    assert {run["id"] for run in upstream.runs} & {*first} <= set(ids(pages))
    assert len(ids(pages)) == len(set(ids(pages)))


def prune(upstream: Upstream, which: slice) -> None:
    """Delete some runs, and let one come: as many are kept as before, or fewer."""
    newest = int(upstream.runs[0]["createdAt"][14:16]) if upstream.runs else 0
    del upstream.runs[which]
    upstream.runs.insert(0, run_of(newest + 1))


async def follow_while(client: Client, change: Callable[[], None], limit: int) -> list[dict[str, Any]]:
    """Return every page of a walk during which a list changes, five times."""
    pages = [(await answer(client, "list_runs", job="backup", limit=limit))[1]]
    while (cursor := pages[-1].get("cursor")) and len(pages) < 40:
        if len(pages) <= 5:
            change()
        pages.append((await answer(client, "list_runs", cursor=cursor))[1])
    assert "cursor" not in pages[-1]
    return pages


@pytest.mark.parametrize("sort", ["created_at:desc", "created_at:asc"])
async def test_runs_behind_the_bound_of_a_page_in_any_order_end_exact_and_complete(tmp_path: Path, sort: str) -> None:
    upstream = Upstream()
    upstream.largest = 1
    # Whichever way it is asked for, the first row is the last in order, so that its page leads nowhere.
    upstream.runs = [run_of(number) for number in (0, 5, 3, 1, 4, 2, 9)]
    async with client_of(tmp_path, upstream) as client:
        pages = await follow(client, "list_runs", job="backup", limit=1, sort=sort)
    assert pages[0]["total"] == {"value": 7, "kind": "exact"}
    assert not pages[-1]["coverage"]["complete"]
    assert pages[-1]["total"] == {"kind": "unknown"}
    assert any("counts more rows than it listed in order" in note for note in pages[-1]["notes"])


async def test_a_walk_whose_last_runs_went_meanwhile_is_complete_all_the_same(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.runs = [run_of(number) for number in reversed(range(6))]
    async with client_of(tmp_path, upstream) as client:
        first = (await answer(client, "list_runs", job="backup", limit=2))[1]
        del upstream.runs[-2:]
        last = (await answer(client, "list_runs", cursor=first["cursor"]))[1]
    assert last["coverage"]["complete"]
    assert last["total"] == {"value": 4, "kind": "exact"}


async def test_a_run_without_a_time_ends_no_walk(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.runs = [run_of(number) for number in reversed(range(4))]
    upstream.runs[0]["createdAt"] = 7
    upstream.sick = lambda request: page_of(upstream, request) if request.url.path == "/api/runs" else None
    async with client_of(tmp_path, upstream) as client:
        pages = await follow(client, "list_runs", job="backup", limit=20)
    assert ids(pages) == [run["id"] for run in upstream.runs]
    assert any("could not be read" in note for page in pages for note in page["notes"])


def page_of(upstream: Upstream, request: httpx2.Request) -> httpx2.Response:
    """Return one run at an offset, and none that was created before some time."""
    start = int(request.url.params.get("offset", 0))
    rows = [] if "createdBefore" in request.url.params else upstream.runs
    return httpx2.Response(200, json={"items": rows[start : start + 1], "total": len(rows)})


@pytest.mark.parametrize("kind", ["blaxel", "runwisp", "legacy"])
async def test_a_walk_from_the_oldest_on_says_what_is_the_oldest_on_its_last_page_too(
    tmp_path: Path, kind: str
) -> None:
    upstream = Upstream()
    upstream.executions = [execution_of(number) for number in range(5)]
    upstream.runs = [run_of(number) for number in (range(5) if kind == "legacy" else reversed(range(5)))]
    if kind == "legacy":
        list_by_offset(upstream, 1_000)
    tool, job = ("list_executions", "etl") if kind == "blaxel" else ("list_runs", "backup")
    async with client_of(tmp_path, upstream) as client:
        pages = await follow(client, tool, job=job, since=SINCE, sort="created_at:asc", limit=2)
    assert len(pages) == 3
    assert pages[-1]["coverage"]["back_to"] == "2026-11-01T00:00:00Z"
    assert any("oldest there is: 2026-11-01T00:00:00Z" in note for note in pages[-1]["notes"])


async def test_a_definition_that_is_sent_twice_is_listed_once(tmp_path: Path) -> None:
    upstream = Upstream()
    tasks = [{"name": name, "kind": "task"} for name in ("backup", "clean", "backup", "archive")]
    upstream.sick = lambda request: json_of({"items": tasks})(request) if request.url.path == "/api/tasks" else None
    async with client_of(tmp_path, upstream) as client:
        found = await follow(client, "list_jobs", source="runwisp", limit=2)
    assert [one["name"] for page in found for one in rows_of(page)] == ["archive", "backup", "clean"]
    assert found[-1]["total"] == {"value": 3, "kind": "exact"}


async def test_a_count_below_what_was_listed_is_no_total(tmp_path: Path) -> None:
    upstream = Upstream()
    jobs = [{"metadata": {"name": f"job-{number}"}, "status": "DEPLOYED"} for number in range(4)]
    upstream.sick = lambda request: (
        json_of({"data": jobs[:3], "meta": {"hasMore": True, "nextCursor": "c", "total": 2}})(request)
        if request.url.path == "/v0/jobs" and "cursor" not in request.url.params
        else json_of({"data": jobs[3:], "meta": {"hasMore": False, "total": 2}})(request)
        if request.url.path == "/v0/jobs"
        else None
    )
    async with client_of(tmp_path, upstream) as client:
        pages = await follow(client, "list_jobs", source="blaxel", limit=3)
    assert [page["total"] for page in pages] == [{"value": 3, "kind": "at_least"}, {"value": 4, "kind": "exact"}]


async def test_a_history_whose_rows_may_be_missing_is_not_complete(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.sick = lambda request: (
        json_of({"items": upstream.runs, "total": 1})(request) if request.url.path == "/api/runs" else None
    )
    async with client_of(tmp_path, upstream) as client:
        window = {"since": "2026-11-01T00:02:00Z", "until": "2026-11-02"}
        for job in ({"job": "backup"}, {}):
            text, found = await answer(client, "history", source="runwisp", **job, **window)
            assert not found["coverage"]["complete"]
            assert "NOT COMPLETE" in text or "PARTIAL" in text
            assert "sent more rows than it counts" in text


async def test_never_succeeded_is_said_only_where_no_success_can_be_missing(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.runs = [run_of(1, "failed")]
    lying = json_of({"items": upstream.runs, "total": 0})
    upstream.sick = lambda request: lying(request) if request.url.path == "/api/runs" else None
    async with client_of(tmp_path, upstream) as client:
        _, found = await answer(client, "history", source="runwisp")
    (row,) = rows_of(found)
    assert "never_succeeded" not in row
    assert row["last_status"] == "failed"


async def test_nothing_is_judged_as_missed_where_no_run_of_the_job_was_read(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.runs = [run_of(number, taskName="other") for number in reversed(range(3))]
    tasks = json_of({"items": [{"name": "backup", "kind": "task", "cron": "* * * * *", "timezone": "UTC"}]})

    def answer_foreign(request: httpx2.Request) -> httpx2.Response | None:
        if request.url.path == "/api/tasks":
            return tasks(request)
        # The first page has another task's runs, and there is none after it.
        rows = [] if "createdBefore" in request.url.params else upstream.runs[:1]
        return json_of({"items": rows, "total": 9})(request) if request.url.path == "/api/runs" else None

    upstream.sick = answer_foreign
    async with client_of(tmp_path, upstream) as client:
        text, found = await answer(client, "find_missed", job="backup", source="runwisp", since="2026-11-01")
    assert (found["due"], found["missed"]) == (0, 0)
    assert not found["coverage"]["complete"]
    assert "cursor" in found
    assert "note: stopped early: " in text


async def test_a_row_that_another_list_contradicts_is_not_of_all_that_ran(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.runs = [run_of(number, "failed") for number in reversed(range(3))]

    def answer_runs(request: httpx2.Request) -> httpx2.Response | None:
        # A success is shown only where successes are asked for.
        if request.url.path == "/api/runs" and request.url.params.get("status") == "succeeded":
            return json_of({"items": [run_of(30)], "total": 1})(request)
        return None

    upstream.sick = answer_runs
    async with client_of(tmp_path, upstream) as client:
        text, found = await answer(client, "history", source="runwisp", since="2026-11-01")
    (row,) = rows_of(found)
    assert not found["coverage"]["complete"]
    assert "NOT COMPLETE" in text
    assert "note: runwisp/backup: not all that it ran is in the list that was read" in text
    assert row["read_s"] == 0
    assert "rate_before" not in row


async def test_a_job_whose_oldest_run_succeeded_is_not_said_to_have_never_succeeded(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.runs = [run_of(number, "failed") for number in (2, 1)]

    def answer_runs(request: httpx2.Request) -> httpx2.Response | None:
        # The oldest is shown only where the oldest comes first.
        query = request.url.params
        if request.url.path == "/api/runs" and query.get("sortDirection") == "asc":
            return json_of({"items": [run_of(0)], "total": 1})(request)
        return None

    upstream.sick = answer_runs
    async with client_of(tmp_path, upstream) as client:
        _, found = await answer(client, "history", source="runwisp")
    (row,) = rows_of(found)
    assert "never_succeeded" not in row
    assert row["success_ago_s"] == row["kept_s"]


async def test_all_jobs_are_read_back_to_no_time_where_an_order_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_records, "_OF_ALL", 3)
    monkeypatch.setattr(job_records, "_OF_ONE", 3)
    upstream = Upstream()
    upstream.runs = [run_of(number) for number in (5, 9, 1, 8, 7)]
    upstream.sick = lambda request: (
        json_of({"items": upstream.runs, "total": 5})(request) if request.url.path == "/api/runs" else None
    )
    async with client_of(tmp_path, upstream) as client:
        _, found = await answer(client, "history", source="runwisp", since="2026-11-01T00:02:00Z")
    assert not found["coverage"]["complete"]
    assert rows_of(found)[0]["read_s"] == 0
