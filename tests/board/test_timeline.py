"""An execution on the board: its timeline, causes, keyboard, colours; upstream text that means harm."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobtrail import board as board_package
from jobtrail.analysis.failure_groups import make_signature
from jobtrail.times import format_duration
from tests.board.answers import detail, opened, rows, stub, tasks, tell, whole
from tests.board.browser import HOST, expect

if TYPE_CHECKING:
    from tests.board.conftest import Hosted

BIG = {"job": "backfill-embeddings"}
SMALL = {"job": "nightly-etl"}
MOST_ROWS = 60
"""Elements for rows, however many tasks there are."""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_big_execution_in_both_themes(hosted: Hosted, theme: str) -> None:
    board = hosted.open("get_execution", args=BIG, context={"theme": theme})
    whole(board, "10,000 tasks")
    rows(board).nth(12).hover()
    hosted.shoot(f"execution-{theme}")
    board.get_by_role("button", name="163 tasks").click()
    expect(board.get_by_text("163 tasks shown, of 10,000 tasks", exact=True)).to_be_visible()
    board.get_by_role("listbox", name="Tasks").focus()
    hosted.shoot(f"cause-{theme}")
    board.get_by_role("listbox", name="Tasks").press("Enter")
    expect(board.get_by_text("4 rows shown of 4 lines, all of it")).to_be_visible()
    hosted.shoot(f"log-{theme}")


def test_scrolling_and_hovering_ten_thousand_tasks_keeps_a_handful_of_elements(
    hosted: Hosted, capsys: pytest.CaptureFixture[str]
) -> None:
    board = hosted.open("get_execution", args=BIG)
    whole(board, "10,000 tasks")
    scroll = (HOST / "scrolling.js").read_text(encoding="utf-8")
    measured = board.get_by_role("listbox", name="Tasks").evaluate(scroll)
    tell(
        capsys,
        f"120 frames of scrolling and hovering: p50 {measured['p50']:.1f} ms, p95 {measured['p95']:.1f} ms, "
        f"at most {measured['most']:.1f} ms, {measured['long']} tasks of over 50 ms",
    )
    assert measured["rows"] <= MOST_ROWS
    assert measured["last"] == 10_000


def test_a_press_on_a_cause_keeps_just_its_tasks_and_a_second_one_all(hosted: Hosted) -> None:
    board = hosted.open("get_execution", args=BIG)
    whole(board, "10,000 tasks")
    causes = board.get_by_role("region", name="Failures by cause").get_by_role("button")
    counts = [int(text.split()[0]) for text in causes.locator(".count").all_inner_texts()]
    words = [text.partition(":")[0] for text in causes.locator(".example").all_inner_texts()]
    assert sum(counts) == 298
    for place, count in enumerate(counts):
        causes.nth(place).click()
        expect(board.get_by_text(f"{count} tasks shown, of 10,000 tasks", exact=True)).to_be_visible()
        expect(rows(board).first).to_contain_text(words[place])
    causes.nth(len(counts) - 1).click()
    expect(board.get_by_text("10,000 tasks shown", exact=True)).to_be_visible()
    board.get_by_role("button", name="failed 298").click()
    expect(board.get_by_text("298 tasks shown, of 10,000 tasks", exact=True)).to_be_visible()
    board.get_by_role("searchbox").fill("oomkilled")
    expect(board.get_by_text(f"{counts[1]} tasks shown, of 10,000 tasks", exact=True)).to_be_visible()


def test_everything_can_be_reached_and_done_by_keyboard(hosted: Hosted) -> None:
    board = hosted.open("get_execution", args=SMALL)
    whole(board, "14 tasks")
    walked: list[str] = []
    for _ in range(20):
        hosted.page.keyboard.press("Tab")
        focused = board.locator(":focus")
        if not focused.count():
            break
        walked.append(focused.evaluate("it => it.getAttribute('aria-label') ?? it.textContent"))
        outline = focused.evaluate("it => getComputedStyle(it).outlineStyle")
        assert outline != "none", walked
        if walked[-1] == "Tasks":
            break
    assert walked == [
        "All jobs", "Full screen", "History of this job", "Compare with the last good one", "Reload", walked[5],
        "✕failed7", "✓succeeded7", "Show tasks whose name or reason contains", "Order", "Zoom in", "Tasks",
    ]  # fmt: skip
    listed = board.get_by_role("listbox", name="Tasks")
    for key, place in (("ArrowDown", 1), ("End", 13), ("ArrowUp", 12), ("Home", 0), ("PageDown", 13)):
        listed.press(key)
        expect(listed).to_have_attribute("aria-activedescendant", f"task-{place}")
    chosen = board.locator("[aria-selected=true]")
    expect(chosen).to_have_count(1)
    name = chosen.locator(".name").inner_text()
    listed.press("Enter")
    expect(board.get_by_role("dialog", name=f"Log of {name}")).to_be_visible()
    hosted.page.keyboard.press("Escape")
    expect(board.get_by_role("dialog")).to_be_hidden()
    expect(listed).to_be_focused()


def test_a_log_is_searched_where_the_server_keeps_it(hosted: Hosted) -> None:
    board = hosted.open("get_execution", args=SMALL)
    whole(board, "14 tasks")
    rows(board).filter(has_text="task-2").first.click()
    dialog = board.get_by_role("dialog")
    expect(dialog.get_by_role("listitem")).to_have_count(4)
    dialog.get_by_role("searchbox").fill("attempt 2")
    dialog.get_by_role("searchbox").press("Enter")
    expect(dialog.get_by_role("status")).to_have_text("1 line found in what was read, all of it")
    expect(dialog.get_by_role("listitem")).to_have_count(1)
    assert hosted.calls("read_log")[-1]["query"] == "attempt 2"


def test_what_hovering_shows_a_screen_reader_is_told(hosted: Hosted) -> None:
    board = hosted.open("get_execution", args=SMALL)
    whole(board, "14 tasks")
    row = rows(board).filter(has_text="task-2").first
    row.hover()
    reason = board.locator(".detail .reason")
    expect(reason).to_contain_text("ConnectionError: psycopg.OperationalError")
    label = row.text_content() or ""
    assert re.match(r"✕task-2, failed, began \d\d:\d\d:\d\d, ConnectionError: ", label)
    assert reason.inner_text() in label
    assert re.search(r"\. \d+m \d\ds$", label)


def test_times_that_are_not_known_are_not_made_up(hosted: Hosted) -> None:
    board = opened(
        hosted,
        {
            "name": "whole",
            "status": "succeeded",
            "started_at": "2026-11-17T06:00:00Z",
            "ended_at": "2026-11-17T07:00:00Z",
        },
        {"name": "endless", "status": "failed", "started_at": "2026-11-17T06:30:00Z", "reason": "lost"},
        {"name": "on", "status": "running", "started_at": "2026-11-17T06:20:00Z"},
        {"name": "waiting", "status": "queued"},
        {"name": "blank", "status": "constructor"},
    )
    whole(board, "5 tasks")
    shown = {row.locator(".name").inner_text(): row for row in rows(board).all()}
    assert [*shown] == ["whole", "on", "endless", "blank", "waiting"]
    assert shown["endless"].locator(".word").inner_text() == "began 06:30:00, its end is not known"
    assert shown["waiting"].locator(".word").inner_text() == "not started"
    assert shown["blank"].locator(".word").inner_text() == "no times known"
    expect(board.locator(".bar:visible")).to_have_count(2)
    expect(shown["on"].locator(".bar.open")).to_be_visible()


def test_zooming_in_lets_the_axis_span_what_is_in_view(hosted: Hosted) -> None:
    board = opened(
        hosted,
        *(
            {
                "name": f"task-{hour:02}",
                "status": "succeeded",
                "started_at": f"2026-11-17T{hour:02}:00:00Z",
                "ended_at": f"2026-11-17T{hour:02}:30:00Z",
            }
            for hour in range(24)
        ),
    )
    whole(board, "24 tasks")
    ticks, bar = board.locator(".axis .track span"), rows(board).first.locator(".bar")
    assert ticks.all_inner_texts() == ["00:00", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00"]
    narrow = bar.bounding_box()
    board.get_by_role("button", name="Zoom in").click()
    expect(ticks.last).to_have_text("15:00")
    wide = bar.bounding_box()
    assert narrow is not None
    assert wide is not None
    assert wide["width"] > narrow["width"] * 1.2
    board.get_by_role("button", name="Zoom in").click()
    expect(ticks.last).to_have_text("21:00")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_has_the_contrast_of_wcag_aa_and_statuses_differ_without_colour(
    hosted: Hosted, theme: str
) -> None:
    statuses = ["succeeded", "failed", "timeout", "running", "cancelled", "skipped", "unknown"]
    times = {"started_at": "2026-11-17T06:00:00Z", "ended_at": "2026-11-17T06:30:00Z", "duration_s": 1800}
    items = [{"name": f"{status} task", "status": status, **times} for status in statuses]
    result = detail(created_at="2026-11-17T06:00:00Z")
    stubs = {"list_tasks": stub(tasks(*items, {"name": "waits", "status": "queued"}, notes=["a note"]))}
    board = hosted.open("get_execution", stubs, result=result, context={"theme": theme})
    whole(board, "8 tasks")
    rows(board).nth(2).hover()
    measure = (HOST / "contrast.js").read_text(encoding="utf-8")
    contrasts: list[tuple[float, str]] = board.locator("html").evaluate(measure)
    assert len(contrasts) > 40
    assert [one for one in contrasts if one[0] < 4.5] == []
    patterns = [
        bar.evaluate("it => getComputedStyle(it).backgroundImage") for bar in board.locator(".bar:visible").all()
    ]
    assert len({*patterns}) == len(statuses)
    glyphs = rows(board).locator(".glyph").all_inner_texts()
    assert len({*glyphs}) == len(statuses) + 1
    hosted.shoot(f"statuses-{theme}")


def test_failures_are_told_apart_as_the_server_does(hosted: Hosted) -> None:
    # Other digits count too, and a sign beyond 16 bits is one character.
    reasons = [
        "", "exit code 137", "KeyError: 'a' in record 12 of batch 1a4e329f60", "took 3.5s, then 1,000 rows: 12:30",
        "at 2026-11-17T06:00:00Z and 2026-11-17 06:00:00.123+02:00", "id 123e4567-e89b-12d3-a456-426614174000!",
        "0xdeadbeef12 deadbeef abcdefa 12345678", 'quoted "x1" and `y2`', "ü" * 139 + "12",
        "\u0663\u0664 \u096a x" * 30,
        "😀" * 200, "no 'end", "Straße 12\u00a0km", "part-2209.parquet", "N <id> '…'",
    ]  # fmt: skip
    hosted.page.goto("about:blank")
    code = (Path(board_package.__file__).parent / "signature.js").read_text(encoding="utf-8")
    folded = hosted.page.evaluate(f"reasons => {{ {code}; return reasons.map(signature); }}", reasons)
    assert folded == [make_signature(reason) for reason in reasons]


def test_lengths_of_time_are_written_as_the_server_does_with_spaces_between(hosted: Hosted) -> None:
    lengths = [0, 0.25, 0.9996, 9.94, 9.96, 59.6, 92, 3_599.6, 3_600, 3_652, 3_661, 4_320]
    hosted.page.goto("about:blank")
    code = (Path(board_package.__file__).parent / "words.js").read_text(encoding="utf-8")
    written = hosted.page.evaluate(f"lengths => {{ {code}; return lengths.map(lasting); }}", lengths)
    assert [one.replace(" ", "") for one in written] == [format_duration(one) for one in lengths]


def test_hostile_names_are_shown_as_text(hosted: Hosted) -> None:
    hostile = [
        "<img src=x onerror=alert(1)>",
        "</script><script>alert(1)</script>",
        "\u202eeman desrever\u202c",
        "اسم المهمة",
        "javascript:alert(1)",
        "x" * 5000,
    ]
    hosted.page.on("dialog", lambda shown: pytest.fail(shown.message))
    board = opened(
        hosted,
        *({"name": name, "status": "failed", "reason": name} for name in hostile),
        notes=["<b>note</b>"],
    )
    whole(board, "6 tasks")
    assert {*rows(board).locator(".name").all_text_contents()} == {*hostile}
    expect(board.locator("img, b:not(.chip b), script[src]")).to_have_count(0)
    expect(board.get_by_text("<b>note</b>")).to_be_visible()
    for row in rows(board).all():
        row.hover()
        took, name = row.locator(".took").bounding_box(), row.locator(".name").bounding_box()
        assert took is not None
        assert name is not None
        assert name["x"] + name["width"] < took["x"], "a name stays in its column"
    width = board.locator("html").evaluate("it => [it.scrollWidth, it.clientWidth]")
    assert width[0] == width[1], "nothing makes the board wider than its frame"
    hosted.shoot("hostile-light")
