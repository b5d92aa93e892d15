"""Searching lines: plain text and regular expressions, hostile ones among them."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from jobtrail.errors import BadArgument
from jobtrail.logsearch import finding

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.anyio

TEXTS = ["Connection REFUSED by 10.0.0.5", "all well", "a|b (c)", "ΑΛΦΑ error"]
HOSTILE = ["(a+)+$", "(a|a)*$", "(a|aa)+$", "(?=(a+)+$)", "(?:a?){8000}a{8000}b", "(.*,){20}x$|(a*)*b"]


async def found(search: str | None, texts: Sequence[str] = TEXTS) -> list[int]:
    async with finding(search) as find:
        return [index for index, place in enumerate(await find(texts)) if place is not None]


@pytest.mark.parametrize(
    ("search", "lines"),
    [
        (None, [0, 1, 2, 3]),
        ("refused", [0]),
        ("A|B (", [2]),
        ("error|refused", []),
        ("/error|refused/", [0, 3]),
        ("/^a/", [1, 2]),
        (r"/\d+(\.\d+){3}$/", [0]),
        ("/αλφα/", [3]),
        ("/(?-i:refused)/", []),
        (f"/{'(' * 140}^a{')' * 140}/", [1, 2]),
        ("//", []),
        ("/", []),
        ("nothing like it", []),
    ],
)
async def test_text_is_found_in_any_case_and_expressions_between_slashes(
    search: str | None, lines: list[int]
) -> None:
    assert await found(search) == lines


async def test_the_place_in_the_line_is_told() -> None:
    async with finding("/re.used/") as find:
        assert await find(TEXTS) == [[11, 18], None, None, None]
    async with finding("refused") as find:
        assert await find(TEXTS) == [(11, 18), None, None, None]


async def test_batches_are_searched_one_after_the_other() -> None:
    async with finding("/x$/") as find:
        assert [await find([f"{number}x", "y" * 8_000]) for number in range(3)] == [
            [[1, 2], None],
            [[1, 2], None],
            [[1, 2], None],
        ]


@pytest.mark.parametrize(
    ("search", "sentence"),
    [
        ("/(a/", "no regular expression: missing ), unterminated subpattern at position 0"),
        ("/*/", "no regular expression: nothing to repeat"),
        (r"/a{99999999999999999999}/", "no regular expression"),
        ("x" * 301, "search has 301 characters; give at most 300"),
    ],
)
async def test_what_is_no_expression_is_refused_with_the_reason(search: str, sentence: str) -> None:
    with pytest.raises(BadArgument) as refused:
        await found(search)
    assert sentence in str(refused.value)


def children() -> set[int]:
    """Return the processes that this one has started and that still are."""
    found: set[int] = set()
    for thread in Path("/proc/self/task").iterdir():
        # A thread may end between being listed and being looked at; its children are another's then.
        with suppress(FileNotFoundError, ProcessLookupError):
            found |= {int(pid) for pid in (thread / "children").read_text().split()}
    return found


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells which processes there are")


@on_linux
@pytest.mark.parametrize("pattern", HOSTILE)
async def test_an_expression_that_never_ends_is_given_up_and_nothing_else_waits_for_it(pattern: str) -> None:
    before, ticks = children(), 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await anyio.sleep(0.01)
            ticks += 1

    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        with pytest.raises(BadArgument, match="takes too long"):
            async with finding(f"/{pattern}/", seconds=0.3) as find:
                await find(["a" * 8_000 + "!", "a," * 4_000])
        group.cancel_scope.cancel()
    assert ticks >= 10
    assert children() == before


@on_linux
async def test_a_cancelled_search_ends_its_process_at_once() -> None:
    before, began = children(), anyio.current_time()
    with anyio.move_on_after(0.3) as scope:
        async with finding("/(a+)+$/") as find:
            await find(["a" * 8_000 + "!"])
    assert scope.cancelled_caught
    assert anyio.current_time() - began < 3
    assert children() == before


@on_linux
async def test_a_search_whose_process_dies_is_refused() -> None:
    before = children()
    async with finding("/a/") as find:
        for pid in children() - before:
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(BadArgument, match="too long or too much memory"):
            await find(TEXTS)


async def test_the_process_says_nothing_of_what_it_was_not_asked(capfd: pytest.CaptureFixture[str]) -> None:
    assert await found("/[[a]/", ["[a"]) == [0]
    assert capfd.readouterr() == ("", "")
