"""FastMCP's client, over every transport and in both protocol eras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport
from fastmcp.exceptions import ToolError

from tests.peers.acceptance import COMMAND, Surface, environ_of, served, surface

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fastmcp")


@pytest.fixture(scope="module")
def urls(home: Path) -> Generator[dict[str, str]]:
    with served("http", home) as http, served("sse", home) as sse:
        yield {"http": http, "sse": sse}


@pytest.fixture(params=["stdio legacy", "stdio auto", "http legacy", "http auto", "sse legacy"])
def client(request: pytest.FixtureRequest, home: Path, urls: dict[str, str]) -> Client[Any]:
    kind, mode = request.param.split()
    transports = {
        "stdio": lambda: StdioTransport(COMMAND[0], COMMAND[1:], env=environ_of(home), keep_alive=False),
        "http": lambda: StreamableHttpTransport(urls["http"]),
        "sse": lambda: SSETransport(urls["sse"]),
    }
    return Client(transports[kind](), mode=mode)


@pytest.fixture(scope="module")
def offered() -> Surface:
    return surface()


async def test_it_lists_and_fills_and_reads_what_the_server_offers(client: Client[Any], offered: Surface) -> None:
    async with client:
        assert [tool.name for tool in await client.list_tools()] == offered.tools
        assert [prompt.name for prompt in await client.list_prompts()] == [*offered.prompts]
        assert [str(one.uri) for one in await client.list_resources()] == offered.resources
        assert [one.uri_template for one in await client.list_resource_templates()] == offered.templates
        for name, given in offered.prompts.items():
            filled = await client.get_prompt(name, given)
            assert filled.messages[0].content.model_dump()["text"] == offered.filled[name]
        for uri in offered.addresses:
            (content,) = await client.read_resource(uri)
            assert content.model_dump()["text"].strip()


async def test_it_calls_a_tool_and_goes_on_with_the_cursor_alone(client: Client[Any]) -> None:
    names: list[str] = []
    arguments: dict[str, Any] = {"limit": 7}
    async with client:
        while arguments:
            # Structured content is checked against the tool's schema by the client itself.
            page = (await client.call_tool("list_jobs", arguments)).structured_content or {}
            items: list[dict[str, Any]] = page["items"]
            names += [item["name"] for item in items]
            arguments = {"cursor": page["cursor"]} if "cursor" in page else {}
    assert len(names) == len(set(names)) > 14


async def test_what_a_tool_says_of_a_failed_call_reaches_the_caller(client: Client[Any]) -> None:
    async with client:
        with pytest.raises(ToolError, match="nightly-etl"):
            await client.call_tool("get_job", {"job": "nigthly-etl"})
