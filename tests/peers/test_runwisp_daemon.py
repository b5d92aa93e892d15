"""What Jobtrail relies on in RunWisp 1.0.1, shown on a real daemon."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.peers.runwisp_daemon import (
    Daemon,
    RunRow,
    as_served,
    copy_home,
    insert_runs,
    read_runs,
    run_rows,
    stored_time,
    ulid,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
AFTER_THAT = "2020-12-31T00:00:00Z"
REPORT = RunRow(
    id=ulid(LONG_AGO, 7),
    task_name="nightly_report",
    created_at=LONG_AGO,
    end_reason="failed",
    params_json='{"a": "zebra"}',
)


def tied(count: int) -> list[RunRow]:
    """Runs created at one moment, inserted in an order that is neither that of their ids nor its reverse."""
    numbers = sorted(range(count), key=lambda number: number * 7 % count)
    return [RunRow(id=ulid(LONG_AGO, n), task_name="tied", created_at=LONG_AGO) for n in numbers]


def ids(runs: list[dict[str, str]]) -> list[str]:
    return [run["id"] for run in runs]


def test_the_daemon_serves_exactly_what_its_database_holds(runwisp_shared: Daemon) -> None:
    stored = {row["id"]: as_served(row) for row in read_runs(runwisp_shared.db)}
    served = {run["id"]: run for run in runwisp_shared.runs(limit=1000)}
    assert len(stored) > 500
    assert served == stored


def test_its_total_counts_the_whole_history_and_not_the_page(runwisp_shared: Daemon) -> None:
    page = runwisp_shared.get("/api/runs", limit=3).json()
    assert len(page["items"]) == 3
    assert page["total"] == len(read_runs(runwisp_shared.db))


def test_no_schedule_of_the_seeded_home_comes_due_during_a_test(runwisp_shared: Daemon) -> None:
    tasks = runwisp_shared.get("/api/tasks").json()["items"]
    due = [datetime.fromisoformat(task["nextRunAt"]) for task in tasks if "nextRunAt" in task]
    assert len(due) > 5
    assert min(due) > datetime.now(UTC) + timedelta(hours=1)


def test_runs_inserted_beside_a_running_daemon_are_served_at_once(runwisp_daemon: Daemon) -> None:
    insert_runs(runwisp_daemon.db, run_rows(5, task="beside", since=LONG_AGO))
    assert ids(runwisp_daemon.runs(taskName="beside", sortDirection="asc")) == [
        ulid(LONG_AGO + timedelta(seconds=n), n) for n in range(5)
    ]


def test_runs_inserted_while_the_daemon_is_down_are_served_and_none_is_pruned(runwisp_daemon: Daemon) -> None:
    runwisp_daemon.stop()
    insert_runs(runwisp_daemon.db, run_rows(5_000, since=LONG_AGO))
    runwisp_daemon.start()
    page = runwisp_daemon.get("/api/runs", createdBefore=AFTER_THAT, limit=1000).json()
    assert (len(page["items"]), page["total"]) == (1000, 5_000)


def test_starting_ends_the_runs_that_were_under_way(runwisp_daemon: Daemon) -> None:
    runwisp_daemon.stop()
    rows = [
        RunRow(id=ulid(LONG_AGO, n), task_name="cut", created_at=LONG_AGO, status=phase, end_reason=None)
        for n, phase in enumerate(["pending", "running"])
    ]
    insert_runs(runwisp_daemon.db, rows)
    runwisp_daemon.start()
    assert [run["endReason"] for run in runwisp_daemon.runs(taskName="cut")] == ["skipped", "crashed"]


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_runs_created_together_come_in_the_order_they_were_inserted(runwisp_daemon: Daemon, direction: str) -> None:
    insert_runs(runwisp_daemon.db, tied(30))
    served = runwisp_daemon.runs(createdBefore=AFTER_THAT, sortField="createdAt", sortDirection=direction, limit=1000)
    assert ids(served) == [row.id for row in tied(30)]


def test_an_offset_pages_through_runs_created_together(runwisp_daemon: Daemon) -> None:
    insert_runs(runwisp_daemon.db, tied(30))
    pages = [
        runwisp_daemon.runs(createdBefore="2020-01-01T00:00:00Z", limit=7, offset=offset)
        for offset in range(0, 30, 7)
    ]
    assert [one for page in pages for one in ids(page)] == [row.id for row in tied(30)]


def test_time_bounds_are_inclusive_to_the_nanosecond(runwisp_daemon: Daemon) -> None:
    fractions = ["", ".000000001", ".123456", ".123456788", ".123456789"]
    insert_runs(
        runwisp_daemon.db,
        [
            RunRow(id=ulid(LONG_AGO, n), task_name="fine", created_at=f"2020-01-01 00:00:00{fraction}+00:00")
            for n, fraction in enumerate(fractions)
        ],
    )
    bound = "2020-01-01T00:00:00.123456788Z"
    before = runwisp_daemon.runs(createdBefore=bound)
    after = runwisp_daemon.runs(createdAfter=bound, createdBefore=AFTER_THAT)
    assert ids(before) == [ulid(LONG_AGO, n) for n in (3, 2, 1, 0)]
    assert ids(after) == [ulid(LONG_AGO, n) for n in (4, 3)]


def test_deleted_runs_are_hidden_from_lists_totals_and_lookups(runwisp_daemon: Daemon) -> None:
    gone, kept = (
        RunRow(id=ulid(LONG_AGO, n), task_name="bin", created_at=LONG_AGO, deleted_at=deleted)
        for n, deleted in enumerate([LONG_AGO, None])
    )
    insert_runs(runwisp_daemon.db, [gone, kept])
    page = runwisp_daemon.get("/api/runs", createdBefore=AFTER_THAT).json()
    assert (ids(page["items"]), page["total"]) == ([kept.id], 1)
    assert runwisp_daemon.get(f"/api/runs/{gone.id}").status_code == 404


@pytest.fixture(scope="module")
def filtered(runwisp_binary: Path, runwisp_seed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon whose oldest runs are one of every kind that the filters tell apart."""
    phases = [("pending", None), ("running", None), ("ended", "failed"), ("ended", "timeout")]
    mixed = [
        RunRow(id=ulid(LONG_AGO, n), task_name="mix", created_at=LONG_AGO, status=phase, end_reason=reason)
        for n, (phase, reason) in enumerate(phases)
    ]
    home = copy_home(runwisp_seed, tmp_path_factory.mktemp("rw") / "home")
    with Daemon(runwisp_binary, home) as daemon:
        insert_runs(daemon.db, [*mixed, REPORT])
        yield daemon


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("running", {"running"}),
        ("failed", {"failed"}),
        ("pending,timeout", {"pending", "timeout"}),
        ("ended,failed", {"failed", "timeout"}),
        ("nope,failed", {"failed"}),
        ("Failed", set[str]()),
        ("success", set[str]()),
    ],
)
def test_a_status_list_mixes_phases_and_end_reasons(filtered: Daemon, status: str, found: set[str]) -> None:
    served = filtered.runs(taskName="mix", status=status)
    assert {run.get("endReason", run["status"]) for run in served} == found


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("NIGHT", 1),
        # "%" and "_" are taken out of the query, so a name that has one is not found by its own text.
        ("nightly%", 1),
        ("nightly_report", 0),
        ("0000000007", 1),
        ("failed", 0),
        ("zebra", 0),
    ],
)
def test_search_looks_for_a_part_of_the_task_name_or_the_id(filtered: Daemon, search: str, found: int) -> None:
    served = filtered.runs(search=search, createdBefore=AFTER_THAT)
    assert ids(served) == [REPORT.id] * found


def test_a_triggered_run_is_the_newest_one(runwisp_daemon: Daemon) -> None:
    run = runwisp_daemon.trigger("healthcheck-tls")
    assert (run["status"], run["endReason"], run["triggeredBy"]) == ("ended", "succeeded", "api")
    assert ids(runwisp_daemon.runs(limit=1)) == [run["id"]]


def test_a_locked_daemon_wants_a_token_over_tcp_and_none_over_its_socket(runwisp_locked: Daemon) -> None:
    refused = httpx2.get(f"{runwisp_locked.url}/api/runs")
    assert (refused.status_code, refused.text) == (401, "no token found\n")
    token = runwisp_locked.login().json()["token"]
    answer = httpx2.get(f"{runwisp_locked.url}/api/runs", headers={"Authorization": f"Bearer {token}"})
    assert answer.json() == runwisp_locked.get("/api/runs").json()


def test_a_wrong_password_is_a_problem_and_says_so(runwisp_locked: Daemon) -> None:
    answer = runwisp_locked.login("wrong")
    assert (answer.status_code, answer.json()["detail"]) == (401, "Invalid password")


def test_even_good_logins_are_limited_and_the_answer_says_how_long(runwisp_locked: Daemon) -> None:
    answers = [runwisp_locked.login() for _ in range(3)]
    assert [answer.status_code for answer in answers[:2]] == [200, 200]
    assert (answers[2].status_code, answers[2].text) == (429, "Too Many Requests\n")
    assert answers[2].headers["Retry-After"] == "300"


def test_a_token_outlives_a_restart_and_the_limit_does_not(runwisp_locked: Daemon) -> None:
    token = runwisp_locked.login().json()["token"]
    runwisp_locked.login()
    runwisp_locked.restart()
    answer = httpx2.get(f"{runwisp_locked.url}/api/runs", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert runwisp_locked.login().status_code == 200


@pytest.mark.parametrize(
    ("microsecond", "stored"), [(0, "00"), (500_000, "00.5"), (1, "00.000001"), (123_450, "00.12345")]
)
def test_a_stored_time_has_no_trailing_zeros(microsecond: int, stored: str) -> None:
    assert stored_time(LONG_AGO.replace(microsecond=microsecond)) == f"2020-01-01 00:00:{stored}+00:00"
