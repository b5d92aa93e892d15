"""Schedules: whose zone they are of, when the next run is there and in UTC, and that there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.sample_client import answer, rows_of
from tests.upstreams import Upstream, client_of, json_of, page

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

DAILY = {"name": "a", "kind": "task", "cron": "15 3 * * *"}
DUE = {**DAILY, "nextRunAt": "2026-11-30T03:15:00+01:00"}
BLAXEL, RUNWISP = (
    {"RUNWISP_URL": None, "RUNWISP_TOKEN": None},
    dict.fromkeys(("BL_API_KEY", "BL_WORKSPACE", "BL_API_URL")),
)
BOTH = {"next_run_at": "2026-11-30T02:15:00Z", "next_run_local": "2026-11-30T03:15:00+01:00"}


class Defined(Upstream):
    """A daemon that defines one task, and is in a zone, or does not say; and a workspace with one job."""

    def __init__(self, task: dict[str, Any], zone: str | None = None, spec: dict[str, Any] | None = None) -> None:
        super().__init__()
        job = {"metadata": {"name": "a"}, "spec": spec, "status": "DEPLOYED"}
        told = {"version": "1.0.1", "resolvedTimezone": zone}
        answers = {"/api/tasks": {"items": [task]}, "/api/daemon": told, "/v0/jobs": page([job]), "/v0/jobs/a": job}
        self.sick = lambda request: (
            json_of(answers[request.url.path])(request) if request.url.path in answers else None
        )


@pytest.mark.parametrize(
    ("task", "zone", "shown"),
    [
        (DUE, "Europe/Berlin", {"schedule": "15 3 * * * (Europe/Berlin)", **BOTH}),
        ({**DUE, "timezone": "Europe/Paris"}, "Asia/Tokyo", {"schedule": "15 3 * * * (Europe/Paris)", **BOTH}),
        (
            {**DUE, "nextRunAt": "2026-11-30T03:15:00Z"},
            "UTC",
            {"schedule": "15 3 * * * (UTC)", "next_run_at": "2026-11-30T03:15:00Z"},
        ),
        (DUE, None, {"schedule": "15 3 * * * (zone unknown)", **BOTH}),
        (DUE, "Local", {"schedule": "15 3 * * * (Local)", **BOTH}),
        (DUE, "../../etc/passwd", {"schedule": "15 3 * * * (../../etc/passwd)", **BOTH}),
        ({"name": "a", "kind": "task"}, "Europe/Berlin", {"schedule": "no schedule"}),
        ({"name": "a", "kind": "service"}, None, {"schedule": "no schedule"}),
        # What cannot be read is not taken for nothing.
        ({"name": "a", "kind": "task", "cron": ["15 3 * * *"]}, "UTC", {}),
        ({**DUE, "timezone": 2}, "UTC", {"schedule": "15 3 * * * (zone unknown)", **BOTH}),
        # Known by its runs alone, as what was imported from a database.
        ({"name": "a"}, None, {}),
    ],
)
async def test_a_task_s_schedule_names_its_zone_and_the_next_run_is_in_both(
    tmp_path: Path, task: dict[str, Any], zone: str | None, shown: dict[str, str]
) -> None:
    async with client_of(tmp_path, Defined(task, zone), **RUNWISP) as client:
        _, jobs = await answer(client, "list_jobs")
        text, one = await answer(client, "get_job", job="a")
    fields = ("schedule", "next_run_at", "next_run_local")
    for row in (rows_of(jobs)[0], one["job"]):
        assert {name: row[name] for name in fields if name in row} == shown
    assert all(value in text for value in shown.values())


TRIGGER = {"type": "cron", "enabled": True, "configuration": {"schedule": "0 4 * * *"}}


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ({"triggers": [TRIGGER]}, "0 4 * * * (UTC)"),
        (
            {"triggers": [TRIGGER, {**TRIGGER, "configuration": {"schedule": "0 9 * * *"}}]},
            "0 4 * * *, 0 9 * * * (UTC)",
        ),
        ({"triggers": [{**TRIGGER, "enabled": False}]}, "disabled: 0 4 * * * (UTC)"),
        ({"triggers": [{"type": "http"}]}, "no schedule"),
        ({"runtime": {"image": "it"}}, "no schedule"),
        ({"runtime": {"image": "it"}, "triggers": "daily"}, None),
        # What was recorded on this machine, by whatever starts it.
        ({"enabled": True}, None),
        (None, None),
    ],
)
async def test_a_batch_job_s_schedules_are_in_utc(
    tmp_path: Path, spec: dict[str, Any] | None, shown: str | None
) -> None:
    async with client_of(tmp_path, Defined(DAILY, spec=spec), **BLAXEL) as client:
        _, jobs = await answer(client, "list_jobs")
    assert jobs["items"][0].get("schedule") == shown


async def test_the_zone_of_a_daemon_is_asked_once_and_costs_nothing_where_schedules_name_theirs(
    tmp_path: Path,
) -> None:
    for task, asked in ((DAILY, 1), ({**DAILY, "timezone": "UTC"}, 0), ({"name": "a", "kind": "task"}, 0)):
        upstream = Defined(task, "Europe/Berlin")
        async with client_of(tmp_path, upstream, **RUNWISP) as client:
            for _ in range(2):
                await answer(client, "list_jobs")
        assert upstream.paths().count("/api/daemon") == asked


async def test_a_daemon_that_does_not_tell_its_zone_still_lists_its_tasks(tmp_path: Path) -> None:
    upstream = Defined(DAILY)
    answers = upstream.sick
    assert answers is not None
    upstream.sick = lambda request: httpx2.Response(403) if request.url.path == "/api/daemon" else answers(request)
    async with client_of(tmp_path, upstream, **RUNWISP) as client:
        _, jobs = await answer(client, "list_jobs")
    assert jobs["items"][0]["schedule"] == "15 3 * * * (zone unknown)"
