"""The RunWisp side: the table of 1.0.1's requests, and the seed document's endpoint, parameter by parameter."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from jobtrail.store import Store
from jobtrail.store.rows import DefinitionRow, LineRow, RunRow
from tests.plane.records import open_client
from tests.plane.runwisp_records import WORDED, make_run_store, ulid
from tests.plane.runwisp_table import ALL, ORDERS, TABLE, Case, read_numbers, sort_worded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import httpx2

pytestmark = pytest.mark.anyio

RUNS = "/tasks/worded/runs"
SCHEMAS = "http://plane.invalid/schemas"
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
FIELDS = {
    "task_name": "taskName", "status": "status", "start_at": "startedAt", "exit_code": "exitCode",
    "duration": "duration", "created_at": "createdAt", "": "createdAt",
}  # fmt: skip
"""What can be sorted by, and what 1.0.1 calls it."""
NEWEST_FIRST = [*reversed(ALL)]


@pytest.fixture(scope="module")
def filled_store() -> Iterator[Store]:
    with closing(make_run_store()) as store:
        yield store


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.request[:120])
async def test_a_request_in_the_dialect_of_1_0_1_is_answered_as_the_daemon_answers_it(
    filled_store: Store, case: Case
) -> None:
    async with open_client(filled_store, "/api") as client:
        case.check(await client.get(case.request.format(printed=ulid(2))))


async def refusal(client: httpx2.AsyncClient, path: str, **params: Any) -> dict[str, Any]:
    """Return the one thing that a 422 says is wrong."""
    answer = await client.get(path, params=params)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), answer.text
    body = answer.json()
    (error,) = body.pop("errors")
    about = {"title": "Unprocessable Entity", "status": 422, "detail": "validation failed"}
    assert body == {"$schema": f"{SCHEMAS}/ErrorModel.json", **about}
    return error


@pytest.mark.parametrize(
    ("path", "params", "numbers", "total"),
    [
        (RUNS, {}, NEWEST_FIRST, 14),
        (RUNS, {"limit": "", "offset": "", "status": "", "search": "", "task_name": ""}, NEWEST_FIRST, 14),
        (RUNS, {"limit": 3, "offset": 2}, [11, 10, 9], 14),
        (RUNS, {"limit": 1000, "offset": 13}, [0], 14),
        (RUNS, {"offset": 14}, [], 14),
        (RUNS, {"task_name": "worded"}, NEWEST_FIRST, 14),
        (RUNS, {"task_name": "tied"}, [], 0),
        (RUNS, {"search": "WORD", "limit": 1}, [13], 14),
        (RUNS, {"search": ulid(7).lower()}, [7], 1),
        (RUNS, {"search": "zzz"}, [], 0),
        (RUNS, {"search": "worded", "status": "failed"}, [13, 3], 2),
        ("/tasks/never/runs", {}, [], 0),
    ],
)
async def test_each_parameter_of_the_seed_document_does_what_it_says(
    filled_store: Store, path: str, params: dict[str, Any], numbers: Sequence[int], total: int
) -> None:
    async with open_client(filled_store, "/api") as client:
        body = (await client.get(path, params=params)).json()
    assert (read_numbers(body["runs"]), body["total"]) == ([*numbers], total)
    # Null, and not an empty list.
    assert numbers or body["runs"] is None


async def test_a_page_of_the_seed_document_has_50_runs_unless_told() -> None:
    with closing(Store(None)) as store:
        store.write(
            [DefinitionRow("t", {}), *(RunRow(ulid(number), "t", "pending", number) for number in range(1001))]
        )
        async with open_client(store, "/api") as client:
            for limit, length in (("", 50), (1000, 1000)):
                assert len((await client.get("/tasks/t/runs", params={"limit": limit})).json()["runs"]) == length


@pytest.mark.parametrize("direction", ["asc", "desc", ""])
@pytest.mark.parametrize("field", FIELDS)
async def test_runs_are_sorted_by_each_field_in_both_directions(
    filled_store: Store, field: str, direction: str
) -> None:
    async with open_client(filled_store, "/api") as client:
        order = {"sort_field": field, "sort_direction": direction}
        found = (await client.get(RUNS, params=order)).json()["runs"]
        tied = (await client.get("/tasks/tied/runs", params=order)).json()["runs"]
    assert read_numbers(found) == sort_worded(ORDERS[FIELDS[field]], descending=direction != "asc")
    assert read_numbers(tied) == [23, 20, 24, 21, 22]


@pytest.mark.parametrize(
    ("status", "found"),
    [
        *((word, {word}) for word in ("pending", "running", "timeout", "crashed", "log_overflow")),
        ("success", {"succeeded"}),
        ("failed", {"failed", "start_failed"}),
        ("stopped", {"stopped", "daemon_stopped"}),
        ("skipped", {"skipped", "queue_full", "dst_skipped", "missed"}),
        ("ended", {*WORDED[2:]}),
        *((word, set[str]()) for word in ("missed", "FAILED", "failed' OR '1'='1")),
    ],
)
async def test_status_is_a_phase_or_an_end_reason_as_the_seed_document_spells_it(
    filled_store: Store, status: str, found: set[str]
) -> None:
    async with open_client(filled_store, "/api") as client:
        body = (await client.get(RUNS, params={"status": status})).json()
    assert {WORDED[number] for number in read_numbers(body["runs"])} == found
    assert body["total"] == len(found)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        *(({"limit": value}, "a whole number from 1 to 1000") for value in ("0", "1001", "ten", "1.5", "9" * 40)),
        *(({"offset": value}, f"a whole number from 0 to {2**63 - 1}") for value in ("-1", "x")),
        ({"sort_field": "name"}, "one of created_at, task_name, status, start_at, exit_code, duration"),
        ({"sort_direction": "ASC"}, "one of desc, asc"),
    ],
)
async def test_a_value_that_the_seed_document_does_not_allow_is_refused(
    filled_store: Store, params: dict[str, str], message: str
) -> None:
    ((name, value),) = params.items()
    async with open_client(filled_store, "/api") as client:
        error = await refusal(client, RUNS, **params)
    assert message in error.pop("message")
    assert error == {"location": f"query.{name}", "value": value}


@pytest.mark.parametrize("name", ["a b", "é", "a+", "nightly;", "a:b", "x" * 101])
async def test_a_task_name_outside_the_pattern_is_refused(filled_store: Store, name: str) -> None:
    quoted = "".join(f"%{byte:02X}" for byte in name.encode())
    async with open_client(filled_store, "/api") as client:
        error = await refusal(client, f"/tasks/{quoted}/runs")
    message = "expected string to match pattern ^[a-zA-Z0-9._-]{1,100}$"
    assert error == {"message": message, "location": "path.taskName", "value": name}


@pytest.mark.parametrize("path", ["/tasks/none/runs", "/tasks/%2E%2E/runs", f"/tasks/{'x' * 100}/runs"])
async def test_a_task_that_is_not_there_is_a_problem_of_its_own(filled_store: Store, path: str) -> None:
    async with open_client(filled_store, "/api") as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    problem = {"title": "Not Found", "status": 404, "detail": "task not found"}
    assert answer.json() == {"$schema": f"{SCHEMAS}/ErrorModel.json", **problem}


async def test_a_run_has_the_documented_fields_and_only_those_it_can_have(filled_store: Store) -> None:
    schema = f"{SCHEMAS}/Run.json"
    common = {"$schema": schema, "task_name": "worded", "exit_code": 0}
    body = {"triggered_by": "cloud", "external_execution_id": "execution-7", "retry_of_run_id": ulid(6)}
    with closing(Store(None)) as store:
        store.write([DefinitionRow("t", {}), RunRow(ulid(7), "t", "ended", 0, 1, 2_500_000_000, "success", 2, body)])
        async with open_client(store, "/api") as client:
            (whole,) = (await client.get("/tasks/t/runs")).json()["runs"]
    assert whole == {
        "$schema": schema,
        "id": ulid(7),
        "task_name": "t",
        "status": "ended",
        "end_reason": "success",
        "exit_code": 2,
        "created_at": "1970-01-01T00:00:00Z",
        "start_at": "1970-01-01T00:00:00.000000001Z",
        "end_at": "1970-01-01T00:00:02.5Z",
        "triggered_by": "cloud",
        "retry_attempt": 0,
        "retry_of_run_id": ulid(6),
        "replica_index": 0,
        "external_execution_id": "execution-7",
    }
    async with open_client(filled_store, "/api") as client:
        pending, running = (await client.get(RUNS, params={"sort_direction": "asc", "limit": 2})).json()["runs"]
    assert pending == {
        **common, "id": ulid(0), "status": "pending", "created_at": "2026-11-01T00:00:00Z", "triggered_by": "cron",
        "retry_attempt": 0, "replica_index": 0,
    }  # fmt: skip
    assert running == {
        **common, "id": ulid(1), "status": "running", "created_at": "2026-11-01T00:01:00Z", "triggered_by": "api",
        "start_at": "2026-11-01T00:01:10Z", "retry_attempt": 0, "replica_index": 1,
    }  # fmt: skip


async def test_words_of_either_dialect_are_told_in_both() -> None:
    with closing(Store(None)) as store:
        store.write([DefinitionRow("t", {})])
        for number, (reason, trigger) in enumerate(zip(WORDS, [*TRIGGERS, *["cron"] * 9], strict=False)):
            body = {"triggered_by": trigger}
            store.write([RunRow(ulid(number), "t", "ended", number, end_reason=reason, body=body)])
        async with open_client(store, "/api") as client:
            older = (await client.get("/tasks/t/runs?sort_direction=asc")).json()["runs"]
            newer = (await client.get("/runs?sortDirection=asc")).json()["items"]
    assert [one["end_reason"] for one in older] == [*WORDS.values()]
    assert [one["triggered_by"] for one in older][: len(TRIGGERS)] == [*TRIGGERS.values()]
    assert [one["endReason"] for one in newer] == ["succeeded" if word == "success" else word for word in WORDS]
    assert [one["triggeredBy"] for one in newer][: len(TRIGGERS)] == [
        "station" if trigger == "cloud" else trigger for trigger in TRIGGERS
    ]


async def test_what_counts_as_a_failure_is_as_it_was_recorded_where_it_was() -> None:
    with closing(Store(None)) as store:
        for number, (reason, body) in enumerate(
            [("stopped", {"is_failure": True}), ("failed", {"is_failure": False}), ("failed", {}), ("stopped", {}),
             ("succeeded", {"is_failure": True})]
        ):  # fmt: skip
            store.write([RunRow(ulid(number), "t", "ended", number, end_reason=reason, body=body)])
        async with open_client(store, "/api") as client:
            items = (await client.get("/runs?sortDirection=asc")).json()["items"]
            found = (await client.get("/runs?isFailure=true")).json()
    assert [one["isFailure"] for one in items] == [True, False, True, False, True]
    assert (read_numbers(found["items"]), found["total"]) == ([4, 2, 0], 3)


async def test_a_log_is_of_its_run_alone_and_final_once_that_has_ended() -> None:
    with closing(Store(None)) as store:
        store.write([RunRow(ulid(0), "t", "ended", 0, end_reason="failed"), RunRow(ulid(1), "t", "running", 0)])
        lines = [LineRow(0, ulid(0), "", "stdout", f"entry {number}") for number in range(2500)]
        lines += [LineRow(1_500_000_000, ulid(0), "", "stderr", "last"), LineRow(1, ulid(1), "a task", "stdout", "x")]
        store.write(lines)
        async with open_client(store, "/api") as client:
            ended, running = [(await client.get(f"/runs/{ulid(number)}/log")).json() for number in (0, 1)]
    assert ended.pop("lines")[998:] == [
        {"n": 2499, "ts": 0, "stream": "stdout", "text": "entry 2499"},
        {"n": 2500, "ts": 1500, "stream": "stderr", "text": "last"},
    ]
    assert ended == {"firstAvailable": 0, "totalLines": 2501, "finalized": True}
    # What a task of an execution printed is not a run's.
    assert running == {"lines": [], "firstAvailable": 0, "totalLines": 0, "finalized": False}


@pytest.mark.parametrize("path", ["/nothing", "/events/stream", "/system", "/runs/summary", f"/runs/{'%00' * 26}"])
async def test_what_is_not_served_is_a_problem_and_not_a_web_page(filled_store: Store, path: str) -> None:
    async with open_client(filled_store, "/api") as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_the_schema_url_is_of_the_host_that_was_asked(filled_store: Store) -> None:
    async with open_client(filled_store, "/api") as client:
        answer = await client.get(RUNS, headers={"Host": "other.example:9477"})
        odd = await client.get(RUNS, headers={"Host": "[bad"})
    assert answer.json()["$schema"] == "http://other.example:9477/schemas/RunsResponseBody.json"
    assert odd.status_code == 200
