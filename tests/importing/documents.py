"""Documents in the upstreams' shapes, files of them, and what came of importing those."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import anyio

from jobtrail.importing import import_files
from tests.plane.records import open_client

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jobtrail.store import Store
    from jobtrail.store.imports import ImportOutcome

ULID = "01M6FK0E50C4TP2FT2ERSACTJ5"


def execution(identity: str = "exec-1", of: str = "etl", status: str = "succeeded", **parts: Any) -> dict[str, Any]:
    """A JobExecution that began and ended, as its status has it; `metadata` is put over what it has."""
    over = status in {"succeeded", "failed", "cancelled", "timeout"}
    metadata = {
        "id": identity,
        "job": of,
        "createdAt": "2026-11-01T02:00:00Z",
        **({"startedAt": "2026-11-01T02:00:10.5Z"} if over or status == "running" else {}),
        **({"completedAt": "2026-11-01T02:09:00.000000001Z"} if over else {}),
        **parts.pop("metadata", {}),
    }
    return {"metadata": metadata, "spec": {"parallelism": 2, "timeout": 3600}, "status": status, **parts}


def task(name: str = "task-0", status: str = "succeeded", **parts: Any) -> dict[str, Any]:
    """A JobExecutionTask of such an execution."""
    metadata = {
        "name": name,
        "createdAt": "2026-11-01T02:00:01Z",
        **({"startedAt": "2026-11-01T02:00:11Z"} if status != "pending" else {}),
        **({"completedAt": "2026-11-01T02:08:00Z"} if status in {"succeeded", "failed", "cancelled"} else {}),
        **parts.pop("metadata", {}),
    }
    return {"metadata": metadata, "spec": {"maxRetries": 2, "timeout": "30m"}, "status": status, **parts}


def condition(reason: str, message: str) -> dict[str, str]:
    return {"type": "Failed", "state": "failed", "severity": "error", "reason": reason, "message": message}


def job(name: str = "etl", **parts: Any) -> dict[str, Any]:
    """A Job."""
    metadata = {
        "name": name,
        "displayName": "Nightly ETL",
        "labels": {"team": "data"},
        "createdAt": "2026-10-01T00:00:00Z",
        "updatedAt": "2026-10-20T00:00:00Z",
        **parts.pop("metadata", {}),
    }
    return {
        "metadata": metadata,
        "spec": {"enabled": True, "runtime": {"memory": 2048}},
        "status": "DEPLOYED",
        **parts,
    }


def run(identity: str = ULID, **fields: Any) -> dict[str, Any]:
    """A Run of 1.0.1, which failed; a field that is None is left out."""
    whole = {
        "id": identity,
        "taskName": "backup",
        "status": "ended",
        "endReason": "failed",
        "isFailure": True,
        "exitCode": 2,
        "createdAt": "2026-11-01T02:15:00Z",
        "startedAt": "2026-11-01T02:15:00.25Z",
        "endedAt": "2026-11-01T02:15:09Z",
        "triggeredBy": "cron",
        "retryAttempt": 0,
        "instanceIndex": 0,
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not None}


def legacy_run(identity: str = ULID, **fields: Any) -> dict[str, Any]:
    """A Run of the legacy dialect, which succeeded; a field that is None is left out."""
    whole = {
        "id": identity,
        "task_name": "backup",
        "status": "ended",
        "end_reason": "success",
        "exit_code": 0,
        "created_at": "2026-11-01T02:15:00Z",
        "start_at": "2026-11-01T02:15:00.25Z",
        "end_at": "2026-11-01T02:15:09Z",
        "triggered_by": "cron",
        "retry_attempt": 0,
        "replica_index": 0,
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not None}


def write_json_lines(documents: Iterable[Any]) -> bytes:
    """JSON Lines."""
    return b"".join(json.dumps(one).encode() + b"\n" for one in documents)


@dataclass(frozen=True)
class ImportResult:
    """What became of a file, and what was refused of it."""

    outcomes: Mapping[tuple[str, ImportOutcome], int]
    refused: int
    refusals: list[str]


def import_documents(store: Store, *documents: Any, skip_refused: bool = False) -> ImportResult:
    """Import a file of these documents."""
    said: list[str] = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "saved.jsonl"
        path.write_bytes(write_json_lines(documents))
        (summary,) = import_files(store, [path], skip_refused=skip_refused, say=said.append)
    refusals = [one.removeprefix(f"{folder}/") for one in said[: summary.refused]]
    return ImportResult(summary.outcomes, summary.refused, refusals)


def list_refusals(store: Store, *documents: Any) -> list[str]:
    """What importing these documents is refused for, without the file's name."""
    return [one.removeprefix("saved.jsonl, ") for one in import_documents(store, *documents).refusals]


def read_tables(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of a store, by table."""
    tables = [row["name"] for row in store.select("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {table: [tuple(row) for row in store.select(f"SELECT * FROM {table}")] for table in tables}  # noqa: S608 # its own names


def read_answers(store: Store, *paths: str) -> list[Any]:
    """What the plane answers, each path below its API; an error fails the test."""

    async def ask() -> list[Any]:
        found: list[Any] = []
        async with open_client(store, "") as client:
            for path in paths:
                answer = await client.get(path)
                assert answer.status_code == 200, (path, answer.text)
                found.append(answer.json())
        return found

    return anyio.run(ask)
