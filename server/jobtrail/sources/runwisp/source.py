"""Connects to a RunWisp daemon as a source, in either dialect, and reads its definitions.

Contract: the seed document runwisp-list-task-runs.txt (about 0.4) and the daemon's own spec (1.0.1).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx2

from jobtrail.errors import BadArgument, UnknownName
from jobtrail.models import Call
from jobtrail.paging import CountedPage, OffsetListing, Traits
from jobtrail.sources.auth import Bearer
from jobtrail.sources.base import About, Scheduling, Source, unknown_name
from jobtrail.sources.http_client import open_http
from jobtrail.sources.runwisp.daemon import Daemon
from jobtrail.sources.runwisp.login import RunWispLogin
from jobtrail.sources.runwisp.registration import DEFAULT_URL
from jobtrail.sources.runwisp.run_listings import RunWispRuns
from jobtrail.text import quote_unless_word, sanitize_text
from jobtrail.times import parse_optional_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import timedelta

    from jobtrail.logs.log import Log
    from jobtrail.models import Job, JobDetail
    from jobtrail.paging import Listing
    from jobtrail.sources.http import Http
    from jobtrail.sources.http_client import SourceContext
    from jobtrail.sources.list_options import ListOptions
    from jobtrail.sources.runwisp.registration import RunWispSettings

# A reserved name (RFC 2606): it never leaves the process.
_SOCKET_URL = "http://runwisp.invalid"
_EVERY_DEFINITION = 1_000_000
_MOST_WARNINGS = 3


class RunWisp(Source):
    """A RunWisp daemon.

    Args:
        explain: returns the error for a task that does not exist, where this source alone cannot tell.
        wrap_log: adds to a log what is known of it elsewhere.
    """

    kind = "runwisp"

    def __init__(
        self,
        name: str,
        http: Http,
        fingerprint: str,
        *,
        explain: Callable[[str], Awaitable[UnknownName]] | None = None,
        wrap_log: Callable[[Log], Log] = lambda log: log,
    ) -> None:
        self._http = http
        self._daemon = Daemon(http)
        super().__init__(
            name,
            fingerprint,
            runs=RunWispRuns(self._daemon, explain or self.explain_unknown, wrap_log),
        )

    @property
    def sample(self) -> bool:
        """Whether the last answer was marked as sample data."""
        return self._http.sample

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.client.aclose()

    @property
    def lead(self) -> timedelta:
        """How far the daemon's clock is ahead of ours."""
        return self._http.lead

    async def measure_clock(self) -> None:
        """Look the dialect up, which is due anyway, unless the daemon has answered lately."""
        if not self._http.told_lately:
            self._daemon.forget_dialect()
            await self._daemon.is_modern()

    async def about(self) -> About:
        """Return the dialect, and the daemon's version (`GET /api/daemon`, 1.x only)."""
        if not await self._daemon.is_modern():
            return About("RunWisp older than 1.0: task by task, no logs", self._http.ahead)
        daemon = await self._daemon.describe()
        return About(f"RunWisp {quote_unless_word(daemon.version or '1.x', 40)}, dialect 1.x", self._http.ahead)

    async def explain_scheduling(self) -> Scheduling:
        """Return what the daemon says of its schedules (`GET /api/daemon`, 1.x only)."""
        if not await self._daemon.is_modern():
            return Scheduling()
        daemon = await self._daemon.describe()
        notes = [f"configuration: {sanitize_text(one)}" for one in daemon.warnings[:_MOST_WARNINGS]]
        if len(daemon.warnings) > _MOST_WARNINGS:
            notes.append(f"configuration: {len(daemon.warnings) - _MOST_WARNINGS} more warnings")
        if daemon.stale:
            notes.append(
                "its configuration file has changed since it was loaded: schedules are those that were loaded"
            )
        held = "schedulingActive false: the daemon starts nothing by schedule" if daemon.scheduling is False else None
        return Scheduling(held, parse_optional_time(daemon.loaded), notes)

    def jobs(self, options: ListOptions) -> Listing[Job]:
        """List task definitions; the daemon sends all of them, so a page is cut here."""
        if options.statuses:
            raise BadArgument(
                "has RunWisp tasks, which have no deployment status",
                subject=self._http.subject,
                advice=(
                    "leave status out, or call ",
                    Call("list_runs", {"status": ...}),
                    " for how their runs ended",
                ),
            )

        async def fetch_page(offset: int, size: int) -> CountedPage[Job]:
            definitions = await self._daemon.definitions()
            zone = await self._daemon.find_zone(definitions)
            # A name is what tells a definition apart, and an upstream may send one twice.
            named = {job.name: job for job in (one.to_job(zone) for one in definitions)}
            jobs = [named[name] for name in sorted(named, reverse=options.sort.descending)]
            return CountedPage(jobs[offset : offset + size], len(jobs))

        traits = Traits(options.sort, _EVERY_DEFINITION, options.filters())
        return OffsetListing(fetch_page, lambda job: job.name, lambda job: job.name, traits)

    async def find_job(self, name: str) -> JobDetail | None:
        """Read one definition out of the list, which both dialects have."""
        found = next((one for one in await self._daemon.definitions() if one.name == name), None)
        return found.to_detail(self.name, await self._daemon.find_zone([found])) if found else None

    async def explain_unknown(self, name: str) -> UnknownName:
        """Return the error for a task that the daemon does not define."""
        return unknown_name("job", name, [one.name or "" for one in await self._daemon.definitions()])


def open_source(one: RunWispSettings, fingerprint: str, context: SourceContext) -> RunWisp:
    """Open a daemon: at its Unix socket, else at its address with a token, a password or neither."""
    if one.socket:
        transport = context.transport or httpx2.AsyncHTTPTransport(uds=one.socket)
        http = open_http(one, _SOCKET_URL, replace(context, transport=transport))
        http = replace(http, place=f"the socket {sanitize_text(one.socket)}")
        return RunWisp(one.name, http, fingerprint)
    base = (one.url or DEFAULT_URL).rstrip("/")
    signer: httpx2.Auth | None = None
    if one.token:
        signer = Bearer(one.token.get_secret_value())
    elif one.password:
        signer = RunWispLogin(
            base, one.password.get_secret_value(), subject=one.subject, settings_advice=one.settings_advice
        )
    return RunWisp(one.name, open_http(one, base, context, signer=signer), fingerprint)
