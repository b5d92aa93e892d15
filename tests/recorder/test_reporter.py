"""What reports a recording costs the record at most, whatever becomes of it: the commands run to their end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio
import pytest

from jobtrail.cli.command_output import OutputForwarder
from jobtrail.recorder import Plan, run_and_record
from jobtrail.recorder.reporter import Reporter
from jobtrail.store import Store, StoreError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="recorders need POSIX"),
]


class GoneTerminal(OutputForwarder):
    """Shows warnings on a terminal that is gone."""

    def warn(self, text: str) -> None:
        raise OSError(text)


def refuse() -> Store:
    raise StoreError("the store is full")


async def test_a_warning_that_cannot_be_shown_stops_no_command(tmp_path: Path) -> None:
    plan = Plan("etl", ["sh", "-c", "sleep 0.2; touch $0", "{}"], inputs=[str(tmp_path / name) for name in "ab"])
    result = await run_and_record(plan, refuse, GoneTerminal())
    assert (result.code, result.counts, result.execution) == (0, {"succeeded": 2}, None)
    assert sorted([one.name async for one in anyio.Path(tmp_path).iterdir()]) == ["a", "b"]


async def test_a_report_that_nobody_writes_any_more_is_lost_and_raises_nothing() -> None:
    reporter = Reporter(print)
    async with anyio.create_task_group() as group:
        group.start_soon(reporter.run)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    await reporter.report_begin(0)
    await reporter.report_end([0], "succeeded")
    await reporter.close(anyio.Event())
