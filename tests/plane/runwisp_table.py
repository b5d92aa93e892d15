"""Requests in the dialect of RunWisp 1.0.1, and what the plane and a real daemon answer over the same runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.plane.runwisp_records import DEFINITION, FAILURES, PRINTED, WORDED, count_seconds, ulid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import httpx2

ALL = range(len(WORDED))


@dataclass(frozen=True)
class Case:
    """A request and what is answered.

    Attributes:
        request: below `/api`; `{printed}` stands for the id of a run that printed.
        numbers: of the runs on the page, in their order.
        total: how many match; as many as are on the page, unless told.
        holds: what else the answer holds, among other things.
    """

    request: str
    numbers: Sequence[int] | None = None
    total: int | None = None
    status: int = 200
    holds: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def check(self, answer: httpx2.Response) -> None:
        """Compare an answer with what is expected."""
        assert answer.status_code == self.status, answer.text
        kind = "application/json" if self.status == 200 else "application/problem+json"
        assert answer.headers["content-type"] == kind
        body = answer.json()
        assert contains_json(body, self.holds), body
        if self.numbers is not None:
            assert read_numbers(body["items"]) == [*self.numbers]
            assert body["total"] == (len(self.numbers) if self.total is None else self.total)


def read_numbers(runs: Iterable[Mapping[str, Any]] | None) -> list[int]:
    """Return the numbers of runs, which their ids end in."""
    return [int(run["id"][4:]) for run in runs or ()]


def contains_json(body: Any, expected: Any) -> bool:
    """Return whether a JSON value has all that is expected: fields of objects, and every item of lists."""
    if isinstance(expected, dict):
        return all(name in body and contains_json(body[name], value) for name, value in expected.items())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] # JSON
    if isinstance(expected, list):
        return len(body or ()) == len(expected) and all(map(contains_json, body or (), expected))  # pyright: ignore[reportUnknownArgumentType] # JSON
    return body == expected


def sort_worded(key: Callable[[int], Any], *, descending: bool) -> list[int]:
    """Return the runs of task `worded` in an order; those that tie stay in the order of insertion."""
    return sorted(ALL, key=key, reverse=descending)


def _list(query: str, numbers: Sequence[int], total: int | None = None) -> Case:
    return Case(f"/runs?{query}", numbers, total)


def _words(query: str, words: Iterable[str]) -> Case:
    """Return a case that finds the runs of task `worded` that are in some states, the newest first."""
    return _list(f"taskName=worded&{query}", [number for number in reversed(ALL) if WORDED[number] in words])


def _refused(query: str, name: str) -> Case:
    return Case(f"/runs?{query}", status=422, holds={"status": 422, "errors": [{"location": f"query.{name}"}]})


def _log(query: str, first: int, end: int) -> Case:
    lines = [{"n": n, "stream": PRINTED[n][0], "text": PRINTED[n][1]} for n in range(first, end)]
    about = {"firstAvailable": 0, "totalLines": 3, "finalized": True}
    return Case(f"/runs/{{printed}}/log?{query}", holds={"lines": lines, **about})


_EARLY = "createdBefore=2026-11-01T01:00:00Z"
"""All but those of task `many`."""
_TIED, _FINE = (23, 20, 24, 21, 22), (32, 31, 30)
ORDERS: dict[str, Callable[[int], Any]] = {
    "createdAt": lambda number: number,
    "startedAt": lambda number: number,
    "status": lambda number: ("pending", "running", "ended")[min(number, 2)],
    "exitCode": lambda number: number % 3 if number > 1 else 0,
    "duration": count_seconds,
    "taskName": lambda _: 0,
}
"""What each order compares of the runs of task `worded`."""
_RETRY = {
    "id": ulid(3), "taskName": "worded", "status": "ended", "endReason": "failed", "isFailure": True, "exitCode": 0,
    "startedAt": "2026-11-01T00:03:10Z", "endedAt": "2026-11-01T00:03:12Z", "triggeredBy": "cli",
    "createdAt": "2026-11-01T00:03:00Z", "retryAttempt": 1, "retryOfRunId": ulid(2), "instanceIndex": 1,
}  # fmt: skip

TABLE = (
    # Pages
    _list("taskName=many", range(1104, 1054, -1), 1005),
    _list("taskName=many&limit=1000", range(1104, 104, -1), 1005),
    _list("taskName=many&limit=3&offset=1003", (101, 100), 1005),
    _list("taskName=many&limit=3&offset=1005", (), 1005),
    _list("taskName=tied&limit=2&offset=2", (24, 21), 5),
    _list("taskName=nope", ()),
    _list("taskName=tied&status=&search=&createdAfter=&createdBefore=&isFailure=&sortField=&sortDirection=", _TIED),
    # Orders
    _list(_EARLY, (*_FINE, *_TIED, *reversed(ALL))),
    _list(f"{_EARLY}&sortDirection=asc", (*ALL, *_TIED, *reversed(_FINE))),
    _list(f"{_EARLY}&sortField=taskName&sortDirection=asc", (*reversed(_FINE), *_TIED, *ALL)),
    *(_list(f"taskName=tied&sortField={field}&sortDirection=asc", _TIED) for field in ORDERS),
    *(_list(f"taskName=tied&sortField={field}&sortDirection=desc", _TIED) for field in ORDERS),
    *(
        _list(
            f"taskName=worded&sortField={name}&sortDirection={direction}",
            sort_worded(key, descending=direction == "desc"),
        )
        for name, key in ORDERS.items()
        for direction in ("asc", "desc")
    ),
    # Filters
    *(_words(f"status={word}", {word}) for word in WORDED),
    _words("status=ended", WORDED[2:]),
    _words("status=ended,failed", WORDED[2:]),
    _words("status=pending,timeout", {"pending", "timeout"}),
    _words("status=running,pending", {"pending", "running"}),
    _words("status=nope,failed", {"failed"}),
    *(_words(f"status={word}", ()) for word in ("nope", "Failed", "success")),
    _words("isFailure=true", FAILURES),
    _words("isFailure=false", WORDED),
    _words("isFailure=true&status=succeeded", {*FAILURES, "succeeded"}),
    _words("isFailure=true&status=failed,timeout", FAILURES),
    _words("isFailure=true&createdAfter=2026-11-01T00:12:00Z", {"missed", "start_failed"}),
    _list("taskName=fine&createdBefore=2026-11-01T00:30:00.000000002Z", (31, 30)),
    _list("taskName=fine&createdAfter=2026-11-01T01:30:00.000000002%2B01:00", (32, 31)),
    _list("createdAfter=2026-11-01T00:30:00.000000002Z&createdBefore=2026-11-01T00:30:00.000000002Z", (31,)),
    _list("taskName=tied&createdBefore=2026-11-01T00:20:00Z&offset=3", (21, 22), 5),
    _list("taskName=tied&createdAfter=2026-11-01T00:20:00Z&offset=3&sortDirection=asc", (21, 22), 5),
    _list("createdAfter=9999-12-31T23:59:59Z", ()),
    _list("search=IED", _TIED),
    _list(f"search={ulid(31).lower()}", (31,)),
    _list("search=failed", ()),
    # What is wrong
    *(_refused(f"limit={value}", "limit") for value in ("0", "-5", "1001", "ten", "1.5", "9" * 40)),
    *(_refused(f"offset={value}", "offset") for value in ("-1", "x", str(2**63))),
    *(_refused(f"createdAfter={value}", "createdAfter") for value in ("x", "2026-11-01", "2026-02-30T00:00:00Z")),
    _refused("createdBefore=2026-11-01T00:00:00", "createdBefore"),
    _refused("isFailure=yes", "isFailure"),
    _refused("sortField=created_at", "sortField"),
    _refused("sortDirection=down", "sortDirection"),
    # One run, and what it wrote
    Case(f"/runs/{ulid(3)}", holds=_RETRY),
    Case(f"/runs/{ulid(99999)}", status=404, holds={"status": 404, "title": "Not Found"}),
    _log("", 0, 3),
    _log("from=0&limit=2", 0, 2),
    _log("from=1&limit=1", 1, 2),
    _log("from=-1", 2, 3),
    _log("from=-2&limit=1", 1, 2),
    _log("from=-99&limit=1", 0, 1),
    _log("from=3", 3, 3),
    _log("limit=10000", 0, 3),
    Case(f"/runs/{ulid(99999)}/log", status=404, holds={"status": 404}),
    Case("/runs/{printed}/log?limit=10001", status=422, holds={"errors": [{"location": "query.limit"}]}),
    # What is defined, and by whom
    Case("/tasks", holds={"items": [{"name": "never"}, DEFINITION, {"name": "tied"}, {"name": "worded"}]}),
    Case("/daemon", holds={"version": "1.0.1"}),
)
