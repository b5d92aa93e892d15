"""Opening files: a new one is made, an older one is migrated whole or not at all, what is no store is refused."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobtrail.store import Store, StoreError
from jobtrail.store.database import list_migrations
from jobtrail.store.integrity import check_integrity
from jobtrail.store.rows import LineRow
from tests.plane.records import make_execution, make_job

if TYPE_CHECKING:
    from collections.abc import Generator
    from importlib.resources.abc import Traversable

RIGHTS = "see that you may read and write it and its folder, or give another JOBTRAIL_STORE"
AWAY = "move it away to begin a new one, or give another JOBTRAIL_STORE"
UNRELEASED = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE events (seq INTEGER PRIMARY KEY, kind TEXT, at INTEGER, workspace TEXT, parent TEXT, name TEXT,
  status TEXT, body TEXT"""


def contents(path: Path) -> list[str]:
    """Return all of a database as SQL, and its version."""
    with closing(sqlite3.connect(path)) as db:
        return [*db.iterdump(), *(str(one) for one in db.execute("PRAGMA user_version"))]


def test_migrations_are_numbered_from_one() -> None:
    numbers = [int(script.name.partition("_")[0]) for script in list_migrations()]
    assert numbers == [*range(1, len(numbers) + 1)]


class Later(Store):
    """A store of the next version, which has one more script beside its file."""

    def _list_migrations(self) -> tuple[Traversable, ...]:
        assert self.path is not None
        return (*list_migrations(), self.path.with_name("more.sql"))


@pytest.fixture
def older(tmp_path: Path) -> Path:
    path = tmp_path / "plane.db"
    with closing(Store(path)) as store:
        store.write([make_job("etl"), make_execution("e1", "etl")])
    return path


def test_an_older_store_is_migrated_with_what_it_holds(older: Path) -> None:
    older.with_name("more.sql").write_text("CREATE TABLE more (x);", encoding="utf-8")
    for _ in range(2):
        with closing(Later(older)) as store:
            assert store.select("PRAGMA user_version")[0][0] == len(list_migrations()) + 1
            assert store.select("SELECT * FROM more") == []
            assert store.find_execution("default", "etl", "e1") is not None


def test_a_migration_that_fails_leaves_the_older_store_as_it_was(older: Path) -> None:
    older.with_name("more.sql").write_text("CREATE TABLE more (x);\nDROP TABLE missing;", encoding="utf-8")
    before = contents(older)
    with pytest.raises(StoreError, match=r"the store .*plane\.db is damaged \(no such table: missing\)"):
        Later(older)
    assert contents(older) == before


@pytest.mark.parametrize(("version", "mark", "more"), [(1, 0, ""), (2, 0x4A74726C, ", recorder TEXT")])
def test_a_store_of_before_the_first_release_is_refused_and_left_alone(
    tmp_path: Path, version: int, mark: int, more: str
) -> None:
    path = tmp_path / "plane.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(f"{UNRELEASED}{more}); PRAGMA user_version = {version}; PRAGMA application_id = {mark}")
    before = path.read_bytes()
    for look in (Store, partial(check_integrity, seconds=1)):
        with pytest.raises(StoreError) as refused:
            look(path)
        assert str(refused.value) == (
            f"the store {path} was made before Jobtrail's first release and cannot be read any more; "
            "move it away to begin a new one, or give another JOBTRAIL_STORE"
        )
    assert path.read_bytes() == before


def test_a_store_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "plane.db"
    Store(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 2")
    before = path.read_bytes()
    with pytest.raises(StoreError) as refused:
        Store(path)
    assert str(refused.value) == (
        f"the store {path} has version 2 and this Jobtrail knows up to 1; "
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
    assert str(refused.value) == f"the store {path} cannot be opened: file is not a database; {AWAY}"
    assert path.read_bytes() == text


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "plane.db"
    path.touch()
    with closing(Store(path)) as store:
        assert store.is_empty


def test_a_directory_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as refused:
        Store(tmp_path)
    assert str(refused.value) == f"the store {tmp_path} cannot be opened: Is a directory; {RIGHTS}"


def test_missing_directories_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "jobtrail" / "plane.db"
    with closing(Store(path)) as store:
        assert store.is_empty
    assert oct(path.parent.stat().st_mode & 0o777) == oct(0o700)
    assert oct(path.stat().st_mode & 0o777) == oct(0o600)


@pytest.mark.parametrize("below", ["plane.db", "data/plane.db"])
def test_a_store_below_a_file_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / below
    with pytest.raises(StoreError) as refused:
        Store(path)
    assert str(refused.value) == f"the store {path} cannot be opened: Not a directory; {RIGHTS}"


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
    assert str(refused.value) == f"the store {path} cannot be opened: unable to open database file; {RIGHTS}"


def test_a_file_that_may_only_be_read_is_shown_and_not_written() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plane.db"
        with closing(Store(path)) as store:
            store.write([make_job("etl"), make_execution("e1", "etl")])
            path.chmod(0o444)
            # A reader needs what SQLite keeps beside a file that is open.
            path.with_name("plane.db-wal").chmod(0o444)
            path.with_name("plane.db-shm").chmod(0o666)
            Path(folder).chmod(0o755)
            with as_somebody_else(), closing(Store(path)) as reader:
                assert reader.find_execution("default", "etl", "e1") == store.find_execution("default", "etl", "e1")
                with pytest.raises(StoreError) as refused:
                    reader.write([make_job("report")])
    assert str(refused.value) == (
        f"the store {path} cannot be written: attempt to write a readonly database; "
        "make it writable, or give another JOBTRAIL_STORE"
    )


def test_a_place_where_no_directory_may_be_made_is_refused() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        path = Path(folder) / "data" / "plane.db"
        with as_somebody_else(), pytest.raises(StoreError) as refused:
            Store(path)
    assert str(refused.value) == f"the store {path} cannot be opened: Permission denied; {RIGHTS}"


def test_a_fault_that_was_found_is_told_though_the_time_is_over(tmp_path: Path) -> None:
    path = tmp_path / "plane.db"
    with closing(Store(path)) as store:
        store.write(LineRow(number, "e1", "task-0", "stdout", "line") for number in range(20_000))
    assert check_integrity(path, seconds=0).faults is None
    content = bytearray(path.read_bytes())
    # The count of free pages in the file's header, which is looked at first.
    content[36:40] = (7).to_bytes(4, "big")
    path.write_bytes(content)
    assert "freelist" in " ".join(check_integrity(path, seconds=0).faults or ()).lower()


def test_text_of_ours_that_is_not_unicode_is_no_damage_of_the_store(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "plane.db")) as store:
        for doing, refused in (
            ("written", lambda: store.write([make_job("etl\udcff")])),
            ("read", lambda: store.find_job("default", "etl\udcff")),
        ):
            with pytest.raises(StoreError) as told:
                refused()
            assert str(told.value) == (
                f"the store {store.path} cannot be {doing}: 'etl\\udcff' holds what is not Unicode; give it in UTF-8"
            )
