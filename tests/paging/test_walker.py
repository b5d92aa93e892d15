"""The walker: every matching item exactly once, and coverage that is true."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtrail.errors import Unreachable, UnreadableAnswer, UpstreamFault
from jobtrail.models import Total
from jobtrail.paging import (
    START,
    Budget,
    Chain,
    FetchedPage,
    Listing,
    Position,
    Trail,
    Traits,
    Walk,
    Walked,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

SEARCHED_HERE = Traits(None, 50, frozenset({"query"}))


@dataclass
class Numbers:
    """An upstream of numbers in pages; it fails on the fetches it is told to."""

    numbers: Sequence[int]
    page: int
    traits: Traits = SEARCHED_HERE
    fails_on: set[int] = field(default_factory=set[int])
    fetches: int = 0

    async def fetch(self, at: Position, want: int) -> FetchedPage[int]:
        self.fetches += 1
        if self.fetches in self.fails_on:
            raise UpstreamFault("numbers failed", retryable=True)
        start = int(at.detail[0]) if at.detail else 0
        end = min(start + min(want, self.page), len(self.numbers))

        def after(index: int) -> Position:
            return Position("", (start + index + 1,))

        return FetchedPage(
            items=self.numbers[start:end],
            after=after,
            next=Position("", (end,)) if end < len(self.numbers) else None,
            total=Total(value=len(self.numbers), kind="unfiltered"),
        )


def follow(listing: Listing[int], how: Walk[int]) -> list[Walked[int]]:
    """Walk to the end, one call after the other."""

    async def calls() -> list[Walked[int]]:
        pages: list[Walked[int]] = []
        position: Position | None = START
        while position is not None:
            pages.append(await walk(listing, how, position))
            position = pages[-1].position
            assert len(pages) < 10_000, "the walk does not end"
        return pages

    return anyio.run(calls)


def threes(number: int) -> bool:
    return number % 3 == 0


def test_a_part_that_goes_or_comes_during_a_walk_of_a_chain_costs_no_other_part_an_item() -> None:
    parts: dict[str, Listing[int]] = {name: Numbers(list(range(10)), page=10) for name in "bcd"}
    first = anyio.run(walk, Chain(parts), Walk[int](limit=14))
    gone = {name: part for name, part in parts.items() if name != "b"}
    come = {**parts, "a": Numbers(list(range(10)), page=10)}
    for changed in (gone, come):
        assert first.position is not None
        rest = anyio.run(walk, Chain(changed), Walk[int](limit=100), first.position)
        assert rest.items == [*range(4, 10), *range(10)]
        assert rest.position is None


def test_the_last_match_ends_the_walk_when_the_rest_of_its_page_has_none() -> None:
    pages = follow(Numbers([3, 1, 1, 1], page=10), Walk(limit=1, keep=threes))
    assert len(pages) == 1
    assert pages[0].position is None
    assert pages[0].scanned == 4


def test_a_listing_that_filters_itself_is_asked_for_no_more_than_the_limit() -> None:
    listing = Numbers(list(range(100)), page=50, traits=Traits(None, 50))
    walked = anyio.run(walk, listing, Walk[int](limit=7))
    assert walked.scanned == 7
    assert listing.fetches == 1


def test_an_upstream_that_fails_on_the_way_leaves_a_partial_answer_that_can_be_continued() -> None:
    listing = Numbers(list(range(30)), page=10, fails_on={2})
    pages = follow(listing, Walk(limit=25))
    assert [len(one.items) for one in pages] == [10, 20]
    assert "stopped early: numbers failed" in str(pages[0].notes[0])


def test_an_upstream_that_fails_at_once_is_an_error() -> None:
    with pytest.raises(UpstreamFault):
        anyio.run(walk, Numbers([1], page=10, fails_on={1}), Walk[int](limit=25))


@dataclass
class Round:
    """An upstream whose cursors go round: page i of three numbers leads to the page that it is told to."""

    leads: Sequence[int]
    fetches: int = 0
    traits = Traits(None, 3)

    async def fetch(self, at: Position, want: int) -> FetchedPage[int]:
        self.fetches += 1
        number = int(at.upstream or 0)
        done = int(at.detail[0]) if at.detail else 0
        return FetchedPage(
            items=[number * 3 + index for index in range(done, 3)],
            after=lambda index: Position(at.upstream, (done + index + 1,)),
            next=Position(str(self.leads[number])),
            total=Total(kind="unknown"),
        )


GIVEN_BEFORE = "handed back a cursor that it had given before, so paging would never end"


@pytest.mark.parametrize("leads", [[1, 1], [1, 2, 1], [1, 2, 3, 4, 2], [*range(1, 30), 7]])
def test_cursors_that_go_round_are_told_before_anything_is_read_twice(leads: list[int]) -> None:
    listing = Round(leads)
    walked = anyio.run(walk, listing, Walk[int](limit=1_000))
    assert walked.items == list(range(3 * (len(leads) - 1)))
    assert GIVEN_BEFORE in str(walked.notes[0])
    assert listing.fetches == len(leads)
    assert walked.position is not None
    with pytest.raises(UnreadableAnswer, match=GIVEN_BEFORE):
        anyio.run(walk, listing, Walk[int](limit=1_000, trail=walked.trail), walked.position)


@given(before=st.integers(1, 12), circle=st.integers(1, 12), limit=st.integers(1, 10))
def test_cursors_that_go_round_over_many_calls_are_told_after_a_few_rounds(
    before: int, circle: int, limit: int
) -> None:
    pages = before + circle
    listing = Round([*range(1, pages), before])

    async def calls() -> None:
        position, trail = START, Trail()
        while listing.fetches < 1_000:
            walked = await walk(listing, Walk[int](limit=limit, trail=trail), position)
            assert walked.position is not None
            position, trail = walked.position, walked.trail

    with pytest.raises(UnreadableAnswer, match=GIVEN_BEFORE):
        anyio.run(calls)
    # Each page may be read again for every row on it.
    assert listing.fetches <= 4 * 3 * pages + 4


def test_a_cursor_that_stands_in_the_middle_of_a_page_does_not_hide_that_the_page_comes_again() -> None:
    listing = Round([1, 2, 1])
    walked = anyio.run(walk, listing, Walk[int](limit=1_000), Position("1", (2,)))
    assert walked.items == [5]
    assert GIVEN_BEFORE in str(walked.notes[0])


@dataclass
class Hanging(Numbers):
    """An upstream that never answers the fetches it is told to."""

    hangs_on: set[int] = field(default_factory=set[int])
    abandoned: int = 0

    async def fetch(self, at: Position, want: int) -> FetchedPage[int]:
        if self.fetches + 1 in self.hangs_on:
            try:
                await anyio.sleep_forever()
            finally:
                self.abandoned += 1
        return await super().fetch(at, want)


SHORT = Budget(seconds=0.05)


async def in_time(listing: Listing[int], how: Walk[int], at: Position = START) -> Walked[int]:
    with anyio.fail_after(5):
        return await walk(listing, how, at)


def test_a_page_that_hangs_past_the_deadline_is_abandoned_and_what_was_read_is_kept() -> None:
    listing = Hanging(list(range(30)), page=10, hangs_on={3})
    walked = anyio.run(in_time, listing, Walk[int](limit=100, budget=SHORT))
    assert walked.items == list(range(20))
    assert listing.abandoned == 1
    assert "stopped early: the upstream had not answered when the 0.05 s of this call were over" in str(
        walked.notes[0]
    )
    listing.hangs_on = set()
    assert walked.position is not None
    assert anyio.run(in_time, listing, Walk[int](limit=100), walked.position).items == list(range(20, 30))


def test_a_first_page_that_hangs_past_the_deadline_is_an_error_that_names_the_upstream() -> None:
    listing = Hanging([1], page=10, hangs_on={1})
    with pytest.raises(Unreachable, match="source 'cron' had not answered"):
        anyio.run(in_time, listing, Walk[int](limit=100, budget=SHORT, subject="source 'cron'"))
    assert listing.abandoned == 1


def test_the_default_budget_ends_well_before_a_desktop_client_gives_up() -> None:
    assert Budget().seconds <= 30


@given(count=st.integers(0, 60), page=st.integers(1, 20), limit=st.integers(1, 30), room=st.integers(1, 50))
def test_a_page_ends_before_the_row_that_would_pass_its_tokens(count: int, page: int, limit: int, room: int) -> None:
    numbers = list(range(count))
    pages = follow(Numbers(numbers, page), Walk(limit=limit, cost=costs, budget=Budget(tokens=room)))
    assert [item for one in pages for item in one.items] == numbers
    for one, following in pairwise(pages):
        spent = sum(map(costs, one.items))
        assert spent <= room or len(one.items) == 1
        cut = len(one.items) < limit
        assert not cut or spent + costs(following.items[0]) > room
        assert cut == any(f"stopped at {len(one.items)} of {limit} rows" in str(note) for note in one.notes)


@given(count=st.integers(0, 60), page=st.integers(1, 20), limit=st.integers(1, 30), room=st.integers(1, 50))
def test_no_match_is_measured_twice_in_a_call(count: int, page: int, limit: int, room: int) -> None:
    measured: list[int] = []

    def cost(number: int) -> int:
        measured.append(number)
        return costs(number)

    how = Walk[int](limit=limit, keep=threes, cost=cost, budget=Budget(tokens=room))
    walked = anyio.run(walk, Numbers(list(range(count)), page), how)
    assert len(measured) == len(set(measured)) <= len(walked.items) + 1


def costs(number: int) -> int:
    return number % 7


def test_progress_grows_with_every_report_and_says_how_far_it_has_come() -> None:
    told: list[tuple[int, int, int | None]] = []

    async def progress(walked: Walked[int]) -> None:
        told.append((walked.scanned, walked.matched, walked.last))

    parts: dict[str, Listing[int]] = {
        "a": Numbers(list(range(25)), page=10),
        "b": Numbers([], page=10),
        "c": Numbers([7], page=10),
    }
    anyio.run(walk, Chain(parts), Walk[int](limit=100, keep=threes, progress=progress))
    assert told == [(10, 4, 9), (20, 7, 19), (25, 9, 24), (26, 9, 7)]
