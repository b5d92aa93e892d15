"""Upstreams that lie: a fake of each API, over made-up rows, that commits any mix of faults. It knows no walker."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import httpx2

from tests.upstreams import run_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["FAULTS", "KINDS", "OWNERS", "UNSEEN", "WORDS", "Liar", "Row"]

KINDS = ("blaxel", "runwisp", "legacy")
"""Blaxel's API, that of RunWisp 1.x, and that of about 0.4."""
OWNERS = ("alpha", "beta")
"""The jobs or tasks that there are."""
WORDS = {
    "succeeded": "good", "failed": "bad", "timeout": "bad", "running": "open",
    "hibernating": "strange", "": "strange",
}  # fmt: skip
"""How an upstream says that a row stands, and what that comes to."""
UNSEEN = frozenset({"skips", "circles", "miscounts", "forgets", "changes"})
"""Faults that no answer need show: rows that are never sent, in pages that look whole."""
FAULTS = (
    "any owner", "any status", "any time", "any order", "overlaps", "other clock", "unreadable", *sorted(UNSEEN)
)  # fmt: skip

_SETTLED = 20
"""Requests after which nothing changes any more, so that a walk can end."""


@dataclass(frozen=True)
class Row:
    """An execution or a run.

    Attributes:
        minutes: how long ago it was created, by the upstream's clock.
        broken: the field that cannot be read; empty for none.
    """

    number: int
    owner: str
    minutes: int
    word: str
    broken: str = ""


@dataclass
class Liar:
    """An upstream at the network's edge.

    Attributes:
        now: what its clock shows.
        faults: of `FAULTS`.
        seed: decides the details of the faults.
        largest: rows that a page has at most, whatever was asked for.
        kept: minutes after which it forgets a row, if it does.
        sent: the numbers of the rows that were shown in lists of something.
        ever: every row that there was.
    """

    kind: str
    rows: list[Row]
    now: datetime
    faults: frozenset[str] = frozenset()
    seed: int = 0
    largest: int = 5
    kept: int = 300
    sent: set[int] = field(default_factory=set[int])
    ever: dict[str, Row] = field(default_factory=dict[str, Row])
    asked: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311 # no secret
        self.shift = self.random.randint(1, 3)
        self.ever = {self.id_of(row): row for row in self.rows}

    def id_of(self, row: Row) -> str:
        """Return a row's id."""
        return f"exec-{row.number:04}" if self.kind == "blaxel" else run_id(row.number)

    def created(self, row: Row) -> datetime:
        """Return when a row was created."""
        return self.now - timedelta(minutes=row.minutes)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request."""
        answer = self._blaxel if self.kind == "blaxel" else self._runwisp
        response = answer(request.url.path, request.url.params)
        response.headers["Date"] = format_datetime(self.now, usegmt=True)
        return response

    def _blaxel(self, path: str, query: httpx2.QueryParams) -> httpx2.Response:
        match path.removeprefix("/v0/").split("/"):
            case ["jobs"]:
                jobs = [{"metadata": {"name": name}, "status": "DEPLOYED"} for name in OWNERS]
                return _json({"data": jobs, "meta": {"hasMore": False, "total": len(jobs)}})
            case ["jobs", name] if name in OWNERS:
                return _json({"metadata": {"name": name}, "status": "DEPLOYED"})
            case ["jobs", name, "executions"] if name in OWNERS:
                return self._page(name, query)
            case ["jobs", _, "executions", identity] if identity in self.ever:
                return _json(self._execution(self.ever[identity]))
            case [*_, "tasks"]:
                return _json({"data": [], "meta": {"hasMore": False, "total": 0}})
            case _:
                return _json({"error": "not_found", "code": 404, "message": "not found"}, 404)

    def _page(self, owner: str, query: httpx2.QueryParams) -> httpx2.Response:
        rows = self._select(owner, descending=query["sort"].endswith("desc"))
        start = int(query.get("cursor", "at-0").removeprefix("at-"))
        page = self._show(rows[start : start + self._size(query)])
        following = self._following(start, len(page))
        more = bool(page) and following < len(rows)
        if "circles" in self.faults and start and more:
            following = self.random.choice([0, start])
        meta = {"hasMore": more, "nextCursor": f"at-{following}" if more else "", "total": self._count(rows)}
        return _json({"data": [self._execution(row) for row in page], "meta": meta})

    def _runwisp(self, path: str, query: httpx2.QueryParams) -> httpx2.Response:
        match path.removeprefix("/api/").split("/"):
            case ["tasks"]:
                return _json({"items": [{"name": name, "kind": "task"} for name in OWNERS]})
            case ["runs"] if self.kind == "runwisp":
                return self._list_runs(query.get("taskName"), query)
            case ["tasks", name, "runs"] if name in OWNERS and self.kind == "legacy":
                return self._list_runs(name, query)
            case ["runs", identity] if identity in self.ever and self.kind == "runwisp":
                return _json(self._run(self.ever[identity]))
            case _:
                return httpx2.Response(200, html="<!doctype html><title>RunWisp</title>")

    def _list_runs(self, owner: str | None, query: httpx2.QueryParams) -> httpx2.Response:
        rows = self._select(owner, descending="asc" not in {query.get("sortDirection"), query.get("sort_direction")})
        if self.kind == "runwisp":
            rows = [row for row in rows if self._is_asked_for(row, query)]
        start = int(query.get("offset", 0))
        bounded = bool(start or query.get("createdBefore"))
        if "overlaps" in self.faults and start:
            start = max(start - self.shift, 0)
        if "skips" in self.faults and bounded:
            start += self.shift
        page = rows[start : start + self._size(query)]
        if self.kind == "legacy" or len(query) > 1:
            # A query of nothing but a limit asks for any row, and answers no question.
            self._show(page)
        return _json({"items": [self._run(row) for row in page] or None, "total": self._count(rows)})

    def _is_asked_for(self, row: Row, query: httpx2.QueryParams) -> bool:
        """Return whether a run of RunWisp 1.x fits the filters, as far as they are heeded."""
        created = self.created(row)
        if "any time" not in self.faults:
            after, before = _read(query.get("createdAfter")), _read(query.get("createdBefore"))
            if (after and created < after) or (before and created > before):
                return False
        words = [*filter(None, query.get("status", "").split(","))]
        failing = query.get("isFailure") == "true" and WORDS[row.word] == "bad"
        return "any status" in self.faults or not (words or query.get("isFailure")) or row.word in words or failing

    def _select(self, owner: str | None, *, descending: bool) -> list[Row]:
        """Return the rows of an owner in order, as far as either is heeded."""
        self._change()
        rows = [row for row in self.rows if row.owner == owner or owner is None or "any owner" in self.faults]
        if "forgets" in self.faults:
            rows = [row for row in rows if row.minutes <= self.kept]
        rows.sort(key=lambda row: (row.minutes, -row.number), reverse=not descending)
        if "any order" in self.faults:
            random.Random(self.seed).shuffle(rows)  # noqa: S311 # the same disorder each time
        return rows

    def _change(self) -> None:
        """Let a row come or go."""
        self.asked += 1
        if "changes" not in self.faults or self.asked % 3 or self.asked > _SETTLED:
            return
        if self.rows and self.random.random() < 0.5:  # an even chance
            self.rows.remove(self.random.choice(self.rows))
        else:
            row = Row(1_000 + self.asked, OWNERS[0], 0, self.random.choice([*WORDS]))
            self.rows.append(row)
            self.ever[self.id_of(row)] = row

    def _size(self, query: httpx2.QueryParams) -> int:
        return min(int(query.get("limit", 20)), self.largest)

    def _following(self, start: int, length: int) -> int:
        following = start + length
        if "overlaps" in self.faults:
            following = max(start + 1, following - self.shift)
        return following + (self.shift if "skips" in self.faults else 0)

    def _count(self, rows: Sequence[Row]) -> int:
        lie = self.random.choice([-2, 3, 100]) if "miscounts" in self.faults else 0
        return max(len(rows) + lie, 0)

    def _show(self, rows: Iterable[Row]) -> list[Row]:
        shown = list(rows)
        self.sent |= {row.number for row in shown}
        return shown

    def _execution(self, row: Row) -> dict[str, Any]:
        created = _write(self.created(row))
        bad = WORDS[row.word] == "bad"
        return {
            "metadata": {
                "id": self.id_of(row), "job": row.owner, "createdAt": 7 if row.broken == "created" else created,
                "startedAt": created,
            },
            "status": ["?"] if row.broken == "status" else row.word,
            "stats": {"total": 1, "success": "x" if row.broken == "count" else int(not bad), "failure": int(bad)},
        }  # fmt: skip

    def _run(self, row: Row) -> dict[str, Any]:
        created, ended = _write(self.created(row)), row.word != "running"
        word = ["?"] if row.broken == "status" else row.word
        spelt = {
            "id": self.id_of(row), "taskName": row.owner, "status": "ended" if ended else word,
            "createdAt": 7 if row.broken == "created" else created, "startedAt": created,
            "exitCode": "SIGKILL" if row.broken == "count" else int(WORDS[row.word] == "bad"),
        }  # fmt: skip
        if not ended:
            return spelt
        return {**spelt, "endReason": word, "endedAt": _write(self.created(row) + timedelta(seconds=9))}


def _json(body: Any, status: int = 200) -> httpx2.Response:
    return httpx2.Response(status, json=body)


def _write(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _read(text: str | None) -> datetime | None:
    """Return a time of a query, whose digits past the microsecond are zeros here, or nines of a bound."""
    if not text:
        return None
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{seconds}.{(fraction + '000000')[:6]}+00:00")
