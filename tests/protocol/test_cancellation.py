"""A call that is cancelled, or has run out of time, leaves no request behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest

from jobtrail.errors import Unreachable
from jobtrail.models import Execution
from jobtrail.paging import NEWEST_FIRST, Budget, Merged, Walk, walk
from jobtrail.sources import open_sources
from jobtrail.sources.list_options import ListOptions
from tests.paging.changing_lists import Rows, listing_of, rows_of
from tests.upstreams import client_of, listening, settings_of

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import SocketStream

    from jobtrail.models import Run
    from jobtrail.paging import Listing

pytestmark = pytest.mark.anyio

CALLS = {
    "runwisp": ("list_runs", {"query": "_"}),
    "blaxel": ("list_executions", {"job": "etl", "status": "failed"}),
}


@dataclass
class Hung:
    """A server's side of connections that are never answered."""

    asked: anyio.Event = field(default_factory=anyio.Event)
    dropped: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self, stream: SocketStream) -> None:
        await stream.receive()
        self.asked.set()
        try:
            await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            self.dropped.set()


@pytest.mark.parametrize("source", CALLS)
async def test_a_cancelled_call_drops_its_connection_at_once_and_asks_no_more(source: str, tmp_path: Path) -> None:
    tool, arguments = CALLS[source]
    hung = Hung()
    async with listening(hung) as server:
        urls = {"RUNWISP_URL": server.url, "BL_API_URL": f"{server.url}/v0"}
        async with client_of(tmp_path, None, **urls) as client:
            with anyio.fail_after(10):
                async with anyio.create_task_group() as group:
                    group.start_soon(partial(client.call_tool, tool, {**arguments, "source": source}))
                    await hung.asked.wait()
                    group.cancel_scope.cancel()
                await hung.dropped.wait()
            # The server is still there, and has asked nothing else meanwhile.
            await client.list_tools()
            assert server.connections == 1


async def test_a_walk_that_runs_out_of_time_drops_its_connection(tmp_path: Path) -> None:
    hung = Hung()
    async with listening(hung) as server:
        sources = open_sources(settings_of(tmp_path, BL_API_URL=f"{server.url}/v0"))
        listing = sources.get("blaxel").need_batch().executions("etl", ListOptions(NEWEST_FIRST))
        with anyio.fail_after(10):
            with pytest.raises(Unreachable, match=r"when the 0\.2 s of this call were over"):
                await walk(listing, Walk[Execution](limit=20, budget=Budget(seconds=0.2)))
            await hung.dropped.wait()
        await sources.aclose()
        assert server.connections == 1


class Stuck:
    """An upstream that answers so many requests and then no more, and tells when so many are waiting."""

    def __init__(self, answers: int, waiting: int) -> None:
        self.left = answers
        self.waiting = waiting
        self.stuck = anyio.Event()

    async def __call__(self) -> None:
        if self.left:
            self.left -= 1
            return
        self.waiting -= 1
        if not self.waiting:
            self.stuck.set()
        await anyio.sleep_forever()


async def cancelled_when_stuck(listing: Listing[Execution | Run], stuck: Stuck) -> None:
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(walk, listing, Walk["Execution | Run"](limit=1_000))
            await stuck.stuck.wait()
            group.cancel_scope.cancel()


async def test_a_cancelled_walk_stops_every_key_range_it_was_reading() -> None:
    stuck = Stuck(answers=2, waiting=4)
    upstream = Rows("runwisp", rows_of([1] * 100), largest=10, before=stuck)
    await cancelled_when_stuck(await listing_of(upstream, ListOptions(NEWEST_FIRST, "_")), stuck)
    assert (upstream.running, upstream.most, len(upstream.asked)) == (0, 4, 6)


async def test_a_cancelled_walk_over_several_listings_stops_all_of_them_and_begins_no_other() -> None:
    stuck = Stuck(answers=0, waiting=4)
    upstreams = [Rows("blaxel", rows_of([1] * 10), before=stuck) for _ in range(9)]
    parts = {
        f"job-{number}": await listing_of(rows, ListOptions(NEWEST_FIRST)) for number, rows in enumerate(upstreams)
    }
    await cancelled_when_stuck(Merged(parts), stuck)
    assert sum(rows.running for rows in upstreams) == 0
    assert sum(len(rows.asked) for rows in upstreams) == 4
