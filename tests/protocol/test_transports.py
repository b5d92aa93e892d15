"""The server as clients meet it: a process of its own, over stdio and over both HTTP transports."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import anyio
import anyio.to_thread
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from pydantic import SecretStr

from jobtrail.errors import SettingsError
from jobtrail.protocol.prompts import load_prompts
from jobtrail.serving import HttpBind
from jobtrail.tools import TOOLS
from tests.plane.serving import serve_answers
from tests.sample_client import SAMPLE, answer, text_of
from tests.sources.test_auth import Daemon

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterator

    from jobtrail.settings import Settings

pytestmark = pytest.mark.anyio

ENV = {"PATH": os.environ["PATH"], "HOME": os.devnull}
JOBTRAIL = [sys.executable, "-m", "jobtrail"]
NAMES = [spec.fn.__name__ for spec in TOOLS]
TOKEN = "a-token-of-this-test"
SECONDS = 30
# Both signals and the end of stdin are to end a server within this time.
END_SECONDS = 5
ERAS = {"legacy": "2025-11-25", "auto": "2026-07-28"}
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
Transport = Literal["http", "sse"]

both_eras = pytest.mark.parametrize("mode", ERAS)
both_transports = pytest.mark.parametrize("transport", ["http", "sse"])
both_signals = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


async def check_everything(client: Client, mode: str) -> None:
    """Use what a client uses: the handshake, tools, prompts."""
    assert client.protocol_version == ERAS[mode]
    assert client.server_info
    assert client.server_info.name == "jobtrail"
    assert [tool.name for tool in (await client.list_tools()).tools] == NAMES
    _, page = await answer(client, "list_jobs", limit=3)
    assert len(page["items"]) == 3
    prompts = (await client.list_prompts()).prompts
    assert [prompt.name for prompt in prompts] == [prompt.name for prompt in load_prompts()]
    triage = await client.get_prompt("triage", {"since": "3d"})
    assert "3d" in str(triage.messages[0].content)


def stdio_server() -> StdioServerParameters:
    return StdioServerParameters(command=JOBTRAIL[0], args=[*JOBTRAIL[1:], "serve"], env=ENV)


@contextmanager
def killed_after(process: subprocess.Popen[str], seconds: float) -> Generator[None]:
    """Bound every blocking read from a process."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def by_hand() -> Generator[tuple[subprocess.Popen[str], Iterator[str]]]:
    """A stdio server that has answered `initialize`, and the lines of its stdout."""
    pipe = subprocess.PIPE
    with (
        subprocess.Popen([*JOBTRAIL, "serve"], env=ENV, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process,
        killed_after(process, SECONDS),
    ):
        assert process.stdin
        assert process.stdout
        print(json.dumps(INITIALIZE), file=process.stdin, flush=True)
        lines = iter(process.stdout)
        assert json.loads(next(lines))["result"]["serverInfo"]["name"] == "jobtrail"
        yield process, lines
        if process.poll() is None:
            process.kill()


@dataclass(frozen=True)
class Served:
    """A server over HTTP.

    Attributes:
        url: of its MCP endpoint.
        root: its address without a path.
    """

    url: str
    process: subprocess.Popen[str]

    @property
    def root(self) -> str:
        return self.url.rpartition("/")[0]

    @property
    def paths(self) -> tuple[str, ...]:
        mcp = ("/sse", "/messages/") if self.url.endswith("/sse") else ("/mcp",)
        return (*mcp, "/healthz")

    def end(self, number: int = signal.SIGTERM) -> str:
        """Stop the server as asked; return what it wrote to stderr since it began to serve."""
        assert self.process.stderr
        with killed_after(self.process, END_SECONDS):
            self.process.send_signal(number)
            said = self.process.stderr.read()
            assert self.process.wait() == 0, said
        return said


@contextmanager
def serving(transport: Transport, *options: str, **environ: str) -> Generator[Served]:
    command = [*JOBTRAIL, "serve", "--transport", transport, *options]
    command += [] if "--port" in options else ["--port", "0"]
    with subprocess.Popen(command, env={**ENV, **environ}, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            with killed_after(process, SECONDS):
                line = process.stderr.readline()
            found = re.fullmatch(r"jobtrail: serving (http://\S+)\n", line)
            assert found, line
            served = Served(found[1], process)
            yield served
            if process.poll() is None:
                served.end()
        finally:
            if process.poll() is None:
                process.kill()


@asynccontextmanager
async def client_of(served: Served, mode: str, headers: dict[str, str] | None = None) -> AsyncGenerator[Client]:
    if served.url.endswith("/sse"):
        # The SDK serves both eras over SSE, as over every stream; of clients that still speak it, most are legacy.
        async with Client(sse_client(served.url, headers), mode=mode) as client:
            yield client
        return
    async with (
        httpx2.AsyncClient(headers=headers, timeout=SECONDS) as http,
        Client(streamable_http_client(served.url, http_client=http), mode=mode) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def servers() -> Generator[dict[str, Served]]:
    """One server of each transport, for tests that leave them as they are."""
    with serving("http") as http, serving("sse") as sse:
        yield {"http": http, "sse": sse}


@pytest.fixture(scope="module")
def guarded() -> Generator[dict[str, Served]]:
    """One server of each transport that asks for a token."""
    with (
        serving("http", JOBTRAIL_AUTH_TOKEN=f" {TOKEN}\n") as http,
        serving("sse", JOBTRAIL_AUTH_TOKEN=TOKEN) as sse,
    ):
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
        async with Client(stdio_client(stdio_server()), mode=mode) as client:
            await check_everything(client, mode)


def test_stdout_carries_nothing_but_json_rpc_and_garbage_does_not_end_the_server() -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("list_jobs", {"limit": 1}),
        ("no_such_tool", {}),
        ("get_job", {"job": "no-such-job"}),
    ]
    with by_hand() as (process, lines):
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
    with by_hand() as (process, lines):
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
    servers: dict[str, Served], transport: Transport, mode: str
) -> None:
    with anyio.fail_after(SECONDS):
        async with client_of(servers[transport], mode) as client:
            await check_everything(client, mode)


@both_transports
@both_eras
async def test_two_clients_at_once_get_each_their_own_answers(
    servers: dict[str, Served], transport: Transport, mode: str
) -> None:
    async def ask(jobs: list[str]) -> None:
        async with client_of(servers[transport], mode) as client:
            for job in jobs:
                _, page = await answer(client, "list_executions", job=job, limit=1)
                assert page["job"] == job

    names = ["backfill-embeddings", "invoice-export"] * 3
    with anyio.fail_after(SECONDS):
        async with anyio.create_task_group() as group:
            group.start_soon(ask, names)
            group.start_soon(ask, names[1:])


@both_transports
async def test_all_clients_of_a_server_share_its_sources_and_their_log_in(transport: Transport) -> None:
    daemon = Daemon(answer=httpx2.Response(200, json={"items": [], "total": 0}))
    with (
        serve_answers(daemon) as url,
        serving(transport, RUNWISP_URL=url, RUNWISP_PASSWORD=daemon.password) as served,
        anyio.fail_after(SECONDS),
    ):
        async with AsyncExitStack() as stack:
            for _ in range(4):
                client = await stack.enter_async_context(client_of(served, "legacy"))
                text, _ = await answer(client, "list_runs")
                assert "0 rows, complete" in text
        # A client that comes when all others have gone finds them as they were.
        async with client_of(served, "legacy") as client:
            await answer(client, "list_runs")
    assert daemon.used == ["nonce-1"]


@both_transports
def test_healthz_says_ok(servers: dict[str, Served], transport: Transport) -> None:
    answered = httpx2.get(f"{servers[transport].root}/healthz")
    assert (answered.status_code, answered.text) == (200, "ok\n")


@both_transports
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example:80"}, 421),
        ({"Host": "localhost.evil.example"}, 421),
        ({"Host": ""}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Host": "evil.example", "Origin": "http://localhost"}, 421),
    ],
)
def test_a_foreign_host_or_origin_is_turned_away_on_every_path(
    servers: dict[str, Served], transport: Transport, headers: dict[str, str], status: int
) -> None:
    served = servers[transport]
    for path in served.paths:
        for method in ("GET", "POST"):
            answered = httpx2.request(method, served.root + path, headers=headers)
            assert answered.status_code == status, (method, path)


@both_transports
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "localhost:9"},
        {"Host": "127.0.0.1"},
        {"Host": "[::1]:9"},
        {"Origin": "http://localhost:6274"},
        {"Origin": "https://127.0.0.1"},
    ],
)
def test_host_and_origin_of_this_machine_pass_on_every_path(
    servers: dict[str, Served], transport: Transport, headers: dict[str, str]
) -> None:
    served = servers[transport]
    for path in served.paths:
        # No stream is opened by a POST that carries nothing.
        answered = httpx2.post(served.root + path, headers=headers)
        assert answered.status_code not in {401, 403, 421}, path


def test_further_host_names_pass_once_they_are_allowed() -> None:
    with serving("http", JOBTRAIL_ALLOWED_HOSTS="jobs.example, other.example:8080") as served:
        statuses = {
            host: httpx2.get(f"{served.root}/healthz", headers={"Host": host}).status_code
            for host in ("jobs.example", "jobs.example:1", "other.example:8080", "other.example", "evil.example")
        }
    assert statuses == {
        "jobs.example": 200,
        "jobs.example:1": 200,
        "other.example:8080": 200,
        "other.example": 421,
        "evil.example": 421,
    }


@both_transports
@pytest.mark.parametrize(
    "given", [None, "", "Bearer", "Bearer wrong", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer ünïcode"]
)
def test_without_the_right_token_nothing_is_served(
    guarded: dict[str, Served], transport: Transport, given: str | None
) -> None:
    served = guarded[transport]
    headers = {} if given is None else {b"Authorization": given.encode()}
    for path in served.paths[:-1]:
        for method in ("GET", "POST"):
            answered = httpx2.request(method, served.root + path, headers=headers)
            assert answered.status_code == 401, (method, path)
            assert answered.headers["www-authenticate"] == "Bearer"
            assert TOKEN not in answered.text
    assert httpx2.get(f"{served.root}/healthz").status_code == 200


@both_transports
@both_eras
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_a_client_with_the_token_finds_everything(
    guarded: dict[str, Served], transport: Transport, mode: str, scheme: str
) -> None:
    with anyio.fail_after(SECONDS):
        async with client_of(guarded[transport], mode, {"Authorization": f"{scheme} {TOKEN}"}) as client:
            await check_everything(client, mode)


@both_transports
def test_off_loopback_it_does_not_start_without_a_token(transport: Transport) -> None:
    command = [*JOBTRAIL, "serve", "--transport", transport, "--host", "0.0.0.0", "--port", "0"]  # noqa: S104 # the point
    ended = subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "jobtrail: --host 0.0.0.0 is reachable from other machines, and whoever reaches this server can read your "
        "jobs: set JOBTRAIL_AUTH_TOKEN, or listen on 127.0.0.1\n"
    )


@pytest.mark.parametrize(
    ("host", "needs"),
    [
        ("127.0.0.1", False),
        ("127.8.9.10", False),
        ("localhost", False),
        ("::1", False),
        ("[::1]", False),
        ("::", True),
        ("", True),
        ("192.0.2.1", True),
        ("jobs.example", True),
        ("localhost.jobs.example", True),
    ],
)
def test_which_addresses_need_a_token(host: str, needs: bool) -> None:  # a column of the table
    def bind(settings: Settings) -> bool:
        try:
            return HttpBind.for_transport(host, 0, settings).host == host
        except SettingsError:
            return False

    assert bind(SAMPLE) is not needs
    assert bind(SAMPLE.model_copy(update={"auth_token": SecretStr(TOKEN)}))


@both_transports
def test_off_loopback_it_starts_with_a_token(transport: Transport) -> None:
    with serving(transport, "--host", "0.0.0.0", JOBTRAIL_AUTH_TOKEN=TOKEN) as served:  # noqa: S104 # the point
        here = served.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 # likewise
        assert httpx2.post(here).status_code == 401
        answered = httpx2.post(here, headers={"Authorization": f"Bearer {TOKEN}", "Host": "evil.example"})
        assert answered.status_code == 421


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")
async def test_the_ipv6_loopback_is_served_without_a_token() -> None:
    with serving("http", "--host", "::1") as served:
        assert served.root.startswith("http://[::1]:")
        with anyio.fail_after(SECONDS):
            async with client_of(served, "auto") as client:
                await check_everything(client, "auto")


@both_transports
@both_signals
def test_a_signal_ends_a_server_with_an_open_stream_and_the_stream_with_it(transport: Transport, number: int) -> None:
    with (
        serving(transport) as served,
        httpx2.stream("GET", served.url, headers={"Accept": "text/event-stream"}, timeout=SECONDS) as stream,
    ):
        assert stream.status_code == 200
        assert served.end(number) == ""
        # It was ended, not cut off: reading it to its end raises nothing.
        list(stream.iter_lines())


@both_eras
async def test_a_server_ends_while_a_client_is_connected(mode: str) -> None:
    with serving("sse") as served, anyio.fail_after(SECONDS):
        async with client_of(served, mode) as client:
            await client.list_tools()
            assert await anyio.to_thread.run_sync(served.end) == ""


def test_a_second_server_on_the_same_port_says_so_and_leaves_the_first_alone() -> None:
    with serving("http") as first:
        port = first.root.rpartition(":")[2]
        command = [*JOBTRAIL, "serve", "--transport", "http", "--port", port]
        second = subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert second.returncode == 2
        assert second.stderr == (
            f"jobtrail: cannot listen on 127.0.0.1:{port} (Address already in use); give another --host or --port, "
            "--port 0 for any free one\n"
        )
        assert httpx2.get(f"{first.root}/healthz").status_code == 200


@both_eras
async def test_a_cursor_from_one_process_goes_on_in_another(mode: str) -> None:
    arguments = {"job": "invoice-export", "status": "failed,timeout", "limit": 2}
    with anyio.fail_after(SECONDS):
        with serving("http") as first:
            port = first.root.rpartition(":")[2]
            async with client_of(first, mode) as client:
                _, page = await answer(client, "list_executions", **arguments)
                _, second_page = await answer(client, "list_executions", cursor=page["cursor"])
        # The same address again, as after a restart or behind a load balancer.
        with serving("http", "--port", port) as second:
            async with client_of(second, mode) as client:
                _, there = await answer(client, "list_executions", cursor=page["cursor"])
    assert there["items"] == second_page["items"] != page["items"]


async def test_a_session_of_a_server_that_restarted_goes_on() -> None:
    """Stateless: an old client holds nothing that a restart could lose."""
    with anyio.fail_after(SECONDS):
        with serving("http") as first:
            port = first.root.rpartition(":")[2]
            async with client_of(first, "legacy") as client:
                await client.list_tools()
                await anyio.to_thread.run_sync(first.end)
                with serving("http", "--port", port):
                    result = await client.call_tool("list_jobs", {"limit": 1})
                    assert not result.is_error, text_of(result)
