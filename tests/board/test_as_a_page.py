"""`jobtrail board`: the board as a page, in Chromium."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.board.browser import expect
from tests.board.command import board_command, opened_board

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.board.conftest import Watched


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a page over the sample workspace."""
    with board_command() as printed:
        yield printed


def test_the_start_page_leads_to_a_job_to_an_execution_to_a_log_and_back(watched: Watched, address: str) -> None:
    page = watched.page
    page.goto(address)
    expect(page.get_by_text("all 20 jobs")).to_be_visible()
    expect(page.get_by_role("heading", name=re.compile(r"\d+ failures since"))).to_be_visible()
    page.get_by_role("button", name="nightly-etl").last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("nightly-etl history")
    page.locator(".slot:enabled").last.click()
    page.locator(".attempts").get_by_role("button").first.click()
    expect(page.get_by_text("All 14 tasks loaded")).to_be_visible()
    assert re.search(r"#view=execution&job=nightly-etl&execution=exec-\w+&source=embedded$", page.url)
    page.get_by_role("listbox").get_by_role("option").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("Log of task-")
    page.keyboard.press("Escape")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("nightly-etl history")
    page.go_back()
    expect(page.get_by_text("all 20 jobs")).to_be_visible()


def test_what_the_browser_is_started_with_leads_to_the_page(watched: Watched, tmp_path: Path) -> None:
    with opened_board(tmp_path, "--job", "nightly-etl") as (address, opened):
        watched.page.goto(opened)
        expect(watched.page.get_by_role("heading", level=1)).to_have_text("nightly-etl history")
        assert watched.page.url == address


def test_a_failed_run_is_opened_from_the_failures(watched: Watched, address: str) -> None:
    page = watched.page
    page.goto(address)
    page.get_by_role("region", name="What failed").get_by_role("button", name="healthcheck-api").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("healthcheck-api ")
    expect(page.get_by_role("heading", level=2)).to_have_text("The last 1 line of 1")
    page.get_by_role("button", name="Open the log").click()
    expect(page.get_by_role("dialog")).to_contain_text("GET https://api.acme.example/healthz")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_machine_s_theme(watched: Watched, address: str, scheme: str) -> None:
    page = watched.page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(address)
    expect(page.get_by_text("all 20 jobs")).to_be_visible()
    paper = "rgb(21, 24, 28)" if scheme == "dark" else "rgb(255, 255, 255)"
    expect(page.locator("html")).to_have_css("background-color", paper)
    watched.shoot(f"page-{scheme}")


def test_a_source_that_cannot_be_read_is_said_beside_the_others(watched: Watched, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    sources = {"prod": 'kind = "embedded"', "cron": 'kind = "runwisp"\nurl = "http://127.0.0.1:1"'}
    config.write_text("".join(f"[sources.{name}]\n{text}\n" for name, text in sources.items()), encoding="utf-8")
    page = watched.page
    with board_command(JOBTRAIL_CONFIG=str(config)) as printed:
        page.goto(printed)
        expect(page.get_by_role("heading", name=re.compile(r"At least \d+ failures since"))).to_be_visible()
        for name in ("What is going on", "What failed", "What was missed", "All jobs"):
            region = page.get_by_role("region", name=name)
            expect(region).to_contain_text("cron could not be read: source 'cron' cannot be reached")
            expect(region).to_contain_text("sample data: prod")
        expect(page.get_by_role("region", name="All jobs")).to_contain_text("INCOMPLETE: 20 jobs")


def test_nothing_is_requested_but_the_page_and_its_calls(watched: Watched, address: str) -> None:
    watched.page.goto(address)
    expect(watched.page.get_by_text("all 20 jobs")).to_be_visible()
    assert {*watched.requests} == {address, f"{address}call"}


def test_a_link_to_what_does_not_exist_says_so_and_can_be_left(watched: Watched, address: str) -> None:
    page = watched.page
    page.goto(f"{address}#job=nightly-et")
    expect(page.get_by_role("alert")).to_contain_text("job='nightly-et' does not exist; closest: nightly-etl")
    page.get_by_role("button", name="All jobs").click()
    expect(page.get_by_text("all 20 jobs")).to_be_visible()


def test_a_page_whose_server_has_gone_says_so(watched: Watched) -> None:
    page = watched.page
    with board_command() as printed:
        page.goto(printed)
        expect(page.get_by_text("all 20 jobs")).to_be_visible()
    page.get_by_role("button", name="crm-sync").last.click()
    expect(page.get_by_role("alert")).to_contain_text("jobtrail board does not answer; look whether it still runs")
    # Chromium reports the refused connection itself.
    assert all("ERR_CONNECTION_REFUSED" in complaint for complaint in watched.complaints)
    watched.complaints.clear()


VIEWS = {
    "start": ("", "all 20 jobs"),
    "compare": ("#view=compare&job=nightly-etl", "Causes, and since when"),
    "history": ("#job=nightly-etl&since=30d&bucket=1d", "a bar each 1d"),
}
OVERLAPS = """() => {
    const those = "button, .status, .rate, .when, bdi, td, dd, dt, h1, h2";
    const texts = [...document.querySelectorAll(those)].flatMap((node) =>
        [...node.childNodes].filter((one) => one.nodeType === 3 && one.data.trim()).map((one) => {
            const range = document.createRange();
            range.selectNodeContents(one);
            return [...range.getClientRects()].map((box) => [box, one.data]);
        }).flat());
    return texts.flatMap(([a, first], at) => texts.slice(at + 1)
        .filter(([b]) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 5 && b.top < a.bottom - 5)
        .map(([, second]) => [first, second]));
}"""


@pytest.mark.parametrize("width", [390, 768])
def test_in_a_narrow_window_every_view_fits_no_text_lies_on_another_and_no_column_is_lost(
    watched: Watched, address: str, width: int
) -> None:
    page = watched.page
    page.set_viewport_size({"width": width, "height": 900})
    for name, (view, whole) in VIEWS.items():
        page.goto(f"{address}{view}")
        expect(page.get_by_text(whole)).to_be_visible()
        expect(page.get_by_text("Asking")).to_have_count(0)
        assert page.evaluate("() => document.documentElement.scrollWidth") == width
        assert page.evaluate(OVERLAPS) == []
        cells = page.locator("td").filter(has_text=re.compile(r"\S"))
        assert cells.count() == cells.filter(visible=True).count()
        watched.shoot(f"{name}-{width}")


def test_the_board_is_usable_in_a_narrow_window(watched: Watched, address: str) -> None:
    page = watched.page
    page.set_viewport_size({"width": 400, "height": 900})
    page.goto(f"{address}#job=nightly-etl")
    page.locator(".slot:enabled").last.click()
    page.locator(".attempts").get_by_role("button").first.click()
    expect(page.get_by_text("All 14 tasks loaded")).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth") == 400
    watched.shoot("narrow-light")
