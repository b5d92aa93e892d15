"""Reads runs from a RunWisp daemon's database, and output from the log files beside it; writes to neither.

Read off RunWisp 1.0.1, which documents neither; column names of its older versions are known too. A log is text, a
line each: those of stderr begin with `[ERR] `, the daemon's own with a time and `[SYSTEM] `. No line has a time.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal, cast

from jobtrail.store.faults import SQLITE_FAULTS
from jobtrail.store.kept_output import BYTES, LINE_BYTES, LINES, format_dropped, mark_cut
from jobtrail.store.schema import APPLICATION_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_HEADER = b"SQLite format 3\0"
_JOURNAL_BYTE, _WAL = 18, b"\x02"
_NEEDED = {"id", "task_name", "status", "created_at"}
_LOG = re.compile(r"\d{8}_\d{6}_([0-9A-HJKMNP-TV-Z]{26})\.log")
_TASK = re.compile(r"(?!\.{1,2}$)[a-zA-Z0-9._:-]{1,100}")
_SYSTEM = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] \[SYSTEM\] ")
_ERROR = "[ERR] "
_BLOCK, _FURTHEST_BACK = 1 << 16, 1 << 21

Stream = Literal["stdout", "stderr", "system"]


class ForeignDatabase(Exception):
    """A database that is not RunWisp's, or cannot be read; the message says why."""


@dataclass(frozen=True)
class DatabaseRun:
    """A run.

    Attributes:
        row: its number in the table.
        fields: its columns, as that version of the daemon names them, without those that are null.
        log: the file of its output, where there is one.
    """

    row: int
    fields: Mapping[str, Any]
    log: Path | None


@dataclass(frozen=True)
class DatabaseTask:
    """A task whose runs it has had."""

    row: int
    name: Any


def is_database(head: bytes) -> bool:
    """Return whether a file that begins like this is a SQLite database."""
    return head.startswith(_HEADER)


def read_database(path: Path) -> Iterator[DatabaseTask | DatabaseRun]:
    """Yield the tasks of a RunWisp database and then its runs in the order of insertion, but for deleted ones.

    It is read as it is at one moment, while a daemon goes on writing it.

    Raises:
        ForeignDatabase: it is not RunWisp's, is broken, or may not be read.
    """
    try:
        with closing(sqlite3.connect(_build_uri(path), uri=True, isolation_level=None)) as db:
            db.row_factory = sqlite3.Row
            # Bytes that are not UTF-8 are for whoever checks the fields.
            db.text_factory = _decode
            db.execute("BEGIN")
            _check_tables(db)
            yield from _read_tasks(db)
            yield from _read_runs(db, path.parent / "logs")
    except (*SQLITE_FAULTS, OSError) as error:
        raise ForeignDatabase(f"the database cannot be read: {error}") from error


def _decode(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _build_uri(path: Path) -> str:
    """Return how to open it without writing, beside it or in it.

    In WAL mode SQLite would make two files beside a database that has none, and fail where it may not. One without
    them is nobody's at the moment.
    """
    with path.open("rb") as file:
        mode = file.read(_JOURNAL_BYTE + 1)[_JOURNAL_BYTE:]
    untouched = mode == _WAL and not path.with_name(f"{path.name}-wal").exists()
    return f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if untouched else ''}"


def _check_tables(db: sqlite3.Connection) -> None:
    columns = _list_columns(db, "runs")
    if columns >= _NEEDED:
        return
    if db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
        raise ForeignDatabase("it is a store of Jobtrail's own; set JOBTRAIL_STORE to it to use it")
    raise ForeignDatabase("it is a SQLite database without RunWisp's table of runs; give DATA/runwisp.db")


def _list_columns(db: sqlite3.Connection, table: str) -> set[str]:
    return {row["name"] for row in db.execute("SELECT name FROM pragma_table_info(?)", (table,))}


def _read_tasks(db: sqlite3.Connection) -> Iterator[DatabaseTask]:
    if "task_name" in _list_columns(db, "task_registrations"):
        for row in db.execute("SELECT rowid AS row, task_name FROM task_registrations ORDER BY rowid"):
            yield DatabaseTask(row["row"], row["task_name"])


def _read_runs(db: sqlite3.Connection, logs: Path) -> Iterator[DatabaseRun]:
    # A task's folder is read once.
    find_logs = cache(partial(_find_logs, logs))
    for row in db.execute("SELECT rowid AS row, * FROM runs ORDER BY rowid"):
        fields = {name: value for name, value in dict(row).items() if value is not None}
        if "is_failure" in fields:
            fields["is_failure"] = bool(fields["is_failure"])
        if params := _read_params(fields.pop("params_json", None)):
            fields["params"] = params
        if "deleted_at" not in fields:
            log = find_logs(str(fields.get("task_name"))).get(str(fields.get("id")))
            yield DatabaseRun(fields.pop("row"), fields, log)


def _read_params(text: Any) -> dict[str, str]:
    """Return what a run was given; nothing where that is no JSON object of texts."""
    try:
        given = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return {}
    if not isinstance(given, dict):
        return {}
    return {name: value for name, value in cast("dict[str, Any]", given).items() if isinstance(value, str)}


def _find_logs(folder: Path, task: str) -> dict[str, Path]:
    """Return the logs of a task's runs by the ids of these."""
    if not _TASK.fullmatch(task):
        # What is no name may be a way out of the folder.
        return {}
    try:
        files = [one for one in (folder / task).iterdir() if one.is_file() and not one.is_symlink()]
    except OSError:
        return {}
    return {found[1]: file for file in files if (found := _LOG.fullmatch(file.name))}


def read_log_tail(path: Path) -> list[tuple[Stream, str]]:
    """Return the last lines of a run's log as (stream, text), as many as `store.kept_output` says.

    A log that is gone has none. One that was rotated goes on in a hidden file beside it. If lines were left out, the
    first one says so.
    """
    lines, is_whole = _read_last_lines(path)
    if is_whole:
        before, is_whole = _read_last_lines(path.with_name(f".{path.name}.prev"))
        lines = [*before, *lines]
    kept = _keep_last(lines)
    found = [_parse_line(line) for line in kept]
    return found if is_whole and len(kept) == len(lines) else [("stdout", format_dropped(None)), *found]


def _keep_last(lines: Sequence[bytes]) -> list[bytes]:
    """Return the last lines that may be kept, and of each one byte more than may be, to tell that there was more."""
    kept: deque[bytes] = deque()
    for line in reversed(lines[-LINES:]):
        kept.appendleft(line[: LINE_BYTES + 1])
        if sum(map(len, kept)) > BYTES:
            kept.popleft()
            break
    return [*kept]


def _read_last_lines(path: Path) -> tuple[list[bytes], bool]:
    """Return the last lines of a file, and whether those are all; of a file that is gone none, and these are all.

    No more than two megabytes are read.
    """
    blocks: deque[bytes] = deque()
    try:
        with path.open("rb") as file:
            end = start = file.seek(0, os.SEEK_END)
            while start > 0 and sum(block.count(b"\n") for block in blocks) <= LINES and end - start < _FURTHEST_BACK:
                length = min(_BLOCK, start)
                start = file.seek(start - length)
                blocks.appendleft(file.read(length))
    except OSError:
        return [], True
    lines = b"".join(blocks).split(b"\n")
    if not lines[-1]:
        lines.pop()
    # Where the reading began there may be but the end of a line.
    return lines[1:] or lines if start > 0 else lines, start == 0


def _parse_line(line: bytes) -> tuple[Stream, str]:
    text = line[:LINE_BYTES].rstrip(b"\r").decode(errors="replace").replace("\0", "")
    if found := _SYSTEM.match(text):
        stream, text = "system", text[found.end() :]
    elif text.startswith(_ERROR):
        stream, text = "stderr", text[len(_ERROR) :]
    else:
        stream = "stdout"
    return stream, mark_cut(text) if len(line) > LINE_BYTES else text
