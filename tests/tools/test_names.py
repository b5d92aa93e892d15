"""A name is looked for in every source, and what has history can be asked about though it is not defined any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plane.records import make_execution
from tests.sample_client import answer, text_of
from tests.tools.test_find_failures import defined, failed, run, two_sources

if TYPE_CHECKING:
    from mcp import Client

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
        ("list_runs", {"task": "backup"}, "cron"),
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
        ("get_job", "job"), ("history", "job"), ("list_runs", "task"), ("list_executions", "job"),
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
        _, runs = await answer(client, "list_runs", task="etl")
        _, executions = await answer(client, "list_executions", job="etl")
    assert said == "job='etl' is in the sources prod and cron; give source=… with it"
    assert (runs["source"], executions["source"]) == ("cron", "prod")


async def test_a_name_that_may_be_in_a_source_that_is_down_is_not_said_to_be_nowhere() -> None:
    async with two_sources(defined()) as (client, network):
        network.down = {"cron"}
        said = await refuse(client, "get_job", job="backup")
    assert said.startswith("job='backup' does not exist in prod, and cron could not be asked: cron cannot be reached")


async def test_a_task_that_is_not_defined_any_more_is_asked_about_as_long_as_it_has_runs() -> None:
    async with two_sources(run(1, 95)) as (client, _):
        for tool, arguments in (
            ("get_job", {"job": "backup"}),
            ("history", {"job": "backup", "since": "30d"}),
            ("find_failures", {"job": "backup"}),
            ("list_runs", {"task": "backup", "until": "2026-10-01"}),
        ):
            for source in ({}, {"source": "cron"}):
                text, _ = await answer(client, tool, **arguments, **source)
                assert f"note: {NOT_DEFINED}" in text, tool
