"""The board and its MCP Apps host, made of the official bridge and client: loading, states, protocol."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.board.answers import detail, opened, stub, tasks, tell, whole
from tests.board.browser import expect

if TYPE_CHECKING:
    import pytest

    from tests.board.conftest import Hosted

BIG = {"job": "backfill-embeddings"}
SMALL = {"job": "nightly-etl"}


def test_ten_thousand_tasks_are_loaded_by_cursors_and_counted(
    hosted: Hosted, capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.monotonic()
    board = hosted.open("get_execution", args=BIG)
    expect(board.get_by_role("heading", level=1)).to_have_text("backfill-embeddings exec-688fbc5309ca")
    whole(board, "10,000 tasks")
    tell(capsys, f"10,000 tasks loaded and drawn in {time.monotonic() - started:.1f} s")
    expect(board.get_by_text("10,000 tasks shown", exact=True)).to_be_visible()
    first, *more = hosted.calls("list_tasks")
    assert first == {**BIG, "execution": "exec-688fbc5309ca", "source": "embedded", "limit": 100}
    assert len(more) == 99
    assert all([*arguments] == ["cursor"] for arguments in more)


def test_a_page_that_cannot_be_read_is_said_and_can_be_asked_for_again(hosted: Hosted) -> None:
    failing = """(args, before) => before !== 2 ? undefined
        : { isError: true, content: [{ type: "text", text: "source 'embedded' answered 503; try again" }] }"""
    board = hosted.open("get_execution", {"list_tasks": failing}, args=BIG)
    expect(board.get_by_text("INCOMPLETE: 200 of 10,000 loaded")).to_be_visible()
    expect(board.get_by_role("alert")).to_contain_text("source 'embedded' answered 503; try again")
    expect(board.get_by_text("200 tasks shown, more to load", exact=True)).to_be_visible()
    hosted.shoot("failed-page-light")
    board.get_by_role("button", name="Try again").click()
    whole(board, "10,000 tasks")
    expect(board.get_by_role("alert")).to_have_count(0)
    third, again = hosted.calls("list_tasks")[2:4]
    assert third == again


def test_loading_can_be_paused_and_goes_on_where_it_stood(hosted: Hosted) -> None:
    board = hosted.open("get_execution", args=BIG)
    board.get_by_role("button", name="Pause").click()
    paused = board.get_by_text("Paused: ")
    expect(paused).to_be_visible()
    asked = len(hosted.calls("list_tasks"))
    hosted.page.wait_for_function("() => host.client.ping().then(() => true)")
    assert len(hosted.calls("list_tasks")) == asked
    board.get_by_role("button", name="Load more").click()
    whole(board, "10,000 tasks")
    assert len(hosted.calls("list_tasks")) == 100


def test_nothing_more_is_asked_for_once_the_host_tears_the_board_down(hosted: Hosted) -> None:
    board = hosted.open("get_execution", args=BIG)
    expect(board.get_by_text("Loading: ")).to_be_visible()
    assert hosted.page.evaluate("() => host.bridge.teardownResource({})") == {}
    asked = len(hosted.calls("list_tasks"))
    hosted.page.evaluate("() => host.client.ping()")
    assert len(hosted.calls("list_tasks")) == asked < 100


def test_an_answer_that_is_not_complete_never_looks_complete(hosted: Hosted) -> None:
    partial = {"scanned": 1, "matched": 1, "complete": False}
    board = opened(hosted, {"name": "a", "status": "succeeded"}, coverage=partial, notes=["the rest was lost"])
    expect(board.get_by_text("INCOMPLETE: 1 of 1, and the source gives no more")).to_be_visible()
    expect(board.get_by_text("the rest was lost")).to_be_visible()
    expect(board.get_by_text("All 1 task loaded")).to_have_count(0)


def test_a_list_that_ends_before_the_execution_s_count_is_incomplete(hosted: Hosted) -> None:
    stubs = {"list_tasks": stub(tasks({"name": "a", "status": "succeeded"}))}
    board = hosted.open("get_execution", stubs, result=detail(tasks=3))
    expect(board.get_by_text("INCOMPLETE: 1 of 3, and the source gives no more")).to_be_visible()
    expect(board.get_by_text("the execution counts 3 tasks, but the list holds 1")).to_be_visible()
    expect(board.get_by_text("1 task shown, more to load", exact=True)).to_be_visible()


def test_a_source_that_hands_out_one_page_for_ever_is_not_followed(hosted: Hosted) -> None:
    board = opened(hosted, {"name": "a", "status": "succeeded"}, cursor="1same")
    expect(board.get_by_role("alert")).to_contain_text("the same page again and again")
    assert len(hosted.calls("list_tasks")) == 2


def test_an_execution_without_tasks_says_so(hosted: Hosted) -> None:
    for theme in ("light", "dark"):
        result = detail(created_at="2026-11-17T06:00:00Z", tasks=0, succeeded=0, failed=0)
        board = hosted.open("get_execution", result=result, context={"theme": theme})
        expect(board.get_by_text("This execution has no tasks")).to_be_visible()
        assert hosted.calls("list_tasks") == []
        hosted.shoot(f"empty-{theme}")


def test_an_error_is_the_tool_s_own_sentence(hosted: Hosted) -> None:
    for theme in ("light", "dark"):
        board = hosted.open("get_execution", args={"job": "nightly-et"}, context={"theme": theme})
        expect(board.get_by_role("alert")).to_contain_text("job='nightly-et' does not exist")
        hosted.shoot(f"error-{theme}")
    board.get_by_role("button", name="Show all jobs").click()
    expect(board.get_by_text("all 20 jobs")).to_be_visible()


def test_a_host_that_lets_the_board_ask_for_nothing_still_shows_the_answer(hosted: Hosted) -> None:
    board = hosted.open("get_execution", args=BIG, canCall=False)
    expect(board.get_by_text("298 failed tasks by cause, from all tasks")).to_be_visible()
    expect(board.get_by_text("This host does not let the board ask for more")).to_be_visible()


def test_the_theme_follows_the_host_at_once_down_to_the_picture(hosted: Hosted) -> None:
    board = hosted.open("get_execution", args=SMALL)
    whole(board, "14 tasks")
    paper = "() => getComputedStyle(document.documentElement).backgroundColor"
    picture = board.locator("canvas")
    light = picture.evaluate("it => it.toDataURL()")
    assert board.locator("html").evaluate(paper) == "rgb(255, 255, 255)"
    hosted.page.evaluate("() => host.bridge.setHostContext({ theme: 'dark' })")
    expect(board.locator("html")).to_have_css("background-color", "rgb(21, 24, 28)")
    assert picture.evaluate("it => it.toDataURL()") != light
    variables = {"--color-background-primary": "rgb(1, 2, 3)", "--font-sans": "serif"}
    hosted.page.evaluate("variables => host.bridge.setHostContext({ styles: { variables } })", variables)
    expect(board.locator("html")).to_have_css("background-color", "rgb(1, 2, 3)")
    expect(board.locator("body")).to_have_css("font-family", "serif")


def test_the_host_learns_the_board_s_height_and_who_it_is(hosted: Hosted) -> None:
    board = hosted.open("get_execution", args=SMALL)
    whole(board, "14 tasks")
    tall = board.locator("html").evaluate("it => Math.ceil(it.getBoundingClientRect().height)")
    hosted.page.wait_for_function("tall => host.sizes.at(-1).height === tall", arg=tall)
    assert hosted.page.evaluate("() => host.app.name") == "jobtrail-board"
    board.get_by_role("button", name="Full screen").click()
    hosted.page.wait_for_function("() => host.told.includes('fullscreen')")


def test_a_host_may_write_the_document_into_a_frame_of_its_own_sandbox_s_origin(hosted: Hosted) -> None:
    board = hosted.open("get_execution", args=SMALL, sandbox="allow-scripts allow-same-origin")
    whole(board, "14 tasks")
    assert board.locator("html").evaluate("() => self.origin").startswith("http://localhost:")


def test_the_resource_asks_for_no_origin_and_nothing_but_the_host_s_pages_is_requested(hosted: Hosted) -> None:
    board = hosted.open("history", args={"job": "healthcheck-api"})
    board.locator(".slot").nth(2).click()
    expect(board.get_by_text("runs", exact=False).last).to_be_visible()
    resource = hosted.page.evaluate("() => host.resource")
    assert resource["mimeType"] == "text/html;profile=mcp-app"
    assert resource["meta"]["ui"]["csp"] == {"connectDomains": [], "resourceDomains": []}
    paths = {address.partition("://")[2].partition("/")[2] for address in hosted.watched.requests}
    assert paths <= {"", "host.js", "sandbox", "mcp", "srcdoc"}
    assert board.locator("html").evaluate("() => self.origin") == "null"
    blocked = board.locator("html").evaluate(
        "() => fetch('https://example.invalid/').then(() => 'sent', () => 'blocked')"
    )
    assert blocked == "blocked"
    hosted.watched.complaints.clear()
