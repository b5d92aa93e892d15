"""A job's history on the board."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.board.answers import result_of, whole
from tests.board.browser import expect

if TYPE_CHECKING:
    from tests.board.conftest import Hosted


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_history_leads_from_a_bar_to_an_execution_and_back(hosted: Hosted, theme: str) -> None:
    board = hosted.open("history", args={"job": "embed-documents"}, context={"theme": theme})
    bars = board.locator(".slot")
    expect(bars).to_have_count(8)
    assert (
        bars.nth(4).get_attribute("aria-label")
        == "67% 11-20, from 2026-11-20 00:00:00: 8 succeeded, 4 failed, median 5m 08s"
    )
    bars.nth(4).focus()
    hosted.page.keyboard.press("Enter")
    expect(board.get_by_text("all 12 executions")).to_be_visible()
    assert board.get_by_role("row").filter(has_text="failed").count() == 5  # the heading is one
    hosted.shoot(f"history-{theme}")
    board.get_by_role("button", name="exec-10aee0d34df4").click()
    expect(board.get_by_role("heading", level=1)).to_have_text("embed-documents exec-10aee0d34df4")
    whole(board, "8 tasks")
    board.get_by_role("button", name="← Back").click()
    expect(bars).to_have_count(8)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_job_that_has_never_run_is_empty_and_says_so(hosted: Hosted, theme: str) -> None:
    board = hosted.open("history", args={"job": "thumbnail-render"}, context={"theme": theme})
    expect(board.get_by_text("Nothing ran in this window.")).to_be_visible()
    expect(board.get_by_text("nothing was created in this window or in the one before it")).to_be_visible()
    hosted.shoot(f"history-empty-{theme}")


def test_a_bar_that_was_not_read_does_not_look_empty(hosted: Hosted) -> None:
    buckets = [{"start": f"2026-11-{day}T00:00:00Z", "counts": {"succeeded": 1}} for day in (18, 20)]
    answer = {
        "source": "embedded",
        "job": "resize",
        "kind": "job",
        "bucket": "1d",
        "window": {"since": "2026-11-16T12:00:00Z", "now": "2026-11-20T12:00:00Z"},
        "current": {"attempts": 2, "counts": {"succeeded": 2}, "success_rate": 1.0},
        "buckets": buckets,
        "sparkline": "█·█",
        "coverage": {"scanned": 2, "matched": 2, "complete": False, "back_to": "2026-11-18T05:00:00Z"},
        "notes": ["read only back to 2026-11-18T05:00:00Z: every number is of that part"],
        "next_calls": [],
    }
    board = hosted.open("history", result=result_of(answer))
    labels = [bar.get_attribute("aria-label") for bar in board.locator(".slot").all()]
    assert labels == [
        "? 11-16, from 2026-11-16 12:00:00: not read",
        "? 11-17, from 2026-11-17 00:00:00: not read",
        "· 11-18, from 2026-11-18 00:00:00: 1 succeeded",
        "· 11-19, from 2026-11-19 00:00:00: nothing ran",
        "· 11-20, from 2026-11-20 00:00:00: 1 succeeded",
    ]
    expect(board.get_by_text("PARTIAL, back to 2026-11-18 05:00:00")).to_be_visible()
