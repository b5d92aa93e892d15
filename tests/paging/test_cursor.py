"""Cursors: what goes in comes out, nothing else opens, and an agent can copy them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtrail.errors import CursorError, MalformedCursor, WrongCursor
from jobtrail.paging import Position, Trail
from jobtrail.paging.cursor import Cursor, seal, unseal

TEXT = st.text(max_size=40)
COUNT = st.integers(min_value=0, max_value=10**19)
ARGS = st.dictionaries(st.sampled_from(["job", "status", "since", "query", "sort"]), TEXT, max_size=4)
POSITIONS = st.builds(
    Position,
    st.text(max_size=60).filter(lambda text: "~" not in text[:1]),
    st.lists(
        st.one_of(TEXT.filter(lambda text: "~" not in text[:1]), st.integers(-(10**20), 10**20)), max_size=4
    ).map(tuple),
)
CURSORS = st.builds(
    Cursor,
    tool=st.just("list_runs"),
    source=TEXT,
    fingerprint=TEXT,
    minted=st.integers(min_value=0, max_value=2**40),
    args=ARGS,
    scanned=COUNT,
    matched=COUNT,
    position=POSITIONS,
    counted=COUNT,
    trail=st.builds(Trail, COUNT, COUNT),
    doubt=st.integers(0, 2),
)

TYPICAL = Cursor(
    tool="list_executions",
    source="blaxel",
    fingerprint="3fa9c1",
    minted=1_795_000_000,
    args={"job": "nightly-etl", "status": "failed,timeout", "since": "2026-11-22T14:00:00Z"},
    scanned=400,
    matched=20,
    position=Position("eyJvIjoyMDAsImgiOiI5ZjIifQ", (57, "exec-8c1f22ab", 1_795_000_000_000_000)),
    trail=Trail(3, 0xDEADBEEF),
)


@given(CURSORS)
def test_a_cursor_opens_to_what_was_sealed(cursor: Cursor) -> None:
    opened = unseal(seal(cursor), "list_runs")
    minted = cursor.minted if cursor.position.upstream else 0
    assert opened == replace(cursor, minted=minted)


@given(CURSORS)
def test_a_cursor_is_url_safe(cursor: Cursor) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_\-.~=]+", seal(cursor))


def test_a_typical_cursor_adds_under_120_characters_to_the_upstreams_own() -> None:
    assert len(seal(TYPICAL)) - len(TYPICAL.position.upstream) < 120


def test_a_cursor_of_another_tool_names_the_tool_it_continues() -> None:
    with pytest.raises(WrongCursor, match=r"call list_executions\(cursor=…\)"):
        unseal(seal(TYPICAL), "list_tasks")


def test_a_cursor_of_another_version_says_to_start_again() -> None:
    with pytest.raises(WrongCursor, match="another version"):
        unseal("2" + seal(TYPICAL)[1:], "list_executions")


def test_no_changed_character_goes_unnoticed() -> None:
    token = seal(TYPICAL)
    for place, character in enumerate(token):
        other = "A" if character != "A" else "B"
        with pytest.raises(CursorError):
            unseal(token[:place] + other + token[place + 1 :], "list_executions")


def test_no_shortened_cursor_opens() -> None:
    token = seal(TYPICAL)
    for length in range(len(token)):
        with pytest.raises(MalformedCursor):
            unseal(token[:length], "list_executions")


@given(st.text(max_size=300))
def test_no_text_but_a_cursor_opens(text: str) -> None:
    with pytest.raises(CursorError):
        unseal(text, "list_runs")
