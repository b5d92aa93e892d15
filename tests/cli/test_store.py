"""`jobtrail import`, `store info` and `store prune` as a person meets them, and a tour that leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest

from jobtrail.store import Store
from tests.cli.commands import read_refusal, run_command, run_process
from tests.plane.records import make_execution, make_job

if TYPE_CHECKING:
    from pathlib import Path

EXECUTION = {
    "metadata": {
        "id": "exec-1",
        "job": "etl",
        "createdAt": "2026-11-20T02:00:00Z",
        "startedAt": "2026-11-20T02:00:05Z",
        "completedAt": "2026-11-20T02:10:00Z",
    },
    "spec": {"parallelism": 2},
    "status": "failed",
    "stats": {"total": 2, "success": 1, "failure": 1, "running": 0, "cancelled": 0, "retried": 0},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "own" / "store.db"


def test_a_file_is_imported_and_said_to_be_there_the_second_time(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "saved.jsonl"
    file.write_text(json.dumps(EXECUTION) + "\n", encoding="utf-8")
    first = run_command("import", str(file), JOBTRAIL_STORE=str(path))
    assert (first.code, first.err) == (0, "")
    assert first.out == f"{file}: 1 execution imported\n"
    second = run_command("import", str(file), JOBTRAIL_STORE=str(path))
    assert (second.code, second.out) == (0, f"{file}: 1 already there\n")


def test_a_refused_line_is_named_and_nothing_of_its_file_is_imported_unless_asked(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "saved.jsonl"
    bad = json.dumps({**EXECUTION, "status": "exploded"}).replace("exec-1", "exec-2")
    file.write_text(f"{json.dumps(EXECUTION)}\n{bad}\n", encoding="utf-8")
    ended = run_command("import", str(file), JOBTRAIL_STORE=str(path))
    assert ended.code == 1
    refusal, summary = ended.out.splitlines()
    assert refusal.startswith(f"{file}, line 2: status='exploded' ")
    assert summary == f"{file}: nothing imported, 1 refused"
    ended = run_command("import", "--skip-refused", str(file), JOBTRAIL_STORE=str(path))
    assert (ended.code, ended.out.splitlines()[-1]) == (1, f"{file}: 1 execution imported, 1 refused")


def test_store_info_tells_what_is_in_it(path: Path) -> None:
    store = Store(path)
    store.write([make_job("etl"), make_execution("e1", "etl", 0, "failed"), make_execution("e2", "etl", 5)])
    store.close()
    ended = run_command("store", "info", JOBTRAIL_STORE=str(path))
    rows = dict(line.split(maxsplit=1) for line in ended.out.splitlines())
    assert (ended.code, rows["store"], rows["executions"], rows["unfinished"]) == (0, str(path), "2", "1")
    assert (rows["oldest"], rows["newest"]) == ("2026-11-01T00:00:00Z", "2026-11-01T00:05:00Z")
    assert run_command("store", JOBTRAIL_STORE=str(path)).out == ended.out
    found = json.loads(run_command("store", "info", "--json", JOBTRAIL_STORE=str(path)).out)
    assert (found["path"], found["executions"], found["workspaces"]) == (str(path), 2, ["default"])


def test_store_prune_removes_what_ended_long_ago_and_says_how_much(path: Path) -> None:
    store = Store(path)
    store.write([make_job("etl"), make_execution("e1", "etl", 0, "failed"), make_execution("e2", "etl", 5)])
    store.close()
    would = run_command("store", "prune", "--keep", "1d", "--dry-run", JOBTRAIL_STORE=str(path))
    assert would.out.startswith("would be removed, as ended before ")
    assert ": 1 executions, " in would.out
    assert ": 1 executions, " in run_command("store", "prune", "--keep", "1d", JOBTRAIL_STORE=str(path)).out
    found = json.loads(run_command("store", "info", "--json", JOBTRAIL_STORE=str(path)).out)
    assert (found["executions"], found["unfinished"], found["jobs"]) == (1, 1, 1)


@pytest.mark.parametrize("arguments", [("store", "info"), ("store", "prune", "--keep", "90d")])
def test_a_store_that_is_not_there_is_not_made_by_looking(path: Path, arguments: tuple[str, ...]) -> None:
    sentence = read_refusal(run_command(*arguments, JOBTRAIL_STORE=str(path)))
    assert sentence.startswith(f"there is no store at {path} yet; `jobtrail record` or `jobtrail import` makes it")
    assert not path.parent.exists()


def test_prune_does_not_empty_a_store_by_keeping_nothing(path: Path) -> None:
    ended = run_command("store", "prune", "--keep", "0d", JOBTRAIL_STORE=str(path))
    assert (ended.code, "'0d' is no time at all; give one such as 90s" in ended.err) == (2, True)


def test_prune_asks_how_much_to_keep(path: Path) -> None:
    ended = run_command("store", "prune", JOBTRAIL_STORE=str(path))
    assert (ended.code, "--keep" in ended.err) == (2, True)


def test_a_store_lies_where_the_platform_keeps_data_unless_told(tmp_path: Path) -> None:
    data = tmp_path / "data"
    ended = run_process("record", "--job", "etl", "--", "true", XDG_DATA_HOME=str(data))
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert [one.name for one in (data / "jobtrail").iterdir() if one.is_file()] == ["store.db"]
    assert (data / "jobtrail" / "store.db").stat().st_mode & 0o077 == 0


def test_a_tour_shows_the_sample_whatever_the_store_holds_and_leaves_nothing_behind(
    path: Path, tmp_path: Path
) -> None:
    store = Store(path)
    store.write([make_job("mine")])
    store.close()
    (tmp_path / "tmp").mkdir()
    before = everything_in(tmp_path)
    ended = run_process("tour", JOBTRAIL_STORE=str(path), TMPDIR=str(tmp_path / "tmp"))
    assert (ended.code, "SAMPLE DATA" in ended.out, "mine" in ended.out) == (0, True, False)
    # What one asks first comes first, and the end says how to go on.
    asked = re.findall(r"^> (\w+)\(", ended.out, re.MULTILINE)
    assert asked == [
        "find_failures", asked[1], "read_log", "list_active", "find_missed", "history", "history",
    ]  # fmt: skip
    assert asked[1] in {"get_execution", "get_run"}
    assert re.findall(r"^  jobtrail (\w+)", ended.out, re.MULTILINE) == ["install", "record", "ask"]
    assert everything_in(tmp_path) == before
    assert everything_in(path=os.environ["HOME"]) == []


def everything_in(path: Path | str) -> list[tuple[str, list[str]]]:
    return [(folder, sorted(files)) for folder, _, files in os.walk(path) if files]
