"""A question, and what comes of asking it: one who reads and one who computes, each of a server of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tests.agents.agent import Agent, EarlierAgent, Program
from tests.agents.reader import Call
from tests.agents.world import scene

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.agents.agent import Spent
    from tests.agents.edge import Fault
    from tests.agents.reader import Answer
    from tests.agents.world import Data, World

__all__ = ["STRUCTURE_COSTS", "Entry", "InOneCall", "Question", "Way", "ask", "call_of"]

Way = Literal["text", "structure", "earlier"]
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
        slow_clock: how far Jobtrail's clock is behind that of its sources.
        besides: what else goes wrong, for people.
    """

    words: ClassVar[str]
    data: ClassVar[Data]
    budget: ClassVar[int]
    faults: ClassVar[Sequence[Fault]] = ()
    sleeps: ClassVar[Mapping[int, int]] = {}
    slow_clock: ClassVar[timedelta] = timedelta()
    besides: ClassVar[Sequence[str]] = ()

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


class InOneCall(Question):
    """A question that one call answers, and that took many before there was that call.

    Attributes:
        call: the call, as an answer would write it.
        most_calls: how many it may take; more than one where the answer names another that is needed to be sure.
        had_a_way: whether it could be answered before, too.
    """

    call: ClassVar[str]
    most_calls: ClassVar[int] = 1
    had_a_way: ClassVar[bool] = True

    async def read(self, agent: Agent) -> object:
        """Make the call and read its text."""
        return self.in_text(await agent.make(call_of(self.call)))

    async def compute(self, program: Program) -> object:
        """Make the call and take its structured content apart."""
        return self.in_structure(await program.make(call_of(self.call)))

    def in_text(self, answer: Answer) -> object:
        """Find the answer in the call's text, where that is all it takes."""
        raise NotImplementedError

    def in_structure(self, answer: dict[str, Any]) -> object:
        """Find the answer in the call's structured content, where that is all it takes."""
        raise NotImplementedError

    async def find_as_before(self, agent: Agent) -> object:
        """Find the answer in texts, with the tools that there were before.

        Raises:
            NotImplementedError: none of them told it.
        """
        raise NotImplementedError


def call_of(text: str) -> Call:
    """Return a call that is written out."""
    call = Call.read(text)
    assert call is not None, text
    return call


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
        way: whether the answer is found in texts, in structured content, or in texts of the tools of before.
        world: what it is about.
        reader: who reads texts.
    """
    with question.going_on(world) as goes_on:
        async with scene(world, question.data, question.faults, question.slow_clock) as on:

            def before(call: int) -> None:
                on.hand.moment += timedelta(hours=question.sleeps.get(call, 0))
                goes_on(call)

            tools = (await on.client.list_tools()).tools
            if way == "text":
                one = reader(on.client, tools, before)
                answer = await question.read(one)
            elif way == "earlier":
                assert isinstance(question, InOneCall)
                one = EarlierAgent(on.client, before)
                answer = await question.find_as_before(one)
            else:
                one = Program(on.client, tools, before)
                answer = await question.compute(one)
        return Entry(answer, question.truth(world), one.spent, on.requests, on.spared)
