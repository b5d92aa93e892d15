"""The server as clients meet it: a process of its own, over stdio and over both HTTP transports."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.plane.serving import serve_answers
from tests.sample_client import answer, text_of
from tests.serving.processes import (
    END_SECONDS,
    ENV,
    JOBTRAIL,
    SECONDS,
    ServerProcess,
    Transport,
    both_eras,
    both_transports,
    check_everything,
    kill_after,
    open_client,
    start_server,
)
from tests.sources.test_auth import Daemon

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


pytestmark = pytest.mark.anyio


INITIALIZE: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "by hand", "version": "1"},
    },
}


def describe_stdio_server() -> StdioServerParameters:
    return StdioServerParameters(command=JOBTRAIL[0], args=[*JOBTRAIL[1:], "serve"], env=ENV)


@contextmanager
def start_by_hand() -> Generator[tuple[subprocess.Popen[str], Iterator[str]]]:
    """A stdio server that has answered `initialize`, and the lines of its stdout."""
    pipe = subprocess.PIPE
    with (
        subprocess.Popen([*JOBTRAIL, "serve"], env=ENV, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process,
        kill_after(process, SECONDS),
    ):
        assert process.stdin
        assert process.stdout
        print(json.dumps(INITIALIZE), file=process.stdin, flush=True)
        lines = iter(process.stdout)
        assert json.loads(next(lines))["result"]["serverInfo"]["name"] == "jobtrail"
        yield process, lines
        if process.poll() is None:
            process.kill()


@pytest.fixture(scope="module")
def servers() -> Generator[dict[str, ServerProcess]]:
    """One server of each transport, for tests that leave them as they are."""
    with start_server("http") as http, start_server("sse") as sse:
        yield {"http": http, "sse": sse}


# As on Windows, whose event loop has no signal handlers.
DEAF = """
import asyncio.unix_events as unix
def add_signal_handler(self, *_):
    raise NotImplementedError
unix._UnixSelectorEventLoop.add_signal_handler = add_signal_handler
from jobtrail.cli import main
main()
"""


async def test_where_an_event_loop_cannot_be_told_of_signals_it_serves_all_the_same() -> None:
    command = StdioServerParameters(command=sys.executable, args=["-c", DEAF, "serve"], env=ENV)
    async with Client(command) as client:
        await check_everything(client, "auto")


@both_eras
async def test_a_stdio_client_of_either_era_finds_everything(mode: str) -> None:
    with anyio.fail_after(SECONDS):
        async with Client(stdio_client(describe_stdio_server()), mode=mode) as client:
            await check_everything(client, mode)


def test_stdout_carries_nothing_but_json_rpc_and_garbage_does_not_end_the_server() -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("list_jobs", {"limit": 1}),
        ("no_such_tool", {}),
        ("get_job", {"job": "no-such-job"}),
    ]
    with start_by_hand() as (process, lines):
        assert process.stdin
        assert process.stderr
        print('{"jsonrpc":"2.0","method":"notifications/initialized"}', file=process.stdin)
        print('garbage {"', "[]", "", '{"jsonrpc":"2.0","id":7}', sep="\n", file=process.stdin)
        for number, (tool, arguments) in enumerate(calls, 10):
            call = {"name": tool, "arguments": arguments}
            request = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": call}
            print(json.dumps(request), file=process.stdin, flush=True)
        answers: dict[int, dict[str, Any]] = {}
        while len(answers) < len(calls):
            message = json.loads(next(lines))
            assert message["jsonrpc"] == "2.0"
            if message.get("id") in range(10, 10 + len(calls)):
                answers[message["id"]] = message["result"]
        process.stdin.close()
        assert [json.loads(line)["jsonrpc"] for line in lines] == []
        assert process.wait(END_SECONDS) == 0
        assert "Traceback" not in process.stderr.read()
    assert not answers[10].get("isError")
    assert answers[11]["isError"]
    assert answers[12]["isError"]


@pytest.mark.parametrize("number", [None, signal.SIGTERM, signal.SIGINT])
def test_a_stdio_server_ends_by_itself_when_stdin_closes_or_a_signal_comes(number: int | None) -> None:
    with start_by_hand() as (process, lines):
        assert process.stdin
        assert process.stderr
        if number is None:
            process.stdin.close()
        else:
            process.send_signal(number)
        assert process.wait(END_SECONDS) == 0
        assert list(lines) == []
        assert process.stderr.read() == ""


@both_transports
@both_eras
async def test_an_http_client_of_either_era_finds_everything(
    servers: dict[str, ServerProcess], transport: Transport, mode: str
) -> None:
    with anyio.fail_after(SECONDS):
        async with open_client(servers[transport], mode) as client:
            await check_everything(client, mode)


@both_transports
@both_eras
async def test_two_clients_at_once_get_each_their_own_answers(
    servers: dict[str, ServerProcess], transport: Transport, mode: str
) -> None:
    async def ask(jobs: list[str]) -> None:
        async with open_client(servers[transport], mode) as client:
            for job in jobs:
                _, page = await answer(client, "list_executions", job=job, limit=1)
                assert page["job"] == job

    names = ["backfill-embeddings", "invoice-export"] * 3
    with anyio.fail_after(SECONDS):
        async with anyio.create_task_group() as group:
            group.start_soon(ask, names)
            group.start_soon(ask, names[1:])


@pytest.mark.slow
@both_transports
async def test_all_clients_of_a_server_share_its_sources_and_their_log_in(transport: Transport) -> None:
    daemon = Daemon(answer=httpx2.Response(200, json={"items": [], "total": 0}))
    with (
        serve_answers(daemon) as url,
        start_server(transport, RUNWISP_URL=url, RUNWISP_PASSWORD=daemon.password) as served,
        anyio.fail_after(SECONDS),
    ):
        async with AsyncExitStack() as stack:
            for _ in range(4):
                client = await stack.enter_async_context(open_client(served, "legacy"))
                text, _ = await answer(client, "list_runs")
                assert "0 rows, complete" in text
        # A client that comes when all others have gone finds them as they were.
        async with open_client(served, "legacy") as client:
            await answer(client, "list_runs")
    assert daemon.used == ["nonce-1"]


@pytest.mark.slow
@both_eras
async def test_a_cursor_from_one_process_goes_on_in_another(mode: str) -> None:
    arguments = {"job": "invoice-export", "status": "failed,timeout", "limit": 2}
    with anyio.fail_after(SECONDS):
        with start_server("http") as first:
            port = first.root.rpartition(":")[2]
            async with open_client(first, mode) as client:
                _, page = await answer(client, "list_executions", **arguments)
                _, second_page = await answer(client, "list_executions", cursor=page["cursor"])
        # The same address again, as after a restart or behind a load balancer.
        with start_server("http", "--port", port) as second:
            async with open_client(second, mode) as client:
                _, there = await answer(client, "list_executions", cursor=page["cursor"])
    assert there["items"] == second_page["items"] != page["items"]


@pytest.mark.slow
async def test_a_session_of_a_server_that_restarted_goes_on() -> None:
    """Stateless: an old client holds nothing that a restart could lose."""
    with anyio.fail_after(SECONDS):
        with start_server("http") as first:
            port = first.root.rpartition(":")[2]
            async with open_client(first, "legacy") as client:
                await client.list_tools()
                await anyio.to_thread.run_sync(first.end)
                with start_server("http", "--port", port):
                    result = await client.call_tool("list_jobs", {"limit": 1})
                    assert not result.is_error, text_of(result)
