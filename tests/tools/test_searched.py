"""A text is looked for in what the first line says, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sample_client import BIG, answer, follow, rows_of, sample_client

pytestmark = pytest.mark.anyio


async def test_a_query_of_tasks_is_looked_for_in_their_names_and_reasons() -> None:
    async with sample_client() as client:
        pages = await follow(client, "list_tasks", **BIG, query="oomkilled", limit=100)
        every = await follow(client, "list_tasks", **BIG, status="failed", limit=100)
        _, named = await answer(client, "list_tasks", **BIG, query="task-9999")
    found = {row["name"] for page in pages for row in rows_of(page)}
    told = {row["name"] for page in every for row in rows_of(page) if "oomkilled" in row["reason"].lower()}
    assert found == told != set()
    assert [row["name"] for row in named["items"]] == ["task-9999"]


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("list_tasks", {**BIG, "query": "KeyError"}, "query KeyError, searched in names and reasons as shown"),
        ("list_executions", {"job": "nightly-etl", "query": "exec-d94"}, "query exec-d94, searched in ids"),
        ("list_runs", {"query": "health"}, "query health, searched in names of jobs and run ids"),
        ("list_jobs", {"query": "etl"}, "query etl, searched in names and labels, and of tasks in descriptions"),
        ("list_jobs", {"query": "e"}, "query e, searched in names, descriptions, groups and labels"),
    ],
)
async def test_the_first_line_says_in_what_a_text_was_searched(
    tool: str, arguments: dict[str, Any], said: str
) -> None:
    async with sample_client() as client:
        text, content = await answer(client, tool, **arguments)
    assert said in text.splitlines()[0]
    assert content["filters"]["searched"] in text.splitlines()[0]
