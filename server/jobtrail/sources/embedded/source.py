"""The embedded plane as one source: batch jobs and scheduled tasks, in-process over ASGI.

The whole path of the two HTTP clients is exercised, without a port.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx2

from jobtrail.errors import UnknownName
from jobtrail.models import Call, Job
from jobtrail.paging import EVERYTHING, Chain, Sort, Walk, walk
from jobtrail.sources.base import About, Source, unknown_name
from jobtrail.sources.blaxel.source import VERSION_HEADER, Blaxel
from jobtrail.sources.embedded.recorded_log import RecordedLog
from jobtrail.sources.http_client import open_http
from jobtrail.sources.list_options import ListOptions
from jobtrail.sources.runwisp.source import RunWisp
from jobtrail.text import quote_unless_word, quote_value
from jobtrail.vocabulary import UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from jobtrail.models import Attempt, JobDetail
    from jobtrail.paging import Listing
    from jobtrail.sources.embedded.registration import EmbeddedSettings
    from jobtrail.sources.http import Http
    from jobtrail.sources.http_client import SourceContext

# A reserved name (RFC 2606): it never leaves the process.
_PLANE_URL = "http://plane.invalid"
_LACKING = (
    "it was imported from a list of executions; import what GET /jobs/{jobId}/executions/{executionId} answers, "
    "which has its tasks"
)
_KINDS = {"job": "batch job", "task": "scheduled task", "service": "service"}


class Embedded(Source):
    """Both APIs of the plane behind one name.

    Args:
        batch: the client of the plane's batch jobs.
        scheduled: the client of its scheduled tasks.
        is_sample: whether the plane shows its sample.
        list_recorded: returns the ids of the executions that recorders of this machine run.
        close: ends the plane, after both clients are closed.
    """

    kind = "embedded"
    deployment_words = Blaxel.deployment_words
    job_sorts = Blaxel.job_sorts
    job_sort = Sort("name", descending=False)
    shortest_query = Blaxel.shortest_query
    cursor_life = Blaxel.cursor_life

    def __init__(
        self,
        name: str,
        fingerprint: str,
        batch: Http,
        scheduled: Http,
        is_sample: Callable[[], bool],
        list_recorded: Callable[[], Awaitable[frozenset[str]]],
        close: Callable[[], Awaitable[None]],
    ) -> None:
        self._blaxel = Blaxel(
            name, batch, fingerprint, explain=self.explain_unknown, wrap_log=RecordedLog, lacking=_LACKING
        )
        self._runwisp = RunWisp(name, scheduled, fingerprint, explain=self.explain_unknown, wrap_log=RecordedLog)
        super().__init__(name, fingerprint, batch=self._blaxel.batch, runs=self._runwisp.runs)
        self._is_sample = is_sample
        self._list_recorded = list_recorded
        self._close = close

    @property
    def sample(self) -> bool:
        """Whether the plane serves its sample workspace."""
        return self._is_sample()

    @property
    def fingerprint(self) -> str:
        """A text that changes when one's own store takes the sample's place."""
        return self._fingerprint if self.sample else f"{self._fingerprint}o"

    async def aclose(self) -> None:
        """Close both clients and the plane."""
        await self._blaxel.aclose()
        await self._runwisp.aclose()
        await self._close()

    async def about(self) -> About:
        """Return which APIs are spoken in-process; its clock is ours."""
        return About(f"{(await self._blaxel.about()).speaks} and {(await self._runwisp.about()).speaks}")

    def follows(self, job: Job) -> bool:
        """Return whether recorders tell how a job goes on: not so of what was imported."""
        return self.sample or (job.timetable is not None and job.timetable.recorded)

    async def explain_unfinished(self, attempts: Iterable[Attempt]) -> list[str]:
        """Return a note on attempts that were imported while they ran: nothing tells the store how they went on."""
        unfinished = [one for one in attempts if one.status in UNFINISHED]
        if not unfinished or self.sample:
            return []
        recorded = await self._list_recorded()
        stale = [quote_unless_word(one.id) for one in unfinished if one.id not in recorded]
        if not stale:
            return []
        named = ", ".join(stale[:3]) + (f" and {len(stale) - 3:,} more" if len(stale) > 3 else "")  # noqa: PLR2004
        return [f"{named}: shown as imported, before the end; a later import tells how it went on"]

    def jobs(self, options: ListOptions) -> Listing[Job]:
        """List batch jobs, then scheduled tasks; a deployment status or a time order has only the former."""
        batch = self._blaxel.jobs(options)
        if options.statuses or options.sort.key != "name":
            return batch
        return Chain({"batch": batch, "scheduled": self._runwisp.jobs(options)})

    async def find_job(self, name: str) -> JobDetail | None:
        """Return the batch job of that name, or the scheduled task."""
        return await self._blaxel.find_job(name) or await self._runwisp.find_job(name)

    async def explain_unknown(self, name: str) -> UnknownName:
        """Return the error for a name that is not of the kind asked for."""
        jobs = (await walk(self.jobs(ListOptions(sort=self.job_sort)), Walk[Job](limit=EVERYTHING))).items
        for job in jobs:
            if job.name == name:
                batch = job.kind == "job"
                call = Call("list_executions" if batch else "list_runs", {"job": name})
                return UnknownName(f"{quote_value(name)} is a {_KINDS[job.kind]}", advice=("call ", call))
        return unknown_name("job", name, [job.name for job in jobs])


def open_source(one: EmbeddedSettings, fingerprint: str, context: SourceContext) -> Embedded:
    """Open the plane in-process, over the store, or over the sample while that is empty."""
    from jobtrail.plane import InProcessPlane  # noqa: PLC0415 # only where this source is asked

    # A store that cannot be read is an error of this source, in its own words.
    plane = InProcessPlane(context.store, context.clock.now, raises=True)
    inside = replace(context, transport=httpx2.ASGITransport(plane))
    batch = open_http(one, f"{_PLANE_URL}/v0", inside, headers=VERSION_HEADER)
    scheduled = open_http(one, _PLANE_URL, inside)
    return Embedded(
        one.name, fingerprint, batch, scheduled, lambda: plane.shows_sample, plane.list_recorded, plane.aclose
    )
