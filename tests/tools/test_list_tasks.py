"""`list_tasks`: those of one cause, as many as match, as little of each as is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jobtrail.analysis.failure_groups import FailureGroups, find_cause
from tests.agents.reader import Call
from tests.sample_client import BIG, answer, count_tokens, follow, rows_of, sample_client, text_of
from tests.upstreams import Upstream, client_of, task_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def test_an_execution_names_for_each_cause_the_call_that_lists_exactly_its_tasks() -> None:
    async with sample_client() as client:
        _, detail = await answer(client, "get_execution", **BIG)
        calls = [call for text in detail["next_calls"] if (call := Call.read(text)) and "cause" in call.arguments]
        assert [call.arguments["cause"] for call in calls] == [group["cause"] for group in detail["failures"]]
        for call, group in zip(calls, detail["failures"], strict=True):
            pages = await follow(client, call.tool, **call.arguments)
            names = [row["name"] for page in pages for row in page["items"]]
            assert (len(names), pages[-1]["coverage"]["complete"]) == (group["count"], True)
            assert {*group["tasks"]} <= {*names}


def test_a_cause_has_one_id_wherever_its_tasks_are_and_another_after_a_task_within() -> None:
    groups = FailureGroups()
    after = "exit code 1 after its task step failed: no route 7"
    for number, reason in enumerate(
        ("no route 1", "no route 2", after, "exit code 1 after its task step failed: lost")
    ):
        groups.add(f"t{number}", reason, None)
    by_cause = {group.cause: group.tasks for group in groups.to_models()}
    assert by_cause == {find_cause("no route 3"): ("t0", "t1"), find_cause("exit code 1 after its task s failed: lost"): ("t3",)}  # fmt: skip
    assert find_cause(after) not in by_cause
    assert find_cause(None) != find_cause("no route 1")


async def test_a_limit_counts_what_matches_and_names_alone_come_at_once(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.tasks = [task_of(number, "failed" if number % 50 == 0 else "succeeded") for number in range(2_650)]
    execution = upstream.executions[0]["metadata"]["id"]
    async with client_of(tmp_path, upstream) as client:
        text, page = await answer(
            client, "list_tasks", job="etl", execution=execution, status="failed", fields="name", limit=100
        )
    assert len(page["items"]) == 53
    assert page["coverage"] == {"scanned": 2_650, "matched": 53, "complete": True}
    assert {name for row in page["items"] for name in row} == {"name"}
    assert count_tokens(text) < 600


async def test_a_row_says_when_its_task_ended_and_how_long_it_took() -> None:
    async with sample_client() as client:
        text, page = await answer(client, "list_tasks", **BIG, status="failed", limit=2)
        _, some = await answer(client, "list_tasks", **BIG, status="failed", limit=2, fields=["ended", "reason"])
        refused = await client.call_tool("list_tasks", {**BIG, "fields": "name,when"})
    first = rows_of(page)[0]
    assert first["ended_at"] == "2026-11-17T06:55:57Z"
    assert "day 2026-11-17" in text.splitlines()[0]
    assert "06:55:57Z" in text
    assert {*first} == {"name", "status", "created_at", "ended_at", "duration_s", "attempt", "reason"}
    assert rows_of(some)[0] == {name: first[name] for name in ("name", "ended_at", "reason")}
    assert text_of(refused).startswith("fields='when' is no field of a task; there are name, status, ")
