"""Answers made to be costly: each is refused or read soon, and nobody else's call waits long for it."""

from __future__ import annotations

import gzip
import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from jobtrail.sources.http_client import SourceContext, open_http
from jobtrail.sources.runwisp.event_stream import follow_runs
from jobtrail.sources.runwisp.registration import RunWispSettings
from jobtrail.window import Clock
from tests.sample_client import text_of
from tests.upstreams import (
    Upstream,
    client_of,
    execution_of,
    listening,
    page,
    raw,
    reply,
    run_id,
    run_of,
    task_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    import httpx2
    from anyio.abc import SocketStream
    from mcp import Client

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
SECONDS = 30
HELD_SECONDS = 2.5
"""CPU time that another call may have to wait at most while one step of the server is carried out.

An idle machine takes a fifth of it for the worst of these; without limits the first takes a minute.
"""

EXECUTIONS = ("list_executions", {"job": "etl", "limit": 20, "source": "blaxel"})
TASKS = ("list_tasks", {"job": "etl", "execution": "exec-0002", "source": "blaxel"})
EXECUTION = ("get_execution", {"job": "etl", "execution": "exec-0002", "source": "blaxel"})
RUNS = ("list_runs", {"limit": 20, "source": "runwisp"})
DEFINITIONS = ("list_jobs", {"source": "runwisp"})
LOG = ("read_log", {"run": run_id(2), "source": "runwisp"})

NO_JSON = "JSON that does not parse"
VALUES, ROWS, BYTES = "more than 750,000 values in one", "rows where 20 were asked for", "more than 32 MiB in one"


def many(one: bytes, number: int) -> bytes:
    """Return a JSON list of so many of the same."""
    return b"[" + b",".join([one] * number) + b"]"


def blaxel_page(rows: bytes) -> bytes:
    return b'{"data":' + rows + b',"meta":{"hasMore":false,"nextCursor":"","total":1}}'


def runwisp_page(rows: bytes) -> bytes:
    return b'{"items":' + rows + b',"total":1}'


def object_of(keys: int) -> bytes:
    return b"{" + b",".join(b'"%d":"1"' % number for number in range(keys)) + b"}"


def execution_with(tasks: bytes) -> bytes:
    return json.dumps(execution_of(2)).encode()[:-1] + b',"tasks":' + tasks + b"}"


def log_of(lines: bytes) -> bytes:
    return b'{"totalLines":1,"lines":' + lines + b"}"


@dataclass(frozen=True)
class Bomb:
    """A call, what it is answered with (made when it is needed), and what an agent reads then."""

    call: tuple[str, dict[str, Any]]
    body: Callable[[], bytes]
    says: str


BOMBS = {
    "empty-rows": Bomb(EXECUTIONS, lambda: blaxel_page(many(b"{}", 2_000_000)), VALUES),
    "empty-runs": Bomb(RUNS, lambda: runwisp_page(many(b"{}", 2_000_000)), VALUES),
    "rows-over-the-limit": Bomb(EXECUTIONS, lambda: blaxel_page(many(b"{}", 100_000)), f"100,000 {ROWS}"),
    "runs-over-the-limit": Bomb(RUNS, lambda: runwisp_page(many(b"{}", 100_000)), f"100,000 {ROWS}"),
    "numbers": Bomb(EXECUTIONS, lambda: many(b"1", 10_000_000), VALUES),
    "lists-in-lists": Bomb(EXECUTIONS, lambda: b"[" * 300_000 + b"]" * 300_000, NO_JSON),
    "a-text": Bomb(EXECUTIONS, lambda: blaxel_page(b'"' + b"x" * (30 * MIB) + b'"'), "in a shape its documents"),
    "a-longer-text": Bomb(EXECUTIONS, lambda: blaxel_page(b'"' + b"x" * (33 * MIB) + b'"'), BYTES),
    "a-number": Bomb(EXECUTIONS, lambda: blaxel_page(b"9" * (30 * MIB)), NO_JSON),
    "escapes": Bomb(EXECUTIONS, lambda: blaxel_page(b'"' + b"\\n" * (15 * MIB) + b'"'), "in a shape its documents"),
    "keys": Bomb(
        EXECUTIONS, lambda: blaxel_page(b'[{"metadata":{"labels":' + object_of(700_000) + b"}}]"), "1 row, complete"
    ),
    "conditions": Bomb(
        TASKS, lambda: blaxel_page(b'[{"conditions":' + many(b"{}", 300_000) + b"}]"), "1 row, complete"
    ),
    "too-many-tasks": Bomb(EXECUTION, lambda: execution_with(many(b"{}", 300_000)), "300,000 rows in one answer"),
    "many-tasks": Bomb(EXECUTION, lambda: execution_with(many(b"{}", 50_000)), "of 2 tasks 2 succeeded"),
    "definitions": Bomb(DEFINITIONS, lambda: runwisp_page(many(b"{}", 300_000)), "300,000 rows in one answer"),
    "a-line": Bomb(LOG, lambda: log_of(b'[{"n":0,"text":"' + b"x" * (30 * MIB) + b'"}]'), "lines 1 to 1 of 1"),
    "commas-in-lines": Bomb(
        LOG, lambda: log_of(many(b'{"n":0,"text":"' + b"1,{" * 1_000 + b'"}', 5_000)), "lines 1 to 1 of 1"
    ),
    "tiny-texts": Bomb(EXECUTIONS, lambda: blaxel_page(many(b'""', 3_000_000)), VALUES),
    "quotes": Bomb(EXECUTIONS, lambda: blaxel_page(b"[1" + b",1" * 800_000 + b',"\\"' * 4_000_000), VALUES),
    "lines": Bomb(LOG, lambda: log_of(many(b"{}", 300_000)), "300,000 rows where 100 were asked for"),
}
EVENT = b'data: {"run": {"id": "%s"}}\n\n' % run_id(1).encode()


class Hold:
    """The longest that another call took, in CPU seconds of the process; without a client, a step of the loop."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self, client: Client | None, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        task_status.started()
        while True:
            before = time.process_time()
            # Refused by the server itself, so that what it takes is what it had to wait for.
            await (client.call_tool("list_jobs", {"cursor": "none"}) if client else anyio.sleep(0.001))
            self.longest = max(self.longest, time.process_time() - before)
            await anyio.sleep(0.001)


@asynccontextmanager
async def held(client: Client | None = None) -> AsyncGenerator[Hold]:
    """Make another call again and again, and watch how long one takes."""
    hold = Hold()
    with anyio.fail_after(SECONDS):
        async with anyio.create_task_group() as group:
            await group.start(hold.watch, client)
            yield hold
            await anyio.sleep(0.01)
            group.cancel_scope.cancel()


def is_read_by(tool: str, request: httpx2.Request) -> bool:
    """Return whether a tool's bomb lies here, and not what is read before or after it."""
    ends = {"list_tasks": "/tasks", "read_log": "/log", "get_execution": "/exec-0002"}
    # The first request for one run finds out which dialect the daemon speaks.
    return request.url.path.endswith(ends.get(tool, "")) and request.url.params.get("limit") != "1"


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
async def test_a_costly_answer_is_refused_or_read_while_other_calls_go_on(name: str, tmp_path: Path) -> None:
    (tool, arguments), upstream = BOMBS[name].call, Upstream()
    sick = raw(BOMBS[name].body())
    upstream.sick = lambda request: sick(request) if is_read_by(tool, request) else None
    async with client_of(tmp_path, upstream) as client, held(client) as hold:
        text = text_of(await client.call_tool(tool, arguments))
    assert BOMBS[name].says in text
    assert hold.longest < HELD_SECONDS


@pytest.mark.slow
async def test_a_gibibyte_of_zeros_in_a_mebibyte_is_not_unpacked(tmp_path: Path) -> None:
    packed = gzip.compress(b"0" * 1024 * MIB, 1)
    head = "application/json\r\nContent-Encoding: gzip"
    async with (
        listening(reply(packed, head)) as server,
        client_of(tmp_path, None, BL_API_URL=f"{server.url}/v0") as client,
        held(client) as hold,
    ):
        before = time.process_time()
        text = text_of(await client.call_tool(*EXECUTIONS))
        took = time.process_time() - before
    assert BYTES in text
    assert took < HELD_SECONDS
    assert hold.longest < HELD_SECONDS


async def test_an_execution_of_ten_thousand_tasks_and_a_full_page_are_not_refused(tmp_path: Path) -> None:
    conditions = [
        {"type": "Failed", "status": "True", "reason": "exit 1", "message": "attempt 1 of 3, then others"}
    ] * 3
    upstream = Upstream()
    upstream.executions[0]["tasks"] = [task_of(number, "failed", conditions=conditions) for number in range(10_000)]
    upstream.runs = [run_of(number) for number in reversed(range(2_000))]
    async with client_of(tmp_path, upstream) as client:
        for call in (EXECUTION, (RUNS[0], {**RUNS[1], "limit": 100})):
            assert not (await client.call_tool(*call)).is_error


async def test_a_page_somewhat_longer_than_asked_is_read(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.sick = raw(json.dumps(page([execution_of(number) for number in range(900)])).encode())
    async with client_of(tmp_path, upstream) as client:
        text = text_of(await client.call_tool(*EXECUTIONS))
    assert "20 rows" in text


async def send_events(lines: bytes, stream: SocketStream) -> None:
    """Send an event stream that never ends."""
    await stream.receive()
    await stream.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    while True:
        await stream.send(lines)


@pytest.mark.parametrize("lines", [b"x" * 65_536, EVENT * 2_000], ids=["one-line", "events"])
async def test_an_endless_stream_of_events_leaves_room_for_other_calls(lines: bytes) -> None:
    heard: set[str] = set()
    settings = RunWispSettings(name="runwisp")
    async with listening(partial(send_events, lines)) as server, held() as hold:
        http = open_http(settings, server.url, SourceContext(None, Clock()))
        with anyio.move_on_after(1):
            await follow_runs(http, heard.add)
        await http.client.aclose()
    assert heard == ({run_id(1)} if EVENT in lines else set())
    assert hold.longest < HELD_SECONDS


HOSTILE = "/(.{0,25}){0,30}y$/"


@pytest.mark.slow
@pytest.mark.parametrize("search", [None, "zz", HOSTILE], ids=["none", "text", "expression"])
async def test_a_large_log_is_searched_in_steps_between_which_other_calls_go_on(
    search: str | None, tmp_path: Path
) -> None:
    lines = [{"n": number, "text": "é x" * 1_000} for number in range(2_000)]
    upstream, log = Upstream(), raw(json.dumps({"lines": lines, "totalLines": 2_000}).encode())
    upstream.sick = lambda request: log(request) if request.url.path.endswith("/log") else None
    async with client_of(tmp_path, upstream) as client, held(client) as hold:
        before = time.process_time()
        await client.call_tool(LOG[0], {**LOG[1], "lines": 500, **({"query": search} if search else {})})
        took = time.process_time() - before
    # What takes longest at once is parsing the answer. Matching is not held against it: other threads run meanwhile.
    assert hold.longest < took / 2
