"""Imports that are killed, that run at the same time, and beside what else records."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from jobtrail.importing import import_files
from jobtrail.store import Store
from tests.importing.documents import execution, run, task, write_json_lines
from tests.plane.records import make_execution as recorded
from tests.plane.records import make_task as recorded_task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 60
ITEMS = 2000
# Says each step on standard output, and waits for standard input after it.
SCRIPT = """
import sys
from pathlib import Path
from jobtrail.importing import import_files
from jobtrail.store import Store

def step(progress):
    print(progress.doing, progress.done, flush=True)
    if "wait" in sys.argv:
        sys.stdin.readline()

store = Store(Path(sys.argv[1]))
import_files(store, [Path(sys.argv[2])], say=lambda said: print(said, flush=True), progress=step)
store.close()
print("closed", flush=True)
"""


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A file of runs, and of executions with a task each."""
    path = tmp_path / "saved.jsonl"
    documents = (
        run(f"01M6FK0E50C4TP2FT2E{number:07}") if number % 2 else execution(f"exec-{number}", tasks=[task()])
        for number in range(ITEMS)
    )
    path.write_bytes(write_json_lines(documents))
    return path


def start(*arguments: str, stdin: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments], stdin=stdin, stdout=subprocess.PIPE)


def contents(store: Store) -> tuple[int, ...]:
    tables = ("executions", "tasks", "runs")
    return tuple(store.select(f"SELECT count(*) FROM {table}")[0][0] for table in tables)  # noqa: S608 # our own tables


def steps(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """What an import says, a step at a time."""
    assert process.stdout is not None
    assert process.stdin is not None
    for line in process.stdout:
        yield line.decode().strip()
        process.stdin.write(b"\n")
        process.stdin.flush()


@pytest.mark.slow
@pytest.mark.parametrize("last", ["reading 1000", "importing 1000", "importing 2000"])
def test_an_import_that_is_killed_leaves_nothing_and_can_be_made_again(
    tmp_path: Path, saved: Path, last: str
) -> None:
    path = tmp_path / "store.db"
    with start(str(path), str(saved), "wait") as process:
        assert last in steps(process)
        process.kill()
    left = {one.name for one in tmp_path.iterdir()}
    assert left <= {"saved.jsonl", "store.db", "store.db-wal", "store.db-shm"}
    with closing(Store(path)) as store:
        assert contents(store) == (0, 0, 0)
        import_files(store, [saved], say=lambda _: None)
        assert contents(store) == (1000, 1000, 1000)


@pytest.mark.slow
def test_an_import_that_is_killed_at_any_moment_leaves_all_or_nothing(tmp_path: Path, saved: Path) -> None:
    for number in range(5):
        path = tmp_path / f"{number}.db"
        with start(str(path), str(saved)) as process:
            assert process.stdout is not None
            while process.stdout.readline() != b"importing 2000\n":
                pass
            # From here it makes the job and the definition, and commits.
            time.sleep(number * 0.003)
            process.kill()
        with closing(Store(path)) as store:
            assert store.select("PRAGMA integrity_check")[0][0] == "ok"
            assert contents(store) in {(0, 0, 0), (1000, 1000, 1000)}
            assert (store.find_job("default", "etl") is None) == (contents(store)[0] == 0)


def test_one_file_imported_twice_at_once_is_imported_once(tmp_path: Path, saved: Path) -> None:
    path = tmp_path / "store.db"
    processes = [start(str(path), str(saved), stdin=subprocess.DEVNULL) for _ in range(3)]
    said = [process.communicate(timeout=SECONDS)[0].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sum("1,000 executions and 1,000 runs imported" in one for one in said) == 1
    assert sum("2,000 already there" in one for one in said) == 2
    with closing(Store(path)) as store:
        assert contents(store) == (1000, 1000, 1000)


def test_what_is_recorded_meanwhile_is_all_there(tmp_path: Path, saved: Path) -> None:
    path = tmp_path / "store.db"
    Store(path).close()

    def record(worker: int) -> int:
        with closing(Store(path)) as own:
            number = 0
            while process.poll() is None:
                identity = f"recorded-{worker}-{number}"
                own.write([recorded(identity, "nightly"), recorded_task("t", identity, 0, "running", "failed")])
                number += 1
            return number

    with start(str(path), str(saved), stdin=subprocess.DEVNULL) as process, ThreadPoolExecutor(3) as pool:
        recorders = [pool.submit(record, worker) for worker in range(3)]
        counts = [one.result(timeout=SECONDS) for one in recorders]
    assert process.returncode == 0
    with closing(Store(path)) as store:
        assert min(counts) > 0
        assert store.count_executions("default", "nightly") == sum(counts)
        assert store.count_executions("default", "etl") == 1000
        assert contents(store)[1:3] == (1000 + sum(counts), 1000)


def test_a_pipe_that_stalls_keeps_nobody_waiting(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with start(str(path), "-") as process:
        assert process.stdin is not None
        process.stdin.write(write_json_lines([run(), execution()]))
        process.stdin.flush()
        while not path.exists():
            assert process.poll() is None
            os.sched_yield()
        with closing(Store(path)) as store:
            began = time.monotonic()
            store.write([recorded("meanwhile", "nightly")])
            # The store's own limit, after which it would fail, is 30 s.
            assert time.monotonic() - began < 15
        process.stdin.write(json.dumps(execution("exec-2")).encode())
        said, _ = process.communicate(timeout=SECONDS)
    assert b"standard input: 2 executions and 1 run imported" in said
