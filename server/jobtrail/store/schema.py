"""The store's schema: the scripts that make it, and whether the one in a file is ours."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from jobtrail.store.faults import DamagedStore, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.resources.abc import Traversable
    from pathlib import Path

APPLICATION_ID = 0x4A74726C
"""SQLite's `application_id` of a store: "Jtrl"."""
_FOUND = (
    "SELECT (SELECT user_version FROM pragma_user_version), (SELECT application_id FROM pragma_application_id),"
    " EXISTS (SELECT 1 FROM sqlite_schema), (SELECT count(*) FROM pragma_table_info('events') WHERE name IN"
    " ('seq', 'kind', 'at', 'workspace', 'parent', 'name', 'status', 'body')) = 8"
)
# In lower case, as SQLite compares them: it runs a TRIGGER on TASKS as a trigger on tasks.
_SCHEMA = "SELECT lower(type), lower(name), lower(tbl_name), sql FROM sqlite_schema"
_Entry = tuple[str, str, str, str]


@cache
def list_migrations() -> tuple[Traversable, ...]:
    """Return the scripts that lead from each version to the next; the first makes version 1 of an empty file."""
    scripts = (one for one in (files("jobtrail.store") / "sqlite").iterdir() if one.name.endswith(".sql"))
    return tuple(sorted(scripts, key=lambda script: script.name))


def migrate(db: sqlite3.Connection, version: int, scripts: Sequence[Traversable]) -> None:
    """Bring a store from a version to that of the last script, inside a transaction."""
    for script in scripts[version:]:
        for statement in _split_statements(script.read_text(encoding="utf-8")):
            db.execute(statement)
    if version == 0:
        db.execute("INSERT INTO meta VALUES ('cursor_key', ?)", (secrets.token_hex(32),))
    db.execute(f"PRAGMA user_version = {len(scripts)}")
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def read_version(db: sqlite3.Connection, path: Path | None) -> int:
    """Return the version of a store's schema, 0 where there is nothing yet.

    Raises:
        StoreError: the file is a database of something else, or of a Jobtrail that was never released.
    """
    # In one statement, which sees one moment: another process may make the same new file now.
    version, mark, used, of_events = db.execute(_FOUND).fetchone()
    if of_events:
        raise StoreError(
            f"the store {path} was made before Jobtrail's first release and cannot be read any more",
            "move it away to begin a new one, or give another JOBTRAIL_STORE",
        )
    if used and mark != APPLICATION_ID:
        raise StoreError(f"{path} is a database of something else", "give another JOBTRAIL_STORE")
    if used and version <= 0:
        raise DamagedStore(path, f"its schema has version {version}")
    return version if used else 0


def check_schema(db: sqlite3.Connection, path: Path | None, scripts: Sequence[Traversable]) -> None:
    """Check that the schema of a store is, word for word, the one that the scripts make.

    A trigger that came with a file would run at our writes, and a view in place of a table at our reads. SQLite's own
    `trusted_schema = OFF` is no way: it forbids the functions of JSON too, which our tables use.

    Raises:
        DamagedStore: it is not; the message names a part that differs.
    """
    if strange := find_strange(db, scripts):
        raise DamagedStore(path, f"its {strange} is not Jobtrail's")


def find_strange(db: sqlite3.Connection, scripts: Sequence[Traversable]) -> str:
    """Return the kind and name of a part of the schema that differs from ours; empty where none does.

    Views and tables of others change nothing, and nor do SQLite's own, such as the statistics of ANALYZE.
    """
    wanted = _build_schema(tuple(scripts))
    ours = {table for _, _, table, _ in wanted}
    there = {tuple(row) for row in db.execute(_SCHEMA)}
    found = {one for one in there if one in wanted or one[0] == "trigger" or {one[1], one[2]} & ours}
    kind, name = min(((str(one[0]), str(one[1])) for one in found ^ wanted), default=("", ""))
    return f"{kind} {name!r}" if kind else ""


@cache
def _build_schema(scripts: tuple[Traversable, ...]) -> frozenset[_Entry]:
    """Return the schema that the scripts make."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        if scripts:
            migrate(db, 0, scripts)
        return frozenset(tuple(row) for row in db.execute(_SCHEMA))


def _split_statements(script: str) -> Iterator[str]:
    """Split a script into statements; `executescript` would commit the transaction around it."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
