"""What is no JSON-RPC message is answered as JSON-RPC says, the same over every transport."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.protocol.test_transports import start_by_hand
from tests.serving.processes import END_SECONDS, SECONDS, ServerProcess, start_server

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

JSON = {"Content-Type": "application/json"}
PING = json.dumps({"jsonrpc": "2.0", "id": 8, "method": "ping"})


def request_of(identity: str, rest: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":' + identity.encode() + b"," + rest + b"}"


NO_MESSAGES: dict[str, tuple[bytes, int | None, int]] = {
    "lone-surrogate": (request_of("7", b'"method":"ping","params":{"x":"\\ud800"}'), None, -32700),
    "number-of-5000-digits": (request_of("7", b'"method":"ping","params":{"x":' + b"9" * 5_000 + b"}"), None, -32700),
    "lists-1000-deep": (request_of("7", b'"method":"ping","params":' + b"[" * 1_000 + b"]" * 1_000), None, -32700),
    "broken": (b'{"jsonrpc":"2.0","id":7,', None, -32700),
    "text": (b"hello", None, -32700),
    "params-that-are-a-list": (request_of("7", b'"method":"ping","params":[1]'), 7, -32600),
    "params-that-are-an-empty-list": (request_of("7", b'"method":"ping","params":[]'), 7, -32600),
    "notification-without-jsonrpc": (b'{"method":"ping"}', None, -32600),
    "no-jsonrpc": (b'{"id":7,"method":"ping"}', 7, -32600),
    "other-jsonrpc": (b'{"jsonrpc":"1.0","id":7,"method":"ping"}', 7, -32600),
    "no-method": (b'{"jsonrpc":"2.0","id":7}', 7, -32600),
    "method-that-is-a-number": (request_of("7", b'"method":5'), 7, -32600),
    "id-with-a-fraction": (request_of("1.5", b'"method":"ping"'), None, -32600),
    "id-null": (request_of("null", b'"method":"ping"'), None, -32600),
    "id-not-a-number": (request_of("NaN", b'"method":"ping"'), None, -32600),
    "id-list": (request_of("[1]", b'"method":"ping"'), None, -32600),
    "id-true": (request_of("true", b'"method":"ping"'), None, -32600),
    "batch": (b'[{"jsonrpc":"2.0","id":7,"method":"ping"}]', None, -32600),
    "empty-batch": (b"[]", None, -32600),
    "number": (b"7", None, -32600),
}


def test_what_is_no_message_is_answered_over_stdio_as_json_rpc_says_and_the_server_goes_on() -> None:
    with start_by_hand() as (process, lines):
        assert process.stdin
        for name, (line, identity, code) in NO_MESSAGES.items():
            print(line.decode(), file=process.stdin, flush=True)
            answered = json.loads(next(lines))
            assert (answered["id"], answered["error"]["code"]) == (identity, code), name
            assert len(answered["error"]["message"]) < 200
        print(PING, file=process.stdin, flush=True)
        assert json.loads(next(lines)) == {"jsonrpc": "2.0", "id": 8, "result": {}}


def test_responses_and_blank_lines_are_never_answered_and_what_fits_nothing_is_logged() -> None:
    with start_by_hand() as (process, lines):
        assert process.stdin
        assert process.stderr
        print("", "  ", sep="\n", file=process.stdin)
        print('{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}}', file=process.stdin)
        print('{"jsonrpc":"2.0","id":1.5,"result":{}}', file=process.stdin)
        print('{"jsonrpc":"2.0","id":99,"result":{}}', file=process.stdin)
        print(PING, file=process.stdin, flush=True)
        assert json.loads(next(lines))["id"] == 8
        process.stdin.close()
        assert process.wait(END_SECONDS) == 0
        assert process.stderr.read().count("dropped a response that is no JSON-RPC") == 1


RESPONSES = [
    b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}}',
    b'{"jsonrpc":"2.0","id":1.5,"result":{}}',
    b'{"jsonrpc":"2.0","id":99,"result":{}}',
]


def check_log(server: ServerProcess) -> None:
    """What nobody can be told of has a short line in the log; nothing has a traceback."""
    said = server.end()
    assert "Traceback" not in said
    assert "refused what is no JSON-RPC: Parse error" in said
    assert said.count("dropped a response that is no JSON-RPC") == 1
    assert max(len(line) for line in said.splitlines()) < 250


@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
def test_what_is_no_message_is_answered_over_http_as_over_stdio_and_the_server_goes_on(version: str) -> None:
    headers = {
        **JSON,
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": version,
    }
    with start_server("http") as server, httpx2.Client(headers=headers, timeout=SECONDS) as client:
        for name, (body, identity, code) in NO_MESSAGES.items():
            answered = client.post(server.url, content=body)
            assert answered.status_code == 400, name
            said = answered.json()
            assert (said["id"], said["error"]["code"]) == (identity, code), name
            assert len(said["error"]["message"]) < 200
        assert [client.post(server.url, content=one).status_code for one in RESPONSES[1:2]] == [400]
        pinged = client.post(server.url, content=PING, headers={"MCP-Protocol-Version": "2025-06-18"})
        assert '"id":8,"result":{}' in pinged.text
        check_log(server)


@contextmanager
def open_stream(server: ServerProcess) -> Generator[tuple[str, Iterator[str]]]:
    """The address for messages of a new SSE connection, and the messages that come."""
    with httpx2.stream("GET", server.url, timeout=SECONDS) as stream:
        data = (line.removeprefix("data: ") for line in stream.iter_lines() if line.startswith("data: "))
        yield server.root + next(data), data


def test_what_is_no_message_is_answered_on_the_stream_of_its_sse_connection() -> None:
    with start_server("sse") as server, httpx2.Client(headers=JSON, timeout=SECONDS) as client:
        with open_stream(server) as (address, data), open_stream(server) as (other_address, others):
            for name, (body, identity, code) in NO_MESSAGES.items():
                assert client.post(address, content=body).status_code == 202, name
                said = json.loads(next(data))
                assert (said["id"], said["error"]["code"]) == (identity, code), name
            assert [client.post(address, content=one).status_code for one in RESPONSES] == [202, 400, 202]
            assert client.post(f"{server.root}/messages/", content=b"[]").status_code == 400
            assert client.post(f"{server.root}/messages/?session_id={'0' * 32}", content=b"[]").status_code == 404
            for to, said in ((address, data), (other_address, others)):
                client.post(to, content=PING)
                assert json.loads(next(said)) == {"jsonrpc": "2.0", "id": 8, "result": {}}
        check_log(server)


def test_an_address_of_no_connection_is_logged_on_one_line() -> None:
    with start_server("sse") as server:
        evil = f"{server.root}/messages/?session_id=evil%0A2026-11-29%20evil%1B[31m" + "x" * 5_000
        assert httpx2.post(evil, content=PING, headers=JSON, timeout=SECONDS).status_code == 400
        said = server.end()
    (line,) = said.splitlines()
    assert "evil 2026-11-29 evil" in line
    assert line.isprintable()
    assert len(line) <= 1_000


def test_a_body_that_is_too_large_is_refused() -> None:
    with start_server("http") as server:
        assert httpx2.post(server.url, content=b" " * (5 << 20), timeout=SECONDS).status_code == 413
