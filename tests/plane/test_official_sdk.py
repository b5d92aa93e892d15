"""The vendor's own Python SDK (PyPI `blaxel`) as a client of the plane, over a port of this machine.

Everything it reads is read both ways it offers, by blocking calls and by asyncio.
"""

from __future__ import annotations

import importlib
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from jobtrail.plane import build_plane
from jobtrail.store.store import PageQuery
from tests.plane.records import ManualClock
from tests.plane.serving import serve_app

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from starlette.types import ASGIApp, Receive, Scope, Send

    from jobtrail.store import Store

pytestmark = [pytest.mark.anyio, pytest.mark.peers]

KEY, BIG, ETL = "sdk-key", "backfill-embeddings", "nightly-etl"
# It reads its key and workspace when it is imported; the tests' own settings are left as they were.
SETTINGS = {"BL_API_KEY": KEY, "BL_WORKSPACE": "default", "DO_NOT_TRACK": "1"}
EVERYTHING = PageQuery("createdAt", descending=True, limit=-1)
READS = ("list_jobs", "get_job", "list_job_executions", "get_job_execution", "list_job_execution_tasks")


class Noting:
    """The plane, and the headers and query of the last request to it."""

    def __init__(self, plane: ASGIApp) -> None:
        self._plane = plane
        self.headers: dict[str, str] = {}
        self.query = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.query = scope["query_string"].decode()
        await self._plane(scope, receive, send)


@pytest.fixture(scope="module")
def loaded(sample: Store) -> Generator[Any]:
    """The SDK's modules, its client pointed at the plane, and what the plane is asked."""
    plane = Noting(build_plane(sample, api_key=KEY, clock=ManualClock()))
    with pytest.MonkeyPatch.context() as patch, serve_app(plane) as url:
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        core = importlib.import_module("blaxel.core")
        modules = {name: importlib.import_module(f"blaxel.core.client.api.jobs.{name}") for name in READS}
        models = importlib.import_module("blaxel.core.client.models")
        errors = importlib.import_module("blaxel.core.client.errors")
        make = importlib.import_module("blaxel.core.client.client").Client
        bl_job = importlib.import_module("blaxel.core.jobs").bl_job
        client = core.client.with_base_url(f"{url}/v0")
        yield SimpleNamespace(
            client=client, make=make, models=models, errors=errors, bl_job=bl_job, url=url, asked=plane, **modules
        )
        client.get_httpx_client().close()


@pytest.fixture(params=["blocking", "asyncio"])
async def sdk(loaded: Any, request: pytest.FixtureRequest) -> AsyncGenerator[Any]:
    """What `loaded` has, and `ask`, which makes a read one way or the other."""
    by_asyncio = request.param == "asyncio"

    async def ask(read: str, *path: str, client: Any = loaded.client, whole: bool = False, **params: Any) -> Any:
        """Return what a read returns: what it parsed, or the whole answer."""
        module = getattr(loaded, read)
        if by_asyncio:
            call = module.asyncio_detailed if whole else module.asyncio
            return await call(*path, client=client, **params)
        return (module.sync_detailed if whole else module.sync)(*path, client=client, **params)

    yield SimpleNamespace(**vars(loaded), ask=ask, by_asyncio=by_asyncio)
    if by_asyncio:
        # In the loop that opened it.
        await loaded.client.get_async_httpx_client().aclose()


def stored_ids(sample: Store, job: str) -> list[str]:
    return [row["id"] for row in sample.list_executions("default", job, EVERYTHING)]


def names(page: Any) -> list[str]:
    return [one.metadata.name for one in page.data]


async def walk(sdk: Any, read: str, *path: str, **params: Any) -> list[Any]:
    """Return the pages of a list, from cursor to cursor to the end."""
    pages = [await sdk.ask(read, *path, **params)]
    while pages[-1].meta.has_more:
        pages.append(await sdk.ask(read, *path, **params, cursor=pages[-1].meta.next_cursor))
    assert pages[-1].meta.next_cursor == ""
    return pages


async def test_jobs_are_listed_and_read(sdk: Any, sample: Store) -> None:
    listed = await sdk.ask("list_jobs")
    assert names(listed) == [row["name"] for row in sample.list_jobs("default", EVERYTHING)]
    assert (listed.meta.has_more, listed.meta.next_cursor, listed.meta.total) == (False, "", 12)
    one = await sdk.ask("get_job", ETL)
    assert (one.metadata.display_name, one.status.value) == ("Nightly ETL", "DEPLOYED")
    assert one.metadata.labels.to_dict() == {"team": "data", "env": "production"}
    assert [(env.name, env.value) for env in one.spec.runtime.envs] == [
        ("LOG_LEVEL", "info"),
        ("DATABASE_URL", "***"),
    ]
    assert one.to_dict() == next(job for job in listed.data if job.metadata.name == ETL).to_dict()


async def test_executions_are_listed_and_read_with_their_tasks(sdk: Any, sample: Store) -> None:
    listed = await sdk.ask("list_job_executions", BIG)
    (identity,) = [one.metadata.id for one in listed.data]
    assert [identity] == stored_ids(sample, BIG)
    one = await sdk.ask("get_job_execution", BIG, identity)
    assert (one.metadata.id, one.metadata.job, one.spec.parallelism) == (identity, BIG, 200)
    assert len(one.tasks) == one.stats.total == 10_000
    assert sum(task.status.value == "failed" for task in one.tasks) == one.stats.failure > 200
    assert {**one.to_dict(), "tasks": []} == listed.data[0].to_dict()


async def test_tasks_are_listed(sdk: Any, sample: Store) -> None:
    identity = stored_ids(sample, ETL)[0]
    page = await sdk.ask("list_job_execution_tasks", ETL, identity)
    assert sorted(names(page)) == sorted(f"task-{number}" for number in range(page.meta.total))
    assert (page.data[0].spec.max_retries, page.data[0].spec.timeout) == (2, "30m")


async def test_it_says_its_version_key_and_workspace_as_the_plane_reads_them(sdk: Any) -> None:
    await sdk.ask("list_job_executions", ETL)
    headers = sdk.asked.headers
    assert headers["blaxel-version"] == "2026-09-22"
    assert headers["x-blaxel-authorization"] == f"Bearer {KEY}"
    assert headers["x-blaxel-workspace"] == "default"
    assert "authorization" not in headers
    # It always sends the offset of the older contract.
    assert sdk.asked.query == "limit=20&offset=0"


async def test_sort_q_anchor_and_status_are_understood(sdk: Any) -> None:
    sorts, end = sdk.models.ListJobsSort, sdk.models.ListJobsAnchor.END
    by_time = {sort: names(await sdk.ask("list_jobs", sort=sort)) for sort in sorts}
    assert len(by_time) == 4
    assert by_time[sorts.NAMEASC] == sorted(by_time[sorts.NAMEASC])
    assert by_time[sorts.NAMEDESC] == by_time[sorts.NAMEASC][::-1]
    assert by_time[sorts.CREATEDATDESC] == by_time[sorts.CREATEDATASC][::-1]
    assert names(await sdk.ask("list_jobs", anchor=end, limit=2)) == by_time[sorts.CREATEDATDESC][-2:]
    assert names(await sdk.ask("list_jobs", q="Finance")) == ["weekly-report"]
    # Too short to filter.
    assert len(names(await sdk.ask("list_jobs", q=" f "))) == 12
    failed = await sdk.ask("list_jobs", status="failed,deactivated")
    assert sorted(names(failed)) == ["thumbnail-render", "weekly-report"]


async def test_sort_and_q_are_understood_below_jobs(sdk: Any, sample: Store) -> None:
    ids = stored_ids(sample, ETL)
    up = sdk.models.ListJobExecutionsSort.CREATEDATASC
    page = await sdk.ask("list_job_executions", ETL, sort=up, limit=3)
    assert [one.metadata.id for one in page.data] == ids[::-1][:3]
    page = await sdk.ask("list_job_executions", ETL, q=ids[5].upper())
    assert ([one.metadata.id for one in page.data], page.meta.total) == ([ids[5]], len(ids))
    up = sdk.models.ListJobExecutionTasksSort.CREATEDATASC
    page = await sdk.ask("list_job_execution_tasks", ETL, ids[0], sort=up, limit=3)
    assert names(page) == ["task-0", "task-1", "task-2"]
    assert names(await sdk.ask("list_job_execution_tasks", ETL, ids[0], q="K-1", sort=up))[0] == "task-1"


async def test_every_list_is_walked_by_cursor_to_the_end(sdk: Any, sample: Store) -> None:
    pages = await walk(sdk, "list_jobs", limit=5, sort=sdk.models.ListJobsSort.NAMEASC)
    assert [len(page.data) for page in pages] == [5, 5, 2]
    assert [name for page in pages for name in names(page)] == sorted(
        row["name"] for row in sample.list_jobs("default", EVERYTHING)
    )
    pages = await walk(sdk, "list_job_executions", "fraud-scoring", limit=90)
    ids = [one.metadata.id for page in pages for one in page.data]
    assert len(ids) == pages[0].meta.total == 192
    assert ids == stored_ids(sample, "fraud-scoring")
    (identity,) = stored_ids(sample, BIG)
    pages = await walk(sdk, "list_job_execution_tasks", BIG, identity, limit=200)
    tasks = [task for page in pages for task in page.data]
    assert [task.metadata.name for task in tasks] == [f"task-{number}" for number in reversed(range(10_000))]
    failed = [task for task in tasks if task.status.value == "failed"]
    assert all(len(task.conditions) == 2 and task.conditions[0].message for task in failed)
    assert len(failed) > 200


async def test_its_own_paging_helper_walks_the_executions(sdk: Any, sample: Store) -> None:
    job = sdk.bl_job("fraud-scoring")
    if sdk.by_asyncio:
        page = await job.alist_executions(limit=50)
        ids = [one.metadata.id async for one in page.auto_paging_iter()]
        one = await job.aget_execution(ids[0])
    else:
        page = job.list_executions(limit=50)
        ids = [one.metadata.id for one in page.auto_paging_iter()]
        one = job.get_execution(ids[0])
    assert (len(page), page.has_more) == (50, True)
    assert ids == stored_ids(sample, "fraud-scoring")
    assert one.metadata.id == ids[0]


async def test_every_status_of_an_execution_is_one_the_sdk_knows(sdk: Any) -> None:
    statuses: set[Any] = set()
    for job in names(await sdk.ask("list_jobs")):
        page = await sdk.ask("list_job_executions", job, limit=100)
        statuses |= {one.status for one in page.data}
    assert statuses <= {*sdk.models.JobExecutionStatus}
    assert len(statuses) >= 7


async def test_documented_errors_come_back_as_answers_with_their_status(sdk: Any) -> None:
    for read, path, params, status, message in (
        ("get_job_execution", (ETL, "none"), {}, 404, "execution not found"),
        ("list_job_execution_tasks", (ETL, "none"), {}, 404, "execution not found"),
        ("list_job_execution_tasks", ("none", "none"), {}, 404, "job not found"),
        ("list_job_executions", (ETL,), {"cursor": "nonsense"}, 400, "invalid cursor"),
        ("list_job_executions", (ETL,), {"limit": 0}, 400, "limit must be a whole number from 1 on"),
    ):
        answer = await sdk.ask(read, *path, whole=True, **params)
        assert (answer.status_code, answer.parsed) == (status, None)
        error = sdk.models.Error.from_dict(json.loads(answer.content))
        assert (error.code, error.message) == (status, message)


async def test_other_errors_are_raised_with_what_the_plane_said(sdk: Any) -> None:
    for read, path, params, status, error in (
        ("get_job", ("none",), {}, 404, "not_found"),
        ("list_job_executions", ("none",), {}, 404, "not_found"),
        ("list_jobs", (), {"status": "nonsense"}, 400, "bad_request"),
    ):
        with pytest.raises(sdk.errors.UnexpectedStatus) as raised:
            await sdk.ask(read, *path, **params)
        assert (raised.value.status_code, raised.value.body["error"]) == (status, error)
        assert set(raised.value.body) == {"error", "code", "message"}


@pytest.mark.parametrize(
    ("headers", "status", "error"),
    [
        ({"X-Blaxel-Authorization": "Bearer another"}, 401, "unauthorized"),
        ({}, 401, "unauthorized"),
        ({"Authorization": f"Bearer {KEY}", "Blaxel-Version": "2026-99-99"}, 400, "invalid_api_version"),
    ],
)
async def test_a_wrong_key_and_an_unknown_version_are_raised(
    sdk: Any, headers: dict[str, str], status: int, error: str
) -> None:
    with sdk.make(base_url=f"{sdk.url}/v0", headers=headers) as client:
        with pytest.raises(sdk.errors.UnexpectedStatus) as raised:
            await sdk.ask("list_jobs", client=client)
        if sdk.by_asyncio:
            await client.get_async_httpx_client().aclose()
    assert (raised.value.status_code, raised.value.body["error"]) == (status, error)


@pytest.mark.parametrize("version", [{}, {"Blaxel-Version": "2026-04-16"}])
async def test_the_bare_arrays_of_the_older_version_are_read(
    sdk: Any, sample: Store, version: dict[str, str]
) -> None:
    headers = {"Authorization": f"Bearer {KEY}", **version}
    with sdk.make(base_url=f"{sdk.url}/v0", headers=headers) as client:
        listed = await sdk.ask("list_jobs", client=client, limit=1)
        page = await sdk.ask("list_job_executions", ETL, client=client, limit=2, offset=3)
        if sdk.by_asyncio:
            await client.get_async_httpx_client().aclose()
    assert len(listed.data) == 12
    assert [one.metadata.id for one in page.data] == stored_ids(sample, ETL)[3:5]
