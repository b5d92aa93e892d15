"""The vendor's own Python SDK (PyPI `blaxel`) as a client of the plane, over a port of this machine."""

from __future__ import annotations

import importlib
import json
import threading
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from jobtrail.plane import build_plane
from jobtrail.plane.store import Query
from tests.plane.stocks import Hand

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from jobtrail.plane import Store

pytestmark = pytest.mark.anyio

KEY, BIG = "sdk-key", "backfill-embeddings"
# It reads its key and workspace when it is imported; the tests' own settings are left as they were.
SETTINGS = {"BL_API_KEY": KEY, "BL_WORKSPACE": "default", "DO_NOT_TRACK": "1"}
EVERYTHING = Query("createdAt", descending=True, limit=-1)


@contextmanager
def serving(store: Store) -> Generator[str]:
    """Serve the plane by uvicorn in a thread, and return its URL."""
    config = uvicorn.Config(
        build_plane(store, api_key=KEY, clock=Hand()), log_level="critical", lifespan="off", ws="none"
    )
    listener, server = config.bind_socket(), uvicorn.Server(config)
    # Whoever connects before the server runs waits in the queue of the socket.
    listener.listen()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def sdk(sample: Store) -> Generator[Any]:
    """The SDK's modules, and its client pointed at the plane."""
    with pytest.MonkeyPatch.context() as patch, serving(sample) as url:
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        core = importlib.import_module("blaxel.core")
        calls = ("list_jobs", "get_job", "list_job_executions", "get_job_execution", "list_job_execution_tasks")
        modules = {name: importlib.import_module(f"blaxel.core.client.api.jobs.{name}") for name in calls}
        models = importlib.import_module("blaxel.core.client.models")
        errors = importlib.import_module("blaxel.core.client.errors")
        client = core.client.with_base_url(f"{url}/v0")
        yield SimpleNamespace(client=client, models=models, errors=errors, url=url, **modules)
        client.get_httpx_client().close()


@pytest.fixture
async def aclient(sdk: Any) -> AsyncGenerator[Any]:
    """The same client for calls by asyncio, closed in the loop that opened it."""
    yield sdk.client
    await sdk.client.get_async_httpx_client().aclose()


def stored_ids(sample: Store, job: str) -> list[str]:
    return [row["id"] for row in sample.executions("default", job, EVERYTHING)]


async def test_jobs_are_listed_and_read(sdk: Any, sample: Store) -> None:
    listed = sdk.list_jobs.sync(client=sdk.client)
    assert [one.metadata.name for one in listed.data] == [row["name"] for row in sample.jobs("default", EVERYTHING)]
    assert (listed.meta.has_more, listed.meta.next_cursor, listed.meta.total) == (False, "", 12)
    one = sdk.get_job.sync("nightly-etl", client=sdk.client)
    assert (one.metadata.display_name, one.status.value) == ("Nightly ETL", "DEPLOYED")
    assert one.metadata.labels.to_dict() == {"team": "data", "env": "production"}
    assert [(env.name, env.value) for env in one.spec.runtime.envs] == [
        ("LOG_LEVEL", "info"),
        ("DATABASE_URL", "***"),
    ]
    assert one.to_dict() == next(job for job in listed.data if job.metadata.name == "nightly-etl").to_dict()


async def test_jobs_are_listed_and_read_by_asyncio(sdk: Any, aclient: Any) -> None:
    listed = await sdk.list_jobs.asyncio(client=aclient, status="failed,deactivated")
    assert sorted(one.metadata.name for one in listed.data) == ["thumbnail-render", "weekly-report"]
    one = await sdk.get_job.asyncio("nightly-etl", client=aclient)
    assert one.to_dict() == sdk.get_job.sync("nightly-etl", client=sdk.client).to_dict()


async def test_the_parameters_of_the_jobs_list_are_understood(sdk: Any) -> None:
    names = [
        [one.metadata.name for one in sdk.list_jobs.sync(client=sdk.client, **asked).data]
        for asked in (
            {"sort": sdk.models.ListJobsSort.NAMEDESC, "limit": 2},
            {"q": "Finance"},
            {"anchor": sdk.models.ListJobsAnchor.END, "limit": 1},
            {"sort": sdk.models.ListJobsSort.CREATEDATASC, "limit": 1},
        )
    ]
    assert names[:2] == [["weekly-report", "thumbnail-render"], ["weekly-report"]]
    assert names[2] == names[3]


async def test_executions_are_paged_by_cursor_to_the_end(sdk: Any, sample: Store) -> None:
    ids: list[str] = []
    asked: dict[str, Any] = {}
    while True:
        page = sdk.list_job_executions.sync("fraud-scoring", client=sdk.client, limit=90, **asked)
        ids += [one.metadata.id for one in page.data]
        if not page.meta.has_more:
            break
        asked = {"cursor": page.meta.next_cursor}
    assert page.meta.next_cursor == ""
    assert len(ids) == page.meta.total == 192
    assert ids == stored_ids(sample, "fraud-scoring")


async def test_executions_are_paged_by_asyncio_in_another_order(sdk: Any, aclient: Any, sample: Store) -> None:
    ids: list[str] = []
    asked: dict[str, Any] = {"sort": sdk.models.ListJobExecutionsSort.CREATEDATASC, "limit": 25}
    while True:
        page = await sdk.list_job_executions.asyncio("model-evals", client=aclient, **asked)
        ids += [one.metadata.id for one in page.data]
        if not page.meta.has_more:
            break
        asked["cursor"] = page.meta.next_cursor
    assert len(ids) == 72
    assert ids == stored_ids(sample, "model-evals")[::-1]


async def test_every_status_of_an_execution_is_one_the_sdk_knows(sdk: Any) -> None:
    statuses: set[Any] = set()
    for job in sdk.list_jobs.sync(client=sdk.client).data:
        page = sdk.list_job_executions.sync(job.metadata.name, client=sdk.client, limit=100)
        statuses |= {one.status for one in page.data}
    assert statuses <= {*sdk.models.JobExecutionStatus}
    assert len(statuses) >= 7


async def test_an_execution_is_read_with_its_tasks(sdk: Any, aclient: Any, sample: Store) -> None:
    (identity,) = stored_ids(sample, BIG)
    one = sdk.get_job_execution.sync(BIG, identity, client=sdk.client)
    assert one.to_dict() == (await sdk.get_job_execution.asyncio(BIG, identity, client=aclient)).to_dict()
    assert (one.metadata.id, one.metadata.job, one.spec.parallelism) == (identity, BIG, 200)
    assert len(one.tasks) == one.stats.total == 10_000
    assert sum(task.status.value == "failed" for task in one.tasks) == one.stats.failure > 200


async def test_tasks_are_paged_by_cursor_to_the_end(sdk: Any, sample: Store) -> None:
    (identity,) = stored_ids(sample, BIG)
    names: list[str] = []
    failed: list[Any] = []
    asked: dict[str, Any] = {}
    while True:
        page = sdk.list_job_execution_tasks.sync(BIG, identity, client=sdk.client, limit=200, **asked)
        names += [task.metadata.name for task in page.data]
        failed += [task for task in page.data if task.status.value == "failed"]
        if not page.meta.has_more:
            break
        asked = {"cursor": page.meta.next_cursor}
    assert names == [f"task-{number}" for number in reversed(range(10_000))]
    assert all(len(task.conditions) == 2 and task.conditions[0].message for task in failed)
    assert len(failed) > 200


async def test_tasks_are_listed_by_asyncio(sdk: Any, aclient: Any, sample: Store) -> None:
    identity = stored_ids(sample, "nightly-etl")[0]
    sort = sdk.models.ListJobExecutionTasksSort.CREATEDATASC
    page = await sdk.list_job_execution_tasks.asyncio("nightly-etl", identity, client=aclient, sort=sort, limit=3)
    assert [task.metadata.name for task in page.data] == ["task-0", "task-1", "task-2"]
    assert (page.data[0].spec.max_retries, page.data[0].spec.timeout) == (2, "30m")


async def test_documented_errors_come_back_as_answers_with_their_status(sdk: Any, aclient: Any) -> None:
    missing = sdk.get_job_execution.sync_detailed("nightly-etl", "none", client=sdk.client)
    assert (missing.status_code, missing.parsed) == (404, None)
    refused = sdk.list_job_executions.sync_detailed("nightly-etl", client=sdk.client, cursor="nonsense")
    assert (refused.status_code, refused.parsed) == (400, None)
    tasks = await sdk.list_job_execution_tasks.asyncio_detailed("nightly-etl", "none", client=aclient)
    assert (tasks.status_code, tasks.parsed) == (404, None)
    assert json.loads(tasks.content) == {"error": "not_found", "code": 404, "message": "execution not found"}


async def test_other_errors_are_raised_with_what_the_plane_said(sdk: Any, aclient: Any) -> None:
    with pytest.raises(sdk.errors.UnexpectedStatus) as missing:
        sdk.get_job.sync("none", client=sdk.client)
    assert missing.value.status_code == 404
    assert missing.value.body == {"error": "not_found", "code": 404, "message": "job not found"}
    with pytest.raises(sdk.errors.UnexpectedStatus) as refused:
        await sdk.list_jobs.asyncio(client=aclient, status="nonsense")
    assert refused.value.status_code == 400
    assert refused.value.body["error"] == "bad_request"
    assert sdk.models.Error.from_dict(refused.value.body).code == 400
