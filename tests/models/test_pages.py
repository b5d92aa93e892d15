"""What any page promises, over the sample workspace: what it covers, what it is of, and nothing secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.sample_client import BIG, DEFAULT_PAGES, answer, follow, rows_of, sample_client

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mcp import Client

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def client() -> AsyncGenerator[Client]:
    async with sample_client() as client:
        yield client


async def test_every_answer_says_that_it_is_sample_data(client: Client) -> None:
    calls = [
        *DEFAULT_PAGES,
        ("get_job", {"job": "nightly-etl"}),
        ("get_execution", BIG),
        ("get_run", {"run": "01M7RXSQZS70G2AC00ZNA6MD9F"}),
    ]
    for tool, arguments in calls:
        text, page = await answer(client, tool, **arguments)
        assert "SAMPLE DATA" in text.splitlines()[0]
        assert page["sample"] is True


async def test_a_page_never_says_that_it_is_complete_when_it_is_not(client: Client) -> None:
    for tool, arguments in DEFAULT_PAGES:
        pages = await follow(client, tool, **arguments, limit=7)
        assert [("cursor" in page, page["coverage"]["complete"]) for page in pages] == [
            *[(True, False)] * (len(pages) - 1),
            (False, True),
        ]


@pytest.mark.slow
async def test_the_failed_tasks_of_10000_are_listed_exactly_once_by_cursors_alone(client: Client) -> None:
    every = await follow(client, "list_tasks", **BIG, sort="name:asc", limit=100)
    tasks = [task for page in every for task in rows_of(page)]
    failed = [task["name"] for task in tasks if task["status"] == "failed"]
    assert len(tasks) == len({task["name"] for task in tasks}) == 10_000
    pages = await follow(client, "list_tasks", **BIG, status="failed")
    listed = [task["name"] for page in pages for task in page["items"]]
    assert len(listed) == len(set(listed))
    assert sorted(listed) == sorted(failed)
    assert len(failed) == 298
    assert pages[-1]["coverage"] == {"scanned": 10_000, "matched": 298, "complete": True}
    assert pages[-1]["total"] == {"value": 298, "kind": "exact"}


async def test_no_secret_of_a_definition_reaches_an_answer(client: Client) -> None:
    text, page = await answer(client, "get_job", job="nightly-etl")
    assert "DATABASE_URL" in text
    assert "sample-secret" not in text + json.dumps(page)
    assert "***" not in text
