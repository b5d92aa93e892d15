"""The short way in which a summary reads tasks says what reading every task in full says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jobtrail.analysis.task_summary import TaskTally
from jobtrail.models import Execution
from jobtrail.sources.blaxel.task_reading import read_task, summarize_sent

TIMES = st.sampled_from(
    [None, "", "0001-01-01T00:00:00Z", "soon", "2026-11-01T00:00:00", "2026-11-01T02:00:00+02:00"]
    + [f"2026-11-01T00:0{minute}:{second}Z" for minute in range(3) for second in ("00", "00.5", "30.000400001")]
)
NAMES = st.sampled_from([None, "", "a b", "\x1b[31mred", "é", "x" * 300, *(f"task-{number}" for number in range(9))])
REASONS = st.sampled_from(
    [None, "", "boom", "boom 17", "at 2026-11-01T00:00:00Z", "'quoted' 0xdeadbeef1", "\u202eevil"]
)
CONDITIONS = st.lists(
    st.fixed_dictionaries({}, optional={"reason": REASONS, "message": REASONS, "executionReason": REASONS}),
    max_size=2,
)
STATUSES = st.sampled_from([None, "succeeded", "failed", "FAILED", "running", "cancelled", "pending", "melted"])
METADATA = st.fixed_dictionaries(
    {}, optional={"name": NAMES, "startedAt": TIMES, "completedAt": TIMES, "createdAt": TIMES}
)
ROWS = st.fixed_dictionaries(
    {}, optional={"metadata": st.none() | METADATA, "status": STATUSES, "conditions": st.none() | CONDITIONS}
)


@given(st.lists(ROWS, min_size=1, max_size=30))
def test_tasks_come_to_the_same_whether_they_are_read_in_full_or_not(rows: list[dict[str, Any]]) -> None:
    execution = Execution(id="e", status="failed", tasks=len(rows))
    tally = TaskTally()
    for row in rows:
        tally.add(read_task(row, "source 's'"))
    found = summarize_sent(execution, rows, "source 's'")
    assert found is not None
    assert replace(found, notes=()) == replace(tally.summarize(), notes=())
