"""The surface: what every client loads before its first call."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from jobtrail.models import FrozenModel, Rows
from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.registry import UPSTREAMS
from jobtrail.tools import TOOLS, ToolSpec
from tests.sample_client import SAMPLE, count_tokens, sample_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp.types import Tool

pytestmark = pytest.mark.anyio

MOST_TOKENS = 3_400
MOST_TOOLS = 14
MOST_BYTES = 2_048


@pytest.fixture
async def tools() -> list[Tool]:
    async with sample_client() as client:
        return (await client.list_tools()).tools


async def test_the_tools_are_listed_in_a_fixed_order(tools: list[Tool]) -> None:
    assert [tool.name for tool in tools] == [spec.fn.__name__ for spec in TOOLS]
    assert [tool.name for tool in tools] == [
        "list_jobs", "get_job", "list_executions", "get_execution", "list_tasks", "list_runs", "get_run",
        "find_failures", "list_active", "find_missed", "history", "compare", "read_log", "wait_for",
    ]  # fmt: skip
    assert len(tools) <= MOST_TOOLS


async def test_names_descriptions_and_input_schemas_stay_within_budget(tools: list[Tool]) -> None:
    text = "".join(f"{tool.name}{tool.description}{json.dumps(tool.input_schema)}" for tool in tools)
    assert count_tokens(text) <= MOST_TOKENS


async def test_every_tool_says_that_it_only_reads(tools: list[Tool]) -> None:
    for tool in tools:
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint
        assert tool.annotations.idempotent_hint
        assert tool.annotations.open_world_hint
        assert tool.annotations.destructive_hint is False


async def test_every_description_is_short_and_has_an_example_that_fits_the_schema(tools: list[Tool]) -> None:
    for tool in tools:
        description = tool.description or ""
        assert len(description.encode()) < MOST_BYTES
        examples = re.findall(r"\{.*?\}", description.partition("Examples:")[2])
        assert examples, tool.name
        for example in examples:
            assert set(json.loads(example)) <= set(tool.input_schema["properties"])


async def test_shared_parameters_are_described_identically(tools: list[Tool]) -> None:
    found: dict[str, set[str]] = {}
    for tool in tools:
        for name, schema in tool.input_schema["properties"].items():
            if name != "status" or tool.name != "list_jobs":
                found.setdefault(name, set()).add(json.dumps(schema, sort_keys=True))
    assert {name: len(schemas) for name, schemas in found.items()} == dict.fromkeys(found, 1)


async def test_what_is_always_needed_is_required_and_nothing_that_a_cursor_or_another_argument_stands_for(
    tools: list[Tool],
) -> None:
    needed = {tool.name: tool.input_schema["required"] for tool in tools if "required" in tool.input_schema}
    assert needed == {"get_job": ["job"], "get_run": ["run"]}


async def test_a_name_means_one_thing_in_all_tools(tools: list[Tool]) -> None:
    of_tasks = {tool.name for tool in tools if "task" in tool.input_schema["properties"]}
    assert all("execution" in tool.input_schema["properties"] for tool in tools if tool.name in of_tasks)
    assert not any("search" in tool.input_schema["properties"] for tool in tools)


async def test_no_schema_has_alternatives_at_its_root(tools: list[Tool]) -> None:
    for tool in tools:
        for schema in (tool.input_schema, tool.output_schema or {}):
            assert schema["type"] == "object"
            assert not {"anyOf", "oneOf", "allOf", "$ref"} & schema.keys()


async def test_every_list_tool_takes_limit_cursor_and_source(tools: list[Tool]) -> None:
    for tool in tools:
        if tool.name.startswith("list_"):
            assert {"limit", "cursor", "source"} <= tool.input_schema["properties"].keys()


def sources(*kinds: Any) -> Settings:
    named = [UPSTREAMS[kind].settings(name=f"{kind}-{number}" + "x" * 25) for number, kind in enumerate(kinds)]
    return Settings(sources=tuple(named), default=named[0].name)


@pytest.mark.parametrize(
    ("settings", "tools"),
    [
        (SAMPLE, {"list_executions", "list_runs"}),
        (sources("blaxel"), {"list_executions"}),
        (sources("runwisp"), {"list_runs"}),
        (sources(*["blaxel", "runwisp"] * 20), {"list_executions", "list_runs"}),
    ],
)
def test_the_instructions_teach_paging_in_under_1500_characters_for_what_is_configured(
    settings: Settings, tools: set[str]
) -> None:
    text = build_server(settings).instructions or ""
    assert "`more:`" in text
    assert "a cursor is given alone" in text
    assert '"nothing failed" only when an answer is complete' in text
    assert {name for name in ("list_executions", "list_runs") if name in text} == tools
    assert settings.default in text
    assert len(text) < 1_500


FIRST_TOOLS = {
    "what broke": "find_failures",
    "what runs or waits now": "list_active",
    "what should have run and did not": "find_missed",
    "which job is worst, slowest or got worse": "history",
    "what differs from the last good one": "compare",
    "why did it fail": "get_execution or get_run",
    "is it done": "wait_for",
    "what was printed": "read_log",
    "what exists": "list_jobs",
}


def test_the_instructions_name_the_first_tool_for_each_question_and_the_addresses_of_rows() -> None:
    text = build_server(SAMPLE).instructions or ""
    for question, tool in FIRST_TOOLS.items():
        assert f"{question}: {tool}" in text
        assert {*tool.split(" or ")} <= {spec.fn.__name__ for spec in TOOLS}
    assert "jobtrail://SOURCE/jobs/NAME, /executions/ID, /runs/ID" in text


async def test_every_tool_has_a_title_and_none_a_picture_that_all_clients_would_pay_for(tools: list[Tool]) -> None:
    for tool in tools:
        assert tool.title
        assert tool.icons is None


async def test_every_resource_has_a_picture_that_needs_no_network() -> None:
    async with sample_client() as client:
        listed = [*(await client.list_resource_templates()).resource_templates]
        listed += (await client.list_resources()).resources
    for one in listed:
        (icon,) = one.icons or []
        assert icon.src.startswith("data:image/svg+xml;base64,")
        assert base64.b64decode(icon.src.partition(",")[2]).startswith(b"<svg ")


def schemas_in(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a schema and all that it is made of."""
    yield schema
    for part in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
        yield from schemas_in(part)


async def test_schemas_of_answers_have_names_and_types_and_nothing_else(tools: list[Tool]) -> None:
    for tool in tools:
        for schema in schemas_in(tool.output_schema or {}):
            assert schema.keys() <= {"type", "properties", "items", "additionalProperties", "$ref"}
            assert schema.get("type") or schema.get("$ref")


@pytest.mark.parametrize("spec", TOOLS, ids=lambda spec: spec.fn.__name__)
async def test_a_schema_names_every_field_of_its_answer_and_what_rows_may_have_in_common(
    spec: ToolSpec, tools: list[Tool]
) -> None:
    schema = next(tool.output_schema or {} for tool in tools if tool.name == spec.fn.__name__)
    assert issubclass(spec.answer, FrozenModel)
    rows = spec.answer.rows if issubclass(spec.answer, Rows) else ""
    answers = [one for one in (spec.answer, spec.other) if one]
    sent = {name for one in answers for name, field in one.model_fields.items() if not field.exclude}
    assert schema["properties"].keys() == {*sent, *(["common"] if rows else [])}
    if spec.other:
        # The rows of either answer.
        assert schema["properties"]["common"] == {"type": "object"}
    elif rows:
        assert schema["properties"]["common"] == {"$ref": f"#/properties/{rows}/items"}


async def test_lists_say_how_long_they_hold_and_answers_do_not() -> None:
    async with sample_client() as client:
        for listed, scope in (
            (await client.list_tools(), "public"),
            (await client.list_prompts(), "public"),
            (await client.list_resource_templates(), "public"),
            (await client.list_resources(), "private"),
        ):
            assert (listed.ttl_ms, listed.cache_scope) == (600_000, scope)
        assert (await client.read_resource("jobtrail://embedded/jobs")).ttl_ms == 0
