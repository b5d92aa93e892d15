"""What was told is what the plane answers, and what it answers can be told again."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtrail.importing import import_files
from jobtrail.sources.blaxel.response_models import WireExecution, WireJob, WireTask
from jobtrail.sources.runwisp.response_models import WireRun, WireTaskDefinition
from jobtrail.store import Store
from jobtrail.store.imports import ImportOutcome
from jobtrail.times import format_nanoseconds
from tests.importing.documents import ULID, import_documents, legacy_run, read_answers, read_tables, run
from tests.plane.records import open_client, read_all_pages

if TYPE_CHECKING:
    from pathlib import Path

    from jobtrail.models import Task
    from jobtrail.sources.base import FullExecution

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ENDED = {"succeeded", "failed", "cancelled", "timeout"}
# From 1972 on: what lies before 1971 is not shown.
NANOS = st.integers(2**56, 2**62)
NAMES = st.text(
    st.characters(blacklist_categories=["C", "Z"], blacklist_characters="/"), min_size=1, max_size=20
).filter(lambda name: name not in {".", ".."})
TEXTS = st.text(max_size=20)
COUNTS = st.integers(0, 2**53 - 1)


@st.composite
def written(draw: st.DrawFn, nanos: st.SearchStrategy[int] = NANOS) -> str:
    """A time as RFC 3339, in some zone, with some of its zeros."""
    value = draw(nanos)
    minutes = draw(st.sampled_from([0, 0, 0, 90, -480]))
    there = EPOCH + timedelta(seconds=value // 10**9, minutes=minutes)
    fraction = f".{value % 10**9:09}" if value % 10**9 else draw(st.sampled_from(["", ".0", ".000000000"]))
    zone = "Z" if minutes == 0 else f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    return f"{there:%Y-%m-%d}T{there:%H:%M:%S}{fraction}{zone}"


def nanos_of(text: str) -> int:
    """A time in nanoseconds, by another way than the one that is tested."""
    day, _, rest = text.partition("T")
    clock, zone = (rest[:-1], "+00:00") if rest.endswith("Z") else (rest[:-6], rest[-6:])
    whole, _, fraction = clock.partition(".")
    seconds = (datetime.fromisoformat(f"{day}T{whole}{zone}") - EPOCH) // timedelta(seconds=1)
    return seconds * 10**9 + int((fraction or "0").ljust(9, "0"))


@st.composite
def life(draw: st.DrawFn, *, ended: bool, required: bool) -> dict[str, str]:
    """Times of something, in order; most of them may be missing."""
    created, started, completed = (
        draw(written(st.just(one))) for one in sorted(draw(st.tuples(NANOS, NANOS, NANOS)))
    )
    times = {"createdAt": created} if required or draw(st.booleans()) else {}
    if draw(st.booleans()):
        times["startedAt"] = started
    if ended and draw(st.booleans()):
        times["completedAt"] = completed
    if draw(st.booleans()):
        times["updatedAt"] = draw(written())
    for name in ("startedAt", "completedAt", "updatedAt"):
        if name not in times and draw(st.booleans()):
            times[name] = draw(st.sampled_from(["", "0001-01-01T00:00:00Z", None]))  # pyright: ignore[reportArgumentType] # null is absent
    return times


CONDITIONS = st.lists(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("type", "state", "severity", "reason", "message", "executionReason"), TEXTS)
    ),
    max_size=2,
)


@st.composite
def tasks(draw: st.DrawFn, name: str) -> dict[str, Any]:
    status = draw(
        st.sampled_from(["unspecified", "pending", "reconciling", "failed", "succeeded", "running", "cancelled"])
    )
    metadata = {"name": name, **draw(life(ended=status in {*ENDED, "unspecified"}, required=draw(st.booleans())))}
    if draw(st.booleans()):
        metadata["scheduledAt"] = draw(written())
    return {
        "metadata": metadata,
        "status": draw(st.sampled_from([status, status.upper(), status.title()])),
        "conditions": draw(CONDITIONS),
    }


@st.composite
def executions(draw: st.DrawFn) -> dict[str, Any]:
    status = draw(st.sampled_from(["queued", "pending", "running", "cancelling", *sorted(ENDED)]))
    metadata = {"id": draw(NAMES), "job": draw(NAMES), **draw(life(ended=status in ENDED, required=True))}
    spec = st.fixed_dictionaries({}, optional=dict.fromkeys(("parallelism", "timeout", "memoryOverride"), COUNTS))
    stats = st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("total", "success", "failure", "running", "cancelled", "retried"), COUNTS)
    )
    whole: dict[str, Any] = {
        "metadata": metadata,
        "spec": draw(spec),
        "status": draw(st.sampled_from([status, status.upper()])),
    }
    if draw(st.booleans()):
        whole["stats"] = draw(stats)
    if draw(st.booleans()):
        whole["tasks"] = [draw(tasks(name)) for name in draw(st.lists(NAMES, max_size=3, unique=True))]
    return whole


def shown(document: dict[str, Any]) -> tuple[FullExecution, list[Task]]:
    """What an agent is shown of an execution, and its tasks by name."""
    tasks = [WireTask.model_validate(one).to_task() for one in document.get("tasks") or ()]
    return WireExecution.model_validate(document).to_full_execution("", None), sorted(tasks, key=lambda one: one.name)


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """An execution as it was told, with what the store works out where that was not told."""
    tasks = [{**one, "status": one["status"].lower()} for one in document.get("tasks", [])]
    statuses = [one["status"] for one in tasks]
    words = {"success": "succeeded", "failure": "failed", "running": "running", "cancelled": "cancelled"}
    counts = {"total": len(tasks), "retried": 0, **{name: statuses.count(word) for name, word in words.items()}}
    for one in tasks:
        times = {key: value for key, value in one["metadata"].items() if value and not value.startswith("0001")}
        created = times.get("createdAt") or times.get("scheduledAt") or times.get("startedAt")
        one["metadata"] = {**one["metadata"], "createdAt": created or document["metadata"]["createdAt"]}
    stats = {**counts, **document.get("stats", {})}
    metadata = {key: value for key, value in document["metadata"].items() if value and not value.startswith("0001")}
    times = [metadata[key] for key in ("createdAt", "startedAt", "completedAt") if key in metadata]
    metadata = {"updatedAt": max(times, key=nanos_of), **metadata}
    return {**document, "metadata": metadata, "status": document["status"].lower(), "stats": stats, "tasks": tasks}


def answer_of(store: Store, document: dict[str, Any]) -> dict[str, Any]:
    job, identity = (quote(document["metadata"][key], safe="") for key in ("job", "id"))
    return read_answers(store, f"/v0/jobs/{job}/executions/{identity}")[0]


@given(executions())
def test_an_execution_is_shown_as_it_was_told(document: dict[str, Any]) -> None:
    store = Store(None)
    assert import_documents(store, document).refusals == []
    answer = answer_of(store, document)
    assert shown(answer) == shown(completed(document))
    assert nanos_of(answer["metadata"]["createdAt"]) == nanos_of(document["metadata"]["createdAt"])
    store.close()


@given(executions(), executions())
def test_an_execution_that_is_told_again_is_brought_forward_or_kept_and_the_same_file_changes_nothing(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    store = Store(None)
    second["metadata"] |= {"id": first["metadata"]["id"], "job": first["metadata"]["job"]}
    import_documents(store, first)
    before = shown(answer_of(store, first))
    (outcome,) = [one for _, one in import_documents(store, second).outcomes]
    found = answer_of(store, second)
    if outcome is ImportOutcome.FORWARD:
        # Tasks and settings that were told before and are not now are still known.
        told, known = completed(second), completed(first)
        names = {one["metadata"]["name"] for one in told["tasks"]}
        told["tasks"] += [one for one in known["tasks"] if one["metadata"]["name"] not in names]
        told["spec"] = {**first["spec"], **second["spec"]}
        assert shown({**found, "stats": None}) == shown({**told, "stats": None})
        assert second.get("stats", {}).items() <= found["stats"].items()
    else:
        assert shown(found) == before
    there = read_tables(store)
    again = [import_documents(store, document).outcomes for document in (second, second)]
    assert again[0] == again[1]
    assert read_tables(store) == there
    store.close()


@st.composite
def runs(draw: st.DrawFn) -> dict[str, Any]:
    """Runs in either spelling, with the fields that both know."""
    status = draw(st.sampled_from(["pending", "running", "ended", "ended"]))
    created, started, ended = sorted(draw(st.tuples(NANOS, NANOS, NANOS)))
    times = {"createdAt": draw(written(st.just(created)))}
    if draw(st.booleans()):
        times["startedAt"] = draw(written(st.just(started)))
    if status == "ended" and draw(st.booleans()):
        times["endedAt"] = draw(written(st.just(ended)))
    reasons = ["failed", "stopped", "timeout", "crashed", "skipped", "log_overflow"]
    return {
        "status": status,
        "endReason": draw(st.sampled_from(reasons)) if status == "ended" else None,
        "exitCode": draw(st.integers(-(2**31), 2**31)) if status == "ended" else 0,
        "startedAt": None,
        "endedAt": None,
        **times,
        "triggeredBy": draw(st.sampled_from(["cron", "api"])),
        "retryAttempt": draw(st.integers(0, 5)),
        "retryOfRunId": draw(st.sampled_from([None, ULID])),
        "instanceIndex": draw(st.integers(0, 3)),
    }


LEGACY_NAMES = {
    "endReason": "end_reason",
    "exitCode": "exit_code",
    "createdAt": "created_at",
    "startedAt": "start_at",
    "endedAt": "end_at",
    "triggeredBy": "triggered_by",
    "retryAttempt": "retry_attempt",
    "retryOfRunId": "retry_of_run_id",
    "instanceIndex": "replica_index",
}


@given(runs(), st.booleans())
def test_a_run_is_shown_as_it_was_told_in_either_spelling(fields: dict[str, Any], legacy: bool) -> None:
    store = Store(None)
    document = (
        legacy_run(**{LEGACY_NAMES.get(key, key): value for key, value in fields.items()})
        if legacy
        else run(**fields)
    )
    assert import_documents(store, document).refusals == []
    (page,) = read_answers(store, "/api/tasks/backup/runs")
    (answer,) = page["runs"]
    # The older API does not tell what counts as a failure.
    told = WireRun.model_validate(document).to_run().model_copy(update={"failure": None})
    assert WireRun.model_validate(answer).to_run() == told
    assert import_documents(store, document).outcomes == {("run", ImportOutcome.SAME): 1}
    store.close()


@given(
    runs(),
    st.sampled_from(["cron", "api", "ui", "cli", "station", "service", "startup"]),
    st.sampled_from(["succeeded", "queue_full", "dst_skipped", "daemon_stopped", "missed", "start_failed"]),
    st.booleans(),
)
def test_a_run_of_1_is_answered_in_the_words_of_1(
    fields: dict[str, Any], trigger: str, reason: str, failure: bool
) -> None:
    store = Store(None)
    more: dict[str, Any] = {"triggeredBy": trigger, "isFailure": failure}
    document = run(**{**fields, **more})
    if document["status"] == "ended":
        document["endReason"] = reason
    assert import_documents(store, document).refusals == []
    (answer,) = read_answers(store, f"/api/runs/{ULID}")
    times = {key: format_nanoseconds(nanos_of(value)) for key, value in document.items() if key.endswith("At")}
    assert {key: value for key, value in answer.items() if key != "$schema"} == {**document, **times}
    store.close()


JOB: dict[str, Any] = {
    "metadata": {
        "name": "etl",
        "displayName": "Nightly ETL",
        "labels": {"team": "data", "": ""},
        "createdAt": "2026-10-01T00:00:00Z",
        "updatedAt": "2026-10-20T00:00:00.123456789Z",
    },
    "spec": {
        "enabled": True,
        "region": "us-was-1",
        "runtime": {
            "envs": [{"name": "A"}, {"name": "B"}],
            "generation": "mk3",
            "image": "etl:1",
            "maxRetries": 3,
            "memory": 2048,
            "timeout": 3600,
        },
        "triggers": [{"configuration": {"schedule": "0 * * * *"}, "enabled": True, "type": "cron"}],
    },
    "status": "DEPLOYED",
}


def test_a_job_is_answered_with_what_is_shown_of_one_and_nothing_else_is_kept(store: Store) -> None:
    document = copy.deepcopy(JOB)
    document["spec"]["runtime"]["envs"] = [
        {"name": "A", "value": "hidden"},
        {"name": "B", "value": "hidden", "secret": True},
    ]
    document["spec"]["triggers"][0]["configuration"] |= {"callbackSecret": "hidden", "path": "hidden"}
    document["spec"]["policies"] = ["hidden"]
    document["metadata"]["createdBy"] = "hidden"
    import_documents(store, document)
    found = read_answers(store, "/v0/jobs/etl")[0]
    assert found["metadata"].pop("workspace") == "default"
    assert {**found, "events": []} == {**JOB, "events": []}
    assert "hidden" not in str(read_tables(store))


def test_a_definition_is_answered_with_what_is_shown_of_one_and_its_variables_by_name(store: Store) -> None:
    definition = {
        "name": "backup", "kind": "task", "group": "Backups", "description": "Nightly.", "cron": "0 3 * * *",
        "timezone": "Europe/Berlin", "nextRunAt": "2026-11-02T02:00:00Z", "instances": 2, "maxConcurrent": 1,
        "onOverlap": "skip", "restart": "always", "retryAttempts": 1, "timeout": 7_200_000_000_000,
    }  # fmt: skip
    import_documents(
        store, {**definition, "env": {"TOKEN": "hidden"}, "workingDir": "hidden", "undocumented": "hidden"}
    )
    assert read_answers(store, "/api/tasks")[0]["items"][0].items() >= {**definition, "env": {"TOKEN": "***"}}.items()
    assert "hidden" not in str(read_tables(store))


async def saved_pages(store: Store) -> list[Any]:
    """All that the plane answers, as `curl` would save it page by page; runs oldest first, as they were created."""
    async with open_client(store, "") as client:
        pages = await read_all_pages(client, "/v0/jobs", limit=5)
        for job in [job["metadata"]["name"] for page in pages for job in page["data"]]:
            listed = await read_all_pages(client, f"/v0/jobs/{job}/executions", limit=100)
            ids = [one["metadata"]["id"] for page in listed for one in page["data"]]
            details = [(await client.get(f"/v0/jobs/{job}/executions/{one}")).json() for one in ids]
            pages += [*listed, *details]
        definitions = (await client.get("/api/tasks")).json()
        params = {"limit": 1000, "sort_direction": "asc"}
        runs = [
            (await client.get(f"/api/tasks/{one['name']}/runs", params=params)).json() for one in definitions["items"]
        ]
    return [*pages, definitions, *runs]


def seen(pages: list[Any]) -> list[Any]:
    """What agents are shown of these pages."""
    found: list[Any] = []
    for page in pages:
        for one in page.get("data", [page] if "metadata" in page else ()):
            if "id" in one["metadata"]:
                found.append(shown(one))
            else:
                found.append(WireJob.model_validate(one).to_detail(""))
        found += [WireTaskDefinition.model_validate(one).to_detail("", None) for one in page.get("items") or ()]
        found += [WireRun.model_validate(one).to_run() for one in page.get("runs") or ()]
    return found


@pytest.mark.slow
def test_what_the_plane_answers_of_the_sample_fills_an_empty_store_that_shows_the_same(
    sample: Store, tmp_path: Path
) -> None:
    saved = anyio.run(saved_pages, sample)
    path = tmp_path / "saved.jsonl"
    path.write_text("".join(json.dumps(page) + "\n" for page in saved))
    store = Store(tmp_path / "store.db")
    said: list[str] = []
    (summary,) = import_files(store, [path], say=said.append)
    assert summary.refused == 0, said
    assert seen(anyio.run(saved_pages, store)) == seen(saved)
    (again,) = import_files(store, [path], say=said.append)
    assert {outcome for _, outcome in again.outcomes} == {ImportOutcome.SAME}
    store.close()
