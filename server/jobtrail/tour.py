"""`jobtrail tour`: the questions an agent asks, through a real server over stdio, with their answers."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import TextContent

from jobtrail.models import ActivePage, Call, ExecutionDetail, Failures, JobsHistory, LogPage, Missed, RunDetail

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcp.types import CallToolResult
    from pydantic import BaseModel

    from jobtrail.settings import Settings

_LINES = 10
_NEXT = """\
What next?
  jobtrail install claude-code               connects a client: docs/connect.md has all of them
  jobtrail record --job backup -- ./backup   records a job of your own
  jobtrail ask find_failures                 asks from a terminal; `jobtrail ask` lists the tools"""

A = TypeVar("A", bound="BaseModel")


@dataclass
class _Guide:
    """Calls tools and prints their text; returns their structured content."""

    client: Client
    say: Callable[[str], None]
    source: str | None
    asked: int = 0
    refused: int = 0

    async def ask(self, question: str, answer: type[A], tool: str, **arguments: str | int) -> A | None:
        """Print a question, the call and its answer; return the answer, None where it was an error."""
        arguments = self._with_source(arguments)
        self.asked += 1
        self.say(f"\n{self.asked}. {question}\n> {Call(tool, arguments)}")
        result = await self._call(tool, arguments)
        for block in result.content:
            if isinstance(block, TextContent):
                self.say("\n".join(f"  {line}" for line in block.text.splitlines()))
        if result.is_error:
            self.refused += 1
            return None
        return answer.model_validate(result.structured_content)

    def _with_source(self, arguments: dict[str, str | int]) -> dict[str, str | int]:
        return {"source": self.source, **arguments} if self.source and "cursor" not in arguments else arguments

    async def _call(self, tool: str, arguments: dict[str, str | int]) -> CallToolResult:
        return await self.client.call_tool(tool, dict(arguments))


async def run_tour(
    settings: Settings, source: str | None, say: Callable[[str], None], environ: Mapping[str, str]
) -> int:
    """Walk through what an agent would ask, and print it.

    Args:
        settings: only to say what is asked; the server reads its own.
        source: which source to ask; None for the default.
        say: takes each piece of text.
        environ: the environment of the server.

    Returns:
        The exit code: 1 when an answer was an error.
    """
    command = StdioServerParameters(command=sys.executable, args=["-m", "jobtrail", "serve"], env=dict(environ))
    sources = ", ".join(f"{one.name} ({one.kind})" for one in settings.sources)
    say(f"Jobtrail tour over {sources}. Lines after > are the calls an agent makes; the rest is what it reads.")
    async with Client(stdio_client(command)) as client:
        guide = _Guide(client, say, source)
        failures = await guide.ask("What failed?", Failures, "find_failures", limit=5)
        if failures:
            await _show_why(guide, failures)
            await guide.ask("What is going on?", ActivePage, "list_active", limit=5)
            await guide.ask("What should have run and did not?", Missed, "find_missed", limit=5)
            await _show_jobs(guide)
    say(f"\n{guide.asked} calls, {guide.refused} refused.\n\n{_NEXT}")
    return 1 if guide.refused else 0


async def _show_why(guide: _Guide, failures: Failures) -> None:
    """Follow a failure down to its log; one that did not recover comes first."""
    if not failures.causes:
        return
    one = min(failures.causes, key=lambda cause: cause.recovered is not False)
    if one.kind == "run":
        of = {"run": one.example, "source": one.source}
        known = await guide.ask("Why?", RunDetail, "get_run", **of)
    else:
        of = {"execution": one.example, "source": one.source}
        known = await guide.ask("Why?", ExecutionDetail, "get_execution", **of)
        if known and known.failures:
            of["task"] = known.failures[0].tasks[0]
    if known:
        await guide.ask("What does its log say?", LogPage, "read_log", **of, lines=_LINES)


async def _show_jobs(guide: _Guide) -> None:
    """Show two pages of all jobs: that one call goes on from another is half of what there is to see."""
    jobs = await guide.ask("How is each job doing, the worst first?", JobsHistory, "history", limit=5)
    if jobs and jobs.cursor:
        await guide.ask("And the next ones? The cursor is all it takes.", JobsHistory, "history", cursor=jobs.cursor)
