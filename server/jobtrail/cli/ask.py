"""`jobtrail ask`: one tool called as an agent calls it, for people and scripts."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from jobtrail.cli import options
from jobtrail.cli.all_pages import MOST_ROWS, Pages, follow, merged, watching
from jobtrail.cli.colours import console, for_people
from jobtrail.cli.command_lines import complete_call, list_examples, to_command, with_commands
from jobtrail.cli.settings import load_settings
from jobtrail.cli.tables import lay_out
from jobtrail.errors import JobtrailError, MissingArgument, SettingsError, find_closest, quote_value
from jobtrail.models import Call, Sentence
from jobtrail.protocol.app import build_server
from jobtrail.rendering.pages import render, to_blocks
from jobtrail.tools.resumable import LARGEST_LIMIT

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Mapping

    from mcp.types import Tool

    from jobtrail.cli.colours import Colour
    from jobtrail.models import FrozenModel
    from jobtrail.protocol.endpoint import Endpoint

_STOPPED = 130


def run(arguments: argparse.Namespace) -> int:
    """Call one tool and print its answer, or show which there are."""
    if arguments.help and not arguments.tool:
        arguments.parser.print_help()
        return 0
    server = build_server(load_settings())
    tools = {tool.name: tool for tool in anyio.run(server.list_tools)}
    if not arguments.tool:
        _list(tools)
        return 0
    tool = _known(arguments.tool, tools)
    if arguments.help:
        _explain(tool)
        return 0
    asked = _Asked(server, tool, _typed(options.once(arguments.given), tool), follow=arguments.all)
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

    server: Endpoint
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
    if name not in tools:
        near = find_closest(name, tools)
        hint = f"; closest: {', '.join(near)}" if near else ""
        raise SettingsError(f"there is no tool {quote_value(name)}{hint}; there are {', '.join(tools)}")
    return tools[name]


def _check_follow(asked: _Asked) -> None:
    if asked.follow and not asked.pages:
        raise SettingsError(f"{asked.tool.name} answers in one piece, or in both directions; --all is for lists")
    if asked.follow and "cursor" not in asked.given:
        if asked.causes:
            # There a limit leaves out what a further page would not show.
            asked.given["limit"] = LARGEST_LIMIT
        asked.given.setdefault("limit", LARGEST_LIMIT)


async def _call(asked: _Asked, pages: Pages, told: Callable[[str, float | None, float | None], None]) -> None:
    """Call the tool, and follow its cursors where that is asked for."""

    def hear(message: str) -> None:
        before = f"{pages.rows:,} rows; " if pages.read else ""
        told(f"{before}{message or 'asking'}", None, None)

    async with asked.server.connect_in_process(hear) as answer:

        def call(arguments: Mapping[str, Any]) -> Awaitable[FrozenModel]:
            return answer(asked.tool.name, arguments)

        try:
            if asked.follow:
                await follow(pages, call, asked.given, told)
            else:
                pages.read.append(await call(asked.given))
        except JobtrailError as error:
            pages.failed = error


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
    _answer(pages, arguments)
    if isinstance(pages.failed, SettingsError):
        raise pages.failed
    if pages.failed is not None:
        _say(_refusal(asked, pages.failed))
        if pages.read:
            _say(f"{pages.rows:,} rows were read before that; {_go_on(asked, pages)}")
        return 1
    if asked.follow and pages.cursor:
        more = to_command(Call(asked.tool.name, {"cursor": pages.cursor}))
        _say(f"stopped at {MOST_ROWS:,} rows, of which there are more; go on with: {more} --all")
    return 0


def _stopped(asked: _Asked, pages: Pages, arguments: argparse.Namespace) -> int:
    """Print what was read before Ctrl-C, and how to go on."""
    _answer(pages, arguments)
    if asked.follow:
        _say(f"stopped after {pages.rows:,} rows; {_go_on(asked, pages)}")
    return _STOPPED


def _go_on(asked: _Asked, pages: Pages) -> str:
    given = {"cursor": pages.cursor} if pages.cursor else asked.given
    return f"go on with: {to_command(Call(asked.tool.name, given))} --all"


def _answer(pages: Pages, arguments: argparse.Namespace) -> None:
    """Print the pages that were read as one answer."""
    if not pages.read:
        return
    whole = merged(pages.read)
    colour: Colour = arguments.color
    if arguments.json:
        print(json.dumps(whole.to_wire()), flush=True)
    elif for_people(colour):
        lay_out(console(colour), to_blocks(whole))
    else:
        print(render(whole), flush=True)


def _refusal(asked: _Asked, error: JobtrailError) -> str:
    """Return what the tool said, with an example where an argument is missing."""
    said = with_commands(Sentence(*error.args))
    if not isinstance(error, MissingArgument):
        return said
    example = complete_call(asked.tool.name, asked.tool.description or "", asked.given, error.argument)
    return f"{said}. Such as: {to_command(example)}" if example else said


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
    description = (tool.description or "").partition("Examples:")[0].strip()
    print(f"usage: jobtrail ask {tool.name} [name=value ...] [--all] [--json]\n\n{description}\n\narguments:")
    known: dict[str, dict[str, Any]] = tool.input_schema.get("properties", {})
    width = max(map(len, known))
    for name, schema in known.items():
        print(f"  {name:<{width}}  {schema.get('description') or _kind(schema)}")
    calls = list_examples(tool.name, tool.description or "")
    print("\n".join(["", "examples:", *(f"  {to_command(one)}" for one in calls)]) if calls else "", flush=True)


def _kind(schema: Mapping[str, Any]) -> str:
    return {"integer": "A whole number.", "boolean": "true or false.", "number": "A number."}.get(
        str(schema.get("type")), "A text."
    )
