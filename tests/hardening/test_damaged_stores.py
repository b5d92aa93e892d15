"""Every command on many damaged stores: no traceback, a sentence at most, and `record` always runs its command."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from jobtrail.cli import main
from jobtrail.errors import JobtrailError
from jobtrail.plane import InProcessPlane
from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.embedded.registration import EmbeddedSettings
from tests.hardening.damage import damage, fill
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
    "get_run": {"run": "run-7"},
    "find_failures": {"since": "365d"},
    "history": {"job": "etl"},
    "read_log": {"job": "etl", "execution": "etl-01"},
    "wait_for": {"job": "etl", "executions": ["etl-02", "open"], "seconds": 0},
}
PATHS = [
    "/v0/jobs", "/v0/jobs/etl", "/v0/jobs/etl/executions?limit=100", "/v0/jobs/etl/executions/etl-01",
    "/v0/jobs/report/executions/report-02/tasks", "/v0/observability/logs?resourceType=jobs&workloadIds=etl",
    "/api/tasks", "/api/runs?limit=1000", "/api/runs/run-1", "/api/runs/run-1/log", "/api/tasks/backup/runs",
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


def test_a_damaged_store_costs_the_record_and_never_the_command(
    whole: Path, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for seed in range(40):
        _, done = place(whole, folder, seed)
        code = main(["record", "--job", "etl", "--", "sh", "-c", "echo ran; exit 7"])
        out, err = capfd.readouterr()
        assert (code, out) == (7, "ran\n"), (done, err)
        assert err == "" or (err.count("\n") == 1 and "recorded: " in err), (done, err)
        assert_no_fault(err, done)
    assert_precious(folder)


def test_every_command_on_a_damaged_store_ends_with_an_answer_or_a_sentence(
    whole: Path, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for seed in range(60):
        check_commands(whole, folder, seed, capfd)


def test_every_tool_and_endpoint_answers_for_a_damaged_store_or_says_what_is_wrong(whole: Path, folder: Path) -> None:
    for seed in range(40):
        path, done = place(whole, folder, seed)
        anyio.run(check_answers, path, done)
    assert_precious(folder)
