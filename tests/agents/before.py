"""What questions cost before there was one call for each: asked of the code of then, with the tools of then."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.agents.asking import ask
from tests.agents.questions import IN_ONE_CALL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.agents.world import World

__all__ = ["EARLIER", "SAVED", "Cost", "count_before", "read_before", "row_of", "saved_lines"]

EARLIER = "0f5dd28"
"""The last commit without `list_active`, `find_missed`, `compare` and the history of all jobs."""

SAVED = ("question", "data", "calls before", "tokens before", "calls", "tokens")
Cost = tuple[int, int]
"""Calls, and tokens both ways."""


async def count_before(world: World) -> dict[str, Cost]:
    """Return what each question costs with the tools of before, by its class.

    Raises:
        AssertionError: a question was answered wrongly.
    """
    found: dict[str, Cost] = {}
    for question in (question for question in IN_ONE_CALL if question.had_a_way):
        entry = await ask(question, "earlier", world)
        assert entry.answer == entry.truth, f"{question.words} {entry.answer!r} is not {entry.truth!r}"
        found[type(question).__name__] = (entry.spent.calls, entry.spent.tokens)
    return found


def read_before() -> dict[str, Cost]:
    """Return what `count_before` does in the code of before, which git has."""
    root = Path(__file__).parents[2]
    listed = ["git", "archive", EARLIER, "server", "prompts"]
    archive = subprocess.run(listed, cwd=root, capture_output=True, check=True)
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        counting = [sys.executable, "-m", "tests.agents", "before"]
        env = {**os.environ, "PYTHONPATH": str(Path(folder, "server"))}
        done = subprocess.run(counting, cwd=root, env=env, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def saved_lines(before: Mapping[str, Cost], now: Mapping[str, Cost]) -> Iterator[str]:
    """Yield the lines of a table of both; the last sums up what could be answered before, too."""
    yield row_of(SAVED)
    yield row_of(("---", "---", "---:", "---:", "---:", "---:"))
    for question in IN_ONE_CALL:
        name = type(question).__name__
        then = [f"{number:,}" for number in before[name]] if name in before else ["no way", ""]
        yield row_of((question.words, question.data, *then, *(f"{number:,}" for number in now[name])))
    sums = [sum(costs[name][part] for name in before) for costs in (before, now) for part in (0, 1)]
    yield row_of(("all that could be answered before", "", *(f"{number:,}" for number in sums)))


def row_of(cells: Iterable[str]) -> str:
    """Return a line of a table."""
    return f"| {' | '.join(cells)} |"
