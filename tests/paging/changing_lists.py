"""A model of an upstream, a list of rows that is paged by cursor, by key or by offset, and of an agent before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio
import httpx2

from jobtrail.errors import UpstreamError
from jobtrail.models import Window
from jobtrail.paging import START, Chain, Merged, Trail, Walk, walk
from jobtrail.paging.cursor import Cursor, seal, unseal
from jobtrail.sources.blaxel.source import Blaxel
from jobtrail.sources.http import Http, HttpLimits
from jobtrail.sources.runwisp.source import RunWisp
from jobtrail.times import parse_optional_nanoseconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from jobtrail.models import Execution, Run
    from jobtrail.paging import Budget, Listing, Position, Walked
    from jobtrail.sources.list_options import ListOptions

__all__ = ["BEGIN", "KINDS", "Agent", "Change", "Row", "Rows", "copied", "cost", "listing_of", "rows_of", "window"]

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
KINDS = ("blaxel", "runwisp", "legacy runwisp")
"""Whose listing reads a list: Blaxel's by cursor, RunWisp 1.x's by key, legacy RunWisp by offset."""


@dataclass(frozen=True)
class Row:
    """An execution and a run at once: its number tells it apart, its minute when it was created."""

    number: int
    minute: int

    @property
    def id(self) -> str:
        return f"{self.number:026}"

    @property
    def created(self) -> datetime:
        return BEGIN + timedelta(minutes=self.minute)

    @property
    def place(self) -> tuple[int, int]:
        return (self.minute, self.number)


def rows_of(gaps: Iterable[int]) -> list[Row]:
    """Return rows, oldest first, so many minutes apart; none apart is created at the same time."""
    rows: list[Row] = []
    for number, gap in enumerate(gaps):
        rows.append(Row(number, gap + (rows[-1].minute if rows else 0)))
    return rows


@dataclass
class Rows:
    """The upstream, as a network edge.

    Attributes:
        kind: one of `KINDS`.
        rows: what there is, in the order it came.
        largest: rows that a page has at most, whatever was asked for.
        faults: numbers of the requests that fail.
        asked: every request.
        running, most: requests that are being answered, now and at most.
        before: awaited before each answer.
    """

    kind: str
    rows: list[Row]
    largest: int = 1_000
    faults: frozenset[int] = frozenset()
    asked: list[httpx2.Request] = field(default_factory=list[httpx2.Request])
    running: int = 0
    most: int = 0
    before: Callable[[], Awaitable[None]] = anyio.lowlevel.checkpoint

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        number = len(self.asked)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.before()
        finally:
            self.running -= 1
        if number in self.faults:
            return httpx2.Response(500, json={"error": "no"})
        if request.url.path == "/api/runs" and self.kind != "runwisp":
            return httpx2.Response(200, text="<!doctype html>", headers={"content-type": "text/html"})
        answer = self._executions if self.kind == "blaxel" else self._runs
        return httpx2.Response(200, json=answer(request.url.params))

    def _executions(self, asked: httpx2.QueryParams) -> dict[str, Any]:
        descending = asked["sort"] == "createdAt:desc"
        rows = sorted(self.rows, key=lambda row: row.place, reverse=descending)
        if cursor := asked.get("cursor"):
            last = tuple(int(part) for part in cursor.split("-"))
            rows = [row for row in rows if (row.place < last if descending else row.place > last)]
        page = rows[: min(int(asked["limit"]), self.largest)]
        more = len(page) < len(rows)
        meta = {
            "hasMore": more,
            "nextCursor": "{}-{}".format(*page[-1].place) if more else "",
            "total": len(self.rows),
        }
        data = [
            {"metadata": {"id": row.id, "createdAt": row.created.isoformat()}, "status": "succeeded"} for row in page
        ]
        return {"data": data, "meta": meta}

    def _runs(self, asked: httpx2.QueryParams) -> dict[str, Any]:
        # Runs of one time come in the order they came in on 1.x, whichever way time is sorted.
        legacy = self.kind != "runwisp"
        descending = "asc" not in {asked.get("sortDirection"), asked.get("sort_direction")}
        rows = sorted(self.rows, key=lambda row: row.place if legacy else (row.minute, 0), reverse=descending)
        after, before = (parse_optional_nanoseconds(asked.get(name)) for name in ("createdAfter", "createdBefore"))
        times = {row: parse_optional_nanoseconds(row.created.isoformat()) or 0 for row in rows}
        rows = [row for row in rows if (after or 0) <= times[row] <= (before or 2**62)]
        offset = int(asked.get("offset", 0))
        page = rows[offset : offset + min(int(asked["limit"]), self.largest)]
        fixed = {"taskName": "t", "status": "ended", "endReason": "succeeded"}
        items = [{"id": row.id, "createdAt": row.created.isoformat(), **fixed} for row in page]
        return {"items": items, "total": len(rows)}


async def listing_of(rows: Rows, options: ListOptions) -> Listing[Execution | Run]:
    """Return the real listing of an upstream's kind over it; it tries each request once."""
    client = httpx2.AsyncClient(base_url="http://upstream.invalid/", transport=httpx2.MockTransport(rows))
    http = Http(client, subject="source 'upstream'", settings_advice="check it", limits=HttpLimits(attempts=1))
    if rows.kind == "blaxel":
        return Blaxel("upstream", http, "").need_batch().executions("etl", options)
    return await RunWisp("upstream", http, "").need_runs().list("t", options)


def copied(position: Position) -> Position:
    """Return a position as it comes back from an agent."""
    return unseal(seal(Cursor("list_runs", "s", "f", 0, {}, 0, 0, position)), "list_runs").position


def window(since: int | None, until: int | None = None) -> Window:
    """Return a window between two minutes."""
    first, last = (None if minute is None else BEGIN + timedelta(minutes=minute) for minute in (since, until))
    return Window(since=first, until=last, now=BEGIN)


def cost(row: Row) -> int:
    """Return the tokens that a row takes."""
    return row.number % 5


@dataclass(frozen=True)
class Change:
    """What happens between two pages: rows that come, and places of rows that go."""

    comes: int = 0
    goes: tuple[int, ...] = ()


@dataclass
class Agent:
    """It follows cursors to the end while the lists change, and tries again what fails.

    Attributes:
        upstreams: one, or several that are merged or chained; every row has a number of its own.
        matching: remainders of the numbers that match.
        changes: what is to happen, the last first; each befalls one upstream after the other.
        known: every row there ever was.
        throughout: those that were there from the first page to the last.
    """

    upstreams: list[Rows]
    options: ListOptions
    matching: frozenset[int]
    limit: int
    budget: Budget
    changes: list[Change] = field(default_factory=list[Change])
    chained: bool = False
    known: dict[str, Row] = field(default_factory=dict[str, Row])
    throughout: set[Row] = field(default_factory=set[Row])
    pages: list[Walked[Execution | Run]] = field(default_factory=list["Walked[Execution | Run]"])
    listed: list[Row] = field(default_factory=list[Row])

    async def follow(self) -> None:
        """Make every call of the walk."""
        self.known = {row.id: row for upstream in self.upstreams for row in upstream.rows}
        self.throughout = set(self.known.values())
        position: Position | None = START
        trail = Trail()
        while position is not None:
            assert sum(len(upstream.asked) for upstream in self.upstreams) < 20_000, "the walk does not end"
            try:
                walked = await self.page(position, trail)
            except UpstreamError:
                continue
            self.pages.append(walked)
            self.listed += [self.known[item.id] for item in walked.items]
            position, trail = walked.position, walked.trail
            self.check(walked)
            self.change(self.changes.pop() if self.changes else Change())

    async def page(self, position: Position, trail: Trail) -> Walked[Execution | Run]:
        """Make one call."""
        how = Walk["Execution | Run"](
            limit=self.limit,
            keep=lambda item: self.wanted(self.known[item.id]),
            cost=lambda item: cost(self.known[item.id]),
            budget=self.budget,
            trail=trail,
        )
        parts = {f"part-{number}": await listing_of(rows, self.options) for number, rows in enumerate(self.upstreams)}
        merged = Merged(parts, descending=self.options.sort.descending)
        several = Chain(parts) if self.chained else merged
        return await walk(several if len(parts) > 1 else parts["part-0"], how, copied(position))

    @property
    def in_one_order(self) -> bool:
        """Whether the walk as a whole is in the order of time."""
        return len(self.upstreams) == 1 or not self.chained

    def wanted(self, row: Row) -> bool:
        """Return whether a row is in the window and matches."""
        bounds = self.options.window or Window(now=BEGIN)
        inside = (bounds.since or row.created) <= row.created <= (bounds.until or row.created)
        return inside and row.number % 7 in self.matching

    def change(self, change: Change) -> None:
        """Let rows go from one upstream, and come at its newest end."""
        upstream = self.upstreams[len(self.pages) % len(self.upstreams)]
        rows = upstream.rows
        newest = max((row.minute for row in rows), default=0)
        for place in change.goes:
            if rows and self.may_go(upstream, row := rows[place % len(rows)]):
                rows.remove(row)
                self.throughout.discard(row)
        for number in range(change.comes):
            row = Row(len(self.known) + 100_000, newest + number)
            self.known[row.id] = row
            rows.append(row)

    def may_go(self, upstream: Rows, row: Row) -> bool:
        """Return whether a row may go: among others of its time, only that of one list of runs can be followed."""
        alone = upstream.kind != "blaxel" and len(self.upstreams) == 1
        return alone or [one.minute for one in upstream.rows].count(row.minute) == 1

    def check(self, walked: Walked[Execution | Run]) -> None:
        """Check that what one page says of itself is true."""
        assert len(walked.items) == walked.matched <= self.limit
        assert walked.scanned <= self.budget.items
        assert walked.tokens == sum(cost(self.known[item.id]) for item in walked.items)
        assert walked.tokens <= self.budget.tokens or len(walked.items) == 1
        reached = walked.last.created_at if walked.last and walked.position and not walked.failed else None
        if reached and self.in_one_order:
            passed = {row for row in self.throughout if self.passed(row, reached) and self.wanted(row)}
            assert passed <= set(self.listed)

    def passed(self, row: Row, reached: datetime) -> bool:
        """Return whether a walk that has reached a time has been at a row."""
        return row.created > reached if self.options.sort.descending else row.created < reached
