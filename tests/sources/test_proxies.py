"""Proxies of the environment: used on the way to other machines, never on the way to this one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anyio
import pytest

from jobtrail.settings import is_loopback
from tests.sample_client import text_of
from tests.upstreams import client_of, listening, reply, run_of

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import SocketStream

pytestmark = pytest.mark.anyio

TOKEN = "tok-secret-456"
RUNS = reply(json.dumps({"items": [run_of(1)], "total": 1}).encode())


class Proxy:
    """What a proxy was sent; it passes nothing on."""

    def __init__(self) -> None:
        self.heard = b""

    async def __call__(self, stream: SocketStream) -> None:
        while b"\r\n\r\n" not in self.heard:
            self.heard += await stream.receive()
        await stream.send(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST", "[::ffff:127.0.0.1]", "0", "127.1", "0x7f000001"]
)
async def test_no_proxy_hears_of_requests_to_this_machine(
    host: str, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Proxy()
    async with listening(proxy) as between, listening(RUNS) as daemon:
        monkeypatch.setenv(variable, between.url)
        url = daemon.url.replace("127.0.0.1", host)
        async with client_of(tmp_path, None, RUNWISP_URL=url) as client:
            with anyio.fail_after(20):
                result = await client.call_tool("list_runs", {})
    assert not result.is_error, text_of(result)
    assert (proxy.heard, between.connections) == (b"", 0)


async def test_a_proxy_is_used_on_the_way_to_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Proxy()
    async with listening(proxy) as between:
        monkeypatch.setenv("HTTP_PROXY", between.url)
        async with client_of(tmp_path, None, RUNWISP_URL="http://runwisp.invalid") as client:
            with anyio.fail_after(20):
                await client.call_tool("list_runs", {})
    assert proxy.heard.startswith(b"GET http://runwisp.invalid/api/runs")
    assert TOKEN.encode() in proxy.heard


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("localhost.", True),
        ("::1", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:192.0.2.1", False),
        ("0.0.0.0", False),  # noqa: S104 # the point
        ("localhost.example", False),
        ("127.0.0.1.example", False),
        ("", False),
    ],
)
def test_which_addresses_are_of_this_machine(host: str, here: bool) -> None:  # a column of the table
    assert is_loopback(host) is here
