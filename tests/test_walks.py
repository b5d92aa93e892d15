"""Walks over the real listings of both upstreams, against a model: whatever happens, each match exactly once."""

from __future__ import annotations

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from jobtrail.paging import Budget
from jobtrail.sources.base import Ask, Sort
from tests.rows import Agent, Change, Row, Rows, rows_of, window

ASKS = st.builds(
    Ask,
    sort=st.builds(Sort, st.just("created_at"), st.booleans()),
    # RunWisp cannot search for an underscore: with one, the walk filters and reads large pages, without, small ones.
    query=st.sampled_from([None, "_"]),
    window=st.one_of(st.none(), st.builds(window, st.integers(1, 60), st.one_of(st.none(), st.integers(30, 150)))),
)
ROWS = st.lists(st.integers(0, 3), max_size=90).map(rows_of)
BUDGETS = st.builds(Budget, items=st.one_of(st.integers(1, 6), st.integers(1, 60)), tokens=st.integers(1, 40))
MATCHING = st.frozensets(st.integers(0, 6))
FAULTS = st.frozensets(st.integers(1, 60), max_size=12)
CHANGES = st.lists(
    st.builds(Change, st.integers(0, 15), st.lists(st.integers(0, 100), max_size=3).map(tuple)), max_size=6
)


@settings(max_examples=200, deadline=None)
@given(
    kind=st.sampled_from(["blaxel", "runwisp"]),
    rows=ROWS,
    largest=st.integers(2, 20),
    ask=ASKS,
    matching=MATCHING,
    limit=st.integers(1, 25),
    budget=BUDGETS,
    faults=FAULTS,
    changes=CHANGES,
)
def test_following_cursors_lists_each_match_exactly_once_and_every_page_tells_the_truth(
    kind: str,
    rows: list[Row],
    largest: int,
    ask: Ask,
    matching: frozenset[int],
    limit: int,
    budget: Budget,
    faults: frozenset[int],
    changes: list[Change],
) -> None:
    upstream = Rows(kind, rows, largest, faults)
    agent = Agent([upstream], ask, matching, limit, budget, changes)
    anyio.run(agent.follow)
    assert {row for row in agent.throughout if agent.wanted(row)} <= set(agent.listed)
    assert all(agent.wanted(row) for row in agent.listed)
    if all(page.exact for page in agent.pages):
        assert len(agent.listed) == len(set(agent.listed))
    assert upstream.most <= 4


@settings(max_examples=100, deadline=None)
@given(
    kind=st.sampled_from(["blaxel", "runwisp"]),
    rows=ROWS,
    largest=st.integers(2, 20),
    descending=st.booleans(),
    query=st.sampled_from([None, "_"]),
    matching=MATCHING,
    limit=st.integers(1, 25),
    budget=BUDGETS,
    faults=FAULTS,
)
def test_where_nothing_changes_every_row_is_scanned_once_and_in_order(
    kind: str,
    rows: list[Row],
    largest: int,
    descending: bool,
    query: str | None,
    matching: frozenset[int],
    limit: int,
    budget: Budget,
    faults: frozenset[int],
) -> None:
    ask = Ask(Sort("created_at", descending), query)
    agent = Agent([Rows(kind, rows, largest, faults)], ask, matching, limit, budget)
    anyio.run(agent.follow)
    assert sum(page.scanned for page in agent.pages) == len(rows)
    minutes = [row.minute for row in agent.listed]
    assert minutes == sorted(minutes, reverse=descending)
    assert sorted(agent.listed, key=lambda row: row.number) == [row for row in rows if agent.wanted(row)]
    assert all(page.exact for page in agent.pages)


@settings(max_examples=200, deadline=None)
@given(
    gaps=st.lists(st.sampled_from([0, 1, 1, 1, 2, 40]), min_size=20, max_size=200),
    largest=st.integers(3, 20),
    since=st.one_of(st.none(), st.integers(0, 150)),
    budget=st.integers(40, 300),
    faults=FAULTS,
)
def test_key_ranges_that_are_read_at_the_same_time_hand_out_every_run_once_and_none_outside_the_window(
    gaps: list[int], largest: int, since: int | None, budget: int, faults: frozenset[int]
) -> None:
    rows = rows_of(gaps)
    upstream = Rows("runwisp", rows, largest, faults)
    ask = Ask(Sort("created_at", descending=True), "_", window=None if since is None else window(since))
    agent = Agent([upstream], ask, frozenset(range(7)), 500, Budget(items=budget))
    anyio.run(agent.follow)
    inside = [row for row in rows if agent.wanted(row)]
    assert sorted(agent.listed, key=lambda row: row.number) == inside
    assert sum(page.scanned for page in agent.pages) == len(inside)
    assert [row.minute for row in agent.listed] == sorted((row.minute for row in inside), reverse=True)
    assert upstream.most <= 4
