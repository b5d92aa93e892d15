"""Texts that are not ours, shown on one line, and counts of things."""

from __future__ import annotations

import pytest

from jobtrail.text import count_noun, find_closest, show_text


@pytest.mark.parametrize(
    ("text", "shown"), [("etl", "etl"), ("\0", r"\x00"), ("\u202e\u200b", r"\u202e\u200b"), ("a\0b", "a b")]
)
def test_a_text_of_which_nothing_could_be_seen_is_shown_by_its_escapes(text: str, shown: str) -> None:
    assert show_text(text) == shown


def test_a_text_longer_than_any_name_is_like_none() -> None:
    assert find_closest("a" * 400, ["a" * 399]) == ["a" * 399]
    assert find_closest("a" * 2_000_000, ["a" * 399]) == []


@pytest.mark.parametrize(("number", "shown"), [(0, "0 rows"), (1, "1 row"), (1_024, "1,024 rows")])
def test_one_thing_is_no_plural(number: int, shown: str) -> None:
    assert count_noun(number, "row") == shown
