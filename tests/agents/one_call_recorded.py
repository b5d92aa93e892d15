"""Questions about what was recorded that one call answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from tests.agents.asking import InOneCall
from tests.agents.questions_recorded import deployment, exit_code
from tests.agents.truth import due_times
from tests.agents.world import DUE_HOUR, LEDGER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from tests.agents.agent import Agent, Program
    from tests.agents.reader import Answer
    from tests.agents.world import World

__all__ = ["QUESTIONS"]

_HOURS = 49
"""How long nothing has run by the time that is asked."""


class DeadMansSwitch(InOneCall):
    words = f"Two days later: how often should {LEDGER} have run since it was last recorded, and did not?"
    data = "recorded"
    call = f"find_missed(job='{LEDGER}', since='3d')"
    budget = 260
    had_a_way = False
    sleeps: ClassVar[Mapping[int, int]] = {1: _HOURS}

    def in_text(self, answer: Answer) -> object:
        counts = next(part for part in answer.header if " missed" in part)
        return int(counts.partition(" missed")[0].rpartition(" ")[2])

    def in_structure(self, answer: dict[str, Any]) -> object:
        return answer["missed"]

    def truth(self, world: World) -> object:
        (last,) = world.recorded.executions(LEDGER)
        recorded = datetime.fromtimestamp(last["created_at"] / 1e9, UTC)
        now = datetime.now(UTC) + timedelta(hours=_HOURS)
        return len(due_times(f"0 {DUE_HOUR} * * *", recorded, now))


class WaitForTheNewest(InOneCall):
    words = (
        "Tell me when the newest deploy is done, and with which exit code it ended. (Only the job's name is known.)"
    )
    data = "recorded"
    call = "wait_for(job='deploy', timeout=20)"
    most_calls = 3
    budget = 480

    def going_on(self, world: World) -> AbstractContextManager[Callable[[int], object]]:
        """Start a deployment that fails a second after the first call."""
        return deployment(world, ends_after=1)

    async def read(self, agent: Agent) -> object:
        answer = await agent.ask("wait_for", job="deploy", timeout=20)
        while answer.next and answer.next[0].tool == "wait_for":
            answer = await agent.make(answer.next[0])
        (why,) = answer.next
        return answer.rows[0]["status"].rpartition("→ ")[2], exit_code((await agent.make(why)).rows[0]["example"])

    async def compute(self, program: Program) -> object:
        answer = await program.ask("wait_for", job="deploy", timeout=20)
        while not answer["all_ended"]:
            answer = await program.ask("wait_for", job="deploy", timeout=20)
        why = await program.ask("get_execution", job="deploy")
        return answer["items"][0]["status"], exit_code(why["failures"][0]["example"])

    async def find_as_before(self, agent: Agent) -> object:
        newest = (await agent.ask("list_executions", job="deploy", limit=1)).rows[0]
        answer = await agent.ask("wait_for", job="deploy", execution=newest["id"], timeout=20)
        while answer.next and answer.next[0].tool == "wait_for":
            answer = await agent.make(answer.next[0])
        (why,) = answer.next
        return answer.rows[0]["status"].rpartition("→ ")[2], exit_code((await agent.make(why)).rows[0]["example"])

    def truth(self, world: World) -> object:
        return world.recorded.executions("deploy")[0]["word"], 3


QUESTIONS = (DeadMansSwitch(), WaitForTheNewest())
