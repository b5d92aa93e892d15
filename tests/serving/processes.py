"""Servers over HTTP as processes of their own, and clients of them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import httpx2
import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from jobtrail.protocol.prompts import load_prompts
from jobtrail.tools import TOOLS
from tests.sample_client import answer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

ENV = {"PATH": os.environ["PATH"], "HOME": os.devnull}
JOBTRAIL = [sys.executable, "-m", "jobtrail"]
NAMES = [spec.fn.__name__ for spec in TOOLS]
TOKEN = "a-token-of-this-test"
SECONDS = 30
# Both signals and the end of stdin are to end a server within this time.
END_SECONDS = 5
ERAS = {"legacy": "2025-11-25", "auto": "2026-07-28"}
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


@contextmanager
def kill_after(process: subprocess.Popen[str], seconds: float) -> Generator[None]:
    """Bound every blocking read from a process."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@dataclass(frozen=True)
class ServerProcess:
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
        with kill_after(self.process, END_SECONDS):
            self.process.send_signal(number)
            said = self.process.stderr.read()
            assert self.process.wait() == 0, said
        return said


@contextmanager
def start_server(transport: Transport, *options: str, **environ: str) -> Generator[ServerProcess]:
    command = [*JOBTRAIL, "serve", "--transport", transport, *options]
    command += [] if "--port" in options else ["--port", "0"]
    with subprocess.Popen(command, env={**ENV, **environ}, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            with kill_after(process, SECONDS):
                line = process.stderr.readline()
            found = re.fullmatch(r"jobtrail: serving (http://\S+)\n", line)
            assert found, line
            served = ServerProcess(found[1], process)
            yield served
            if process.poll() is None:
                served.end()
        finally:
            if process.poll() is None:
                process.kill()


@asynccontextmanager
async def open_client(
    served: ServerProcess, mode: str, headers: dict[str, str] | None = None
) -> AsyncGenerator[Client]:
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
