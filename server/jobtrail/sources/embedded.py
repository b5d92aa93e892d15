"""The embedded plane as one source: batch jobs and scheduled tasks, in-process over ASGI.

The whole path of the two HTTP clients is exercised, without a port.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobtrail.errors import UnknownName, shown
from jobtrail.models import Job
from jobtrail.paging import EVERYTHING, Chain, Walk, walk
from jobtrail.sources.base import About, Ask, Explained, FullExecution, Sort, Source, unknown_name
from jobtrail.sources.blaxel_wire import DEPLOYMENTS, EXECUTION_WORDS, TASK_WORDS
from jobtrail.sources.runwisp_wire import RUN_WORDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from jobtrail.models import Execution, JobDetail, LogTail, Run, Task
    from jobtrail.paging import Listing
    from jobtrail.sources.blaxel import Blaxel
    from jobtrail.sources.logs import Log
    from jobtrail.sources.runwisp import RunWisp

__all__ = ["Embedded"]

_KINDS = {"job": "batch job", "task": "scheduled task", "service": "service"}


class Embedded(Source):
    """Both APIs of the plane behind one name.

    Args:
        sample: whether the plane shows its sample.
        close: ends the plane, after both clients are closed.
    """

    kind = "embedded"
    has_executions = has_runs = True
    execution_words = EXECUTION_WORDS
    task_words = TASK_WORDS
    run_words = RUN_WORDS
    deployment_words = DEPLOYMENTS
    job_sorts = execution_sorts = task_sorts = ("created_at", "name")
    job_sort = Sort("name", descending=False)

    def __init__(
        self,
        name: str,
        blaxel: Blaxel,
        runwisp: RunWisp,
        sample: Callable[[], bool],
        close: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(name, blaxel.fingerprint)
        self._shows_sample = sample
        self._blaxel = blaxel
        self._runwisp = runwisp
        self._close = close
        self.run_sorts = runwisp.run_sorts
        self.cursor_life = blaxel.cursor_life

    @property
    def sample(self) -> bool:
        """Whether the plane serves its sample workspace."""
        return self._shows_sample()

    @property
    def fingerprint(self) -> str:
        """What changes when one's own store takes the sample's place."""
        return self._fingerprint if self.sample else f"{self._fingerprint}o"

    async def aclose(self) -> None:
        """Close both clients and the plane."""
        await self._blaxel.aclose()
        await self._runwisp.aclose()
        await self._close()

    async def about(self) -> About:
        """Return which APIs are spoken in-process; its clock is ours."""
        return About(f"{(await self._blaxel.about()).speaks} and {(await self._runwisp.about()).speaks}")

    def jobs(self, ask: Ask) -> Listing[Job]:
        """List batch jobs, then scheduled tasks; a deployment status or a time order has only the former."""
        batch = self._blaxel.jobs(ask)
        if ask.statuses or ask.sort.key != "name":
            return batch
        return Chain({"batch": batch, "scheduled": self._runwisp.jobs(ask)})

    async def job(self, name: str) -> JobDetail:
        """Return the batch job of that name, or the scheduled task."""
        try:
            return await self._blaxel.job(name)
        except UnknownName:
            pass
        try:
            return await self._runwisp.job(name)
        except UnknownName:
            raise await self._unknown(name, "job") from None

    async def check_job(self, name: str) -> None:
        """Raise unless one of the two has it."""
        await self.job(name)

    async def _unknown(self, name: str, what: str) -> UnknownName:
        """Return what to say of a name that is not of the kind asked for."""
        ask = Ask(sort=self.job_sort)
        jobs = (await walk(self.jobs(ask), Walk[Job](limit=EVERYTHING))).items
        for job in jobs:
            if job.name == name:
                call = f"list_executions(job={name!r})" if job.kind == "job" else f"list_runs(task={name!r})"
                return UnknownName(f"{shown(name)} is a {_KINDS[job.kind]}; call {call}")
        return UnknownName(unknown_name(what, name, [job.name for job in jobs], "list_jobs()"))

    def executions(self, job: str, ask: Ask) -> Listing[Execution]:
        """List executions of a batch job."""
        return Explained(self._blaxel.executions(job, ask), UnknownName, lambda: self._unknown(job, "job"))

    async def execution(self, job: str, execution: str) -> FullExecution:
        """Return one execution."""
        return await self._blaxel.execution(job, execution)

    async def owner(self, execution: str) -> str:
        """Return the job of an execution."""
        return await self._blaxel.owner(execution)

    def tasks(self, job: str, execution: str, ask: Ask) -> Listing[Task]:
        """List the tasks of an execution."""
        return self._blaxel.tasks(job, execution, ask)

    async def runs(self, task: str | None, ask: Ask) -> Listing[Run]:
        """List runs of a scheduled task."""
        if task:
            # A task that is none lists as empty, and the name may be a batch job's.
            try:
                await self._runwisp.check_job(task)
            except UnknownName:
                raise await self._unknown(task, "task") from None
        return await self._runwisp.runs(task, ask)

    async def run(self, run: str) -> Run:
        """Return one run."""
        return await self._runwisp.run(run)

    async def log_tail(self, run: str, lines: int) -> LogTail | None:
        """Return the tail of a log."""
        return await self._runwisp.log_tail(run, lines)

    async def run_log(self, run: str) -> Log:
        """Return the log of a run."""
        return await self._runwisp.run_log(run)

    async def task_log(
        self, job: str, execution: str, task: str | None, now: datetime, kept: tuple[int, ...] = ()
    ) -> Log:
        """Return the log of an execution, or of one of its tasks."""
        from jobtrail.sources.recorded_logs import RecordedLog  # noqa: PLC0415 # for logs alone

        return RecordedLog(await self._blaxel.task_log(job, execution, task, now, kept))
