"""What is loaded when: help loads next to nothing, a server no more than it needs to introduce itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS = 60
HEAVY = {"mcp", "httpx2", "pydantic", "yaml", "sqlite3", "anyio", "starlette", "uvicorn", "stamina", "re2"}
TELL = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))
"""
MESSAGES: list[dict[str, Any]] = [
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
    {"jsonrpc": "2.0", "id": 3, "method": "prompts/list"},
]


def loaded(code: str) -> set[str]:
    """Return the modules that a piece of code leaves loaded."""
    ended = subprocess.run(
        [sys.executable, "-c", TELL + code],
        env={"PATH": os.environ["PATH"], "HOME": os.devnull},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    return set(json.loads(ended.stderr))


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize(
    "code",
    [
        "import jobtrail.cli",
        "import jobtrail.__main__",
        "from jobtrail.cli import main; main(['--help'])",
        "from jobtrail.cli import main; main(['serve', '--help'])",
        "from jobtrail.cli import main; main(['--version'])",
    ],
)
def test_the_command_line_loads_nothing_heavy_before_it_serves(code: str) -> None:
    assert loaded(code) & HEAVY == set()


def test_reading_the_settings_does_not_load_the_sdk() -> None:
    modules = loaded("from jobtrail.sources.registry import load_settings; load_settings()")
    assert modules & {"mcp", "httpx2", "yaml", "sqlite3", "anyio"} == set()


SERVE = "from jobtrail.cli import main; sys.exit(main(['serve']))"
BARE = """
from mcp.server import MCPServer
server = MCPServer("bare")
server.add_tool(lambda text: text, name="echo")
server.run()
"""


def serve(code: str, messages: Sequence[dict[str, Any]]) -> tuple[dict[int, Any], set[str]]:
    """Return what a server over stdio answers to messages, by id, and the modules that it has loaded then."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", TELL + code],
        env={"PATH": os.environ["PATH"], "HOME": os.devnull},
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        for message in messages:
            print(json.dumps(message), file=process.stdin, flush=True)
        asked = sum("id" in message for message in messages)
        answers = {one["id"]: one["result"] for one in map(json.loads, islice(process.stdout, asked))}
        _, told = process.communicate(timeout=SECONDS)
    return answers, set(json.loads(told))


def test_before_initialize_a_server_loads_nothing_heavy_that_a_bare_server_of_the_sdk_does_not() -> None:
    (_, ours), (_, bare) = serve(SERVE, MESSAGES[:1]), serve(BARE, MESSAGES[:1])
    added = {name for name in ours - bare if not name.startswith("jobtrail")}
    assert packages(added) <= {"argparse", "difflib", "gc", "pkgutil", "platformdirs", "mcp", "anyio", "pydantic"}
    assert {name for name in added if name.startswith("mcp.")} == {"mcp.server.apps"}
    # What tools are made of and what they read is loaded when tools are listed or called.
    floors = {".".join(name.split(".")[:2]) for name in ours if name.startswith("jobtrail.")}
    assert floors & {f"jobtrail.{name}" for name in ("tools", "paging", "rendering", "analysis", "logs")} == set()
    assert ours & {f"jobtrail.protocol.{name}" for name in ("tools", "prompts", "completion")} == set()


def test_a_server_that_was_only_introduced_has_loaded_no_upstream() -> None:
    answers, modules = serve(SERVE, MESSAGES)
    assert answers[2]["tools"]
    assert answers[3]["prompts"]
    ours = {name for name in modules if name.startswith("jobtrail.")}
    upstreams = {"blaxel.source", "runwisp.source", "embedded.source", "factory", "auth"}
    assert ours & {f"jobtrail.sources.{name}" for name in upstreams} == set()
    assert not {name for name in ours if name.startswith(("jobtrail.plane", "jobtrail.store", "jobtrail.sample"))}
    # The SDK loads an HTTP client and server in any case; of what is heavy, ours adds the prompts' YAML.
    added = packages(modules) - packages(loaded("import mcp.server"))
    assert added & (HEAVY | {"tenacity", "tomllib"}) <= {"yaml"}


def test_a_first_call_loads_its_source_the_store_and_little_else() -> None:
    ask = "from jobtrail.cli import main; main(['ask'{}])"
    added = loaded(ask.format(", 'list_jobs'")) - loaded(ask.format(""))
    foreign = packages(added) - sys.stdlib_module_names - {"jobtrail"}
    assert foreign == set()
    ours = {name.split(".")[1] for name in added if name.startswith("jobtrail.")}
    assert ours == {"logs", "plane", "sample", "sources", "store"}


def test_every_module_can_be_imported_though_many_are_loaded_only_when_they_are_needed() -> None:
    names = "[one.name for one in pkgutil.walk_packages(jobtrail.__path__, 'jobtrail.')]"
    code = f"import pkgutil, jobtrail; [__import__(name) for name in {names} if name != 'jobtrail.__main__']"
    found = loaded(code)
    assert len({name for name in found if name.startswith("jobtrail.")}) > 150
    assert "jobtrail.cli.completion_names" in found
