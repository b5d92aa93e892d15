"""Pages over several sources: each row is handed out once, and where rows moved between two pages they say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jobtrail.store.rows import ExecutionRow, RunRow
from jobtrail.times import to_nanoseconds
from tests.peers.runwisp_daemon import ulid
from tests.sample_client import answer, follow, rows_of
from tests.tools.test_find_missed import at, daily, execution, job, run, task, two_sources

if TYPE_CHECKING:
    from datetime import datetime

pytestmark = pytest.mark.anyio


def running_run(name: str, created: datetime) -> RunRow:
    began = to_nanoseconds(created)
    return RunRow(ulid(created, 1), name, "running", began, began, 0, "", 0, {"triggered_by": "cron"})


def running_execution(of: str, created: datetime) -> ExecutionRow:
    began = to_nanoseconds(created)
    return ExecutionRow(of, f"{of}-running", "running", began, began, began, 0)


NAMES = [f"t{number}" for number in range(4)]
RECORDS = [
    *(task(name, "0 3 * * *") for name in NAMES),
    *(one for name in NAMES for one in daily(name, "11-01T03:00:00", 9)),
    *(run(name, at("11-11T09:00:00"), "failed", exit_code=number) for number, name in enumerate(NAMES)),
    *(running_run(name, at(f"11-11T10:0{number}:00")) for number, name in enumerate(NAMES)),
    *(job(f"j{number}", "0 2 * * *") for number in range(4)),
    *(execution(f"j{number}", at(f"11-0{day}T02:00:03")) for number in range(4) for day in range(2, 9)),
    *(running_execution(f"j{number}", at(f"11-11T08:0{number}:00")) for number in range(4)),
]


async def test_a_page_after_what_ran_since_says_that_rows_may_be_missing() -> None:
    async with two_sources(*RECORDS) as (client, network):
        _, first = await answer(client, "find_missed", since="5d", limit=3)
        assert [row["job"] for row in rows_of(first)] == ["j0", "j1", "j2"]
        network.store.write(execution("j0", at(f"11-{day:02}T02:00:03")) for day in (9, 10, 11))
        text, second = await answer(client, "find_missed", cursor=first["cursor"])
    assert "note: what ran changed since the page before: rows may repeat or be missing" in text
    assert not second["coverage"]["complete"]
    assert [row["job"] for row in rows_of(second)] == ["j3", "t0", "t1"]


@pytest.mark.parametrize("tool", ["list_active", "history"])
async def test_each_row_is_handed_out_once(tool: str) -> None:
    async with two_sources(*RECORDS) as (client, _):
        pages = await follow(client, tool, limit=3)
    rows = [row.get("id") or row["name"] for page in pages for row in rows_of(page)]
    assert len(rows) == len({*rows}) == 8
    assert [page["coverage"]["complete"] for page in pages] == [False, False, True]
