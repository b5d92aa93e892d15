"""The MCP Inspector's command line as a client, over every transport and in both protocol eras."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.peers.acceptance import COMMAND, SECONDS, Surface, served, surface

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.peers.npm import Npm

TOOL_FAILED = 5


@dataclass(frozen=True)
class Inspector:
    """The Inspector, pointed at a server."""

    npm: Npm
    home: Path
    target: tuple[str, ...]

    def ask(self, *method: str, code: int = 0) -> dict[str, Any]:
        """Return the result of a method with its options."""
        asked = (*self.target, "--format", "json", "--method", *method)
        done = self.npm.run("mcp-inspector", "--cli", *asked, cwd=self.home, seconds=SECONDS)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)["result"]

    def ask_all(self, *asked: tuple[str, ...]) -> list[dict[str, Any]]:
        """Return the results of several methods, asked two at a time: each starts a Node of its own."""

        def result(one: tuple[str, ...]) -> dict[str, Any]:
            return self.ask(*one)

        with ThreadPoolExecutor(2) as pool:
            return [*pool.map(result, asked)]

    def call(self, tool: str, *, code: int = 0, **arguments: Any) -> dict[str, Any]:
        """Return the answer of a tool."""
        given = ("--tool-name", tool, "--tool-args-json", json.dumps(arguments))
        return self.ask("tools/call", *given, code=code)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inspector")


@pytest.fixture(scope="module")
def targets(home: Path) -> Generator[dict[str, tuple[str, ...]]]:
    """How the Inspector is told of a server of each transport."""
    with served("http", home) as http, served("sse", home) as sse:
        yield {"stdio": tuple(COMMAND), "http": (http,), "sse": (sse,)}


@pytest.fixture(params=["stdio legacy", "stdio modern", "http legacy", "http modern", "sse legacy"])
def inspector(request: pytest.FixtureRequest, npm: Npm, home: Path, targets: dict[str, tuple[str, ...]]) -> Inspector:
    transport, era = request.param.split()
    return Inspector(npm, home, (*targets[transport], "--protocol-era", era))


@pytest.fixture(scope="module")
def offered() -> Surface:
    return surface()


def test_it_lists_what_the_server_offers(inspector: Inspector, offered: Surface) -> None:
    # Strict: a schema that some client could not take would be an error.
    methods = (("tools/list", "--strict"), ("prompts/list",), ("resources/list",), ("resources/templates/list",))
    tools, prompts, resources, templates = inspector.ask_all(*methods)
    assert [one["name"] for one in tools["tools"]] == offered.tools
    assert [one["name"] for one in prompts["prompts"]] == [*offered.prompts]
    assert [one["uri"] for one in resources["resources"]] == offered.resources
    assert [one["uriTemplate"] for one in templates["resourceTemplates"]] == offered.templates


def test_it_calls_a_tool_and_goes_on_with_the_cursor_alone(inspector: Inspector) -> None:
    first = inspector.call("list_jobs", limit=3)["structuredContent"]
    second = inspector.call("list_jobs", cursor=first["cursor"])["structuredContent"]
    names = [item["name"] for page in (first, second) for item in page["items"]]
    assert len(names) == len(set(names)) == 6


@pytest.mark.parametrize("inspector", ["stdio modern", "http legacy"], indirect=True)
def test_it_tells_a_failed_call_from_one_that_answered(inspector: Inspector) -> None:
    result = inspector.call("get_job", job="nigthly-etl", code=TOOL_FAILED)
    assert result["isError"]
    assert "nightly-etl" in result["content"][0]["text"]


@pytest.mark.parametrize("inspector", ["stdio legacy", "http modern"], indirect=True)
def test_it_fills_every_prompt(inspector: Inspector, offered: Surface) -> None:
    asked = [
        ("prompts/get", "--prompt-name", name, "--prompt-args", *(f"{one}={value}" for one, value in given.items()))
        for name, given in offered.prompts.items()
    ]
    filled: list[str] = [result["messages"][0]["content"]["text"] for result in inspector.ask_all(*asked)]
    assert filled == [*offered.filled.values()]


@pytest.mark.parametrize("inspector", ["http legacy", "http modern"], indirect=True)
def test_it_reads_every_resource_and_one_of_each_template(inspector: Inspector, offered: Surface) -> None:
    uris = [*dict.fromkeys((*offered.resources, *offered.addresses))]
    contents = [
        result["contents"] for result in inspector.ask_all(*(("resources/read", "--uri", uri) for uri in uris))
    ]
    assert [[one["uri"] for one in found] for found in contents] == [[uri] for uri in uris]
    assert all(one["text"].strip() for found in contents for one in found)
