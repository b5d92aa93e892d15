"""A store of runs for tests of the RunWisp side, and what a refusal of it looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobtrail.plane import Event, Store
from tests.plane.stocks import at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import httpx2

__all__ = ["NAMES", "ordered", "problems", "run", "stocked_runs", "ulid"]

NAMES = ("nightly", "often", "never", "x" * 100, "A.b_c-9")
_ENDINGS = (
    ("success", 0), ("failed", 2), ("timeout", -1), ("crashed", 139), ("stopped", -1), ("log_overflow", 1),
)  # fmt: skip


def ulid(number: int) -> str:
    return f"01JZ{number:022}"


def run(number: int, task: str = "nightly") -> list[Event]:
    """Return a run that ends in the way its number says, or has not ended, or has not begun."""
    name = ulid(number)
    body: dict[str, Any] = {"triggered_by": "cron"}
    if number == 7:
        body = {
            "triggered_by": "cloud", "retry_attempt": 1, "retry_of_run_id": ulid(6), "replica_index": 2,
            "external_execution_id": "execution-7", "params": {"day": "monday"},
        }  # fmt: skip
    events = [Event("run.created", at(number), name, task, body=body)]
    if number == 0:
        return events
    if number == 5:
        skipped = {"end_reason": "skipped", "exit_code": 0}
        return [*events, Event("run.status", at(number), name, task, "ended", skipped)]
    events.append(Event("run.status", at(number + 0.5), name, task, "running"))
    if number != 1:
        reason, code = _ENDINGS[number % len(_ENDINGS)]
        ended = {"end_reason": reason, "exit_code": code}
        # The later ones are the shorter ones.
        events.append(Event("run.status", at(number + 0.5 + 1000 / (number + 1)), name, task, "ended", ended))
    return events


def stocked_runs() -> Store:
    """Return 60 runs of one task, 1,010 of another, none of the others."""
    store = Store(None)
    store.record([Event("definition", at(0), name, body={"name": name, "kind": "task"}) for name in NAMES])
    store.record([event for number in range(60) for event in run(number)])
    store.record([event for number in range(60, 1070) for event in run(number, "often")])
    return store


def ordered(inserted: Sequence[Any], rank: Callable[[Any], Any], direction: str) -> list[Any]:
    """Sort what is given in the order of insertion, in which ties stay whatever the direction."""
    return sorted(inserted, key=rank, reverse=direction != "asc")


async def problems(client: httpx2.AsyncClient, path: str, **params: Any) -> list[dict[str, Any]]:
    """Return what a 422 lists, whose body is problem+json."""
    answer = await client.get(path, params=params)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["title"], body["status"], body["detail"]) == ("Unprocessable Entity", 422, "validation failed")
    assert all(set(one) == {"message", "location", "value"} for one in body["errors"])
    return body["errors"]
