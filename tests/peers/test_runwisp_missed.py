"""`find_missed` over a real RunWisp daemon that was stopped over due times: its own `missed` runs are the truth."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client

from jobtrail.protocol.app import build_server
from jobtrail.sources.registry import load_settings
from tests.peers.runwisp_daemon import Daemon, DaemonRunRow, insert_runs, ulid
from tests.sample_client import answer, rows_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.anyio, pytest.mark.peers]

BERLIN = "Europe/Berlin"


def write_tasks(home: Path, tasks: dict[str, str], **more: str) -> Path:
    """Write a configuration with a task for each schedule; catch_up = 0 leaves what was missed missed."""
    text = f'[daemon]\ntimezone = "{BERLIN}"\n'
    for name, cron in tasks.items():
        text += f'[tasks.{name}]\ncron = "{cron}"\nrun = "true"\n{more.get(name, "catch_up = 0")}\n'
    home.mkdir()
    (home / "runwisp.toml").write_text(text, encoding="utf-8")
    return home


def ran(name: str, created: datetime) -> DaemonRunRow:
    ended = created + timedelta(seconds=1)
    return DaemonRunRow(
        id=ulid(created, len(name)), task_name=name, created_at=created, started_at=created, ended_at=ended
    )


def count_told(daemon: Daemon) -> dict[str, int]:
    """Return how many due times the daemon says that each task missed, as it notifies of it."""
    told = daemon.get("/api/notifications", limit=50).json()["items"]
    found = {one["taskName"]: re.match(r"(\d+) scheduled run", one["body"]) for one in told}
    return {name: int(match[1]) for name, match in found.items() if match}


def find_told(daemon: Daemon, task: str) -> str:
    """Return when the daemon says that a task was due last of what it missed."""
    (row,) = [run for run in daemon.runs(taskName=task) if run.get("endReason") == "missed"]
    return row["createdAt"]


async def ask(daemon: Daemon, home: Path, **given: Any) -> tuple[str, dict[str, Any]]:
    async with Client(build_server(load_settings({"RUNWISP_URL": daemon.url}, home))) as client:
        return await answer(client, "find_missed", **given)


@pytest.mark.parametrize(
    ("name", "cron", "last", "turned"),
    [
        # Over two due times.
        ("twice", "0 * * * *", timedelta(hours=2), 0),
        ("weekly", "@weekly", timedelta(days=15), 0),
        # Clocks went back on 2026-10-25, and forward on 2026-03-29: some of these due times were twice, or never.
        ("autumn", "30 2 * * *", datetime(2026, 10, 20, 0, 30, tzinfo=UTC), 0),
        ("hourly", "30 * * * *", datetime(2026, 10, 24, 20, 30, tzinfo=UTC), 1),
        ("spring", "30 2 * * *", datetime(2026, 3, 20, 1, 30, tzinfo=UTC), 1),
        ("year", "15 3,14 * * 1-5", datetime(2026, 3, 20, 2, 15, tzinfo=UTC), 0),
    ],
)
async def test_what_was_missed_while_the_daemon_was_down_is_what_it_says_itself(  # a row of a table
    runwisp_binary: Path,
    tmp_path_factory: pytest.TempPathFactory,
    no_settings: Path,
    name: str,
    cron: str,
    last: datetime | timedelta,
    turned: int,
) -> None:
    home = write_tasks(tmp_path_factory.mktemp("rw") / "home", {name: cron})
    daemon = Daemon(runwisp_binary, home)
    with daemon:
        pass
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    created = last if isinstance(last, datetime) else hour - last
    insert_runs(daemon.db, [ran(name, created)])
    with daemon:
        text, found = await ask(daemon, no_settings, since=(created + timedelta(seconds=1)).isoformat())
        told, newest = count_told(daemon)[name], find_told(daemon, name)
    (row,) = rows_of(found)
    skipped = found["skipped"] if name == "spring" else 0
    assert found["missed"] + skipped == told
    assert found["skipped"] == turned
    assert (row["last_at"], row["told"]) == (newest, 1)
    assert f"{row['missed']} (1 told)" in text


async def test_a_daemon_that_was_stopped_over_two_due_times_and_one_that_makes_up_for_the_last(
    runwisp_binary: Path, tmp_path_factory: pytest.TempPathFactory, no_settings: Path
) -> None:
    tasks = {"left": "*/3 * * * * *", "caught": "*/3 * * * * *"}
    home = write_tasks(tmp_path_factory.mktemp("rw") / "home", tasks, caught="")
    daemon = Daemon(runwisp_binary, home)
    with daemon:
        wait_until(lambda: all(len(daemon.runs(taskName=task)) > 1 for task in tasks))
    stopped = time.time()
    wait_until(lambda: time.time() // 3 >= stopped // 3 + 2)
    with daemon:
        wait_until(lambda: all(daemon.runs(taskName=task)[0].get("endReason") == "succeeded" for task in tasks))
        _, left = await ask(daemon, no_settings, job="left", since="5m")
        _, caught = await ask(daemon, no_settings, job="caught", since="5m")
        told, newest = count_told(daemon), find_told(daemon, "left")
    assert told["left"] >= 2
    assert (left["missed"], left["late"]) == (told["left"], 0)
    assert [one["last_at"] for one in rows_of(left) if one.get("told")] == [newest]
    # It ran the last of them when it was up again.
    assert (caught["missed"], caught["late"]) == (told["caught"] - 1, 1)


def wait_until(true: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def test_the_next_due_time_of_each_schedule_is_what_the_daemon_says(
    runwisp_binary: Path, tmp_path_factory: pytest.TempPathFactory, no_settings: Path
) -> None:
    tasks = {
        "plain": "0 4 * * *", "names": "0 4 1 jan,jul mon-fri", "daily": "@daily", "six": "30 0 2 * * *",
        "star": "0 0 */2 * 1", "sunday": "0 0 * * 7", "any": "0 0 ? * MON", "gap": "30 2 28 3 *",
        "twice": "30 2 31 10 *", "tokyo": "CRON_TZ=Asia/Tokyo 0 4 * * *", "every": "@every 90m",
    }  # fmt: skip
    with Daemon(runwisp_binary, write_tasks(tmp_path_factory.mktemp("rw") / "home", tasks)) as daemon:
        text, found = await ask(daemon, no_settings)
    assert (found["scheduled"], found["missed"]) == (11, 0)
    not_judged = [line for line in text.splitlines() if "not judged" in line]
    assert not_judged == [
        "note: every is not judged: '@every 90m' is no cron expression: it says when relative to a start"
    ]
