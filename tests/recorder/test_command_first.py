"""Whatever else goes wrong, a recorded command runs to its end, all its output passes, its exit code is returned."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from jobtrail.cli.command_output import OutputForwarder
from jobtrail.recorder import Plan, run_and_record
from jobtrail.store import Store
from jobtrail.times import NANOSECONDS
from tests.recorder.recording import SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.recorder.recording import Stand

RECORD = f"{sys.executable} -m jobtrail record"
SLOW = 3.0
"""Seconds that a slow reader takes; a recorder waits two for what a command left behind."""
WAITING = b"jobtrail: waiting for the store, which another process holds, to record how it went\n"


def hold(gate: Path) -> str:
    """Return shell code that waits until the test makes a file."""
    return f"until test -e {gate}; do sleep 0.05; done"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "pass\udcffword"),
        ("API_KEYS", '["\\ud800abcdefg"]'),
        ("API_KEYS", "[" * 5000 + '"hunter2hunter2"' + "]" * 5000),
        ("API_KEYS", "[" * 700 + '"hunter2hunter2"' + "]" * 700),
        ("API_KEYS", "[" + "1" * 5000 + "]"),
    ],
    ids=["no UTF-8", "half a pair", "nested without end", "nested deeply", "a number of 5000 digits"],
)
def test_a_secret_of_odd_text_costs_neither_the_command_nor_its_mask(stand: Stand, name: str, value: str) -> None:
    code, out, err = stand.record("--job", "nightly", "--", "sh", "-c", f'echo "hi ${name}"; exit 3', **{name: value})
    assert (code, out, err) == (3, b"hi " + os.fsencode(value) + b"\n", b"")
    (task,) = stand.only()[1]
    assert task.output == [("stdout", "hi ***")]
    assert task.conditions[0]["message"] == "last output: hi ***"


def test_a_plan_that_cannot_be_masked_is_run_and_not_recorded(
    stand: Stand, capfd: pytest.CaptureFixture[str]
) -> None:
    labels = cast("dict[str, str]", cast("Any", {"key": 5}))
    plan = Plan("nightly", ["sh", "-c", "echo out; exit 3"], labels=labels)
    result = anyio.run(run_and_record, plan, lambda: Store(stand.path), OutputForwarder())
    assert (result.code, result.execution) == (3, None)
    told = "jobtrail: this is not recorded: its secrets cannot be masked (AttributeError)\n"
    assert capfd.readouterr() == ("out\n", told)
    assert not stand.path.exists()


def test_what_came_from_the_command_is_written_however_long_the_reader_takes(stand: Stand) -> None:
    with stand.start("--job", "nightly", "--", "head", "-c", "150000", "/dev/zero") as process:
        assert process.stdout is not None
        time.sleep(SLOW)
        assert len(process.stdout.read()) == 150_000
    assert process.returncode == 0
    execution, _ = stand.only()
    # As long as the command ran: what is left of its output fits into the pipes.
    assert execution["ended_at"] - execution["started_at"] < SLOW * NANOSECONDS


@pytest.mark.slow
@pytest.mark.parametrize("closes", [False, True], ids=["a reader that reads", "one that goes away"])
def test_an_output_that_does_not_block_is_waited_for(stand: Stand, *, closes: bool) -> None:
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    command = [*RECORD.split(), "--job", "nightly", "--", "head", "-c", "500000", "/dev/zero"]
    environ = {**os.environ, "JOBTRAIL_STORE": str(stand.path)}
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, env=environ) as process:
        os.close(theirs)
        with os.fdopen(ours, "rb") as reader:
            time.sleep(SLOW)
            if not closes:
                assert len(reader.read()) == 500_000
        _, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (128 + signal.SIGPIPE if closes else 0, b"")


@pytest.mark.slow
def test_a_signal_ends_a_recorder_whose_output_nobody_reads(stand: Stand) -> None:
    with stand.start("--job", "nightly", "--", "sh", "-c", "echo ready >&2; exec cat /dev/zero") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"ready\n"
        process.terminate()
        assert process.wait(SECONDS) == 128 + signal.SIGTERM
    assert stand.only()[0]["status"] == "cancelled"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_was_ignored_at_the_start_stays_so_for_the_recorder_and_its_command(
    stand: Stand, tmp_path: Path, number: signal.Signals
) -> None:
    name, gate = number.name.removeprefix("SIG"), tmp_path / "gate"
    script = f"echo ready; {hold(gate)}; kill -{name} $$; echo done"
    ignoring = ["/bin/sh", "-c", f"trap '' {name}; exec \"$@\"", "sh", *RECORD.split(), "--job", "nightly"]
    environ = {**os.environ, "JOBTRAIL_STORE": str(stand.path)}
    command = [*ignoring, "--", "sh", "-c", script]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        gate.touch()
        out, _ = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (0, b"done\n")
    assert stand.only()[0]["status"] == "succeeded"


@pytest.mark.slow
def test_a_recorder_whose_outer_execution_has_ended_records_one_of_its_own(stand: Stand, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    inner = f"{RECORD} --task late -- sh -c 'echo ran; {RECORD} --task inner -- true; exit 3'"
    script = f"({hold(gate)}; {inner}; echo $?) & exit 0"
    with stand.start("--job", "nightly", "--execution", "e1", "--", "sh", "-c", script) as process:
        assert process.wait(SECONDS) == 0
        gate.touch()
        out, err = process.communicate(timeout=SECONDS)
    first, second = stand.executions()
    assert (first, out) == ("e1", b"ran\n3\n")
    assert err.decode() == (
        "jobtrail: execution 'e1' has ended (succeeded) and takes no more tasks; this is recorded as one of its own, "
        f"{second}\n"
    )
    assert [one.name for one in stand.tasks(second, stand.executions()[second]["key"])] == ["late", "inner"]


def test_an_execution_of_the_environment_that_is_another_job_s_costs_no_command(stand: Stand) -> None:
    stand.record("--job", "nightly", "--execution", "e1", "--", "true")
    inherited = {"JOBTRAIL_JOB": "other", "JOBTRAIL_EXECUTION": "e1"}
    code, out, err = stand.record("--", "echo", "hi", **inherited)
    (own,) = stand.executions("other")
    assert (code, out) == (0, b"hi\n")
    assert err.decode() == (
        "jobtrail: execution 'e1' is one of job 'nightly', not of 'other'; this is recorded as one of its own, "
        f"{own}\n"
    )
    # What was typed is refused as before.
    assert stand.record("--execution", "e1", "--", "echo", "hi", **inherited)[:2] == (2, b"")


def test_a_child_that_the_command_leaves_behind_lives_and_its_output_passes_on(stand: Stand, tmp_path: Path) -> None:
    gate, mark = tmp_path / "gate", tmp_path / "mark"
    script = f"echo early; ({hold(gate)}; echo late; echo late >&2; echo late >{mark}) & exit 3"
    with stand.start("--job", "nightly", "--", "sh", "-c", script) as process:
        assert process.wait(SECONDS) == 3
        gate.touch()
        assert process.communicate(timeout=SECONDS) == (b"early\nlate\n", b"late\n")
    assert mark.read_text() == "late\n"
    assert stand.only()[1][0].output == [("stdout", "early")]


@pytest.mark.slow
def test_a_child_that_writes_all_the_time_does_not_hold_the_recorder(stand: Stand) -> None:
    script = "while :; do echo again; done & echo $! >&2; exit 3"
    with stand.start("--job", "nightly", "--", "sh", "-c", script) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        child = int(process.stderr.readline())
        while process.poll() is None:
            assert process.stdout.read(60) == b"again\n" * 10
        assert process.stdout.read(60) == b"again\n" * 10
        os.kill(child, signal.SIGKILL)
    assert process.returncode == 3


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("begun", [False, True], ids=["a store held from the start", "one held while it runs"])
def test_once_the_command_has_ended_a_signal_ends_the_wait_for_the_store(
    stand: Stand, tmp_path: Path, number: signal.Signals, *, begun: bool
) -> None:
    Store(stand.path).close()
    gate = tmp_path / "gate"
    script = f"echo ready; {hold(gate)}; exit 5"
    with closing(sqlite3.connect(stand.path, isolation_level=None)) as holder:
        if not begun:
            holder.execute("BEGIN EXCLUSIVE")
        with stand.start("--job", "nightly", "--", "sh", "-c", script) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == b"ready\n"
            if begun:
                holder.execute("BEGIN EXCLUSIVE")
            gate.touch()
            assert process.stderr.readline() == WAITING
            process.send_signal(number)
            assert process.wait(SECONDS) == 5
            what = "how this goes on is not recorded" if begun else "this is not recorded"
            told = f"jobtrail: {what}: a signal ended the wait for the store, which another process holds\n"
            assert process.stderr.read().decode() == told
    assert [*(stand.path.parent / "store.db-recorders").glob("*")] == []


@pytest.mark.parametrize("closed", ["1", "2", "1 2", "0 1 2"])
def test_a_stream_that_is_closed_at_the_start_gets_nothing_into_another(stand: Stand, closed: str) -> None:
    redirections = " ".join(f"{one}>&-" for one in closed.split())
    command = [*RECORD.split(), "--job", "nightly", "--", "sh", "-c", "echo out; echo err >&2; exit 3"]
    ended = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirections}', "sh", *command],
        env={**os.environ, "JOBTRAIL_STORE": str(stand.path)},
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    expected = {one: text for one, text in {"1": b"out\n", "2": b"err\n"}.items() if one not in closed}
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, expected.get("1", b""), expected.get("2", b""))
    assert sorted(stand.only()[1][0].output) == [("stderr", "err"), ("stdout", "out")]


def test_where_standard_error_is_closed_a_warning_is_not_written_to_standard_output(stand: Stand) -> None:
    command = [*RECORD.split(), "--job", "nightly", "--", "no-such-program-here"]
    ended = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" 2>&-', "sh", *command],
        env={**os.environ, "JOBTRAIL_STORE": str(stand.path)},
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (127, b"")


@pytest.mark.slow
def test_a_command_that_ended_in_time_while_the_recorder_was_stopped_has_not_timed_out(
    stand: Stand, tmp_path: Path
) -> None:
    gate, seconds = tmp_path / "gate", 5
    script = f"echo $$; {hold(gate)}; exit 4"
    with stand.start("--job", "nightly", "--timeout", f"{seconds}s", "--", "sh", "-c", script) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        gate.touch()
        # Past the timeout.
        time.sleep(seconds + 0.5)
        process.send_signal(signal.SIGCONT)
        assert process.wait(SECONDS) == 4
    assert stand.only()[1][0].reasons == ["exit code 4"]
