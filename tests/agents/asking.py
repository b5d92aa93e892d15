"""A question, and what comes of asking it: one who reads and one who computes, each of a server of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Literal

from tests.agents.agent import Agent, Program
from tests.agents.world import scene

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.agents.agent import Spent
    from tests.agents.edge import Fault
    from tests.agents.world import Data, World

__all__ = ["STRUCTURE_COSTS", "Entry", "Question", "Way", "ask"]

Way = Literal["text", "structure"]
STRUCTURE_COSTS = 2
"""How many times its budget a question may cost in structured content, where a name stands at every value."""


class Question(ABC):
    """A question to Jobtrail, put by somebody who has only Jobtrail to find the answer with.

    Attributes:
        words: the question.
        data: what it is about.
        budget: tokens that asking may take, both ways, over all calls.
        faults: what goes wrong meanwhile.
        sleeps: hours that pass before a call, by the call's number.
    """

    words: ClassVar[str]
    data: ClassVar[Data]
    budget: ClassVar[int]
    faults: ClassVar[Sequence[Fault]] = ()
    sleeps: ClassVar[Mapping[int, int]] = {}

    @abstractmethod
    async def read(self, agent: Agent) -> object:
        """Find the answer in texts."""

    @abstractmethod
    async def compute(self, program: Program) -> object:
        """Find the answer in structured content."""

    @abstractmethod
    def truth(self, world: World) -> object:
        """Return the answer as the data has it, through none of Jobtrail's tools."""

    def going_on(self, world: World) -> AbstractContextManager[Callable[[int], object]]:
        """Return what goes on in the world while the question is asked: it is told the number of each call."""
        return nullcontext(lambda _call: world)


@dataclass(frozen=True)
class Entry:
    """What came of asking a question once.

    Attributes:
        spared: faults that did not happen, for want of requests.
    """

    answer: object
    truth: object
    spent: Spent
    requests: int
    spared: Sequence[str]


async def ask(question: Question, way: Way, world: World, reader: type[Agent] = Agent) -> Entry:
    """Ask a question of a server that has not been asked anything yet.

    Args:
        question: what to ask.
        way: whether the answer is found in texts or in structured content.
        world: what it is about.
        reader: who reads texts.
    """
    with question.going_on(world) as goes_on:
        async with scene(world, question.data, question.faults) as on:

            def before(call: int) -> None:
                on.hand.moment += timedelta(hours=question.sleeps.get(call, 0))
                goes_on(call)

            tools = (await on.client.list_tools()).tools
            if way == "text":
                one = reader(on.client, tools, before)
                answer = await question.read(one)
            else:
                one = Program(on.client, tools, before)
                answer = await question.compute(one)
        return Entry(answer, question.truth(world), one.spent, on.requests, on.spared)
