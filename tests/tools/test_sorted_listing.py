"""Lists in an order that their upstream does not have: sorted here, as far as one call reads."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.sample_client import BIG, answer, follow, rows_of, sample_client
from tests.upstreams import START, Upstream, client_of, execution_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


def took(number: int, seconds: int | None) -> dict[str, Any]:
    """Return an execution that took some time, or runs still."""
    begins = START + timedelta(minutes=number)
    ends = {} if seconds is None else {"completedAt": (begins + timedelta(seconds=seconds)).isoformat()}
    metadata = {
        "id": f"e{number}",
        "job": "etl",
        "createdAt": begins.isoformat(),
        "startedAt": begins.isoformat(),
        **ends,
    }
    return execution_of(number, "running" if seconds is None else "succeeded", metadata=metadata)


async def test_executions_are_sorted_by_duration_page_by_page_and_the_answer_says_among_how_many(
    tmp_path: Path,
) -> None:
    upstream = Upstream()
    lengths = [None, 30, 10, 50, 10, 20, 40]
    upstream.executions = [took(number, seconds) for number, seconds in reversed([*enumerate(lengths)])]
    async with client_of(tmp_path, upstream) as client:
        pages = await follow(client, "list_executions", job="etl", sort="duration", limit=3)
        _, shortest = await answer(
            client, "list_executions", job="etl", sort="duration:asc", limit=1, until=START.isoformat()
        )
    rows = [row for page in pages for row in rows_of(page)]
    assert [row.get("duration_s") for row in rows] == [50, 40, 30, 20, 10, 10, None]
    assert "sorted among all 7 executions of this list" in pages[0]["notes"]
    assert pages[-1]["coverage"]["complete"]
    assert [row["id"] for row in rows_of(shortest)] == ["e0"]


async def test_where_there_are_more_than_a_call_reads_it_says_so_and_is_never_complete(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.executions = [took(number, number) for number in reversed(range(2_300))]
    async with client_of(tmp_path, upstream) as client:
        text, page = await answer(client, "list_executions", job="etl", sort="duration:asc", limit=2)
    assert [row["duration_s"] for row in rows_of(page)] == [300, 301]
    assert any(
        note.startswith("sorted among the 2,000 executions that were read, the newest, back to")
        for note in page["notes"]
    )
    assert not page["coverage"]["complete"]
    assert "more to read" in text or "rows may be missing" in text


async def test_the_slowest_tasks_of_ten_thousand_come_first() -> None:
    async with sample_client() as client:
        _, page = await answer(client, "list_tasks", **BIG, sort="duration:desc", limit=3)
        _, detail = await answer(client, "get_execution", **BIG)
    assert [row["name"] for row in page["items"]] == [one["name"] for one in detail["slowest"]]
