"""Names that arguments had before: still understood, and named nowhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jobtrail.paging.cursor import seal, unseal
from jobtrail.vocabulary import rename_earlier
from tests.sample_client import answer, rows_of, sample_client, text_of

pytestmark = pytest.mark.anyio

BEFORE = (
    "1pCXDlUP1f2puUmoKKGR1lJJTzMyTjJBsTUpMzi4t0C3ILy5JhwQtbkthfqmNBQA..0.2.2.5.0.0.0.~dmyuzmvlb0g0."
    "01M7RWSSS0XF5P5SRCP8B92M69.~1.~2"
)
"""A cursor of list_runs(task='backup-postgres', status='failed,timeout', limit=2), as it was made once."""
SAME: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("list_runs", {"task": "backup-postgres", "limit": 2}, {"job": "backup-postgres", "limit": 2}),
    ("list_runs", {"search": "health", "limit": 2}, {"query": "health", "limit": 2}),
    ("list_runs", {"sort": "task:desc", "limit": 2}, {"sort": "job:desc", "limit": 2}),
    ("list_jobs", {"search": "etl"}, {"query": "etl"}),
    ("get_job", {"task": "backup-postgres"}, {"job": "backup-postgres"}),
    ("find_failures", {"task": "backup-postgres"}, {"job": "backup-postgres"}),
    ("read_log", {"run": "01M83XJ880CH86JX615VZ8MKAW", "search": "502"}, {"run": "01M83XJ880CH86JX615VZ8MKAW", "query": "502"}),
]  # fmt: skip


async def test_an_earlier_name_does_what_the_name_of_today_does() -> None:
    async with sample_client() as client:
        for tool, earlier, today in SAME:
            (_, one), (_, other) = await answer(client, tool, **earlier), await answer(client, tool, **today)
            # A cursor has the arguments as they were written.
            assert {**one, "cursor": ""} == {**other, "cursor": ""}, (tool, earlier)


async def test_a_task_of_an_execution_is_no_earlier_name_and_a_name_given_twice_is_refused() -> None:
    assert rename_earlier({"task": "t", "job": "j"}, {"job", "task"}) == {"task": "t", "job": "j"}
    async with sample_client() as client:
        twice = await client.call_tool("list_runs", {"task": "backup-postgres", "job": "rotate-logs"})
    assert "list_runs has no argument 'task'" in text_of(twice)


async def test_a_cursor_that_was_made_with_earlier_names_goes_on_and_speaks_of_those_of_today() -> None:
    async with sample_client() as client:
        _, page = await answer(client, "list_runs", cursor=BEFORE)
        _, whole = await answer(client, "list_runs", job="backup-postgres", status="failed,timeout", limit=5)
        assert [row["id"] for row in rows_of(page)] == [row["id"] for row in rows_of(whole)][2:4]
        assert unseal(page["cursor"], "list_runs").args["job"] == "backup-postgres"
        _, first = await answer(client, "list_runs", query="health", limit=1)
        cursor = unseal(first["cursor"], "list_runs")
        args = {("search" if name == "query" else name): value for name, value in cursor.args.items()}
        _, second = await answer(client, "list_runs", cursor=seal(replace(cursor, args=args)))
        assert second["filters"]["query"] == "health"


async def test_a_prompt_takes_the_earlier_name_of_its_job() -> None:
    async with sample_client() as client:
        earlier = await client.get_prompt("explain-run", {"task": "backup-postgres"})
        today = await client.get_prompt("explain-run", {"job": "backup-postgres"})
    assert earlier.messages == today.messages
