"""Jobtrail over a real RunWisp 1.0.1 daemon: what an agent gets is what the daemon's database holds."""

from __future__ import annotations

import os
import re
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import TextContent

from jobtrail.protocol.app import build_server
from jobtrail.sources.registry import load_settings
from tests.peers.runwisp_daemon import Daemon, DaemonRunRow, insert_runs, read_runs, stored_time, ulid
from tests.sample_client import rows_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path


pytestmark = pytest.mark.anyio

BAD = ("failed", "crashed", "log_overflow", "start_failed", "timeout")
FAILED = f"deleted_at IS NULL AND status = 'ended' AND end_reason IN {BAD}"


async def ask(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
    assert not result.is_error, text
    assert result.structured_content is not None
    return {**result.structured_content, "text": text}


async def follow(client: Client, tool: str, **arguments: Any) -> list[dict[str, Any]]:
    """Return every page of a walk; after the first, by its cursor alone."""
    pages = [await ask(client, tool, **arguments)]
    while cursor := pages[-1].get("cursor"):
        assert f'more: {tool}(cursor="{cursor}")' in pages[-1]["text"]
        pages.append(await ask(client, tool, cursor=cursor))
    return pages


def ids(pages: list[dict[str, Any]]) -> list[str]:
    return [item["id"] for page in pages for item in page["items"]]


def server_for(daemon: Daemon, home: Path, **environ: str) -> Client:
    return Client(build_server(load_settings({"RUNWISP_URL": daemon.url, **environ}, home)))


@pytest.fixture
async def client(runwisp_shared: Daemon, no_settings: Path) -> AsyncGenerator[Client]:
    async with server_for(runwisp_shared, no_settings) as client:
        yield client


def failed_rows(count: int, start: datetime, first: int = 0) -> list[DaemonRunRow]:
    return [
        DaemonRunRow(
            id=ulid(start, number),
            task_name="healthcheck-tls",
            status="ended",
            end_reason="failed",
            exit_code=1,
            created_at=stored_time(start),
        )
        for number in range(first, first + count)
    ]


class Arrivals:
    """New failed runs, arriving in a thread while the test reads."""

    def __init__(self, db: Path) -> None:
        self._db = db
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._arrive)
        self.count = 0

    def _arrive(self) -> None:
        # Paced, so that the walk is not starved by what it is to survive.
        while not self._stop.wait(0.05):
            insert_runs(self._db, failed_rows(3, datetime.now(UTC), self.count))
            self.count += 3

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


async def test_over_stdio_cursors_alone_list_exactly_the_failed_runs_while_new_ones_arrive(
    runwisp_daemon: Daemon,
) -> None:
    insert_runs(runwisp_daemon.db, failed_rows(60, datetime(2026, 1, 5, tzinfo=UTC)))
    before = {row["id"] for row in read_runs(runwisp_daemon.db, FAILED)}
    assert len(before) > 60
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "jobtrail", "serve"],
        env={**os.environ, "RUNWISP_URL": runwisp_daemon.url},
    )
    with Arrivals(runwisp_daemon.db) as arrivals:
        async with Client(stdio_client(command)) as client:
            pages = await follow(client, "list_runs", status="failed,timeout", limit=7)
    found = ids(pages)
    assert arrivals.count > 0
    assert len(found) == len(set(found))
    assert before <= set(found)
    assert set(found) <= {row["id"] for row in read_runs(runwisp_daemon.db, FAILED)}
    assert pages[-1]["coverage"]["complete"]
    assert pages[-1]["coverage"]["matched"] == len(found)


@pytest.mark.parametrize("sort", ["created_at:desc", "created_at:asc", "duration:desc", "job:asc"])
async def test_every_order_lists_every_run_once(client: Client, runwisp_shared: Daemon, sort: str) -> None:
    rows = read_runs(runwisp_shared.db)
    pages = await follow(client, "list_runs", sort=sort, limit=100)
    assert sorted(ids(pages)) == sorted(row["id"] for row in rows)
    assert pages[0]["total"] == {"value": len(rows), "kind": "exact"}


@pytest.mark.parametrize("sort", ["created_at:desc", "created_at:asc"])
async def test_runs_that_share_one_time_are_paged_exactly(
    runwisp_daemon: Daemon, no_settings: Path, sort: str
) -> None:
    moment = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
    insert_runs(runwisp_daemon.db, failed_rows(2500, moment))
    window = {"since": "2026-01-05T11:59Z", "until": "2026-01-05T12:01Z"}
    async with server_for(runwisp_daemon, no_settings) as client:
        pages = await follow(client, "list_runs", job="healthcheck-tls", sort=sort, limit=100, **window)
    assert sorted(ids(pages)) == sorted(row.id for row in failed_rows(2500, moment))


async def test_a_window_is_the_daemons_own_to_the_nanosecond(runwisp_daemon: Daemon, no_settings: Path) -> None:
    times = [f"2026-01-05 12:00:00.12345678{digit}+00:00" for digit in range(1, 10)]
    rows = [
        DaemonRunRow(id=ulid(datetime(2026, 1, 5, tzinfo=UTC), number), task_name="healthcheck-tls", created_at=time)
        for number, time in enumerate(times)
    ]
    insert_runs(runwisp_daemon.db, rows)
    async with server_for(runwisp_daemon, no_settings) as client:
        pages = await follow(client, "list_runs", since="2026-01-05", until="2026-01-05", limit=2)
    assert ids(pages) == [row.id for row in reversed(rows)]


async def test_status_words_are_translated_both_ways(client: Client, runwisp_shared: Daemon) -> None:
    crashed = read_runs(runwisp_shared.db, "end_reason = 'crashed' AND deleted_at IS NULL")
    assert crashed
    by_raw_word = await follow(client, "list_runs", status="crashed", limit=100)
    assert sorted(ids(by_raw_word)) == sorted(row["id"] for row in crashed)
    assert {(run["status"], run["raw_status"]) for page in by_raw_word for run in rows_of(page)} == {
        ("failed", "crashed")
    }


async def test_a_running_run_has_no_exit_code(client: Client) -> None:
    page = await ask(client, "list_runs", status="running")
    assert page["items"]
    assert all("exit_code" not in run and "duration_s" not in run for run in rows_of(page))


async def test_a_search_finds_underscores_that_the_daemon_drops(runwisp_daemon: Daemon, no_settings: Path) -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    row = DaemonRunRow(id=ulid(start, 1), task_name="nightly_report", created_at=stored_time(start))
    insert_runs(runwisp_daemon.db, [row])
    async with server_for(runwisp_daemon, no_settings) as client:
        pages = await follow(client, "list_runs", query="Nightly_Rep")
    assert ids(pages) == [row.id]


async def test_get_run_shows_the_tail_of_the_log(client: Client, runwisp_shared: Daemon) -> None:
    failed = read_runs(runwisp_shared.db, "task_name = 'healthcheck-api' AND end_reason = 'failed'")[-1]
    answer = await ask(client, "get_run", run=failed["id"])
    assert answer["run"]["exit_code"] == failed["exit_code"]
    assert "upstream returned 502" in answer["log"]["lines"][-1]
    assert "| [health] api probe failed: upstream returned 502" in answer["text"]


async def test_get_job_shows_the_schedule_and_the_record(client: Client) -> None:
    answer = await ask(client, "get_job", job="backup-postgres")
    assert answer["job"]["kind"] == "task"
    assert answer["settings"]["timeout_s"] == "7200"
    assert sum(answer["record"]["counts"].values()) == answer["record"]["of"] == 20


async def test_an_unknown_task_is_an_error_though_the_daemon_says_zero(client: Client) -> None:
    result = await client.call_tool("list_runs", {"job": "backup-postgress", "status": "failed"})
    assert result.is_error
    assert "closest: backup-postgres" in str(result.content)


def by_password(daemon: Daemon) -> dict[str, str]:
    return {"RUNWISP_URL": daemon.url, "RUNWISP_PASSWORD": daemon.password or ""}


def by_token(daemon: Daemon) -> dict[str, str]:
    return {"RUNWISP_URL": daemon.url, "RUNWISP_TOKEN": daemon.login().json()["token"]}


def by_socket(daemon: Daemon) -> dict[str, str]:
    return {"RUNWISP_SOCKET": str(daemon.socket)}


@pytest.mark.parametrize("way", [by_password, by_token, by_socket])
async def test_a_daemon_with_a_password_opens_to_each_way_in(
    runwisp_locked: Daemon, no_settings: Path, way: Callable[[Daemon], dict[str, str]]
) -> None:
    async with Client(build_server(load_settings(way(runwisp_locked), no_settings))) as client:
        page = await ask(client, "list_runs", limit=1)
    assert page["total"]["value"] == len(read_runs(runwisp_locked.db))


@pytest.mark.parametrize("given", [{}, {"RUNWISP_PASSWORD": "wrong-secret-1"}, {"RUNWISP_TOKEN": "wrong-secret-2"}])
async def test_a_daemon_with_a_password_names_the_setting_that_is_wrong(
    runwisp_locked: Daemon, no_settings: Path, given: dict[str, str]
) -> None:
    async with server_for(runwisp_locked, no_settings, **given) as client:
        result = await client.call_tool("list_runs", {})
    assert result.is_error
    wrong = "refused the credentials" if given else "wants credentials, and none were given"
    assert f"{wrong} (HTTP 401)" in str(result.content)
    assert ("the next log-in is tried in 60 s" in str(result.content)) == ("RUNWISP_PASSWORD" in given)
    assert "RUNWISP_PASSWORD" in str(result.content)
    assert "wrong-secret" not in str(result.content)


async def test_a_daemon_that_restarts_is_found_again(runwisp_daemon: Daemon, no_settings: Path) -> None:
    async with server_for(runwisp_daemon, no_settings) as client:
        first = await ask(client, "list_runs", status="succeeded", limit=5)
        runwisp_daemon.stop()
        down = await client.call_tool("list_runs", {"cursor": first["cursor"]})
        assert down.is_error
        assert "cannot be reached" in str(down.content)
        runwisp_daemon.start()
        rest = await follow(client, "list_runs", cursor=first["cursor"])
    expected = {row["id"] for row in read_runs(runwisp_daemon.db, "end_reason = 'succeeded'")}
    assert set(ids([first, *rest])) == expected


async def test_deep_pages_go_back_in_time_without_gaps(runwisp_daemon: Daemon, no_settings: Path) -> None:
    start = datetime(2025, 1, 1, tzinfo=UTC)
    times = [stored_time(start + timedelta(seconds=number // 3)) for number in range(5000)]
    rows = [
        DaemonRunRow(id=ulid(start, number), task_name="healthcheck-tls", created_at=time)
        for number, time in enumerate(times)
    ]
    insert_runs(runwisp_daemon.db, rows)
    async with server_for(runwisp_daemon, no_settings) as client:
        pages = await follow(client, "list_runs", until="2025-06-01", limit=100)
    assert sorted(ids(pages)) == sorted(row.id for row in rows)
    assert {page["total"]["value"] for page in pages} == {5000}


async def test_a_run_that_the_daemon_missed_while_it_was_down_is_a_failure_everywhere(
    runwisp_daemon: Daemon, no_settings: Path
) -> None:
    task, at = "backup-restore-test", datetime.now(UTC) - timedelta(hours=3)
    runwisp_daemon.stop()
    insert_runs(
        runwisp_daemon.db, [DaemonRunRow(id=ulid(at, 1), task_name=task, created_at=stored_time(at), started_at=at)]
    )
    config = runwisp_daemon.config.read_text(encoding="utf-8")
    before, name, after = config.partition(f"[tasks.{task}]")
    hourly = after.replace('"0 0 29 2 *"', '"0 * * * *"', 1)
    runwisp_daemon.config.write_text(before + name + hourly, encoding="utf-8")
    runwisp_daemon.start()
    (missed,) = runwisp_daemon.runs(status="missed")
    assert (missed["taskName"], missed["isFailure"]) == (task, True)
    async with server_for(runwisp_daemon, no_settings) as client:
        found = await ask(client, "find_failures", since="3h", job=task)
        assert [(cause["example"], cause["status"]) for cause in found["causes"]] == [(missed["id"], "missed")]
        page = await ask(client, "list_runs", status="missed")
        assert [(one["id"], one["status"]) for one in rows_of(page)] == [(missed["id"], "missed")]
        past = await ask(client, "history", job=task, since="3h")
        assert past["current"]["counts"]["missed"] == 1
        assert past["current"]["success_rate"] < 1
        detail = await ask(client, "get_run", run=missed["id"])
    assert detail["verdict"] == "missed"
    assert "exit_code" not in detail["run"]


async def test_each_failure_has_its_cause_from_the_log_and_its_recovery_though_its_task_is_not_defined_any_more(
    runwisp_binary: Path, runwisp_home: Path, no_settings: Path
) -> None:
    config = runwisp_home / "runwisp.toml"
    tasks = re.split(r"(?m)^(?=\[)", config.read_text(encoding="utf-8"))
    kept = "".join(task for task in tasks if not task.startswith("[tasks.healthcheck-api]"))
    config.write_text(kept, encoding="utf-8")
    with Daemon(runwisp_binary, runwisp_home) as daemon:
        ended = "task_name = 'healthcheck-api' AND end_reason = ?"
        failed = [row["created_at"] for row in read_runs(daemon.db, ended, ["failed"])]
        well = min(
            row["created_at"]
            for row in read_runs(daemon.db, f"{ended} AND created_at > ?", ["succeeded", max(failed)])
        )
        async with server_for(daemon, no_settings) as client:
            every = await ask(client, "find_failures", since="60d")
            asked = [
                await ask(client, tool, job="healthcheck-api") for tool in ("find_failures", "get_job", "history")
            ]
    (cause,) = [one for one in rows_of(every, "causes") if one["job"] == "healthcheck-api"]
    assert cause["cause"] == "[health] api probe failed: upstream returned 502 (exit code 1)"
    assert cause["count"] == len(failed)
    assert cause["recovered_at"] == f"{well[:19].replace(' ', 'T')}Z"
    for answer in asked:
        assert "note: it is not defined any more: what it ran before is kept" in answer["text"]
