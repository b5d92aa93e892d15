"""Scripted agents: each finds the right answer in text alone, within its budget, whatever goes wrong meanwhile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.agents.agent import Agent
from tests.agents.asking import STRUCTURE_COSTS, ask
from tests.agents.ledger import COLUMNS, known_of
from tests.agents.questions import QUESTIONS
from tests.agents.world import make_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.mark import ParameterSet

    from tests.agents.asking import Question
    from tests.agents.world import World

pytestmark = pytest.mark.anyio

LEDGER = Path(__file__).parents[2] / "docs" / "agents.md"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything but the daemon, read by every question and changed by none but what it starts itself."""
    with make_world(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture
def world(made: World, question: Question, request: pytest.FixtureRequest) -> World:
    """What the question is about; its daemon is started only where it is about one."""
    if question.data == "RunWisp 1.0.1":
        return replace(made, daemon=request.getfixturevalue("runwisp_shared"))
    return made


def as_parameter(question: Question, *more: str) -> ParameterSet:
    """Return a question as a parameter, with what else there is; it is marked if it is about a real daemon."""
    marks = [pytest.mark.peers] if question.data == "RunWisp 1.0.1" else []
    return pytest.param(question, *more, id="-".join([type(question).__name__, *more]), marks=marks)


of_each = pytest.mark.parametrize("question", [as_parameter(question) for question in QUESTIONS])


@of_each
async def test_an_agent_that_sees_only_text_gets_the_right_answer_within_its_budget(
    question: Question, world: World
) -> None:
    entry = await ask(question, "text", world)
    assert entry.answer == entry.truth
    assert entry.spent.tokens <= question.budget
    assert not entry.spared


@of_each
async def test_a_program_that_sees_only_structured_content_gets_the_same_answer(
    question: Question, world: World
) -> None:
    entry = await ask(question, "structure", world)
    assert entry.answer == entry.truth
    assert entry.spent.tokens <= question.budget * STRUCTURE_COSTS
    assert not entry.spared


def blind_to(*prefixes: str) -> type[Agent]:
    """Return an agent to whom lines that begin so are not shown."""

    class Blind(Agent):
        def hear(self, text: str) -> str:
            return "\n".join(line for line in super().hear(text).split("\n") if not line.startswith(prefixes))

    return Blind


@pytest.mark.parametrize(
    ("question", "unseen"),
    [
        as_parameter(question, unseen)
        for question in QUESTIONS
        for name, unseen in (
            ("WhatFailed", "more: "),
            ("CursorTooOld", "more: "),
            ("EveryBackup", "more: "),
            ("NothingKnown", "error: "),
        )
        if type(question).__name__ == name
    ],
)
async def test_an_agent_that_does_not_see_a_line_that_matters_is_wrong(
    question: Question, unseen: str, world: World
) -> None:
    entry = await ask(question, "text", world, blind_to(unseen))
    assert entry.answer != entry.truth


def test_there_are_25_questions_over_every_kind_of_data_and_no_two_alike() -> None:
    assert len(QUESTIONS) == len({question.words for question in QUESTIONS}) == 25
    assert {question.data for question in QUESTIONS} == {"sample", "two sources", "recorded", "RunWisp 1.0.1"}


def test_the_documented_ledger_lists_exactly_these_questions() -> None:
    text = LEDGER.read_text(encoding="utf-8")
    assert "python -m tests.agents" in text
    table = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    head, _, *rows, _ = [[cell.strip() for cell in row] for row in table]
    assert head == [*COLUMNS]
    assert [tuple(row[:3]) for row in rows] == [known_of(question) for question in QUESTIONS]
    for question, row in zip(QUESTIONS, rows, strict=True):
        calls, tokens_in, tokens_out, *rest = (int(cell.replace(",", "")) for cell in row[3:])
        assert calls >= 1
        assert tokens_in + tokens_out <= question.budget
        assert len(rest) == 3
