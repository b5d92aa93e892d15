"""Several listings as one: in one order of time, each item once, and a part that fails only its own loss."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobtrail.errors import CursorError, ExpiredCursor, JobtrailError, UnknownName, Unreachable, UpstreamFault
from jobtrail.models import Total
from jobtrail.paging import AT_ONCE, NEWEST_FIRST, START, Budget, FetchedPage, Merged, Position, Traits, Walk, walk
from jobtrail.paging.cursor import Cursor, seal
from tests.paging.changing_lists import BEGIN, copied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobtrail.paging import Walked


@dataclass(frozen=True)
class Item:
    """What a part lists."""

    id: str
    minute: int | None

    @property
    def created_at(self) -> datetime | None:
        return None if self.minute is None else BEGIN + timedelta(minutes=self.minute)


@dataclass
class Part:
    """A listing in memory, in pages of ten; it meets requests as it is told to.

    Attributes:
        items: newest first.
        error: what every request meets.
        age: grows when it forgets the cursors it gave.
        hangs: whether it never answers.
        crowd: counts the requests that are being answered, in all parts that share it.
    """

    items: Sequence[Item]
    error: JobtrailError | None = None
    age: int = 0
    hangs: bool = False
    fetches: int = 0
    crowd: list[int] = field(default_factory=lambda: [0, 0])
    traits = Traits(NEWEST_FIRST, 10, frozenset({"query"}))

    async def fetch(self, at: Position, want: int) -> FetchedPage[Item]:
        self.fetches += 1
        if self.hangs:
            await anyio.sleep_forever()
        self.crowd[0] += 1
        self.crowd[1] = max(self.crowd)
        await anyio.lowlevel.checkpoint()
        self.crowd[0] -= 1
        if self.error:
            raise self.error
        age, _, begin = (at.upstream or f"{self.age}-0").partition("-")
        if int(age) != self.age:
            raise ExpiredCursor("it no longer takes the cursor of this walk")
        start = int(begin)
        page = self.items[start : start + min(want, 10)]
        end = start + len(page)
        return FetchedPage(
            items=page,
            after=lambda index: Position(at.upstream, (index,)),
            next=Position(f"{self.age}-{end}") if end < len(self.items) else None,
            total=Total(kind="unknown"),
        )


def part(name: str, *minutes: int | None) -> Part:
    """Return a part of items created in these minutes."""
    return Part([Item(f"{name}{number}", minute) for number, minute in enumerate(minutes)])


FAULT = UpstreamFault("it failed")


def call(parts: dict[str, Part], at: Position = START, limit: int = 100, seconds: float = 5.0) -> Walked[Item]:
    """Make one call of a walk, as a tool does: over a new listing."""

    async def walked() -> Walked[Item]:
        merged = Merged(parts, upstream_of=lambda key: key[0])
        with anyio.fail_after(10):
            return await walk(merged, Walk(limit=limit, budget=Budget(seconds=seconds)), copied(at))

    return anyio.run(walked)


def ids(walked: Walked[Item]) -> list[str]:
    return [item.id for item in walked.items]


def test_a_part_that_fails_is_reported_beside_the_others_and_comes_first_in_the_next_call() -> None:
    parts = {"a": part("a", 9, 7, 5), "b": part("b", 8, 6, 4), "c": part("c", 3)}
    parts["b"].error = FAULT
    first = call(parts)
    assert ids(first) == ["a0", "a1", "a2", "c0"]
    assert first.failed == {"b": FAULT}
    assert parts["b"].fetches == 1
    parts["b"].error = None
    assert first.position is not None
    rest = call(parts, first.position)
    assert (ids(rest), rest.position, rest.failed) == (["b0", "b1", "b2"], None, {})


def test_where_no_part_can_be_read_that_is_an_error() -> None:
    parts = {"a": part("a", 1), "b": part("b", 2)}
    parts["a"].error = parts["b"].error = FAULT
    with pytest.raises(UpstreamFault, match="it failed"):
        call(parts)


def test_a_part_that_is_gone_is_reported_and_not_waited_for() -> None:
    parts = {"a": part("a", 1), "b": part("b", 2)}
    parts["b"].error = UnknownName("b does not exist")
    walked = call(parts)
    assert (ids(walked), walked.position, list(walked.failed)) == (["a0"], None, ["b"])


def test_a_part_that_hangs_does_not_keep_the_others_from_being_answered() -> None:
    parts = {"a1": part("a", 9, 7), "b1": part("b", 8, 6)}
    parts["b1"].hangs = True
    walked = call(parts, seconds=0.5)
    assert ids(walked) == ["a0", "a1"]
    assert "b1 did not answer in time" in str(walked.failed["b1"])
    parts["b1"].hangs = False
    assert walked.position is not None
    assert ids(call(parts, walked.position)) == ["b0", "b1"]


def test_once_a_source_cannot_be_reached_the_rest_of_its_parts_are_not_tried() -> None:
    parts = {f"{source}{number}": part(source, number) for source in "ab" for number in range(20)}
    for number in range(20):
        parts[f"b{number}"].error = Unreachable("b cannot be reached")
    walked = call(parts)
    assert len(walked.items) == 20
    assert len(walked.failed) == 20
    assert sum(parts[f"b{number}"].fetches for number in range(20)) <= AT_ONCE


def test_each_source_is_sent_a_few_requests_at_a_time() -> None:
    crowds = {"a": [0, 0], "b": [0, 0]}
    parts = {f"{source}{number}": part(source, number) for source in "ab" for number in range(20)}
    for key, one in parts.items():
        one.crowd = crowds[key[0]]
    call(parts)
    assert [crowd[1] for crowd in crowds.values()] == [AT_ONCE, AT_ONCE]


def test_the_pages_that_are_needed_next_are_read_side_by_side_and_none_twice_or_in_vain() -> None:
    crowd = [0, 0]
    parts = {name: part(name, *range(60, 0, -1)) for name in "abcd"}
    for one in parts.values():
        one.crowd = crowd
    first: list[int] = []

    async def progress(walked: Walked[Item]) -> None:
        # The first pages of all parts are behind it now.
        first.append(walked.scanned)
        if len(first) == 1:
            crowd[1] = 0

    walked = anyio.run(walk, Merged(parts), Walk[Item](limit=240, progress=progress))
    assert len(walked.items) == 240
    assert crowd[1] == AT_ONCE
    assert [one.fetches for one in parts.values()] == [6] * 4


def test_a_page_that_the_upstream_has_forgotten_is_found_again_by_time() -> None:
    parts = {"a": part("a", *range(60, 0, -2)), "b": part("b", *range(59, 0, -2))}
    first = call(parts, limit=30)
    assert first.position is not None
    for one in parts.values():
        one.age += 1
    second = call(parts, first.position, limit=4)
    assert ids(second) == ["a15", "b15", "a16", "b16"]


def test_a_part_whose_cursors_go_round_fails_alone() -> None:
    class Round(Part):
        async def fetch(self, at: Position, want: int) -> FetchedPage[Item]:
            return replace(await super().fetch(at, want), next=Position("0-10"))

    parts: dict[str, Part] = {"a": part("a", *range(40, 0, -2)), "b": Round(part("b", *range(39, 0, -2)).items)}
    walked = call(parts)
    assert [one for one in ids(walked) if one[0] == "a"] == [f"a{number}" for number in range(20)]
    assert [one for one in ids(walked) if one[0] == "b"] == [f"b{number}" for number in range(10)]
    assert "paging would never end" in str(walked.failed["b"])


def test_parts_that_come_and_go_cost_the_others_no_item() -> None:
    parts = {name: part(name, *range(9, 0, -1)) for name in "abc"}
    first = call(parts, limit=10)
    assert first.position is not None
    changed = {"b": parts["b"], "c": parts["c"], "d": part("d", 99, 1)}
    rest = call(changed, first.position)
    seen = [*ids(first), *ids(rest)]
    assert sorted(one for one in seen if one[0] in "bc") == sorted(
        f"{name}{number}" for name in "bc" for number in range(9)
    )
    assert "d1" in seen
    assert rest.position is None


def test_items_without_a_time_stay_by_their_neighbours() -> None:
    parts = {"a": part("a", None, 9, None, 5), "b": part("b", 8, 7, None)}
    seen: list[str] = []
    position: Position | None = START
    while position is not None:
        walked = call(parts, position, limit=1)
        seen += ids(walked)
        position = walked.position
    assert seen == ["a0", "a1", "a2", "b0", "b1", "b2", "a3"]


def test_a_cursor_through_200_listings_is_short() -> None:
    parts = {f"prod/job-{number}": part("x", *range(number, 0, -25)) for number in range(200)}
    walked = call(parts, limit=100)
    assert walked.position is not None
    sealed = seal(
        Cursor("find_failures", "*", "3fa9c1", 0, {"since": "2026-11-22T14:00:00Z"}, 100, 100, walked.position)
    )
    assert len(sealed) <= 200


def test_parts_that_have_ended_are_not_asked_again() -> None:
    parts = {"a": part("a", 9), "b": part("b", *range(8, 0, -1)), "c": part("c")}
    first = call(parts, limit=3)
    assert first.position is not None
    call(parts, first.position)
    assert [parts[name].fetches for name in "abc"] == [1, 2, 1]


PIECES = st.one_of(st.integers(-(10**19), 10**19), st.integers(0, 3), st.sampled_from(["", "a", "b", "0-10", "a0"]))


@given(st.lists(PIECES, max_size=14).map(tuple))
@example((1, "", 1, "a"))
@example((1, "", 10**9))
@example((1, "", 0, "a", 1, "", 3))
@example((1, "zz", 0, "a", 1, "0-10", 2, "b", 0))
def test_a_forged_place_is_refused_or_read_and_never_crashes(detail: tuple[str | int, ...]) -> None:
    parts = {"a": part("a", 2), "b": part("b", 1)}
    with suppress(CursorError):
        assert len(call(parts, Position("", detail)).items) <= 2
