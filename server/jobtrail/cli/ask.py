"""`jobtrail ask`: call one tool, as an agent does, for people and scripts."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from jobtrail.cli.all_pages import MOST_ROWS, PagesRead, merge_pages, read_all_pages
from jobtrail.cli.colours import is_for_people, open_console
from jobtrail.cli.command_lines import format_command, format_text
from jobtrail.cli.option_types import collect_arguments
from jobtrail.cli.progress_bar import show_page_bar
from jobtrail.cli.settings import load_command_settings
from jobtrail.cli.tables import print_blocks
from jobtrail.errors import JobtrailError, SettingsError
from jobtrail.models import Call, Missed, Sentence
from jobtrail.protocol.app import build_server
from jobtrail.protocol.arguments import list_examples
from jobtrail.rendering.answers import render, to_blocks
from jobtrail.text import count_noun, find_closest, quote_value
from jobtrail.tools.resumable import LARGEST_LIMIT

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Mapping

    from mcp.types import Tool

    from jobtrail.cli.colours import Colour
    from jobtrail.models import FrozenModel
    from jobtrail.protocol.server import JobtrailServer

_STOPPED = 130


def run(arguments: argparse.Namespace) -> int:
    """Call one tool and print its answer, or list the tools."""
    if arguments.help and not arguments.tool:
        arguments.parser.print_help()
        return 0
    server = build_server(load_command_settings())
    tools = {tool.name: tool for tool in anyio.run(server.list_tools)}
    if not arguments.tool:
        _print_tools(tools)
        return 0
    tool = _find_tool(arguments.tool, tools)
    if arguments.help:
        _print_help(tool)
        return 0
    call = _ToolCall(server, tool, _parse_arguments(collect_arguments(arguments.given), tool), follow=arguments.all)
    _check_follow(call)
    pages = PagesRead()
    try:
        with show_page_bar(arguments.color) as show_progress:
            anyio.run(_read_pages, call, pages, show_progress)
    except KeyboardInterrupt:
        return _print_stopped(call, pages, arguments)
    return _print_result(call, pages, arguments)


@dataclass(frozen=True)
class _ToolCall:
    """The call of a tool; `follow` is whether to read all pages."""

    server: JobtrailServer
    tool: Tool
    given: dict[str, Any] = field(repr=False)
    follow: bool

    @property
    def has_pages(self) -> bool:
        """Whether the tool's answers are pages of a list."""
        return "cursor" in (self.tool.output_schema or {}).get("properties", {})


def _find_tool(name: str, tools: Mapping[str, Tool]) -> Tool:
    if name not in tools:
        raise SettingsError(
            f"there is no tool {quote_value(name)}",
            closest=find_closest(name, tools),
            advice=f"there are {', '.join(tools)}",
        )
    return tools[name]


def _check_follow(call: _ToolCall) -> None:
    if call.follow and not call.has_pages:
        raise SettingsError(f"{call.tool.name} answers in one piece, or in both directions; --all is for lists")
    if call.follow and "cursor" not in call.given:
        call.given.setdefault("limit", LARGEST_LIMIT)


async def _read_pages(
    call: _ToolCall, pages: PagesRead, show_progress: Callable[[str, float | None, float | None], None]
) -> None:
    """Call the tool, and follow its cursors if `follow` is set."""

    def show_message(message: str) -> None:
        before = f"{count_noun(pages.rows, 'row')}; " if pages.read else ""
        show_progress(f"{before}{message or 'asking'}", None, None)

    async with call.server.connect_in_process(show_message) as answer:

        def call_tool(arguments: Mapping[str, Any]) -> Awaitable[FrozenModel]:
            return answer(call.tool.name, arguments)

        try:
            if call.follow:
                await read_all_pages(pages, call_tool, call.given, show_progress)
            else:
                pages.read.append(await call_tool(call.given))
        except JobtrailError as error:
            pages.failed = error


def _parse_arguments(given: Mapping[str, str], tool: Tool) -> dict[str, Any]:
    """Return the arguments in the types that the tool takes; the tool refuses what does not fit."""
    known: dict[str, Any] = tool.input_schema.get("properties", {})
    return {key: _parse_value(text, json.dumps(known.get(key, {}))) for key, text in given.items()}


def _parse_value(text: str, schema: str) -> str | int | bool:
    if '"integer"' in schema and text.removeprefix("-").isdecimal():
        return int(text)
    if '"boolean"' in schema and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    return text


def _print_result(call: _ToolCall, pages: PagesRead, arguments: argparse.Namespace) -> int:
    """Print what was read, and an error on standard error; return the exit code."""
    _print_answer(pages, arguments)
    if isinstance(pages.failed, SettingsError):
        raise pages.failed
    if pages.failed is not None:
        _print_error(format_text(Sentence(*pages.failed.args)))
        if pages.read:
            _print_error(f"{count_noun(pages.rows, 'row')} came before that; {_format_continuation(call, pages)}")
        return 1
    if call.follow and pages.cursor:
        more = format_command(Call(call.tool.name, {"cursor": pages.cursor}))
        _print_error(f"stopped at {MOST_ROWS:,} rows, of which there are more; go on with: {more} --all")
    whole = merge_pages(pages.read)
    return int(isinstance(whole, Missed) and whole.alarm)


def _print_stopped(call: _ToolCall, pages: PagesRead, arguments: argparse.Namespace) -> int:
    """Print what was read before Ctrl-C, and the command that continues."""
    _print_answer(pages, arguments)
    if call.follow:
        _print_error(f"stopped after {count_noun(pages.rows, 'row')}; {_format_continuation(call, pages)}")
    return _STOPPED


def _format_continuation(call: _ToolCall, pages: PagesRead) -> str:
    given = {"cursor": pages.cursor} if pages.cursor else call.given
    return f"go on with: {format_command(Call(call.tool.name, given))} --all"


def _print_answer(pages: PagesRead, arguments: argparse.Namespace) -> None:
    """Print the pages that were read as one answer."""
    if not pages.read:
        return
    whole = merge_pages(pages.read)
    colour: Colour = arguments.color
    if arguments.json:
        print(json.dumps(whole.to_json()), flush=True)
    elif is_for_people(colour):
        print_blocks(open_console(colour), to_blocks(whole))
    else:
        print(render(whole), flush=True)


def _print_error(text: str) -> None:
    print(f"jobtrail: {text}", file=sys.stderr, flush=True)


def _print_tools(tools: Mapping[str, Tool]) -> None:
    """Print a line for each tool."""
    width = max(map(len, tools))
    for name, tool in tools.items():
        print(f"{name:<{width}}  {(tool.description or '').partition(chr(10))[0]}")
    print("\n`jobtrail ask TOOL --help` shows the arguments of one")


def _print_help(tool: Tool) -> None:
    """Print what a tool answers, its arguments and examples."""
    description = (tool.description or "").partition("Examples:")[0].strip()
    print(f"usage: jobtrail ask {tool.name} [name=value ...] [--all] [--json]\n\n{description}\n\narguments:")
    known: dict[str, dict[str, Any]] = tool.input_schema.get("properties", {})
    width = max(map(len, known))
    types = {"integer": "A whole number.", "boolean": "true or false.", "number": "A number."}
    for name, schema in known.items():
        print(f"  {name:<{width}}  {schema.get('description') or types.get(str(schema.get('type')), 'A text.')}")
    calls = list_examples(tool.name, tool.description or "")
    print("\n".join(["", "examples:", *(f"  {format_command(one)}" for one in calls)]) if calls else "", flush=True)
