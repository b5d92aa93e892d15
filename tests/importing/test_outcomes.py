"""What becomes of an item that is there already: brought forward, kept, or refused."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from jobtrail.store import Store, StoreError
from jobtrail.store.imports import ImportOutcome
from jobtrail.store.liveness import LivenessLock
from jobtrail.store.recording import Recording, RecordingRequest
from jobtrail.store.rows import ExecutionRow, TaskRow
from tests.importing.documents import (
    ULID,
    condition,
    execution,
    import_documents,
    job,
    legacy_run,
    read_answers,
    read_tables,
    run,
    task,
)  # fmt: skip

if TYPE_CHECKING:
    from pathlib import Path

NEW, FORWARD, SAME, KEPT = ImportOutcome.NEW, ImportOutcome.FORWARD, ImportOutcome.SAME, ImportOutcome.KEPT
EXECUTION = "/v0/jobs/etl/executions/exec-1"


def only(store: Store, document: dict[str, Any]) -> ImportOutcome:
    """What becomes of a document, which nothing is wrong with."""
    summary = import_documents(store, document)
    assert summary.refusals == []
    ((_, outcome),) = summary.outcomes
    return outcome


@pytest.mark.parametrize(
    "document",
    [execution(tasks=[task(), task("b", "failed")]), execution(status="running"), job(), run(), legacy_run(),
     {"name": "backup", "kind": "task"}],
)  # fmt: skip
def test_the_same_again_changes_nothing(store: Store, document: dict[str, Any]) -> None:
    assert only(store, document) is NEW
    before = read_tables(store)
    assert only(store, document) is SAME
    assert read_tables(store) == before


def test_an_execution_is_brought_forward_from_status_to_status(store: Store) -> None:
    waits = execution(status="queued", tasks=[task(status="pending")], stats={"total": 1})
    runs = execution(status="running", tasks=[task(status="running")], stats={"total": 1, "running": 1})
    why = [condition("OOM", "out of memory")]
    tries = execution(status="running", tasks=[task(status="pending", conditions=why)], stats={"total": 1})
    over = execution(
        status="failed",
        tasks=[task(status="failed", conditions=why), task("late")],
        stats={"total": 2, "failure": 1, "success": 1, "running": 0, "retried": 1},
    )
    for number, document in enumerate((waits, runs, tries, over)):
        assert only(store, document) is (FORWARD if number else NEW)
        (found,) = read_answers(store, EXECUTION)
        assert (found["status"], found["metadata"].get("completedAt")) == (
            document["status"],
            document["metadata"].get("completedAt"),
        )
        assert found["stats"].items() >= document["stats"].items()
        assert [(one["status"], one["conditions"]) for one in found["tasks"]] == [
            (one["status"], one.get("conditions", [])) for one in document["tasks"]
        ]
    before = read_answers(store, EXECUTION)
    assert [only(store, document) for document in (waits, runs, tries)] == [KEPT, KEPT, KEPT]
    assert read_answers(store, EXECUTION) == before


def test_what_was_told_earlier_does_not_take_a_running_execution_back(store: Store) -> None:
    later = execution(status="running", metadata={"updatedAt": "2026-11-01T02:05:00Z"}, stats={"success": 5})
    earlier = execution(status="running", metadata={"updatedAt": "2026-11-01T02:04:00Z"}, stats={"success": 4})
    assert only(store, later) is NEW
    assert only(store, earlier) is KEPT
    assert read_answers(store, EXECUTION)[0]["stats"]["success"] == 5
    assert only(store, earlier | {"status": "cancelling"}) is FORWARD


@pytest.mark.parametrize(
    "other",
    [
        execution(status="failed"),
        execution(metadata={"completedAt": "2026-11-01T03:00:00Z"}),
        execution(stats={"total": 9}),
        execution(tasks=[task(status="failed")]),
        execution(tasks=[task(), task("b")]),
        execution() | {"spec": {"parallelism": 3}},
    ],
)
def test_an_execution_that_has_ended_is_kept_as_it_is(store: Store, other: dict[str, Any]) -> None:
    import_documents(store, execution(tasks=[task()]))
    before = read_answers(store, EXECUTION)
    assert only(store, other) is KEPT
    assert read_answers(store, EXECUTION) == before


def test_an_execution_from_a_list_gets_its_tasks_from_its_own_document(store: Store) -> None:
    stats = {"total": 2, "success": 1, "failure": 1, "running": 0, "cancelled": 0, "retried": 1}
    times = {"updatedAt": "2026-11-01T02:10:00Z"}
    listed = execution(stats=stats, metadata=times)
    whole = execution(stats=stats, metadata=times, tasks=[task("a"), task("b", "failed")])
    assert [only(store, one) for one in (listed, whole, listed, whole)] == [NEW, FORWARD, SAME, SAME]
    (found,) = read_answers(store, EXECUTION)
    assert found["stats"] == stats
    assert [one["metadata"]["name"] for one in found["tasks"]] == ["a", "b"]
    assert found["metadata"]["updatedAt"] == "2026-11-01T02:10:00Z"


def test_counts_that_stood_for_tasks_give_way_to_the_tasks_themselves(store: Store) -> None:
    assert only(store, execution(status="running", stats={"total": 5, "success": 3, "retried": 1})) is NEW
    assert only(store, execution(status="running", tasks=[task("a"), task("b", "running")])) is FORWARD
    assert read_answers(store, EXECUTION)[0]["stats"] == {
        "total": 2, "success": 1, "failure": 0, "running": 1, "cancelled": 0, "retried": 1,
    }  # fmt: skip


def test_a_run_is_brought_forward_and_then_kept(store: Store) -> None:
    ended: dict[str, Any] = {"endedAt": None, "endReason": None, "exitCode": 0}
    waits = run(status="pending", startedAt=None, **ended)
    runs = run(status="running", **ended)
    assert [only(store, one) for one in (waits, runs, waits, run(), runs, waits, run(exitCode=3))] == [
        NEW, FORWARD, KEPT, FORWARD, KEPT, KEPT, KEPT,
    ]  # fmt: skip
    ((found,),) = (page["runs"] for page in read_answers(store, "/api/tasks/backup/runs"))
    assert (found["status"], found["end_reason"], found["exit_code"]) == ("ended", "failed", 2)


def test_a_run_is_the_same_in_either_dialect(store: Store) -> None:
    first = run(endReason="succeeded", exitCode=0, isFailure=False, triggeredBy="station")
    second = legacy_run(triggered_by="cloud")
    assert [only(store, one) for one in (first, second, first)] == [NEW, SAME, SAME]


def test_a_job_is_told_anew_by_a_later_document_alone(store: Store) -> None:
    later = job(metadata={"updatedAt": "2026-11-20T00:00:00Z", "displayName": "Later"}, status="FAILED")
    assert [only(store, one) for one in (job(), later, job(), later)] == [NEW, FORWARD, KEPT, SAME]
    (found,) = read_answers(store, "/v0/jobs/etl")
    assert (found["metadata"]["displayName"], found["status"]) == ("Later", "FAILED")
    assert found["metadata"]["createdAt"] == "2026-10-01T00:00:00Z"


def test_a_definition_is_told_anew_by_whatever_differs(store: Store) -> None:
    first, second = ({"name": "backup", "kind": "task", "cron": cron} for cron in ("0 1 * * *", "0 2 * * *"))
    assert [only(store, one) for one in (first, second, first)] == [NEW, FORWARD, FORWARD]


def test_an_id_of_another_job_or_task_is_refused(store: Store) -> None:
    import_documents(store, execution(), run())
    summary = import_documents(store, execution(of="report"), run(taskName="other"), execution("exec-2"))
    assert summary.refusals == [
        "saved.jsonl, line 1: metadata.id='exec-1' is that of an execution of job 'etl' here; ids are unique",
        f"saved.jsonl, line 2: id='{ULID}' is that of a run of task 'backup' here; ids are unique",
    ]
    assert summary.outcomes == {}
    assert store.count_executions("default", "etl") == 1
    summary = import_documents(
        store, execution(of="report"), run(taskName="other"), execution("exec-2"), skip_refused=True
    )
    assert (summary.refused, summary.outcomes) == (2, {("execution", NEW): 1})
    assert store.find_job("default", "report") is None
    assert not store.has_definition("other")


def test_what_a_recorder_of_this_machine_runs_is_refused_until_it_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(Store(path)) as store, LivenessLock(path) as sign:
        recording = Recording(store, sign.token, RecordingRequest(job="etl", execution="exec-1", tasks=["task-0"]))
        recording.begin_task("task-0")
        summary = import_documents(store, execution(tasks=[task()]))
        (sentence,) = summary.refusals
        assert sentence.endswith(
            "metadata.id='exec-1' is being recorded on this machine; import it once that has ended"
        )
        recording.end_tasks(["task-0"], "failed")
        assert only(store, execution(tasks=[task()])) is KEPT


def test_what_was_recorded_and_saved_is_there_already(store: Store) -> None:
    why = [{**condition("OOM", "no"), "executionReason": "attempt 1"}]
    at = 10**18
    store.write(
        [
            ExecutionRow(
                "etl", "exec-1", "failed", at, at + 4, at + 1, at + 4, {"parallelism": 1, "memoryOverride": 4}
            ),
            TaskRow("exec-1", "a/b", "failed", at + 1, at + 3, at + 2, at + 3, 1, {"maxRetries": 0}, why),
        ]
    )
    import_documents(store, job())
    (found,) = read_answers(store, EXECUTION)
    assert only(store, found) is SAME


def test_a_failure_in_the_middle_leaves_nothing(store: Store) -> None:
    store.select("CREATE TRIGGER full BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(StoreError, match="full"):
        import_documents(store, execution(), job(), run())
    assert store.is_empty
