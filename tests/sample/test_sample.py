"""The sample workspace at several times: what is always in it, and what a restart leaves as it was."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import Client

from jobtrail.plane import InProcessPlane, build_plane
from jobtrail.protocol.app import build_server
from jobtrail.sample.store import SampleStore
from jobtrail.settings import Settings
from jobtrail.sources.blaxel.registration import BlaxelSettings
from jobtrail.store.output import OutputQuery, select_output
from jobtrail.store.runs import RunQuery, select_runs
from jobtrail.store.store import PageQuery
from jobtrail.times import to_nanoseconds
from tests.hypothesis_profiles import scale_examples
from tests.plane.records import PAGED
from tests.sample_client import FixedClock, answer

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUR = timedelta(hours=1)
NOWS = [
    datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2027, 1, 1, tzinfo=UTC),
    datetime(2028, 2, 29, 12, 34, 56, tzinfo=UTC),
    # When clocks change in Europe and in the United States.
    datetime(2026, 10, 25, 1, 0, 1, tzinfo=UTC),
    datetime(2027, 3, 14, 2, 30, tzinfo=UTC),
    # Just before, at, and just after the start of the 10,000 tasks; and while they run.
    datetime(2026, 11, 24, 5, 59, 59, tzinfo=UTC),
    datetime(2026, 11, 24, 6, 0, 0, tzinfo=UTC),
    datetime(2026, 11, 24, 6, 0, 1, tzinfo=UTC),
    datetime(2026, 11, 24, 6, 20, tzinfo=UTC),
    # Just before, at, and just after the points of the half-hourly and the quarter-hourly schedule.
    datetime(2026, 11, 23, 12, 2, 59, 999_999, tzinfo=UTC),
    datetime(2026, 11, 23, 12, 3, tzinfo=UTC),
    datetime(2026, 11, 23, 12, 15, 0, 1, tzinfo=UTC),
    datetime(2026, 11, 23, 12, 33, 5, tzinfo=UTC),
]
BLAXEL = Settings(sources=(BlaxelSettings(name="blaxel", url="http://plane.invalid/v0"),), default="blaxel")
STATUSES = {"queued", "pending", "running", "cancelling", "cancelled", "failed", "succeeded", "timeout"}
ENDED = {"cancelled", "failed", "succeeded", "timeout"}
END_REASONS = {"succeeded", "failed", "stopped", "timeout", "crashed", "skipped", "log_overflow"}
COUNTS = {"success": "succeeded", "failure": "failed", "running": "running", "cancelled": "cancelled"}
ALL = PageQuery("createdAt", descending=False, limit=-1)
Fields = dict[str, Any]


@dataclass(frozen=True)
class Workspace:
    """All that a filled store holds, without the numbers of its rows."""

    jobs: list[Fields]
    executions: dict[tuple[str, str], Fields]
    tasks: dict[tuple[str, str], list[Fields]]
    runs: dict[str, Fields]
    definitions: list[Fields]
    last_event: int


@lru_cache(maxsize=4)
def workspace(now: datetime) -> Workspace:
    store = SampleStore(now)
    jobs = [dict(row) for row in store.list_jobs("default", ALL)]
    executions: dict[tuple[str, str], Fields] = {}
    tasks: dict[tuple[str, str], list[Fields]] = {}
    for job in jobs:
        for row in store.list_executions("default", job["name"], ALL):
            fields = dict(row)
            key = fields.pop("key")
            executions[job["name"], row["id"]] = fields
            tasks[job["name"], row["id"]] = [{**dict(task), "execution": None} for task in store.iterate_tasks(key)]
    definitions = [dict(row) for row in store.list_definitions()]
    runs = {
        row["id"]: {**dict(row), "seq": None}
        for one in definitions
        for row in select_runs(store, RunQuery(one["name"], "created_at", descending=False, limit=-1, offset=0))[0]
    }
    times = [row[field] or 0 for row in all_rows(executions, tasks, runs) for field in row if field.endswith("_at")]
    store.close()
    return Workspace(jobs, executions, tasks, runs, definitions, max(times))


def all_rows(
    executions: dict[Any, Fields], tasks: dict[Any, list[Fields]], runs: dict[str, Fields]
) -> Iterator[Fields]:
    yield from executions.values()
    for some in tasks.values():
        yield from some
    yield from runs.values()


def check(now: datetime) -> None:
    """Hold a workspace to all that is promised of it at any time."""
    space = workspace(now)
    statuses = Counter(row["status"] for row in space.executions.values())
    assert len(space.jobs) == 12
    assert len(space.executions) >= 300
    assert [len(tasks) for tasks in space.tasks.values() if len(tasks) > 1000] == [10_000]
    assert statuses["running"] >= 1
    assert statuses["queued"] + statuses["pending"] >= 1
    assert statuses["cancelling"] >= 1
    assert set(statuses) <= STATUSES
    assert max(Counter(run["task"] for run in space.runs.values()).values()) >= 300
    assert {run["end_reason"] for run in space.runs.values()} - {None} == END_REASONS
    assert "running" in {run["status"] for run in space.runs.values()}
    # Whoever asks what failed lately finds something.
    nightly = [row for (job, _), row in space.executions.items() if job == "nightly-etl"]
    assert any(row["status"] == "failed" and row["ended_at"] > to_nanoseconds(now - 48 * HOUR) for row in nightly)
    assert space.last_event <= to_nanoseconds(now)
    assert all(job["updated_at"] <= to_nanoseconds(now) for job in space.jobs)
    for key, row in space.executions.items():
        check_execution(row, space.tasks[key])
    for run in space.runs.values():
        check_run(run)


def check_execution(row: Fields, tasks: list[Fields]) -> None:
    statuses = Counter(task["status"] for task in tasks)
    assert row["total"] == len(tasks)
    assert {name: row[name] for name in COUNTS} == {name: statuses[status] for name, status in COUNTS.items()}
    assert row["retried"] == sum(task["attempts"] > 1 for task in tasks)
    assert (row["ended_at"] is not None) == (row["status"] in ENDED)
    for one in (row, *tasks):
        times = [one[name] for name in ("created_at", "started_at", "ended_at") if one[name] is not None]
        assert times == sorted(times)
        assert times[-1] <= one["updated_at"]
    if row["status"] in ENDED:
        # Nothing of it is left undone, and nothing happens to it later.
        assert row["started_at"] is not None
        assert set(statuses) <= {"succeeded", "failed", "cancelled"}
        assert row["updated_at"] == row["ended_at"]
        assert all(task["ended_at"] <= row["ended_at"] for task in tasks)
        assert row["status"] not in {"failed", "timeout"} or statuses["failed"]
        assert row["status"] != "succeeded" or set(statuses) == {"succeeded"}


def check_run(run: Fields) -> None:
    assert run["status"] in {"pending", "running", "ended"}
    times = [run[name] for name in ("created_at", "started_at", "ended_at") if run[name] is not None]
    assert times == sorted(times)
    assert (run["ended_at"] is not None) == (run["status"] == "ended") == (run["end_reason"] is not None)
    assert (run["end_reason"] in {"succeeded", "skipped"}) <= (run["exit_code"] == 0)


@pytest.mark.slow
@pytest.mark.parametrize("now", NOWS, ids=str)
def test_the_workspace_holds_what_is_promised_at(now: datetime) -> None:
    check(now)


@settings(max_examples=scale_examples(5), suppress_health_check=[HealthCheck.too_slow])
@given(st.datetimes(datetime(2026, 9, 1), datetime(2036, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 # hypothesis adds it
def test_the_workspace_holds_what_is_promised_at_any_time(now: datetime) -> None:
    check(now)


def test_every_status_occurs() -> None:
    spaces = [workspace(now) for now in (NOWS[1], NOWS[6], NOWS[8])]
    assert {row["status"] for space in spaces for row in space.executions.values()} == STATUSES
    tasks = {task["status"] for space in spaces for some in space.tasks.values() for task in some}
    assert tasks == {"pending", "running", "succeeded", "failed", "cancelled"}
    assert {run["status"] for space in spaces for run in space.runs.values()} == {"pending", "running", "ended"}


@pytest.mark.parametrize("now", [NOWS[0], NOWS[7], NOWS[8]], ids=str)
def test_what_had_ended_is_the_same_after_a_restart_an_hour_later(now: datetime) -> None:
    before, after = workspace(now), workspace(now + HOUR)
    assert after.jobs == before.jobs
    ended = {key for key, row in before.executions.items() if row["ended_at"] is not None}
    kept = ended & set(after.executions)
    assert len(kept) > 250
    for key in kept:
        assert after.executions[key] == before.executions[key]
        assert after.tasks[key] == before.tasks[key]
    over = {key for key, run in before.runs.items() if run["status"] == "ended"} & set(after.runs)
    assert len(over) > 1000
    assert {key: after.runs[key] for key in over} == {key: before.runs[key] for key in over}


def test_what_goes_out_of_keeping_is_older_than_what_stays() -> None:
    before, after = workspace(NOWS[0]), workspace(NOWS[0] + HOUR)
    gone = [row for key, row in before.executions.items() if key not in after.executions]
    assert 0 < len(gone) < 20
    for row in gone:
        stays = [one["created_at"] for (job, _), one in after.executions.items() if job == row["job"]]
        assert row["created_at"] < min(stays)


def test_what_was_running_goes_on_under_the_same_id() -> None:
    before, after = workspace(NOWS[8]), workspace(NOWS[8] + HOUR)
    going = {key: row for key, row in before.executions.items() if row["status"] == "running"}
    assert going
    for key, row in going.items():
        assert after.executions[key]["created_at"] == row["created_at"]
        assert after.executions[key]["started_at"] == row["started_at"]


@pytest.mark.anyio
async def test_concurrent_first_requests_make_the_sample_once() -> None:
    asked: list[datetime] = []

    def clock() -> datetime:
        asked.append(NOWS[0])
        return NOWS[0]

    plane = InProcessPlane(clock=clock)
    answers: list[Any] = []
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(plane), base_url="http://plane.invalid") as client:
        assert asked == []

        async def ask() -> None:
            response = await client.get("/v0/jobs/nightly-etl", headers=PAGED)
            assert response.headers["jobtrail-data"] == "sample"
            answers.append(response.json())

        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(ask)
    # A single resource does not ask for the time, so the only one who did was the sample.
    assert asked == [NOWS[0]]
    assert answers == [answers[0]] * 10
    await plane.aclose()


def count_rows(store: SampleStore) -> dict[str, int]:
    tables = ("jobs", "executions", "tasks", "runs", "lines")
    return {table: store.select(f"SELECT count(*) FROM {table}")[0][0] for table in tables}  # noqa: S608 # our own names


@pytest.mark.anyio
async def test_no_more_is_written_than_is_read() -> None:
    store = SampleStore(NOWS[0])
    written = {"jobs": 12, "executions": 0, "tasks": 0, "runs": 0, "lines": 0}
    transport = httpx2.ASGITransport(build_plane(store))
    async with httpx2.AsyncClient(transport=transport, base_url="http://plane.invalid", headers=PAGED) as client:

        async def get(path: str, **more: int) -> Any:
            found = (await client.get(path)).json()
            assert count_rows(store) == written | more, path
            written.update(more)
            return found

        await get("/v0/jobs")
        await get("/api/tasks")
        await get("/v0/jobs/weekly-report")
        page = await get("/v0/jobs/nightly-etl/executions?limit=4", executions=90)
        failed = next(one["metadata"]["id"] for one in page["data"] if one["status"] == "failed")
        await get(f"/v0/jobs/nightly-etl/executions/{failed}/tasks", tasks=14, lines=28)
        await get(f"/v0/jobs/nightly-etl/executions/{failed}")
        runs = len(workspace(NOWS[0]).runs)
        page = await get("/api/runs?limit=1&taskName=rotate-logs", runs=runs)
        await get(f"/api/runs/{page['items'][0]['id']}/log", lines=30)
        await get("/api/runs?limit=1000")
    store.close()


@pytest.mark.anyio
async def test_a_first_call_of_a_tool_writes_what_it_answers_from() -> None:
    calls: dict[str, dict[str, Any]] = {
        "list_jobs": {},
        "list_executions": {"job": "nightly-etl"},
        "find_failures": {},
    }
    executions, tasks = (
        len(workspace(NOWS[0]).executions),
        {"list_jobs": 0, "list_executions": 0, "find_failures": 300},
    )
    expected = {"list_jobs": 0, "list_executions": 90, "find_failures": executions}
    for tool, arguments in calls.items():
        store = SampleStore(NOWS[0])
        transport = httpx2.ASGITransport(build_plane(store))
        async with Client(build_server(BLAXEL, transport, FixedClock(moment=NOWS[0]))) as client:
            await answer(client, tool, **arguments)
        written = count_rows(store)
        assert written["executions"] == expected[tool]
        # Of 14,000.
        assert written["tasks"] <= tasks[tool]
        assert written["runs"] == 0
        store.close()


def test_what_is_read_first_changes_nothing() -> None:
    one, other = SampleStore(NOWS[8]), SampleStore(NOWS[8])
    query = OutputQuery("default", "crm-sync", "", "", None, None, ("stdout", "stderr"), "", 1000, 0)
    for job in reversed(one.list_jobs("default", ALL)):
        one.list_executions("default", job["name"], ALL)
    printed = [tuple(row)[1:] for row in select_output(other, query)[0]]
    assert printed == [tuple(row)[1:] for row in select_output(one, query)[0]]
    assert printed
    for row in one.list_executions("default", "crm-sync", ALL):
        again = other.find_execution("default", "crm-sync", row["id"])
        assert again is not None
        assert tuple(again)[1:] == tuple(row)[1:]
    one.close()
    other.close()


@pytest.mark.anyio
async def test_a_cursor_of_the_sample_goes_on_after_a_restart() -> None:
    pages: list[Any] = []
    cursor: dict[str, str] = {}
    for _ in range(2):
        plane = InProcessPlane(clock=lambda: NOWS[0])
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(plane), base_url="http://plane.invalid/v0"
        ) as client:
            page = await client.get("/jobs", params={"limit": 6, "sort": "name:asc", **cursor}, headers=PAGED)
        pages += page.json()["data"]
        cursor = {"cursor": page.json()["meta"]["nextCursor"]}
        await plane.aclose()
    names = [one["metadata"]["name"] for one in pages]
    assert names == sorted({row["name"] for row in workspace(NOWS[0]).jobs})
