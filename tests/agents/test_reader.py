"""The reader of the scripted agents: it finds what an answer says, and takes a sentence for no answer."""

from __future__ import annotations

import pytest

from tests.agents.reader import Answer, Call, LogLine, seconds

PAGE = Answer("""\
executions of etl · source prod, SAMPLE DATA · 2 rows, of 9 scanned, more to read · every row: status failed, tasks 6
id	created	duration
exec-1	2026-11-23T09:20:00Z	10m11s
exec-2	2026-11-22T12:20:00Z
note: stopped early: a page failed. The cursor goes on from here.
more: list_executions(cursor="1x.~0")""")

FAILURES = Answer("""\
failures · sources prod (SAMPLE DATA), cron · 12 jobs and tasks · 0 of 1 scanned, NOT COMPLETE
no failure among what was read, which is not all: whether something failed is not known
error: cron: source 'cron' cannot be reached: no connection""")


def test_rows_have_what_the_header_says_of_every_row() -> None:
    assert PAGE.rows == [
        {"status": "failed", "tasks": "6", "id": "exec-1", "created": "2026-11-23T09:20:00Z", "duration": "10m11s"},
        {"status": "failed", "tasks": "6", "id": "exec-2", "created": "2026-11-22T12:20:00Z"},
    ]
    assert (PAGE.complete, PAGE.refused, PAGE.sources) == (False, False, ["prod"])
    assert PAGE.notes == ["stopped early: a page failed. The cursor goes on from here."]


def test_a_table_of_one_column_has_rows_too() -> None:
    assert Answer("jobs · source a · 2 rows, complete\nname\netl\nreport").rows == [
        {"name": "etl"},
        {"name": "report"},
    ]


def test_an_answer_without_rows_has_none() -> None:
    assert FAILURES.rows == []
    assert (FAILURES.complete, FAILURES.sources) == (False, ["prod", "cron"])
    assert FAILURES.errors == {"cron": "source 'cron' cannot be reached: no connection"}


@pytest.mark.parametrize(
    "sentence",
    ["source 'runwisp' failed (HTTP 500); a retry may help", "job='etk' does not exist; closest: etl", ""],
)
def test_a_sentence_is_no_answer(sentence: str) -> None:
    assert Answer(sentence).refused


def test_calls_are_read_as_they_are_written() -> None:
    assert PAGE.more == Call("list_executions", {"cursor": "1x.~0"})
    sentence = "it is too old (25 h); start again with list_runs(task='a (b)', limit=5) or call list_runs(cursor=…)"
    assert [*Answer(sentence).calls()] == [Call("list_runs", {"task": "a (b)", "limit": 5})]


@pytest.mark.parametrize("text", ["list_runs(cursor=…)", "list_runs", "list_runs('a')", "list_runs(task=__import__)"])
def test_what_is_no_whole_call_of_plain_values_is_none(text: str) -> None:
    assert Call.read(text) is None


def test_log_lines_are_told_from_what_is_said_about_them() -> None:
    log = Answer("""\
log of nightly e-1 · source own · lines 3 to 9 of 9
3 2026-11-24T14:35:20Z error| a | b
4 14:35:21Z ×3| tick
7|
next: read_log(job='nightly', execution='e-1', around=3)""")
    assert log.log == [LogLine("a | b", 3, "error"), LogLine("tick", 4, None, 3), LogLine("", 7)]


def test_a_verdict_is_counted() -> None:
    verdict = Answer("execution e of j · source s\nverdict: failed: of 10,000 tasks 9,702 succeeded, 298 failed")
    assert verdict.counts == {"tasks": 10_000, "succeeded": 9_702, "failed": 298}


@pytest.mark.parametrize(("text", "value"), [("1h2m5s", 3725), ("2.1s", 2.1), ("250ms", 0.25), ("3m05s", 185)])
def test_durations_are_read_in_seconds(text: str, value: float) -> None:
    assert seconds(text) == value
