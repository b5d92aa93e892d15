"""Walks over the real listings of all upstreams, alone, chained and merged, while these change and fail."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from jobtrail.paging import Budget, Sort
from jobtrail.sources.list_options import ListOptions
from tests.hypothesis_profiles import scale_examples
from tests.paging.changing_lists import KINDS, Agent, Change, Rows, rows_of, window

if TYPE_CHECKING:
    from tests.paging.changing_lists import Row

GAPS = st.one_of(
    st.lists(st.integers(0, 3), max_size=40),
    st.lists(st.sampled_from([0, 1, 1, 1, 2, 40]), min_size=20, max_size=150),
)
SORTS = st.builds(Sort, st.just("created_at"), st.booleans())
WINDOWS = st.builds(window, st.integers(1, 60), st.one_of(st.none(), st.integers(30, 150)))
# RunWisp cannot search for an underscore: with one, the walk filters and reads large pages, without, small ones.
ASKS = st.builds(
    ListOptions, sort=SORTS, query=st.sampled_from([None, "_"]), window=st.one_of(st.none(), st.none(), WINDOWS)
)
FAULTS = st.frozensets(st.integers(1, 60), max_size=12)
BUDGETS = st.builds(
    Budget,
    items=st.one_of(st.integers(1, 6), st.integers(1, 300)),
    tokens=st.one_of(st.integers(1, 60), st.just(2_000)),
)
CHANGES = st.lists(
    st.builds(Change, st.integers(0, 9), st.lists(st.integers(0, 100), max_size=4).map(tuple)), min_size=1, max_size=8
)


@st.composite
def agents(draw: st.DrawFn) -> Agent:
    """Return an agent before one to four upstreams, each of some kind, whose rows have numbers of their own."""
    failing = draw(st.booleans())
    upstreams = [
        Rows(
            draw(st.sampled_from(KINDS)),
            [replace(row, number=row.number + 1_000 * place) for row in rows_of(draw(GAPS))],
            draw(st.integers(2, 20)),
            draw(FAULTS) if failing else frozenset(),
        )
        for place in range(draw(st.sampled_from([1, 1, 1, 2, 4])))
    ]
    return Agent(
        upstreams,
        draw(ASKS),
        matching=draw(st.one_of(st.just(frozenset(range(7))), st.frozensets(st.integers(0, 6)))),
        limit=draw(st.one_of(st.integers(1, 9), st.integers(10, 25), st.just(500))),
        budget=draw(BUDGETS),
        changes=draw(CHANGES) if draw(st.booleans()) else [],
        chained=draw(st.booleans()),
    )


def are_in_order(rows: list[Row], agent: Agent) -> bool:
    """Return whether rows are in the order of time; in a chain, one part after the other."""
    way = -1 if agent.options.sort.descending else 1
    places = [(row.number // 1_000 if agent.chained else 0, way * row.minute) for row in rows]
    return places == sorted(places)


@settings(max_examples=scale_examples(300))
@given(agents())
def test_following_cursors_lists_each_match_exactly_once_and_every_page_tells_the_truth(agent: Agent) -> None:
    changing, rows = bool(agent.changes), sum(len(upstream.rows) for upstream in agent.upstreams)
    anyio.run(agent.follow)
    assert {row for row in agent.throughout if agent.wanted(row)} <= set(agent.listed)
    assert all(agent.wanted(row) for row in agent.listed)
    assert all(upstream.most <= 4 for upstream in agent.upstreams)
    exact = all(page.exact for page in agent.pages)
    assert exact or changing
    if exact:
        assert len(agent.listed) == len(set(agent.listed))
    if agent.in_one_order:
        assert all(are_in_order([agent.known[item.id] for item in page.items], agent) for page in agent.pages)
    # A merged walk leaves a part that failed behind, and looks again at where the others stand.
    failing = len(agent.upstreams) > 1 and any(upstream.faults for upstream in agent.upstreams)
    if not changing and not failing:
        assert are_in_order(agent.listed, agent)
        assert agent.options.window or sum(page.scanned for page in agent.pages) == rows
