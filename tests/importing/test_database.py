"""RunWisp's database files as a kind of file to import."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from jobtrail.importing import import_files
from jobtrail.store.imports import ImportOutcome
from tests.importing.daemon_files import RUNS_1, A, B, C, database
from tests.importing.documents import read_answers

if TYPE_CHECKING:
    from pathlib import Path

    from jobtrail.store import Store


def imported(store: Store, path: Path, *, skip_refused: bool = False) -> list[str]:
    """All that is said of the import of a database, without its folder."""
    said: list[str] = []
    import_files(store, [path], skip_refused=skip_refused, say=said.append)
    return [sentence.replace(f"{path.parent}/", "") for sentence in said]


def logged(store: Store, run: str) -> list[tuple[str, str]]:
    return [(row["stream"], row["text"]) for row in reversed(store.list_output("default", run, "", 500))]


def test_times_are_read_as_the_database_has_them(store: Store, tmp_path: Path) -> None:
    times = {"created_at": "2026-11-01 03:15:00.000000001+01:00", "started_at": "2026-11-01 02:15:01+00:00"}
    path = database(tmp_path / "runwisp.db", RUNS_1, {"id": A, "task_name": "backup", **times})
    assert imported(store, path) == ["runwisp.db: 1 run imported"]
    (found,) = read_answers(store, "/api/tasks/backup/runs")[0]["runs"]
    assert (found["created_at"], found["start_at"]) == ("2026-11-01T02:15:00.000000001Z", "2026-11-01T02:15:01Z")


def test_a_row_that_is_wrong_is_told_by_its_number_and_keeps_the_others_out(store: Store, tmp_path: Path) -> None:
    rows = [{"id": A, "task_name": "backup"}, {"id": B, "task_name": "no good"}, {"id": "C", "task_name": "backup"}]
    path = database(tmp_path / "runwisp.db", RUNS_1, *rows)
    sentences = [
        "runwisp.db, run 2: task_name='no good' is no task name; give 1 to 100 of a-z A-Z 0-9 . _ : -",
        "runwisp.db, run 3: id='C' is no run id; give a ULID, 26 of 0-9 A-Z without I L O U",
    ]
    assert imported(store, path) == [*sentences, "runwisp.db: nothing imported, 2 refused"]
    assert store.is_empty
    assert imported(store, path, skip_refused=True) == [*sentences, "runwisp.db: 1 run imported, 2 refused"]


def test_a_task_that_never_ran_is_known_by_its_name(store: Store, tmp_path: Path) -> None:
    path = database(tmp_path / "runwisp.db", RUNS_1, {"id": A, "task_name": "backup"})
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO task_registrations VALUES ('idle', '2026-10-26 03:15:00+01:00')")
        db.commit()
    assert imported(store, path) == ["runwisp.db: 1 run imported"]
    assert [one["name"] for one in read_answers(store, "/api/tasks")[0]["items"]] == ["backup", "idle"]


def test_a_log_is_kept_with_its_run_and_grows_with_it(store: Store, tmp_path: Path) -> None:
    row = {"id": A, "task_name": "backup", "status": "running"}
    path = database(tmp_path / "runwisp.db", RUNS_1, row, {"id": C, "task_name": "backup"})
    log = tmp_path / "logs" / "backup" / f"20261101_021500_{A}.log"
    log.parent.mkdir(parents=True)
    assert imported(store, path) == ["runwisp.db: 2 runs imported"]
    assert logged(store, A) == []
    for content, outcome in (
        ("one\n", ImportOutcome.FORWARD),
        ("one\n", ImportOutcome.SAME),
        ("one\n[ERR] two\n", ImportOutcome.FORWARD),
    ):
        log.write_text(content)
        said = "2 already there" if outcome is ImportOutcome.SAME else "1 brought forward, 1 already there"
        assert imported(store, path) == [f"runwisp.db: {said}"]
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE runs SET status = 'ended', end_reason = 'failed', ended_at = '2026-11-01 02:20:00+00:00'")
        db.commit()
    log.write_text("one\n[ERR] two\nthree\n")
    assert imported(store, path) == ["runwisp.db: 1 brought forward, 1 differs, what is here was kept"]
    assert logged(store, A) == [("stdout", "one"), ("stderr", "two"), ("stdout", "three")]
    log.unlink()
    imported(store, path)
    assert len(logged(store, A)) == 3


def test_a_database_of_something_else_is_refused_in_a_sentence(store: Store, tmp_path: Path) -> None:
    path = database(tmp_path / "other.db", "CREATE TABLE runs (id TEXT)")
    assert imported(store, path, skip_refused=True) == [
        "other.db: it is a SQLite database without RunWisp's table of runs; give DATA/runwisp.db",
        "other.db: nothing imported, 1 refused",
    ]
