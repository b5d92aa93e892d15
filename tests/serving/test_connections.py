"""Crowds of connections that send nothing, or almost nothing: others are served, and the log stays short."""

from __future__ import annotations

import logging
import re
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from jobtrail.serving import connections
from tests.plane.serving import serve_app
from tests.serving.processes import ENV, JOBTRAIL, SECONDS, TOKEN, Transport, kill_after, start_server

if TYPE_CHECKING:
    from collections.abc import Generator

    from starlette.types import Receive, Scope, Send

LARGE = 32 * 1024 * 1024
FILES = 256
"""Files that the server may open: half of them are for connections."""
COMMANDS = {
    "http": ["serve", "--transport", "http"],
    "sse": ["serve", "--transport", "sse"],
    "plane": ["plane", "--sample"],
    "board": ["board", "--no-open"],
}
CROWD_LINES = [
    "closed a connection that sent no whole request within 5 s",
    "closed a connection to make room: 128 are open",
]
HEAD = b"POST /messages/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
LITTLE = {
    "nothing": b"",
    "half-a-head": HEAD,
    "no-body": HEAD + b"Content-Length: 10\r\n\r\n",
    "half-a-body": HEAD + b"Content-Length: 10\r\n\r\nhalf",
    "a-body-without-token": HEAD + b"Authorization: Bearer wrong\r\nContent-Length: 10\r\n\r\nhalf",
}


@contextmanager
def served(command: list[str]) -> Generator[tuple[subprocess.Popen[str], str]]:
    """A server in a process that may open few files, and its address."""
    shell = f'ulimit -n {FILES} && exec "$@"'
    line = ["/bin/sh", "-c", shell, "sh", *JOBTRAIL, *command, "--port", "0"]
    environ = {**ENV, "JOBTRAIL_AUTH_TOKEN": TOKEN}
    with subprocess.Popen(line, env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            with kill_after(process, SECONDS * 2):
                found = re.search(r"http://[^/\s]+", process.stderr.readline())
                assert found
                yield process, found[0]
        finally:
            process.kill()


def connect(stack: ExitStack, url: str, sends: bytes) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    connection = stack.enter_context(socket.create_connection((host, int(port)), SECONDS))
    connection.sendall(sends)
    return connection


def is_closed(connection: socket.socket) -> bool:
    """Return whether a server closes a connection in time, whatever it says before."""
    connection.settimeout(SECONDS)
    try:
        while connection.recv(65_536):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def is_well(url: str) -> bool:
    return httpx2.get(f"{url}/healthz", timeout=SECONDS).text == "ok\n"


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_silent_crowd_is_closed_and_keeps_nobody_out(command: str) -> None:
    with served(COMMANDS[command]) as (process, url), ExitStack() as stack:
        crowd = [connect(stack, url, [*LITTLE.values()][number % 2]) for number in range(2 * FILES)]
        assert is_well(url)
        assert all(is_closed(one) for one in crowd)
        assert is_well(url)
        process.terminate()
        assert process.stderr
        said = process.stderr.read().splitlines()
    shown = [line[line.index("closed") :] for line in said]
    assert len(shown) == len(set(shown))
    # On a slow machine the first of the crowd have waited too long before the last of it comes: no room is needed.
    assert {"closed a connection that sent no whole request within 5 s"} <= set(shown) <= set(CROWD_LINES)


@pytest.mark.slow
@pytest.mark.parametrize("sends", LITTLE.values(), ids=LITTLE)
def test_a_crowd_that_sends_little_keeps_nobody_out(sends: bytes) -> None:
    with served(COMMANDS["sse"]) as (_, url), ExitStack() as stack:
        for _ in range(FILES):
            connect(stack, url, sends)
        assert is_well(url)


async def read_all(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the length of a request's body and the client's port, and with 32 MiB of zeros to a GET."""
    request = Request(scope, receive)
    with suppress(ClientDisconnect):
        body = await request.body()
        answer = (
            Response(b"0" * LARGE)
            if request.method == "GET"
            else PlainTextResponse(f"{len(body)} {request.client and request.client.port}")
        )
        await answer(scope, receive, send)


@pytest.mark.parametrize("sends", LITTLE.values(), ids=LITTLE)
def test_the_oldest_that_waits_makes_room_for_a_new_connection(
    sends: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    # The whole crowd fits in the backlog, so that none of it has to knock again.
    bounds: dict[str, Any] = {**connections.bound_connections(20), "backlog": 128}
    with serve_app(read_all, **bounds) as url, ExitStack() as stack:
        crowd = [connect(stack, url, sends) for _ in range(11)]
        assert is_closed(crowd[0])
        assert httpx2.post(url, content=b"12345", timeout=SECONDS).text.startswith("5 ")
    assert "closed a connection to make room: 10 are open" in caplog.messages


@contextmanager
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    """Serve with short time limits, and return the address."""
    monkeypatch.setattr(connections, "STALLED_SECONDS", 0.3)
    for awaited, (_, why) in connections.TO_COME.items():
        monkeypatch.setitem(connections.TO_COME, awaited, (0.3, why))
    with serve_app(read_all, **connections.bound_connections(200)) as url:
        yield url


@pytest.mark.parametrize("sends", LITTLE.values(), ids=LITTLE)
def test_a_request_that_does_not_come_whole_is_given_up(sends: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with in_a_hurry(monkeypatch) as url, ExitStack() as stack:
        assert is_closed(connect(stack, url, sends))


@pytest.mark.parametrize("head", [HEAD, HEAD + b"Content-Length: 100000\r\n\r\n"], ids=["head", "body"])
def test_a_request_that_comes_byte_by_byte_is_given_up(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with in_a_hurry(monkeypatch) as url, ExitStack() as stack:
        connection = connect(stack, url, head)
        connection.settimeout(0.01)
        deadline = time.monotonic() + SECONDS
        with suppress(ConnectionError):
            while time.monotonic() < deadline:
                connection.sendall(b"x")
                with suppress(TimeoutError):
                    if not connection.recv(1):
                        break
        assert time.monotonic() < deadline


def test_a_client_that_does_not_read_its_response_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with in_a_hurry(monkeypatch) as url, ExitStack() as stack:
        connection = connect(stack, url, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        # What the server could not write within its time is never sent.
        time.sleep(1)
        connection.settimeout(SECONDS)
        received = 0
        with suppress(ConnectionError):
            while piece := connection.recv(65_536):
                received += len(piece)
    assert received < LARGE


def test_a_client_that_reads_slowly_gets_its_whole_response(monkeypatch: pytest.MonkeyPatch) -> None:
    with in_a_hurry(monkeypatch) as url, ExitStack() as stack:
        connection = connect(stack, url, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        received = 0
        while piece := connection.recv(1024 * 1024):
            received += len(piece)
            time.sleep(0.02)
    assert received > LARGE


def test_a_connection_that_rests_between_requests_is_kept_in_silence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with in_a_hurry(monkeypatch) as url, httpx2.Client(timeout=SECONDS) as client:
        first = client.post(url, content=b"").text
        time.sleep(1)
        assert client.post(url, content=b"").text == first
    assert [one for one in caplog.messages if "closed" in one] == []


def post(path: str, rest: str) -> bytes:
    accepts = "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
    return f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{accepts}{rest}".encode()


CHUNKS = "Transfer-Encoding: chunked\r\n\r\n"
MALFORMED = {
    "lengths-that-differ": post("/mcp", "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    "length-that-is-none": post("/mcp", "Content-Length: -2\r\n\r\n{}"),
    "bad-chunk": post("/mcp", f"{CHUNKS}ZZ\r\n"),
    "bad-second-chunk": post("/mcp", f"{CHUNKS}1\r\n{{\r\nZZ\r\n"),
    "bad-chunk-after-the-answer": post("/nowhere", f"{CHUNKS}ZZ\r\n"),
    "bad-chunk-after-a-refusal": post("/mcp", f"Origin: http://evil.example\r\n{CHUNKS}ZZ\r\n"),
    "bad-second-request": b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET\r\n\r\n",
    "tls": bytes([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]) + b"\r\n\r\n",
    "no-host": b"POST /mcp HTTP/1.1\r\n\r\n",
    "half-a-body": post("/mcp", "Content-Length: 100\r\n\r\n{"),
}


@pytest.mark.parametrize("transport", ["http", "sse"])
def test_what_is_no_http_ends_its_connection_without_a_traceback(transport: Transport) -> None:
    with start_server(transport) as server:
        for sends in MALFORMED.values():
            for body in (sends, sends.replace(b"/mcp", b"/messages/?session_id=" + b"0" * 32)):
                with ExitStack() as stack:
                    connection = connect(stack, server.root, body)
                    connection.shutdown(socket.SHUT_WR)
                    assert is_closed(connection)
        assert is_well(server.root)
        said = server.end()
    assert "Traceback" not in said
    assert max(len(line) for line in said.splitlines()) < 120


def test_an_upgrade_is_ignored_and_the_request_answered() -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    with start_server("http") as server:
        assert httpx2.get(f"{server.root}/healthz", headers=upgrade).text == "ok\n"
        assert server.end() == ""


def test_a_connection_that_is_used_again_and_again_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with in_a_hurry(monkeypatch) as url, httpx2.Client(timeout=SECONDS) as client:
        ports = set[str]()
        for size in range(20):
            received, port = client.post(url, content=b"x" * size).text.split()
            assert received == str(size)
            ports.add(port)
            time.sleep(0.05)
    assert len(ports) == 1


def test_what_is_logged_again_and_again_is_logged_once_a_minute_with_its_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(connections.time, "monotonic", lambda: now)
    repeats, shown = connections.RepeatsFilter(), list[str]()
    for second in range(130):
        now = float(second)
        record = logging.LogRecord("uvicorn.error", logging.WARNING, "a.py", 1, "closed %d", (second,), None)
        if repeats.filter(record):
            shown.append(record.getMessage())
    assert shown == [
        "closed 0",
        "closed 60 (59 more since the last time)",
        "closed 120 (59 more since the last time)",
    ]


def test_what_jobtrail_says_itself_is_always_logged() -> None:
    repeats = connections.RepeatsFilter()
    record = logging.LogRecord("jobtrail.protocol.server", logging.ERROR, "a.py", 1, "unforeseen", (), None)
    assert all(repeats.filter(record) for _ in range(3))
