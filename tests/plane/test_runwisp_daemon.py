"""What the RunWisp side serves of 1.0.1's contract, in that dialect; the values expected were measured on a daemon.

tests/peers/test_runwisp_twin.py asks both, where there is a daemon.
"""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from jobtrail.plane import Event, Store
from tests.plane.runwisp_stock import NAMES, ordered, problems, stocked_runs, ulid
from tests.plane.stocks import at, client_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

pytestmark = pytest.mark.anyio

ENDINGS = (
    "succeeded", "failed", "stopped", "timeout", "crashed", "skipped", "log_overflow", "queue_full", "dst_skipped",
    "daemon_stopped", "missed", "start_failed",
)  # fmt: skip
FAILURES = {"failed", "timeout", "crashed", "log_overflow", "start_failed", "missed"}
TRIGGERS = ("cron", "api", "ui", "cli", "station", "service", "startup")
FIELDS = ("taskName", "status", "startedAt", "exitCode", "duration", "createdAt")
FIRST, LAST = "2026-11-01T00:00:00Z", "2026-11-01T00:13:00Z"


@pytest.fixture(scope="module")
def stock() -> Iterator[Store]:
    with closing(stocked_runs()) as store:
        yield store


@pytest.fixture(scope="module")
def worded() -> Iterator[Store]:
    """A run of each end reason, one that is pending and one that runs: two tasks, all triggers, some retries."""
    with closing(Store(None)) as store:
        for number, reason in enumerate(("pending", "running", *ENDINGS)):
            name, task = ulid(number), f"t{number % 2}"
            body = {"triggered_by": TRIGGERS[number % len(TRIGGERS)], "retry_attempt": number % 3 // 2}
            store.record([Event("run.created", at(number), name, task, body=body)])
            if number:
                store.record([Event("run.status", at(number + 0.5), name, task, "running")])
            if number > 1:
                ended = {"end_reason": reason, "exit_code": number % 4 - 1}
                store.record([Event("run.status", at(number + 1), name, task, "ended", ended)])
        yield store


async def page_of(client: httpx2.AsyncClient, **params: Any) -> tuple[list[dict[str, Any]], int]:
    answer = await client.get("/runs", params=params)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"items", "total"}
    return answer.json()["items"], answer.json()["total"]


async def words_of(client: httpx2.AsyncClient, **params: Any) -> set[str]:
    """Return the words of the runs that are found, which `total` counts."""
    items, total = await page_of(client, limit=1000, **params)
    assert total == len(items)
    return {one.get("endReason", one["status"]) for one in items}


async def test_a_page_has_50_runs_unless_told_and_at_most_1000_and_counts_them_all(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        for limit, length in (({}, 50), ({"limit": ""}, 50), ({"limit": 1}, 1), ({"limit": 1000}, 1000)):
            items, total = await page_of(client, **limit)
            assert (len(items), total) == (length, 1070)
        for limit, message in ((0, "expected number >= 1"), (1001, "expected number <= 1000")):
            found = await problems(client, "/runs", limit=limit)
            assert found == [{"message": message, "location": "query.limit", "value": limit}]


async def test_beyond_the_last_run_there_is_an_empty_list(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        for offset in (1070, 10**17, 2**63 - 1):
            assert await page_of(client, offset=offset) == ([], 1070)
        assert await page_of(client, taskName="never") == ([], 0)
        assert await page_of(client, taskName="no such task") == ([], 0)
        for offset in (-1, "x", 2**63):
            assert [one["location"] for one in await problems(client, "/runs", offset=offset)] == ["query.offset"]


def rank(one: dict[str, Any], field: str) -> Any:
    start, end = one.get("startedAt"), one.get("endedAt")
    took = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() if start and end else 0
    return {"startedAt": (start or one["createdAt"], one["createdAt"]), "duration": took}.get(field, one.get(field))


@pytest.mark.parametrize("task", ["nightly", ""])
@pytest.mark.parametrize("direction", ["asc", "desc", ""])
@pytest.mark.parametrize("field", FIELDS)
async def test_runs_are_sorted_by_each_field_in_both_directions(
    stock: Store, field: str, direction: str, task: str
) -> None:
    async with client_of(stock, "/api") as client:
        inserted, total = await page_of(client, limit=1000, taskName=task, sortDirection="asc")
        rest, _ = await page_of(client, limit=1000, taskName=task, sortDirection="asc", offset=1000)
        expected = ordered([*inserted, *rest], lambda one: rank(one, field), direction)
        order = {"sortField": field, "sortDirection": direction, "taskName": task}
        pages = [await page_of(client, limit=400, offset=offset, **order) for offset in range(0, total, 400)]
    assert len(expected) == total == (60 if task else 1070)
    assert [one["id"] for items, _ in pages for one in items] == [one["id"] for one in expected]


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("", {"pending", "running", *ENDINGS}),
        (",", {"pending", "running", *ENDINGS}),
        ("pending", {"pending"}),
        ("running,pending", {"pending", "running"}),
        ("ended", {*ENDINGS}),
        ("ended,running", {*ENDINGS, "running"}),
        (" failed , timeout,,", {"failed", "timeout"}),
        ("nope,failed", {"failed"}),
        ("Failed", set[str]()),
        ("success", set[str]()),
        ("failure", FAILURES),
        ("failure,stopped", {*FAILURES, "stopped"}),
        *((word, {word}) for word in ENDINGS),
    ],
)
async def test_a_status_list_mixes_phases_and_end_reasons(worded: Store, status: str, found: set[str]) -> None:
    async with client_of(worded, "/api") as client:
        assert await words_of(client, status=status) == found
        halves = [await words_of(client, status=status, taskName=task) for task in ("t0", "t1")]
        assert halves[0] | halves[1] == found
        assert await words_of(client, status=status, createdAfter=FIRST) == found
        assert await words_of(client, status=status, sortField="duration") == found


async def test_failures_are_matched_besides_the_statuses(worded: Store) -> None:
    async with client_of(worded, "/api") as client:
        for text in ("true", "1", "t", "T", "TRUE", "True"):
            assert await words_of(client, isFailure=text) == FAILURES
        assert await words_of(client, isFailure="true", status="succeeded") == {*FAILURES, "succeeded"}
        assert await words_of(client, isFailure="true", status="nope") == FAILURES
        for text in ("false", "0", "f", "F", "FALSE", "False", ""):
            assert len(await words_of(client, isFailure=text)) == 14
        (problem,) = await problems(client, "/runs", isFailure="yes")
        assert problem == {"message": "invalid boolean", "location": "query.isFailure", "value": "yes"}


async def test_what_counts_as_a_failure_is_as_it_was_recorded_where_it_was() -> None:
    with closing(Store(None)) as store:
        for number, (reason, failure) in enumerate([("stopped", True), ("failed", False), ("failed", None)]):
            body = {"triggered_by": "cron"} | ({} if failure is None else {"is_failure": failure})
            store.record([Event("run.created", at(number), ulid(number), "t", body=body)])
            store.record([Event("run.status", at(9), ulid(number), "t", "ended", {"end_reason": reason})])
        async with client_of(store, "/api") as client:
            items, _ = await page_of(client, sortDirection="asc")
            assert [one["isFailure"] for one in items] == [True, False, True]
            found, _ = await page_of(client, isFailure="true")
            assert {one["id"] for one in found} == {ulid(0), ulid(2)}


@pytest.mark.parametrize("trigger", TRIGGERS)
async def test_runs_are_filtered_by_what_triggered_them(worded: Store, trigger: str) -> None:
    async with client_of(worded, "/api") as client:
        items, total = await page_of(client, triggeredBy=trigger)
    assert (total, {one["triggeredBy"] for one in items}) == (2, {trigger})


async def test_another_trigger_is_refused(worded: Store) -> None:
    async with client_of(worded, "/api") as client:
        (problem,) = await problems(client, "/runs", triggeredBy="cloud")
    assert problem["message"] == f'expected value to be one of "{", ".join(TRIGGERS)}, "'


async def test_retries_alone_are_found(worded: Store) -> None:
    async with client_of(worded, "/api") as client:
        items, total = await page_of(client, retriesOnly="true")
        assert len(items) == total == 4
        assert all(one["retryAttempt"] > 0 for one in items)
        assert (await page_of(client, retriesOnly="false"))[1] == 14


@pytest.mark.parametrize(
    ("bounds", "codes"),
    [
        ({}, {-1, 0, 1, 2}),
        ({"exitCodeMin": "0"}, {0, 1, 2}),
        ({"exitCodeMin": "-0"}, {0, 1, 2}),
        ({"exitCodeMax": "-1"}, {-1}),
        ({"exitCodeMin": "01", "exitCodeMax": "1"}, {1}),
        ({"exitCodeMin": "2", "exitCodeMax": "1"}, set[int]()),
        ({"exitCodeMin": "9" * 40}, {-1, 0, 1, 2}),
        ({"exitCodeMin": str(2**63 - 1)}, set[int]()),
    ],
)
async def test_exit_codes_have_bounds_and_one_that_is_none_is_passed_over(
    worded: Store, bounds: dict[str, str], codes: set[int]
) -> None:
    async with client_of(worded, "/api") as client:
        items, total = await page_of(client, **bounds)
    assert total == len(items)
    assert {one["exitCode"] for one in items} == codes


@pytest.mark.parametrize("text", ["x", "1.5", "+1", "--1", "1\n", "\uff11"])
async def test_what_is_no_exit_code_is_refused(worded: Store, text: str) -> None:
    async with client_of(worded, "/api") as client:
        (problem,) = await problems(client, "/runs", exitCodeMin=text)
    message = "expected string to match pattern ^-?[0-9]+$"
    assert problem == {"message": message, "location": "query.exitCodeMin", "value": text}


@pytest.mark.parametrize(
    ("bound", "kept"),
    [
        ({"createdBefore": "2026-11-01T00:02:00Z"}, range(3)),
        ({"createdBefore": "2026-11-01T01:02:00+01:00"}, range(3)),
        ({"createdBefore": "2026-11-01T00:01:59.999999999Z"}, range(2)),
        ({"createdBefore": "2026-11-01T00:02:00,0000000009Z"}, range(3)),
        ({"createdAfter": "2026-11-01T00:12:00Z"}, range(12, 14)),
        ({"createdAfter": "2026-11-01T00:12:00.000000001Z"}, range(13, 14)),
        ({"createdAfter": FIRST, "createdBefore": FIRST}, range(1)),
        ({"createdAfter": LAST, "createdBefore": FIRST}, range(0)),
        ({"createdBefore": "9999-12-31T23:59:59Z"}, range(14)),
        ({"createdAfter": "9999-12-31T23:59:59Z"}, range(0)),
        ({"createdBefore": "0000-02-29T00:00:00Z"}, range(0)),
        ({"createdAfter": "0001-01-01T00:00:00.000000001Z"}, range(14)),
        # Go's zero time counts as none.
        ({"createdBefore": "0001-01-01T00:00:00Z"}, range(14)),
        ({"createdBefore": ""}, range(14)),
    ],
)
async def test_times_are_inclusive_to_the_nanosecond(worded: Store, bound: dict[str, str], kept: range) -> None:
    async with client_of(worded, "/api") as client:
        items, total = await page_of(client, sortDirection="asc", **bound)
    assert total == len(kept)
    assert [one["id"] for one in items] == [ulid(number) for number in kept]


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-01", "2026-11-01T00:00:00", "2026-11-01 00:00:00Z", "2026-11-01t00:00:00z", "2026-11-01T00:00:60Z",
        "2026-11-01T24:00:00Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "0000-02-30T00:00:00Z",
        "2026-11-01T00:00:00+25:00", "2026-11-01T00:00:00+00:61", "2026-11-01T00:00:00.Z",
        "\uff12026-11-01T00:00:00Z", "x",
    ],
)  # fmt: skip
async def test_what_is_no_time_is_refused(worded: Store, text: str) -> None:
    async with client_of(worded, "/api") as client:
        (problem,) = await problems(client, "/runs", createdBefore=text)
    message = "invalid date/time for format 2006-01-02T15:04:05.999999999Z07:00"
    assert problem == {"message": message, "location": "query.createdBefore", "value": text}


async def test_search_looks_in_the_task_name_and_the_run_id_without_what_is_special_in_like(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        for search, total in {"NIGHT": 60, "n_i%ght": 60, "%": 1070, ulid(33).lower(): 1, "cron": 0}.items():
            assert (await page_of(client, search=search))[1] == total, search


@pytest.mark.parametrize(
    ("query", "length"),
    [
        ("limit=1&limit=3", 1),
        ("limit=&limit=3", 14),
        ("limit=%zz&limit=3", 14),
        ("limit&limit=3", 3),
        ("li%6Dit=2", 2),
        ("LIMIT=1&unknown=5", 14),
        ("isFailure", 6),
        ("isFailure&limit=3", 3),
        ("search=%", 14),
    ],
)
async def test_a_query_is_read_as_the_daemon_reads_it(worded: Store, query: str, length: int) -> None:
    async with client_of(worded, "/api") as client:
        answer = await client.get(f"/runs?{query}")
    assert len(answer.json()["items"]) == length


async def test_all_that_is_wrong_is_said_at_once_in_the_order_of_the_document(worded: Store) -> None:
    wrong = {
        "limit": "0", "offset": "-1", "triggeredBy": "q", "createdAfter": "q", "createdBefore": "q",
        "exitCodeMin": "q", "exitCodeMax": "q", "retriesOnly": "q", "isFailure": "q", "sortField": "q",
        "sortDirection": "q",
    }  # fmt: skip
    async with client_of(worded, "/api") as client:
        found = await problems(client, "/runs", **dict(reversed(wrong.items())))
    assert [one["location"] for one in found] == [f"query.{name}" for name in wrong]


async def test_a_run_has_the_fields_of_1_0_1_in_the_daemons_order_and_only_those_it_can_have(stock: Store) -> None:
    expected = {
        "id": ulid(7),
        "executionId": "execution-7",
        "taskName": "nightly",
        "status": "ended",
        "endReason": "failed",
        "isFailure": True,
        "exitCode": 2,
        "startedAt": "2026-11-01T00:07:30Z",
        "endedAt": "2026-11-01T02:12:30Z",
        "triggeredBy": "station",
        "createdAt": "2026-11-01T00:07:00Z",
        "retryAttempt": 1,
        "retryOfRunId": ulid(6),
        "instanceIndex": 2,
        "params": {"day": "monday"},
    }
    always = {
        "id", "taskName", "status", "isFailure", "exitCode", "triggeredBy", "createdAt", "retryAttempt",
        "instanceIndex",
    }  # fmt: skip
    async with client_of(stock, "/api") as client:
        single = (await client.get(f"/runs/{ulid(7)}")).json()
        first, second, *_ = (await page_of(client, sortDirection="asc"))[0]
        (sixth,) = (await page_of(client, search=ulid(6)))[0]
    assert [*single.items()] == [*expected.items()]
    assert (set(first), set(second)) == (always, {*always, "startedAt"})
    # However it was recorded.
    assert (sixth["endReason"], sixth["triggeredBy"]) == ("succeeded", "cron")


async def test_a_run_that_is_not_there_is_a_problem_of_its_own(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        answer = await client.get(f"/runs/{ulid(99999)}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json() == {"title": "Not Found", "status": 404, "detail": "run not found"}


@pytest.mark.parametrize(
    ("identity", "lengths"),
    [
        ("x", ["expected length >= 26"]),
        (ulid(1) + "0", ["expected length <= 26"]),
        (ulid(1).lower(), []),
        ("01JZ" + "U" * 22, []),
        ("..", ["expected length >= 26"]),
    ],
)
async def test_a_malformed_run_id_is_refused(stock: Store, identity: str, lengths: list[str]) -> None:
    quoted = "".join(f"%{byte:02X}" for byte in identity.encode())
    async with client_of(stock, "/api") as client:
        found = await problems(client, f"/runs/{quoted}")
    pattern = "expected string to match pattern ^[0-9A-HJKMNP-TV-Z]{26}$"
    assert found == [
        {"message": message, "location": "path.runId", "value": identity} for message in (*lengths, pattern)
    ]


async def test_the_summary_counts_all_runs_and_no_missed_one_as_failed(worded: Store) -> None:
    async with client_of(worded, "/api") as client:
        summary = (await client.get("/runs/summary")).json()
    # The last of them, start_failed, was the fourteenth run and ended a minute after it was created.
    last = "2026-11-01T00:14:00Z"
    assert summary == {"total": 14, "success": 1, "failed": 5, "missed": 1, "lastFailure": last}


async def test_the_summary_of_nothing_has_no_last_failure() -> None:
    with closing(Store(None)) as store:
        async with client_of(store, "/api") as client:
            assert (await client.get("/runs/summary")).json() == {"total": 0, "success": 0, "failed": 0, "missed": 0}
            assert await page_of(client) == ([], 0)
            assert (await client.get("/tasks")).json() == {"items": []}


async def test_definitions_are_listed_by_name_with_all_that_the_document_requires(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        items = (await client.get("/tasks")).json()["items"]
        for one in items:
            assert (await client.get(f"/tasks/{one['name']}")).json() == one
    assert [one["name"] for one in items] == sorted(NAMES)
    required = {"manualTrigger": False, "runOnStart": False, "autostart": False}
    assert items[0] == {"name": "A.b_c-9", "kind": "task", **required}


@pytest.mark.parametrize(
    ("name", "status", "messages"),
    [
        ("none", 404, None),
        ("a:b", 404, None),
        ("a b", 422, ["expected string to match pattern ^[a-zA-Z0-9._:-]+$"]),
        ("x" * 101, 422, ["expected length <= 100"]),
        ("é" * 51, 422, ["expected string to match pattern ^[a-zA-Z0-9._:-]+$"]),
        ("é" * 101, 422, ["expected length <= 100", "expected string to match pattern ^[a-zA-Z0-9._:-]+$"]),
    ],
)
async def test_a_definition_that_is_not_there_and_a_name_that_is_none(
    stock: Store, name: str, status: int, messages: list[str] | None
) -> None:
    async with client_of(stock, "/api") as client:
        answer = await client.get(f"/tasks/{name}")
    assert answer.status_code == status
    if messages is None:
        assert answer.json() == {"title": "Not Found", "status": 404, "detail": "task not found"}
    else:
        errors = [{"message": one, "location": "path.taskName", "value": name} for one in messages]
        assert answer.json()["errors"] == errors


async def test_the_daemon_says_whose_contract_this_is_and_what_is_defined(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        daemon = (await client.get("/daemon", headers={"Host": "other.example:9477"})).json()
        tasks = (await client.get("/tasks")).json()["items"]
    assert (daemon["version"], daemon["externalUrl"]) == ("1.0.1", "http://other.example:9477")
    assert (daemon["authDisabled"], daemon["schedulingActive"]) == (True, False)
    assert daemon["configLoadedAt"] == "2026-11-01T00:00:00Z"
    assert daemon["tasks"] == tasks


async def test_it_is_healthy_as_the_daemon_is(stock: Store) -> None:
    async with client_of(stock, "") as client:
        answer = await client.get("/health")
    assert (answer.status_code, answer.text) == (200, "OK")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("path", ["/nothing", "/events/stream", "/system"])
async def test_what_is_not_served_is_a_problem_and_not_a_web_page(stock: Store, path: str) -> None:
    async with client_of(stock, "/api") as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_no_answer_of_1_0_1_names_its_schema(stock: Store) -> None:
    async with client_of(stock, "/api") as client:
        for path in ("/runs", f"/runs/{ulid(1)}", "/tasks", "/tasks/nightly", "/runs/summary", "/daemon", "/runs/x"):
            answer = await client.get(path)
            assert "$schema" not in answer.json()
            assert "link" not in answer.headers
