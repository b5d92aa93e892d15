"""RunWisp's own files: databases of several versions, read and never written, and logs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from jobtrail.importing.runwisp_database import (
    DatabaseRun,
    DatabaseTask,
    ForeignDatabase,
    is_database,
    read_database,
    read_log_tail,
)
from jobtrail.importing.runwisp_documents import read_run
from jobtrail.store import Store
from jobtrail.store.kept_output import LINE_BYTES, format_dropped, mark_cut
from jobtrail.times import format_optional_nanoseconds
from tests.importing.daemon_files import RUNS_0, RUNS_1, A, B, C, database, insert

if TYPE_CHECKING:
    from pathlib import Path


def runs(path: Path) -> list[DatabaseRun]:
    return [one for one in read_database(path) if isinstance(one, DatabaseRun)]


def everything(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}


def test_runs_come_in_the_order_of_insertion_with_all_they_have_and_without_deleted_ones(tmp_path: Path) -> None:
    rows = [
        {
            "id": C, "task_name": "backup", "end_reason": "failed", "exit_code": 2, "is_failure": 1,
            "started_at": "2026-11-01 02:15:00.5+00:00", "ended_at": "2026-11-01 02:15:09.000000001+00:00",
            "retry_attempt": 1, "retry_of_run_id": B, "instance_index": 2, "execution_id": "e-1",
            "params_json": '{"--since":"2026"}',
        },
        {"id": B, "task_name": "backup", "deleted_at": "2026-11-02 00:00:00+00:00"},
        {"id": A, "task_name": "worker", "status": "running", "triggered_by": "service"},
    ]  # fmt: skip
    found = runs(database(tmp_path / "runwisp.db", RUNS_1, *rows))
    assert [one.row for one in found] == [1, 3]
    expected = {**rows[0], "is_failure": True, "params": {"--since": "2026"}}
    expected.pop("params_json")
    assert {name: found[0].fields.get(name) for name in expected} == expected
    assert found[1].fields["id"] == A
    assert "ended_at" not in found[1].fields


def test_columns_of_older_versions_are_known(tmp_path: Path) -> None:
    row = {
        "id": A, "task_name": "backup", "end_reason": "success", "replica_index": 1,
        "start_at": "2026-11-01 02:15:00+00:00", "end_at": "2026-11-01 02:16:00+00:00",
    }  # fmt: skip
    (only,) = runs(database(tmp_path / "runwisp.db", RUNS_0, row))
    found = read_run(only.fields).run
    assert format_optional_nanoseconds(found.started_at) == "2026-11-01T02:15:00Z"
    assert format_optional_nanoseconds(found.ended_at) == "2026-11-01T02:16:00Z"
    assert found.body["replica_index"] == 1


def test_tasks_that_the_daemon_has_seen_come_first(tmp_path: Path) -> None:
    path = database(tmp_path / "runwisp.db", RUNS_1, {"id": A, "task_name": "backup"})
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO task_registrations VALUES ('idle', '2026-10-26 03:15:00+01:00')")
        db.commit()
    first, *rest = read_database(path)
    assert first == DatabaseTask(1, "idle")
    assert len(rest) == 1


@pytest.mark.parametrize("wal", [True, False], ids=["write-ahead log", "rollback journal"])
def test_a_database_that_nobody_has_open_is_read_without_a_file_beside_it(tmp_path: Path, *, wal: bool) -> None:
    path = database(tmp_path / "runwisp.db", RUNS_1, {"id": A, "task_name": "backup"}, wal=wal)
    before = everything(tmp_path)
    assert len(runs(path)) == 1
    assert everything(tmp_path) == before
    assert [*before] == ["runwisp.db"]


def test_a_database_that_is_being_written_is_read_as_it_is_at_one_moment(tmp_path: Path) -> None:
    path = database(tmp_path / "runwisp.db")
    with closing(sqlite3.connect(path)) as daemon:
        daemon.execute("PRAGMA wal_autocheckpoint = 0")
        insert(daemon, {"id": A, "task_name": "backup"}, {"id": B, "task_name": "backup"})
        before = (path.read_bytes(), path.with_name("runwisp.db-wal").read_bytes())
        reader = read_database(path)
        assert next(reader).row == 1
        assert (path.read_bytes(), path.with_name("runwisp.db-wal").read_bytes()) == before
        insert(daemon, {"id": C, "task_name": "backup"})
        assert [one.row for one in reader] == [2]
        assert len(runs(path)) == 3


def test_a_database_is_known_by_how_it_begins(tmp_path: Path) -> None:
    assert is_database(database(tmp_path / "runwisp.db").read_bytes()[:16])
    assert not is_database(b"SQLite format 3")
    assert not is_database(b'{"id": 1}')


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ForeignDatabase, match="without RunWisp's table of runs"):
        runs(database(tmp_path / "other.db", "CREATE TABLE runs (id TEXT)"))
    Store(tmp_path / "store.db").close()
    with pytest.raises(ForeignDatabase, match="a store of Jobtrail's own; set JOBTRAIL_STORE"):
        runs(tmp_path / "store.db")


def test_a_broken_database_is_refused(tmp_path: Path) -> None:
    path = database(tmp_path / "runwisp.db", RUNS_1, *({"id": f"{n:026}", "task_name": "backup"} for n in range(500)))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ForeignDatabase, match="the database cannot be read: "):
        runs(path)
    path.write_bytes(whole[:16] + b"x" * 5000)
    with pytest.raises(ForeignDatabase, match="the database cannot be read: "):
        runs(path)


def test_what_is_no_text_or_no_number_is_left_to_whoever_checks_it(tmp_path: Path) -> None:
    row = {"id": A, "task_name": b"\xff\xfe", "exit_code": "many"}
    (only,) = runs(database(tmp_path / "runwisp.db", RUNS_1, row))
    assert only.fields["exit_code"] == "many"


@pytest.mark.parametrize("task", ["..", ".", "../secret", "a/b", "", "back up"])
def test_a_task_s_name_does_not_lead_out_of_the_logs(tmp_path: Path, task: str) -> None:
    data = tmp_path / "data"
    for folder in (tmp_path / "secret", data / "logs" / "a" / "b", data / "logs" / "back up", data / "logs", data):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"20261101_021500_{A}.log").write_text("secret\n")
    (only,) = runs(database(data / "runwisp.db", RUNS_1, {"id": A, "task_name": task}))
    assert only.log is None


def test_a_run_has_the_log_that_is_named_for_it_and_no_link_to_another_file(tmp_path: Path) -> None:
    logs = tmp_path / "logs" / "backup"
    logs.mkdir(parents=True)
    (logs / f"20261101_021500_{A}.log").write_text("mine\n")
    (tmp_path / "secret").write_text("secret\n")
    (logs / f"20261101_021500_{B}.log").symlink_to(tmp_path / "secret")
    rows = ({"id": one, "task_name": "backup"} for one in (A, B, C))
    found = runs(database(tmp_path / "runwisp.db", RUNS_1, *rows))
    assert [one.log for one in found] == [logs / f"20261101_021500_{A}.log", None, None]


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_log_s_streams_are_told_apart(tmp_path: Path) -> None:
    content = (
        b"out\n[ERR] err\n[2026-11-24 13:27:21] [SYSTEM] Log rotated: [ERR]\n\ncaf\xe9 \x1b[31mred\x1b[0m\r\nno end"
    )
    assert read_log_tail(write(tmp_path / "log", content)) == [
        ("stdout", "out"),
        ("stderr", "err"),
        ("system", "Log rotated: [ERR]"),
        ("stdout", ""),
        ("stdout", "caf\ufffd \x1b[31mred\x1b[0m"),
        ("stdout", "no end"),
    ]


@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 5000])
@pytest.mark.parametrize("width", [1, 500])
def test_the_last_two_hundred_lines_of_a_log_are_kept(tmp_path: Path, count: int, width: int) -> None:
    lines = [f"{number} {'x' * width}" for number in range(count)]
    tail = read_log_tail(write(tmp_path / "log", "".join(f"{line}\n" for line in lines).encode()))
    left_out = [format_dropped(None)] if count > 200 else []
    assert tail == [("stdout", line) for line in [*left_out, *lines[-200:]]]


def test_a_log_that_was_rotated_goes_on_in_the_file_before_it(tmp_path: Path) -> None:
    write(tmp_path / ".a.log.prev", "".join(f"old {number}\n" for number in range(300)).encode())
    tail = read_log_tail(write(tmp_path / "a.log", "".join(f"new {number}\n" for number in range(150)).encode()))
    kept = [*(f"old {number}" for number in range(250, 300)), *(f"new {number}" for number in range(150))]
    assert tail == [("stdout", line) for line in (format_dropped(None), *kept)]


def test_a_long_line_is_kept_and_one_that_is_too_long_is_marked_as_cut(tmp_path: Path) -> None:
    whole = b"x" * LINE_BYTES
    assert read_log_tail(write(tmp_path / "log", whole + b"\n")) == [("stdout", whole.decode())]
    assert read_log_tail(write(tmp_path / "log", whole + b"y\n")) == [("stdout", mark_cut(whole.decode()))]


def test_long_lines_leave_out_earlier_ones_and_that_is_said(tmp_path: Path) -> None:
    lines = [letter * 100_000 for letter in "abcd"]
    tail = read_log_tail(write(tmp_path / "log", "".join(f"{line}\n" for line in lines).encode()))
    assert tail == [("stdout", line) for line in (format_dropped(None), *lines[2:])]


def test_an_endless_line_is_not_read_to_its_beginning(tmp_path: Path) -> None:
    left_out = ("stdout", format_dropped(None))
    assert read_log_tail(write(tmp_path / "log", b"a" * 3_000_000)) == [
        left_out,
        ("stdout", mark_cut("a" * LINE_BYTES)),
    ]
    assert read_log_tail(write(tmp_path / "log", b"a" * 3_000_000 + b"\nlast\n")) == [left_out, ("stdout", "last")]


def test_a_log_that_is_gone_has_no_lines(tmp_path: Path) -> None:
    assert read_log_tail(tmp_path / "none") == []
