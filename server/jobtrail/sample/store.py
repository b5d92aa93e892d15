"""The sample workspace as a store in memory, which is written as far as it is read.

Every execution and run has its time on an endless schedule, and everything about it follows from a hash of its job
and that time. So a later process makes the same history and what has happened since: ids, times and messages of the
past stay the same, and a cursor survives a restart.
"""

from __future__ import annotations

import hashlib
from itertools import count
from typing import TYPE_CHECKING

from jobtrail.sample.batch_job_definitions import SAMPLE_JOBS
from jobtrail.sample.execution_rows import build_execution, build_job, list_output, list_tasks
from jobtrail.sample.executions import plan_execution
from jobtrail.sample.runs import build_definition, plan_runs
from jobtrail.sample.schedule import list_times, to_microseconds
from jobtrail.sample.scheduled_task_definitions import SAMPLE_TASKS
from jobtrail.store.bulk import ExecutionValues, LineValues, TaskValues, insert_values, stop_counting_tasks
from jobtrail.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from sqlite3 import Row

    from jobtrail.sample.batch_job_definitions import SampleJob
    from jobtrail.sample.runs import PlannedRun
    from jobtrail.store.store import PageQuery


class SampleStore(Store):
    """The sample workspace at one moment.

    Jobs and definitions are there from the beginning. The executions of a job, and all runs, are written when they
    are first read; the tasks and the output of each when it is looked into.

    Args:
        now: the moment.
    """

    def __init__(self, now: datetime) -> None:
        super().__init__(None)
        self._now = now
        self._until = to_microseconds(now)
        self._keys = count(1)
        # What is not written yet: executions of jobs, tasks and output of executions, runs, output of runs.
        self._jobs = {job.name: job for job in SAMPLE_JOBS}
        self._executions: dict[int, tuple[SampleJob, datetime]] = {}
        self._without_runs = True
        self._runs: dict[str, PlannedRun] = {}
        stop_counting_tasks(self)
        self.write_meta("sample", "1")
        # No secret, so that a cursor of the sample goes on after a restart.
        self.write_meta("cursor_key", hashlib.sha256(b"sample").hexdigest())
        self.write(build_job(job) for job in SAMPLE_JOBS)
        self.write(build_definition(task, now) for task in SAMPLE_TASKS)

    def list_executions(self, workspace: str, job: str, query: PageQuery) -> list[Row]:
        """Return a page of executions of a job."""
        self._write_executions(job)
        return super().list_executions(workspace, job, query)

    def find_execution(self, workspace: str, job: str, identity: str) -> Row | None:
        """Return one execution."""
        self._write_executions(job)
        return super().find_execution(workspace, job, identity)

    def count_executions(self, workspace: str, job: str) -> int:
        """Return how many executions a job has."""
        self._write_executions(job)
        return super().count_executions(workspace, job)

    def list_tasks(self, execution: int, query: PageQuery) -> list[Row]:
        """Return a page of tasks of an execution."""
        self._write_tasks(execution)
        return super().list_tasks(execution, query)

    def find_run(self, identity: str) -> Row | None:
        """Return one run."""
        self.prepare_runs()
        return super().find_run(identity)

    def prepare_output(self, job: str, execution: str) -> None:
        """Write what tasks of an execution printed, or of all executions of a job."""
        self._write_executions(job)
        if execution:
            found = self.find_execution(self.workspace, job, execution)
            keys = [found["key"]] if found is not None else []
        else:
            with self._lock:
                keys = [key for key, (one, _) in self._executions.items() if one.name == job]
        for key in keys:
            self._write_tasks(key)

    def prepare_runs(self) -> None:
        """Write the runs, which tie in the order of their tasks."""
        with self._lock:
            if self._without_runs:
                runs = [run for task in SAMPLE_TASKS for run in plan_runs(task, self._now)]
                self.write(run.build_row(self._until) for run in runs)
                self._runs = {run.id: run for run in runs}
                self._without_runs = False

    def prepare_log(self, run: str) -> None:
        """Write what a run printed."""
        with self._lock:
            self.prepare_runs()
            planned = self._runs.pop(run, None)
            if planned is not None:
                insert_values(self, LineValues, planned.list_output(self.workspace, self._until))

    def _write_executions(self, name: str) -> None:
        with self._lock:
            job = self._jobs.pop(name, None)
            if job is not None:
                insert_values(self, ExecutionValues, self._list_executions(job))

    def _list_executions(self, job: SampleJob) -> Iterator[ExecutionValues]:
        for at in list_times(job.every, job.at, job.keep, self._now):
            key = next(self._keys)
            self._executions[key] = job, at
            yield build_execution(key, self.workspace, job.name, plan_execution(job, at, self._until))

    def _write_tasks(self, key: int) -> None:
        with self._lock:
            execution = self._executions.pop(key, None)
            if execution is not None:
                plan = plan_execution(*execution, self._until)
                insert_values(self, TaskValues, list_tasks(key, plan))
                insert_values(self, LineValues, list_output(self.workspace, plan))
