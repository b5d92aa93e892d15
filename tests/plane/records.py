"""Small stores for tests of the plane, and a client of the plane over one."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2

from jobtrail.plane import build_plane
from jobtrail.store import Store
from jobtrail.store.rows import ExecutionRow, JobRow, TaskRow
from jobtrail.times import to_nanoseconds

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping

START = datetime(2026, 11, 1, tzinfo=UTC)
EXECUTIONS, TASKS = "/jobs/etl/executions", "/jobs/etl/executions/exec-000/tasks"
_Changing = TypeVar("_Changing", ExecutionRow, TaskRow)
PAGED = {"Blaxel-Version": "2026-04-28"}


@dataclass
class ManualClock:
    """A clock that is moved by hand."""

    moment: datetime = START

    def __call__(self) -> datetime:
        return self.moment


def time_at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def nanoseconds_at(minutes: float) -> int:
    return to_nanoseconds(time_at(minutes))


def make_job(
    name: str,
    minutes: float = 0,
    *,
    title: str = "",
    labels: Mapping[str, str] | None = None,
    status: str = "DEPLOYED",
    envs: list[dict[str, Any]] | None = None,
) -> JobRow:
    metadata = {"displayName": title, "labels": labels or {}}
    spec = {"enabled": True, "runtime": {"envs": envs or []}}
    return JobRow(name, nanoseconds_at(minutes), nanoseconds_at(minutes), status, metadata, spec)


def make_execution(identity: str, of: str, minutes: float = 0, status: str = "queued", **spec: Any) -> ExecutionRow:
    """Return an execution that was created, began a minute later, and took its status a minute after that."""
    made = ExecutionRow(
        of, identity, "queued", nanoseconds_at(minutes), nanoseconds_at(minutes), spec={"parallelism": 1, **spec}
    )
    return made if status == "queued" else set_status(set_status(made, minutes + 1, "running"), minutes + 2, status)


def make_task(name: str, of: str, minutes: float = 0, *statuses: str, **more: Any) -> TaskRow:
    """Return a task that was scheduled and took one status a minute since."""
    made = TaskRow(
        of,
        name,
        "pending",
        nanoseconds_at(minutes),
        nanoseconds_at(minutes),
        spec={"maxRetries": 2, "timeout": "30m"},
    )
    for number, status in enumerate(statuses, 1):
        made = set_status(made, minutes + number, status)
    return replace(made, **more)


def set_status(one: _Changing, minutes: float, status: str, **more: Any) -> _Changing:
    """Return an execution or task as it is once it has taken a status at a minute."""
    when, begins = nanoseconds_at(minutes), status == "running" != one.status
    if isinstance(one, TaskRow):
        more = {"attempts": one.attempts + begins, **more}
    started = when if begins and one.started_at is None else one.started_at
    ended = when if status in {"succeeded", "failed", "cancelled", "timeout"} else None
    return replace(one, status=status, updated_at=when, started_at=started, ended_at=ended, **more)


class StepCountingStore(Store):
    """A store that counts the steps of SQLite's machine.

    Attributes:
        steps: how many were taken when they were last counted.
    """

    steps = 0

    def _step(self) -> None:
        self.steps += 1

    @contextmanager
    def count_steps(self) -> Generator[None]:
        self.steps = 0
        self._db.set_progress_handler(self._step, 1)
        yield
        self._db.set_progress_handler(None, 0)


@asynccontextmanager
async def open_client(
    store: Store,
    path: str = "/v0",
    *,
    clock: ManualClock | None = None,
    api_key: str | None = None,
    version: str = PAGED["Blaxel-Version"],
) -> AsyncGenerator[httpx2.AsyncClient]:
    """A client of the plane, in the paged contract unless told; an error inside the plane raises here."""
    transport = httpx2.ASGITransport(build_plane(store, api_key=api_key, clock=clock or ManualClock()))
    base = f"http://plane.invalid{path}"
    async with httpx2.AsyncClient(transport=transport, base_url=base, headers={"Blaxel-Version": version}) as client:
        yield client


async def read_all_pages(client: httpx2.AsyncClient, path: str, **params: Any) -> list[dict[str, Any]]:
    """Return the bodies of every page of a list."""
    pages: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await client.get(path, params={**params, **cursor})
        assert answer.status_code == 200, answer.text
        pages.append(answer.json())
        meta = pages[-1]["meta"]
        assert meta["hasMore"] == bool(meta["nextCursor"])
        if not meta["hasMore"]:
            return pages
        cursor = {"cursor": meta["nextCursor"]}


def make_paging_store() -> Store:
    """Return 210 jobs, of one of which there are 110 executions, of the first of which there are 210 tasks."""
    store = Store(None)
    store.write(
        [
            make_job("etl", -1, title="Nightly ETL", labels={"team": "Data Platform", "Env-Tier": "gold"}),
            *(
                make_job(f"job-{number:03}", number, status="FAILED" if number < 5 else "BUILT")
                for number in range(209)
            ),
            *(make_execution(f"exec-{number:03}", "etl", number) for number in range(110)),
            *(make_task(f"task-{number}", "exec-000", 5) for number in range(210)),
        ]
    )
    return store


def read_name(item: dict[str, Any]) -> str:
    metadata = item["metadata"]
    return metadata.get("id") or metadata["name"]


def read_names(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [read_name(item) for item in answer.json()["data"]]


def read_refusal(answer: httpx2.Response, status: int = 400, error: str = "bad_request") -> str:
    """Return the message of a refusal, whose body is in the vendor's shape."""
    body = answer.json()
    assert (answer.status_code, body["error"], body["code"]) == (status, error, status), answer.text
    assert set(body) == {"error", "code", "message"}
    return body["message"]
