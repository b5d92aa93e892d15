"""Opening files: an older version becomes the current one, whole or not at all; what is no store is refused."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings

from jobtrail.plane import Store, StoreError
from jobtrail.plane.database import SCHEMA_VERSION
from jobtrail.plane.store import moment
from tests.plane.histories import HISTORIES, HISTORIES_1, HISTORY, KEY_1, Replayable, derived, happen, version_1
from tests.plane.stocks import job, task

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from tests.plane.histories import Happening

LONG: list[Happening] = [
    *HISTORY,
    ("default", [event for number in range(3000) for event in task(f"n{number}", "e1", 7, "running", "failed")], []),
]


def contents(path: Path) -> list[str]:
    """Return all of a database as SQL, and its version."""
    with closing(sqlite3.connect(path)) as db:
        return [*db.iterdump(), *(str(one) for one in db.execute("PRAGMA user_version"))]


def as_recorded_now(history: Iterable[Happening]) -> dict[str, list[tuple[Any, ...]]]:
    with closing(Store(None)) as store:
        happen(store, history)
        return derived(store)


def test_a_store_of_the_first_version_opens_with_everything_it_had(tmp_path: Path) -> None:
    with closing(Store(version_1(tmp_path / "plane.db", HISTORY))) as store:
        assert store.rows("PRAGMA user_version")[0][0] == SCHEMA_VERSION == 2
        assert store.meta("cursor_key") == KEY_1
        assert len(store.rows("SELECT * FROM events")) == sum(len(events) for _, events, _ in HISTORY)
        one = store.execution("default", "etl", "e1")
        assert one is not None
        assert (moment(one["created_at"]), moment(one["ended_at"])) == (
            "2026-11-01T00:02:00Z",
            "2026-11-01T00:04:00Z",
        )
        assert (one["total"], one["success"], one["failure"], one["retried"]) == (2, 1, 1, 1)
        assert [row["name"] for row in store.all_tasks(one["key"])] == ["t1", "t2"]
        run = store.run("r1")
        assert run is not None
        assert (moment(run["ended_at"]), run["exit_code"], run["end_reason"]) == ("2026-11-01T00:06:00Z", 3, "failed")
        assert [row["id"] for row in store.rows("SELECT id FROM runs ORDER BY created_at, seq")] == ["r2", "r1"]
        assert [row["recorder"] for row in store.rows("SELECT DISTINCT recorder FROM events")] == [None]
        assert derived(store) == as_recorded_now(HISTORY)
        store.record(task("t3", "e1", 9))
        with pytest.raises(sqlite3.IntegrityError, match="append-only"), store.transaction() as db:
            db.execute("DELETE FROM events")


def test_a_store_that_was_migrated_has_the_schema_of_a_new_one(tmp_path: Path) -> None:
    Store(version_1(tmp_path / "old.db", HISTORY)).close()
    Store(tmp_path / "new.db").close()

    def schema(path: Path) -> set[str]:
        with closing(sqlite3.connect(path)) as db:
            return {row[0] for row in db.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")}

    assert schema(tmp_path / "old.db") == schema(tmp_path / "new.db")


@settings(deadline=None)
@given(HISTORIES_1)
def test_any_history_of_the_first_version_is_what_recording_it_now_would_make(history: list[Happening]) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(Store(version_1(Path(folder) / "s", history))) as store:
        assert derived(store) == as_recorded_now(history)


@settings(deadline=None)
@given(HISTORIES)
def test_deriving_everything_anew_changes_nothing(history: list[Happening]) -> None:
    with closing(Replayable(None)) as store:
        happen(store, history)
        before = derived(store)
        store.replay()
        assert derived(store) == before


OPEN = """
import sys
from pathlib import Path
from jobtrail.plane import Store
print("ready", flush=True)
sys.stdin.readline()
store = Store(Path(sys.argv[1]))
print(store.meta("cursor_key"), len(store.rows("SELECT 1 FROM tasks")), flush=True)
"""


def test_processes_that_open_an_older_store_at_once_migrate_it_once(tmp_path: Path) -> None:
    path = version_1(tmp_path / "plane.db", LONG)
    opened = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for process in opened:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    said = set[str]()
    for process in opened:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in opened:
        said.add(process.communicate(timeout=60)[0])
        assert process.returncode == 0
    assert said == {f"{KEY_1} 3002\n"}
    with closing(Store(path)) as store:
        assert derived(store) == as_recorded_now(LONG)


KILLED = """
import os, signal, sys
from pathlib import Path
from jobtrail.plane import Store

class Killed(Store):
    steps = 0

    def _connect(self, path):
        db = super()._connect(path)
        db.set_progress_handler(self.step, 1000)
        return db

    def step(self):
        self.steps += 1
        if self.steps == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)

print(Killed(Path(sys.argv[1])).steps)
"""


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A store of the first version, and how many thousand steps of SQLite its migration takes."""
    path = version_1(tmp_path_factory.mktemp("interrupted") / "plane.db", LONG)
    whole = shutil.copy(path, path.with_name("whole.db"))
    ran = subprocess.run([sys.executable, "-c", KILLED, whole, "0"], capture_output=True, text=True, check=True)
    assert int(ran.stdout) > 100
    return path, int(ran.stdout)


@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.9, 1.0])
def test_a_migration_that_is_killed_leaves_the_older_store_as_it_was(
    interrupted: tuple[Path, int], tmp_path: Path, part: float
) -> None:
    original, steps = interrupted
    path = Path(shutil.copy(original, tmp_path / "plane.db"))
    ran = subprocess.run([sys.executable, "-c", KILLED, str(path), str(int(steps * part))], check=False)
    assert ran.returncode == -signal.SIGKILL
    assert contents(path) == contents(original)
    with closing(Store(path)) as store:
        assert derived(store) == as_recorded_now(LONG)


def test_a_migration_that_fails_leaves_the_older_store_as_it_was(tmp_path: Path) -> None:
    path = version_1(tmp_path / "plane.db", HISTORY)
    with closing(sqlite3.connect(path)) as db:
        # What the first version took and no later one can: a damaged body.
        db.execute("DROP TRIGGER job_defined")
        db.execute("INSERT INTO events VALUES (900, 'job.defined', 1, 'default', '', 'x', 'DEPLOYED', '{')")
        db.commit()
    before = contents(path)
    with pytest.raises(StoreError, match=r"the store .*plane\.db cannot be .*: malformed JSON"):
        Store(path)
    assert contents(path) == before


def test_a_store_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "plane.db"
    Store(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 3")
    before = path.read_bytes()
    with pytest.raises(StoreError) as refused:
        Store(path)
    assert str(refused.value) == (
        f"the store {path} has version 3 and this Jobtrail knows up to 2; "
        "use a newer Jobtrail, or another JOBTRAIL_STORE"
    )
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "schema", ["CREATE TABLE bookmarks (url TEXT)", "CREATE TABLE events (seq, kind); CREATE TABLE meta (key, value)"]
)
def test_a_database_of_something_else_is_refused_and_left_alone(tmp_path: Path, version: int, schema: str) -> None:
    path = tmp_path / "places.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(f"{schema}; PRAGMA user_version = {version}")
    before = path.read_bytes()
    with pytest.raises(StoreError) as refused:
        Store(path)
    assert str(refused.value) == f"{path} is a database of something else; give another JOBTRAIL_STORE"
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["places.sqlite"]


@pytest.mark.parametrize("text", [b"name,age\nann,7\n", b"\x00" * 5000, b"SQLite format 3\x00 and no more" * 99])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "plane.db"
    path.write_bytes(text)
    with pytest.raises(StoreError) as refused:
        Store(path)
    assert str(refused.value) == f"the store {path} cannot be opened: file is not a database"
    assert path.read_bytes() == text


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "plane.db"
    path.touch()
    with closing(Store(path)) as store:
        assert store.empty


def test_a_directory_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as refused:
        Store(tmp_path)
    assert str(refused.value) == f"the store {tmp_path} cannot be opened: Is a directory"


def test_missing_directories_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "jobtrail" / "plane.db"
    with closing(Store(path)) as store:
        assert store.empty
    assert oct(path.parent.stat().st_mode & 0o777) == oct(0o700)
    assert oct(path.stat().st_mode & 0o777) == oct(0o600)


@pytest.mark.parametrize("below", ["plane.db", "data/plane.db"])
def test_a_store_below_a_file_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / below
    with pytest.raises(StoreError) as refused:
        Store(path)
    assert str(refused.value) == f"the store {path} cannot be opened: Not a directory"


@contextmanager
def as_somebody_else() -> Generator[None]:
    """Give up the rights of the superuser, whom no file mode stops."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_file_that_may_not_be_read_is_refused() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plane.db"
        Store(path).close()
        path.chmod(0)
        Path(folder).chmod(0o755)
        with as_somebody_else(), pytest.raises(StoreError) as refused:
            Store(path)
    assert str(refused.value) == f"the store {path} cannot be opened: unable to open database file"


def test_a_file_that_may_only_be_read_is_shown_and_not_written() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plane.db"
        with closing(Store(path)) as store:
            happen(store, HISTORY)
            path.chmod(0o444)
            # A reader needs what SQLite keeps beside a file that is open.
            path.with_name("plane.db-wal").chmod(0o444)
            path.with_name("plane.db-shm").chmod(0o666)
            Path(folder).chmod(0o755)
            with as_somebody_else(), closing(Store(path)) as reader:
                assert derived(reader) == derived(store)
                with pytest.raises(StoreError) as refused:
                    reader.record([job("report")])
    assert str(refused.value) == f"the store {path} cannot be written: attempt to write a readonly database"


def test_an_older_file_that_may_only_be_read_is_refused() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = version_1(Path(folder) / "plane.db", HISTORY)
        path.chmod(0o444)
        Path(folder).chmod(0o777)
        with as_somebody_else(), pytest.raises(StoreError) as refused:
            Store(path)
    assert str(refused.value) == f"the store {path} cannot be written: attempt to write a readonly database"


def test_a_place_where_no_directory_may_be_made_is_refused() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        path = Path(folder) / "data" / "plane.db"
        with as_somebody_else(), pytest.raises(StoreError) as refused:
            Store(path)
    assert str(refused.value) == f"the store {path} cannot be opened: Permission denied"
