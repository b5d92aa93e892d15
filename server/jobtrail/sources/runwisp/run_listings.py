"""Reads runs of RunWisp's tasks: paged by creation time on 1.x if sorted by it, in every other case by offset."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from jobtrail.errors import (
    BadArgument,
    NotFound,
    StrayCursor,
    UnknownName,
    UnreadableAnswer,
    Unsupported,
    UpstreamError,
)
from jobtrail.logs.cause import find_telling_line
from jobtrail.models import Call, Window
from jobtrail.models.unread import UnreadFields
from jobtrail.paging import (
    NEWEST_FIRST,
    OLDEST_FIRST,
    START,
    Chain,
    Checked,
    CountedPage,
    FetchedPage,
    KeyRange,
    KeysetListing,
    Mapped,
    OffsetListing,
    Position,
    Sort,
    Traits,
)
from jobtrail.sources.base import Runs
from jobtrail.sources.responses import check_told, is_named, parse_fields, parse_response, quote_name
from jobtrail.sources.runwisp.daemon import LARGEST, RunsEndpoint
from jobtrail.sources.runwisp.event_stream import follow_runs
from jobtrail.sources.runwisp.log_pages import RunLog, WireLog, is_final_log
from jobtrail.sources.runwisp.response_models import RUN_WORDS, RUN_WORDS_1, WireRun, WireSummary
from jobtrail.text import quote_value
from jobtrail.times import (
    format_microseconds,
    format_nanoseconds,
    format_time,
    parse_optional_nanoseconds,
    parse_optional_time,
    to_nanoseconds,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from jobtrail.logs.log import Log
    from jobtrail.models import Run
    from jobtrail.paging import Listing
    from jobtrail.sources.list_options import ListOptions
    from jobtrail.sources.runwisp.daemon import Daemon

_CAUSE_LINES = 40
_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_SORTS_1 = {
    "created_at": "createdAt",
    "started_at": "startedAt",
    "duration": "duration",
    "exit_code": "exitCode",
    "status": "status",
    "job": "taskName",
}
_LEGACY_SORTS = {**_SORTS_1, "created_at": "created_at", "started_at": "start_at", "exit_code": "exit_code", "job": "task_name"}  # fmt: skip  # noqa: E501
_DRIFTED = (
    "runs came or went since the last page, and this order cannot be paged by key: some may repeat or be "
    "missing. sort=created_at:desc is stable"
)


class RunWispRuns(Runs):
    """The runs of a daemon.

    Args:
        daemon: whose runs they are.
        explain: returns the error for a task that is not defined.
        wrap_log: adds to a log what is known of it elsewhere.
    """

    words = RUN_WORDS
    sorts = tuple(_SORTS_1)

    def __init__(
        self, daemon: Daemon, explain: Callable[[str], Awaitable[UnknownName]], wrap_log: Callable[[Log], Log]
    ) -> None:
        self._daemon = daemon
        self._http = daemon.http
        self._explain = explain
        self._wrap_log = wrap_log

    async def list(self, task: str | None, options: ListOptions) -> Listing[Run]:
        """List runs, newest first by key; other orders by offset.

        1.x filters status, window and search itself. The legacy dialect lists one task at a time; its
        status filter is not said to know end reasons, nor its search what it looks in, so the
        walker filters there.
        """
        if await self._daemon.is_modern():
            return self._list_modern(task, options)
        if task is not None:
            return self._list_legacy(task, options)
        names = [one.name for one in await self._daemon.definitions() if one.name]
        return Chain({name: self._list_legacy(name, options) for name in names})

    def _list_modern(self, task: str | None, options: ListOptions) -> Listing[Run]:
        params: dict[str, str | int] = {"taskName": task} if task else {}
        # The daemon drops % and _ from a search, so `nightly_report` would never be found.
        searchable = not options.query or not {"%", "_"} & set(options.query)
        if options.query and searchable:
            params["search"] = options.query
        words = options.statuses.to_upstream(RUN_WORDS_1) if options.statuses else []
        if words:
            params["status"] = ",".join(words)
        if options.statuses and options.statuses.failures and words is not None:
            # Beside what has one of the words (parameter isFailure).
            params["isFailure"] = "true"
        since, until = (options.window.since, options.window.until) if options.window else (None, None)
        if since:
            params["createdAfter"] = format_microseconds(since)
        if until:
            params["createdBefore"] = format_microseconds(until)
        _add_order(params, options.sort, "sortField", "sortDirection", _SORTS_1)
        endpoint = RunsEndpoint(self._daemon, "api/runs", params)
        applied = {"window", *({"query"} if searchable else ()), *({"statuses"} if words is not None else ())}
        by_time = options.sort.key == "created_at"
        traits = Traits(options.sort, LARGEST, options.filters(applied=applied))
        window = options.window or Window(now=self._http.now())
        make = partial(_make_keyset_listing, window=window) if by_time else _make_offset_listing
        listing = make(endpoint, traits)
        every: dict[str, str | int] = {"taskName": task} if task else {}
        _add_order(every, OLDEST_FIRST, "sortField", "sortDirection", _SORTS_1)
        listing = self._check(listing, task, options, RunsEndpoint(self._daemon, "api/runs", every))
        by_word = options.statuses and "failed" in options.statuses.words and not options.statuses.failures
        return _FailedRuns(listing, endpoint) if by_word else listing

    def _list_legacy(self, task: str, options: ListOptions) -> Listing[Run]:
        params: dict[str, str | int] = {}
        _add_order(params, options.sort, "sort_field", "sort_direction", _LEGACY_SORTS)
        path = f"api/tasks/{quote_name('task', task)}/runs"
        endpoint = RunsEndpoint(self._daemon, path, params, lambda: self._explain(task))
        listing = _make_offset_listing(endpoint, Traits(options.sort, LARGEST, options.filters()))
        every: dict[str, str | int] = {}
        _add_order(every, OLDEST_FIRST, "sort_field", "sort_direction", _LEGACY_SORTS)
        return self._check(listing, task, options, RunsEndpoint(self._daemon, path, every))

    def _check(
        self, listing: Listing[Run], task: str | None, options: ListOptions, oldest_first: RunsEndpoint
    ) -> Listing[Run]:
        """Return a listing whose runs are checked: that each is one run of the task, in order."""
        return Checked(
            listing, lambda run: run.id, lambda run: task is None or is_named(task, run.job),
            options.window, partial(_find_oldest, oldest_first, task), self._http.subject,
        )  # fmt: skip

    async def get(self, run: str) -> Run:
        """Read one run (`GET /api/runs/{runId}`)."""
        _check_id(run)
        try:
            body = await self._http.get(f"api/runs/{run}", final=partial(_is_final_run, run))
            wire = parse_fields(WireRun, body, self._http.subject)
        except NotFound:
            raise UnknownName(
                f"run={quote_value(run)} does not exist, or was pruned",
                advice=("call ", Call("list_runs"), " for those that are kept"),
            ) from None
        except UnreadableAnswer as error:
            self._daemon.forget_dialect()
            raise Unsupported(
                f"does not serve single runs: {error.describe_problem()}",
                subject=self._http.subject,
                advice=("call ", Call("list_runs"), ", which shows the same fields"),
            ) from None
        check_told("run", run, wire.id, self._http.subject)
        return wire.to_run()

    async def find_cause(self, run: str) -> str | None:
        """Look for the cause in the last lines of the log; one that is whole does not change, so it is kept."""
        if not await self._daemon.is_modern():
            return None
        params: dict[str, str | int] = {"from": -_CAUSE_LINES, "limit": _CAUSE_LINES}
        try:
            body = await self._http.get(f"api/runs/{run}/log", params, final=is_final_log)
        except NotFound:
            return None
        read = parse_response(WireLog, body, self._http.subject)
        return find_telling_line(read.to_lines(self._http.subject, UnreadFields()).lines)

    async def log(self, run: str) -> Log:
        """Return the log of a run (`GET /api/runs/{runId}/log`, 1.x only)."""
        _check_id(run)

        async def explain(error: UpstreamError) -> Exception:
            ended = (await self.get(run)).status
            advice = ("call ", Call("get_run", {"run": run}), f" for how it ended ({ended})")
            if isinstance(error, NotFound):
                return Unsupported(f"keeps no log of run {run}", subject=self._http.subject, advice=advice)
            self._daemon.forget_dialect()
            if not await self._daemon.is_modern():
                what = "serves no logs: its RunWisp is older than 1.0"
                return Unsupported(what, subject=self._http.subject, advice=advice)
            return error

        return self._wrap_log(RunLog(self._http, f"api/runs/{run}/log", explain))

    async def describe_totals(self) -> str | None:
        """Return how all runs that are kept ended (`GET /api/runs/summary`, 1.x only)."""
        if not await self._daemon.is_modern():
            return None
        try:
            body = await self._http.get("api/runs/summary")
            told = parse_response(WireSummary, body, self._http.subject)
        except (UpstreamError, NotFound):
            return None
        last = f"; the last failure was {format_time(parse_optional_time(told.last_failure))}" if told.failed else ""
        return (
            f"{self._http.subject} keeps {told.total:,} runs of all tasks: {told.success:,} succeeded, "
            f"{told.failed:,} failed, {told.missed:,} missed{last}"
        )

    async def follow(self, changed: Callable[[str], None]) -> None:
        """Read the daemon's events (`GET /api/events/stream`, 1.x only) until it ends them, or cannot be reached."""
        if await self._daemon.is_modern():
            await follow_runs(self._http, changed)

    async def check_task(self, task: str) -> None:
        """Raise unless the daemon defines a task; an unknown one lists as empty on 1.x."""
        if all(one.name != task for one in await self._daemon.definitions()):
            raise await self._explain(task)


async def _find_oldest(endpoint: RunsEndpoint, task: str | None) -> datetime | None:
    """Ask an endpoint that lists the oldest first for one run; None if there is none, or it is of another task."""
    page = await endpoint.get(1)
    first = next((run.to_run() for run in page.items), None)
    other = first is None or (task is not None and not is_named(task, first.job))
    return None if first is None or other else first.created_at


def _make_keyset_listing(endpoint: RunsEndpoint, traits: Traits, window: Window) -> Listing[Run]:
    """Return a listing of runs paged by creation time; both bounds of a page are inclusive to the nanosecond."""

    async def fetch_page(keys: KeyRange, offset: int, size: int) -> CountedPage[WireRun]:
        bounds = {"createdAfter": keys.lowest, "createdBefore": keys.highest}
        try:
            more = {name: format_nanoseconds(key) for name, key in bounds.items() if key is not None}
        except ValueError:
            raise StrayCursor("this cursor does not fit what it walks") from None
        return await endpoint.get(size, **more, **({"offset": offset} if offset else {}))

    http, oldest = endpoint.daemon.http, to_nanoseconds(window.since) if window.since else 0

    def find_newest() -> int:
        return to_nanoseconds(min(window.until or http.now(), http.now()))

    keyset = KeysetListing(fetch_page, _read_id, _read_creation_ns, traits, find_newest, oldest, http.subject)
    return Mapped(keyset, WireRun.to_run)


def _make_offset_listing(endpoint: RunsEndpoint, traits: Traits) -> Listing[Run]:
    """List runs in any order; only their times tell where a run would be that has gone."""

    async def fetch_page(offset: int, size: int) -> CountedPage[WireRun]:
        return await endpoint.get(size, **({"offset": offset} if offset else {}))

    by_time = traits.order is not None and traits.order.key == "created_at"

    def order_key(run: WireRun) -> int | None:
        return (by_time and _read_creation_ns(run)) or None

    subject = endpoint.daemon.http.subject
    return Mapped(OffsetListing(fetch_page, _read_id, order_key, traits, _DRIFTED, subject), WireRun.to_run)


def _read_id(run: WireRun) -> str:
    return run.id or ""


def _read_creation_ns(run: WireRun) -> int:
    return parse_optional_nanoseconds(run.created or run.beside) or 0


@dataclass
class _FailedRuns:
    """A list of failed runs on 1.x that says when the daemon counts more failures than it was asked for by name.

    Parameter `isFailure`: "also match runs classified as a failure", whatever their end reason is called.
    """

    listing: Listing[Run]
    endpoint: RunsEndpoint

    @property
    def traits(self) -> Traits:
        """Those of the listing."""
        return self.listing.traits

    async def fetch(self, at: Position, want: int) -> FetchedPage[Run]:
        """Read one page; with the first, ask how many failures there are by any name."""
        fetched = await self.listing.fetch(at, want)
        if at != START or fetched.total.value is None:
            return fetched
        more = (await self.endpoint.get(1, isFailure="true")).total - fetched.total.value
        note = f"{more:,} more count as failures to the daemon under other words; status=failure lists them too"
        return replace(fetched, note=note) if more > 0 else fetched


def _check_id(run: str) -> None:
    if not _ID.fullmatch(run):
        raise BadArgument(
            f"run={quote_value(run)} is not a run id; ids are 26 letters and digits, call ",
            Call("list_runs"),
            " for them",
        )


def _is_final_run(run: str, body: Any) -> bool:
    """Return whether a run as it was answered will not change any more."""
    fields = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    return fields.get("status") == "ended" and fields.get("id") == run


def _add_order(params: dict[str, str | int], sort: Sort, field: str, direction: str, names: dict[str, str]) -> None:
    if sort != NEWEST_FIRST:
        params[field] = names[sort.key]
        params[direction] = "desc" if sort.descending else "asc"
