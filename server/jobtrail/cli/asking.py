"""`jobtrail ask`: one tool called as an agent calls it, for people and scripts."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from jobtrail.cli import options

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from mcp.types import CallToolResult, Tool

    from jobtrail.settings import Settings

__all__ = ["add_ask"]

_EPILOG = """\
  jobtrail ask list_jobs
  jobtrail ask list_executions job=nightly status=failed since=7d
  jobtrail ask get_execution job=nightly
"""


def add_ask(commands: options.Commands) -> None:
    """Add `jobtrail ask`."""
    import argparse  # noqa: PLC0415 # for its formatter alone

    parser = commands.add_parser(
        "ask",
        help="call one tool, as an agent does, and print its answer",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tool", metavar="TOOL", help="one of the server's tools, such as list_jobs")
    parser.add_argument("given", nargs="*", type=options.pair, metavar="name=value", help="its arguments")
    parser.add_argument("--json", action="store_true", help="print the structured answer as JSON")
    parser.set_defaults(run=_ask)


def _ask(arguments: argparse.Namespace) -> int:
    from jobtrail.cli.serving import load_settings  # noqa: PLC0415 # `--help` loads nothing

    settings = load_settings()
    import anyio  # noqa: PLC0415 # likewise

    from jobtrail.errors import SettingsError, closest, shown  # noqa: PLC0415 # likewise

    result, tools = anyio.run(_call, settings, arguments.tool, dict(arguments.given))
    if result is None:
        near = closest(arguments.tool, tools)
        hint = f"; closest: {', '.join(near)}" if near else ""
        raise SettingsError(f"there is no tool {shown(arguments.tool)}{hint}; there are {', '.join(tools)}")
    return _print(result, as_json=arguments.json)


async def _call(settings: Settings, name: str, given: Mapping[str, str]) -> tuple[CallToolResult | None, list[str]]:
    """Return the tool's answer, None where there is no such tool, and the names of those there are."""
    from mcp import Client  # noqa: PLC0415 # see _ask

    from jobtrail.app import build_server  # noqa: PLC0415 # see _ask

    async with Client(build_server(settings)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        found = await client.call_tool(name, _typed(given, tools[name])) if name in tools else None
        return found, [*tools]


def _typed(given: Mapping[str, str], tool: Tool) -> dict[str, Any]:
    """Return the arguments in the types the tool takes; what it does not take goes as it is, to be refused."""
    known: dict[str, Any] = tool.input_schema.get("properties", {})
    return {key: _value(text, json.dumps(known.get(key, {}))) for key, text in given.items()}


def _value(text: str, schema: str) -> str | int | bool:
    if '"integer"' in schema and text.removeprefix("-").isdecimal():
        return int(text)
    if '"boolean"' in schema and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    return text


def _print(result: CallToolResult, *, as_json: bool) -> int:
    """Print an answer, or an error on standard error; return the exit code."""
    from mcp.types import TextContent  # noqa: PLC0415 # see _ask

    text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
    if result.is_error:
        print(f"jobtrail: {text}", file=sys.stderr)
        return 1
    print(json.dumps(result.structured_content) if as_json else text, flush=True)
    return 0
