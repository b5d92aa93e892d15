"""Words and counts that read as what they are: zero and unknown, statuses, deployments, what was imported half-way."""

from __future__ import annotations

from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client

from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.embedded.registration import EmbeddedSettings
from jobtrail.store import Store
from jobtrail.store.liveness import LivenessLock
from jobtrail.store.recording import Recording, RecordingRequest
from jobtrail.vocabulary import END_REASONS, OPEN_PHASES, STATUSES
from tests.importing.documents import ULID, execution, import_documents, job, run, task
from tests.sample_client import BIG, SAMPLE, answer, rows_of, sample_client
from tests.upstreams import Upstream, client_of, execution_of, page, run_of, task_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def over_store(path: Path) -> AsyncGenerator[Client]:
    settings = Settings(sources=(EmbeddedSettings(name="embedded"),), default="embedded", store=path)
    async with Client(build_server(settings)) as client:
        yield client


@asynccontextmanager
async def imported(home: Path, *documents: Any) -> AsyncGenerator[Client]:
    path = home / "store.db"
    with closing(Store(path)) as store:
        assert import_documents(store, *documents).refusals == []
    async with over_store(path) as client:
        yield client


async def test_a_count_of_zero_is_shown_and_one_that_is_not_known_is_not(tmp_path: Path) -> None:
    upstream = Upstream()
    zeros = {"total": 2, "success": 2, "failure": 0, "running": 0, "cancelled": 0, "retried": 0}
    for stats, shown in ((zeros, True), ({"total": 2, "success": 2}, False)):
        upstream.executions = [execution_of(number, stats=stats) for number in (2, 1)]
        async with client_of(tmp_path, upstream) as client:
            for tool, more in (("list_executions", {}), ("get_execution", {"execution": "exec-0002"})):
                text, found = await answer(client, tool, job="etl", **more)
                one = found["execution"] if "execution" in found else rows_of(found)[0]
                for name in ("failed", "running", "cancelled", "retried"):
                    assert one.get(name) == (0 if shown else None)
                    assert (f"{name} 0" in text or f"0 {name}" in text) == shown


async def test_the_first_attempt_and_the_first_instance_are_told_where_the_upstream_tells_them(
    tmp_path: Path,
) -> None:
    upstream = Upstream()
    upstream.runs = [run_of(2, retryAttempt=0, instanceIndex=0), run_of(1)]
    async with client_of(tmp_path, upstream) as client:
        _, found = await answer(client, "list_runs", source="runwisp")
    told, untold = rows_of(found)
    assert (told["attempt"], told["instance"]) == (1, 0)
    assert not {"attempt", "instance"} & untold.keys()


@pytest.mark.parametrize("word", [*STATUSES, *OPEN_PHASES, *END_REASONS, "failure"])
async def test_a_status_finds_the_same_rows_however_it_is_written(word: str) -> None:
    async with sample_client() as client:
        found = [
            (await answer(client, "list_runs", status=written, limit=100))[1]
            for written in (word, word.upper(), f" {word.title()} ")
        ]
    ids = [[one["id"] for one in rows_of(page)] for page in found]
    assert ids[0] == ids[1] == ids[2]


async def test_a_deployment_that_failed_does_not_read_as_a_job_that_did(tmp_path: Path) -> None:
    broken = job("never-ran", status="FAILED")
    async with imported(tmp_path, broken) as client:
        text, detail = await answer(client, "get_job", job="never-ran")
        _, listed = await answer(client, "list_jobs", status="failed")
    assert "deployment failed" in text
    assert "it has never run" in text
    assert "status" not in detail["job"]
    assert [(one["name"], one["deployment"]) for one in rows_of(listed)] == [("never-ran", "failed")]


async def test_a_record_of_all_there_is_says_none_and_not_that_others_may_be(tmp_path: Path) -> None:
    async with imported(tmp_path, execution("e1"), execution("e2")) as client:
        text, detail = await answer(client, "get_job", job="etl")
    assert "all 2: 2 succeeded" in text
    assert text.endswith("last failure none")
    assert detail["record"]["complete"]
    async with sample_client() as client:
        text, detail = await answer(client, "get_job", job="nightly-etl")
    assert "last 20: " in text
    assert not detail["record"]["complete"]


async def test_a_status_that_nothing_can_have_is_said_to_be_so() -> None:
    async with sample_client() as client:
        text, _ = await answer(client, "list_tasks", **BIG, status="timeout")
        assert (
            "note: no task of this source is ever timeout; those of an execution that timed out end failed or cancelled"
        ) in text
        text, _ = await answer(client, "list_executions", job="nightly-etl", status="skipped,missed,failed")
        assert "note: no execution of this source is ever missed or skipped" in text
        text, _ = await answer(client, "list_executions", job="nightly-etl", status="timeout,unknown,failure")
        assert "is ever" not in text


async def test_what_was_imported_while_it_ran_is_marked_as_it_was_then(tmp_path: Path) -> None:
    open_run = run(status="running", endReason=None, endedAt=None, exitCode=0, isFailure=False)
    async with imported(tmp_path, open_run, execution(status="running", tasks=[task(status="running")])) as client:
        for tool, arguments in (
            ("list_runs", {}), ("get_run", {"run": ULID}), ("get_job", {"job": "backup"}),
            ("wait_for", {"run": ULID, "timeout": 0}),
        ):  # fmt: skip
            text, found = await answer(client, tool, **arguments)
            assert f"note: {ULID}: shown as imported, before the end" in text
            assert any("shown as imported" in note for note in found["notes"])
        for tool, arguments in (
            ("list_executions", {"job": "etl"}), ("get_execution", {"job": "etl"}),
            ("wait_for", {"job": "etl", "execution": "exec-1", "timeout": 0}),
        ):  # fmt: skip
            text, _ = await answer(client, tool, **arguments)
            assert "note: exec-1: shown as imported, before the end" in text


async def test_what_a_recorder_runs_and_what_the_sample_shows_is_live(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(Store(path)) as store, LivenessLock(path) as sign:
        recording = Recording(store, sign.token, RecordingRequest(job="etl", execution="exec-1", tasks=["task-0"]))
        recording.begin_task("task-0")
        async with over_store(path) as client:
            text, found = await answer(client, "list_executions", job="etl")
        recording.end_tasks(["task-0"], "succeeded")
    assert found["items"][0]["status"] == "running"
    assert "imported" not in text
    async with Client(build_server(SAMPLE)) as client:
        text, _ = await answer(client, "list_runs", status="running")
    assert "imported" not in text


@pytest.mark.parametrize("status", ["failed", "succeeded"])
async def test_an_execution_that_came_without_its_tasks_says_what_to_import(tmp_path: Path, status: str) -> None:
    stats = {"total": 3, "success": 2, "failure": 1} if status == "failed" else {"total": 3, "success": 3}
    saved = page([execution(status=status, stats=stats)])
    async with imported(tmp_path, saved) as client:
        for tool in ("get_execution", "list_tasks"):
            text, found = await answer(client, tool, job="etl", execution="exec-1")
            assert (
                "the upstream counts 3 tasks here and lists none: it was imported from a list of executions; import "
                "what GET /jobs/{jobId}/executions/{executionId} answers, which has its tasks"
            ) in text
            assert len(found["notes"]) == 1
    with closing(Store(tmp_path / "store.db")) as store:
        tasks = [
            task(f"t{number}", "failed" if number == 0 and status == "failed" else "succeeded") for number in range(3)
        ]
        assert import_documents(store, execution(status=status, stats=stats, tasks=tasks)).refusals == []
    async with over_store(tmp_path / "store.db") as client:
        text, found = await answer(client, "get_execution", job="etl", execution="exec-1")
    assert "notes" not in found


async def test_blaxels_own_word_for_success_is_read_as_that(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.executions = [execution_of(2, "completed"), execution_of(1, "COMPLETED"), execution_of(0, "failed")]
    upstream.tasks = [task_of(1, "completed")]
    async with client_of(tmp_path, upstream) as client:
        for word in ("succeeded", "completed"):
            _, found = await answer(client, "list_executions", job="etl", status=word)
            assert [one["status"] for one in rows_of(found)] == ["succeeded", "succeeded"]
        _, past = await answer(client, "history", job="etl", since="2026-11-01", until="2026-11-02")
        _, tasks = await answer(client, "list_tasks", job="etl", execution="exec-0002", status="succeeded")
    assert past["current"]["success_rate"] == pytest.approx(2 / 3, abs=0.001)
    assert [one["raw_status"] for one in rows_of(tasks)] == ["completed"]


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ({"executionReason": "OOMKilled"}, "OOMKilled"),
        ({"reason": "Failed", "executionReason": "OOMKilled", "message": "exit 137"}, "Failed: OOMKilled: exit 137"),
        ({"reason": "OOMKilled", "executionReason": "OOMKilled", "message": "exit 137"}, "OOMKilled: exit 137"),
        ({"reason": "Failed", "executionReason": "attempt 2", "message": "exit 1"}, "Failed: exit 1"),
        ({"executionReason": "attempt 2"}, None),
    ],
)
async def test_why_a_task_failed_is_read_from_every_field_that_says_so(
    tmp_path: Path, condition: dict[str, str], reason: str | None
) -> None:
    upstream = Upstream()
    times = {"startedAt": "2026-11-01T00:00:00Z", "completedAt": "2026-11-01T00:01:00Z"}
    plain = task_of(1, "failed", conditions=[condition])
    timed = {**plain, "metadata": {**plain["metadata"], **times}}
    for row in (plain, timed):
        one = execution_of(2, "failed", stats={"total": 1, "failure": 1}, tasks=[row])
        upstream.executions, upstream.tasks = [one], [row]
        async with client_of(tmp_path, upstream) as client:
            _, tasks = await answer(client, "list_tasks", job="etl", execution="exec-0002")
            _, detail = await answer(client, "get_execution", job="etl", execution="exec-0002")
        assert tasks["items"][0].get("reason") == reason
        assert detail["failures"][0]["example"] == (reason or "(no reason given)")


async def test_a_page_of_another_upstream_does_not_speak_of_imports(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.tasks = []
    async with client_of(tmp_path, upstream) as client:
        text, _ = await answer(client, "list_tasks", job="etl", execution="exec-0002")
    assert "the upstream counts 2 tasks here and lists none" in text
    assert "import" not in text
