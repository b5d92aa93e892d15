"""The board by the rules of axe-core (WCAG 2 A and AA, and good practice), in every view and both themes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.board.answers import detail, rows, stub, tasks, whole
from tests.board.browser import expect
from tests.board.command import board_command

if TYPE_CHECKING:
    from tests.board.conftest import Hosted, Watched

THEMES = pytest.mark.parametrize("theme", ["light", "dark"])


@THEMES
def test_an_execution_its_log_and_a_history(hosted: Hosted, axe_script: str, theme: str) -> None:
    board = hosted.open("get_execution", args={"job": "nightly-etl"}, context={"theme": theme})
    whole(board, "14 tasks")
    board.get_by_role("listbox", name="Tasks").focus()
    assert hosted.watched.faults(axe_script, board) == []
    rows(board).filter(has_text="failed").first.click()
    expect(board.get_by_text("4 rows shown of 4 lines")).to_be_visible()
    assert hosted.watched.faults(axe_script, board) == []
    hosted.page.keyboard.press("Escape")
    board.get_by_role("button", name="History of this job").click()
    board.locator(".slot:enabled").last.click()
    expect(board.get_by_text("all 1 execution")).to_be_visible()
    assert hosted.watched.faults(axe_script, board) == []


@THEMES
def test_every_status_a_note_and_an_error(hosted: Hosted, axe_script: str, theme: str) -> None:
    statuses = ("succeeded", "failed", "timeout", "running", "queued", "cancelled", "skipped", "unknown")
    items: list[dict[str, Any]] = [{"name": f"{status} task", "status": status} for status in statuses]
    stubs = {"list_tasks": stub(tasks(*items, notes=["a note"]))}
    board = hosted.open("get_execution", stubs, result=detail(), context={"theme": theme})
    whole(board, "8 tasks")
    rows(board).nth(2).hover()
    assert hosted.watched.faults(axe_script, board) == []
    board = hosted.open("get_execution", args={"job": "nope"}, context={"theme": theme})
    expect(board.get_by_role("alert")).to_be_visible()
    assert hosted.watched.faults(axe_script, board) == []


@THEMES
def test_the_start_page_and_a_run(watched: Watched, axe_script: str, theme: str) -> None:
    page = watched.page
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    with board_command() as address:
        page.goto(address)
        expect(page.get_by_text("all 20 jobs")).to_be_visible()
        assert watched.faults(axe_script) == []
        page.get_by_role("region", name="What failed").get_by_role("button", name="healthcheck-api").first.click()
        expect(page.get_by_role("heading", level=2)).to_have_text("The last 1 line of 1")
        assert watched.faults(axe_script) == []
        page.get_by_role("button", name="Compare with the last good one").click()
        expect(page.get_by_role("heading", name="What differs")).to_be_visible()
        assert watched.faults(axe_script) == []
        page.set_viewport_size({"width": 390, "height": 900})
        page.go_back()
        page.go_back()
        expect(page.get_by_text("all 20 jobs")).to_be_visible()
        assert watched.faults(axe_script) == []
