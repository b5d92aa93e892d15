"""Resources: a tool's answer at an address, as text or as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import TextResourceContents

from jobtrail.protocol.app import build_server
from jobtrail.protocol.resources.addresses import TEMPLATES, Address
from jobtrail.settings import Settings
from jobtrail.sources.embedded.registration import EmbeddedSettings
from jobtrail.store import Store
from tests.plane.records import make_job, time_at
from tests.sample_client import FixedClock, answer, sample_client
from tests.upstreams import Upstream, client_of, execution_of, page, task_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from jobtrail.store.rows import AnyRow

pytestmark = pytest.mark.anyio

BIG = "backfill-embeddings"


async def read(client: Client, uri: str) -> tuple[str, str]:
    """Return a resource's MIME type and text."""
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    return content.mime_type or "", content.text


async def test_the_jobs_of_every_source_are_listed_and_all_addresses_are_templates() -> None:
    async with sample_client() as client:
        listed = [one.uri for one in (await client.list_resources()).resources]
        templates = [one.uri_template for one in (await client.list_resource_templates()).resource_templates]
    assert listed == ["ui://jobtrail/board.html", "jobtrail://embedded/jobs"]
    assert templates == [one.uri for one in TEMPLATES]


@pytest.mark.parametrize(
    ("uri", "tool", "arguments"),
    [
        ("jobtrail://embedded/jobs", "list_jobs", {"limit": 100, "source": "embedded"}),
        ("jobtrail://embedded/jobs/nightly-etl", "get_job", {"job": "nightly-etl"}),
        ("jobtrail://embedded/executions/exec-3e21440c5bee?job=invoice-export", "get_execution",
         {"job": "invoice-export", "execution": "exec-3e21440c5bee"}),
        ("jobtrail://embedded/executions/exec-3e21440c5bee", "get_execution",
         {"job": "invoice-export", "execution": "exec-3e21440c5bee"}),
        ("jobtrail://embedded/runs/01M83XJ880CH86JX615VZ8MKAW", "get_run",
         {"run": "01M83XJ880CH86JX615VZ8MKAW"}),
    ],
)  # fmt: skip
async def test_it_is_what_the_tool_answers(uri: str, tool: str, arguments: dict[str, Any]) -> None:
    async with sample_client() as client:
        mime, text = await read(client, uri)
        in_json, facts = await read(client, f"{uri}{'&' if '?' in uri else '?'}format=json")
        answered, structured = await answer(client, tool, **arguments)
    assert (mime, text) == ("text/plain", answered)
    assert in_json == "application/json"
    assert json.loads(facts) == structured


async def test_a_long_list_of_jobs_goes_on_at_the_address_it_names(tmp_path: Path) -> None:
    names = [f"job-{number:03}" for number in range(250)]
    async with stocked(tmp_path, [make_job(name) for name in names]) as client:
        found: list[str] = []
        uri: str | None = "jobtrail://embedded/jobs?format=json"
        for _ in range(5):
            page = json.loads((await read(client, uri))[1])
            found += [one["name"] for one in page["items"]]
            if "cursor" not in page:
                break
            uri = str(Address("embedded", "jobs", cursor=page["cursor"], json=True))
        _, text = await read(client, "jobtrail://embedded/jobs")
    assert found == names
    assert "more to read" in text
    assert 'more: list_jobs(cursor="' in text


def stocked(folder: Path, records: Iterable[AnyRow]) -> Client:
    store = Store(folder / "store.db")
    store.write(records)
    store.close()
    settings = Settings(sources=(EmbeddedSettings(name="embedded"),), default="embedded", store=folder / "store.db")
    return Client(build_server(settings, clock=FixedClock(moment=time_at(60))))


LEADS_NOWHERE = [
    ("jobtrail://embedded/nothing", "is no resource of this server; there are jobtrail://{source}/jobs"),
    ("jobtrail:///jobs", "is no resource of this server"),
    ("jobtrail://embedded/runs", "is no resource of this server"),
    ("jobtrail://embedded/jobs/a/b", "is no resource of this server"),
    ("jobtrail://embedded/jobs#x", "is no resource of this server"),
    ("jobtrail://embeded/jobs", "closest: embedded"),
    ("jobtrail://embedded/jobs/nightly-elt", "nightly-etl"),
    ("jobtrail://embedded/jobs/nightly-etl?fromat=json", "takes no 'fromat'; it takes format"),
    ("jobtrail://embedded/jobs?format=xml", "format='xml' is not one of text, json"),
    ("jobtrail://embedded/jobs?cursor=1Abc", "cursor"),
    (
        "jobtrail://embedded/executions/exec-nope",
        "source 'embedded' has no execution 'exec-nope' in any of its",
    ),
    ("jobtrail://embedded/executions/exec-nope?job=nightly-etl", "does not exist in job 'nightly-etl'"),
    ("jobtrail://embedded/runs/nope", "nope"),
    (f"jobtrail://embedded/jobs/{'x' * 5000}", "is no resource of this server"),
    ("jobtrail://[::1/jobs", "is no resource of this server"),
    ("jobtrail://\u2100/jobs", "is no resource of this server"),
    ("jobtrail://embedded/executions/..", "execution='..' cannot be a name"),
    ("jobtrail://embedded/executions/%2e", "execution='.' cannot be a name"),
    (f"jobtrail://embedded/executions/{'x' * 300}", "cannot be a name"),
]


async def test_an_address_that_leads_nowhere_says_why() -> None:
    async with sample_client() as client:
        for uri, said in LEADS_NOWHERE:
            with pytest.raises(MCPError) as error:
                await client.read_resource(uri)
            assert error.value.code == -32602
            assert said in error.value.message


def test_every_address_is_read_as_it_is_written() -> None:
    for one in (
        Address("a.b-c", "jobs"),
        Address("s", "jobs", cursor="1x~y.z_&=?", json=True),
        Address("s", "job", "a/b c?d#é%"),
        Address("s", "execution", "e 1", job="j&k", json=True),
        Address("s", "run", "01M"),
    ):
        assert Address.parse(str(one)) == one


JOBS = [f"job-{number}" for number in range(60)]


def workspace(owner: str | None, broken: str | None = None) -> Upstream:
    """An upstream of 60 jobs, one of which has the execution `exec-x`, and one of which fails."""

    def answer_(request: httpx2.Request) -> httpx2.Response | None:
        path = request.url.path
        if path == "/v0/jobs":
            return httpx2.Response(200, json=page([{"metadata": {"name": name}, "spec": {}} for name in JOBS]))
        if path == f"/v0/jobs/{owner}/executions/exec-x":
            return httpx2.Response(200, json=execution_of(0, metadata={"id": "exec-x", "job": owner}))
        if path == f"/v0/jobs/{owner}/executions/exec-x/tasks":
            return httpx2.Response(200, json=page([task_of(0), task_of(1)]))
        if path == f"/v0/jobs/{broken}/executions/exec-x":
            return httpx2.Response(500, json={"error": "broken"})
        return None

    upstream = Upstream()
    upstream.sick = answer_
    return upstream


async def test_an_execution_without_its_job_is_looked_for_in_every_job_once(tmp_path: Path) -> None:
    upstream = workspace("job-50", broken="job-3")
    async with client_of(tmp_path, upstream) as client:
        await client.read_resource("jobtrail://blaxel/executions/exec-x?format=json")
        first = len(upstream.requests)
        _, text = await read(client, "jobtrail://blaxel/executions/exec-x")
    assert "execution exec-x" in text
    assert first > 51
    assert len(upstream.requests) - first <= 2


async def test_an_execution_that_a_failing_job_may_have_is_not_said_to_be_missing(tmp_path: Path) -> None:
    async with client_of(tmp_path, workspace(None, broken="job-3")) as client:
        with pytest.raises(MCPError) as error:
            await client.read_resource("jobtrail://blaxel/executions/exec-x")
    assert error.value.code == -32603
    assert "source 'blaxel' has jobs that could not be asked for execution 'exec-x'" in error.value.message


async def test_an_execution_that_no_job_has_is_said_to_be_missing(tmp_path: Path) -> None:
    async with client_of(tmp_path, workspace(None)) as client:
        with pytest.raises(MCPError, match="source 'blaxel' has no execution 'exec-x' in any of its 60 batch jobs"):
            await client.read_resource("jobtrail://blaxel/executions/exec-x")


async def test_a_source_of_scheduled_tasks_has_no_executions(tmp_path: Path) -> None:
    async with client_of(tmp_path, Upstream()) as client:
        with pytest.raises(MCPError, match="runwisp"):
            await client.read_resource("jobtrail://runwisp/executions/exec-x")
