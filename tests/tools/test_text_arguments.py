"""Arguments that are text: whatever a text looks like, it is that text."""

from __future__ import annotations

from keyword import iskeyword
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client

from jobtrail.protocol.app import build_server
from jobtrail.protocol.tools import make_tools
from jobtrail.settings import Settings
from jobtrail.sources.embedded.registration import EmbeddedSettings
from jobtrail.store import Store
from jobtrail.store.rows import LineRow
from tests.plane.records import make_execution, make_job, make_task, nanoseconds_at, time_at
from tests.sample_client import FixedClock, answer, follow, rows_of, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from mcp.server.mcpserver.tools import Tool

pytestmark = pytest.mark.anyio

LIKE_JSON = [
    "null",
    "true",
    "12",
    "1e3",
    "NaN",
    '"x"',
    "[1]",
    "[]",
    '["a", "b"]',
    '{"level":"error"}',
    "{}",
    " null ",
]


def list_text_arguments(tool: Tool) -> list[str]:
    return [name for name, schema in tool.parameters["properties"].items() if schema["type"] == "string"]


@pytest.mark.parametrize("tool", make_tools(), ids=lambda tool: tool.name)
@pytest.mark.parametrize("text", LIKE_JSON)
async def test_a_tool_gets_each_text_as_it_was_sent(tool: Tool, text: str) -> None:
    given: dict[str, Any] = dict.fromkeys(list_text_arguments(tool), text)
    taken = tool.fn_metadata.validate_arguments(given)
    # Where a name is a keyword of Python, the function's parameter ends in `_`.
    assert {name: taken[f"{name}_" if iskeyword(name) else name] for name in given} == given


@pytest.fixture
async def client(tmp_path: Path) -> AsyncGenerator[Client]:
    """A client of a store with a job and a line of a log for each text."""
    path = tmp_path / "store.db"
    store = Store(path)
    names = [name.strip() for name in LIKE_JSON]
    lines = [LineRow(nanoseconds_at(number), "e1", "t1", "stdout", text) for number, text in enumerate(names)]
    store.write(
        [
            *(make_job(name) for name in dict.fromkeys(["etl", *names])),
            make_execution("e1", "etl", 0, "succeeded"),
            make_task("t1", "e1", 0, "running", "succeeded"),
            *lines,
        ]
    )
    store.close()
    settings = Settings(sources=(EmbeddedSettings(name="embedded"),), default="embedded", store=path)
    async with Client(build_server(settings, clock=FixedClock(moment=time_at(30)))) as client:
        yield client


@pytest.mark.parametrize("text", LIKE_JSON[:-1])
async def test_what_looks_like_json_is_looked_for(client: Client, text: str) -> None:
    pages = await follow(client, "list_jobs", query=text, limit=1)
    found = [row["name"] for page in pages for row in rows_of(page)]
    assert found == sorted(name for name in LIKE_JSON[:-1] if text.lower() in name.lower())
    _, log = await answer(client, "read_log", job="etl", execution="e1", query=text)
    assert {row["text"] for row in rows_of(log, "lines")} == {name for name in found if name in LIKE_JSON}
    _, detail = await answer(client, "get_job", job=text)
    assert detail["job"]["name"] == text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"job": "null"}, "job='null'"),
        ({"job": "[1]", "status": "failed"}, "job='[1]'"),
        ({"job": "etl", "status": "null"}, "'null'"),
        ({"job": "etl", "since": "null"}, "'null'"),
        ({"job": "etl", "limit": "null"}, "limit='null'"),
        ({"job": "etl", "source": "null"}, "'null'"),
        ({"cursor": "null"}, "cursor"),
    ],
)
async def test_what_is_no_name_and_no_word_is_refused_and_not_dropped(arguments: dict[str, Any], said: str) -> None:
    async with Client(
        build_server(Settings(sources=(EmbeddedSettings(name="embedded"),), default="embedded"))
    ) as one:
        result = await one.call_tool("list_executions", arguments)
    assert result.is_error
    assert said in text_of(result)


@pytest.mark.parametrize("nothing", ["", None], ids=["empty", "null"])
@pytest.mark.parametrize("tool", make_tools(), ids=lambda tool: tool.name)
async def test_an_argument_that_is_filled_in_with_nothing_is_absent(
    client: Client, tool: Tool, nothing: str | None
) -> None:
    needed = {
        name: "etl" for name in ("job", *tool.parameters.get("required", ())) if name in tool.parameters["properties"]
    }
    filled = dict.fromkeys(tool.parameters["properties"], nothing) | needed
    assert text_of(await client.call_tool(tool.name, filled)) == text_of(await client.call_tool(tool.name, needed))
    page = await client.call_tool("list_jobs", {"limit": 1})
    assert page.structured_content
    alone = {"cursor": page.structured_content["cursor"], "query": nothing, "limit": nothing, "source": nothing}
    assert not (await client.call_tool("list_jobs", alone)).is_error
