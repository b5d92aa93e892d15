"""Recorders as processes of their own, and what they left in a store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobtrail.store import Store
from jobtrail.store.store import PageQuery

if TYPE_CHECKING:
    from pathlib import Path


SECONDS = 60
EVERYTHING = PageQuery("createdAt", descending=False, limit=-1)


@dataclass(frozen=True)
class Task:
    """A task as it was recorded."""

    name: str
    status: str
    attempts: int
    conditions: list[dict[str, str]]
    output: list[tuple[str, str]]

    @property
    def reasons(self) -> list[str]:
        return [one["reason"] for one in self.conditions]


@dataclass(frozen=True)
class Stand:
    """A store's file, and recorders that write to it."""

    path: Path

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[bytes]:
        """Start `jobtrail record` with its output in pipes, away from this process's terminal and group."""
        return subprocess.Popen(
            [sys.executable, "-m", "jobtrail", "record", *arguments],
            env={**os.environ, "JOBTRAIL_STORE": str(self.path), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def record(self, *arguments: str, **environ: str) -> tuple[int, bytes, bytes]:
        """Run `jobtrail record` to its end: its exit code and its output."""
        with self.start(*arguments, **environ) as process:
            out, err = process.communicate(timeout=SECONDS)
        return process.returncode, out, err

    def let_signs_age(self) -> None:
        """Set back when recorders were last alive; one that was alive seconds ago is not given up."""
        for sign in self.path.with_name(f"{self.path.name}-recorders").iterdir():
            os.utime(sign, (0, 0))

    def executions(self, job: str = "nightly") -> dict[str, dict[str, Any]]:
        """Return the executions of a job, oldest first."""
        store = Store(self.path)
        rows = {
            row["id"]: {**dict(row), "spec": json.loads(row["body"])}
            for row in store.list_executions("default", job, EVERYTHING)
        }
        store.close()
        return rows

    def only(self, job: str = "nightly") -> tuple[dict[str, Any], list[Task]]:
        """Return the one execution of a job, and its tasks."""
        ((identity, row),) = self.executions(job).items()
        return row, self.tasks(identity, row["key"])

    def tasks(self, execution: str, key: int) -> list[Task]:
        """Return the tasks of an execution in their order."""
        store = Store(self.path)
        found = [
            Task(
                row["name"],
                row["status"],
                row["attempts"],
                json.loads(row["conditions"] or "[]"),
                [
                    (line["stream"], line["text"])
                    for line in reversed(store.list_output("default", execution, row["name"], 1000))
                ],
            )
            for row in store.iterate_tasks(key)
        ]
        store.close()
        return found
