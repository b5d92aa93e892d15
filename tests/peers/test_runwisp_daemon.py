"""What Jobtrail relies on in RunWisp 1.0.1, shown on a real daemon: the plane's table, and its log-in."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import httpx2
import pytest

from jobtrail.times import format_nanoseconds
from tests.peers.runwisp_daemon import Daemon, DaemonRunRow, insert_runs
from tests.plane.runwisp_records import PRINTED, RUNS, ulid
from tests.plane.runwisp_table import TABLE, Case

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jobtrail.store.rows import RunRow

# Apart in time, so that the daemon reads both streams in this order.
PRINT = "; sleep 0.1; ".join(f"echo {text}{' >&2' if stream == 'stderr' else ''}" for stream, text in PRINTED)
CONFIGURATION = f"""
[defaults]
keep_runs = 1000000
keep_for = "36500d"

[storage]
max_size = "2gb"
min_free_space = "1mb"

[tasks]
never = {{manual_trigger = true, run = "true"}}
tied = {{manual_trigger = true, run = "true"}}
worded = {{manual_trigger = true, run = "true"}}

[tasks.printing]
group = "Backups"
description = "Prints"
cron = "0 0 29 2 *"
timezone = "Europe/Berlin"
timeout = "2h"
retry_attempts = 2
on_overlap = "queue"
run = "{PRINT}"
"""


class Stocked(NamedTuple):
    """A client of a daemon that has the filled_store, and the id of the run that printed."""

    client: httpx2.Client
    printed: str


@pytest.fixture(scope="module")
def stocked(runwisp_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stocked]:
    home = tmp_path_factory.mktemp("rw") / "home"
    home.mkdir()
    (home / "runwisp.toml").write_text(CONFIGURATION, encoding="utf-8")
    with Daemon(runwisp_binary, home) as daemon:
        # While it runs: a daemon that starts ends the runs that it finds under way.
        insert_runs(daemon.db, map(row_of, RUNS))
        insert_runs(daemon.db, [replace(row_of(RUNS[0]), id=ulid(90), deleted_at=store_time(RUNS[0].created_at))])
        printed = daemon.trigger("printing")["id"]
        transport = httpx2.HTTPTransport(uds=str(daemon.socket))
        with closing(httpx2.Client(transport=transport, base_url="http://runwisp/api")) as client:
            yield Stocked(client, printed)


def row_of(run: RunRow) -> DaemonRunRow:
    """Return a run as the daemon stores it."""
    return DaemonRunRow(
        id=run.id,
        task_name=run.task,
        created_at=store_time(run.created_at),
        started_at=store_time(run.started_at) if run.started_at is not None else None,
        ended_at=store_time(run.ended_at) if run.ended_at is not None else None,
        status=run.status,
        end_reason=run.end_reason,
        exit_code=run.exit_code,
        triggered_by=run.body["triggered_by"],
        is_failure=int(run.body["is_failure"]),
        retry_attempt=run.body.get("retry_attempt", 0),
        retry_of_run_id=run.body.get("retry_of_run_id"),
        instance_index=run.body.get("replica_index", 0),
    )


def store_time(nanoseconds: int) -> str:
    return format_nanoseconds(nanoseconds).replace("T", " ").replace("Z", "+00:00")


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.request[:120])
def test_the_daemon_answers_as_the_plane_does(stocked: Stocked, case: Case) -> None:
    case.check(stocked.client.get(case.request.format(printed=stocked.printed)))


def test_what_the_daemon_does_not_know_is_its_web_page(stocked: Stocked) -> None:
    answer = stocked.client.get("/tasks/worded/runs")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_a_locked_daemon_wants_a_token_over_tcp_and_none_over_its_socket(runwisp_locked: Daemon) -> None:
    refused = httpx2.get(f"{runwisp_locked.url}/api/runs")
    assert (refused.status_code, refused.text) == (401, "no token found\n")
    token = runwisp_locked.login().json()["token"]
    answer = httpx2.get(f"{runwisp_locked.url}/api/runs", headers={"Authorization": f"Bearer {token}"})
    assert answer.json() == runwisp_locked.get("/api/runs").json()


def test_even_good_logins_are_limited_and_the_answer_says_how_long(runwisp_locked: Daemon) -> None:
    answers = [runwisp_locked.login() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "300"
    token = answers[0].json()["token"]
    runwisp_locked.restart()
    # A token outlives a restart, and the limit does not.
    assert httpx2.get(f"{runwisp_locked.url}/api/runs", headers={"Authorization": f"Bearer {token}"}).is_success
    assert runwisp_locked.login("wrong").json()["detail"] == "Invalid password"
