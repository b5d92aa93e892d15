"""Scripted agents: each finds the right answer in text alone, within its budget, whatever goes wrong meanwhile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.agents.agent import Agent
from tests.agents.asking import STRUCTURE_COSTS, InOneCall, ask
from tests.agents.before import SAVED
from tests.agents.ledger import COLUMNS, known_of
from tests.agents.questions import IN_ONE_CALL, QUESTIONS
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
    """Return a question as a parameter, with what else there is; marked if it needs a daemon, or is one of many."""
    marks = [pytest.mark.peers] if question.data == "RunWisp 1.0.1" else []
    if not marks and isinstance(question, InOneCall) and question.data != "sample":
        marks = [pytest.mark.slow]
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
    if isinstance(question, InOneCall):
        assert entry.spent.calls <= question.most_calls


@of_each
async def test_a_program_that_sees_only_structured_content_gets_the_same_answer(
    question: Question, world: World
) -> None:
    entry = await ask(question, "structure", world)
    assert entry.answer == entry.truth
    assert entry.spent.tokens <= question.budget * STRUCTURE_COSTS
    assert not entry.spared
    if isinstance(question, InOneCall):
        assert entry.spent.calls <= question.most_calls


@pytest.mark.slow
@pytest.mark.parametrize("question", [as_parameter(question) for question in IN_ONE_CALL if question.had_a_way])
async def test_the_way_of_before_still_leads_to_the_same_answer_and_costs_no_less(
    question: InOneCall, world: World
) -> None:
    entry = await ask(question, "earlier", world)
    assert entry.answer == entry.truth
    assert entry.spent.calls >= question.most_calls


def test_questions_of_these_kinds_together_stay_within_25_calls_and_20_000_tokens() -> None:
    assert len(IN_ONE_CALL) == 20
    assert sum(question.most_calls for question in IN_ONE_CALL) <= 25
    assert sum(question.budget for question in IN_ONE_CALL) <= 20_000


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
            ("WhileOneIsDown", "error: "),
            ("AllFailedNames", "more: "),
        )
        if type(question).__name__ == name
    ],
)
async def test_an_agent_that_does_not_see_a_line_that_matters_is_wrong(
    question: Question, unseen: str, world: World
) -> None:
    entry = await ask(question, "text", world, blind_to(unseen))
    assert entry.answer != entry.truth


def test_there_are_45_questions_over_every_kind_of_data_and_no_two_alike() -> None:
    assert len(QUESTIONS) == len({question.words for question in QUESTIONS}) == 45
    for some in (QUESTIONS, IN_ONE_CALL):
        assert {question.data for question in some} == {"sample", "two sources", "recorded", "RunWisp 1.0.1"}


def read_tables() -> list[list[list[str]]]:
    """Return the tables of the documented ledger, each as rows of cells without the line below the names."""
    tables = LEDGER.read_text(encoding="utf-8").split("\n\n")
    lines = [[line for line in one.splitlines() if line.startswith("| ")] for one in tables]
    cells = [[[cell.strip() for cell in line[1:-1].split("|")] for line in one] for one in lines if one]
    return [[names, *rows] for names, _, *rows in cells]


def read_numbers(cells: list[str]) -> list[int]:
    return [int(cell.replace(",", "")) for cell in cells]


def test_the_documented_ledger_lists_exactly_these_questions() -> None:
    assert "python -m tests.agents" in LEDGER.read_text(encoding="utf-8")
    (head, *rows, _), _ = read_tables()
    assert head == [*COLUMNS]
    assert [tuple(row[:3]) for row in rows] == [known_of(question) for question in QUESTIONS]
    for question, row in zip(QUESTIONS, rows, strict=True):
        calls, tokens_in, tokens_out, *rest = read_numbers(row[3:])
        assert calls >= 1
        assert tokens_in + tokens_out <= question.budget
        assert len(rest) == 3


def test_the_documented_ledger_has_calls_and_tokens_of_before_and_now_side_by_side() -> None:
    _, (head, *rows, total) = read_tables()
    assert head == [*SAVED]
    assert [tuple(row[:2]) for row in rows] == [(question.words, question.data) for question in IN_ONE_CALL]
    compared = [read_numbers(row[2:]) for row in rows if row[2] != "no way"]
    assert len(compared) == sum(question.had_a_way for question in IN_ONE_CALL)
    sums = [sum(numbers) for numbers in zip(*compared, strict=True)]
    assert sums == read_numbers(total[2:])
    calls_before, tokens_before, calls, tokens = sums
    assert calls < calls_before / 4
    assert tokens < tokens_before / 4
