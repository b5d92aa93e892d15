"""The output of runs: a page by line numbers, and searching through that of a task's runs."""

from __future__ import annotations

import base64
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from jobtrail.plane import Event, Store
from jobtrail.plane.store import Line
from tests.plane.runwisp_stock import problems, ulid
from tests.plane.stocks import at, client_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

pytestmark = pytest.mark.anyio

RUNS, LINES = 120, 25
LONG, SILENT, GOING, ELSEWHERE = (ulid(number) for number in (500, 501, 502, 503))
SEARCH = "/tasks/nightly/log/search"


def events(identity: str, minute: float, task: str = "nightly", *, ended: bool = True) -> list[Event]:
    created = Event("run.created", at(minute), identity, task, body={"triggered_by": "cron"})
    begun = Event("run.status", at(minute), identity, task, "running")
    end = {"end_reason": "succeeded", "exit_code": 0}
    return [created, begun, Event("run.status", at(minute + 1), identity, task, "ended", end)][: 3 if ended else 2]


@pytest.fixture(scope="module")
def stock() -> Iterator[Store]:
    """120 runs of a task, two at each moment; each seventh says "boom" on its first and last line."""
    with closing(Store(None)) as store:
        for number in range(RUNS):
            identity = ulid(number)
            said = [f"line {line} of {number}" for line in range(LINES)]
            if number % 7 == 0:
                said[0] = said[-1] = f"Boom №{number}"
            lines = [
                Line(at(number // 2 + index / 100), identity, "", "stderr" if text[0] == "B" else "stdout", text)
                for index, text in enumerate(said)
            ]
            store.record(events(identity, number // 2), lines=lines)
        # As an import has them: without times, in the order in which they were brought in.
        many = [Line(0, LONG, "", "stdout", f"entry {number}") for number in range(2500)]
        store.record(events(LONG, 1, "other"), lines=many)
        store.record([*events(SILENT, 2, "other"), *events(GOING, 3, "other", ended=False)])
        store.record(events(ELSEWHERE, 4, "other"), lines=[Line(at(4), ELSEWHERE, "a task", "stdout", "boom")])
        yield store


async def page_of(client: httpx2.AsyncClient, run: str, **params: Any) -> dict[str, Any]:
    answer = await client.get(f"/runs/{run}/log", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("params", "first", "length"),
    [
        ({}, 1500, 1000),
        ({"from": ""}, 1500, 1000),
        ({"from": -20}, 2480, 20),
        ({"from": -20, "limit": 5}, 2480, 5),
        ({"from": -1}, 2499, 1),
        ({"from": 0, "limit": 3}, 0, 3),
        ({"from": "-0", "limit": 3}, 0, 3),
        ({"from": 2498}, 2498, 2),
        ({"from": -100_000, "limit": 2}, 0, 2),
        ({"from": -(2**63), "limit": 1}, 0, 1),
        ({"from": 0, "limit": 10_000}, 0, 2500),
        ({"limit": 2}, 1500, 2),
        ({"from": 2500}, None, 0),
        ({"from": 2**63 - 1}, None, 0),
    ],
)
async def test_a_page_of_a_log_begins_at_a_line_or_so_many_before_the_end(
    stock: Store, params: dict[str, Any], first: int | None, length: int
) -> None:
    async with client_of(stock, "/api") as client:
        page = await page_of(client, LONG, **params)
    lines = page.pop("lines")
    assert page == {"firstAvailable": 0, "totalLines": 2500, "truncated": False, "finalized": True}
    assert len(lines) == length
    expected = range(first, first + length) if first is not None else ()
    assert [(one["n"], one["text"]) for one in lines] == [(number, f"entry {number}") for number in expected]


async def test_a_line_says_when_and_where_it_was_printed_if_that_is_known(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        known = await page_of(client, ulid(7), limit=2, **{"from": 0})
        unknown = await page_of(client, LONG, limit=1, **{"from": 0})
    millis = int(at(3).timestamp() * 1000)
    assert known["lines"] == [
        {"n": 0, "ts": millis, "stream": "stderr", "text": "Boom №7"},
        {"n": 1, "ts": millis + 600, "stream": "stdout", "text": "line 1 of 7"},
    ]
    assert unknown["lines"][0]["ts"] == 0


async def test_a_run_that_printed_nothing_has_an_empty_log_that_is_final_once_it_ended(stock: Store) -> None:
    nothing: dict[str, Any] = {"lines": [], "firstAvailable": 0, "totalLines": 0, "truncated": False}
    async with client_of(stock, "/api") as client:
        assert await page_of(client, SILENT) == {**nothing, "finalized": True}
        assert await page_of(client, GOING) == {**nothing, "finalized": False}
        # What a task of an execution printed is not a run's.
        assert await page_of(client, ELSEWHERE) == {**nothing, "finalized": True}


async def test_a_log_of_no_run_and_a_page_of_none_are_refused(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        missing = await client.get(f"/runs/{ulid(999)}/log")
        assert (missing.status_code, missing.json()["detail"]) == (404, "record not found")
        for limit, message in ((0, "expected number >= 1"), (10_001, "expected number <= 10000")):
            (problem,) = await problems(client, f"/runs/{LONG}/log", limit=limit)
            assert problem == {"message": message, "location": "query.limit", "value": limit}
        found = await problems(client, "/runs/x/log", limit="x", **{"from": 2**63})
    assert [one["location"] for one in found] == ["path.runId", "path.runId", "query.from", "query.limit"]


async def search(client: httpx2.AsyncClient, path: str = SEARCH, **params: Any) -> dict[str, Any]:
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def walk(client: httpx2.AsyncClient, **params: Any) -> list[dict[str, Any]]:
    pages = [await search(client, **params)]
    while not pages[-1]["exhausted"]:
        pages.append(await search(client, **params, cursor=pages[-1]["nextCursor"]))
    assert "nextCursor" not in pages[-1]
    return pages


def expected() -> list[tuple[str, int]]:
    """Where "boom" was said: of the newest run first, those of one moment in the order of insertion."""
    newest_first = sorted(range(RUNS), key=lambda number: number // 2, reverse=True)
    return [(ulid(number), line) for number in newest_first if number % 7 == 0 for line in (0, LINES - 1)]


async def test_a_search_looks_through_50_runs_a_call_the_newest_first(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        pages = await walk(client, q="boom")
    assert [page["scannedRuns"] for page in pages] == [50, 50, 20]
    hits = [hit for page in pages for hit in page["items"]]
    assert [(hit["runId"], hit["n"]) for hit in hits] == expected()
    created = int(at(59).timestamp() * 1000)
    assert hits[0] == {"runId": ulid(119), "n": 0, "ts": created, "stream": "stderr", "text": "Boom №119"}


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_a_full_page_is_continued_at_the_next_line(stock: Store, limit: int) -> None:
    async with client_of(stock, "/api") as client:
        pages = await walk(client, q="boom", limit=limit)
    assert max(len(page["items"]) for page in pages) == limit
    assert [(hit["runId"], hit["n"]) for page in pages for hit in page["items"]] == expected()


async def test_runs_that_come_and_go_during_a_search_neither_repeat_nor_hide_what_was_there() -> None:
    with closing(Store(None)) as store:
        for number in range(120):
            store.record(events(ulid(number), number), lines=[Line(at(number), ulid(number), "", "stdout", "boom")])
        found: list[str] = []
        cursor, gone = "", 0
        async with client_of(store, "/api") as client:
            while True:
                page = await search(client, q="boom", limit=9, cursor=cursor)
                found += [hit["runId"] for hit in page["items"]]
                if page["exhausted"]:
                    break
                cursor = page["nextCursor"]
                # A newer run comes, and the one at which the next page begins goes.
                new = ulid(1000 + len(found))
                store.record(events(new, 1000 + len(found)), lines=[Line(at(0), new, "", "stdout", "boom")])
                with store.transaction() as db:
                    _, seq, _ = json.loads(base64.urlsafe_b64decode(cursor))
                    gone += db.execute("DELETE FROM runs WHERE seq = ?", (seq,)).rowcount
    assert gone > 5
    assert len(found) == len(set(found)) == 120 - gone
    assert found == sorted(found, reverse=True)


async def test_a_search_minds_case_only_when_told(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        for wanted, exact, found in (("BOOM", "false", 2), ("Boom", "true", 2), ("boom", "true", 0), ("№7", "1", 2)):
            page = await search(client, q=wanted, case=exact, runId=ulid(7))
            assert (len(page["items"]), page["exhausted"], page["scannedRuns"]) == (found, True, 1), wanted


async def test_a_search_of_an_unknown_task_finds_nothing(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        assert await search(client, "/tasks/none/log/search", q="boom") == {
            "items": [],
            "exhausted": True,
            "scannedRuns": 0,
        }


@pytest.mark.parametrize(
    ("params", "status", "detail"),
    [
        ({}, 400, "logsearch: empty query"),
        ({"q": "", "cursor": "bad"}, 400, "logsearch: empty query"),
        ({"q": "x", "cursor": "bad", "runId": "bad"}, 400, "Invalid cursor"),
        ({"q": "x", "cursor": "e30="}, 400, "Invalid cursor"),
        ({"q": "x", "cursor": "é"}, 400, "Invalid cursor"),
        ({"q": "x", "cursor": base64.b64encode(b"[" * 5000).decode()}, 400, "Invalid cursor"),
        ({"q": "x", "cursor": base64.b64encode(b"[1,2,99999999999999999999]").decode()}, 400, "Invalid cursor"),
        ({"q": "x", "runId": "bad"}, 400, "Invalid run ID"),
        ({"q": "x", "runId": ulid(999)}, 404, "record not found"),
        ({"q": "x", "runId": LONG}, 404, "Run not found"),
        ({"q": "x.*", "regex": "true"}, 400, "logsearch: regular expressions are not supported here"),
    ],
)
async def test_a_search_that_makes_no_sense_is_refused(
    stock: Store, params: dict[str, str], status: int, detail: str
) -> None:
    async with client_of(stock, "/api") as client:
        answer = await client.get(SEARCH, params=params)
    assert answer.headers["content-type"] == "application/problem+json"
    title = {400: "Bad Request", 404: "Not Found"}[status]
    assert answer.json() == {"title": title, "status": status, "detail": detail}


async def test_the_bounds_of_a_search_are_the_documents(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        assert (await search(client, q="z" * 1024))["items"] == []
        found = await problems(client, SEARCH, q="z" * 1025, regex="maybe", case="maybe", limit=1001)
    assert [one["message"] for one in found] == [
        "expected length <= 1024",
        "invalid boolean",
        "invalid boolean",
        "expected number <= 1000",
    ]
