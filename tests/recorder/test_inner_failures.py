"""A recorder within a recorded command: what failed there is one cause, of which the outer task says where it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.recorder.recording import SECONDS

if TYPE_CHECKING:
    from tests.recorder.recording import Stand

RECORD = f"{sys.executable} -m jobtrail record"
MANY = f"printf 'a\\nb\\n' | {RECORD} --from - -- sh -c 'echo \"bad input\" >&2; exit 1'"


def record_script(stand: Stand, script: str, *options: str) -> list[list[str]]:
    """Record a script that fails, and return the reasons of each task."""
    code, _, _ = stand.record("--job", "nightly", *options, "--", "sh", "-c", script)
    assert code != 0
    return [one.reasons for one in stand.only()[1]]


def ask(stand: Stand, *arguments: str) -> dict[str, Any]:
    """Return the structured answer of a tool over the store."""
    command = [sys.executable, "-m", "jobtrail", "ask", *arguments, "--json"]
    environ = {**os.environ, "JOBTRAIL_STORE": str(stand.path)}
    found = subprocess.run(command, env=environ, capture_output=True, timeout=SECONDS, check=True)
    return json.loads(found.stdout)


@pytest.mark.slow
def test_a_command_that_fails_with_the_task_within_it_is_no_second_cause(stand: Stand) -> None:
    record_script(stand, f"echo starting >&2; {RECORD} --task step -- sh -c 'echo no route >&2; exit 3' || exit 1")
    detail = ask(stand, "get_execution", "job=nightly")
    assert detail["verdict"] == (
        "failed: of 2 tasks 0 succeeded, 2 failed, 0 running, 0 cancelled; "
        "1 of the failed has the cause of a task within"
    )
    assert [(one["example"], one["count"], one["tasks"]) for one in detail["failures"]] == [
        ("exit code 3: no route", 1, ["step"])
    ]
    assert detail["execution"]["failed"] == 2
    assert "task='step'" in detail["next_calls"][-1]
    tasks = ask(stand, "list_tasks", "job=nightly")["items"]
    assert {one["name"]: one["reason"] for one in tasks} == {
        "step": "exit code 3: no route",
        "task-0": "exit code 1 after its task step failed: exit code 3: no route",
    }
    (cause,) = ask(stand, "find_failures")["causes"]
    assert (cause["cause"], cause["count"]) == ("exit code 3: no route", 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (f"{RECORD} --task step -- false", "exit code 1 after its task step failed"),
        (f"{RECORD} --task step -- no-such-program", "exit code 127 after its task step failed"),
        (f"{RECORD} --task step --timeout 0.2s -- sleep 60", "exit code 124 after its task step failed"),
        (MANY, "exit code 1 after its task b failed"),
        (f"{RECORD} --task step -- false; kill -9 $$", "killed by SIGKILL after its task step failed"),
        (f"{RECORD} --task step -- {RECORD} --task deep -- false", "exit code 1 after its task step failed"),
    ],
    ids=["a code", "no program", "a timeout", "several", "a signal", "two levels"],
)
def test_however_a_task_within_fails_the_outer_one_names_it(stand: Stand, script: str, reason: str) -> None:
    assert record_script(stand, script)[0] == [reason]
    failures = ask(stand, "get_execution", "job=nightly")["failures"]
    assert "task-0" not in [name for one in failures for name in one["tasks"]]


def test_words_of_its_own_are_a_cause_of_its_own(stand: Stand) -> None:
    script = f"{RECORD} --task step -- false; echo 'disk full' >&2; exit 2"
    assert record_script(stand, script) == [["exit code 2 (after its task step failed)"], ["exit code 1"]]
    detail = ask(stand, "get_execution", "job=nightly")
    assert sorted(one["example"] for one in detail["failures"]) == [
        "exit code 1",
        "exit code 2 (after its task step failed): disk full",
    ]
    assert detail["verdict"].endswith("0 cancelled")


def test_each_try_names_what_failed_within_it(stand: Stand) -> None:
    reasons = record_script(stand, f"{RECORD} --task step -- false", "--retries", "1", "--retry-delay", "0.01s")
    assert reasons[0][-1] == "exit code 1 after its task step #2 failed"


def test_a_try_is_not_told_what_failed_in_an_earlier_one(stand: Stand) -> None:
    script = f'test -e "$MARK" && exit 5; touch "$MARK"; {RECORD} --task step -- false'
    mark = str(stand.path.with_name("mark"))
    options = ("--job", "nightly", "--retries", "1", "--retry-delay", "0.01s")
    assert stand.record(*options, "--", "sh", "-c", script, MARK=mark)[0] == 5
    assert [one.reasons[-1] for one in stand.only()[1]] == ["exit code 5", "exit code 1"]


def test_one_of_several_tasks_is_told_only_of_what_it_ran(stand: Stand) -> None:
    lines = stand.path.parent.with_name("lines")
    lines.write_text("good\nbad\n")
    script = f'test "$1" = good && exit 7; {RECORD} --task step -- false'
    options = ("--job", "nightly", "--from", str(lines), "--parallel", "2")
    assert stand.record(*options, "--", "sh", "-c", script, "sh")[0] == 1
    assert {one.name: one.reasons for one in stand.only()[1]} == {
        "good": ["exit code 7"],
        "bad": ["exit code 1 after its task step failed"],
        "step": ["exit code 1"],
    }


@pytest.mark.parametrize("outer", ["nobody", "task-0", "\udcff", "a\nb"])
def test_an_outer_task_that_is_none_costs_no_record(stand: Stand, outer: str) -> None:
    script = f"{RECORD} --task step -- false || true"
    environ = {"JOBTRAIL_OUTER_TASK": outer, "JOBTRAIL_EXECUTION": "e1", "JOBTRAIL_JOB": "nightly"}
    assert stand.record("--", "sh", "-c", script, **environ)[0] == 0
    assert [(one.name, one.status) for one in stand.only()[1]] == [("task-0", "succeeded"), ("step", "failed")]
