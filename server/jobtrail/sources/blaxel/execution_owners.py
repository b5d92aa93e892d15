"""Finds the job of an execution by asking one job after another, since the API has no such lookup."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio

from jobtrail.errors import NotFound, UnknownName, Unreachable
from jobtrail.models import Call, Job
from jobtrail.paging import EVERYTHING, Walk, run_concurrently, walk
from jobtrail.sources.blaxel.response_models import WireExecution
from jobtrail.sources.responses import check_told, is_named, parse_fields, quote_name
from jobtrail.text import quote_value

if TYPE_CHECKING:
    from jobtrail.paging import Listing
    from jobtrail.sources.http import Http

_SECONDS = 20.0
_IN_A_GROUP = 40
_AT_ONCE = 8
_REMEMBERED = 2_000


class ExecutionOwners:
    """Finds the job of an execution by asking for it in one job after another."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._known: dict[str, str] = {}
        self._listed: dict[str, str] = {}

    def add_listed(self, execution: str, job: str) -> None:
        """Remember in which job's list an execution was: that job is asked first."""
        _remember(self._listed, execution, job)

    async def find_job(self, execution: str, jobs: Listing[Job]) -> str:
        """Return the job of an execution.

        Args:
            execution: its id.
            jobs: the jobs to look in.

        Raises:
            BadArgument: it cannot be an id.
            UnknownName: no job has it.
            Unreachable: not all jobs could be asked.
        """
        if known := self._known.get(execution):
            return known
        quote_name("execution", execution)
        listed = self._listed.get(execution)
        if listed is not None and await self._has_execution(listed, execution):
            _remember(self._known, execution, listed)
            return listed
        walked = await walk(jobs, Walk[Job](limit=EVERYTHING, subject=self._http.subject))
        names = [job.name for job in walked.items]
        whole = walked.position is None
        with anyio.move_on_after(_SECONDS) as bound:
            for first in range(0, len(names), _IN_A_GROUP):
                asked = await self._ask_jobs(execution, names[first : first + _IN_A_GROUP])
                if (found := next((name for name, there in asked.items() if there), None)) is not None:
                    _remember(self._known, execution, found)
                    return found
                whole = whole and None not in asked.values()
        if bound.cancelled_caught or not whole:
            raise Unreachable(
                f"has jobs that could not be asked for execution {quote_value(execution)}",
                subject=self._http.subject,
                advice=("say whose it is: ", Call("get_execution", {"job": ..., "execution": ...})),
                retryable=True,
            )
        raise UnknownName(
            f"has no execution {quote_value(execution)} in any of its {len(names):,} batch jobs",
            subject=self._http.subject,
            advice=(Call("list_executions", {"job": ...}), " shows those of a job"),
        )

    async def _ask_jobs(self, execution: str, names: list[str]) -> dict[str, bool | None]:
        """Return which of these jobs has it; None where that could not be found out."""
        lane = anyio.CapacityLimiter(_AT_ONCE)
        answers = await run_concurrently(
            {name: partial(self._has_execution, name, execution) for name in names}, lambda _name: lane
        )
        return {name: answer if isinstance(answer, bool) else None for name, answer in answers.items()}

    async def _has_execution(self, job: str, execution: str) -> bool:
        path = f"jobs/{quote_name('job', job)}/executions/{quote_name('execution', execution)}"
        try:
            wire = parse_fields(WireExecution, await self._http.get(path), self._http.subject)
        except NotFound:
            return False
        check_told("execution", execution, wire.metadata.id, self._http.subject)
        return is_named(job, wire.metadata.job)


def _remember(jobs: dict[str, str], execution: str, job: str) -> None:
    if len(jobs) >= _REMEMBERED and execution not in jobs:
        del jobs[next(iter(jobs))]
    jobs[execution] = job
