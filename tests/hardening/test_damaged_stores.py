"""Every command on many damaged stores: no traceback, a sentence at most, and `record` always runs its command."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import httpx2
import pytest

from jobtrail.cli import main
from jobtrail.doctor.machine import examine_store
from jobtrail.errors import JobtrailError
from jobtrail.plane import InProcessPlane, build_plane
from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.blaxel.registration import BlaxelSettings
from jobtrail.sources.embedded.registration import EmbeddedSettings
from jobtrail.store import Store
from tests.hardening.damage import PAGE, RUN, damage, fill, write
from tests.plane.records import PAGED

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from pathlib import Path

SAVED = {"metadata": {"id": "saved-1", "job": "etl", "createdAt": "2026-11-20T02:00:00Z"}, "status": "failed"}
CALLS: dict[str, dict[str, Any]] = {
    "list_jobs": {},
    "get_job": {"job": "etl"},
    "list_executions": {"job": "etl", "limit": 100},
    "get_execution": {"job": "etl", "execution": "open"},
    "list_tasks": {"job": "report", "execution": "report-01"},
    "list_runs": {"limit": 100},
    "get_run": {"run": f"{RUN}007"},
    "find_failures": {"since": "365d"},
    "history": {"job": "etl"},
    "read_log": {"job": "etl", "execution": "etl-01"},
    "wait_for": {"job": "etl", "execution": "etl-02,etl-03", "timeout": 0},
}
PATHS = [
    "/v0/jobs", "/v0/jobs/etl", "/v0/jobs/etl/executions?limit=100", "/v0/jobs/etl/executions/etl-01",
    "/v0/jobs/report/executions/report-02/tasks", "/v0/observability/logs?resourceType=jobs&workloadIds=etl",
    "/api/tasks", "/api/runs?limit=1000", f"/api/runs/{RUN}001", f"/api/runs/{RUN}001/log", "/api/tasks/backup/runs",
]  # fmt: skip


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "store.db"
    fill(path)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JOBTRAIL_STORE", str(tmp_path / "own" / "store.db"))
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "precious").write_text("mine")
    (tmp_path / "saved.jsonl").write_text(json.dumps(SAVED) + "\n")
    return tmp_path


def place(whole: Path, folder: Path, seed: int) -> tuple[Path, str]:
    """Put a damaged store where commands look for it."""
    path = folder / "own" / "store.db"
    for one in path.parent.glob("store.db*"):
        shutil.rmtree(one) if one.is_dir() else one.unlink()
    (folder / "new.db").unlink(missing_ok=True)
    shutil.copyfile(whole, path)
    return path, damage(path, seed)


def check_commands(whole: Path, folder: Path, seed: int, capfd: pytest.CaptureFixture[str]) -> None:
    """Run the commands that open the store themselves, each on a damaged store of its own."""
    commands = {
        ("store", "info"): {0, 2},
        ("store", "check"): {0, 1, 2},
        ("store", "salvage", str(folder / "new.db")): {0, 1, 2},
        ("store", "prune", "--keep", "1s"): {0, 2},
        ("import", str(folder / "saved.jsonl")): {0, 1, 2},
    }
    place(whole, folder, seed)
    checks = [*examine_store(os.environ)]
    assert all(one.fix for one in checks if one.verdict == "failed")
    for command, codes in commands.items():
        _, done = place(whole, folder, seed)
        code = main(command)
        out, err = capfd.readouterr()
        assert code in codes, (done, command, out, err)
        assert (err.count("\n"), out != "") == ((1, False) if code == 2 else (0, True)), (done, command, out, err)
        assert_no_fault(out + err, (done, command))
    assert_precious(folder)


def assert_no_fault(text: str, about: object) -> None:
    for sign in ("Traceback", "fault of Jobtrail", "unforeseen", "the store None", "upstream's fault"):
        assert sign not in text, (about, text)


def assert_precious(folder: Path) -> None:
    assert {one.read_text() for one in (folder / "precious", folder / "own" / "precious")} == {"mine"}


async def check_answers(path: Path, done: str) -> None:
    """Call every tool, and every endpoint of the plane, on a damaged store."""
    settings = Settings(sources=(EmbeddedSettings(name="embedded"),), default="embedded", store=path)
    async with build_server(settings).connect_in_process(lambda _: None) as ask:
        for tool, arguments in CALLS.items():
            said = ""
            try:
                await ask(tool, arguments)
            except JobtrailError as error:
                said = str(error)
            assert_no_fault(said, (done, tool))
    plane = InProcessPlane(path)
    for address in PATHS:
        assert await read_status(plane, address) in {200, 404, 500}, (done, address)
    await plane.aclose()


async def read_status(plane: InProcessPlane, address: str) -> int:
    """Return the status of an answer, which damage may cut short; nothing is raised."""
    found: list[int] = []
    parts = address.partition("?")
    headers = [(name.lower().encode(), value.encode()) for name, value in PAGED.items()]

    async def receive() -> dict[str, Any]:
        await anyio.lowlevel.checkpoint()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        await anyio.lowlevel.checkpoint()
        if "status" in message:
            found.append(message["status"])

    scope = {
        "type": "http", "method": "GET", "path": parts[0], "raw_path": parts[0].encode(),
        "query_string": parts[2].encode(), "headers": headers, "asgi": {"version": "3.0", "spec_version": "2.4"},
        "scheme": "http", "server": ("plane.invalid", 80),
    }  # fmt: skip
    await plane(scope, receive, send)
    (status,) = found
    return status


def check_recording(whole: Path, folder: Path, seed: int, capfd: pytest.CaptureFixture[str]) -> None:
    """Record a command on a damaged store."""
    path, done = place(whole, folder, seed)
    code = main(["record", "--job", "etl", "--", "sh", "-c", "echo ran; exit 7"])
    out, err = capfd.readouterr()
    assert (code, out) == (7, "ran\n"), (done, err)
    told = err.count("\n") == 1 and "recorded: " in err and "`jobtrail doctor` looks at the store" in err
    # Where the damage lies elsewhere, the record is there; a query of ours may meet what the recorder did not.
    assert told or (not err and list_recorded(path) in (None, [("failed", "failed")])), (done, err)
    assert_no_fault(err, done)


def list_recorded(path: Path) -> list[tuple[str, str]] | None:
    """Return how the executions that a recorder began have ended, and their tasks; None if that cannot be read."""
    sql = (
        "SELECT executions.status, tasks.status FROM executions JOIN tasks ON tasks.execution = key"
        " WHERE id LIKE 'exec-%' AND job = 'etl' AND json_extract(conditions, '$[0].reason') = 'exit code 7'"
    )
    with closing(sqlite3.connect(path)) as db, suppress(sqlite3.DatabaseError):
        return db.execute(sql).fetchall()
    return None


def test_a_damaged_store_costs_the_record_and_never_the_command(
    whole: Path, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for seed in range(39):
        check_recording(whole, folder, seed, capfd)
    assert_precious(folder)


def test_every_command_on_a_damaged_store_ends_with_an_answer_or_a_sentence(
    whole: Path, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for seed in range(26):
        check_commands(whole, folder, seed, capfd)


def test_every_tool_and_endpoint_answers_for_a_damaged_store_or_says_what_is_wrong(whole: Path, folder: Path) -> None:
    for seed in range(13):
        path, done = place(whole, folder, seed)
        anyio.run(check_answers, path, done)
    assert_precious(folder)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(100, 500, 50))
def test_many_more_damaged_stores_cost_no_more(
    whole: Path, folder: Path, capfd: pytest.CaptureFixture[str], first: int
) -> None:
    for seed in range(first, first + 50):
        check_recording(whole, folder, seed, capfd)
        check_commands(whole, folder, seed, capfd)
        path, done = place(whole, folder, seed)
        anyio.run(check_answers, path, done)
    assert_precious(folder)


def test_a_whole_store_is_answered_from_by_every_tool_and_endpoint(whole: Path) -> None:
    anyio.run(check_whole, whole)


async def check_whole(path: Path) -> None:
    settings = Settings(sources=(EmbeddedSettings(name="embedded"),), default="embedded", store=path)
    async with build_server(settings).connect_in_process(lambda _: None) as ask:
        for tool, arguments in CALLS.items():
            await ask(tool, arguments)
    plane = InProcessPlane(path)
    assert {await read_status(plane, address) for address in PATHS} == {200}
    await plane.aclose()


def test_what_can_be_read_is_salvaged_and_the_rest_is_counted(
    whole: Path, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, new = folder / "own" / "store.db", folder / "new.db"
    shutil.copyfile(whole, path)
    assert main(["store", "salvage", str(new)]) == 0
    assert main(["store", "salvage", str(new)]) == 2
    capfd.readouterr()
    new.unlink()
    with closing(sqlite3.connect(path)) as db:
        leaf = db.execute("SELECT pageno FROM dbstat WHERE name = 'lines' AND pagetype = 'leaf' LIMIT 1 OFFSET 3")
        page = leaf.fetchone()[0]
        before = db.execute("SELECT count(*) FROM lines").fetchone()[0]
    write(path, (page - 1) * PAGE, bytes(PAGE))
    assert main(["store", "check"]) == 1
    assert main(["store", "salvage", str(new)]) == 1
    lines = next(one for one in capfd.readouterr().out.splitlines() if one.startswith("lines"))
    kept, lost = (int(word.replace(",", "")) for word in re.findall(r"[\d,]*\d", lines))
    assert kept + lost == before
    assert 0 < lost < 60
    with closing(Store(new)) as store:
        assert store.select("SELECT count(*) FROM tasks")[0][0] == 241


def test_executions_whose_job_is_lost_can_still_be_asked_for(
    whole: Path, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, new = folder / "own" / "store.db", folder / "new.db"
    shutil.copyfile(whole, path)
    with closing(sqlite3.connect(path)) as db:
        page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'jobs'").fetchone()[0]
        jobs = {row[0] for row in db.execute("SELECT DISTINCT job FROM executions")}
    write(path, (page - 1) * PAGE, bytes(PAGE))
    assert main(["store", "salvage", str(new)]) == 1
    assert f"{len(jobs)} made anew by the name that executions have" in capfd.readouterr().out
    with closing(Store(new)) as store:
        assert {row["name"] for row in store.select("SELECT name FROM jobs")} == jobs
    anyio.run(check_answers, new, "salvaged")


def test_a_damaged_source_is_its_own_error_beside_a_healthy_one(whole: Path, folder: Path) -> None:
    path = folder / "own" / "store.db"
    shutil.copyfile(whole, path)
    with path.open("r+b") as file:
        file.seek(2 * PAGE)
        file.write(b"\xa5" * 100_000)
    anyio.run(check_sources, whole, path)


async def check_sources(whole: Path, path: Path) -> None:
    prod = BlaxelSettings(name="prod", url="http://prod.invalid/v0")
    settings = Settings(sources=(prod, EmbeddedSettings(name="embedded")), default="prod", store=path)
    with closing(Store(whole)) as store:
        network = httpx2.ASGITransport(build_plane(store))
        async with build_server(settings, transport=network).connect_in_process(lambda _: None) as ask:
            found = (await ask("find_failures", {"since": "2026-10-01"})).to_wire()
    assert found["causes"]
    ((source, error),) = found["errors"].items()
    assert (source, "is damaged" in error, "`jobtrail store check`" in error) == ("embedded", True, True)
