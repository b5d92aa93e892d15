"""What a cursor of the Blaxel side is bound to, and what is refused as one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobtrail.store import Store
from tests.plane.records import (
    EXECUTIONS,
    START,
    TASKS,
    ManualClock,
    make_execution,
    make_job,
    open_client,
    read_names,
    read_refusal,
)

pytestmark = pytest.mark.anyio

EVERY_PATH = pytest.mark.parametrize("path", ["/jobs", EXECUTIONS, TASKS])


async def test_a_cursor_goes_on_with_another_limit_and_another_version(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        cursor = (await client.get(EXECUTIONS, params={"limit": 7})).json()["meta"]["nextCursor"]
        answer = await client.get(
            EXECUTIONS, params={"cursor": cursor, "limit": 2, "offset": 50}, headers={"Blaxel-Version": "2026-09-22"}
        )
        assert read_names(answer) == ["exec-102", "exec-101"]


@pytest.mark.parametrize(
    ("path", "params", "headers"),
    [
        ("/jobs", {"sort": "createdAt:asc"}, {}),
        ("/jobs", {"sort": "name:desc"}, {}),
        ("/jobs", {"q": "job"}, {}),
        ("/jobs", {"status": "BUILT"}, {}),
        ("/jobs", {}, {"X-Blaxel-Workspace": "another"}),
        (EXECUTIONS, {}, {}),
        (TASKS, {}, {}),
    ],
)
async def test_a_cursor_is_refused_for_another_query(
    filled_store: Store, path: str, params: dict[str, str], headers: dict[str, str]
) -> None:
    async with open_client(filled_store) as client:
        cursor = (await client.get("/jobs", params={"limit": "1"})).json()["meta"]["nextCursor"]
        answer = await client.get(path, params={**params, "cursor": cursor}, headers=headers)
        assert read_refusal(answer) == "cursor does not belong to this query"


async def test_a_cursor_of_one_job_is_refused_for_another_whatever_their_names() -> None:
    store = Store(None)
    twins = ["a?x", "a?y", "a#x", "a\\x"]
    store.write([make_job(name) for name in twins])
    store.write([make_execution(f"{name}-{n}", name, n) for name in twins for n in (1, 2)])
    async with open_client(store) as client:
        paths = [
            "/jobs/a%3Fx/executions",
            "/jobs/a%3Fy/executions",
            "/jobs/a%23x/executions",
            "/jobs/a%5Cx/executions",
        ]
        cursors = [(await client.get(path, params={"limit": 1})).json()["meta"]["nextCursor"] for path in paths]
        for path, name in zip(paths, twins, strict=True):
            answers = [await client.get(path, params={"cursor": cursor}) for cursor in cursors]
            allowed = [read_names(answer) for answer in answers if answer.status_code == 200]
            assert allowed == [[f"{name}-1"]]


async def test_a_cursor_is_refused_after_24_hours(filled_store: Store) -> None:
    clock = ManualClock()
    async with open_client(filled_store, clock=clock) as client:
        cursor = (await client.get("/jobs")).json()["meta"]["nextCursor"]
        clock.moment = START + timedelta(hours=24)
        assert len(read_names(await client.get("/jobs", params={"cursor": cursor}))) == 50
        clock.moment = START + timedelta(hours=24, seconds=1)
        assert read_refusal(await client.get("/jobs", params={"cursor": cursor})) == "cursor is older than 24h"


async def test_a_cursor_of_another_store_is_refused(filled_store: Store) -> None:
    other = Store(None)
    other.write([make_job("a"), make_job("b", 1)])
    async with open_client(filled_store) as client, open_client(other) as stranger:
        cursor = (await stranger.get("/jobs", params={"limit": 1})).json()["meta"]["nextCursor"]
        read_refusal(await client.get("/jobs", params={"cursor": cursor}))


async def test_a_cursor_with_any_character_changed_is_refused(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        cursor = (await client.get("/jobs")).json()["meta"]["nextCursor"]
        for place, character in enumerate(cursor):
            for other in {"A", "B", "_", "+"} - {character}:
                altered = cursor[:place] + other + cursor[place + 1 :]
                assert "cursor" in read_refusal(await client.get("/jobs", params={"cursor": altered}))
        for altered in (cursor[:-1], cursor + "=", cursor + "A", cursor + "\n", f" {cursor}", cursor.swapcase()):
            assert "cursor" in read_refusal(await client.get("/jobs", params={"cursor": altered}))


@EVERY_PATH
@pytest.mark.parametrize(
    "cursor",
    ["x", "====", "null", "[1,2,3]", "eyJvZmZzZXQiOjV9", "☃", "\x00", "A" * 5000, "%", "../..", "'; DROP TABLE jobs"],
)
async def test_a_garbage_cursor_is_a_bad_request(filled_store: Store, path: str, cursor: str) -> None:
    async with open_client(filled_store) as client:
        assert "cursor" in read_refusal(await client.get(path, params={"cursor": cursor}))
