"""What is taken for what, and the sentence for each thing that is not taken."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from jobtrail.store.imports import ImportOutcome
from tests.importing.documents import (
    ULID,
    condition,
    execution,
    import_documents,
    job,
    legacy_run,
    list_refusals,
    read_answers,
    read_tables,
    run,
    task,
)  # fmt: skip

if TYPE_CHECKING:
    from jobtrail.store import Store

NEW = ImportOutcome.NEW
TIME = "is no time; give RFC 3339, such as 2026-11-01T09:30:00Z"
EXECUTION_WORDS = "queued, pending, running, cancelling, cancelled, failed, succeeded, timeout"
END_REASONS = (
    "succeeded, success, failed, stopped, timeout, crashed, skipped, log_overflow, queue_full, dst_skipped, "
    "daemon_stopped, missed, start_failed"
)
MISSING = object()


def changed(document: dict[str, Any], where: str, value: Any) -> dict[str, Any]:
    """A document with another value at a place, or without one."""
    whole = copy.deepcopy(document)
    *parents, last = where.split(".")
    inner: Any = whole
    for name in parents:
        inner = inner[int(name) if name.isdecimal() else name]
    if value is MISSING:
        del inner[last]
    else:
        inner[last] = value
    return whole


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (execution(), {("execution", NEW): 1}),
        (job(), {("job", NEW): 1}),
        ({"metadata": {"name": "etl"}, "spec": {}}, {("job", NEW): 1}),
        (run(), {("run", NEW): 1}),
        (legacy_run(), {("run", NEW): 1}),
        (
            {"name": "backup", "manualTrigger": True, "runOnStart": False, "autostart": False},
            {("definition", NEW): 1},
        ),
        ({"data": [execution("e1"), execution("e2")], "meta": {"hasMore": False}}, {("execution", NEW): 2}),
        ({"data": [job()], "meta": {}}, {("job", NEW): 1}),
        ([execution("e1"), job()], {("execution", NEW): 1, ("job", NEW): 1}),
        ({"runs": [legacy_run()], "total": 1}, {("run", NEW): 1}),
        ({"items": [run()], "total": 1}, {("run", NEW): 1}),
        ({"items": [{"name": "backup", "kind": "service"}]}, {("definition", NEW): 1}),
        ({"tasks": [{"name": "backup", "kind": "task"}]}, {("definition", NEW): 1}),
        ({"runs": None, "total": 0}, {}),
        ({"items": None, "total": 0}, {}),
        ({"data": None, "meta": {}}, {}),
        ([], {}),
    ],
)
def test_a_document_is_known_by_its_fields_alone_or_in_an_answer_page(
    store: Store, document: Any, expected: dict[Any, int]
) -> None:
    assert import_documents(store, document).outcomes == expected


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (changed(execution(), "metadata.job", MISSING), "metadata.job is missing"),
        (changed(execution(), "metadata.id", MISSING), "metadata.id is missing"),
        (changed(execution(), "metadata.createdAt", MISSING), "metadata.createdAt is missing"),
        (changed(execution(), "metadata.createdAt", ""), "metadata.createdAt is missing"),
        (changed(execution(), "metadata.createdAt", "0001-01-01T00:00:00Z"), "metadata.createdAt is missing"),
        (changed(execution(), "spec", MISSING), "spec is missing"),
        (changed(execution(), "spec", None), "spec is missing"),
        (changed(execution(), "status", MISSING), "status is missing"),
        (changed(execution(), "status", "exploded"), f"status='exploded' is none of {EXECUTION_WORDS}"),
        (changed(execution(), "status", 3), "status=3 must be text"),
        ({"metadata": {"name": "etl"}, "spec": {}, "status": ["failed"]}, "status=['failed'] must be text"),
        (changed(execution(), "spec", [1]), "spec=[1] must be an object"),
        (changed(execution(), "tasks", {}), "tasks={} must be a list"),
        (changed(execution(), "spec.timeout", "1h"), "spec.timeout='1h' must be a whole number"),
        (changed(execution(), "spec.timeout", value=True), "spec.timeout=True must be a whole number"),
        (changed(execution(), "spec.timeout", 2.5), "spec.timeout=2.5 must be a whole number"),
        (changed(execution(), "spec.parallelism", -1), "spec.parallelism=-1 must be at least 0"),
        (
            execution(stats={"total": 2**53}),
            "stats.total=9007199254740992 must be at most 9007199254740991",
        ),
        (changed(execution(), "metadata.startedAt", "yesterday"), f"metadata.startedAt='yesterday' {TIME}"),
        (changed(execution(), "metadata.startedAt", 1762000000), f"metadata.startedAt=1762000000 {TIME}"),
        (changed(execution(), "metadata.startedAt", "2026-11-01"), f"metadata.startedAt='2026-11-01' {TIME}"),
        (
            changed(execution(), "metadata.startedAt", "2026-11-01T02:00:00"),
            f"metadata.startedAt='2026-11-01T02:00:00' {TIME}",
        ),
        (
            changed(execution(), "metadata.startedAt", "2026-02-30T02:00:00Z"),
            f"metadata.startedAt='2026-02-30T02:00:00Z' {TIME}",
        ),
        (
            changed(execution(), "metadata.startedAt", "2300-01-01T00:00:00Z"),
            "metadata.startedAt='2300-01-01T00:00:00Z' lies outside 1970 to 2262",
        ),
        (
            changed(execution(), "metadata.completedAt", "2026-11-01T02:00:10.499999999Z"),
            "metadata.completedAt='2026-11-01T02:00:10.499999999Z' lies before startedAt, 2026-11-01T02:00:10.5Z",
        ),
        (
            changed(changed(execution(), "metadata.startedAt", ""), "metadata.completedAt", "2026-11-01T00:00:00Z"),
            "metadata.completedAt='2026-11-01T00:00:00Z' lies before createdAt, 2026-11-01T02:00:00Z",
        ),
        (
            execution(status="running", metadata={"completedAt": "2026-11-01T03:00:00Z"}),
            "metadata.completedAt='2026-11-01T03:00:00Z' is an end, and status says running; give one of them",
        ),
        (
            changed(execution(), "metadata.id", "a/b"),
            "metadata.id='a/b' is no name; give 1 to 200 printable characters without /",
        ),
        (
            changed(execution(), "metadata.job", ".."),
            "metadata.job='..' is no name; give 1 to 200 printable characters without /",
        ),
        (
            changed(execution(), "metadata.id", "e" * 201),
            f"metadata.id='{'e' * 79}…' is no name; give 1 to 200 printable characters without /",
        ),
        (
            changed(execution(), "metadata.id", "a\x1b[31mb\n"),
            "metadata.id='ab' is no name; give 1 to 200 printable characters without /",
        ),
        (
            execution(tasks=[task("a"), task("b"), task("a")]),
            "tasks[2].metadata.name='a' is that of tasks[0] too; names differ",
        ),
        (execution(tasks=[task("a"), None]), "tasks[1]=None must be an object"),
        (
            execution(tasks=[changed(task(), "status", "timeout")]),
            (
                "tasks[0].status='timeout' is none of unspecified, pending, reconciling, failed, succeeded, running, "
                "cancelled"
            ),
        ),
        (execution(tasks=[changed(task(), "metadata.name", MISSING)]), "tasks[0].metadata.name is missing"),
        (
            execution(tasks=[task(), changed(task("b"), "metadata.completedAt", "2026-11-01T02:00:00Z")]),
            "tasks[1].metadata.completedAt='2026-11-01T02:00:00Z' lies before startedAt, 2026-11-01T02:00:11Z",
        ),
        (
            execution(tasks=[task(conditions=[{"message": 1}])]),
            "tasks[0].conditions[0].message=1 must be text",
        ),
        (
            execution(tasks=[{"metadata": 1}, {"metadata": 2}]),
            "tasks[0].metadata=1 must be an object (and 3 more)",
        ),
        (
            changed(job(), "status", "exploded"),
            (
                "status='exploded' is none of DELETING, TERMINATED, FAILED, DEACTIVATED, DEACTIVATING, UPLOADING, "
                "BUILDING, DEPLOYING, DEPLOYED, BUILT"
            ),
        ),
        (changed(job(), "metadata.labels", {"a": 1}), "metadata.labels.a=1 must be text"),
        (changed(job(), "spec.enabled", "yes"), "spec.enabled='yes' must be true or false"),
        (
            changed(job(), "spec.runtime.generation", "mk9"),
            "spec.runtime.generation='mk9' is none of mk2, mk3",
        ),
        (run(id="short"), "id='short' is no run id; give a ULID, 26 of 0-9 A-Z without I L O U"),
        (run(taskName="a b"), "taskName='a b' is no task name; give 1 to 100 of a-z A-Z 0-9 . _ : -"),
        (run(taskName="a" * 101), f"taskName='{'a' * 79}…' is no task name; give 1 to 100 of a-z A-Z 0-9 . _ : -"),
        (run(status="succeeded"), "status='succeeded' is none of pending, running, ended"),
        (run(endReason="exploded"), f"endReason='exploded' is none of {END_REASONS}"),
        (legacy_run(end_reason="exploded"), f"end_reason='exploded' is none of {END_REASONS}"),
        (
            run(triggeredBy="moon"),
            "triggeredBy='moon' is none of cron, api, cloud, ui, cli, station, service, startup",
        ),
        (run(exitCode="2"), "exitCode='2' must be a whole number"),
        (run(exitCode=2**63), "exitCode=9223372036854775808 must be at most 9223372036854775807"),
        (run(exitCode=None), "exitCode is missing"),
        (legacy_run(exit_code=None), "exit_code is missing"),
        (run(createdAt=""), "createdAt is missing"),
        (run(retryAttempt=-1), "retryAttempt=-1 must be at least 0"),
        (run(retryOfRunId="x"), "retryOfRunId='x' is no run id; give a ULID, 26 of 0-9 A-Z without I L O U"),
        (
            run(endedAt="2026-11-01T02:15:00.2Z"),
            "endedAt='2026-11-01T02:15:00.2Z' lies before startedAt, 2026-11-01T02:15:00.25Z",
        ),
        (
            legacy_run(end_at="2026-11-01T02:15:00.2Z"),
            "end_at='2026-11-01T02:15:00.2Z' lies before start_at, 2026-11-01T02:15:00.25Z",
        ),
        (
            run(status="running", endReason=None),
            "endedAt='2026-11-01T02:15:09Z' is an end, and status says running; give one of them",
        ),
        (
            run(status="running", endedAt=None),
            "endReason='failed' is an end, and status says running; give one of them",
        ),
        ({"name": "a b", "kind": "task"}, "name='a b' is no task name; give 1 to 100 of a-z A-Z 0-9 . _ : -"),
        ({"name": "a", "kind": "cron"}, "kind='cron' is none of task, service"),
        ({"name": "a", "kind": "task", "env": {"A": 1}}, "env.A=1 must be text"),
        (
            {"error": "not_found", "code": 404, "message": "job not found"},
            "is an error that the API answered: 'job not found'",
        ),
        (
            {"title": "Not Found", "status": 404, "detail": "task not found"},
            "is an error that the API answered: 'task not found'",
        ),
        (
            {"hello": "world"},
            (
                "is none of what is imported (its fields: hello); give an execution (metadata.id, metadata.job), "
                "a job (metadata.name, spec), a run (id, taskName or task_name), a definition (name, kind), "
                "or a page of them"
            ),
        ),
        (
            "hello",
            (
                "'hello' is no object; give an execution (metadata.id, metadata.job), a job (metadata.name, spec), "
                "a run (id, taskName or task_name), a definition (name, kind), or a page of them"
            ),
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_field_its_value_and_what_is_valid(
    store: Store, document: Any, sentence: str
) -> None:
    assert list_refusals(store, document) == [f"line 1: {sentence}"]
    assert store.is_empty


@pytest.mark.parametrize(
    "lone",
    [
        task(),
        task(status="pending"),
        task(status="failed", conditions=[condition("OOM", "out of memory")]),
        {"metadata": {"name": "task-0"}},
        {"metadata": {"name": "task-0"}, "spec": {"maxRetries": 1}, "status": "failed"},
    ],
)
def test_a_task_alone_is_told_where_it_belongs(store: Store, lone: dict[str, Any]) -> None:
    (sentence,) = list_refusals(store, {"data": [lone], "meta": {"hasMore": False}})
    assert sentence == (
        "line 1, data[0]: 'task-0' is a task of an execution; it is imported within its execution, in `tasks`, "
        "as GET /jobs/{jobId}/executions/{executionId} answers"
    )


def test_a_refusal_names_the_line_and_the_item(store: Store) -> None:
    page: dict[str, Any] = {"data": [execution("e1"), changed(execution("e2"), "status", "exploded")], "meta": {}}
    bare = [run(), run(id="short")]
    assert list_refusals(store, page, bare) == [
        f"line 1, data[1]: status='exploded' is none of {EXECUTION_WORDS}",
        "line 2, [1]: id='short' is no run id; give a ULID, 26 of 0-9 A-Z without I L O U",
    ]


@pytest.mark.parametrize("word", ["SUCCEEDED", "Succeeded", "succeeded"])
def test_words_of_blaxel_may_be_written_in_any_case(store: Store, word: str) -> None:
    import_documents(store, execution(status="succeeded") | {"status": word}, job() | {"status": "deployed"})
    (found, of) = read_answers(store, "/v0/jobs/etl/executions/exec-1", "/v0/jobs/etl")
    assert (found["status"], of["status"]) == ("succeeded", "DEPLOYED")


def test_nulls_and_unknown_fields_are_as_good_as_absent(store: Store) -> None:
    document = execution(tasks=None, stats=None, undocumented={"secret": "hidden"})
    document["metadata"] |= {"updatedAt": None, "deletedAt": None, "undocumented": "hidden"}
    document["spec"] |= {"envOverride": None, "undocumented": "hidden"}
    assert import_documents(store, document).refusals == []
    (found,) = read_answers(store, "/v0/jobs/etl/executions/exec-1")
    assert found["spec"] == {"parallelism": 2, "timeout": 3600}
    assert "hidden" not in str(read_tables(store))


def test_empty_optional_fields_of_a_run_are_absent(store: Store) -> None:
    document = run(status="running", endReason="", endedAt="", retryOfRunId="", executionId="", exitCode=0)
    assert import_documents(store, document).refusals == []


def test_half_a_surrogate_pair_is_kept_as_it_was_told(store: Store) -> None:
    half = "cut \ud83d"
    import_documents(
        store,
        execution(tasks=[task(status="failed", conditions=[condition("Cut", half)])]),
        job(metadata={"displayName": half, "labels": {"note": half}}),
    )
    (found, of) = read_answers(store, "/v0/jobs/etl/executions/exec-1", "/v0/jobs/etl")
    assert found["tasks"][0]["conditions"][0]["message"] == half
    assert of["metadata"]["displayName"] == half


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "timeout"])
def test_what_has_ended_needs_no_end(store: Store, status: str) -> None:
    import_documents(store, execution(status=status, metadata={"completedAt": "", "startedAt": ""}))
    (found,) = read_answers(store, "/v0/jobs/etl/executions/exec-1")
    assert found["status"] == status
    assert not {"startedAt", "completedAt"} & found["metadata"].keys()


def test_a_run_of_an_unknown_task_makes_a_definition_of_its_kind(store: Store) -> None:
    import_documents(store, run(), run("01M6FK0E50C4TP2FT2ERSACTJ6", taskName="worker", triggeredBy="service"))
    (page,) = read_answers(store, "/api/tasks")
    assert [(one["name"], one["kind"]) for one in page["items"]] == [("backup", "task"), ("worker", "service")]


def test_a_job_nothing_is_told_of_is_as_old_as_its_oldest_execution_and_gives_way_to_what_is_told(
    store: Store,
) -> None:
    newer, older = "2026-11-02T00:00:00Z", "2026-11-01T01:00:00Z"
    still = {"startedAt": "", "completedAt": ""}
    import_documents(store, execution("e1", metadata={**still, "createdAt": newer}))
    assert read_answers(store, "/v0/jobs/etl")[0]["metadata"]["createdAt"] == newer
    import_documents(store, execution("e2", metadata={**still, "createdAt": older}))
    assert read_answers(store, "/v0/jobs/etl")[0]["metadata"]["createdAt"] == older
    assert import_documents(store, job()).outcomes == {("job", NEW): 1}
    (of,) = read_answers(store, "/v0/jobs/etl")
    assert (of["metadata"]["displayName"], of["metadata"]["createdAt"], of["metadata"]["updatedAt"]) == (
        "Nightly ETL", "2026-10-01T00:00:00Z", "2026-10-20T00:00:00Z",
    )  # fmt: skip
    import_documents(store, execution("e3", metadata={**still, "createdAt": "2026-09-01T00:00:00Z"}))
    assert read_answers(store, "/v0/jobs/etl")[0]["metadata"]["createdAt"] == "2026-10-01T00:00:00Z"


def test_a_document_may_name_any_workspace_and_goes_into_the_stores_own(store: Store) -> None:
    import_documents(store, execution(metadata={"workspace": "acme"}), job(metadata={"workspace": "acme"}))
    (found,) = read_answers(store, "/v0/jobs/etl/executions/exec-1")
    assert found["metadata"]["workspace"] == "default"


def test_values_of_overridden_variables_are_not_kept(store: Store) -> None:
    document = execution()
    document["spec"]["envOverride"] = {"TOKEN": "hidden"}
    import_documents(store, document)
    assert "hidden" not in str(read_tables(store))


def test_ids_of_runs_and_executions_do_not_meet(store: Store) -> None:
    assert import_documents(store, execution(ULID), run()).refusals == []
