"""The log endpoint that the vendor's command line calls, `GET /observability/logs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

from jobtrail.store import Store
from jobtrail.store.output import OutputQuery, select_output
from jobtrail.store.rows import LineRow
from tests.plane.records import (
    StepCountingStore,
    make_execution,
    make_job,
    make_task,
    nanoseconds_at,
    open_client,
    read_refusal,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

pytestmark = pytest.mark.anyio

LOGS = "/observability/logs"
# As the command line sends it, word by word; what a user leaves out is sent empty.
AS_SENT = {
    "start": "2026-10-31T12:00:00",
    "end": "2026-11-02T12:00:00",
    "resourceType": "jobs",
    "workloadIds": "etl",
    "type": "all",
    "traceId": "",
    "limit": "1000",
    "offset": "0",
    "severity": "FATAL,ERROR,WARNING,INFO,DEBUG,TRACE,UNKNOWN",
    "search": "",
    "taskId": "",
    "executionId": "",
    "interval": "60",
    "workspace": "default",
}


def line(minutes: float, text: str, owner: str = "e1", of: str = "t1", *, err: bool = False) -> LineRow:
    stream: Literal["stdout", "stderr"] = "stderr" if err else "stdout"
    return LineRow(nanoseconds_at(minutes), owner, of, stream, text)


@pytest.fixture(scope="module")
def filled_store() -> Iterator[Store]:
    """Lines of two tasks of one execution and of one of another, of a second job, and of another workspace."""
    store = Store(None)
    happened = [
        *(make_job(name) for name in ("etl", "other", "quiet")),
        make_execution("e1", "etl"), make_task("t1", "e1"), make_task("t2", "e1"),
        make_execution("e2", "etl", 10), make_task("t1", "e2", 10),
        make_execution("o1", "other", 20), make_task("t1", "o1", 20),
    ]  # fmt: skip
    lines = [
        line(1, "one"), line(2, "Über two", err=True), line(2, "same moment"), line(3, "three", of="t2"),
        line(11, "four", "e2"), line(21, "five", "o1"),
    ]  # fmt: skip
    store.write([*happened, *lines])
    store.write([make_job("etl"), make_execution("e1", "etl"), line(1, "theirs")], "theirs")
    yield store
    store.close()


async def logs(client: httpx2.AsyncClient, **params: str) -> dict[str, Any]:
    answer = await client.get(LOGS, params={"resourceType": "jobs", "workloadIds": "etl", **params})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def texts(client: httpx2.AsyncClient, **params: str) -> list[str]:
    return [one["message"] for one in (await logs(client, **params))["etl"]["logs"]]


async def test_it_answers_what_the_command_line_sends(filled_store: Store) -> None:
    async with open_client(filled_store, version="") as client:
        body = await logs(client, **AS_SENT)
    found = body["etl"]
    assert [one["message"] for one in found["logs"]] == ["four", "three", "same moment", "Über two", "one"]
    assert found["totalCount"] == 5
    assert found["logs"][3] == {
        "timestamp": "2026-11-01T00:02:00Z",
        "message": "Über two",
        "severity": 17,
        "trace_id": "",
        "task_id": "t1",
    }
    # Go reads it into an int, and a word would end the command with an error.
    assert {one["severity"] for one in found["logs"] if one["message"] != "Über two"} == {9}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"executionId": "e1"}, ["three", "same moment", "Über two", "one"]),
        ({"executionId": "e1", "taskId": "t1"}, ["same moment", "Über two", "one"]),
        ({"taskId": "t1"}, ["four", "same moment", "Über two", "one"]),
        ({"executionId": "o1"}, []),
        ({"executionId": "none"}, []),
        ({"taskId": "none"}, []),
        ({"severity": "ERROR"}, ["Über two"]),
        ({"severity": "info,fatal"}, ["four", "three", "same moment", "one"]),
        ({"severity": "all,UNKNOWN,TRACE"}, ["four", "three", "same moment", "Über two", "one"]),
        ({"severity": "DEBUG,UNKNOWN"}, []),
        ({"search": "ÜBER"}, ["Über two"]),
        ({"search": "%"}, []),
        ({"traceId": "4bf92f3577b34da6a3ce929d0e0e4736"}, []),
        ({"start": "2026-11-01T00:02:00", "end": "2026-11-01T00:03:00"}, ["three", "same moment", "Über two"]),
        ({"start": "2026-11-01T01:03:00+01:00"}, ["four", "three"]),
        ({"start": "9999-12-31T23:59:59"}, []),
        ({"limit": "2"}, ["four", "three"]),
        ({"limit": "2", "offset": "1"}, ["three", "same moment"]),
        ({"offset": "9" * 40}, []),
    ],
)
async def test_each_parameter_narrows_what_is_answered(
    filled_store: Store, asked: dict[str, str], expected: list[str]
) -> None:
    async with open_client(filled_store) as client:
        assert await texts(client, **asked) == expected


async def test_the_count_is_of_all_that_match_and_not_of_the_page(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        assert (await logs(client, limit="1", executionId="e1", search="t"))["etl"]["totalCount"] == 3


async def test_several_jobs_are_answered_by_name_and_unknown_ones_are_missing(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        body = await logs(client, workloadIds="other,quiet,none,,other,")
    assert {name: found["totalCount"] for name, found in body.items()} == {"other": 1, "quiet": 0}
    assert body["quiet"] == {"logs": [], "totalCount": 0}


async def test_a_line_of_neither_stream_is_of_unknown_severity() -> None:
    store = Store(None)
    said = [line(1, "out"), LineRow(nanoseconds_at(2), "e1", "t1", "system", "killed by the scheduler")]
    store.write([make_job("etl"), make_execution("e1", "etl"), *said])
    async with open_client(store) as client:
        both = (await logs(client))["etl"]["logs"]
        assert [one["severity"] for one in both] == [0, 9]
        assert await texts(client, severity="unknown") == ["killed by the scheduler"]


async def test_at_most_1000_lines_are_sent_at_a_time() -> None:
    store = Store(None)
    store.write(
        [make_job("etl"), make_execution("e1", "etl"), *(line(number, str(number)) for number in range(1100))]
    )
    async with open_client(store) as client:
        for limit in ({}, {"limit": "1000"}, {"limit": "5000"}):
            found = (await logs(client, **limit))["etl"]
            assert (len(found["logs"]), found["totalCount"]) == (1000, 1100)
        assert await texts(client, offset="1098") == ["1", "0"]


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"resourceType": "agents"}, "resourceType"),
        ({"resourceType": ""}, "resourceType"),
        ({"workloadIds": ""}, "workloadIds"),
        ({"severity": "LOUD"}, "severity"),
        ({"start": ""}, "start"),
        ({"start": "yesterday"}, "start"),
        ({"end": "2026-13-01T00:00:00"}, "end"),
        ({"limit": "0"}, "limit"),
        ({"offset": "-1"}, "offset"),
    ],
)
async def test_what_is_wrong_is_refused_with_what_would_be_right(
    filled_store: Store, params: dict[str, str], word: str
) -> None:
    async with open_client(filled_store) as client:
        answer = await client.get(LOGS, params={"resourceType": "jobs", "workloadIds": "etl", **params})
        assert word in read_refusal(answer)


async def test_logs_of_another_workspace_are_not_shown(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        assert await texts(client, workspace="theirs") == ["theirs"]
        assert "theirs" not in await texts(client)


@pytest.mark.parametrize("task_name", ["", "t1"])
def test_lines_of_an_execution_take_as_many_steps_whatever_else_was_printed(task_name: str) -> None:
    store = StepCountingStore(None)
    query = OutputQuery(
        "default", "etl", "e1", task_name, 0, nanoseconds_at(9), ("stdout", "stderr"), "x", limit=3, offset=0
    )
    steps: list[int] = []
    for others in (0, 500):
        store.write(line(1, f"x {number}") for number in range(0 if others else 20))
        store.write(line(10, "x") for _ in range(others))
        store.write(line(1, "x", "e2") for _ in range(others))
        with store.count_steps():
            assert select_output(store, query)[1] == 20
        steps.append(store.steps)
    assert steps[1] < steps[0] + 10
    store.close()


async def test_nothing_is_told_without_the_key_or_to_an_unknown_version(filled_store: Store) -> None:
    async with open_client(filled_store, api_key="key") as client:
        read_refusal(await client.get(LOGS, params=AS_SENT), 401, "unauthorized")
    async with open_client(filled_store, version="2026-01-01") as client:
        read_refusal(await client.get(LOGS, params=AS_SENT), 400, "invalid_api_version")
