"""A RunWisp daemon: which dialect it speaks, what it defines, and the endpoints that list runs.

It answers an unknown path with its web page and 200, so the dialect is known by whether `GET /api/runs` answers JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from jobtrail.errors import NotFound, Rejected, UnreadableAnswer, UpstreamError
from jobtrail.paging import AT_ONCE, CountedPage
from jobtrail.sources.responses import parse_response, parse_row
from jobtrail.sources.runwisp.response_models import WireDaemon, WireRun, WireRuns, WireTaskDefinition, WireTasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from jobtrail.sources.http import Http

LARGEST = 1_000
"""Rows that a page has at most (RunWisp, parameter limit)."""


class Daemon:
    """A daemon; `limiter` bounds the requests for runs that it is sent at the same time."""

    def __init__(self, http: Http) -> None:
        self.http = http
        self.limiter = anyio.CapacityLimiter(AT_ONCE)
        self._is_modern: bool | None = None
        self._zone: str | None = None

    async def is_modern(self) -> bool:
        """Return whether it speaks the 1.x dialect; looked up once."""
        if self._is_modern is None:
            try:
                body = await self.http.get("api/runs", {"limit": 1})
                self._is_modern = isinstance(body, dict) and "items" in body
            except (NotFound, UnreadableAnswer, Rejected):
                self._is_modern = False
        return self._is_modern

    def forget_dialect(self) -> None:
        """Look the dialect and the zone up again next time: the daemon may have been replaced."""
        self._is_modern = self._zone = None

    async def describe(self) -> WireDaemon:
        """Return what the daemon says of itself (`GET /api/daemon`, 1.x only)."""
        try:
            return parse_response(WireDaemon, await self.http.get("api/daemon"), self.http.subject)
        except (NotFound, Rejected, UnreadableAnswer):
            return WireDaemon()

    async def find_zone(self, definitions: Sequence[WireTaskDefinition]) -> str | None:
        """Return the zone of schedules that name none, looked up once; None if all do, or it is not told."""
        if self._zone is None and any(one.cron and not one.timezone for one in definitions):
            try:
                self._zone = (await self.describe()).timezone or ""
            except UpstreamError:
                # The definitions are worth more than the zone.
                return None
        return self._zone or None

    async def definitions(self) -> list[WireTaskDefinition]:
        """Read every task definition (`GET /api/tasks`, which does not page)."""
        try:
            found = parse_response(WireTasks, await self.http.get("api/tasks"), self.http.subject).items or []
        except (NotFound, Rejected, UnreadableAnswer):
            self.forget_dialect()
            raise
        return [parse_row(WireTaskDefinition, one, self.http.subject) for one in found]


@dataclass(frozen=True)
class RunsEndpoint:
    """An endpoint that lists runs: its path, what is always sent, and what to raise where there is no such list."""

    daemon: Daemon
    path: str
    params: dict[str, str | int]
    explain: Callable[[], Awaitable[Exception]] | None = None

    async def get(self, size: int, **more: str | int) -> CountedPage[WireRun]:
        """Return one page of runs."""
        params = {**self.params, **more, "limit": size}
        try:
            async with self.daemon.limiter:
                body = await self.daemon.http.get(self.path, params)
            page = parse_response(WireRuns, body, self.daemon.http.subject)
        except (NotFound, Rejected, UnreadableAnswer) as error:
            self.daemon.forget_dialect()
            if isinstance(error, NotFound) and self.explain:
                raise await self.explain() from None
            raise
        return CountedPage(
            _place([parse_row(WireRun, one, self.daemon.http.subject) for one in page.items or []]), page.total
        )


def _place(runs: list[WireRun]) -> list[WireRun]:
    """Return runs, each without a time beside one that has one: an upstream put it there, so there a walk goes on."""
    known = next((run.created for run in runs if run.created), None)
    if all(run.created for run in runs) or known is None:
        return runs
    placed: list[WireRun] = []
    for run in runs:
        known = run.created or known
        placed.append(run if run.created else run.model_copy(update={"beside": known}))
    return placed
