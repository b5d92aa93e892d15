"""The ledger: what each question cost, as a Markdown table."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.agents.asking import ask
from tests.agents.before import row_of, saved_lines
from tests.agents.questions import QUESTIONS
from tests.agents.world import make_world
from tests.peers.runwisp_daemon import Daemon, copy_home, find_binary, seed_home

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Mapping

    from tests.agents.asking import Entry, Question
    from tests.agents.before import Cost
    from tests.agents.world import World

__all__ = ["COLUMNS", "everything", "known_of", "lines"]

COLUMNS = (
    "question", "data", "what goes wrong", "calls", "tokens in", "tokens out", "upstream requests",
    "structured: calls", "structured: tokens out",
)  # fmt: skip

_WORDS = 3
"""How many columns are words; the others are numbers."""


@contextmanager
def everything() -> Generator[World]:
    """Make everything that is asked about, a real daemon included.

    Raises:
        RunwispMissing: there is no daemon, and none can be installed.
    """
    binary = find_binary()
    with tempfile.TemporaryDirectory() as folder:
        # In a home of its own: a seeded one is copied, so that the daemon's socket has a short path.
        home = copy_home(seed_home(binary, Path(folder) / "seed"), Path(folder) / "home")
        with make_world(Path(folder)) as world, Daemon(binary, home) as daemon:
            yield replace(world, daemon=daemon)


async def lines(world: World, before: Mapping[str, Cost]) -> AsyncIterator[str]:
    """Yield the lines of the tables, those of the first each once its question has been answered.

    Args:
        world: what is asked about.
        before: what questions cost before, by their class.

    Raises:
        AssertionError: a question was answered wrongly.
    """
    yield row_of(COLUMNS)
    yield row_of("---" if place < _WORDS else "---:" for place, _ in enumerate(COLUMNS))
    sums = [0] * (len(COLUMNS) - _WORDS)
    now: dict[str, Cost] = {}
    for question in QUESTIONS:
        numbers = await _asked(question, world)
        now[type(question).__name__] = (numbers[0], numbers[1] + numbers[2])
        sums = [old + new for old, new in zip(sums, numbers, strict=True)]
        yield row_of((*known_of(question), *(f"{number:,}" for number in numbers)))
    yield row_of(("all of them", "", "", *(f"{number:,}" for number in sums)))
    yield ""
    for line in saved_lines(before, now):
        yield line


async def _asked(question: Question, world: World) -> list[int]:
    read, computed = [await ask(question, way, world) for way in ("text", "structure")]
    for entry in (read, computed):
        assert entry.answer == entry.truth, f"{question.words} {entry.answer!r} is not {entry.truth!r}"
    return [*_numbers(read), computed.spent.calls, computed.spent.tokens_out]


def _numbers(entry: Entry) -> list[int]:
    return [entry.spent.calls, entry.spent.tokens_in, entry.spent.tokens_out, entry.requests]


def known_of(question: Question) -> tuple[str, str, str]:
    """Return what the ledger says of a question before it is asked."""
    return question.words, question.data, ", ".join([*(fault.words for fault in question.faults), *question.besides])
