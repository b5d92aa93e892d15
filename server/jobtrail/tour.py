"""`jobtrail tour`: the questions an agent asks, through a real server over stdio, with their answers."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import TextContent

from jobtrail.models import Call, ExecutionDetail, ExecutionPage, JobPage, RunDetail, RunPage, TaskPage
from jobtrail.vocabulary import FAILURE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcp.types import CallToolResult
    from pydantic import BaseModel

    from jobtrail.settings import Settings

_FAILURES = FAILURE
_LATELY = "7d"
_MOST_JOBS_TO_LOOK_AT = 20

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

    async def peek(self, answer: type[A], tool: str, **arguments: str | int) -> A | None:
        """Ask without printing."""
        result = await self._call(tool, self._with_source(arguments))
        return None if result.is_error else answer.model_validate(result.structured_content)

    def _with_source(self, arguments: dict[str, str | int]) -> dict[str, str | int]:
        return {**arguments, "source": self.source} if self.source and "cursor" not in arguments else arguments

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
        jobs = await guide.ask("What exists?", JobPage, "list_jobs", limit=30)
        items = jobs.items if jobs else ()
        await _show_batch_jobs(guide, [one.name for one in items if one.kind == "job"])
        await _show_scheduled_tasks(guide, [one.name for one in items if one.kind != "job"])
    say(f"\n{guide.asked} calls, {guide.refused} refused. To connect a client, see README.md.")
    return 1 if guide.refused else 0


async def _show_batch_jobs(guide: _Guide, names: list[str]) -> None:
    """Find a job that failed lately and follow it down to its failed tasks."""
    if not names:
        return
    name = await _find_worst_job(guide, names)
    page = await guide.ask(
        "What failed lately in one job?",
        ExecutionPage,
        "list_executions",
        job=name,
        status=_FAILURES,
        since=_LATELY,
        limit=5,
    )
    if page and not page.items:
        page = await guide.ask("What did it run at all?", ExecutionPage, "list_executions", job=name, limit=5)
    if not page or not page.items:
        return
    one = max(page.items, key=lambda one: one.failed or 0).id
    await guide.ask("Why?", ExecutionDetail, "get_execution", job=name, execution=one)
    tasks = await guide.ask(
        "Which tasks failed?", TaskPage, "list_tasks", job=name, execution=one, status="failed", limit=3
    )
    if tasks and tasks.cursor:
        await guide.ask("And the next ones? The cursor is all it takes.", TaskPage, "list_tasks", cursor=tasks.cursor)


async def _find_worst_job(guide: _Guide, names: list[str]) -> str:
    """Return the job whose recent failures have the most failed tasks."""
    best, chosen = -1, names[0]
    for name in names[:_MOST_JOBS_TO_LOOK_AT]:
        page = await guide.peek(ExecutionPage, "list_executions", job=name, status=_FAILURES, since=_LATELY, limit=5)
        failed = [one.failed or 0 for one in page.items] if page else []
        if failed and max(failed) > best:
            best, chosen = max(failed), name
    return chosen


async def _show_scheduled_tasks(guide: _Guide, names: list[str]) -> None:
    """Look at the runs that failed, at one task's runs, and at one run."""
    if not names:
        return
    page = await guide.ask(
        "Which scheduled runs failed lately?", RunPage, "list_runs", status=_FAILURES, since=_LATELY, limit=5
    )
    name = (page.items[0].job if page and page.items else None) or names[0]
    await guide.ask("How did one scheduled task run?", RunPage, "list_runs", job=name, limit=5)
    if page and page.items:
        await guide.ask("What happened in the newest that failed?", RunDetail, "get_run", run=page.items[0].id)
