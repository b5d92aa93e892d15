"""Searching lines: plain text and regular expressions, hostile ones among them."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

import anyio
import pytest

from jobtrail.errors import BadArgument
from jobtrail.logs.lines import LONGEST
from jobtrail.logs.search import SECONDS, compile_search

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.anyio

LONG = 8_191
TEXTS = ["Connection REFUSED by 10.0.0.5", "all well", "a|b (c)", "ΑΛΦΑ error"]
SLOW = "(?:a?){900}a{900}b"
HOSTILE = [
    *("(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*,){20}x$|(a*)*b", SLOW),
    *("(?:x{60000}){60000}", "((a{0,300}){0,300}){0,300}", "(?=(a+)+$)", r"(?:\pL{1,20}\pN{0,20}){1,5}$"),
    *(r"(?:[\w\d]|[^\W])+(?:[\w\s]{0,30}[^x]{0,30}){0,9}!!", "|".join(["a*"] * 90) + "z"),
]


async def found(search: str | None, texts: Sequence[str] = TEXTS) -> list[int]:
    return [index for index, place in enumerate(await compile_search(search)(texts)) if place is not None]


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
        ("/error|refused/i", [0, 3]),
        ("/", []),
        ("//x", []),
        ("/usr/bin", []),
        ("/error|refused/log", []),
        ("nothing like it", []),
    ],
)
async def test_text_is_found_in_any_case_and_expressions_between_slashes(
    search: str | None, lines: list[int]
) -> None:
    assert await found(search) == lines


@pytest.mark.parametrize("search", ["/φ. e/", "φα e"])
async def test_the_place_in_the_line_is_told_in_characters(search: str) -> None:
    assert await compile_search(search)(TEXTS) == [None, None, None, (2, 6)]


@pytest.mark.parametrize(
    ("search", "sentence"),
    [
        ("/(a/", "query='/(a/' cannot be searched for (missing ): (a): correct it, or give plain text"),
        ("/*/", "no argument for repetition operator: *): correct it, or give plain text"),
        ("/(?=a)b/", "(?=): lookaround and conditions are not supported; leave them out, or give plain text"),
        (r"/(a)\1/", r"\1): back-references, \Z and \u are not supported; leave them out"),
        ("/\udcff/", "invalid escape sequence"),
        ("/a{1001}/", "{1001}): no repeat may be over 1,000; write a smaller one, or * or +, or give plain text"),
        ("/a++/", "++): a repeat of a repeat, such as a++, is not supported; write one, or give plain text"),
        (r"/\pL{1000}/", "it takes too much memory; write fewer or smaller repeats, or give plain text"),
        ("//", "query='//' is an empty expression; give plain text, or /\\/\\// for slashes"),
        (
            "/a/m",
            "query='/a/m': an expression takes no flag but i; write (?m) or (?s) at its beginning, or leave out",
        ),
        ("/a/gi", "an expression takes no flag but i"),
        ("x" * 301, "query has 301 characters; give at most 300"),
    ],
)
async def test_what_is_not_supported_is_refused_with_the_reason_and_what_to_give(search: str, sentence: str) -> None:
    with pytest.raises(BadArgument) as refused:
        compile_search(search)
    assert sentence in str(refused.value)


@pytest.mark.parametrize("pattern", HOSTILE)
async def test_nothing_waits_for_a_hostile_expression(pattern: str) -> None:
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            ticks.append(anyio.current_time())
            await anyio.sleep(0.001)

    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        await anyio.sleep(0.01)
        with suppress(BadArgument):
            await found(f"/{pattern}/", ["a" * (LONG - 1) + "!", "a," * (LONG // 2), "x" * LONG])
        await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    # An expression that held the event loop would hold it for minutes.
    assert max(after - before for before, after in pairwise(ticks)) < 1


async def test_a_search_ends_when_its_time_is_up() -> None:
    find = compile_search(f"/{SLOW}/", seconds=0.1)
    with pytest.raises(BadArgument, match="takes too long; give a simpler expression, or plain text"):
        await find(["a" * LONG + "!"] * 1_000)


async def test_of_a_line_so_long_that_a_search_would_never_be_over_only_the_beginning_is_tried() -> None:
    began = anyio.current_time()
    with pytest.raises(BadArgument, match="takes too long; give a simpler expression, or plain text"):
        await found(f"/{SLOW}/", ["a" * LONGEST])
    assert anyio.current_time() - began < SECONDS
    assert await found("/a+!$/", ["a" * LONGEST, "a" * LONGEST + "!"]) == [1]


async def test_a_cancelled_search_ends_with_its_line() -> None:
    began = anyio.current_time()
    with anyio.move_on_after(0.1) as scope:
        await found(f"/{SLOW}/", ["a" * LONG + "!"] * 1_000)
    assert scope.cancelled_caught
    assert anyio.current_time() - began < 3
