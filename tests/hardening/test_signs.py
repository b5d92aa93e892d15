"""Whether a recorder lives: tied to its store whatever path leads there, and what lived after all is put right."""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobtrail.store import Store
from jobtrail.store.liveness import LivenessLock, make_token
from jobtrail.store.recording import Recording, RecordingRequest, fail_vanished
from tests.store.test_database import as_somebody_else

if TYPE_CHECKING:
    from collections.abc import Generator

if sys.platform != "win32":
    import fcntl

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="recorders need POSIX")

LONG_AGO = "1"


def record(path: Path, token: str) -> tuple[Store, Recording]:
    store = Store(path)
    recording = Recording(store, token, RecordingRequest("etl", "e1", ["load", "check"]))
    recording.begin_task("load")
    return store, recording


def status(path: Path) -> str:
    with closing(Store(path)) as store:
        fail_vanished(store)
        row = store.find_execution("default", "etl", "e1")
    assert row is not None
    return row["status"]


def forget(store: Store) -> None:
    """Set back the time in the store at which its recorder was last alive."""
    with store.transaction() as db:
        db.execute("UPDATE meta SET value = ? WHERE key LIKE 'recorder %'", (LONG_AGO,))


def test_a_recorder_lives_by_any_path_that_leads_to_its_store(tmp_path: Path) -> None:
    path = tmp_path / "own" / "store.db"
    with LivenessLock(path) as sign:
        store, _ = record(path, sign.token)
        forget(store)
        (tmp_path / "link.db").symlink_to(path)
        (tmp_path / "folder").symlink_to(path.parent)
        assert status(tmp_path / "link.db") == status(tmp_path / "folder" / "store.db") == "running"
        path.parent.rename(tmp_path / "moved")
        assert status(tmp_path / "moved" / "store.db") == "running"
        store.close()


def test_a_recorder_whose_file_is_out_of_sight_lives_by_the_time_in_the_store(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store, recording = record(path, make_token())
    assert status(path) == "running"
    forget(store)
    recording.renew()
    assert status(path) == "running"
    forget(store)
    assert status(path) == "failed"
    store.close()


def test_a_sign_without_a_lock_lives_while_it_is_renewed(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    token = make_token()
    sign = tmp_path / "store.db-recorders" / token
    sign.parent.mkdir()
    sign.touch()
    store, _ = record(path, token)
    assert status(path) == "running"
    long_ago = time.time() - 60
    os.utime(sign, (long_ago, long_ago))
    assert status(path) == "failed"
    assert not sign.exists()
    store.close()


def test_where_locks_fail_a_sign_lives_while_it_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def have_no_locks(_file: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", have_no_locks)
    path = tmp_path / "store.db"
    with LivenessLock(path) as sign:
        record(path, sign.token)[0].close()
        assert status(path) == "running"
        os.utime(tmp_path / "store.db-recorders" / sign.token, (1, 1))
        assert status(path) == "failed"


def test_a_sign_of_another_user_is_alive_as_far_as_can_be_known() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        token = make_token()
        store, _ = record(path, token)
        forget(store)
        (Path(folder) / "store.db-recorders").mkdir(mode=0o700)
        for one in (Path(folder), *Path(folder).glob("store.db*")):
            one.chmod(0o700 if one.name.endswith("-recorders") else 0o777 if one.is_dir() else 0o666)
        with as_somebody_else():
            assert status(path) == "running"
        store.close()


def test_what_was_given_up_and_lived_is_put_right_when_its_recorder_reports(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store, recording = record(path, make_token())
    forget(store)
    assert status(path) == "failed"
    recording.end_tasks(["load"], "succeeded")
    assert status(path) == "running"
    recording.begin_task("check")
    recording.end_tasks(["check"], "succeeded")
    assert status(path) == "succeeded"
    tasks = store.select("SELECT status, conditions FROM tasks")
    assert [tuple(row) for row in tasks] == [("succeeded", "[]")] * 2
    assert store.select("SELECT * FROM meta WHERE key LIKE 'recorder %'") == []
    store.close()


@pytest.mark.parametrize("name", ["{path}", "../precious", "../../precious", ".", "", "x" * 5000])
def test_no_name_in_a_store_becomes_the_path_of_a_file(tmp_path: Path, name: str) -> None:
    path, precious = tmp_path / "own" / "store.db", tmp_path / "precious"
    precious.write_text("mine", encoding="utf-8")
    store, _ = record(path, make_token())
    store.close()
    (path.parent / "precious").write_text("mine", encoding="utf-8")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE tasks SET recorder = ?", (name.format(path=precious),))
    assert status(path) == "failed"
    assert (precious.read_text(), (path.parent / "precious").read_text()) == ("mine", "mine")


class Woken(Store):
    """A store whose recorder gives a sign of life just before each transaction, as after a machine slept."""

    sign: Path

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        os.utime(self.sign)
        with super().transaction() as db:
            yield db


def test_the_sign_of_a_recorder_that_wakes_as_it_is_given_up_stays_and_is_not_counted(tmp_path: Path) -> None:
    path, token = tmp_path / "store.db", make_token()
    sign = tmp_path / "store.db-recorders" / token
    sign.parent.mkdir()
    sign.touch()
    record(path, token)[0].close()
    with closing(Woken(path)) as store:
        store.sign = sign
        os.utime(sign, (1, 1))
        assert fail_vanished(store) == 0
    assert (sign.exists(), status(path)) == (True, "running")
