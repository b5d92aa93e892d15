"""What a store's files may be read by, and a store that can be read and not written."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobtrail.store import Store, StoreError
from jobtrail.store.integrity import check_integrity
from jobtrail.store.liveness import LivenessLock
from jobtrail.store.salvage import Salvaged, salvage
from tests.plane.records import make_execution, make_job
from tests.store.test_database import as_somebody_else

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {str(one.relative_to(folder)): one.stat().st_mode & 0o777 for one in folder.rglob("*")}


@pytest.mark.usefixtures("open_umask")
def test_everything_that_is_made_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "store.db"
    with closing(Store(path)) as store, LivenessLock(path):
        store.write([make_job("etl")])
        found = modes(tmp_path)
    assert {name: mode for name, mode in found.items() if mode & 0o077} == {}
    assert {"a", "a/b", "a/b/store.db", "a/b/store.db-wal", "a/b/store.db-recorders"} < set(found)


@pytest.mark.usefixtures("open_umask")
def test_a_store_behind_a_link_to_nothing_is_made_its_owners_alone(tmp_path: Path) -> None:
    link, target = tmp_path / "store.db", tmp_path / "elsewhere" / "real.db"
    link.symlink_to(target)
    with closing(Store(link)) as store:
        store.write([make_job("etl")])
        found = modes(tmp_path)
    assert found["elsewhere"] == 0o700
    assert {found[f"elsewhere/real.db{end}"] for end in ("", "-wal", "-shm")} == {0o600}


@pytest.mark.parametrize("content", ["empty", "a store"])
def test_a_file_of_ours_that_is_open_to_others_is_closed_to_them(tmp_path: Path, content: str) -> None:
    path = tmp_path / "store.db"
    if content == "empty":
        path.touch()
    else:
        Store(path).close()
    path.chmod(0o666)
    with closing(Store(path)) as store:
        store.write([make_job("etl")])
        assert {mode for name, mode in modes(tmp_path).items() if name != "."} == {0o600}


def write_notes(path: Path) -> None:
    path.write_text("notes")


def write_other_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE bookmarks (address TEXT)")


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("make", [write_notes, write_other_database, make_pipe])
def test_what_is_no_store_is_refused_as_it_is(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "named-by-mistake"
    make(path)
    path.chmod(0o644)
    before = path.stat()
    with pytest.raises(StoreError):
        Store(path)
    assert (path.stat().st_mode, path.stat().st_size) == (before.st_mode, before.st_size)


def test_what_links_beside_a_store_lead_to_stays_as_it_is(tmp_path: Path) -> None:
    path, precious, folder = tmp_path / "store.db", tmp_path / "precious", tmp_path / "folder"
    Store(path).close()
    folder.mkdir(mode=0o755)
    (tmp_path / "store.db-recorders").symlink_to(folder)
    for end in ("-wal", "-shm", "-journal"):
        precious.write_text("mine")
        precious.chmod(0o644)
        (tmp_path / f"store.db{end}").unlink(missing_ok=True)
        (tmp_path / f"store.db{end}").symlink_to(precious)
        with suppress(StoreError), closing(Store(path)), LivenessLock(path):
            pass
        (tmp_path / f"store.db{end}").unlink(missing_ok=True)
        assert (precious.read_text(), precious.stat().st_mode & 0o777) == ("mine", 0o644)
    assert folder.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("log", [False, True], ids=["without its log", "with its log"])
def test_a_store_beside_which_nothing_can_be_written_is_read(tmp_path: Path, *, log: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, made = Path(name) / "own", tmp_path / "store.db"
        folder.mkdir()
        with closing(Store(made)) as store:
            store.write([make_job("etl"), make_execution("e1", "etl")])
            if log:
                # As on another machine's disk, whose index of the log is not there.
                shutil.copyfile(f"{made}-wal", folder / "store.db-wal")
                shutil.copyfile(made, folder / "store.db")
        if not log:
            shutil.copyfile(made, folder / "store.db")
        for one in (Path(name), folder, *folder.iterdir()):
            one.chmod(0o555)
        (Path(name) / "mine").mkdir()
        (Path(name) / "mine").chmod(0o777)
        with as_somebody_else(), closing(Store(folder / "store.db")) as store:
            assert store.find_execution("default", "etl", "e1") is not None
            with pytest.raises(StoreError, match="cannot be written"):
                store.write([make_job("report")])
            assert check_integrity(folder / "store.db").faults == ()
            assert salvage(folder / "store.db", Path(name) / "mine" / "new.db")["executions"] == Salvaged(1, 0)
        for one in (Path(name), folder):
            one.chmod(0o755)


def test_a_durable_store_waits_for_the_disk(tmp_path: Path) -> None:
    for durable, level in ((False, 1), (True, 2)):
        with closing(Store(tmp_path / "store.db", durable=durable)) as store:
            assert store.select("PRAGMA synchronous")[0][0] == level


def test_a_trigger_that_came_with_a_file_never_runs(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(Store(path)) as store:
        store.write([make_job("etl"), make_execution("e1", "etl")])
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TRIGGER sly AFTER UPDATE ON jobs BEGIN DELETE FROM executions; END")
    with pytest.raises(
        StoreError, match=r"is damaged \(its trigger 'sly' is not Jobtrail's\); `jobtrail store check`"
    ):
        Store(path)


EVIL = [
    ("TRIGGER", "evil", "TASKS", "CREATE TRIGGER evil AFTER UPDATE ON tasks BEGIN DELETE FROM executions; END"),
    ("INDEX", "evil", "JOBS", "CREATE UNIQUE INDEX evil ON jobs (workspace)"),
    ("index", "sqlite_evil", "jobs", "CREATE UNIQUE INDEX sqlite_evil ON jobs (workspace)"),
]


@pytest.mark.parametrize("evil", EVIL)
def test_what_only_sqlite_takes_for_a_part_of_ours_is_found(tmp_path: Path, evil: tuple[str, str, str, str]) -> None:
    path = tmp_path / "store.db"
    Store(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TABLE mine (a PRIMARY KEY)")
        root = db.execute("SELECT rootpage FROM sqlite_schema WHERE name LIKE '%mine_1'").fetchone()[0]
        db.execute("PRAGMA writable_schema = ON")
        db.execute("DELETE FROM sqlite_schema WHERE name LIKE '%mine%'")
        kind, name, table, sql = evil
        values = (kind, name, table, 0 if kind == "TRIGGER" else root, sql)
        db.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", values)
    with pytest.raises(StoreError, match=r"evil' is not Jobtrail's"):
        Store(path)
    assert "evil' is not Jobtrail's" in "".join(check_integrity(path).faults or ())


def test_a_virtual_table_in_the_place_of_one_of_ours_is_not_read_to_salvage_it(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    Store(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(
            "DROP TABLE definitions; CREATE VIRTUAL TABLE definitions USING fts5(name, body);"
            " INSERT INTO definitions VALUES ('evil', '{}'); PRAGMA writable_schema = ON;"
            " UPDATE sqlite_schema SET sql = replace(sql, 'CREATE VIRTUAL', 'create/**/virtual')"
        )
    assert salvage(path, tmp_path / "new.db")["definitions"] == Salvaged(0, None)


def test_a_table_and_a_view_of_ones_own_are_let_be(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    Store(path).close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE mine (x)")
        db.execute("CREATE VIEW failed AS SELECT id FROM executions WHERE status = 'failed'")
        db.execute("ANALYZE")
    with closing(Store(path)) as store:
        assert store.is_empty


def run_where_no_file_can_grow(path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process whose files cannot grow, as on a full disk."""
    line = ["sh", "-c", 'ulimit -f 0 && exec "$@"', "sh", sys.executable, "-m", "jobtrail", *command]
    environ = {**os.environ, "JOBTRAIL_STORE": str(path)}
    return subprocess.run(line, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_on_a_full_disk_a_store_is_read_and_what_is_not_recorded_is_told_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(Store(path)) as store:
        store.write([make_job("etl"), make_execution("one", "etl", 1)])
    recorded = run_where_no_file_can_grow(path, "record", "--job", "a", "--", "sh", "-c", "echo done; exit 3")
    assert (recorded.returncode, recorded.stdout) == (3, "done\n")
    assert recorded.stderr == (
        f"jobtrail: this is not recorded: the store {path} cannot be written: disk I/O error; "
        "see to its disk, which may be full; `jobtrail doctor` looks at the store\n"
    )
    assert "\netl\t" in run_where_no_file_can_grow(path, "ask", "list_jobs").stdout
    checked = run_where_no_file_can_grow(path, "store", "check")
    assert (checked.returncode, checked.stdout) == (0, f"{path}: nothing is damaged\n")


@pytest.fixture
def with_log(tmp_path: Path) -> Path:
    """A store whose rows are in its log alone, which a recorder left that was killed."""
    path = tmp_path / "own" / "store.db"
    path.parent.mkdir()
    with closing(Store(tmp_path / "made.db")) as store:
        store.write([make_job("etl"), make_execution("one", "etl", 1)])
        for end in ("", "-wal"):
            shutil.copyfile(f"{store.path}{end}", f"{path}{end}")
    return path


def test_on_a_full_disk_what_is_only_in_the_log_is_read_too(with_log: Path) -> None:
    before = [(one.name, one.read_bytes()) for one in with_log.parent.glob("store.db*") if one.stat().st_size]
    listed = run_where_no_file_can_grow(with_log, "ask", "list_jobs")
    assert ("\netl\t" in listed.stdout, listed.stderr) == (True, "")
    checked = run_where_no_file_can_grow(with_log, "store", "check")
    assert (checked.returncode, checked.stdout) == (0, f"{with_log}: nothing is damaged\n")
    assert before == [(one.name, one.read_bytes()) for one in with_log.parent.glob("store.db*") if one.stat().st_size]


def test_a_salvage_that_is_stopped_leaves_nothing_and_can_be_tried_again(with_log: Path) -> None:
    new = with_log.with_name("new.db")
    for _ in range(2):
        stopped = run_where_no_file_can_grow(with_log, "store", "salvage", str(new))
        assert (stopped.returncode, f"the store {new} cannot be written" in stopped.stderr) == (2, True)
        assert [*with_log.parent.glob("new.db*")] == []
    assert salvage(with_log, new)["executions"] == Salvaged(1, 0)
    kept = new.read_bytes()
    with pytest.raises(StoreError, match=r"new\.db exists already; give a file that does not"):
        salvage(with_log, new)
    assert new.read_bytes() == kept


def test_a_file_that_a_full_disk_left_empty_is_not_damaged(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    run_where_no_file_can_grow(path, "record", "--job", "etl", "--", "true")
    assert path.stat().st_size == 0
    checked = run_where_no_file_can_grow(path, "store", "check")
    assert (checked.returncode, checked.stdout) == (0, f"{path}: nothing is damaged\n")
