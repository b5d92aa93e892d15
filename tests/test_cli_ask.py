"""`jobtrail ask` prints what an agent would read, errors apart."""

from __future__ import annotations

import json

from tests.test_cli import jobtrail, refused


def test_an_answer_is_the_text_an_agent_reads() -> None:
    ended = jobtrail("ask", "list_jobs", "limit=2")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("jobs · source embedded, SAMPLE DATA · 2 rows, more to read")


def test_json_is_the_structured_answer() -> None:
    found = json.loads(jobtrail("ask", "list_executions", "job=nightly-etl", "limit=1", "--json").out)
    assert (found["job"], len(found["items"]), found["coverage"]["complete"]) == ("nightly-etl", 1, False)


def test_an_error_is_one_line_on_standard_error() -> None:
    ended = jobtrail("ask", "list_executions", "job=nightly-et")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "jobtrail: job='nightly-et' does not exist; closest: nightly-etl\n"
    ended = jobtrail("ask", "list_jobs", "limt=2")
    assert (ended.code, "has no argument 'limt'; did you mean limit?" in ended.err) == (1, True)


def test_a_tool_that_is_not_there_is_refused_with_the_closest() -> None:
    assert refused(jobtrail("ask", "list_job")).startswith("there is no tool 'list_job'; closest: list_jobs")
