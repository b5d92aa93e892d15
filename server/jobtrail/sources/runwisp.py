"""RunWisp scheduled tasks, in both dialects, found by looking at the daemon.

Contract: the seed document runwisp-list-task-runs.txt (about 0.4) and the daemon's own spec (1.0.1).
The daemon answers an unknown path with its web page and 200, so the dialect is known by whether
`GET /api/runs` answers JSON.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import anyio

from jobtrail.errors import BadArgument, NotFound, Rejected, UnknownName, UnreadableAnswer, Unsupported, clean, shown
from jobtrail.models import Job, JobDetail, LogTail, Run, Total
from jobtrail.paging import AT_ONCE, Batch, Chain, Spot
from jobtrail.sources.base import NEWEST_FIRST, About, Ask, Explained, Sort, Source, unknown_name, within_window
from jobtrail.sources.runwisp_events import follow_runs
from jobtrail.sources.runwisp_keys import KeyListing
from jobtrail.sources.runwisp_logs import RunLog, WireLog
from jobtrail.sources.runwisp_runs import Failures, OffsetListing, Runs
from jobtrail.sources.runwisp_wire import (
    RUN_WORDS,
    RUN_WORDS_1,
    WireDaemon,
    WireRun,
    WireTaskDefinition,
    WireTasks,
)
from jobtrail.sources.wire import name_in_path, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobtrail.errors import UpstreamError
    from jobtrail.paging import Listing
    from jobtrail.sources.http import Http

__all__ = ["RunWisp"]

_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_SORTS_1 = {
    "created_at": "createdAt",
    "started_at": "startedAt",
    "duration": "duration",
    "exit_code": "exitCode",
    "status": "status",
    "task": "taskName",
}
_SORTS_SEED = {**_SORTS_1, "created_at": "created_at", "started_at": "start_at", "exit_code": "exit_code", "task": "task_name"}  # fmt: skip  # noqa: E501


class RunWisp(Source):
    """A RunWisp daemon."""

    kind = "runwisp"
    has_runs = True
    run_words = RUN_WORDS
    run_sorts = tuple(_SORTS_1)

    def __init__(self, name: str, http: Http, fingerprint: str) -> None:
        super().__init__(name, fingerprint)
        self._http = http
        self._modern: bool | None = None
        self._lanes = anyio.CapacityLimiter(AT_ONCE)

    @property
    def sample(self) -> bool:
        """Whether the last answer was marked as sample data."""
        return self._http.sample

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.client.aclose()

    async def modern(self) -> bool:
        """Return whether the daemon speaks the 1.x dialect; looked up once."""
        if self._modern is None:
            try:
                body = await self._http.get("api/runs", {"limit": 1})
                self._modern = isinstance(body, dict) and "items" in body
            except (NotFound, UnreadableAnswer, Rejected):
                self._modern = False
        return self._modern

    async def about(self) -> About:
        """Return the dialect, and the daemon's version (`GET /api/daemon`, 1.x only)."""
        if not await self.modern():
            return About("RunWisp older than 1.0: task by task, no logs", self._http.ahead)
        try:
            daemon = parse(WireDaemon, await self._http.get("api/daemon"), self._http.who)
        except (NotFound, Rejected, UnreadableAnswer):
            daemon = WireDaemon()
        return About(f"RunWisp {clean(daemon.version or '1.x', 40)}, dialect 1.x", self._http.ahead)

    async def definitions(self) -> list[WireTaskDefinition]:
        """Read every task definition (`GET /api/tasks`, which does not page)."""
        try:
            return parse(WireTasks, await self._http.get("api/tasks"), self._http.who).items or []
        except (NotFound, Rejected, UnreadableAnswer):
            self._modern = None
            raise

    def jobs(self, ask: Ask) -> Listing[Job]:
        """List task definitions; the daemon sends all of them, so a page is cut here."""
        if ask.statuses:
            raise BadArgument(
                f"source {self.name!r}: RunWisp tasks have no deployment status; leave status out, or call "
                "list_runs(status=…) for how their runs ended"
            )
        return _Definitions(self, descending=ask.sort.descending)

    async def job(self, name: str) -> JobDetail:
        """Read one definition out of the list, which both dialects have."""
        for one in await self.definitions():
            if one.name == name:
                return one.detail(self.name)
        raise await self._unknown_task(name)

    async def check_job(self, name: str) -> None:
        """Raise unless the daemon defines a task; an unknown one lists as empty on 1.x."""
        if all(one.name != name for one in await self.definitions()):
            raise await self._unknown_task(name)

    async def _unknown_task(self, name: str) -> UnknownName:
        known = [one.name or "" for one in await self.definitions()]
        return UnknownName(unknown_name("task", name, known, "list_jobs()"))

    async def runs(self, task: str | None, ask: Ask) -> Listing[Run]:
        """List runs, newest first by key; other orders by offset.

        1.x filters status, window and search itself. The seed dialect lists one task at a time; its
        status filter is not said to know end reasons, nor its search what it looks in, so the
        walker filters there.
        """
        if await self.modern():
            return self._modern_runs(task, ask)
        if task is not None:
            return self._seed_runs(task, ask)
        names = [one.name for one in await self.definitions() if one.name]
        return Chain({name: self._seed_runs(name, ask) for name in names})

    def _modern_runs(self, task: str | None, ask: Ask) -> Listing[Run]:
        params: dict[str, str | int] = {"taskName": task} if task else {}
        # The daemon drops % and _ from a search, so `nightly_report` would never be found.
        searchable = not ask.query or not {"%", "_"} & set(ask.query)
        if ask.query and searchable:
            params["search"] = ask.query
        words = ask.statuses.upstream(RUN_WORDS_1) if ask.statuses else []
        narrowed = searchable and words is not None
        if words:
            params["status"] = ",".join(words)
        if ask.window and ask.window.since:
            params["createdAfter"] = ask.window.since.isoformat()
        if ask.window and ask.window.until:
            params["createdBefore"] = ask.window.until.isoformat()
        _order(params, ask.sort, "sortField", "sortDirection", _SORTS_1)
        runs = Runs(self._http, "api/runs", params, self.forget, self._lanes)
        listing: Listing[Run] = (
            KeyListing(runs, descending=ask.sort.descending, narrowed=narrowed)
            if ask.sort.key == "created_at"
            else OffsetListing(runs, ask.sort, narrowed=narrowed, filtered=not narrowed)
        )
        return Failures(listing, runs) if ask.statuses and "failed" in ask.statuses.words else listing

    def _seed_runs(self, task: str, ask: Ask) -> Listing[Run]:
        params: dict[str, str | int] = {}
        _order(params, ask.sort, "sort_field", "sort_direction", _SORTS_SEED)
        runs = Runs(self._http, f"api/tasks/{name_in_path('task', task)}/runs", params, self.forget, self._lanes)
        filtered = bool(ask.statuses or ask.window or ask.query)
        listing = OffsetListing(runs, ask.sort, narrowed=not filtered, filtered=filtered)
        return Explained(within_window(listing, ask), NotFound, lambda: self._unknown_task(task))

    def forget(self) -> None:
        """Look at the dialect again next time: the daemon may have been replaced."""
        self._modern = None

    async def run(self, run: str) -> Run:
        """Read one run (`GET /api/runs/{runId}`)."""
        _check_id(run)
        try:
            return parse(WireRun, await self._http.get(f"api/runs/{run}", final=_has_ended), self._http.who).run()
        except NotFound:
            raise UnknownName(
                f"run={shown(run)} does not exist, or was pruned; call list_runs() for those that are kept"
            ) from None
        except UnreadableAnswer as error:
            self.forget()
            raise Unsupported(
                f"source {self.name!r} does not serve single runs ({error}); list_runs shows the same fields"
            ) from None

    async def log_tail(self, run: str, lines: int) -> LogTail | None:
        """Read the last lines of a log (`GET /api/runs/{runId}/log?from=-N`, 1.x only)."""
        if not await self.modern():
            return None
        try:
            body = await self._http.get(f"api/runs/{run}/log", {"from": -lines, "limit": lines})
        except NotFound:
            return None
        return parse(WireLog, body, self._http.who).tail(lines)

    async def run_log(self, run: str) -> RunLog:
        """Return the log of a run (`GET /api/runs/{runId}/log`, 1.x only)."""
        _check_id(run)

        async def explain(error: UpstreamError) -> Exception:
            ended = (await self.run(run)).status
            then = f"call get_run(run={run!r}) for how it ended ({ended})"
            if isinstance(error, NotFound):
                return Unsupported(f"source {self.name!r} keeps no log of run {run}; {then}")
            self.forget()
            if not await self.modern():
                return Unsupported(f"source {self.name!r} serves no logs: its RunWisp is older than 1.0; {then}")
            return error

        return RunLog(self._http, f"api/runs/{run}/log", explain)

    async def follow(self, changed: Callable[[str], None]) -> None:
        """Read the daemon's events (`GET /api/events/stream`, 1.x only) until it ends them, or cannot be reached."""
        if await self.modern():
            await follow_runs(self._http, changed)


def _check_id(run: str) -> None:
    if not _ID.fullmatch(run):
        raise BadArgument(
            f"run={shown(run)} is not a run id; ids are 26 letters and digits, call list_runs() for them"
        )


def _has_ended(body: Any) -> bool:
    """Return whether a run as it was answered will not change any more."""
    return isinstance(body, dict) and cast("dict[str, Any]", body).get("status") == "ended"


def _order(params: dict[str, str | int], sort: Sort, field: str, direction: str, names: dict[str, str]) -> None:
    if sort != NEWEST_FIRST:
        params[field] = names[sort.key]
        params[direction] = "desc" if sort.descending else "asc"


class _Definitions:
    """The task definitions by name; a spot is the last name consumed."""

    narrowed = False

    def __init__(self, source: RunWisp, *, descending: bool) -> None:
        self._source = source
        self._descending = descending

    async def fetch(self, at: Spot, want: int) -> Batch[Job]:  # noqa: ARG002 # the daemon sends them all
        """Read all definitions and hand out those after the spot."""
        jobs = sorted(
            (one.job() for one in await self._source.definitions()),
            key=lambda job: job.name,
            reverse=self._descending,
        )
        if at.detail:
            last = str(at.detail[0])
            jobs = [job for job in jobs if (job.name < last if self._descending else job.name > last)]

        def after(index: int) -> Spot:
            return Spot("", (jobs[index].name,))

        return Batch(
            items=jobs,
            after=after,
            next=None,
            total=Total(kind="unknown"),
        )
