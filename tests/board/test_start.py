"""Where the board begins, and what an execution is compared with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.board.browser import expect

if TYPE_CHECKING:
    from tests.board.conftest import Hosted

PARTS = ("What is going on", "What failed", "What was missed", "All jobs")
DOWN = """(args, before) => before
    ? undefined : { isError: true, content: [{ type: "text", text: "source 'embedded' answered 503" }] }"""


def test_all_jobs_handed_over_by_a_host_are_the_page_to_begin_with(hosted: Hosted) -> None:
    board = hosted.open("history")
    expect(board.get_by_text("all 20 jobs")).to_be_visible()
    headings = board.get_by_role("heading", level=2)
    expect(headings).to_have_text(
        [
            re.compile(r"\d+ queued or running"),
            re.compile(r"\d+ failures since "),
            re.compile(r"\d+ missed"),
            "Jobs since 2026-11-16 12:00:00, the worst first",
        ]
    )
    for name in PARTS:
        expect(board.get_by_role("region", name=name)).to_contain_text("sample data")


def test_a_part_that_fails_says_so_and_leaves_the_others(hosted: Hosted) -> None:
    board = hosted.open("history", {"find_missed": DOWN})
    lost = board.get_by_role("region", name="What was missed")
    expect(lost.get_by_role("alert")).to_contain_text("source 'embedded' answered 503")
    for name in PARTS:
        if name != "What was missed":
            expect(board.get_by_role("region", name=name).get_by_role("row").nth(1)).to_be_visible()
    lost.get_by_role("button", name="Try again").click()
    expect(lost.get_by_role("row").nth(1)).to_be_visible()
    expect(board.get_by_role("alert")).to_have_count(0)


def test_nothing_missed_is_said_only_where_everything_was_judged(hosted: Hosted) -> None:
    none = """complete => ({ content: [], structuredContent: {
        sources: ["embedded"], jobs: 1, scheduled: 1, due: 4, missed: 0, late: 0, skipped: 0, found: 0, items: [],
        next_due: [], coverage: { scanned: 4, matched: 4, complete }, window: { since: "2026-11-20T00:00:00Z" }
    } })"""
    for complete, words in (
        ("true", "Nothing was missed since 2026-11-20 00:00:00"),
        ("false", "Nothing missed was found since 2026-11-20 00:00:00, but not everything was judged"),
    ):
        board = hosted.open("history", {"find_missed": f"() => ({none})({complete})"})
        expect(board.get_by_role("heading", name=words)).to_be_visible()


def test_an_execution_is_compared_with_the_last_good_one_and_leads_to_it(hosted: Hosted) -> None:
    board = hosted.open("get_execution", args={"job": "nightly-etl"})
    board.get_by_role("button", name="Compare with the last good one").click()
    expect(board.get_by_role("heading", level=1)).to_have_text("nightly-etl compared")
    duration = board.get_by_role("region", name="What differs").get_by_role("row").filter(has_text="duration")
    expect(duration).to_contain_text("×")
    tasks = board.get_by_role("region", name="Tasks that differ").get_by_role("row")
    expect(tasks.nth(1)).to_contain_text("failed only here")
    expect(board.get_by_role("region", name="Causes")).to_contain_text("ConnectionError")
    base = board.locator("dd").filter(has_text="succeeded").get_by_role("button")
    name = base.text_content()
    base.click()
    expect(board.get_by_role("heading", level=1)).to_have_text(f"nightly-etl {name}")


def test_a_run_is_compared_too(hosted: Hosted) -> None:
    board = hosted.open("history")
    board.get_by_role("region", name="What failed").get_by_role("button", name="healthcheck-api").first.click()
    board.get_by_role("button", name="Compare with the last good one").click()
    expect(board.get_by_role("heading", level=1)).to_have_text("healthcheck-api compared")
    expect(board.get_by_role("region", name="What differs")).to_contain_text("exit code")
