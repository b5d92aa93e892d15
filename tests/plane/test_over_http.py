"""The embedded plane served on a port, asked through a Jobtrail server of its own over stdio."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx2
import pytest
from mcp import Client, StdioServerParameters

from tests.sample_client import answer, follow, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def plane() -> Generator[str]:
    """The URL of `jobtrail plane` in a process of its own."""
    command = [sys.executable, "-m", "jobtrail", "plane", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
        assert found
        yield found[0]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


@pytest.fixture(scope="module")
async def client(plane: str) -> AsyncGenerator[Client]:
    """A client of a Jobtrail server that knows the plane as a Blaxel workspace and as a RunWisp daemon."""
    env = {"BL_API_URL": f"{plane}/v0", "RUNWISP_URL": plane, "HOME": os.devnull, "PATH": os.environ["PATH"]}
    server = StdioServerParameters(command=sys.executable, args=["-m", "jobtrail", "serve"], env=env)
    async with Client(server) as client:
        yield client


async def test_both_apis_answer_and_say_that_it_is_sample_data(client: Client) -> None:
    jobs, _ = await answer(client, "list_jobs")
    assert jobs.startswith("jobs · source blaxel, SAMPLE DATA · 12 rows, complete")
    assert "note: other sources: runwisp" in jobs
    tasks, _ = await answer(client, "list_jobs", source="runwisp")
    assert tasks.startswith("jobs · source runwisp, SAMPLE DATA · 8 rows, complete")


async def test_the_source_that_has_what_is_asked_for_is_asked(client: Client) -> None:
    _, runs = await answer(client, "list_runs", job="rotate-logs")
    assert runs["source"] == "runwisp"
    wrong = await client.call_tool("list_runs", {"source": "blaxel"})
    assert text_of(wrong) == "source 'blaxel' (blaxel) has no runs; call list_executions(job=…) on it"


async def test_the_failed_tasks_of_10000_are_listed_exactly_once_by_cursors_alone(client: Client, plane: str) -> None:
    _, page = await answer(client, "list_executions", job="backfill-embeddings")
    named = {"job": "backfill-embeddings", "execution": page["items"][0]["id"]}
    pages = await follow(client, "list_tasks", **named, status="failed", limit=13)
    listed = [task["name"] for page in pages for task in page["items"]]
    url = f"{plane}/v0/jobs/{named['job']}/executions/{named['execution']}"
    tasks = httpx2.get(url, headers={"Blaxel-Version": "2026-04-28"}).json()["tasks"]
    failed = [task["metadata"]["name"] for task in tasks if task["status"] == "failed"]
    assert len(tasks) == 10_000
    assert len(listed) == len(set(listed))
    assert sorted(listed) == sorted(failed)


async def test_every_run_of_a_task_is_listed_once_in_every_order(client: Client) -> None:
    _, one_by_one = await answer(client, "list_runs", job="report-usage", limit=100)
    for sort in ("created_at:desc", "created_at:asc", "duration:desc", "status:asc", "exit_code:asc"):
        pages = await follow(client, "list_runs", job="report-usage", sort=sort, limit=9)
        listed = [run["id"] for page in pages for run in page["items"]]
        assert sorted(listed) == sorted(run["id"] for run in one_by_one["items"]), sort


async def test_the_runs_of_all_tasks_are_walked_by_time(client: Client) -> None:
    pages = await follow(client, "list_runs", limit=100)
    runs = [run for page in pages for run in page["items"]]
    assert len(runs) == len({run["id"] for run in runs}) > 1_000
    times = [run["created_at"] for run in runs]
    assert times == sorted(times, reverse=True)
    assert len({run["job"] for run in runs}) == 8
