"""`jobtrail record` where its own output cannot be written: said once, and the command is recorded to its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.recorder.recording import Stand

FULL = Path("/dev/full")
SCRIPT = "for i in 1 2 3; do echo line $i; sleep 0.05; done; echo last; exit 3"

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


@pytest.mark.parametrize("several", [False, True])
def test_output_that_no_device_takes_is_told_once_and_recorded_whole(stand: Stand, *, several: bool) -> None:
    options = ["--from", "-"] if several else []
    with FULL.open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "jobtrail", "record", "--job", "nightly", *options, "--", "sh", "-c", SCRIPT],
            env={**os.environ, "JOBTRAIL_STORE": str(stand.path)},
            input=b"one\n" if several else b"",
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 3
    told = ended.stderr.decode().splitlines()
    assert told[0] == (
        "jobtrail: standard output cannot be written (No space left on device); the command runs on, its output "
        "is not shown"
    )
    assert len(told) == (2 if several else 1)
    _, (task,) = stand.only()
    assert (task.status, task.reasons) == ("failed", ["exit code 3"])
    assert [text for _, text in task.output] == ["line 1", "line 2", "line 3", "last"]


@pytest.mark.parametrize("several", [False, True])
def test_where_not_even_the_warning_can_be_written_the_command_is_recorded_all_the_same(
    stand: Stand, *, several: bool
) -> None:
    options = ["--from", "-"] if several else []
    command = ["sh", "-c", "echo a; echo b >&2; exit 3"]
    with FULL.open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "jobtrail", "record", "--job", "nightly", *options, "--", *command],
            env={**os.environ, "JOBTRAIL_STORE": str(stand.path)},
            input=b"one\n" if several else b"",
            stdout=full,
            stderr=full,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 3
    _, (task,) = stand.only()
    assert sorted(text for _, text in task.output) == ["a", "b"]
