"""The way to an upstream: proxies of the environment, never on the way to this machine, and certificates."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING, cast

import anyio
import pytest
import trustme
from anyio.streams.tls import TLSStream

from jobtrail.settings import is_loopback
from jobtrail.sources.route import find_route
from tests.sample_client import text_of
from tests.upstreams import client_of, listening, nobody_listening, reply, run_of

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import SocketStream

    from tests.upstreams import Behaviour

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
        await stream.send(reply_with("502 Bad Gateway"))


def reply_with(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


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


async def ask(home: Path, url: str) -> tuple[bool, str]:
    """Return whether a call of a daemon at an address failed, and what it says."""
    async with client_of(home, None, RUNWISP_URL=url) as client:
        with anyio.fail_after(20):
            result = await client.call_tool("list_runs", {"source": "runwisp"})
    return result.is_error, text_of(result)


async def test_a_socks_proxy_takes_requests_to_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    async def serve(stream: SocketStream) -> None:
        # RFC 1928: which ways to log in, none is needed; where to, done.
        await stream.receive()
        await stream.send(b"\x05\x00")
        asked.append(await stream.receive())
        await stream.send(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        await RUNS(stream)

    async with listening(serve) as between:
        monkeypatch.setenv("ALL_PROXY", between.url.replace("http", "socks5"))
        failed, text = await ask(tmp_path, "http://runwisp.invalid:9477")
    assert not failed, text
    assert b"runwisp.invalid" in asked[0]


@pytest.mark.parametrize(
    ("scheme", "variable", "value", "told"),
    [
        (
            "http",
            "HTTP_PROXY",
            "http://user:hunter2@{dead}",
            "through the proxy http://{dead} (HTTP_PROXY): no connec",
        ),
        ("https", "https_proxy", "{dead}", "through the proxy http://{dead} (https_proxy): no connection"),
        ("https", "ALL_PROXY", "socks5://{dead}", "through the proxy socks5://{dead} (ALL_PROXY): no connection"),
        ("http", "HTTP_PROXY", "ftp://proxy", "HTTP_PROXY is no address of a proxy; set HTTP_PROXY to one such as"),
        (
            "https",
            "HTTPS_PROXY",
            "http://[::",
            "HTTPS_PROXY is no address of a proxy; set HTTPS_PROXY to one such as",
        ),
        (
            "https",
            "SSL_CERT_FILE",
            "/nowhere",
            "SSL_CERT_FILE: No such file or directory; set SSL_CERT_FILE to a file",
        ),
        ("https", "SSL_CERT_FILE", __file__, "SSL_CERT_FILE: cannot be read as certificates; set SSL_CERT_FILE to"),
    ],
)
async def test_a_variable_that_is_wrong_is_named_and_fails_only_the_source_that_it_concerns(
    scheme: str, variable: str, value: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = nobody_listening().removeprefix("http://")
    monkeypatch.setenv(variable, value.format(dead=dead))
    failed, text = await ask(tmp_path, f"{scheme}://runwisp.invalid")
    assert failed
    assert (
        f"source 'runwisp' cannot be reached{':' if 'through' not in told else ''} {told.format(dead=dead)}" in text
    )
    assert "hunter2" not in text
    async with listening(RUNS) as daemon:
        failed, text = await ask(tmp_path, daemon.url)
    assert not failed, text


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("407 Proxy Authentication Required", "{proxy}, which wants a log-in"),
        ("503 Service Unavailable", "failed, or cannot be reached through {proxy}"),
        ("", "dropped the connection before its answer was complete (through {proxy})"),
    ],
)
async def test_where_a_proxy_may_be_what_failed_it_is_named(
    answer: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(stream: SocketStream) -> None:
        await stream.receive()
        await stream.send(reply_with(answer) if answer else b"")

    async with listening(refuse) as between:
        monkeypatch.setenv("HTTP_PROXY", between.url)
        failed, text = await ask(tmp_path, "http://runwisp.invalid")
    assert failed
    assert told.format(proxy=f"the proxy {between.url} (HTTP_PROXY)") in text


async def test_a_tunnel_that_a_proxy_refuses_is_its_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(Proxy()) as between:
        monkeypatch.setenv("HTTPS_PROXY", between.url)
        failed, text = await ask(tmp_path, "https://runwisp.invalid")
    assert failed
    assert f"through the proxy {between.url} (HTTPS_PROXY): 502 Bad Gateway; check that proxy, or name" in text


@pytest.mark.parametrize("entry", ["10.0.0.0/8", "runwisp.invalid, 10.9.8.7", "10.9.8.7:9477", "*"])
def test_what_no_proxy_names_is_reached_without_one(entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    assert find_route("http://10.9.8.7:9477", "it").proxy == "the proxy http://proxy.invalid:3128 (HTTP_PROXY)"
    monkeypatch.setenv("NO_PROXY", entry)
    assert find_route("http://10.9.8.7:9477", "it").proxy == ""


def over_tls(inner: Behaviour, authority: trustme.CA, name: str) -> Behaviour:
    """Return a behaviour over TLS, with a certificate for a name."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)  # pyright: ignore[reportUnknownMemberType] # of pyOpenSSL too

    async def serve(stream: SocketStream) -> None:
        try:
            inside = await TLSStream.wrap(stream, server_side=True, ssl_context=context, standard_compatible=False)
        except (ssl.SSLError, anyio.BrokenResourceError, anyio.EndOfStream):
            return
        await inner(cast("SocketStream", inside))

    return serve


@pytest.mark.parametrize(
    ("trusted", "name", "told"),
    [
        (True, "127.0.0.1", None),
        (
            False,
            "127.0.0.1",
            "refused (unable to get local issuer certificate) at {url}; set SSL_CERT_FILE to a file",
        ),
        (True, "other.invalid", "certificate is not valid for '127.0.0.1') at {url}; use the name that its"),
    ],
)
async def test_a_certificate_that_is_refused_is_told_as_that_with_the_way_out(
    trusted: bool, name: str, told: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    async with listening(over_tls(RUNS, authority, name)) as daemon:
        url = daemon.url.replace("http", "https")
        failed, text = await ask(tmp_path, url)
    assert failed is (told is not None), text
    assert (told or "runs").format(url=url) in text


async def test_https_at_a_port_of_plain_http_is_told_as_that(tmp_path: Path) -> None:
    async def refuse(stream: SocketStream) -> None:
        await stream.receive()
        await stream.send(reply_with("400 Bad Request"))

    async with listening(refuse) as daemon:
        failed, text = await ask(tmp_path, daemon.url.replace("http", "https"))
    assert failed
    assert "does not speak TLS there: the port is one of plain http at https://127.0.0.1" in text
    assert "write http:// instead: check RUNWISP_URL" in text


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
