"""Upstreams that lie: a fake of each API, over made-up rows, that commits any mix of faults. It knows no walker."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import httpx2

from tests.upstreams import run_id

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EXECUTION", "FAULTS", "KINDS", "OWNERS", "WORDS", "Liar", "Row", "Sent"]

KINDS = ("blaxel", "runwisp", "legacy")
"""Blaxel's API, that of RunWisp 1.x, and that of about 0.4."""
OWNERS = ("alpha", "beta")
"""The jobs or tasks that there are."""
EXECUTION = "exec-of-tasks"
WORDS = {
    "succeeded": "good", "failed": "bad", "timeout": "bad", "running": "open",
    "hibernating": "strange", "": "strange",
}  # fmt: skip
"""How an upstream says that a row stands, and what that comes to."""
FAULTS = (
    "any owner", "any status", "any time", "any order", "overlaps", "skips", "circles", "other clock", "unreadable",
    "unknown words", "forgets", "miscounts", "changes",
)  # fmt: skip
"""Ignores filters and order, repeats or skips rows at the seam of pages, repeats cursors, and so on."""

_SETTLED = 20
"""Requests after which nothing changes any more, so that a walk can end."""


@dataclass(frozen=True)
class Row:
    """An execution or a run, a task of an execution, or a job.

    Attributes:
        minutes: how long ago it was created, by the upstream's clock.
        broken: the field that cannot be read; empty for none.
    """

    number: int
    owner: str
    minutes: int
    word: str
    broken: str = ""


@dataclass(frozen=True)
class Sent:
    """What one answer to a request for a list showed, held against that request.

    Attributes:
        asked: for what, without place and size.
        place: where its page begins: an offset, or a cursor.
        following: the cursor of the next page.
        count: how many rows there are, as it says.
        unasked: whether it has rows that the request excludes.
        disordered: whether its rows are in another order than was asked for.
    """

    asked: frozenset[tuple[str, str]]
    place: str
    following: str
    rows: tuple[Row, ...]
    count: int
    unasked: bool
    disordered: bool


@dataclass
class Liar:
    """An upstream at the network's edge.

    Attributes:
        now: what its clock shows.
        faults: of `FAULTS`.
        seed: decides the details of the faults.
        largest: rows that a page has at most, whatever was asked for.
        kept: minutes after which it forgets a row, if it does.
        what: what its rows are: `attempts`, `tasks` of an execution, or `jobs`.
        sent: every answer to a request for a list of that.
        ever: every row that there was.
    """

    kind: str
    rows: list[Row]
    now: datetime
    faults: frozenset[str] = frozenset()
    seed: int = 0
    largest: int = 5
    kept: int = 300
    what: str = "attempts"
    sent: list[Sent] = field(default_factory=list[Sent])
    ever: dict[str, Row] = field(default_factory=dict[str, Row])
    asked: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311 # no secret
        self.shift = self.random.randint(1, 3)
        self.lie = self.random.choice([-5, -4, -3, 3, 100])
        self.ever = {self.id_of(row): row for row in self.rows}

    def id_of(self, row: Row) -> str:
        """Return a row's id, or its name."""
        if self.what == "attempts" and self.kind != "blaxel":
            return run_id(row.number)
        return f"{self.what[:4]}-{row.number:04}"

    def created(self, row: Row) -> datetime:
        """Return when a row was created."""
        return self.now - timedelta(minutes=row.minutes)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request."""
        answer = self._blaxel if self.kind == "blaxel" else self._runwisp
        response = answer(request.url.path, request.url.params)
        response.headers["Date"] = format_datetime(self.now, usegmt=True)
        return response

    def _blaxel(self, path: str, query: httpx2.QueryParams) -> httpx2.Response:  # noqa: PLR0911 # one a path
        match path.removeprefix("/v0/").split("/"):
            case ["jobs"] if self.what == "jobs":
                return self._page(None, query)
            case ["jobs"]:
                jobs = [{"metadata": {"name": name}, "status": "DEPLOYED"} for name in OWNERS]
                return _json({"data": jobs, "meta": {"hasMore": False, "total": len(jobs)}})
            case ["jobs", name] if name in OWNERS:
                return _json({"metadata": {"name": name}, "status": "DEPLOYED"})
            case ["jobs", name, "executions"] if name in OWNERS and self.what == "attempts":
                return self._page(name, query)
            case ["jobs", _, "executions", identity] if identity in self.ever:
                return _json(self._spell(self.ever[identity]))
            case ["jobs", name, "executions", identity] if identity == EXECUTION:
                return _json({"metadata": {"id": identity, "job": name}, "status": "running"})
            case [*_, identity, "tasks"] if identity == EXECUTION:
                return self._page(None, query)
            case [*_, "tasks"]:
                return _json({"data": [], "meta": {"hasMore": False, "total": 0}})
            case _:
                return _json({"error": "not_found", "code": 404, "message": "not found"}, 404)

    def _page(self, owner: str | None, query: httpx2.QueryParams) -> httpx2.Response:
        """Return a page that ends in a cursor."""
        rows = self._select(owner, query["sort"])
        if "any status" not in self.faults:
            rows = [row for row in rows if row.word.upper() in query.get("status", row.word.upper()).split(",")]
        start = int(query.get("cursor", "at-0").removeprefix("at-"))
        page = rows[start : start + self._size(query)]
        following = start + len(page)
        if "overlaps" in self.faults:
            following = max(start + 1, following - self.shift)
        following += self.shift if "skips" in self.faults else 0
        more = bool(page) and following < len(rows)
        if "circles" in self.faults and start and more:
            following = self.random.choice([0, start])
        cursor, count = f"at-{following}" if more else "", self._count(rows)
        meta = {"hasMore": more, "nextCursor": cursor, "total": count}
        self._note(query, owner, page, count, cursor)
        return _json({"data": [self._spell(row) for row in page], "meta": meta})

    def _runwisp(self, path: str, query: httpx2.QueryParams) -> httpx2.Response:
        match path.removeprefix("/api/").split("/"):
            case ["tasks"] if self.what == "jobs":
                rows = self._select(None, "name:asc")
                rows += rows[: self.shift] if "overlaps" in self.faults else []
                self._note(httpx2.QueryParams(), None, rows, len({*rows}))
                return _json({"items": [self._spell(row) for row in rows]})
            case ["tasks"]:
                return _json({"items": [{"name": name, "kind": "task"} for name in OWNERS]})
            case ["runs"] if self.kind == "runwisp":
                return self._list_runs(query.get("taskName"), query)
            case ["tasks", name, "runs"] if name in OWNERS and self.kind == "legacy":
                return self._list_runs(name, query)
            case ["runs", identity] if identity in self.ever and self.kind == "runwisp":
                return _json(self._spell(self.ever[identity]))
            case _:
                return httpx2.Response(200, html="<!doctype html><title>RunWisp</title>")

    def _list_runs(self, owner: str | None, query: httpx2.QueryParams) -> httpx2.Response:
        """Return a page at an offset."""
        way = query.get("sortDirection") or query.get("sort_direction") or "desc"
        every = self._select(owner, f"createdAt:{way}")
        rows = [row for row in every if self._is_asked_for(row, query)] if self.kind == "runwisp" else every
        start = int(query.get("offset", 0))
        bounded = bool(start or query.get("createdBefore"))
        if "circles" in self.faults:
            start = 0
        if "overlaps" in self.faults and bounded:
            first = every.index(rows[0]) if rows and start == 0 else 0
            rows = [*every[max(first - self.shift, 0) : first], *rows]
            start = max(start - self.shift, 0)
        if "skips" in self.faults and bounded:
            start += self.shift
        page, count = rows[start : start + self._size(query)], self._count(rows)
        if self.kind == "legacy" or len(query) > 1:
            # A query of nothing but a limit asks for any row, and answers no question.
            self._note(query, owner, page, count)
        return _json({"items": [self._spell(row) for row in page] or None, "total": count})

    def _is_asked_for(self, row: Row, query: httpx2.QueryParams, faults: frozenset[str] | None = None) -> bool:
        """Return whether a run of RunWisp 1.x fits the filters, as far as they are heeded."""
        faults, created = self.faults if faults is None else faults, self.created(row)
        if "any time" not in faults:
            after, before = _read(query.get("createdAfter")), _read(query.get("createdBefore"))
            if (after and created < after) or (before and created > before):
                return False
        words = [*filter(None, query.get("status", "").split(","))]
        failing = query.get("isFailure") == "true" and WORDS[row.word] == "bad"
        return "any status" in faults or not (words or query.get("isFailure")) or row.word in words or failing

    def _select(self, owner: str | None, sort: str) -> list[Row]:
        """Return the rows of an owner in order, as far as either is heeded."""
        self._change()
        rows = [row for row in self.rows if row.owner == owner or owner is None or "any owner" in self.faults]
        if "forgets" in self.faults:
            rows = [row for row in rows if row.minutes <= self.kept]
        rows.sort(key=lambda row: self._key(row, sort), reverse=sort.endswith("desc"))
        if "any order" in self.faults:
            random.Random(self.seed).shuffle(rows)  # noqa: S311 # the same disorder each time
        return rows

    def _key(self, row: Row, sort: str) -> tuple[int, int]:
        return (row.number if sort.startswith("name") else -row.minutes, row.number)

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

    def _count(self, rows: Sequence[Row]) -> int:
        return max(len(rows) + (self.lie if "miscounts" in self.faults else 0), 0)

    def _note(
        self, query: httpx2.QueryParams, owner: str | None, page: Sequence[Row], count: int, following: str = ""
    ) -> None:
        """Remember an answer."""
        way = query.get("sort") or query.get("sortDirection") or query.get("sort_direction") or "desc"
        keys = [self._key(row, way) for row in page if row.broken != "created"]
        # Rows of one time, and definitions that come all at once, may have any order.
        keys = [key[:1] for key in keys if self.kind == "blaxel" or self.what == "attempts"]
        fitting = [
            row for row in page if owner in {None, row.owner} and self._is_asked_for(row, query, frozenset())
        ] if self.what == "attempts" else page  # fmt: skip
        asked = frozenset((name, value) for name, value in query.items() if name not in {"limit", "offset", "cursor"})
        self.sent.append(
            Sent(
                asked, query.get("cursor") or query.get("offset") or "", following, tuple(page), count,
                unasked=len(fitting) < len(page),
                disordered=any(one < other if way.endswith("desc") else one > other for one, other in pairwise(keys)),
            )
        )  # fmt: skip

    def _spell(self, row: Row) -> dict[str, Any]:
        """Return a row as the API spells it."""
        created = 7 if row.broken == "created" else _write(self.created(row))
        word: Any = ["?"] if row.broken == "status" else row.word
        if self.what == "jobs" and self.kind != "blaxel":
            return {"name": self.id_of(row), "kind": "task", "cron": ["?"] if row.broken else "* * * * *"}
        if self.what != "attempts":
            metadata = {"name": self.id_of(row), "createdAt": created, "startedAt": created}
            return {"metadata": metadata, "status": word.upper() if self.what == "jobs" and not row.broken else word}
        return (
            self._spell_execution(row, created, word)
            if self.kind == "blaxel"
            else self._spell_run(row, created, word)
        )

    def _spell_execution(self, row: Row, created: str | int, word: Any) -> dict[str, Any]:
        bad = WORDS[row.word] == "bad"
        return {
            "metadata": {"id": self.id_of(row), "job": row.owner, "createdAt": created, "startedAt": created},
            "status": word,
            "stats": {"total": 1, "success": "x" if row.broken == "count" else int(not bad), "failure": int(bad)},
        }

    def _spell_run(self, row: Row, created: str | int, word: Any) -> dict[str, Any]:
        ended = row.word != "running"
        spelt = {
            "id": self.id_of(row), "taskName": row.owner, "status": "ended" if ended else word,
            "createdAt": created, "startedAt": created,
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
