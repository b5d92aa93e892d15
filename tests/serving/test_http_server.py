"""A server over HTTP begins and ends as asked."""

from __future__ import annotations

import subprocess

import anyio
import anyio.to_thread
import httpx2
import pytest

from tests.serving.processes import (
    ENV,
    JOBTRAIL,
    SECONDS,
    Transport,
    both_eras,
    both_signals,
    both_transports,
    open_client,
    start_server,
)

pytestmark = pytest.mark.anyio


@pytest.mark.slow
@both_transports
@both_signals
def test_a_signal_ends_a_server_with_an_open_stream_and_the_stream_with_it(transport: Transport, number: int) -> None:
    with (
        start_server(transport) as served,
        httpx2.stream("GET", served.url, headers={"Accept": "text/event-stream"}, timeout=SECONDS) as stream,
    ):
        assert stream.status_code == 200
        assert served.end(number) == ""
        # It was ended, not cut off: reading it to its end raises nothing.
        list(stream.iter_lines())


@pytest.mark.slow
@both_eras
async def test_a_server_ends_while_a_client_is_connected(mode: str) -> None:
    with start_server("sse") as served, anyio.fail_after(SECONDS):
        async with open_client(served, mode) as client:
            await client.list_tools()
            assert await anyio.to_thread.run_sync(served.end) == ""


def test_a_second_server_on_the_same_port_says_so_and_leaves_the_first_alone() -> None:
    with start_server("http") as first:
        port = first.root.rpartition(":")[2]
        command = [*JOBTRAIL, "serve", "--transport", "http", "--port", port]
        second = subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert second.returncode == 2
        assert second.stderr == (
            f"jobtrail: cannot listen on 127.0.0.1:{port} (Address already in use); give another --host or --port, "
            "--port 0 for any free one\n"
        )
        assert httpx2.get(f"{first.root}/healthz").status_code == 200
