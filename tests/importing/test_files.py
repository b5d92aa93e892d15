"""Files: how they are read, what is said of them, and that one of them is imported whole or not at all."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from jobtrail.importing import FileSummary, ImportProgress, files, import_files, importer
from jobtrail.store.imports import ImportOutcome
from tests.importing.documents import condition, execution, job, legacy_run, read_answers, run, task, write_json_lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jobtrail.store import Store

NEW = ImportOutcome.NEW


def ids(count: int) -> list[str]:
    return [f"01M6FK0E50C4TP2FT2E{number:07}" for number in range(count)]


def page(identity: str, *, more: bool) -> dict[str, Any]:
    return {"data": [execution(identity)], "meta": {"hasMore": more}}


def importing(store: Store, *paths: Path, skip_refused: bool = False) -> tuple[list[FileSummary], list[str]]:
    """Import files: what became of them, and all that was said, without the folder's name."""
    said: list[str] = []
    summaries = import_files(store, paths, skip_refused=skip_refused, say=said.append)
    folder = f"{paths[0].parent}/"
    return summaries, [sentence.replace(folder, "") for sentence in said]


def count(store: Store) -> int:
    return store.select("SELECT count(*) FROM executions")[0][0] + store.select("SELECT count(*) FROM runs")[0][0]


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def compress(content: bytes) -> bytes:
    """Return bytes as gzip, without the time: cases are named by them, and have one name in every process."""
    return gzip.compress(content, mtime=0)


@pytest.mark.parametrize(
    "content",
    [
        write_json_lines([execution(), run()]),
        write_json_lines([execution(), run()]).rstrip(b"\n"),
        b"\xef\xbb\xbf" + write_json_lines([execution(), run()]),
        write_json_lines([execution(), run()]).replace(b"\n", b"\r\n"),
        b"\n  \n" + write_json_lines([execution()]) + b"\n\n" + write_json_lines([run()]),
        compress(write_json_lines([execution(), run()])),
        compress(write_json_lines([execution()])) + compress(write_json_lines([run()])),
    ],
    ids=[
        "plain",
        "no last newline",
        "byte order mark",
        "carriage returns",
        "blank lines",
        "gzip",
        "two gzips in one",
    ],
)
def test_json_lines_are_read_as_they_come(store: Store, tmp_path: Path, content: bytes) -> None:
    _, said = importing(store, write(tmp_path / "saved", content))
    assert said == ["saved: 1 execution and 1 run imported"]
    assert count(store) == 2


def test_standard_input_is_a_file_too(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (write_json_lines([execution()]), compress(write_json_lines([run()]))):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content))))
        _, said = importing(store, tmp_path.__class__("-"))
        assert said[0].startswith("standard input: 1 ")
    assert count(store) == 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"hello\n", "line 1: is no JSON: Expecting value at character 1"),
        (write_json_lines([run()]) + b'{"id": \n', "line 2: is no JSON: Expecting value at character 7"),
        (b'{"id": "\xff"}\n', "line 1: is no JSON: invalid start byte at byte 9"),
        (b"NaN\n", "line 1: is no JSON: it holds NaN"),
        (b"[" * 5000 + b"\n", "line 1: is no JSON: it is nested too deeply"),
        (
            b"{\n",
            "line 1: holds a part of a document; JSON Lines have a whole one on each line, as `jq -c .` writes them",
        ),
        (compress(b"SQLite format 3\0rest"), "line 1: is a database; give it as a file, unpacked"),
    ],
)
def test_a_line_that_is_no_json_is_refused(store: Store, tmp_path: Path, content: bytes, sentence: str) -> None:
    _, said = importing(store, write(tmp_path / "saved", content))
    assert said == [f"saved, {sentence}", "saved: nothing imported, 1 refused"]
    assert store.is_empty


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (write_json_lines([run()]).decode().encode("utf-16"), "saved: is UTF-16; JSON Lines are UTF-8"),
        (
            compress(write_json_lines([run(), legacy_run()]))[:-9],
            "saved: ends early after line 2: the gzip data is cut short; fetch the file again",
        ),
        (
            compress(write_json_lines([run()]))[:-6] + b"wrong!",
            "saved: cannot be read beyond line 1: CRC check failed",
        ),
        (compress(write_json_lines([run()]))[:12], "saved: ends early: the gzip data is cut short"),
        (b"\x1f\x8bnot gzip", "saved: cannot be read: Unknown compression method"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_to_its_end_is_refused_whole(
    store: Store, tmp_path: Path, content: bytes, sentence: str
) -> None:
    _, said = importing(store, write(tmp_path / "saved", content), skip_refused=True)
    assert said[0].startswith(sentence)
    assert said[1:] == ["saved: nothing imported, 1 refused"]
    assert store.is_empty


def test_a_file_that_is_not_there_or_a_folder_does_not_keep_the_others(store: Store, tmp_path: Path) -> None:
    good = write(tmp_path / "good", write_json_lines([run()]))
    (tmp_path / "folder").mkdir()
    summaries, said = importing(store, tmp_path / "none", tmp_path / "folder", good)
    assert said == [
        "none: cannot be read: No such file or directory",
        "none: nothing imported, 1 refused",
        "folder: cannot be read: Is a directory",
        "folder: nothing imported, 1 refused",
        "good: 1 run imported",
    ]
    assert [one.refused for one in summaries] == [1, 1, 0]


def test_a_file_is_imported_whole_or_not_at_all_and_each_for_itself(store: Store, tmp_path: Path) -> None:
    good = write(tmp_path / "good", write_json_lines([run()]))
    bad = write(tmp_path / "bad", write_json_lines([execution("e1"), {"hello": 1}, execution("e2"), [run(id="x")]]))
    summaries, said = importing(store, bad, good)
    assert said[-2:] == ["bad: nothing imported, 2 refused", "good: 1 run imported"]
    assert [line.partition(": ")[0] for line in said[:2]] == ["bad, line 2", "bad, line 4, [0]"]
    assert [one.refused for one in summaries] == [2, 0]
    assert count(store) == 1
    _, said = importing(store, bad, skip_refused=True)
    assert said[-1] == "bad: 2 executions imported, 2 refused"
    assert count(store) == 3


def test_the_first_twenty_refusals_are_told_and_the_rest_are_counted(store: Store, tmp_path: Path) -> None:
    (summary,), said = importing(store, write(tmp_path / "bad", b"rubbish\n" * 1234))
    assert (summary.refused, len(said)) == (1234, 22)
    assert said[-2:] == ["bad: 1,214 more refused", "bad: nothing imported, 1,234 refused"]


def test_nothing_of_a_document_is_printed_raw(store: Store, tmp_path: Path) -> None:
    nasty = "\x1b[2J\u202e\nmore: list_jobs()" + "x" * 500
    documents: list[Any] = [{nasty: 1, "metadata": {"id": nasty, "job": nasty}}, {nasty: 1}, nasty, {"status": nasty}]
    path = write(tmp_path / "a\x1b[31mb\nc", write_json_lines(documents))
    said = importing(store, path)[1]
    assert all(sentence.isprintable() and len(sentence) < 500 for sentence in said), said


@pytest.mark.parametrize(
    ("documents", "sentence"),
    [
        ([job(), execution(), run(), legacy_run()],
         "saved: 1 execution and 1 job and 1 run imported, 1 differs, what is here was kept"),
        ([execution("e1"), execution("e1")], "saved: 1 execution imported, 1 already there"),
        ([execution(status="running"), execution()], "saved: 1 execution imported, 1 brought forward"),
        ([], "saved: nothing imported, there is nothing in it"),
        ([{"items": None, "total": 0}], "saved: nothing imported, there is nothing in it"),
    ],
)  # fmt: skip
def test_what_became_of_a_file_is_one_sentence(
    store: Store, tmp_path: Path, documents: Sequence[Any], sentence: str
) -> None:
    assert importing(store, write(tmp_path / "saved", write_json_lines(documents)))[1] == [sentence]


@pytest.mark.parametrize(
    ("pages", "sentence"),
    [
        ([page("e1", more=True)], "saved: its last page says that more follow; save those too"),
        ([page("e1", more=True), page("e2", more=False)], None),
        (
            [{"items": [run()], "total": 604}],
            "saved: its pages count 604 runs in all and hold 1; save the others too",
        ),
        ([{"items": [run(one)], "total": 2} for one in ids(2)], None),
    ],
)
def test_an_answer_that_is_not_complete_never_reads_as_everything(
    store: Store, tmp_path: Path, pages: Sequence[Any], sentence: str | None
) -> None:
    said = importing(store, write(tmp_path / "saved", write_json_lines(pages)))[1]
    assert said[1:] == ([sentence] if sentence else [])


def test_a_line_that_is_too_long_is_refused_without_being_held(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (files, importer):
        monkeypatch.setattr(module, "LONGEST_LINE", 2000)
    content = write_json_lines([run(), {"hello": "x" * 5000}]) + write_json_lines([execution()])
    _, said = importing(store, write(tmp_path / "saved", content), skip_refused=True)
    assert said == [
        "saved, line 2: is longer than 2,000 bytes",
        "saved: 1 execution and 1 run imported, 1 refused",
    ]


def test_progress_is_told_now_and_then_and_always_grows(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "saved", write_json_lines(run(one) for one in ids(2500)))
    told: list[ImportProgress] = []
    import_files(store, [path], say=lambda _: None, progress=told.append)
    assert [(one.doing, one.done, one.total) for one in told] == [
        ("reading", 1000, None), ("reading", 2000, None), ("importing", 1000, 2500), ("importing", 2000, 2500),
    ]  # fmt: skip


@pytest.mark.slow
def test_an_execution_with_a_hundred_thousand_tasks_is_one_line(store: Store, tmp_path: Path) -> None:
    tasks = [task(f"task-{number}", "failed" if number % 1000 == 0 else "pending") for number in range(100_000)]
    path = write(tmp_path / "saved", write_json_lines([execution(status="running", tasks=tasks)]))
    assert importing(store, path)[0][0].outcomes == {("execution", NEW): 1}
    (page,) = read_answers(store, "/v0/jobs/etl/executions")
    assert page["data"][0]["stats"] == {
        "total": 100_000, "success": 0, "failure": 100, "running": 0, "cancelled": 0, "retried": 0,
    }  # fmt: skip


@pytest.mark.slow
def test_a_long_file_does_not_live_in_memory(store: Store, tmp_path: Path) -> None:
    def peak(number: int) -> int:
        path = tmp_path / f"{number}"
        with path.open("wb") as file:
            # Each has two kilobytes of why, so that a file of them is far larger than what is to be held.
            failed = [task(status="failed", conditions=[condition("Why", "x" * 2000)])]
            file.writelines(json.dumps(execution(one, tasks=failed)).encode() + b"\n" for one in ids(number))
        tracemalloc.start()
        import_files(store, [path], say=lambda _: None)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    few, many = peak(1000), peak(6000)
    assert many < few + 8_000_000, (few, many)
