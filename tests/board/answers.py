"""Answers that stand in for a server's, where a test needs one that the sample does not give."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from tests.board.browser import expect

if TYPE_CHECKING:
    import pytest
    from playwright.sync_api import FrameLocator, Locator

    from tests.board.conftest import Hosted

__all__ = ["detail", "opened", "result_of", "rows", "stub", "tasks", "tell", "whole"]

LOADING_MS = 90_000


def stub(answer: dict[str, Any]) -> str:
    """Return a stub that always answers so."""
    return f"() => ({json.dumps(result_of(answer))})"


def result_of(answer: dict[str, Any]) -> dict[str, Any]:
    """Return a tool's result with this structured part."""
    return {"content": [{"type": "text", "text": "the same as text"}], "structuredContent": answer}


def tasks(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a page of list_tasks, the only one unless `more` says otherwise."""
    page: dict[str, Any] = {
        "source": "embedded",
        "job": "resize",
        "execution": "exec-1",
        "sort": "created_at:desc",
        "items": [*items],
        "coverage": {"scanned": len(items), "matched": len(items), "complete": True},
        "total": {"value": len(items), "kind": "exact"},
    }
    return page | more


def detail(**execution: Any) -> dict[str, Any]:
    """Return a result of get_execution."""
    one = {"id": "exec-1", "job": "resize", "status": "succeeded", **execution}
    return result_of(
        {
            "source": "embedded",
            "verdict": one["status"],
            "execution": one,
            "failures": [],
            "slowest": [],
            "coverage": {"scanned": 0, "matched": 0, "complete": True},
            "next_calls": [],
        }
    )


def opened(hosted: Hosted, *items: dict[str, Any], **more: Any) -> FrameLocator:
    """Show an execution that has just these tasks."""
    return hosted.open("get_execution", {"list_tasks": stub(tasks(*items, **more))}, result=detail())


def whole(board: FrameLocator, count: str) -> None:
    """Wait until all tasks are there."""
    expect(board.get_by_text(f"All {count} loaded")).to_be_visible(timeout=LOADING_MS)


def rows(board: FrameLocator) -> Locator:
    """Return the rows of tasks that are there as elements."""
    return board.get_by_role("listbox", name="Tasks").get_by_role("option")


def tell(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Print a measure, whether the test passes or not; none decides a test."""
    with capsys.disabled():
        sys.stdout.write(f"\n{text}\n")
