"""Times in the tools: which window an answer is of, on whose clock, and for how long what is unfinished has been so."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from mcp import Client

from jobtrail.protocol.app import build_server
from tests.sample_client import SAMPLE, FixedClock, answer

pytestmark = pytest.mark.anyio


BERLIN = FixedClock(ZoneInfo("Europe/Berlin"), "Europe/Berlin")


async def test_a_week_is_all_of_it_so_that_what_failed_in_it_is_found() -> None:
    async with Client(build_server(SAMPLE, clock=FixedClock())) as client:
        _, week = await answer(client, "find_failures", since="2026-W47", until="2026-W47")
        _, days = await answer(client, "find_failures", since="2026-11-16", until="2026-11-22")
    assert week["failures"] == days["failures"] > 0
    assert (week["window"]["since"], week["window"]["until"]) == ("2026-11-16T00:00:00Z", "2026-11-22T23:59:59Z")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("find_failures", {}),
        ("list_runs", {}),
        ("list_executions", {"job": "nightly-etl"}),
        ("history", {"job": "nightly-etl"}),
    ],
)
async def test_an_answer_says_how_it_took_a_local_time_that_was_twice(tool: str, arguments: dict[str, str]) -> None:
    async with Client(build_server(SAMPLE, clock=BERLIN)) as client:
        text, _ = await answer(client, tool, **arguments, since="2026-10-25T02:30", until="2026-10-25T12:00")
    assert "note: since '2026-10-25T02:30' is twice in Europe/Berlin, where clocks turn: it was taken as" in text
    assert "until 2026-10-25T11:00:00Z inclusive" in text
