"""`jobtrail record --from`: a task for each line, so many at a time, one execution for all."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.recorder.recording import Stand


def lines_file(tmp_path: Path, *lines: str) -> str:
    path = tmp_path / "tasks.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_each_line_is_a_task_named_by_it(stand: Stand, tmp_path: Path) -> None:
    source = lines_file(tmp_path, "a.csv", "", "b c.csv", "a.csv", "--odd", "ünï")
    script = 'test "$1" != "b c.csv" || { echo "bad $1" >&2; exit 7; }; echo "ok $1"'
    code, out, err = stand.record(
        "--job", "nightly", "--from", source, "--parallel", "3", "--", "sh", "-c", script, "sh", "{}"
    )
    assert code == 1
    assert sorted(out.decode().splitlines()) == ["ok --odd", "ok a.csv", "ok a.csv", "ok ünï"]
    execution, tasks = stand.only()
    assert [one.name for one in tasks] == ["a.csv", "b c.csv", "a.csv #2", "--odd", "ünï"]
    assert (execution["status"], execution["total"], execution["failure"]) == ("failed", 5, 1)
    assert execution["spec"] == {"parallelism": 3}
    assert {one.name: one.reasons for one in tasks if one.conditions} == {"b c.csv": ["exit code 7"]}
    summary = f"jobtrail: 5 tasks of nightly: 4 succeeded, 1 failed; recorded as {execution['id']}"
    assert err.decode().splitlines() == ["bad b c.csv", summary]


def test_a_command_without_a_place_gets_the_line_at_its_end(stand: Stand, tmp_path: Path) -> None:
    code, out, _ = stand.record("--job", "nightly", "--from", lines_file(tmp_path, "x y"), "--", "echo", "got")
    assert (code, out) == (0, b"got x y\n")


def test_no_more_run_at_once_than_were_asked_for(stand: Stand, tmp_path: Path) -> None:
    source = lines_file(tmp_path, *(f"t{number}" for number in range(12)))
    run = tmp_path / "run"
    script = f"mkdir -p {run}; touch {run}/$0; ls {run} | wc -l; sleep 0.05; rm {run}/$0"
    code, out, _ = stand.record("--job", "nightly", "--from", source, "--parallel", "3", "--", "sh", "-c", script)
    running = [int(line) for line in out.split()]
    assert (code, len(running)) == (0, 12)
    assert 2 <= max(running) <= 3


def test_whole_lines_of_tasks_at_the_same_time_do_not_mix(stand: Stand, tmp_path: Path) -> None:
    source = lines_file(tmp_path, *"abcd")
    script = (
        "import sys, os\n"
        "for _ in range(200):\n os.write(1, sys.argv[1].encode() * 50)\n os.write(1, b'\\n')\n"
        "os.write(1, b'end')"
    )
    code, out, _ = stand.record(
        "--job", "nightly", "--from", source, "--parallel", "4", "--", sys.executable, "-c", script
    )
    assert code == 0
    lines = out.decode().splitlines()
    assert len(lines) == 804
    assert all(line == "end" or line in {letter * 50 for letter in "abcd"} for line in lines)


def test_a_fan_out_that_is_stopped_cancels_what_runs_and_what_waits(stand: Stand, tmp_path: Path) -> None:
    source = lines_file(tmp_path, *(f"t{number}" for number in range(20)))
    arguments = (
        "--job",
        "nightly",
        "--from",
        source,
        "--parallel",
        "2",
        "--",
        "sh",
        "-c",
        "echo ready; exec sleep 600",
    )
    with stand.start(*arguments) as process:
        assert process.stdout is not None
        assert [process.stdout.readline(), process.stdout.readline()] == [b"ready\n"] * 2
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130
    execution, tasks = stand.only()
    assert (execution["status"], {one.status for one in tasks}, len(tasks)) == ("cancelled", {"cancelled"}, 20)
    assert [one.conditions[0]["message"] for one in tasks] == ["by SIGINT"] * 2 + ["it had not begun"] * 18


def test_only_timeouts_make_the_execution_a_timeout(stand: Stand, tmp_path: Path) -> None:
    source = lines_file(tmp_path, "0", "600")
    stand.record("--job", "nightly", "--from", source, "--parallel", "2", "--timeout", "0.5s", "--", "sleep")
    execution, tasks = stand.only()
    assert (execution["status"], [one.status for one in tasks]) == ("timeout", ["succeeded", "failed"])


def test_lines_come_from_standard_input_too(stand: Stand) -> None:
    environ = {**os.environ, "JOBTRAIL_STORE": str(stand.path)}
    command = [sys.executable, "-m", "jobtrail", "record", "--job", "nightly", "--from", "-", "--", "echo"]
    ended = subprocess.run(command, input=b"one\ntwo", env=environ, capture_output=True, check=True)
    assert sorted(ended.stdout.split()) == [b"one", b"two"]


def test_a_terminal_gets_a_bar_and_the_lines_above_it(stand: Stand, tmp_path: Path) -> None:
    source = lines_file(tmp_path, *"abc")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "jobtrail", "record", "--job", "nightly", "--from", source, "--", "echo", "line"]
    environ = {**os.environ, "JOBTRAIL_STORE": str(stand.path), "TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environ) as process:
        os.close(theirs)
        shown = read_all(ours)
        assert process.wait(timeout=30) == 0
    assert b"3/3" in shown
    for letter in (b"a", b"b", b"c"):
        assert b"line " + letter in shown
    execution, _ = stand.only()
    assert f"3 tasks of nightly: 3 succeeded; recorded as {execution['id']}".encode() in shown
    assert json.loads(execution["body"])["parallelism"] == 1


def read_all(terminal: int) -> bytes:
    """Read a pseudo-terminal until its other end closes, which it tells by an error."""
    shown = b""
    try:
        while piece := os.read(terminal, 65_536):
            shown += piece
    except OSError:
        pass
    finally:
        os.close(terminal)
    return shown
