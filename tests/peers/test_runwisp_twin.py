"""The plane's RunWisp side held to the daemon: over the same runs, both answer what its clients were seen to ask."""

from __future__ import annotations

import http.client
import json
import re
import sqlite3
import subprocess
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import httpx2
import pytest

from jobtrail.importing import import_files
from jobtrail.plane import Event, Store, build_plane
from jobtrail.plane.store import Line
from tests.peers.runwisp_daemon import Daemon, RunRow, copy_home, insert_runs, read_runs, ulid
from tests.peers.runwisp_edges import EDGES
from tests.plane.serving import serving

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ENDINGS = (
    "succeeded", "failed", "stopped", "timeout", "crashed", "skipped",
    "log_overflow", "queue_full", "dst_skipped", "daemon_stopped", "missed", "start_failed",
)  # fmt: skip
TRIGGERS = ("cron", "api", "ui", "cli", "station", "service", "startup")
REQUESTS: dict[str, Any] = json.loads((Path(__file__).parent / "runwisp_requests.json").read_text(encoding="utf-8"))
RECORDED: list[dict[str, str]] = REQUESTS["recorded"]
OUTSIDE: list[dict[str, str]] = REQUESTS["outside"]
OF_THE_DAEMON_ITSELF = {
    "fingerprint", "port", "externalUrl", "schedulingActive", "configLoadedAt", "resolvedTimezone", "timezoneSource",
    "capabilities",
}  # fmt: skip


def outside(request: dict[str, str]) -> bool:
    return any(re.fullmatch(one["path"], request["path"]) for one in OUTSIDE)


def target(request: dict[str, str]) -> str:
    return request["path"] + (f"?{request['query']}" if request["query"] else "")


COMPARED = [request for request in RECORDED if not outside(request)]


def odd_runs() -> Iterator[RunRow]:
    """Runs that tie in all that can be sorted by, and have every word and every field.

    They are inserted neither in the order of their ids nor in its reverse.
    """
    for place in range(60):
        number = place * 7 % 60
        created = LONG_AGO + timedelta(seconds=number // 8)
        fine = f"2020-01-01 00:00:02.12345678{number % 10}+00:00"
        reason = ENDINGS[number % len(ENDINGS)]
        begun = None if number % 5 == 0 else created + timedelta(milliseconds=number % 3 * 1000 + 10_000)
        yield RunRow(
            id=ulid(LONG_AGO, number),
            task_name=("tie-a", "tie-b", "nightly_report")[number % 3],
            created_at=fine if number // 8 == 2 else created,
            started_at=begun,
            ended_at=(begun or created + timedelta(seconds=15)) + timedelta(milliseconds=number % 4 * 500),
            end_reason=reason,
            exit_code=number % 4 - 1,
            is_failure=int(number % 7 == 0 or reason in {"failed", "timeout"}),
            triggered_by=TRIGGERS[number % len(TRIGGERS)],
            retry_attempt=number % 3 // 2,
            retry_of_run_id=ulid(LONG_AGO, number - 1) if number % 3 == 2 else None,
            instance_index=number % 2,
            execution_id=f"execution-{number}" if number % 11 == 0 else None,
            params_json='{"day": "2020-01-01"}' if number % 13 == 0 else None,
        )


KEPT, DELETED, PENDING, GOING = (ulid(LONG_AGO, number) for number in (1, 60, 61, 62))
SPECIAL = [
    RunRow(
        id=DELETED, task_name="tie-a", created_at=LONG_AGO, end_reason="failed", is_failure=1, deleted_at=LONG_AGO
    ),
    RunRow(id=PENDING, task_name="tie-a", created_at=LONG_AGO, status="pending", end_reason=None),
    RunRow(id=GOING, task_name="tie-b", created_at=LONG_AGO, started_at=LONG_AGO, status="running", end_reason=None),
]


@dataclass(frozen=True)
class Twins:
    """A daemon, the plane over the same runs, and what the names in requests stand for.

    Attributes:
        daemon, plane: their URLs.
        home: the daemon itself.
        socket: where the plane is served too.
    """

    daemon: str
    plane: str
    names: dict[str, str]
    home: Daemon
    socket: Path

    def ask(self, url: str, request: str) -> tuple[int, str | None, Any]:
        """Return what is answered to a request, sent as it is written: the status, the content type and the body."""
        for name, value in self.names.items():
            request = request.replace(f"{{{name}}}", value)
        with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)) as connection:
            connection.request("GET", request)
            answer = connection.getresponse()
            body = answer.read()
        kind = answer.headers["content-type"]
        return answer.status, kind, json.loads(body) if kind.endswith("json") else body


@pytest.fixture(scope="module")
def twins(runwisp_binary: Path, runwisp_seed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    folder = tmp_path_factory.mktemp("rw")
    home = copy_home(runwisp_seed, folder / "home")
    with Daemon(runwisp_binary, home) as daemon, client_of(daemon) as client:
        settle(client)
        insert_runs(daemon.db, [*odd_runs(), *SPECIAL])
        with closing(Store(None)) as store:
            load(store, daemon, client, folder / "runwisp.db")
            app, socket = build_plane(store), folder / "plane.sock"
            with serving(app) as plane, serving(app, on=socket):
                yield Twins(daemon.url, plane, names_of(daemon), daemon, socket)


@contextmanager
def client_of(daemon: Daemon) -> Generator[httpx2.Client]:
    transport = httpx2.HTTPTransport(uds=str(daemon.socket))
    with httpx2.Client(transport=transport, base_url="http://runwisp", timeout=30) as client:
        yield client


def settle(client: httpx2.Client) -> None:
    """Stop the demo's services, which print for as long as they run, so that nothing changes any more."""
    for task in client.get("/api/tasks").json()["items"]:
        if task["kind"] == "service":
            client.post(f"/api/tasks/{task['name']}/stop").raise_for_status()
    deadline = time.monotonic() + 20
    while client.get("/api/runs", params={"status": "pending,running"}).json()["total"]:
        assert time.monotonic() < deadline, "a service goes on"
        time.sleep(0.05)


def load(store: Store, daemon: Daemon, client: httpx2.Client, copy: Path) -> None:
    """Bring into a store what a daemon has: runs from its database, definitions and whole logs as it serves them."""
    with closing(sqlite3.connect(daemon.db)) as original, closing(sqlite3.connect(copy)) as target:
        original.backup(target)
        # The importer also defines what it only knows by the runs; the daemon defines what is configured.
        target.execute("DELETE FROM task_registrations")
        target.commit()
    (summary,) = import_files(store, [copy], say=lambda _: None).files
    assert summary.refusals == ()
    with store.transaction() as db:
        db.execute("DELETE FROM definitions")
    store.record(Definition(task["name"], task) for task in client.get("/api/tasks").json()["items"])
    store.record(logs(client, [row["id"] for row in read_runs(daemon.db)]))


def logs(client: httpx2.Client, runs: list[str]) -> Iterator[Line]:
    for run in runs:
        page = client.get(f"/api/runs/{run}/log", params={"from": 0, "limit": 10_000}).json()
        assert len(page["lines"] or ()) == page["totalLines"]
        for line in page["lines"] or ():
            yield Line(line["ts"] * 1_000_000, run, "", line["stream"], line["text"])


def names_of(daemon: Daemon) -> dict[str, str]:
    def newest(where: str) -> str:
        return read_runs(daemon.db, f"{where} AND deleted_at IS NULL AND created_at > '2021'")[-1]["id"]

    today = datetime.now(UTC)
    return {
        "failed": newest("task_name = 'healthcheck-api' AND end_reason = 'failed'"),
        "long": newest("task_name = 'reindex-search'"),
        "oldest": min(read_runs(daemon.db, "created_at > '2021'"), key=lambda row: row["created_at"])["id"],
        "running": newest("task_name = 'queue-worker'"),
        "succeeded": newest("end_reason = 'succeeded'"),
        "timeout": newest("end_reason = 'timeout'"),
        "stopped": newest("end_reason = 'stopped'"),
        "crashed": newest("end_reason = 'crashed'"),
        "retried": newest("retry_attempt > 0"),
        "kept": KEPT,
        "deleted": DELETED,
        "pending": PENDING,
        "going": GOING,
        "yesterday": f"{today - timedelta(days=1):%Y-%m-%d}",
        "two days ago": f"{today - timedelta(days=2):%Y-%m-%d}",
    }


def comparable(request: str, body: Any) -> Any:
    """Return a body without what is not the contract's: what tells one daemon from another, and an opaque cursor."""
    if not isinstance(body, dict):
        return body
    found = cast("dict[str, Any]", body)
    if request.startswith("/api/daemon"):
        of_its_own = {name: type(value).__name__ for name, value in found.items() if name in OF_THE_DAEMON_ITSELF}
        return {**found, **of_its_own}
    if "nextCursor" in found:
        return {**found, "nextCursor": "a cursor"}
    return found


def assert_alike(twins: Twins, request: str) -> None:
    daemon, plane = (twins.ask(url, request) for url in (twins.daemon, twins.plane))
    assert (*plane[:2], comparable(request, plane[2])) == (*daemon[:2], comparable(request, daemon[2]))


def test_every_recorded_request_is_compared_or_said_to_be_outside_and_why() -> None:
    assert {request["client"] for request in COMPARED} == {"cli", "tui", "web"}
    assert len(COMPARED) > 100
    assert all(request["method"] == "GET" for request in COMPARED)
    for one in OUTSIDE:
        assert any(re.fullmatch(one["path"], request["path"]) for request in RECORDED), one
        assert len(one["why"]) > 10


@pytest.mark.parametrize("request_", COMPARED, ids=lambda one: f"{one['client']} {target(one)}")
def test_a_request_of_a_client_of_the_daemons_gets_the_daemons_answer(twins: Twins, request_: dict[str, str]) -> None:
    assert twins.ask(twins.daemon, target(request_))[0] == (404 if "0" * 26 in request_["path"] else 200)
    assert_alike(twins, target(request_))


@pytest.mark.parametrize("request_", EDGES, ids=lambda one: one[:150])
def test_a_request_at_the_edge_gets_the_daemons_answer(twins: Twins, request_: str) -> None:
    assert_alike(twins, request_)


def test_a_search_in_small_pages_finds_what_the_daemon_finds_in_large_ones(twins: Twins) -> None:
    """Where a page is full the daemon may find its last hit again, or lose some: it searches several runs at once."""
    assert (found := hits(twins, twins.daemon, 1000)) == hits(twins, twins.plane, 1000)
    assert [hits(twins, twins.plane, limit) for limit in (1, 2, 5)] == [found] * 3
    assert len(found) > 5


def hits(twins: Twins, url: str, limit: int) -> list[tuple[str, int]]:
    """Return where a search finds something, page by page."""
    found: list[tuple[str, int]] = []
    cursor = ""
    while True:
        request = f"/api/tasks/healthcheck-api/log/search?q=502&limit={limit}&cursor={cursor}"
        status, _, body = twins.ask(url, request)
        assert status == 200
        assert len(body["items"]) <= limit
        found += [(hit["runId"], hit["n"]) for hit in body["items"]]
        assert body["exhausted"] == ("nextCursor" not in body)
        if body["exhausted"]:
            return found
        cursor = body["nextCursor"]


def test_the_daemons_command_line_says_the_same_of_the_plane(twins: Twins) -> None:
    daemon, plane = (status(twins.home, socket) for socket in (twins.home.socket, twins.socket))
    assert len(plane["tasks"]) == 14
    # The load of its machine is left out where it is not served.
    assert {name for name in daemon if daemon[name] != plane.get(name)} <= {*OF_THE_DAEMON_ITSELF, "system"}


def status(daemon: Daemon, socket: Path) -> dict[str, Any]:
    """Return what `runwisp status --json` prints of whoever listens on a socket."""
    command = [daemon.binary, "status", "--json", "--socket", socket, "-c", daemon.config, "--data", daemon.data]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return json.loads(ran.stdout)
