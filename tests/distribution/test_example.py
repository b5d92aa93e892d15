"""`examples/mcp.json`, the project file of Claude Code: what it says is what starts the server."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from jobtrail.plane import InProcessPlane
from jobtrail.sources.registry import ENVIRONMENT
from tests.distribution.listing import ROOT, read
from tests.plane.serving import serve_app
from tests.sample_client import answer

pytestmark = pytest.mark.anyio


def expanded(text: str, environ: dict[str, str]) -> str:
    """Fill in `${NAME}` and `${NAME:-default}`, as Claude Code documents it."""

    def value(match: re.Match[str]) -> str:
        name, has_default, default = match.groups()
        assert has_default or name in environ, f"Claude Code refuses a file with {match[0]} where it is not set"
        return environ.get(name, default)

    return re.sub(r"\$\{([A-Z_]+)(:-)?([^}]*)\}", value, text)


def started(home: Path, environ: dict[str, str]) -> StdioServerParameters:
    """Return the command of the file, with an environment filled in."""
    server: dict[str, Any] = read(ROOT / "examples" / "mcp.json")["mcpServers"]["jobtrail"]
    assert server["type"] == "stdio"
    assert set(server["env"]) <= set(ENVIRONMENT)
    variables = {name: expanded(value, environ) for name, value in server["env"].items()}
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return StdioServerParameters(
        command=server["command"], args=server["args"], env={"PATH": path, "HOME": str(home), **variables}
    )


async def test_with_no_variable_set_it_starts_on_the_sample(tmp_path: Path) -> None:
    with anyio.fail_after(30):
        async with Client(stdio_client(started(tmp_path, {}))) as client:
            text, _ = await answer(client, "list_jobs", limit=1)
    assert "SAMPLE DATA" in text


async def test_the_variables_of_the_user_s_shell_reach_it(tmp_path: Path) -> None:
    with serve_app(InProcessPlane(None)) as url, anyio.fail_after(30):
        async with Client(stdio_client(started(tmp_path, {"RUNWISP_URL": url}))) as client:
            text, _ = await answer(client, "list_jobs", limit=1)
    assert "source runwisp" in text


def test_no_client_finds_the_file_by_itself() -> None:
    # Claude Code reads `.mcp.json` at the root of a project; whoever opens this one is not to start anything by it.
    assert not [*ROOT.glob(".mcp.json")]
