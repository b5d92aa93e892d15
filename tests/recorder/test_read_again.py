"""What `jobtrail record` kept of real commands, as an agent reads it again: why they failed, what a log lost."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client

from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.embedded.registration import EmbeddedSettings
from tests.sample_client import answer, rows_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.recorder.recording import Stand

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def reader_of(stand: Stand) -> AsyncGenerator[Client]:
    """A client of a server over the store that was recorded to."""
    settings = Settings(sources=(EmbeddedSettings(name="embedded"),), default="embedded", store=stand.path)
    async with Client(build_server(settings)) as client:
        yield client


async def read_log(client: Client, **arguments: Any) -> dict[str, Any]:
    return (await answer(client, "read_log", job="nightly", **arguments))[1]


async def test_a_long_line_is_searched_to_its_end(stand: Stand) -> None:
    stand.record("--job", "nightly", "--", "sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x; echo ' needle'")
    async with reader_of(stand) as client:
        found = await read_log(client, query="needle")
        assert (found["matched"], found["complete"]) == (1, True)
        assert found["lines"][0]["text"].endswith("xxx needle")
        assert not (await read_log(client, query="haystack"))["matched"]


async def test_of_a_line_that_was_cut_it_is_said_and_the_log_is_not_called_complete(stand: Stand) -> None:
    stand.record(
        "--job", "nightly", "--", "sh", "-c", "echo begins; head -c 300000 /dev/zero | tr '\\0' x; echo needle"
    )
    async with reader_of(stand) as client:
        for arguments in ({"query": "needle"}, {}):
            page = await read_log(client, **arguments)
            assert not page["complete"]
            assert page["notes"] == ["line 2 had more characters than are kept: the rest cannot be searched or shown"]


async def test_an_invisible_end_of_a_line_does_not_hide_the_line(stand: Stand) -> None:
    stand.record("--job", "nightly", "--", "sh", "-c", "printf 'fatal: disk full\\r\\033[?25h\\n' >&2; exit 1")
    async with reader_of(stand) as client:
        assert [line["text"] for line in (await read_log(client))["lines"]] == ["fatal: disk full"]
        _, page = await answer(client, "get_execution", job="nightly")
        assert page["failures"][0]["example"] == "exit code 1: fatal: disk full"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 22; echo 23; kill -PIPE $$", "killed by SIGPIPE: last output: 23"),
        ("echo loading >&2; kill -KILL $$", "killed by SIGKILL: last output: loading"),
        ("echo 23; exit 3", "exit code 3: last output: 23"),
        ("echo 'no route to host' >&2; echo 23; exit 3", "exit code 3: no route to host"),
        ("kill -KILL $$", "killed by SIGKILL"),
    ],
)
async def test_a_last_line_that_is_no_reason_is_told_as_what_it_is(stand: Stand, script: str, reason: str) -> None:
    stand.record("--job", "nightly", "--", "sh", "-c", script)
    async with reader_of(stand) as client:
        _, page = await answer(client, "get_execution", job="nightly")
    assert page["failures"][0]["example"] == reason


async def test_lines_of_an_execution_name_their_tasks(stand: Stand, tmp_path: Path) -> None:
    (tmp_path / "inputs").write_text("a\nb|c\n", encoding="utf-8")
    stand.record("--job", "nightly", "--from", str(tmp_path / "inputs"), "--", "sh", "-c", "echo hello")
    async with reader_of(stand) as client:
        text, page = await answer(client, "read_log", job="nightly")
        names = [row["name"] for row in rows_of((await answer(client, "list_tasks", job="nightly"))[1])]
        assert sorted(line["task"] for line in rows_of(page, "lines")) == sorted(names)
        assert len(names) == 2
        for name in names:
            assert f"{name}|" in text or f"'{name}'|" in text
            _, only = await answer(client, "read_log", job="nightly", task=name)
            assert [(line["n"], line["text"], line.get("task")) for line in only["lines"]] == [(1, "hello", None)]
