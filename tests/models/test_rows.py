"""Answers as they are sent: what rows have in common is said once, and nothing is lost by that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jobtrail.models import Coverage, Execution, ExecutionPage, ListedExecution, ListedRun, Run, Total
from jobtrail.vocabulary import STATUSES
from tests.sample_client import rows_of

START = datetime(2026, 11, 23, tzinfo=UTC)
COUNTS = st.one_of(st.none(), st.integers(0, 2))


def page_of(*rows: ListedExecution) -> ExecutionPage:
    """Return a page with these rows."""
    seen = Coverage(scanned=len(rows), matched=len(rows), complete=True)
    total = Total(value=len(rows), kind="exact")
    return ExecutionPage(source="s", job="etl", coverage=seen, total=total, sort="created_at:desc", items=rows)


@st.composite
def executions(draw: st.DrawFn) -> ListedExecution:
    """Draw a row whose fields are often those of the others, and often not known."""
    return ListedExecution(
        id=draw(st.text(min_size=1)),
        status=draw(st.sampled_from(STATUSES[:2])),
        created_at=draw(st.one_of(st.none(), st.just(START), st.just(START + timedelta(seconds=1)))),
        duration_s=draw(st.one_of(st.none(), st.just(0.0), st.just(1.5))),
        tasks=draw(COUNTS),
        failed=draw(COUNTS),
        running=draw(COUNTS),
    )


@given(st.lists(executions(), max_size=4))
def test_a_row_is_what_all_have_in_common_and_its_own(rows: list[ListedExecution]) -> None:
    page = page_of(*rows)
    assert rows_of(page.to_wire()) == [row.to_json() for row in rows]
    assert ExecutionPage.model_validate(page.to_wire()) == page


@given(st.lists(executions(), min_size=2, max_size=4))
def test_nothing_is_in_common_that_one_row_lacks_and_nothing_is_said_twice(rows: list[ListedExecution]) -> None:
    sent = page_of(*rows).to_wire()
    common: dict[str, Any] = sent.get("common", {})
    assert all(row.to_json().items() >= common.items() for row in rows)
    assert not any(common.keys() & row.keys() for row in sent["items"])


def test_zero_is_said_once_and_the_unknown_is_not_said() -> None:
    sent = page_of(*(ListedExecution(id=name, status="failed", tasks=3, running=0) for name in "ab")).to_wire()
    assert sent["common"] == {"status": "failed", "tasks": 3, "running": 0}
    assert sent["items"] == [{"id": "a"}, {"id": "b"}]


def test_each_row_keeps_its_own_id_even_where_all_have_the_same() -> None:
    sent = page_of(*[ListedExecution(id="(no id)", status="failed")] * 2).to_wire()
    assert (sent["common"], sent["items"]) == ({"status": "failed"}, [{"id": "(no id)"}] * 2)


def test_a_single_row_says_everything_itself() -> None:
    sent = page_of(ListedExecution(id="a", status="failed", running=0)).to_wire()
    assert "common" not in sent
    assert sent["items"] == [{"id": "a", "status": "failed", "running": 0}]


def test_times_are_to_the_second() -> None:
    row = ListedExecution(id="a", status="queued", created_at=START + timedelta(milliseconds=1_999))
    assert row.to_json()["created_at"] == "2026-11-23T00:00:01Z"


def test_a_row_takes_from_an_attempt_what_lists_show() -> None:
    execution = Execution(id="e", status="failed", job="etl", tasks=3, started_at=START, ended_at=START)
    assert ListedExecution.take_from(execution) == ListedExecution(id="e", status="failed", tasks=3)
    run = Run(id="r", job="backup", status="failed", started_at=START, retry_of="q")
    assert ListedRun.take_from(run, job=None) == ListedRun(id="r", status="failed")
