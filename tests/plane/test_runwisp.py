"""The RunWisp endpoint of the seed document, parameter by parameter, as it says."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from jobtrail.plane import Event, Store
from tests.plane.runwisp_stock import ordered, problems, stocked_runs, ulid
from tests.plane.stocks import at, client_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

pytestmark = pytest.mark.anyio

RUNS = "/tasks/nightly/runs"
FIELDS = ("task_name", "status", "start_at", "exit_code", "duration", "created_at")
WORDS = {
    "succeeded": "success", "success": "success", "failed": "failed", "stopped": "stopped", "timeout": "timeout",
    "crashed": "crashed", "skipped": "skipped", "log_overflow": "log_overflow", "queue_full": "skipped",
    "dst_skipped": "skipped", "missed": "skipped", "daemon_stopped": "stopped", "start_failed": "failed",
}  # fmt: skip
"""End reasons as they may be recorded, and as the seed document spells them."""
TRIGGERS = {
    "cron": "cron", "api": "api", "cloud": "cloud", "station": "cloud", "ui": "api", "cli": "api", "service": "cron",
    "startup": "cron",
}  # fmt: skip


@pytest.fixture(scope="module")
def stock() -> Iterator[Store]:
    with closing(stocked_runs()) as store:
        yield store


async def runs_of(client: httpx2.AsyncClient, path: str = RUNS, **params: Any) -> list[dict[str, Any]]:
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["runs"] or []


async def test_a_page_has_50_runs_unless_told_and_at_most_1000(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        for path, limit, length in (
            (RUNS, {}, 50),
            (RUNS, {"limit": ""}, 50),
            (RUNS, {"limit": 1}, 1),
            ("/tasks/often/runs", {"limit": 1000}, 1000),
        ):
            assert len(await runs_of(client, path, **limit)) == length


@pytest.mark.parametrize(
    ("limit", "message", "value"),
    [
        ("0", "expected number >= 1", 0),
        ("-5", "expected number >= 1", -5),
        ("1001", "expected number <= 1000", 1001),
        ("ten", "invalid integer", "ten"),
        ("1.5", "invalid integer", "1.5"),
        ("9" * 40, "invalid integer", "9" * 40),
    ],
)
async def test_another_limit_is_refused(stock: Store, limit: str, message: str, value: int | str) -> None:
    async with client_of(stock, "/api") as client:
        found = await problems(client, RUNS, limit=limit)
    assert found == [{"message": message, "location": "query.limit", "value": value}]


async def test_the_offset_skips_that_many_runs(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        everything = [one["id"] for one in await runs_of(client, limit=100)]
        assert len(everything) == 60
        for offset in (0, 1, 59, 60, 10**17):
            page = await runs_of(client, offset=offset, limit=7)
            assert [one["id"] for one in page] == everything[offset : offset + 7]
            assert (await client.get(RUNS, params={"offset": offset})).json()["total"] == 60
        for offset in ("-1", "x"):
            assert [one["location"] for one in await problems(client, RUNS, offset=offset)] == ["query.offset"]


async def test_the_newest_runs_come_first_and_an_empty_sort_is_the_same(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        assert [one["id"] for one in await runs_of(client, limit=2)] == [ulid(59), ulid(58)]
        assert [one["id"] for one in await runs_of(client, limit=2, sort_field="", sort_direction="")] == [
            ulid(59),
            ulid(58),
        ]
        assert [one["id"] for one in await runs_of(client, limit=2, sort_direction="asc")] == [ulid(0), ulid(1)]


def rank(one: dict[str, Any], field: str) -> Any:
    """Return what the sort by a field compares, as RunWisp 1.0.1 was measured to do it."""
    start, end = one.get("start_at"), one.get("end_at")
    took = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() if start and end else 0
    return {
        "task_name": one["task_name"],
        "status": one["status"],
        # One that has not begun counts as begun when it was created.
        "start_at": (start or one["created_at"], one["created_at"]),
        "exit_code": one["exit_code"],
        "duration": took,
        "created_at": one["created_at"],
    }[field]


@pytest.mark.parametrize("direction", ["asc", "desc", ""])
@pytest.mark.parametrize("field", FIELDS)
async def test_runs_are_sorted_by_each_field_in_both_directions(stock: Store, field: str, direction: str) -> None:
    async with client_of(stock, "/api") as client:
        inserted = await runs_of(client, limit=100, sort_direction="asc")
        found = await runs_of(client, limit=100, sort_field=field, sort_direction=direction)
    assert len(found) == 60
    assert found == ordered(inserted, lambda one: rank(one, field), direction)


@pytest.mark.parametrize("field", FIELDS)
async def test_pages_by_offset_make_up_the_whole_list(stock: Store, field: str) -> None:
    async with client_of(stock, "/api") as client:
        whole = await runs_of(client, limit=100, sort_field=field)
        pages = [await runs_of(client, limit=13, offset=offset, sort_field=field) for offset in range(0, 60, 13)]
    assert [one for page in pages for one in page] == whole


async def test_an_unknown_sort_is_refused_with_what_is_allowed(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        found = await problems(client, RUNS, sort_field="name", sort_direction="ASC", limit="0")
    assert [(one["location"], one["value"]) for one in found] == [
        ("query.limit", 0),
        ("query.sort_field", "name"),
        ("query.sort_direction", "ASC"),
    ]
    words = "task_name, status, start_at, exit_code, duration, created_at, "
    assert found[1]["message"] == f'expected value to be one of "{words}"'
    assert found[2]["message"] == 'expected value to be one of "asc, desc, "'


@pytest.mark.parametrize(
    ("status", "total"),
    [
        ("", 60),
        ("pending", 1),
        ("running", 1),
        ("ended", 58),
        ("skipped", 1),
        ("success", 9),
        ("failed", 9),
        ("log_overflow", 9),
        ("no_such_word", 0),
        ("FAILED", 0),
        ("failed' OR '1'='1", 0),
    ],
)
async def test_status_is_a_phase_or_an_end_reason(stock: Store, status: str, total: int) -> None:
    async with client_of(stock, "/api") as client:
        found = await runs_of(client, status=status, limit=100)
        counted = (await client.get(RUNS, params={"status": status, "limit": 1})).json()["total"]
    assert (len(found), counted) == (total, total)
    assert not status or all(status in {one["status"], one.get("end_reason")} for one in found)


async def test_the_task_name_filter_leaves_this_task_or_nothing(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        for name, total in (("nightly", 60), ("", 60), ("often", 0), ("none", 0)):
            assert (await client.get(RUNS, params={"task_name": name})).json()["total"] == total


async def test_search_looks_in_the_task_name_and_the_run_id(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        for search, total in (
            ("", 60),
            ("NIGHT", 60),
            (ulid(33).lower(), 1),
            ("000005", 11),
            ("ni%gh_t", 60),
            ("%", 60),
            ("zzz", 0),
        ):
            assert (await client.get(RUNS, params={"search": search})).json()["total"] == total, search
        both = (await client.get(RUNS, params={"search": "000005", "status": "success"})).json()
        assert {one["id"] for one in both["runs"]} == {ulid(54)}


async def test_a_list_without_runs_holds_null(stock: Store) -> None:
    empty = {"$schema": "http://plane.invalid/schemas/RunsResponseBody.json", "runs": None, "total": 0}
    async with client_of(stock, "/api") as client:
        assert (await client.get("/tasks/never/runs")).json() == empty
        beyond = (await client.get(RUNS, params={"offset": 60})).json()
        assert beyond == {**empty, "total": 60}


async def test_a_run_has_the_documented_fields_and_only_those_it_can_have(stock: Store) -> None:
    common = {
        "$schema": "http://plane.invalid/schemas/Run.json",
        "task_name": "nightly",
        "exit_code": 0,
        "retry_attempt": 0,
        "replica_index": 0,
        "triggered_by": "cron",
    }
    expected = [
        {**common, "id": ulid(0), "status": "pending", "created_at": "2026-11-01T00:00:00Z"},
        {
            **common,
            "id": ulid(1),
            "status": "running",
            "created_at": "2026-11-01T00:01:00Z",
            "start_at": "2026-11-01T00:01:30Z",
        },
        {
            **common,
            "id": ulid(5),
            "status": "ended",
            "end_reason": "skipped",
            "created_at": "2026-11-01T00:05:00Z",
            "end_at": "2026-11-01T00:05:00Z",
        },
        {
            **common,
            "id": ulid(7),
            "status": "ended",
            "end_reason": "failed",
            "exit_code": 2,
            "created_at": "2026-11-01T00:07:00Z",
            "start_at": "2026-11-01T00:07:30Z",
            "end_at": "2026-11-01T02:12:30Z",
            "external_execution_id": "execution-7",
            "triggered_by": "cloud",
            "retry_attempt": 1,
            "retry_of_run_id": ulid(6),
            "replica_index": 2,
        },
    ]
    async with client_of(stock, "/api") as client:
        listed = await runs_of(client, limit=8, sort_direction="asc")
    assert [one for one in listed if one["id"] in {run["id"] for run in expected}] == expected


async def test_words_that_the_seed_document_does_not_have_become_the_nearest_it_has() -> None:
    with closing(Store(None)) as store:
        store.record([Event("definition", at(0), "t", body={"name": "t"})])
        for number, (reason, trigger) in enumerate(zip(WORDS, [*TRIGGERS, *["cron"] * 9], strict=False)):
            name, ended = ulid(number), {"end_reason": reason, "exit_code": 0}
            store.record([Event("run.created", at(number), name, "t", body={"triggered_by": trigger})])
            store.record([Event("run.status", at(number), name, "t", "ended", ended)])
        async with client_of(store, "/api") as client:
            listed = await runs_of(client, "/tasks/t/runs", sort_direction="asc")
            assert [one["end_reason"] for one in listed] == [*WORDS.values()]
            assert [one["triggered_by"] for one in listed][: len(TRIGGERS)] == [*TRIGGERS.values()]
            for word in {*WORDS.values()}:
                found = await runs_of(client, "/tasks/t/runs", status=word)
                assert [one["end_reason"] for one in found] == [word] * [*WORDS.values()].count(word)
            # What it shows as another word it does not know by its own.
            assert await runs_of(client, "/tasks/t/runs", status="missed") == []


@pytest.mark.parametrize("name", ["a b", "é", "a+", "nightly;", "a:b"])
async def test_a_task_name_outside_the_pattern_is_refused(stock: Store, name: str) -> None:
    quoted = "".join(f"%{byte:02X}" for byte in name.encode())
    async with client_of(stock, "/api") as client:
        (problem,) = await problems(client, f"/tasks/{quoted}/runs")
    assert problem == {
        "message": "expected string to match pattern ^[a-zA-Z0-9._-]+$",
        "location": "path.taskName",
        "value": name,
    }


async def test_a_task_name_of_more_than_100_characters_is_refused(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        found = await problems(client, f"/tasks/{'x' * 101}/runs")
    assert found == [{"message": "expected length <= 100", "location": "path.taskName", "value": "x" * 101}]


@pytest.mark.parametrize("name", ["x" * 100, "A.b_c-9"])
async def test_a_task_name_within_the_pattern_is_looked_up(stock: Store, name: str) -> None:
    async with client_of(stock, "/api") as client:
        assert await runs_of(client, f"/tasks/{name}/runs") == []


@pytest.mark.parametrize("path", ["/tasks/none/runs", "/tasks/%2E%2E/runs"])
async def test_a_task_that_is_not_there_is_a_problem_of_its_own(stock: Store, path: str) -> None:
    async with client_of(stock, "/api") as client:
        answer = await client.get(path)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code == 404
    schema = "http://plane.invalid/schemas/ErrorModel.json"
    assert answer.json() == {"$schema": schema, "title": "Not Found", "status": 404, "detail": "task not found"}


async def test_a_refusal_names_its_schema(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        answer = await client.get(RUNS, params={"limit": 0})
    assert answer.json()["$schema"] == "http://plane.invalid/schemas/ErrorModel.json"


async def test_the_schema_url_is_of_the_host_that_was_asked(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        answer = await client.get(RUNS, headers={"Host": "other.example:9477"})
        odd = await client.get(RUNS, headers={"Host": "[bad"})
    assert answer.json()["$schema"] == "http://other.example:9477/schemas/RunsResponseBody.json"
    assert odd.status_code == 200
