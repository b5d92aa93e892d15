"""A name or an id is looked for in every source, and what has history can be asked about though it is not defined any more."""

from __future__ import annotations

from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from mcp import Client

from jobtrail.plane import build_plane
from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.blaxel.registration import BlaxelSettings
from jobtrail.sources.runwisp.registration import RunWispSettings
from jobtrail.store import Store
from jobtrail.store.rows import LineRow
from tests.plane.records import make_execution, nanoseconds_at, time_at
from tests.sample_client import FixedClock, answer, text_of
from tests.tools.test_find_failures import defined, failed, run, two_sources

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from jobtrail.store.rows import AnyRow

pytestmark = pytest.mark.anyio

NOT_DEFINED = "it is not defined any more: what it ran before is kept"


async def refuse(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error, text_of(result)
    return text_of(result)


@pytest.mark.parametrize(
    ("tool", "arguments", "source"),
    [
        ("get_job", {"job": "backup"}, "cron"),
        ("history", {"job": "backup"}, "cron"),
        ("list_runs", {"job": "backup"}, "cron"),
        ("get_job", {"job": "etl"}, "prod"),
        ("history", {"job": "etl"}, "prod"),
        ("list_executions", {"job": "etl"}, "prod"),
        ("get_execution", {"job": "etl"}, "prod"),
        ("list_tasks", {"job": "etl"}, "prod"),
    ],
)
async def test_the_one_source_that_has_a_name_answers_and_says_so(
    tool: str, arguments: dict[str, Any], source: str
) -> None:
    async with two_sources(*failed("e1", 10, "Refused"), defined(), run(1, 95)) as (client, _):
        text, content = await answer(client, tool, **arguments)
    assert content["source"] == source
    assert f"source {source}" in text.splitlines()[0]


@pytest.mark.parametrize(
    ("tool", "argument"),
    [
        ("get_job", "job"), ("history", "job"), ("list_runs", "job"), ("list_executions", "job"),
        ("get_execution", "job"), ("list_tasks", "job"), ("read_log", "job"), ("find_failures", "job"),
    ],
)  # fmt: skip
async def test_a_name_that_no_source_has_is_one_sentence_that_names_those_asked(tool: str, argument: str) -> None:
    async with two_sources(defined()) as (client, _):
        said = await refuse(client, tool, **{argument: "backpu"})
    assert said == f"{argument}='backpu' does not exist in any of the sources prod, cron; closest: backup"


async def test_a_name_of_several_sources_is_one_sentence_that_names_them() -> None:
    async with two_sources(make_execution("e1", "etl", 10, "succeeded"), defined("etl"), run(1, 5, task="etl")) as (
        client,
        _,
    ):
        said = await refuse(client, "get_job", job="etl")
        _, runs = await answer(client, "list_runs", job="etl")
        _, executions = await answer(client, "list_executions", job="etl")
    assert said == "job='etl' is in the sources prod and cron; give source=… with it"
    assert (runs["source"], executions["source"]) == ("cron", "prod")


async def test_a_name_that_may_be_in_a_source_that_is_down_is_not_said_to_be_nowhere() -> None:
    async with two_sources(defined()) as (client, network):
        network.down = {"cron"}
        said = await refuse(client, "get_job", job="backup")
    assert said.startswith("job='backup' does not exist in prod, and cron could not be asked: cron cannot be reached")


RUN = "01K9Z3V5Q8R2M4N6P7S9T0W001"
STRAY = "01K9Z3V5Q8R2M4N6P7S9T0W999"


@dataclass
class Daemons(httpx2.AsyncBaseTransport):
    """Two daemons, each with a store of its own; one may be down."""

    planes: dict[str, httpx2.ASGITransport]
    down: set[str] = field(default_factory=set[str])

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        name = request.url.host.partition(".")[0]
        if name in self.down:
            raise httpx2.ConnectError("refused", request=request)
        return await self.planes[name].handle_async_request(request)


@asynccontextmanager
async def two_daemons(**records: list[AnyRow]) -> AsyncGenerator[tuple[Client, Daemons]]:
    """Serve two daemons, of which the first is the default, each with some records."""
    with ExitStack() as stack:
        stores = {name: stack.enter_context(closing(Store(None))) for name in records}
        for name, rows in records.items():
            stores[name].write([defined(), *rows])
        daemons = Daemons({name: httpx2.ASGITransport(build_plane(store)) for name, store in stores.items()})
        sources = tuple(RunWispSettings(name=name, url=f"http://{name}.invalid") for name in records)
        settings = Settings(sources=sources, default=sources[0].name)
        async with Client(build_server(settings, transport=daemons, clock=FixedClock(moment=time_at(600)))) as client:
            yield client, daemons


def line(number: int) -> LineRow:
    return LineRow(nanoseconds_at(95), RUN, "", "stdout", f"line {number}")


BY_RUN = pytest.mark.parametrize("tool", ["get_run", "read_log", "wait_for"])


@BY_RUN
async def test_a_run_is_looked_for_in_every_source_and_the_one_that_has_it_says_so(tool: str) -> None:
    async with two_daemons(here=[], there=[run(1, 95), line(1)]) as (client, _):
        text, content = await answer(client, tool, run=RUN)
    assert content["source"] == "there"
    assert "source there" in text.splitlines()[0]


@BY_RUN
async def test_a_run_that_no_source_has_is_one_sentence_that_names_those_asked(tool: str) -> None:
    async with two_daemons(here=[], there=[run(1, 95)]) as (client, _):
        said = await refuse(client, tool, run=STRAY)
        malformed = await refuse(client, tool, run="backup")
    assert said == (
        f"run='{STRAY}' does not exist in any of the sources here, there; call list_runs(source=…) for what exists"
    )
    assert malformed.startswith("run='backup' is not a run id")


@BY_RUN
async def test_a_run_of_several_sources_is_one_sentence_that_names_them(tool: str) -> None:
    async with two_daemons(here=[run(1, 95)], there=[run(1, 95)]) as (client, _):
        said = await refuse(client, tool, run=RUN)
        _, content = await answer(client, tool, run=RUN, source="there")
    assert said == f"run='{RUN}' is in the sources here and there; give source=… with it"
    assert content["source"] == "there"


@BY_RUN
async def test_what_is_found_while_another_source_is_down_says_that_it_could_not_be_asked(tool: str) -> None:
    async with two_daemons(here=[], there=[run(1, 95), line(1)]) as (client, daemons):
        daemons.down = {"there"}
        said = await refuse(client, tool, run=RUN)
        daemons.down = {"here"}
        text, _ = await answer(client, tool, run=RUN)
    assert "note: source here could not be asked whether it has it too: cannot be reached: no connection" in text
    assert said.startswith(
        f"run='{RUN}' does not exist in here, and there could not be asked: there cannot be reached"
    )


async def test_runs_of_two_sources_cannot_be_waited_for_in_one_call() -> None:
    async with two_daemons(here=[run(2, 95)], there=[run(1, 95)]) as (client, _):
        said = await refuse(client, "wait_for", run=f"{RUN},{run(2, 95).id}")
        text, _ = await answer(client, "wait_for", run=f"{RUN},{STRAY}", timeout=0)
    assert said.endswith("is in the sources here and there; make a call for each, with source=…")
    assert f"run='{STRAY}' does not exist" in text


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("get_job", {"job": "extra"}), ("history", {"job": "extra"}), ("list_runs", {"task": "extra"})],
)
async def test_a_job_found_while_another_source_is_down_says_that_it_could_not_be_asked(
    tool: str, arguments: dict[str, Any]
) -> None:
    async with two_daemons(here=[], there=[defined("extra"), run(1, 95, task="extra")]) as (client, daemons):
        daemons.down = {"here"}
        text, content = await answer(client, tool, **arguments)
    assert content["source"] == "there"
    assert "note: source here could not be asked whether it has it too: cannot be reached" in text


async def test_a_task_that_is_not_defined_any_more_is_asked_about_as_long_as_it_has_runs() -> None:
    async with two_sources(run(1, 95)) as (client, _):
        for tool, arguments in (
            ("get_job", {"job": "backup"}),
            ("history", {"job": "backup", "since": "30d"}),
            ("find_failures", {"job": "backup"}),
            ("list_runs", {"job": "backup", "until": "2026-10-01"}),
        ):
            for source in ({}, {"source": "cron"}):
                text, _ = await answer(client, tool, **arguments, **source)
                assert f"note: {NOT_DEFINED}" in text, tool


@pytest.mark.parametrize("tool", ["get_execution", "list_tasks", "read_log", "wait_for"])
async def test_an_execution_is_found_without_its_job(tool: str) -> None:
    async with two_sources(*failed("e1", 10, "Refused"), *failed("q1", 20, "Lost", of="quiet"), defined()) as (
        client,
        _,
    ):
        text, content = await answer(client, tool, execution="q1")
        nowhere = await refuse(client, tool, execution="q9")
    assert content["source"] == "prod"
    assert content.get("job") or content["execution"]["job"] == "quiet"
    assert "quiet" in text
    assert "execution 'q9'" in nowhere or "execution='q9'" in nowhere


async def test_an_execution_of_no_source_is_refused_with_a_call_that_can_be_made() -> None:
    records = [*failed("e1", 10, "Refused")]
    with closing(Store(None)) as store:
        store.write(records)
        sources = tuple(BlaxelSettings(name=name, url="http://prod.invalid/v0") for name in ("here", "there"))
        settings = Settings(sources=sources, default="here")
        app = build_server(settings, transport=httpx2.ASGITransport(build_plane(store)))
        async with Client(app) as client:
            said = await refuse(client, "get_execution", execution="q9")
    assert said.endswith("; call list_executions(job=…, source=…) for what exists")


@pytest.mark.parametrize(
    ("job", "of"), [("backup", {"run": "01K9Z3V5Q8R2M4N6P7S9T0W002"}), ("etl", {"job": "etl", "execution": "e2"})]
)
async def test_a_job_alone_stands_for_the_newest_that_it_ran(job: str, of: dict[str, str]) -> None:
    records = [*failed("e1", 10, "Refused"), *failed("e2", 30, "Lost"), defined(), run(1, 95), run(2, 99)]
    async with two_sources(*records) as (client, _):
        _, log = await answer(client, "read_log", job=job)
        _, waited = await answer(client, "wait_for", job=job)
        said = await refuse(client, "wait_for", job="quiet")
    assert {name: log[name] for name in ("run", "job", "execution") if name in log} == of
    assert [one["id"] for one in waited["items"]] == [of.get("run") or of["execution"]]
    assert waited["all_ended"]
    assert said == "job 'quiet' has no execution yet; get_job(job='quiet') shows its schedule"


async def test_executions_of_several_jobs_are_waited_for_together_and_each_is_explained_by_its_own_call() -> None:
    records = [*failed("e1", 10, "Refused"), *failed("q1", 20, "Lost", of="quiet")]
    async with two_sources(*records) as (client, _):
        _, waited = await answer(client, "wait_for", execution="e1,q1,x9")
    assert [one.get("status") for one in waited["items"]] == ["failed", "failed", None]
    assert "error" in waited["items"][2]
    assert waited["next_calls"] == [
        "get_execution(job='etl', execution='e1', source='prod')",
        "get_execution(job='quiet', execution='q1', source='prod')",
    ]


async def test_the_job_in_whose_list_an_execution_was_is_asked_first() -> None:
    async with two_sources(*failed("q1", 20, "Lost", of="quiet")) as (client, network):
        await answer(client, "list_executions", job="quiet")
        network.asked.clear()
        await answer(client, "get_execution", execution="q1")
    asked = {path.rpartition("/jobs/")[2] for path in network.asked if "executions/q1" in path}
    assert asked == {"quiet/executions/q1"}
