"""The RunWisp side, parameter by parameter, as its seed document says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jobtrail.plane import Event, Store
from tests.plane.stocks import at, client_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

pytestmark = pytest.mark.anyio

RUNS = "/tasks/nightly/runs"
ENDINGS = (
    ("success", 0), ("failed", 2), ("timeout", -1), ("crashed", 139), ("stopped", -1), ("log_overflow", 1),
)  # fmt: skip
FIELDS = ("task_name", "status", "start_at", "exit_code", "duration", "created_at")


def ulid(number: int) -> str:
    return f"01JZ{number:022}"


def run(number: int, task: str = "nightly") -> list[Event]:
    """Return a run that ends in the way its number says, or has not ended, or has not begun."""
    name = ulid(number)
    body: dict[str, Any] = {"triggered_by": "cron"}
    if number == 7:
        body = {"triggered_by": "api", "retry_attempt": 1, "retry_of_run_id": ulid(6), "replica_index": 2}
    events = [Event("run.created", at(number), name, task, body=body)]
    if number == 0:
        return events
    if number == 5:
        skipped = {"end_reason": "skipped", "exit_code": 0}
        return [*events, Event("run.status", at(number), name, task, "ended", skipped)]
    events.append(Event("run.status", at(number + 0.5), name, task, "running"))
    if number != 1:
        reason, code = ENDINGS[number % len(ENDINGS)]
        ended = {"end_reason": reason, "exit_code": code}
        # The later ones are the shorter ones.
        events.append(Event("run.status", at(number + 0.5 + 1000 / (number + 1)), name, task, "ended", ended))
    return events


@pytest.fixture(scope="module")
def stock() -> Iterator[Store]:
    """60 runs of one task, 1,010 of another, none of a third."""
    store = Store(None)
    names = ("nightly", "often", "never", "x" * 100, "A.b_c-9")
    store.record([Event("definition", at(0), name, body={"name": name, "kind": "task"}) for name in names])
    store.record([event for number in range(60) for event in run(number)])
    store.record([event for number in range(60, 1070) for event in run(number, "often")])
    yield store
    store.close()


async def runs_of(client: httpx2.AsyncClient, path: str = RUNS, **params: Any) -> list[dict[str, Any]]:
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["runs"] or []


async def problems(client: httpx2.AsyncClient, path: str, **params: Any) -> list[dict[str, Any]]:
    """Return what a 422 lists, whose body is problem+json."""
    answer = await client.get(path, params=params)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["title"], body["status"], body["detail"]) == ("Unprocessable Entity", 422, "validation failed")
    assert all(set(one) == {"message", "location", "value"} for one in body["errors"])
    return body["errors"]


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
    """Return what the sort by a field compares; what has no value comes before all others."""
    number = int(one["id"][4:])
    start, end = one.get("start_at", ""), one.get("end_at", "")
    return {
        "task_name": one["task_name"],
        "status": one.get("end_reason", one["status"]),
        "start_at": start,
        "exit_code": one["exit_code"],
        "duration": -number if start and end else -1000,
        "created_at": one["created_at"],
    }[field]


@pytest.mark.parametrize("field", FIELDS)
async def test_runs_are_sorted_by_each_field_in_both_directions(stock: Store, field: str) -> None:
    async with client_of(stock, "/api") as client:
        up = await runs_of(client, limit=100, sort_field=field, sort_direction="asc")
        down = await runs_of(client, limit=100, sort_field=field, sort_direction="desc")
        by_default = await runs_of(client, limit=100, sort_field=field)
    assert len(up) == 60
    # Ties are broken by time, so the order is one and the same in every answer.
    expected = sorted(up, key=lambda one: (rank(one, field), one["created_at"]))
    assert [one["id"] for one in up] == [one["id"] for one in expected]
    assert down == by_default == up[::-1]


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
    assert '"task_name", "status", "start_at", "exit_code", "duration", "created_at"' in found[1]["message"]


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
        for search, total in (("", 60), ("NIGHT", 60), (ulid(33).lower(), 1), ("000005", 11), ("%", 0), ("zzz", 0)):
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
            "triggered_by": "api",
            "retry_attempt": 1,
            "retry_of_run_id": ulid(6),
            "replica_index": 2,
        },
    ]
    async with client_of(stock, "/api") as client:
        listed = await runs_of(client, limit=8, sort_direction="asc")
        single = [(await client.get(f"/runs/{one['id']}")).json() for one in expected]
    assert [one for one in listed if one["id"] in {run["id"] for run in expected}] == expected
    assert single == expected


@pytest.mark.parametrize("name", ["x" * 101, "a b", "é", "a+", "nightly;"])
async def test_a_task_name_outside_the_pattern_is_refused(stock: Store, name: str) -> None:
    quoted = "".join(f"%{byte:02X}" for byte in name.encode())
    async with client_of(stock, "/api") as client:
        (problem,) = await problems(client, f"/tasks/{quoted}/runs")
    assert problem == {
        "message": "expected string to match pattern ^[a-zA-Z0-9._-]+$",
        "location": "path.taskName",
        "value": name,
    }


@pytest.mark.parametrize("name", ["x" * 100, "A.b_c-9"])
async def test_a_task_name_within_the_pattern_is_looked_up(stock: Store, name: str) -> None:
    async with client_of(stock, "/api") as client:
        assert await runs_of(client, f"/tasks/{name}/runs") == []


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/tasks/none/runs", "task not found"),
        ("/tasks/%2E%2E/runs", "task not found"),
        (f"/runs/{ulid(99999)}", "run not found"),
        ("/nothing", "no such endpoint"),
    ],
)
async def test_what_is_not_there_is_a_problem_of_its_own(stock: Store, path: str, detail: str) -> None:
    async with client_of(stock, "/api") as client:
        answer = await client.get(path)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code == 404
    assert answer.json() == {"title": "Not Found", "status": 404, "detail": detail}


@pytest.mark.parametrize("identity", ["x", ulid(1).lower(), ulid(1) + "0", "01JZ" + "U" * 22, "..", "%00"])
async def test_a_malformed_run_id_is_refused(stock: Store, identity: str) -> None:
    quoted = "".join(f"%{byte:02X}" for byte in identity.encode())
    async with client_of(stock, "/api") as client:
        (problem,) = await problems(client, f"/runs/{quoted}")
    assert (problem["location"], problem["value"]) == ("path.runId", identity)


async def test_definitions_are_listed_by_name(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        body = (await client.get("/tasks")).json()
    assert body["$schema"] == "http://plane.invalid/schemas/TasksResponseBody.json"
    assert [one["name"] for one in body["items"]] == ["A.b_c-9", "never", "nightly", "often", "x" * 100]


async def test_the_schema_url_is_of_the_host_that_was_asked(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        answer = await client.get("/tasks", headers={"Host": "other.example:9477"})
        odd = await client.get("/tasks", headers={"Host": "[bad"})
    assert answer.json()["$schema"] == "http://other.example:9477/schemas/TasksResponseBody.json"
    assert odd.status_code == 200
