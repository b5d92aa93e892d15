"""What was told is what the plane answers, and what it answers can be told again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from jobtrail.importing import import_files
from jobtrail.plane import Store
from jobtrail.plane.imports import Outcome
from jobtrail.plane.store import moment
from tests.importing.papers import ULID, answers, bring, run, seed_run
from tests.plane.stocks import client_of, walk

if TYPE_CHECKING:
    from pathlib import Path

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ENDED = {"succeeded", "failed", "cancelled", "timeout"}
NANOS = st.integers(1, 2**62)
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
        "spec": draw(st.fixed_dictionaries({}, optional={"maxRetries": COUNTS, "timeout": TEXTS})),
        "status": draw(st.sampled_from([status, status.upper(), status.title()])),
        "conditions": draw(CONDITIONS),
    }


@st.composite
def executions(draw: st.DrawFn) -> dict[str, Any]:
    status = draw(st.sampled_from(["queued", "pending", "running", "cancelling", *sorted(ENDED)]))
    metadata = {"id": draw(NAMES), "job": draw(NAMES), **draw(life(ended=status in ENDED, required=True))}
    for name in ("deletedAt", "expiredAt"):
        if draw(st.booleans()):
            metadata[name] = draw(written())
    if draw(st.booleans()):
        metadata["cluster"] = draw(TEXTS)
    spec = st.fixed_dictionaries(
        {},
        optional={
            "parallelism": COUNTS,
            "timeout": COUNTS,
            "memoryOverride": COUNTS,
            "envOverride": st.dictionaries(TEXTS, TEXTS, max_size=2),
            "tasks": st.lists(
                st.fixed_dictionaries({}, optional={"metadata": st.fixed_dictionaries({"name": NAMES})}), max_size=2
            ),
        },
    )
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


def times_in(metadata: dict[str, Any]) -> dict[str, str]:
    """The times of metadata as the plane writes them; what says nothing is absent."""
    said = {name: value for name, value in metadata.items() if name.endswith("At") and value}
    return {name: moment(nanos_of(value)) or "" for name, value in said.items() if not value.startswith("0001")}


def expected(document: dict[str, Any]) -> dict[str, Any]:
    """What the plane should answer of an execution: what was told, and what the documents have for the rest."""
    given = document["metadata"]
    spec = dict(document["spec"])
    if "envOverride" in spec:
        spec["envOverride"] = dict.fromkeys(spec["envOverride"], "***")
    metadata = {**{key: given[key] for key in ("id", "job", "cluster") if key in given}, **times_in(given)}
    listed = [expected_task(one, metadata["createdAt"]) for one in document.get("tasks", [])]
    statuses = [one["status"] for one in listed]
    words = {"success": "succeeded", "failure": "failed", "running": "running", "cancelled": "cancelled"}
    counts = {"total": len(listed), "retried": 0, **{name: statuses.count(word) for name, word in words.items()}}
    return {
        "metadata": metadata,
        "spec": spec,
        "status": document["status"].lower(),
        "stats": {**counts, **document.get("stats", {})},
        "tasks": listed,
    }


def expected_task(document: dict[str, Any], created: str) -> dict[str, Any]:
    times = times_in(document["metadata"])
    made = times.get("createdAt") or times.get("scheduledAt") or times.get("startedAt") or created
    return {
        "metadata": {"name": document["metadata"]["name"], "scheduledAt": made, **times, "createdAt": made},
        "spec": document["spec"],
        "status": document["status"].lower(),
        "conditions": document["conditions"],
    }


def without_guesses(answer: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """An answer without what a plane has to say though nobody told it: the workspace, a last change."""
    metadata = {key: value for key, value in answer["metadata"].items() if key != "workspace"}
    if "updatedAt" not in told["metadata"]:
        del metadata["updatedAt"]
    rest = {key: value for key, value in answer.items() if key != "metadata"}
    if "tasks" in rest:
        order = {one["metadata"]["name"]: one for one in rest["tasks"]}
        rest["tasks"] = [without_guesses(order.pop(one["metadata"]["name"]), one) for one in told["tasks"]]
        assert not order
    return {"metadata": metadata, **rest}


def answer_of(store: Store, document: dict[str, Any]) -> dict[str, Any]:
    job, identity = (quote(document["metadata"][key], safe="") for key in ("job", "id"))
    return answers(store, f"/v0/jobs/{job}/executions/{identity}")[0]


@settings(deadline=None)
@given(executions())
def test_an_execution_is_answered_as_it_was_told(document: dict[str, Any]) -> None:
    store = Store(None)
    summary = bring(store, document)
    assert summary.refusals == ()
    told = expected(document)
    assert without_guesses(answer_of(store, document), told) == told
    store.close()


@settings(deadline=None)
@given(executions(), executions())
def test_an_execution_that_is_told_again_is_brought_forward_or_kept_and_the_same_file_changes_nothing(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    store = Store(None)
    second["metadata"] |= {"id": first["metadata"]["id"], "job": first["metadata"]["job"]}
    bring(store, first)
    (outcome,) = [one for _, one in bring(store, second).outcomes]
    told = expected(second)
    if outcome is Outcome.FORWARD:
        # Tasks and counts that were told before and are not now are still known.
        known = expected(first)
        names = {one["metadata"]["name"] for one in told["tasks"]}
        told["tasks"] += [one for one in known["tasks"] if one["metadata"]["name"] not in names]
        found = without_guesses(answer_of(store, second), told)
        assert {**found, "stats": None} == {**told, "stats": None}
        assert second.get("stats", {}).items() <= found["stats"].items()
    log = store.rows("SELECT max(seq) FROM events")[0][0]
    again = [bring(store, document).outcomes for document in (second, second)]
    assert again[0] == again[1]
    assert store.rows("SELECT max(seq) FROM events")[0][0] == log
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


SEED = {
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


def in_seed_words(fields: dict[str, Any]) -> dict[str, Any]:
    """A run of the seed document, with times as the plane writes them."""
    told = {SEED.get(name, name): value for name, value in fields.items() if value is not None}
    return {name: moment(nanos_of(value)) if name.endswith("_at") else value for name, value in told.items()}


@settings(deadline=None)
@given(runs(), st.booleans())
def test_a_run_is_answered_as_it_was_told_in_either_spelling(fields: dict[str, Any], seed: bool) -> None:
    store = Store(None)
    document = seed_run(**{SEED.get(key, key): value for key, value in fields.items()}) if seed else run(**fields)
    summary = bring(store, document)
    assert summary.refusals == ()
    (page,) = answers(store, "/api/tasks/backup/runs")
    (answer,) = page["runs"]
    told = {"id": ULID, "task_name": "backup", **in_seed_words(fields)}
    assert {name: answer.get(name) for name in told} == told
    assert not {"start_at", "end_at", "end_reason", "retry_of_run_id"} & (answer.keys() - told.keys())
    assert bring(store, document).outcomes == {("run", Outcome.SAME): 1}
    store.close()


@settings(deadline=None)
@given(
    runs(),
    st.sampled_from(["cron", "api", "ui", "cli", "station", "service", "startup"]),
    st.sampled_from(["succeeded", "queue_full", "dst_skipped", "daemon_stopped", "missed", "start_failed"]),
    st.booleans(),
    st.dictionaries(TEXTS, TEXTS, max_size=2),
)
def test_a_run_of_1_is_answered_with_every_documented_field(
    fields: dict[str, Any], trigger: str, reason: str, failure: bool, params: dict[str, str]
) -> None:
    store = Store(None)
    more: dict[str, Any] = {"triggeredBy": trigger, "isFailure": failure, "executionId": "e-1", "params": params}
    document = run(**{**fields, **more})
    if document["status"] == "ended":
        document["endReason"] = reason
    assert bring(store, document).refusals == ()
    (answer,) = answers(store, f"/api/runs/{ULID}")
    times = {key: moment(nanos_of(value)) for key, value in document.items() if key.endswith("At")}
    assert {key: value for key, value in answer.items() if key != "$schema"} == {**document, **times}
    store.close()


JOB = {
    "metadata": {
        "name": "etl",
        "displayName": "Nightly ETL",
        "externalId": "etl-1",
        "labels": {"team": "data", "": ""},
        "createdAt": "2026-10-01T00:00:00Z",
        "updatedAt": "2026-10-20T00:00:00.123456789Z",
        "createdBy": "someone",
        "updatedBy": "someone else",
        "plan": "free",
        "url": "https://run.example/etl",
    },
    "spec": {
        "enabled": True,
        "githubRunner": {"repositories": ["acme/etl"]},
        "policies": ["eu"],
        "region": "us-was-1",
        "revision": {"active": "rev-1", "canary": "", "canaryPercent": 10, "stickySessionTtl": 0, "traffic": 100},
        "runtime": {
            "diskPercent": 80,
            "envs": [{"name": "A", "value": "plain"}, {"name": "B", "value": "hidden", "secret": True}],
            "generation": "mk3",
            "image": "etl:1",
            "maxRetries": 3,
            "memory": 2048,
            "ports": [{"target": 8080, "name": "http", "protocol": "HTTP"}],
            "timeout": 3600,
        },
        "triggers": [
            {
                "configuration": {
                    "authenticationType": "blaxel",
                    "callbackSecret": "hidden",
                    "callbackUrl": "https://acme.example/hook",
                    "path": "/invoke",
                    "retry": 3,
                    "schedule": "0 * * * *",
                    "tasks": [{"name": "one", "deep": [{"er": 1.5}]}],
                    "timeout": 300,
                },
                "enabled": True,
                "id": "trigger-1",
                "type": "cron",
            }
        ],
        "volumes": [{"mountPath": "/mnt", "name": "scratch", "sizeMb": 1024, "type": "ephemeral", "readOnly": False}],
    },
    "status": "DEPLOYED",
    "events": [{"message": "done", "revision": "rev-1", "status": "DEPLOYED", "time": "2026-10-01T00:00:00Z",
                "type": "deployment", "canaryRevision": ""}],
}  # fmt: skip


def test_a_job_is_answered_with_every_documented_field_and_without_its_secrets(store: Store) -> None:
    bring(store, JOB)
    assert answers(store, "/v0/jobs/etl")[0] == json.loads(
        json.dumps(JOB).replace('"hidden"', '"***"').replace('"name": "etl"', '"name": "etl", "workspace": "default"')
    )
    assert "hidden" not in str([tuple(row) for row in store.rows("SELECT body FROM events")])


def test_a_definition_is_answered_with_every_documented_field_and_its_variables_by_name(store: Store) -> None:
    definition = {
        "name": "backup", "kind": "task", "group": "Backups", "description": "Nightly.", "cron": "0 3 * * *",
        "timezone": "Europe/Berlin", "nextRunAt": "2026-11-02T03:00:00+01:00", "autostart": False, "catchUp": 1,
        "compose": {"file": "a.yml", "projectName": "a", "service": "b"}, "dependsOn": ["db"], "envBase": "clean",
        "envFile": ".env", "gracefulStop": 5_000_000_000, "healthyAfter": 0, "heldBy": "cron", "instances": 2,
        "jitter": 1, "keepFor": 3_153_600_000_000_000_000, "keepRuns": 200, "logMaxSize": 1, "logOnFull": "drop_old",
        "manualTrigger": True, "maxConcurrent": 1, "maxQueued": 100, "onOverlap": "skip",
        "parameters": [{"key": "--since", "kind": "option", "choices": ["a"], "required": False}], "priority": 1,
        "restart": "always", "restartAttempts": 3, "restartBackoff": "linear", "restartDelay": 1, "retryAttempts": 1,
        "retryBackoff": "constant", "retryDelay": 1, "runOnStart": False, "secretsFile": ".s", "shell": "/bin/sh",
        "source": "staged", "sourceFile": "/etc/crontab", "stopSignal": "SIGTERM", "timeout": 7_200_000_000_000,
        "umask": "022", "user": "backup", "workingDir": "/srv",
    }  # fmt: skip
    bring(store, {**definition, "env": {"TOKEN": "hidden"}, "undocumented": 1})
    assert answers(store, "/api/tasks")[0]["items"] == [{**definition, "env": {"TOKEN": "***"}}]
    assert "hidden" not in str([tuple(row) for row in store.rows("SELECT body FROM events")])


async def everything(store: Store) -> list[Any]:
    """All that the plane answers, as `curl` would save it page by page; runs oldest first, as they were created."""
    saved: list[Any] = []
    async with client_of(store, "") as client:
        pages = await walk(client, "/v0/jobs", limit=5)
        for job in [job["metadata"]["name"] for page in pages for job in page["data"]]:
            listed = await walk(client, f"/v0/jobs/{job}/executions", limit=100)
            ids = [one["metadata"]["id"] for page in listed for one in page["data"]]
            details = [(await client.get(f"/v0/jobs/{job}/executions/{one}")).json() for one in ids]
            pages += [*listed, *details]
        for page in pages:
            page.pop("meta", None)
        saved += pages
        definitions = (await client.get("/api/tasks")).json()
        saved.append(definitions)
        for name in [one["name"] for one in definitions["items"]]:
            params = {"limit": 1000, "sort_direction": "asc"}
            saved.append((await client.get(f"/api/tasks/{name}/runs", params=params)).json())
    return saved


def test_what_the_plane_answers_of_the_sample_fills_an_empty_store_that_answers_the_same(
    sample: Store, tmp_path: Path
) -> None:
    saved = anyio.run(everything, sample)
    path = tmp_path / "saved.jsonl"
    path.write_text("".join(json.dumps(page) + "\n" for page in saved))
    store = Store(tmp_path / "store.db")
    (summary,) = import_files(store, [path], say=lambda _: None).files
    assert summary.refusals == ()
    assert anyio.run(everything, store) == saved
    (again,) = import_files(store, [path], say=lambda _: None).files
    assert {outcome for _, outcome in again.outcomes} == {Outcome.SAME}
    store.close()
