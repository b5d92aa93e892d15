"""Damages a store's file in seeded ways: its pages, its log, its values, its schema."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from jobtrail.store import Store
from jobtrail.store.rows import DefinitionRow, LineRow, RunRow, TaskRow
from tests.plane.records import make_execution, make_job, make_task, nanoseconds_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGE = 4096
RUN = "01K9Z3V5Q8R2M4N6P7S9T0W"
TOKEN = "0123456789abcdef"
"""A recorder that is not there."""
VALUES: tuple[object, ...] = (
    "text", b"\xff\xfe", 3.5, -1, 2**63 - 1, "", "{}", "[]", "[1]", '{"metadata":[],"spec":7}', "NaN", "1e999",
    "[" * 5_000, '{"a":' * 400 + "1" + "}" * 400,
    '{"labels":3,"runtime":{"envs":{}},"triggers":[{"configuration":5}]}',
    "9" * 5_000, "../../x", "/etc/passwd", "x" * 200_000, "\x00", "\x1b[31m",
)  # fmt: skip
WRITABLE = "PRAGMA writable_schema = ON; UPDATE sqlite_schema"
TABLES = ("jobs", "executions", "tasks", "lines", "definitions", "runs", "tallies", "run_tallies", "meta")


def fill(path: Path) -> None:
    """Make a store of some fifty pages: what ended, what a recorder left, output, runs."""
    at = nanoseconds_at
    store = Store(path)
    for job in ("etl", "report"):
        store.write([make_job(job, labels={"team": "data"})])
        for number in range(30):
            name = f"{job}-{number:02}"
            store.write([make_execution(name, job, number * 10, "failed" if number % 3 else "succeeded")])
            store.write([make_task(f"task-{one}", name, number * 10, "running", "failed") for one in range(4)])
            store.write(
                LineRow(at(number * 10 + one), name, "task-0", "stdout", f"line {one} " * 9) for one in range(10)
            )
    store.write([make_execution("open", "etl", 500, "running")])
    store.write([TaskRow("open", "task-0", "running", at(500), at(500), at(500), attempts=1, recorder=TOKEN)])
    store.write([DefinitionRow("backup", {"name": "backup", "kind": "task"})])
    store.write(
        RunRow(
            f"{RUN}{one:03}", "backup", "ended", at(one), at(one), at(one + 1), "failed", 1, {"triggered_by": "cron"}
        )
        for one in range(60)
    )
    store.close()


def damage(path: Path, seed: int) -> str:
    """Damage a store in one way that depends on the seed, and return what was done."""
    chance = random.Random(seed)  # noqa: S311 # a test's
    kind = KINDS[seed % len(KINDS)]
    kind(path, chance)
    return f"{seed}: {kind.__name__}"


def zero_page(path: Path, chance: random.Random) -> None:
    """Zero one page; the first few are roots, which hold a table up."""
    write(path, chance.randrange(1, count_pages(path)) * PAGE, bytes(PAGE))


def zero_a_root(path: Path, chance: random.Random) -> None:
    with closing(sqlite3.connect(path)) as db:
        roots = [row[0] for row in db.execute("SELECT rootpage FROM sqlite_schema WHERE rootpage > 0")]
    write(path, (chance.choice(roots) - 1) * PAGE, bytes(PAGE))


def overwrite(path: Path, chance: random.Random) -> None:
    """Overwrite bytes from the third page on, or anywhere."""
    start = chance.choice([2 * PAGE, chance.randrange(100, path.stat().st_size)])
    write(path, start, chance.randbytes(chance.choice([1, 40, 3_000, 20_000])))


def flip_bits(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice([1, 10, 300])):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def truncate(path: Path, chance: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(1, len(content))])


def swap_pages(path: Path, chance: random.Random) -> None:
    content = path.read_bytes()
    one, other = (chance.randrange(1, count_pages(path)) * PAGE for _ in range(2))
    write(path, one, content[other : other + PAGE])
    write(path, other, content[one : one + PAGE])


def write_garbage_log(path: Path, chance: random.Random) -> None:
    header = bytes.fromhex("377f0682002de218") if chance.random() < 0.5 else b""
    path.with_name(f"{path.name}-wal").write_bytes(header + chance.randbytes(chance.choice([10, 5_000, 40_000])))


def write_wrong_value(path: Path, chance: random.Random) -> None:
    """Put a value into a column that it is not of, in one row or in all."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        table = chance.choice(TABLES)
        columns = [row[0] for row in db.execute("SELECT name FROM pragma_table_info(?)", (table,))]
        first = f" WHERE {columns[0]} IN (SELECT {columns[0]} FROM {table} LIMIT 1)"  # noqa: S608 # a test's
        where = chance.choice(["", first])
        try:
            value = chance.choice(VALUES)
            column = chance.choice(columns)
            db.execute(f"UPDATE OR IGNORE {table} SET {column} = ?{where}", (value,))  # noqa: S608 # a test's
        except sqlite3.Error:
            # A rule of the table kept it out; what is not UTF-8 it keeps out of no text.
            column = {"lines": "text", "meta": "value", "jobs": "body", "tasks": "spec"}.get(table, columns[-1])
            sql = f"UPDATE OR IGNORE {table} SET {column} = CAST(x'fffe41' AS TEXT)"  # noqa: S608 # a test's
            with suppress(sqlite3.Error):
                db.execute(sql)


def write_foreign_schema(path: Path, chance: random.Random) -> None:
    """Add a trigger, put a view in the place of a table, take something away."""
    loop = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT"
    columns = "1 AS key, '../x' AS workspace, 7 AS name, 'x' AS job, x'ff' AS id, 1 AS execution, 1 AS seq"
    scripts = [
        "CREATE TRIGGER evil AFTER UPDATE ON tasks BEGIN DELETE FROM executions; END",
        "CREATE TRIGGER evil AFTER INSERT ON tasks BEGIN SELECT RAISE(ABORT, 'evil'); END",
        f"CREATE TRIGGER evil AFTER INSERT ON meta BEGIN INSERT INTO meta {loop} x, x FROM n; END",
        *(f"DROP TABLE {table}; CREATE VIEW {table} AS {loop} {columns} FROM n" for table in TABLES[:4]),
        *(f"DROP TABLE {table}" for table in TABLES),
        "DROP INDEX executions_by_id",
        "DROP TRIGGER task_inserted",
        "CREATE UNIQUE INDEX mine ON lines (workspace) WHERE seq > 99999",
        f"{WRITABLE} SET sql = replace(sql, 'NOT NULL', '')",
        f"{WRITABLE} SET sql = 'CREATE TABLE ' || name || ' (x)' WHERE type = 'table'",
        f"{WRITABLE} SET name = CAST(x'ff' AS TEXT) WHERE name = 'tasks'",
        "PRAGMA user_version = -3",
        "PRAGMA user_version = 0",
        "PRAGMA user_version = 7",
        "PRAGMA application_id = 7",
    ]
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(chance.choice(scripts))


def name_a_path(path: Path, chance: random.Random) -> None:
    """Name a recorder like a file that is not its own."""
    name = chance.choice(
        [str(path.with_name("precious")), "../precious", "../../precious", "", "." * 16, "x" * 5_000]
    )
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE tasks SET recorder = ? WHERE recorder IS NOT NULL", (name,))


KINDS: tuple[Callable[[Path, random.Random], None], ...] = (
    zero_page, zero_a_root, overwrite, flip_bits, truncate, swap_pages, write_garbage_log, write_wrong_value,
    write_wrong_value, write_wrong_value, write_foreign_schema, write_foreign_schema, name_a_path,
)  # fmt: skip


def count_pages(path: Path) -> int:
    return path.stat().st_size // PAGE


def write(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)
