"""The walker: every matching item exactly once, and coverage that is true."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtrail.errors import UnreadableAnswer, UpstreamFault
from jobtrail.models import Total
from jobtrail.paging import START, Batch, Budget, Chain, Edged, Listing, Spot, Walk, Walked, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass
class Numbers:
    """An upstream of numbers in pages; it fails on the fetches it is told to."""

    numbers: Sequence[int]
    page: int
    narrowed: bool = False
    fails_on: set[int] = field(default_factory=set[int])
    fetches: int = 0

    async def fetch(self, at: Spot, want: int) -> Batch[int]:
        self.fetches += 1
        if self.fetches in self.fails_on:
            raise UpstreamFault("numbers failed", retryable=True)
        start = int(at.detail[0]) if at.detail else 0
        end = min(start + min(want, self.page), len(self.numbers))

        def after(index: int) -> Spot:
            return Spot("", (start + index + 1,))

        return Batch(
            items=self.numbers[start:end],
            after=after,
            next=Spot("", (end,)) if end < len(self.numbers) else None,
            total=Total(value=len(self.numbers), kind="unfiltered"),
        )


def follow(listing: Listing[int], how: Walk[int]) -> list[Walked[int]]:
    """Walk to the end, one call after the other."""

    async def calls() -> list[Walked[int]]:
        pages: list[Walked[int]] = []
        spot: Spot | None = START
        while spot is not None:
            pages.append(await walk(listing, how, spot))
            spot = pages[-1].spot
            assert len(pages) < 10_000, "the walk does not end"
        return pages

    return anyio.run(calls)


def threes(number: int) -> bool:
    return number % 3 == 0


def every(_number: int) -> bool:
    return True


def none(_number: int) -> bool:
    return False


@given(
    count=st.integers(0, 120),
    page=st.integers(1, 50),
    limit=st.integers(1, 40),
    budget=st.integers(1, 60),
    keep=st.sampled_from([threes, every, none]),
)
def test_following_the_spots_yields_every_match_once(
    count: int, page: int, limit: int, budget: int, keep: Callable[[int], bool]
) -> None:
    numbers = list(range(count))
    pages = follow(Numbers(numbers, page), Walk(limit=limit, keep=keep, budget=Budget(items=budget)))
    assert [item for one in pages for item in one.items] == [number for number in numbers if keep(number)]
    assert sum(one.scanned for one in pages) == count
    assert sum(one.matched for one in pages) == len([number for number in numbers if keep(number)])
    assert all(len(one.items) <= limit for one in pages)


@given(count=st.integers(0, 60), page=st.integers(1, 20), limit=st.integers(1, 20), edge=st.integers(0, 70))
def test_a_walk_ends_at_the_edge_and_matches_nothing_past_it(count: int, page: int, limit: int, edge: int) -> None:
    listing = Edged(Numbers(list(range(count)), page), lambda number: number >= edge)
    pages = follow(listing, Walk(limit=limit))
    assert [item for one in pages for item in one.items] == list(range(min(count, edge)))


@given(sizes=st.lists(st.integers(0, 30), min_size=1, max_size=4), page=st.integers(1, 10), limit=st.integers(1, 20))
def test_a_chain_is_its_parts_one_after_the_other(sizes: list[int], page: int, limit: int) -> None:
    parts = [[100 * number + value for value in range(size)] for number, size in enumerate(sizes)]
    pages = follow(Chain({str(number): Numbers(part, page) for number, part in enumerate(parts)}), Walk(limit=limit))
    assert [item for one in pages for item in one.items] == [item for part in parts for item in part]


def test_a_part_that_goes_or_comes_during_a_walk_of_a_chain_costs_no_other_part_an_item() -> None:
    parts: dict[str, Listing[int]] = {name: Numbers(list(range(10)), page=10) for name in "bcd"}
    first = anyio.run(walk, Chain(parts), Walk[int](limit=14))
    gone = {name: part for name, part in parts.items() if name != "b"}
    come = {**parts, "a": Numbers(list(range(10)), page=10)}
    for changed in (gone, come):
        assert first.spot is not None
        rest = anyio.run(walk, Chain(changed), Walk[int](limit=100), first.spot)
        assert rest.items == [*range(4, 10), *range(10)]
        assert rest.spot is None


def test_the_last_match_ends_the_walk_when_the_rest_of_its_page_has_none() -> None:
    pages = follow(Numbers([3, 1, 1, 1], page=10), Walk(limit=1, keep=threes))
    assert len(pages) == 1
    assert pages[0].spot is None
    assert pages[0].scanned == 4


def test_a_narrowed_listing_is_asked_for_no_more_than_the_limit() -> None:
    listing = Numbers(list(range(100)), page=50, narrowed=True)
    walked = anyio.run(walk, listing, Walk[int](limit=7))
    assert walked.scanned == 7
    assert listing.fetches == 1


def test_an_upstream_that_fails_on_the_way_leaves_a_partial_answer_that_can_be_continued() -> None:
    listing = Numbers(list(range(30)), page=10, fails_on={2})
    pages = follow(listing, Walk(limit=25))
    assert [len(one.items) for one in pages] == [10, 20]
    assert "stopped early: numbers failed" in pages[0].notes[0]


def test_an_upstream_that_fails_at_once_is_an_error() -> None:
    with pytest.raises(UpstreamFault):
        anyio.run(walk, Numbers([1], page=10, fails_on={1}), Walk[int](limit=25))


def test_an_upstream_that_hands_back_the_same_cursor_is_found_out() -> None:
    class Circle(Numbers):
        async def fetch(self, at: Spot, want: int) -> Batch[int]:
            return Batch([1], lambda _index: Spot("same"), Spot("same"), Total(kind="unknown"))

    with pytest.raises(UnreadableAnswer, match="paging would not end"):
        anyio.run(walk, Circle([], page=1), Walk[int](limit=5), Spot("same"))


def test_progress_is_told_after_every_page() -> None:
    told: list[tuple[int, int]] = []

    async def progress(scanned: int, matched: int) -> None:
        told.append((scanned, matched))

    anyio.run(walk, Numbers(list(range(25)), page=10), Walk[int](limit=100, keep=threes, progress=progress))
    assert told == [(10, 4), (20, 7), (25, 9)]
