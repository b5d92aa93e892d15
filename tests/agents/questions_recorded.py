"""Questions about what `jobtrail record` recorded, of real commands."""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.agents.asking import Question
from tests.agents.reader import Call
from tests.agents.world import DAMAGED, DIVIDES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from tests.agents.agent import Agent, Program
    from tests.agents.world import World

__all__ = ["QUESTIONS", "deployment", "exit_code"]


class _OfRecords(Question):
    data = "recorded"


class WhichLine(_OfRecords):
    words = "Why did my nightly script fail, and in which of its lines?"
    budget = 450

    async def read(self, agent: Agent) -> object:
        answer = await agent.ask("get_execution", job="nightly")
        cause = answer.rows[0]["example"]
        execution = (answer.field("execution") or "").split(" ")[0]
        log = (await agent.ask("read_log", job="nightly", execution=execution, query="/line [0-9]+/")).log
        return _why(cause), _line(log[-1])

    async def compute(self, program: Program) -> object:
        answer = await program.ask("get_execution", job="nightly")
        named = {"job": "nightly", "execution": answer["execution"]["id"]}
        log = (await program.ask("read_log", **named, query="/line [0-9]+/"))["lines"]
        return _why(answer["failures"][0]["example"]), _line(log[-1]["text"])

    def truth(self, world: World) -> object:
        return "ZeroDivisionError", DIVIDES


def _why(cause: str) -> str:
    found = re.search(r"\w+Error", cause)
    return found[0] if found else cause


def _line(text: str) -> int:
    found = re.search(r"line (\d+)", text)
    assert found, text
    return int(found[1])


class WhichInputs(_OfRecords):
    words = "Which inputs of the last thumbnails failed, and do any two of them say the same of why?"
    budget = 750

    async def read(self, agent: Agent) -> object:
        answer = await agent.ask("get_execution", job="thumbnails")
        alike = [row for row in answer.rows if int(row["count"]) > 1 and "rarer causes" not in row["example"]]
        call = next(call for call in answer.next if "status" in call.arguments)
        return {row["name"] for row in await agent.rows(call.tool, **call.arguments)}, bool(alike)

    async def compute(self, program: Program) -> object:
        answer = await program.ask("get_execution", job="thumbnails")
        groups = answer["failures"]
        alike = [group for group in groups if group["count"] > 1 and "rarer causes" not in group["signature"]]
        call = next(call for text in answer["next_calls"] if (call := Call.read(text)) and "status" in call.arguments)
        return {item["name"] for item in await program.items(call.tool, **call.arguments)}, bool(alike)

    def truth(self, world: World) -> object:
        # Each says of itself that it is damaged.
        return set(DAMAGED), False


class WhatBecameOf(_OfRecords):
    words = "What became of the last crawl?"
    budget = 260

    async def read(self, agent: Agent) -> object:
        answer = await agent.ask("get_execution", job="crawl")
        return answer.verdict.partition(":")[0], answer.rows[0]["example"].partition(":")[0]

    async def compute(self, program: Program) -> object:
        answer = await program.ask("get_execution", job="crawl")
        return answer["execution"]["status"], answer["failures"][0]["example"].partition(":")[0]

    def truth(self, world: World) -> object:
        # Its recorder was killed.
        return "failed", "recorder vanished"


@contextmanager
def deployment(world: World, *, ends_after: int) -> Generator[Callable[[int], object]]:
    """Start a deployment that fails with exit code 3, a second after the call of this number began."""
    with tempfile.TemporaryDirectory() as folder:
        waited_for = Path(folder, "waited-for")
        script = f"echo begun; until test -e {waited_for}; do sleep 0.1; done; sleep 1; echo rolled back >&2; exit 3"
        with world.stand.start("--job", "deploy", "--", "sh", "-c", script) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                yield lambda call: call == ends_after and waited_for.touch()
            finally:
                waited_for.touch()
                process.communicate(timeout=30)


class TellMeWhenItIsDone(_OfRecords):
    words = "Tell me when the deploy that runs is done: did it work, and with which exit code?"
    budget = 560
    _WAITS = 2

    def going_on(self, world: World) -> AbstractContextManager[Callable[[int], object]]:
        """Start a deployment that fails, a second after it begins to be waited for."""
        return deployment(world, ends_after=self._WAITS)

    async def read(self, agent: Agent) -> object:
        (running,) = await agent.rows("list_executions", job="deploy", status="running")
        answer = await agent.ask("wait_for", job="deploy", execution=running["id"], timeout=10)
        while answer.next and answer.next[0].tool == "wait_for":
            answer = await agent.make(answer.next[0])
        status = answer.rows[0]["status"].rpartition("→ ")[2]
        if status == "succeeded":
            return status, 0
        (why,) = answer.next
        return status, exit_code((await agent.make(why)).rows[0]["example"])

    async def compute(self, program: Program) -> object:
        (running,) = await program.items("list_executions", job="deploy", status="running")
        answer = await program.ask("wait_for", job="deploy", execution=running["id"], timeout=10)
        while not answer["all_ended"]:
            answer = await program.ask("wait_for", job="deploy", execution=running["id"], timeout=10)
        status = answer["items"][0]["status"]
        if status == "succeeded":
            return status, 0
        answer = await program.ask("get_execution", job="deploy", execution=running["id"])
        return status, exit_code(answer["failures"][0]["example"])

    def truth(self, world: World) -> object:
        return world.recorded.executions("deploy")[0]["word"], 3


def exit_code(cause: str) -> int:
    """Return the exit code that a cause tells."""
    found = re.search(r"exit code (\d+)", cause)
    assert found, cause
    return int(found[1])


QUESTIONS = (WhichLine(), WhichInputs(), WhatBecameOf(), TellMeWhenItIsDone())
