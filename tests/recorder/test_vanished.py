"""Recorders that are killed: what they held is failed when somebody looks, and nothing of the others is lost."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import TYPE_CHECKING

import httpx2
import pytest

from jobtrail.plane import InProcessPlane
from jobtrail.store import Store
from jobtrail.store.recording import fail_vanished
from tests.plane.records import PAGED
from tests.recorder.recording import SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.recorder.recording import Stand

READY_AND_WAITING = ("sh", "-c", "echo ready; exec sleep 600")
RECORDERS, KILLED = 50, range(0, 50, 5)


@pytest.mark.anyio
async def test_a_killed_recorder_s_execution_is_shown_as_failed_with_the_reason(stand: Stand) -> None:
    with stand.start("--job", "nightly", "--execution", "e1", "--", "sh", "-c", "echo $$; exec sleep 600") as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.kill()
    os.kill(child, signal.SIGKILL)
    stand.let_signs_age()
    transport = httpx2.ASGITransport(InProcessPlane(stand.path))
    async with httpx2.AsyncClient(transport=transport, base_url="http://plane.invalid/v0", headers=PAGED) as client:
        body = (await client.get("/jobs/nightly/executions/e1")).json()
    assert body["status"] == "failed"
    (task,) = body["tasks"]
    assert (task["status"], task["conditions"][-1]["reason"]) == ("failed", "recorder vanished")
    assert "ended without saying how" in task["conditions"][-1]["message"]
    assert body["metadata"]["completedAt"] >= body["metadata"]["startedAt"]
    assert [*(stand.path.parent / "store.db-recorders").iterdir()] == []


def test_a_recorder_that_lives_is_left_alone(stand: Stand) -> None:
    with stand.start(
        "--job", "nightly", "--execution", "e1", "--", "sh", "-c", "echo ready; exec sleep 600"
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        store = Store(stand.path)
        assert fail_vanished(store) == 0
        assert stand.executions()["e1"]["status"] == "running"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert fail_vanished(store) == 0
        store.close()
    assert stand.executions()["e1"]["status"] == "cancelled"


def test_tasks_of_a_killed_fan_out_are_all_failed_and_so_is_the_execution(stand: Stand, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("0\n600\n600\n", encoding="utf-8")
    script = "test $0 = 0 || { echo $$; exec sleep $0; }"
    with stand.start("--job", "nightly", "--from", str(tmp_path / "in"), "--", "sh", "-c", script) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.kill()
    os.kill(child, signal.SIGKILL)
    stand.let_signs_age()
    store = Store(stand.path)
    assert (fail_vanished(store), fail_vanished(store)) == (1, 0)
    store.close()
    execution, tasks = stand.only()
    assert (execution["status"], execution["failure"], execution["running"]) == ("failed", 2, 0)
    assert [one.status for one in tasks] == ["succeeded", "failed", "failed"]
    assert "before the task began" in tasks[2].conditions[0]["message"]


@pytest.mark.slow
def test_of_50_recorders_at_once_some_of_them_killed_every_one_is_accounted_for(stand: Stand) -> None:
    started = [
        stand.start("--job", "nightly", "--execution", f"e{number}", "--", "sh", "-c", f"echo $$; {wait(number)}")
        for number in range(RECORDERS)
    ]
    children: dict[int, int] = {}
    for number, process in enumerate(started):
        assert process.stdout is not None
        children[number] = int(process.stdout.readline())
    for number in KILLED:
        started[number].kill()
        os.kill(children[number], signal.SIGKILL)
    for number, process in enumerate(started):
        process.communicate(timeout=SECONDS)
        if number not in KILLED:
            assert process.returncode == (7 if number % 2 else 0)
    stand.let_signs_age()
    store = Store(stand.path)
    assert fail_vanished(store) == len(KILLED)
    store.close()
    executions = stand.executions()
    assert set(executions) == {f"e{number}" for number in range(RECORDERS)}
    statuses = Counter(row["status"] for row in executions.values())
    failed = sum(number % 2 for number in range(RECORDERS) if number not in KILLED)
    assert statuses == {"failed": failed + len(KILLED), "succeeded": RECORDERS - len(KILLED) - failed}
    for number in KILLED:
        (task,) = stand.tasks(f"e{number}", executions[f"e{number}"]["key"])
        assert task.reasons == ["recorder vanished"]


def wait(number: int) -> str:
    """Return what a command does after its first line: those to be killed wait for it, the others end."""
    return "exec sleep 600" if number in KILLED else f"exit {7 if number % 2 else 0}"
