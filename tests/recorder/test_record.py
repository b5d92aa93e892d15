"""`jobtrail record`: the command runs as it would without it, and how it went is in the store."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from jobtrail.store import Store
from tests.recorder.recording import SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.recorder.recording import Stand

PYTHON = sys.executable


def test_a_command_that_succeeds_is_one_execution_with_one_task(stand: Stand) -> None:
    code, out, err = stand.record("--job", "nightly", "--", "sh", "-c", "echo out; echo err >&2")
    assert (code, out, err) == (0, b"out\n", b"err\n")
    execution, (task,) = stand.only()
    assert (execution["status"], execution["total"], execution["success"]) == ("succeeded", 1, 1)
    assert (task.name, task.status, task.attempts, task.conditions) == ("task-0", "succeeded", 1, [])
    assert sorted(task.output) == [("stderr", "err"), ("stdout", "out")]
    assert execution["started_at"] <= execution["ended_at"]


def test_a_command_that_fails_says_its_exit_code_and_its_last_words(stand: Stand) -> None:
    code, _, _ = stand.record("--job", "nightly", "--", "sh", "-c", "echo 'psql: no route to host' >&2; exit 3")
    assert code == 3
    execution, (task,) = stand.only()
    assert execution["status"] == "failed"
    (condition,) = task.conditions
    assert condition["reason"] == "exit code 3"
    assert condition["message"] == "psql: no route to host"
    assert condition["executionReason"] == "attempt 1"


def test_a_signal_is_told_from_an_exit_code(stand: Stand) -> None:
    code, _, _ = stand.record("--job", "nightly", "--", "sh", "-c", "kill -SEGV $$")
    assert code == 128 + signal.SIGSEGV
    execution, (task,) = stand.only()
    assert (execution["status"], task.reasons) == ("failed", ["killed by SIGSEGV"])


def test_a_timeout_ends_the_command_and_all_it_started(stand: Stand, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    script = f"echo before; sleep 600 & echo $! > {mark}; wait"
    code, out, _ = stand.record("--job", "nightly", "--timeout", "0.5s", "--", "sh", "-c", script)
    assert (code, out) == (124, b"before\n")
    execution, (task,) = stand.only()
    assert (execution["status"], task.status, task.reasons) == ("timeout", "failed", ["timeout"])
    assert "longer than its 0.5 seconds" in task.conditions[0]["message"]
    assert "last output: before" in task.conditions[0]["message"]
    assert not is_running(int(mark.read_text()))


def is_running(pid: int) -> bool:
    """Return whether a process runs; one that waits to be reaped does not."""
    command = ["/bin/ps", "-o", "stat=", "-p", str(pid)]
    state = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


@pytest.mark.parametrize(
    ("command", "code", "reason", "said"),
    [
        (
            ["no-such-program-here"],
            127,
            "command not found",
            b"jobtrail: no-such-program-here: command not found\n",
        ),
        (["/"], 126, "command cannot run", b"jobtrail: /: cannot be run (permission denied)\n"),
        ([PYTHON, "-c", "import sys; sys.exit('Traceback of sorts')"], 1, "exit code 1", b"Traceback of sorts\n"),
    ],
)
def test_what_does_not_start_has_a_reason_of_its_own_and_says_so(
    stand: Stand, command: list[str], code: int, reason: str, said: bytes
) -> None:
    assert stand.record("--job", "nightly", "--", *command)[::2] == (code, said)
    assert stand.only()[1][0].reasons == [reason]


def test_a_script_without_its_interpreter_is_told_from_a_command_that_is_not_there(
    stand: Stand, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o700)
    code, _, err = stand.record("--job", "nightly", "--", str(script))
    assert (code, err) == (127, f"jobtrail: {script}: its interpreter is not there\n".encode())


def test_a_timeout_is_told_to_whoever_waits(stand: Stand) -> None:
    code, _, err = stand.record("--job", "nightly", "--timeout", "0.5s", "--", "sleep", "600")
    assert (code, err) == (124, b"jobtrail: timed out after 500ms and was ended\n")


def test_each_failed_try_is_a_condition(stand: Stand, tmp_path: Path) -> None:
    count = tmp_path / "count"
    script = f"echo x >> {count}; test $(wc -l < {count}) -gt 2"
    code, _, _ = stand.record("--job", "nightly", "--retries", "5", "--retry-delay", "0s", "--", "sh", "-c", script)
    assert code == 0
    execution, (task,) = stand.only()
    assert (execution["status"], execution["retried"], task.attempts) == ("succeeded", 1, 3)
    assert [one["executionReason"] for one in task.conditions] == ["attempt 1", "attempt 2"]


def test_retries_that_do_not_help_end_in_the_last_failure(stand: Stand) -> None:
    arguments = ("--retries", "2", "--retry-delay", "0s", "--", "sh", "-c", "echo again; exit 9")
    code, out, _ = stand.record("--job", "nightly", *arguments)
    assert (code, out) == (9, b"again\n" * 3)
    execution, (task,) = stand.only()
    assert (execution["status"], task.attempts, task.reasons) == ("failed", 3, ["exit code 9"] * 3)
    assert task.output == [("stdout", "again")] * 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_recorder_that_is_told_to_stop_stops_its_command_and_records_it_as_cancelled(
    stand: Stand, number: signal.Signals
) -> None:
    with stand.start("--job", "nightly", "--", "sh", "-c", "echo ready; exec sleep 600") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        process.communicate(timeout=30)
    assert process.returncode == 128 + number
    execution, (task,) = stand.only()
    assert (execution["status"], task.status, task.reasons) == ("cancelled", "cancelled", ["cancelled"])
    assert task.conditions[0]["message"] == f"by {number.name}"


def test_a_command_that_ignores_the_signal_is_killed_by_the_second(stand: Stand) -> None:
    script = "trap '' INT; echo ready; while true; do sleep 0.1; done"
    with stand.start("--job", "nightly", "--", "sh", "-c", script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        # The first has been heard once the second is: both are queued in order.
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=8)
    assert stand.only()[0]["status"] == "cancelled"


def test_output_passes_through_untouched(stand: Stand) -> None:
    script = "import os,sys; os.write(1, bytes(range(256)) * 4096); os.write(2, b'\\xff\\0 no newline')"
    code, out, err = stand.record("--job", "nightly", "--", PYTHON, "-c", script)
    assert (code, out, err) == (0, bytes(range(256)) * 4096, b"\xff\0 no newline")


def test_a_reader_that_has_enough_ends_the_command_as_it_would_without_us(stand: Stand) -> None:
    with stand.start("--job", "nightly", "--", "sh", "-c", "exec yes") as process:
        assert process.stdout is not None
        assert process.stdout.read(4) == b"y\ny\n"
        process.stdout.close()
        assert process.wait(timeout=30) == 128 + signal.SIGPIPE
    assert stand.only()[1][0].reasons == ["killed by SIGPIPE"]


def test_a_child_left_behind_does_not_hold_the_recorder(stand: Stand) -> None:
    with stand.start("--job", "nightly", "--", "sh", "-c", "sleep 600 & echo $!") as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert process.wait(SECONDS) == 0
        os.kill(pid, signal.SIGKILL)
    assert stand.only()[0]["status"] == "succeeded"


def test_standard_input_reaches_the_command(stand: Stand, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"from the pipe")
    command = f"{PYTHON} -m jobtrail record --job nightly -- cat < {tmp_path / 'in'}"
    environ = {**os.environ, "JOBTRAIL_STORE": str(stand.path)}
    ended = subprocess.run(["/bin/sh", "-c", command], env=environ, capture_output=True, check=True)
    assert ended.stdout == b"from the pipe"


def test_secrets_of_the_environment_are_passed_through_but_not_recorded(stand: Stand) -> None:
    script = "echo key=$MY_API_KEY; echo url=$DB_URL >&2; exit 1"
    environ = {"MY_API_KEY": "k3y-of-this-test", "DB_URL": "postgres://app:p4ss-of-this-test@db/app"}
    _, out, _ = stand.record("--job", "nightly", "--", "sh", "-c", script, **environ)
    assert out == b"key=k3y-of-this-test\n"
    (task,) = stand.only()[1]
    assert sorted(task.output) == [("stderr", "url=postgres://app:***@db/app"), ("stdout", "key=***")]
    assert task.conditions[0]["message"] == "url=postgres://app:***@db/app"
    assert_not_stored(stand, "-of-this-test")


def test_a_secret_is_not_recorded_in_a_title_a_task_s_name_a_label_or_between_colours(
    stand: Stand, tmp_path: Path
) -> None:
    secret = "k3y-of-this-test"
    script = f"printf '\\033[31m{secret[:5]}\\033[0m{secret[5:]}\\n'; exit 1"
    stand.record("--job", "nightly", "--label", f"key={secret}", "--", "sh", "-c", script, MY_API_KEY=secret)
    stand.record("--job", "titled", "--task", f"with {secret}", "--", "echo", secret, MY_API_KEY=secret)
    (tmp_path / "lines").write_text(f"{secret}\n", encoding="utf-8")
    stand.record("--job", "fanned", "--from", str(tmp_path / "lines"), "--", "echo", MY_API_KEY=secret)
    assert stand.only()[1][0].output == [("stdout", "***")]
    assert [one.name for one in stand.only("titled")[1]] == ["with ***"]
    assert [one.name for one in stand.only("fanned")[1]] == ["***"]
    assert_not_stored(stand, secret)


@pytest.mark.parametrize(
    ("words", "title"),
    [
        (["true", "postgres://u:PW-of-this@h"], "true 'postgres://u:***@h'"),
        (["env", "API_TOKEN=PW-of-this", "true"], "env 'API_TOKEN=***' true"),
        (["true", "https://h/?token=PW-of-this"], "true 'https://h/?token=***'"),
        (["true", "postgres://u:PW-of-this@x/y@h/db"], "true 'postgres://u:***@h/db'"),
    ],
)
def test_a_secret_on_the_command_line_is_in_no_title(stand: Stand, words: list[str], title: str) -> None:
    assert stand.record("--job", "nightly", "--", *words)[0] == 0
    store = Store(stand.path)
    row = store.find_job("default", "nightly")
    store.close()
    assert row is not None
    assert json.loads(row["body"])["metadata"]["displayName"] == title
    assert_not_stored(stand, "PW-of-this")


def test_a_secret_is_not_recorded_in_the_name_of_a_job_or_an_execution_nor_in_a_label_s_key(stand: Stand) -> None:
    secret = "k3y-of-this-test"
    inner = f"{PYTHON} -m jobtrail record --task inner -- true"
    options = (
        "--job",
        f"job-{secret}",
        "--execution",
        f"run-{secret}",
        "--label",
        f"{secret}=x",
        "--label",
        "jwt=a.b.c",
    )
    code, _, err = stand.record(*options, "--", "sh", "-c", inner, DB_KEYS=f"other-one,{secret}")
    assert (code, err) == (0, b"")
    ((execution, row),) = stand.executions("job-masked").items()
    assert execution == "run-masked"
    assert [one.name for one in stand.tasks(execution, row["key"])] == ["task-0", "inner"]
    assert_not_stored(stand, secret)
    assert_not_stored(stand, "a.b.c")


def assert_not_stored(stand: Stand, secret: str) -> None:
    for file in stand.path.parent.rglob("store.db*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes()


def test_a_word_that_a_variable_of_no_secret_holds_stays_in_the_output(stand: Stand) -> None:
    environ = {"AUTHOR": "production", "COMPASS_MODE": "northern", "TOKENIZERS_PARALLELISM": "sometimes"}
    stand.record("--job", "nightly", "--", "echo", *environ.values(), **environ)
    assert stand.only()[1][0].output == [("stdout", "production northern sometimes")]


def test_a_retry_of_the_outer_command_records_its_own_tasks_again(stand: Stand) -> None:
    script = f"{PYTHON} -m jobtrail record --task load -- false"
    code, _, err = stand.record("--job", "nightly", "--retries", "1", "--retry-delay", "0s", "--", "sh", "-c", script)
    assert (code, err) == (1, b"")
    assert [one.name for one in stand.only()[1]] == ["task-0", "load", "load #2"]


def test_the_job_is_titled_by_the_command_without_its_options_and_labelled(stand: Stand) -> None:
    stand.record("--job", "nightly", "--label", "team=data", "--", "true", "--password", "hunter2")
    stand.record("--job", "nightly", "--label", "env=prod", "--", "true")
    store = Store(stand.path)
    row = store.find_job("default", "nightly")
    store.close()
    assert row is not None
    assert '"displayName":"true","labels":{"team":"data","env":"prod"}' in row["body"]
    assert "hunter2" not in row["body"]


def test_a_recorder_inside_another_adds_a_task_to_the_same_execution(stand: Stand) -> None:
    inner = f"{PYTHON} -m jobtrail record"
    script = f"{inner} --task extract -- true && {inner} --task load -- sh -c 'exit 4'; echo after"
    code, out, err = stand.record("--job", "nightly", "--", "sh", "-c", script)
    assert (code, out, err) == (0, b"after\n", b"")
    execution, tasks = stand.only()
    assert {one.name: one.status for one in tasks} == {
        "task-0": "succeeded",
        "extract": "succeeded",
        "load": "failed",
    }
    assert (execution["status"], execution["total"]) == ("failed", 3)


def test_an_execution_that_is_named_is_made_and_joined_while_it_is_open(stand: Stand) -> None:
    with stand.start("--job", "nightly", "--execution", "e1", "--", "sh", "-c", "echo ready; read line") as first:
        assert first.stdout is not None
        first.stdout.readline()
        # `read` ends at once: there is no standard input, so the first may be over already.
        first.wait(timeout=30)
    code, _, err = stand.record("--job", "nightly", "--execution", "e1", "--", "true")
    assert (code, err.count(b"\n")) == (2, 1)
    assert b"execution 'e1' has ended (failed) and takes no more tasks; leave --execution out for a new one" in err
    with stand.start(
        "--job", "nightly", "--execution", "e2", "--", "sh", "-c", "echo ready; exec sleep 600"
    ) as first:
        assert first.stdout is not None
        first.stdout.readline()
        assert stand.record("--job", "nightly", "--execution", "e2", "--task", "b", "--", "true")[0] == 0
        assert stand.executions()["e2"]["status"] == "running"
        assert stand.record("--job", "nightly", "--execution", "e2", "--task", "b", "--", "true")[0] == 0
        code, _, err = stand.record("--job", "other", "--execution", "e2", "--", "true")
        assert (code, b"execution 'e2' is one of job 'nightly', not of 'other'" in err) == (2, True)
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=30)
    row = stand.executions()["e2"]
    assert (row["status"], [one.name for one in stand.tasks("e2", row["key"])]) == (
        "cancelled", ["task-0", "b", "b #2"],
    )  # fmt: skip


def test_a_store_that_cannot_be_written_costs_the_record_and_not_the_command(tmp_path: Path, stand: Stand) -> None:
    (tmp_path / "file").write_text("in the way")
    code, out, err = stand.record(
        "--job", "nightly", "--", "sh", "-c", "echo done; exit 5", JOBTRAIL_STORE=str(tmp_path / "file" / "store.db")
    )
    assert (code, out) == (5, b"done\n")
    assert err.startswith(b"jobtrail: this is not recorded: the store ")
    assert err.count(b"\n") == 1


def test_a_store_that_is_damaged_while_tasks_run_costs_the_record_and_no_task(stand: Stand, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("1\n2\n3\n4\n", encoding="utf-8")
    script = (
        f"head -c 400000 /dev/urandom > {stand.path}; : > {stand.path}-wal;"
        f" head -c 200 /dev/zero | dd of={stand.path}-shm conv=notrunc status=none;"
        f" echo {{}} >> {tmp_path / 'ran'}; exit 3"
    )
    code, _, err = stand.record(
        "--job", "nightly", "--from", str(tmp_path / "in"), "--parallel", "2", "--", "sh", "-c", script
    )
    assert (code, sorted((tmp_path / "ran").read_text().split())) == (1, ["1", "2", "3", "4"])
    assert err.count(b"recorded: ") == 1
    assert b"Traceback" not in err


def test_without_a_place_for_a_store_the_command_runs(stand: Stand) -> None:
    code, out, err = stand.record(
        "--job", "nightly", "--", "sh", "-c", "echo done; exit 5", JOBTRAIL_STORE="~no-such-user/store.db"
    )
    assert (code, out, err.count(b"\n")) == (5, b"done\n", 1)
    assert b"this is not recorded: there is no home directory for the store" in err


@pytest.mark.parametrize("new", [True, False], ids=["a new execution", "one that is named"])
def test_a_locked_store_keeps_no_command_waiting_and_gets_its_record_afterwards(stand: Stand, *, new: bool) -> None:
    Store(stand.path).close()
    holder = sqlite3.connect(stand.path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    named = () if new else ("--execution", "e1")
    with stand.start("--job", "nightly", *named, "--", "sh", "-c", "echo done; exit 5") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"done\n"
        # Two seconds by itself; the rest is what this machine does besides.
        assert time.monotonic() - began < 15
        waiting = b"jobtrail: waiting for the store, which another process holds, to record how it went\n"
        assert process.stderr.readline() == waiting
        released = time.time_ns()
        holder.execute("ROLLBACK")
        holder.close()
        assert (process.wait(SECONDS), process.stderr.read()) == (5, b"")
    execution, (task,) = stand.only()
    assert (execution["status"], task.status, task.output) == ("failed", "failed", [("stdout", "done")])
    # As it was, not as it was written.
    assert execution["ended_at"] < released


def test_an_execution_that_cannot_be_joined_is_only_known_to_be_so_when_the_store_is_let_go_of(stand: Stand) -> None:
    assert stand.record("--job", "nightly", "--execution", "e1", "--", "true")[0] == 0
    holder = sqlite3.connect(stand.path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with stand.start("--job", "nightly", "--execution", "e1", "--", "sh", "-c", "echo done; read line") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
        holder.close()
        _, err = process.communicate(timeout=SECONDS)
    assert b"jobtrail: this is not recorded: execution 'e1' has ended (succeeded)" in err
    assert len(stand.tasks("e1", stand.executions()["e1"]["key"])) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--", "true"), "record needs --job NAME"),
        (("--job", "nightly"), "record needs a command after --"),
        (("--job", "nightly", "--"), "record needs a command after --"),
        (("--job", "a b", "--", "true"), "'a b' cannot be a name"),
        (("--job", "nightly", "--timeout", "soon", "--", "true"), "'soon' is not a length of time; give one such as"),
        (("--job", "nightly", "--timeout", "0s", "--", "true"), "'0s' is no time at all; give one such as"),
        (("--job", "nightly", "--retries", "-1", "--", "true"), "'-1' is not a whole number from 0 to 1000"),
        (("--job", "nightly", "--label", "x", "--", "true"), "'x' is not a label; give key=value"),
        (("--job", "nightly", "--parallel", "2", "--", "true"), "--parallel needs --from FILE"),
        (("--job", "nightly", "--from", "/nowhere", "--", "true"), "--from /nowhere cannot be read (No such file"),
        (("--job", "nightly", "--from", "/dev/null", "--", "true"), "has no lines, so there is nothing to run"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_written(
    stand: Stand, arguments: tuple[str, ...], sentence: str
) -> None:
    code, out, err = stand.record(*arguments)
    assert (code, out) == (2, b"")
    assert sentence in err.decode()
    assert not stand.path.exists()


@pytest.mark.parametrize("variable", ["JOBTRAIL_JOB", "JOBTRAIL_EXECUTION"])
@pytest.mark.parametrize("name", ["a/b", "..", "a b", "é"])
def test_a_name_from_the_environment_is_checked_like_an_option(stand: Stand, variable: str, name: str) -> None:
    code, out, err = stand.record("--", "true", **{"JOBTRAIL_JOB": "nightly", variable: name})
    assert (code, out) == (2, b"")
    assert f"{variable}: {name!r} cannot be a name; give 1 to 100 letters" in err.decode()
    assert not stand.path.exists()
