"""An execution that still runs: the board looks again by itself, and nobody loses their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from jobtrail.settings import Settings
from jobtrail.sources.embedded.registration import EmbeddedSettings
from jobtrail.store import Store
from tests.board.answers import rows, whole
from tests.board.browser import bundle, expect
from tests.board.conftest import Hosted
from tests.board.serving import host_pages
from tests.plane.records import make_execution, make_job, make_task, set_status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import FrameLocator

    from jobtrail.store.rows import TaskRow
    from tests.board.conftest import Watched

TASKS = 320
FAST = "0.05 0.05"
SELDOM = "3600 3600"
FAILING = """(args, before) => globalThis.failing
    ? { isError: true, content: [{ type: "text", text: "source 'embedded' answered 503" }] } : undefined"""


RUNNING = set_status(make_execution("a", "etl", 1), 2, "running")


def started(number: int) -> TaskRow:
    return make_task(f"t{number}", "a", 1, *(["running"] if number < 4 else []))


@dataclass
class Live:
    """A store whose execution `a` runs on as a test tells it, and the board over it."""

    hosted: Hosted
    store: Store

    def open(self, pace: str = FAST, stubs: dict[str, str] | None = None) -> FrameLocator:
        board = self.hosted.open("get_execution", stubs, args={"job": "etl", "execution": "a"}, pace=pace)
        whole(board, f"{TASKS} tasks")
        return board

    def tell(self, status: str, *tasks: int, minutes: float = 3) -> None:
        self.store.write([set_status(started(number), minutes, status) for number in tasks])

    def end(self, status: str) -> None:
        self.store.write([set_status(RUNNING, 9, status)])

    def asked(self, tool: str = "get_execution") -> int:
        return len(self.hosted.calls(tool))

    def looks_on(self, more: int = 3) -> None:
        """Wait until the board has looked some more times."""
        count = self.asked()
        self.hosted.page.wait_for_function(
            "least => host.calls.filter(one => one.name === 'get_execution').length >= least", arg=count + more
        )

    def stands(self) -> bool:
        """Return whether no look comes, in the time of many."""
        count = self.asked()
        self.hosted.page.evaluate("() => new Promise(done => setTimeout(done, 600))")
        return self.asked() == count


@pytest.fixture
def live(watched: Watched, host_address: str, tmp_path: Path) -> Iterator[Live]:
    path = tmp_path / "store.db"
    store = Store(path)
    store.write([make_job("etl"), RUNNING, *(started(number) for number in range(TASKS))])
    settings = Settings(sources=(EmbeddedSettings(name="embedded"),), default="embedded", store=path)
    with host_pages(bundle(), settings) as address:
        yield Live(Hosted(watched, address), store)
    store.close()


def test_counts_bars_and_causes_follow_without_a_reload(live: Live) -> None:
    board = live.open()
    expect(board.locator(".bar.open:visible")).to_have_count(4)
    ended = {0: "succeeded", 1: "succeeded", 2: "failed"}
    live.store.write([set_status(started(number), 3, how) for number, how in ended.items()])
    expect(board.get_by_text("of 320 tasks 2 succeeded, 1 failed, 1 running", exact=False).first).to_be_visible()
    expect(board.get_by_role("button", name="succeeded 2")).to_be_visible()
    expect(board.locator("#said")).to_have_text("now 3 of 320 done")
    expect(board.locator(".bar.open:visible")).to_have_count(1)
    expect(board.get_by_role("heading", name="1 failed task by cause, from all tasks")).to_be_visible()
    live.store.write([make_task(f"t{number}", "a", 4) for number in (1000, 1001)])
    whole(board, "322 tasks")
    live.hosted.shoot("following-light")


def test_only_the_pages_that_can_have_changed_are_read_again(live: Live) -> None:
    board = live.open()
    live.looks_on()
    assert live.asked("list_tasks") == 4
    live.tell("succeeded", 0, 1)
    expect(board.get_by_role("button", name="succeeded 2")).to_be_visible()
    live.looks_on()
    assert live.asked("list_tasks") == 5


def test_scroll_selection_filter_and_focus_stay(live: Live) -> None:
    board = live.open()
    board.get_by_role("button", name="queued 316").click()
    listed = board.get_by_role("listbox", name="Tasks")
    listed.focus()
    for _ in range(4):
        listed.press("PageDown")
    name = board.locator("[aria-selected=true] .name").inner_text()
    top = board.locator(".rows").evaluate("it => Math.floor(it.scrollTop / 22)")
    assert top > 0
    live.tell("running", *range(300, 304))
    expect(board.get_by_role("button", name="running 8")).to_be_visible()
    expect(board.get_by_text("312 tasks shown, of 320 tasks", exact=True)).to_be_visible()
    expect(board.locator("[aria-selected=true] .name")).to_have_text(name)
    expect(listed).to_be_focused()
    assert board.locator(".rows").evaluate("it => Math.floor(it.scrollTop / 22)") == top


def test_what_has_ended_is_not_looked_at_again_and_the_reader_is_told(live: Live) -> None:
    board = live.open()
    live.tell("succeeded", *range(TASKS), minutes=5)
    live.end("succeeded")
    expect(board.locator("#said")).to_have_text("now succeeded, 320 of 320 done")
    expect(board.get_by_role("button", name="succeeded 320")).to_be_visible()
    expect(board.get_by_role("button", name="Pause updates")).to_be_hidden()
    assert live.stands()


def test_nobody_asks_while_paused_hidden_out_of_view_or_torn_down(live: Live) -> None:
    board = live.open()
    live.looks_on()
    board.get_by_role("button", name="Pause updates").click()
    assert live.stands()
    board.get_by_role("button", name="Follow again").click()
    live.looks_on()
    see = """(it, value) => {
        Object.defineProperty(document, "visibilityState", { value, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    board.locator("html").evaluate(see, "hidden")
    assert live.stands()
    board.locator("html").evaluate(see, "visible")
    live.looks_on()
    live.hosted.page.evaluate("() => (document.getElementById('frames').style.marginTop = '5000px')")
    board.locator("html").evaluate("() => new Promise(done => setTimeout(done, 300))")
    assert live.stands()
    live.hosted.page.evaluate("() => (document.getElementById('frames').style.marginTop = '0')")
    live.looks_on()
    live.hosted.page.evaluate("() => host.bridge.teardownResource({})")
    assert live.stands()


def test_a_look_that_fails_is_told_beside_the_time_and_recovers(live: Live) -> None:
    board = live.open(stubs={"get_execution": FAILING})
    live.looks_on()
    live.hosted.page.evaluate("() => (globalThis.failing = true)")
    told = board.locator(".asof .bad")
    expect(told).to_contain_text("and is tried again: source 'embedded' answered 503")
    first = told.inner_text()
    live.looks_on()
    assert told.inner_text() == first
    expect(board.get_by_role("alert")).to_have_count(0)
    expect(rows(board).first).to_be_visible()
    live.tell("succeeded", 0)
    live.hosted.page.evaluate("() => (globalThis.failing = false)")
    expect(board.get_by_role("button", name="succeeded 1")).to_be_visible()
    expect(told).to_be_empty()


def test_what_the_host_handed_over_is_looked_at_at_once_and_then_has_its_time(live: Live) -> None:
    board = live.open(pace=SELDOM)
    expect(board.get_by_text("as of ")).to_be_visible()
    assert live.asked() == 1


def test_a_retry_of_what_had_failed_is_followed(live: Live) -> None:
    board = live.open()
    live.tell("failed", 0)
    expect(board.get_by_role("button", name="failed 1")).to_be_visible()
    live.tell("running", 0, minutes=4)
    expect(board.get_by_role("button", name="failed 0")).to_be_visible()
    expect(board.get_by_role("button", name="running 4")).to_be_visible()


def test_tasks_that_cannot_be_read_again_are_asked_for_until_they_can(live: Live) -> None:
    board = live.open(stubs={"list_tasks": FAILING})
    live.hosted.page.evaluate("() => (globalThis.failing = true)")
    live.tell("succeeded", *range(TASKS), minutes=5)
    live.end("succeeded")
    expect(board.locator(".asof .bad")).to_contain_text("source 'embedded' answered 503")
    live.hosted.page.evaluate("() => (globalThis.failing = false)")
    expect(board.get_by_role("button", name="succeeded 320")).to_be_visible()
    expect(board.get_by_role("button", name="Pause updates")).to_be_hidden()
    assert live.stands()
