"""A real RunWisp daemon's files, imported while it runs: agents are then shown the same of the plane."""

from __future__ import annotations

import json
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx2
import pytest

from jobtrail.importing import import_files
from jobtrail.sources.runwisp.response_models import WireRun, WireTaskDefinition
from jobtrail.store import Store
from jobtrail.store.imports import ImportOutcome
from tests.importing.documents import read_answers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jobtrail.importing import FileSummary
    from jobtrail.models import Run
    from tests.peers.runwisp_daemon import Daemon

OLDEST_FIRST = {"limit": 1000, "sortField": "createdAt", "sortDirection": "asc"}
# A log whose last lines are asked for.
TAIL = {"from": -200, "limit": 200}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "store.db")) as one:
        yield one


def brought(store: Store, path: Path) -> FileSummary:
    (summary,) = import_files(store, [path], say=lambda _: None)
    assert summary.refused == 0
    return summary


@pytest.fixture
def settled(runwisp_daemon: Daemon) -> Daemon:
    """A daemon whose services have begun."""
    deadline = time.monotonic() + 20
    while daemon_waits(runwisp_daemon):
        assert time.monotonic() < deadline, "a run is still pending"
        time.sleep(0.05)
    return runwisp_daemon


def daemon_waits(daemon: Daemon) -> bool:
    services = {one["name"] for one in get(daemon, "/api/tasks")["items"] if one["kind"] == "service"}
    running = {run["taskName"] for run in daemon.runs(status="running")}
    return not services <= running or bool(daemon.runs(status="pending"))


def served(daemon: Daemon) -> list[dict[str, Any]]:
    """Every run that the daemon answers, oldest first."""
    return daemon.runs(**OLDEST_FIRST)


def stored(store: Store) -> list[dict[str, Any]]:
    """Every run that the plane answers, likewise."""
    return read_answers(store, f"/api/runs?{urlencode(OLDEST_FIRST)}")[0]["items"]


def shown(runs: list[dict[str, Any]]) -> list[tuple[Run, bool]]:
    """What agents are shown of runs, and which of them are failures."""
    return [(WireRun.model_validate(run).to_run(), run["isFailure"]) for run in runs]


def client_of(daemon: Daemon) -> httpx2.Client:
    return httpx2.Client(transport=httpx2.HTTPTransport(uds=str(daemon.socket)), base_url="http://runwisp")


def get(daemon: Daemon, path: str, **query: Any) -> Any:
    with client_of(daemon) as client:
        return client.get(path, params=query).raise_for_status().json()


def test_the_database_of_a_running_daemon_is_imported_as_the_daemon_answers_it(store: Store, settled: Daemon) -> None:
    before = settled.db.read_bytes()
    first = brought(store, settled.db)
    assert settled.db.read_bytes() == before
    runs = served(settled)
    assert first.outcomes == {("run", ImportOutcome.NEW): len(runs)}
    assert shown(stored(store)) == shown(runs)
    assert {one["name"] for one in read_answers(store, "/api/tasks")[0]["items"]} >= {run["taskName"] for run in runs}


def test_what_the_daemon_did_since_is_brought_forward(store: Store, settled: Daemon) -> None:
    going = [run["id"] for run in served(settled) if run["status"] == "running"]
    assert going, "the services of the demo run"
    brought(store, settled.db)
    assert shown(stored(store)) == shown(served(settled))
    settled.trigger("rotate-logs")
    settled.stop()
    second = brought(store, settled.db)
    assert second.outcomes["run", ImportOutcome.FORWARD] == len(going)
    assert second.outcomes["run", ImportOutcome.NEW] == 1
    assert {run["status"] for run in stored(store) if run["id"] in going} == {"ended"}
    assert brought(store, settled.db).outcomes == {("run", ImportOutcome.SAME): sum(second.outcomes.values())}


def test_the_last_lines_of_each_log_are_those_that_the_daemon_answers(store: Store, settled: Daemon) -> None:
    brought(store, settled.db)
    compared = 0
    with client_of(settled) as client:
        for run in served(settled):
            if run["status"] == "ended":
                page = client.get(f"/api/runs/{run['id']}/log", params=TAIL).json()
                theirs = [(line["stream"], line["ts"], line["text"][:2000]) for line in page["lines"] or ()]
                mine = read_answers(store, f"/api/runs/{run['id']}/log?{urlencode(TAIL)}")[0]["lines"]
                assert [(line["stream"], line["ts"], line["text"].rstrip("…")) for line in mine] == theirs, run["id"]
                compared += len(theirs)
    assert compared > 1000


def test_saved_answers_of_the_daemon_are_imported_like_its_database(
    store: Store, settled: Daemon, tmp_path: Path
) -> None:
    path = tmp_path / "saved.jsonl"
    pages = [
        get(settled, "/api/tasks"),
        get(settled, "/api/runs", **OLDEST_FIRST),
    ]
    path.write_text("".join(json.dumps(page) + "\n" for page in pages))
    summary = brought(store, path)
    runs = served(settled)
    assert summary.outcomes == {
        ("run", ImportOutcome.NEW): len(runs),
        ("definition", ImportOutcome.NEW): len(pages[0]["items"]),
    }
    assert shown(stored(store)) == shown(runs)
    theirs = {one["name"]: one for one in pages[0]["items"]}
    mine = {one["name"]: one for one in read_answers(store, "/api/tasks")[0]["items"]}
    for name, definition in theirs.items():
        told, kept = (WireTaskDefinition.model_validate(one).to_detail("", None) for one in (definition, mine[name]))
        # A saved answer does not tell the daemon's own zone, so only the moment of a next run is kept.
        assert kept.job == told.job.model_copy(update={"next_run_local": kept.job.next_run_local})
        assert kept.settings == told.settings
    from_database = brought(store, settled.db)
    assert from_database.outcomes.keys() <= {("run", ImportOutcome.SAME), ("run", ImportOutcome.FORWARD)}
    assert shown(stored(store)) == shown(runs)
