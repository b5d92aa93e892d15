"""`jobtrail record --schedule`: when a job is due is stored, shown, and asked about by `find_missed`."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from jobtrail.paging import Budget
from jobtrail.store import Store
from jobtrail.store.recording import JobSchedule, Recording, RecordingRequest
from jobtrail.times import parse_nanoseconds, to_nanoseconds
from jobtrail.tools import missed
from tests.cli.commands import read_refusal, run_command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.recorder.recording import Stand

DAILY = JobSchedule("0 2 * * *", "Europe/Berlin")


def record(path: Path, at: datetime, schedule: JobSchedule | None = DAILY, *, job: str = "nightly") -> None:
    """Record an execution that was created at a time and succeeded at once."""
    moment = to_nanoseconds(at)
    request = RecordingRequest(job, f"exec-{moment}", [None], at=moment, schedule=schedule)
    with closing(Store(path)) as store:
        Recording(store, "token", request).end_tasks(["task-0"], "succeeded", at=moment + 10**9)


def read_triggers(path: Path, job: str = "nightly") -> list[dict[str, Any]]:
    with closing(Store(path)) as store:
        (row,) = store.select("SELECT body FROM jobs WHERE name = ?", (job,))
    return json.loads(row["body"])["spec"].get("triggers", [])


NOON = (datetime.now(UTC) - timedelta(hours=12)).replace(minute=0, second=0, microsecond=0)
"""The newest due time of a job that is due once a day."""
AT_NOON = JobSchedule(f"0 {NOON.hour} * * *", "UTC")


def days_ago(day: int) -> datetime:
    """Return a moment after the due time some days ago."""
    return NOON - timedelta(days=day) + timedelta(seconds=1)


def test_a_recorder_stores_when_its_job_is_due_and_it_is_shown(stand: Stand) -> None:
    code, _, _ = stand.record(
        "--job", "nightly", "--schedule", "0  2 * * *", "--timezone", "Europe/Berlin", "--", "true"
    )
    assert code == 0
    (trigger,) = read_triggers(stand.path)
    assert trigger["type"] == "cron"
    configuration = trigger["configuration"]
    assert (configuration["schedule"], configuration["timezone"]) == ("0 2 * * *", "Europe/Berlin")
    listed = run_command("ask", "list_jobs", JOBTRAIL_STORE=str(stand.path)).out
    detail = run_command("ask", "get_job", "job=nightly", JOBTRAIL_STORE=str(stand.path)).out
    for text in (listed, detail):
        assert "0 2 * * * (Europe/Berlin)" in text


@pytest.mark.parametrize("zone", ["Asia/Tokyo", ":Asia/Tokyo", ":/usr/share/zoneinfo/Asia/Tokyo", "LOCAL"])
def test_without_a_zone_it_is_that_of_the_machine(stand: Stand, tmp_path: Path, zone: str) -> None:
    local = tmp_path / "localtime"
    local.symlink_to("/usr/share/zoneinfo/Asia/Tokyo")
    stand.record("--job", "nightly", "--schedule", "@daily", "--", "true", TZ=zone.replace("LOCAL", f":{local}"))
    assert read_triggers(stand.path)[0]["configuration"]["timezone"] == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (
            ("--schedule", "0 2 * *"),
            "'0 2 * *' is no cron expression that is understood here (Wrong number of fields)",
        ),
        (("--schedule", "@every 5m"), "'@every 5m' is no cron expression: it says when relative to a start"),
        (
            ("--schedule", "0 2 * * *", "--timezone", "Mars"),
            "zone 'Mars' does not exist here; give --timezone one such as Europe/Berlin",
        ),
        (("--timezone", "UTC"), "--timezone is the zone of a --schedule; give both"),
    ],
)
def test_what_is_no_schedule_is_refused_before_anything_runs(
    options: tuple[str, ...], why: str, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    ended = run_command(
        "record", "--job", "a", *options, "--", "touch", str(ran), JOBTRAIL_STORE=str(tmp_path / "s.db")
    )
    assert ended.code == 2
    assert why in read_refusal(ended)
    assert not ran.exists()


def test_a_schedule_holds_since_it_was_first_given_or_changed_until_it_is_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    times = [days_ago(day) for day in (5, 4, 3, 2)]
    seen: list[tuple[str, datetime]] = []
    for at, schedule in zip(times, (None, DAILY, None, JobSchedule("0 3 * * *", "UTC")), strict=True):
        record(path, at, schedule)
        for trigger in read_triggers(path):
            since = parse_nanoseconds(trigger["configuration"]["since"])
            seen.append((trigger["configuration"]["schedule"], datetime.fromtimestamp(since / 1e9, UTC)))
    assert seen == [("0 2 * * *", times[1]), ("0 2 * * *", times[1]), ("0 3 * * *", times[3])]
    record(path, days_ago(1), JobSchedule("", "UTC"))
    assert read_triggers(path) == []


def test_where_a_recorded_job_is_missing_the_command_that_asks_exits_1_else_0(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    for day in (9, 8, 7, 6, 4, 3, 2, 1, 0):
        record(path, days_ago(day), AT_NOON)
    whole = run_command("ask", "find_missed", "since=3d", JOBTRAIL_STORE=str(path))
    gap = run_command("ask", "find_missed", "since=7d", JOBTRAIL_STORE=str(path))
    every = run_command("ask", "find_missed", "since=7d", "job=nightly", "--all", "--json", JOBTRAIL_STORE=str(path))
    assert (whole.code, gap.code, every.code) == (0, 1, 1)
    assert "nothing was missed: all 3 that were due ran" in whole.out
    (row,) = json.loads(every.out)["items"]
    assert row["first_at"] == f"{NOON - timedelta(days=5):%Y-%m-%dT%H:%M:%SZ}"


def test_the_command_that_asks_exits_1_where_a_part_of_the_window_was_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "jobs.db"
    for day in range(9, -1, -1):
        record(path, days_ago(day), AT_NOON)
    monkeypatch.setattr(missed, "_WALK", Budget(items=4, seconds=15))
    part = run_command("ask", "find_missed", "since=7d", JOBTRAIL_STORE=str(path))
    whole = run_command("ask", "find_missed", "since=7d", "--all", JOBTRAIL_STORE=str(path))
    assert (part.code, whole.code) == (1, 0)
    assert "NOT COMPLETE" in part.out


def test_what_was_due_before_the_schedule_was_recorded_is_not_missed(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    record(path, days_ago(9), None)
    record(path, days_ago(1), AT_NOON)
    record(path, days_ago(0))
    asked = run_command("ask", "find_missed", "since=7d", "--json", JOBTRAIL_STORE=str(path))
    assert (asked.code, json.loads(asked.out)["missed"]) == (0, 0)


def test_where_no_schedule_tells_what_is_due_it_exits_1_too(stand: Stand) -> None:
    stand.record("--job", "nightly", "--", "true")
    without = run_command("ask", "find_missed", JOBTRAIL_STORE=str(stand.path))
    stand.record("--job", "other", "--schedule", "@daily", "--", "true")
    other = run_command("ask", "find_missed", JOBTRAIL_STORE=str(stand.path))
    alone = run_command("ask", "find_missed", "job=nightly", JOBTRAIL_STORE=str(stand.path))
    assert (without.code, other.code, alone.code) == (1, 0, 1)
    assert "nothing here has a schedule" in alone.out


def test_a_source_that_cannot_be_asked_exits_1_too(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    record(path, days_ago(0), None)
    config = tmp_path / "config.toml"
    config.write_text(
        '[sources.cron]\nkind = "runwisp"\nurl = "http://127.0.0.1:1"\n[sources.mine]\nkind = "embedded"\n'
    )
    asked = run_command("ask", "find_missed", JOBTRAIL_STORE=str(path), JOBTRAIL_CONFIG=str(config))
    assert asked.code == 1
    assert "\nerror: cron: " in asked.out
