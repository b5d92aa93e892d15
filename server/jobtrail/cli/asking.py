"""`jobtrail ask`: one tool called as an agent calls it, for people and scripts."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobtrail.cli import options
from jobtrail.cli.colours import console, for_people

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Mapping

    from mcp.server.mcpserver import MCPServer
    from mcp.types import CallToolResult, Tool

    from jobtrail.cli.colours import Colour
    from jobtrail.cli.walking import Pages
    from jobtrail.settings import Settings

_STOPPED = 130


def run(arguments: argparse.Namespace) -> int:
    """Call one tool and print its answer, or show which there are."""
    if arguments.help and not arguments.tool:
        arguments.parser.print_help()
        return 0
    from jobtrail.cli.settings import load_settings  # noqa: PLC0415 # `--help` loads nothing

    settings = load_settings()
    import anyio  # noqa: PLC0415 # likewise

    from jobtrail.app import build_server  # noqa: PLC0415 # likewise
    from jobtrail.cli.walking import Pages, watching  # noqa: PLC0415 # likewise

    server = build_server(settings)
    tools = {tool.name: tool for tool in anyio.run(server.list_tools)}
    if not arguments.tool:
        _list(tools)
        return 0
    tool = _known(arguments.tool, tools)
    if arguments.help:
        _explain(tool)
        return 0
    asked = _Asked(settings, server, tool, _typed(options.once(arguments.given), tool), follow=arguments.all)
    _check_follow(asked)
    pages = Pages()
    try:
        with watching(arguments.color) as told:
            anyio.run(_call, asked, pages, told)
    except KeyboardInterrupt:
        return _stopped(asked, pages, arguments)
    return _print(asked, pages, arguments)


@dataclass(frozen=True)
class _Asked:
    """A call that was asked for."""

    settings: Settings
    server: MCPServer[Any]
    tool: Tool
    given: dict[str, Any] = field(repr=False)
    follow: bool

    @property
    def pages(self) -> bool:
        """Whether the tool's answers are pages of a list."""
        return "cursor" in (self.tool.output_schema or {}).get("properties", {})

    @property
    def causes(self) -> bool:
        """Whether its rows are causes, which stand for many."""
        return "causes" in (self.tool.output_schema or {}).get("properties", {})


def _known(name: str, tools: Mapping[str, Tool]) -> Tool:
    from jobtrail.errors import SettingsError, closest, shown  # noqa: PLC0415 # see _ask

    if name not in tools:
        near = closest(name, tools)
        hint = f"; closest: {', '.join(near)}" if near else ""
        raise SettingsError(f"there is no tool {shown(name)}{hint}; there are {', '.join(tools)}")
    return tools[name]


def _check_follow(asked: _Asked) -> None:
    from jobtrail.errors import SettingsError  # noqa: PLC0415 # see _ask

    if asked.follow and not asked.pages:
        raise SettingsError(f"{asked.tool.name} answers in one piece, or in both directions; --all is for lists")
    if asked.follow and "cursor" not in asked.given:
        from jobtrail.tools.resumable import LARGEST_LIMIT  # noqa: PLC0415 # see _ask

        if asked.causes:
            # There a limit leaves out what a further page would not show.
            asked.given["limit"] = LARGEST_LIMIT
        asked.given.setdefault("limit", LARGEST_LIMIT)


async def _call(asked: _Asked, pages: Pages, told: Callable[[str, float | None, float | None], None]) -> None:
    """Call the tool, and follow its cursors where that is asked for."""
    from mcp import Client  # noqa: PLC0415 # see _ask

    from jobtrail.cli.walking import follow  # noqa: PLC0415 # see _ask

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        del progress, total
        before = f"{pages.rows:,} rows; " if pages.read else ""
        told(f"{before}{message or 'asking'}", None, None)

    async with Client(asked.server) as client:

        def call(arguments: dict[str, Any]) -> Awaitable[CallToolResult]:
            return client.call_tool(asked.tool.name, arguments, progress_callback=hear)

        if asked.follow:
            await follow(pages, call, asked.given, told)
            return
        result = await call(asked.given)
        if result.is_error:
            pages.failed = result
        else:
            pages.read.append(result.structured_content or {})


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


def _print(asked: _Asked, pages: Pages, arguments: argparse.Namespace) -> int:
    """Print what was read, and an error on standard error; return the exit code."""
    from jobtrail.cli.calls import command_line  # noqa: PLC0415 # see _ask
    from jobtrail.cli.walking import MOST_ROWS  # noqa: PLC0415 # see _ask

    _answer(asked, pages, arguments)
    if pages.failed is not None:
        _say(_refusal(asked, pages.failed))
        if pages.read:
            _say(f"{pages.rows:,} rows were read before that; {_go_on(asked, pages)}")
        return 1
    if asked.follow and pages.cursor:
        more = command_line(asked.tool.name, {"cursor": pages.cursor})
        _say(f"stopped at {MOST_ROWS:,} rows, of which there are more; go on with: {more} --all")
    return 0


def _stopped(asked: _Asked, pages: Pages, arguments: argparse.Namespace) -> int:
    """Print what was read before Ctrl-C, and how to go on."""
    _answer(asked, pages, arguments)
    if asked.follow:
        _say(f"stopped after {pages.rows:,} rows; {_go_on(asked, pages)}")
    return _STOPPED


def _go_on(asked: _Asked, pages: Pages) -> str:
    from jobtrail.cli.calls import command_line  # noqa: PLC0415 # see _ask

    given = {"cursor": pages.cursor} if pages.cursor else asked.given
    return f"go on with: {command_line(asked.tool.name, given)} --all"


def _answer(asked: _Asked, pages: Pages, arguments: argparse.Namespace) -> None:
    """Print the pages that were read as one answer."""
    if not pages.read:
        return
    from jobtrail.cli.walking import merged, rows_of  # noqa: PLC0415 # see _ask
    from jobtrail.render import render  # noqa: PLC0415 # see _ask
    from jobtrail.tools import TOOLS  # noqa: PLC0415 # see _ask

    whole = merged(pages.read)
    if arguments.json:
        print(json.dumps(whole), flush=True)
        return
    shape = next(spec.answer for spec in TOOLS if spec.fn.__name__ == asked.tool.name)
    text = render(shape.model_validate(whole))
    colour: Colour = arguments.color
    if for_people(colour):
        from jobtrail.cli.tables import lay_out  # noqa: PLC0415 # a terminal is the rarer case

        lay_out(console(colour), text, rows_of(whole))
    else:
        print(text, flush=True)


def _refusal(asked: _Asked, result: CallToolResult) -> str:
    """Return what the tool said, with an example where an argument is missing.

    Raises:
        SettingsError: the store cannot be opened, which no other call would change.
    """
    from mcp.types import TextContent  # noqa: PLC0415 # see _ask

    from jobtrail.cli.calls import example_with, typed  # noqa: PLC0415 # see _ask
    from jobtrail.errors import SettingsError  # noqa: PLC0415 # see _ask

    text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
    trouble = _store_trouble(asked.settings)
    if trouble and trouble in text:
        raise SettingsError(trouble)
    needed = re.match(rf"{asked.tool.name} needs (.*?);", text)
    shown = example_with(asked.tool.name, asked.tool.description or "", asked.given, needed[1]) if needed else None
    return f"{typed(text)}. Such as: {shown}" if shown else typed(text)


def _store_trouble(settings: Settings) -> str:
    """Return why the embedded store cannot be opened; nothing where it can, or nobody asked it."""
    path = settings.store
    if path is None or not path.exists() or all(one.kind != "embedded" for one in settings.sources):
        return ""
    from jobtrail.plane import Store, StoreError  # noqa: PLC0415 # see _ask

    try:
        Store(path).close()
    except StoreError as error:
        return str(error)
    return ""


def _say(text: str) -> None:
    print(f"jobtrail: {text}", file=sys.stderr, flush=True)


def _list(tools: Mapping[str, Tool]) -> None:
    """Print a line for each tool."""
    width = max(map(len, tools))
    for name, tool in tools.items():
        print(f"{name:<{width}}  {(tool.description or '').partition(chr(10))[0]}")
    print("\n`jobtrail ask TOOL --help` shows the arguments of one")


def _explain(tool: Tool) -> None:
    """Print what a tool answers, its arguments and examples."""
    from jobtrail.cli.calls import examples  # noqa: PLC0415 # see _ask

    description = (tool.description or "").partition("Examples:")[0].strip()
    print(f"usage: jobtrail ask {tool.name} [name=value ...] [--all] [--json]\n\n{description}\n\narguments:")
    known: dict[str, dict[str, Any]] = tool.input_schema.get("properties", {})
    width = max(map(len, known))
    for name, schema in known.items():
        print(f"  {name:<{width}}  {schema.get('description') or _kind(schema)}")
    shown = examples(tool.name, tool.description or "")
    print("\n".join(["", "examples:", *(f"  {one}" for one in shown)]) if shown else "", flush=True)


def _kind(schema: Mapping[str, Any]) -> str:
    return {"integer": "A whole number.", "boolean": "true or false.", "number": "A number."}.get(
        str(schema.get("type")), "A text."
    )
