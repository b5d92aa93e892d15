"""Who may reach the page that `jobtrail board` serves, and what it answers; no browser."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2
import pytest

from jobtrail.cli import main
from tests.board.command import board_command, opened_board

if TYPE_CHECKING:
    from collections.abc import Iterator

CALL = {"name": "list_jobs", "arguments": {"limit": 100}}


@pytest.fixture(scope="module")
def page() -> Iterator[httpx2.Client]:
    """A client at the page's address, key and all."""
    with board_command() as address, httpx2.Client(base_url=address) as client:
        yield client


def origin(page: httpx2.Client) -> str:
    return f"http://127.0.0.1:{page.base_url.port}"


def test_the_page_comes_with_headers_that_keep_it_to_itself(page: httpx2.Client) -> None:
    answer = page.get("")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"
    assert answer.headers["cache-control"] == "no-store"
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert "connect-src 'self'" in answer.text


def test_a_call_answers_what_the_tool_answers(page: httpx2.Client) -> None:
    answer = page.post("call", json=CALL, headers={"Origin": origin(page)})
    assert answer.status_code == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["structuredContent"]["total"] == {"value": 20, "kind": "exact"}


def test_an_error_of_a_tool_is_a_result_and_an_unknown_tool_is_none(page: httpx2.Client) -> None:
    refused = page.post("call", json={"name": "get_execution", "arguments": {"job": "nope"}}).json()
    assert refused["isError"]
    assert "does not exist" in refused["content"][0]["text"]
    unknown = page.post("call", json={"name": "drop_table", "arguments": {}}).json()
    assert unknown["isError"]
    assert "there is no tool 'drop_table'" in unknown["content"][0]["text"]


@pytest.mark.parametrize("path", ["/", "/call", "/wrong/", "/wrong/call", "/healthz/", "/favicon.ico"])
def test_without_the_key_there_is_nothing(page: httpx2.Client, path: str) -> None:
    for answer in (httpx2.get(f"{origin(page)}{path}"), httpx2.post(f"{origin(page)}{path}", json=CALL)):
        assert answer.status_code in {404, 405}
        assert "jobs" not in answer.text


def test_the_key_is_not_completed_for_who_knows_half_of_it(page: httpx2.Client) -> None:
    key = page.base_url.path.strip("/")
    assert len(key) == 32
    for wrong in (key[:-1], f"{key}A", key.swapcase()):
        assert httpx2.get(f"{origin(page)}/{wrong}/").status_code == 404
        assert httpx2.get(f"{origin(page)}/{wrong}").status_code == 404


@pytest.mark.parametrize(
    "foreign", ["https://evil.example", "http://127.0.0.1.evil.example:80", "null", "http://localhost@evil.example"]
)
def test_another_site_s_origin_is_refused(page: httpx2.Client, foreign: str) -> None:
    assert page.post("call", json=CALL, headers={"Origin": foreign}).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_another_host_name_is_refused(page: httpx2.Client, host: str) -> None:
    for answer in (page.get("", headers={"Host": host}), page.post("call", json=CALL, headers={"Host": host})):
        assert answer.status_code in {400, 421}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'{"name": 1, "arguments": {}}', "application/json"),
        (b'{"name": "list_jobs"}', "application/json"),
        (b'{"name": "\\ud800", "arguments": {}}', "application/json"),
        (b"[" * 50_000, "application/json"),
        (b" " * 70_000, "application/json"),
        (b"\xff", "application/json"),
        (b'{"name": "list_jobs", "arguments": {}}', "text/plain"),
        (b'{"name": "list_jobs", "arguments": {}}', "application/x-www-form-urlencoded"),
    ],
)
def test_what_is_no_call_is_refused(page: httpx2.Client, body: bytes, kind: str) -> None:
    answer = page.post("call", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400
    assert answer.text.startswith("send ")


def test_a_lone_surrogate_or_an_odd_argument_is_the_tool_s_to_refuse(page: httpx2.Client) -> None:
    for body in (
        b'{"name": "get_execution", "arguments": {"job": "\\ud800"}}',
        b'{"name": "get_execution", "arguments": {"\\ud800": 1}}',
        b'{"name": "list_jobs", "arguments": {"limit": {"a": [1]}}}',
    ):
        answer = page.post("call", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["isError"]


def test_the_address_says_what_is_shown_first() -> None:
    with board_command("--job", "nightly-etl", "--execution", "exec-1", "--source", "embedded") as address:
        assert urlsplit(address).fragment == "job=nightly-etl&execution=exec-1&source=embedded"
    with board_command("--run", "01M83XJ880") as address:
        assert urlsplit(address).fragment == "run=01M83XJ880"


def test_the_browser_is_opened_on_a_private_file_so_that_no_process_list_shows_the_key(tmp_path: Path) -> None:
    with opened_board(tmp_path, "--job", "nightly-etl") as (address, opened):
        assert urlsplit(address).path not in opened
        page = Path(urlsplit(opened).path)
        assert address in page.read_text(encoding="utf-8")
        assert page.parent.stat().st_mode & 0o777 == 0o700
    assert not page.parent.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--host", "0.0.0.0"], "--host 0.0.0.0: the board shows your jobs, so it listens on loopback only"),  # noqa: S104 # refused
        (["--execution", "exec-1"], "--execution needs --job, the job that it is of"),
        (["--run", "r", "--job", "j"], "give --run or --job, not both"),
    ],
)
def test_what_does_not_go_together_is_a_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert main(["board", "--no-open", *arguments]) == 2
    assert capsys.readouterr().err == f"jobtrail: {sentence}\n"


def test_a_port_in_use_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["board", "--no-open", "--port", str(port)]) == 2
    assert re.match(rf"jobtrail: cannot listen on 127\.0\.0\.1:{port} ", capsys.readouterr().err)
