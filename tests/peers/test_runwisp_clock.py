"""Jobtrail over a real RunWisp daemon whose clock is not that of the machine that asks it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from mcp import Client

from jobtrail.protocol.app import build_server
from jobtrail.sources.registry import load_settings
from jobtrail.window import Clock
from tests.peers.runwisp_daemon import DaemonRunRow, insert_runs, read_runs, stored_time, ulid
from tests.sample_client import answer, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.peers.runwisp_daemon import Daemon

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class WrongClock(Clock):
    """The machine's clock, some time ahead of the true one, which the daemon has."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


def fail_at(moment: datetime) -> DaemonRunRow:
    return DaemonRunRow(
        id=ulid(moment, 7), task_name="healthcheck-tls", end_reason="failed", exit_code=1, is_failure=1,
        created_at=moment, started_at=moment, ended_at=moment + timedelta(seconds=2),
    )  # fmt: skip


@pytest.mark.parametrize(("hours", "way"), [(1, "behind"), (-1, "ahead of")])
async def test_the_last_ten_minutes_are_those_of_the_daemon(
    runwisp_daemon: Daemon, no_settings: Path, hours: int, way: str
) -> None:
    true = datetime.now(UTC)
    insert_runs(runwisp_daemon.db, [fail_at(true - timedelta(minutes=ago)) for ago in (5, 65)])
    failed = read_runs(
        runwisp_daemon.db,
        "status = 'ended' AND end_reason = 'failed' AND created_at >= ?",
        [stored_time(true - timedelta(minutes=10))],
    )
    settings = load_settings({"RUNWISP_URL": runwisp_daemon.url}, no_settings)
    async with Client(build_server(settings, clock=WrongClock(ahead=timedelta(hours=hours)))) as client:
        runs_text, runs = await answer(client, "list_runs", since="10m", status="failed")
        failures_text, failures = await answer(client, "find_failures", since="10m", status="failed")
        history_text, history = await answer(client, "history", job="healthcheck-tls", since="10m")
    assert ulid(true - timedelta(minutes=5), 7) in [one["id"] for one in failed]
    assert {one["id"] for one in runs["items"]} == {one["id"] for one in failed}
    assert failures["failures"] == len(failed)
    assert history["current"]["counts"]["failed"] >= 1
    for text in (runs_text, failures_text, history_text):
        assert f"note: the clock of source runwisp is 1h {way} this machine's: its times are its own" in text
    for found in (runs, failures, history):
        assert abs(datetime.fromisoformat(found["window"]["now"]) - true) < timedelta(minutes=1)


async def test_a_schedule_has_its_zone_and_the_next_run_is_in_both(runwisp_daemon: Daemon, no_settings: Path) -> None:
    settings = load_settings({"RUNWISP_URL": runwisp_daemon.url}, no_settings)
    async with Client(build_server(settings)) as client:
        text, job = await answer(client, "get_job", job="healthcheck-tls")
        _, jobs = await answer(client, "list_jobs")
    assert runwisp_daemon.get("/api/daemon").json()["resolvedTimezone"] == "Europe/Bratislava"
    assert job["job"]["schedule"] == "0 0 29 2 * (Europe/Bratislava)"
    assert job["job"]["next_run_at"] == "2028-02-28T23:00:00Z"
    assert job["job"]["next_run_local"] == "2028-02-29T00:00:00+01:00"
    assert "next run '2028-02-28T23:00:00Z = 2028-02-29T00:00:00+01:00'" in text
    told = {one["name"]: one.get("cron") for one in runwisp_daemon.get("/api/tasks").json()["items"]}
    assert {one["name"]: one["schedule"] for one in rows_of(jobs)} == {
        name: f"{cron} (Europe/Bratislava)" if cron else "no schedule" for name, cron in told.items()
    }


async def test_what_runs_and_what_waits_says_for_how_long(runwisp_daemon: Daemon, no_settings: Path) -> None:
    true = datetime.now(UTC)
    created, started = true - timedelta(minutes=30), true - timedelta(minutes=12)
    rows = [
        DaemonRunRow(
            id=ulid(created, number), task_name="reindex-search", status=status, end_reason=None, created_at=created,
            started_at=started if status == "running" else None,
        )
        for number, status in ((1, "running"), (2, "pending"))
    ]  # fmt: skip
    insert_runs(runwisp_daemon.db, rows)
    async with Client(build_server(load_settings({"RUNWISP_URL": runwisp_daemon.url}, no_settings))) as client:
        _, listed = await answer(client, "list_runs", job="reindex-search", status="running,queued")
        _, one = await answer(client, "get_run", run=rows[0].id)
    found = {row["id"]: round(row["so_far_s"] / 60) for row in rows_of(listed)}
    assert found == {rows[0].id: 12, rows[1].id: 30}
    assert round(one["run"]["so_far_s"] / 60) == 12


async def test_a_week_is_all_of_it(runwisp_daemon: Daemon, no_settings: Path) -> None:
    middle = datetime(2026, 1, 7, 12, tzinfo=UTC)
    insert_runs(runwisp_daemon.db, [fail_at(middle)])
    async with Client(build_server(load_settings({"RUNWISP_URL": runwisp_daemon.url}, no_settings))) as client:
        _, found = await answer(client, "find_failures", since="2026-W02", until="2026-W02")
    assert (found["failures"], found["causes"][0]["example"]) == (1, ulid(middle, 7))
