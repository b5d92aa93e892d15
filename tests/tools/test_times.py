"""Times in the tools: which window an answer is of, on whose clock, and for how long what is unfinished has been so."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import httpx2
import pytest
from mcp import Client

from jobtrail.protocol.app import build_server
from tests.sample_client import SAMPLE, FixedClock, answer, rows_of
from tests.upstreams import BLAXEL_HOST, RUNWISP_HOST, Upstream, client_of, execution_of, run_id, run_of, task_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio


BERLIN = FixedClock(ZoneInfo("Europe/Berlin"), "Europe/Berlin")


async def test_a_week_is_all_of_it_so_that_what_failed_in_it_is_found() -> None:
    async with Client(build_server(SAMPLE, clock=FixedClock())) as client:
        _, week = await answer(client, "find_failures", since="2026-W47", until="2026-W47")
        _, days = await answer(client, "find_failures", since="2026-11-16", until="2026-11-22")
    assert week["failures"] == days["failures"] > 0
    assert (week["window"]["since"], week["window"]["until"]) == ("2026-11-16T00:00:00Z", "2026-11-22T23:59:59Z")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("find_failures", {}),
        ("list_runs", {}),
        ("list_executions", {"job": "nightly-etl"}),
        ("history", {"job": "nightly-etl"}),
    ],
)
async def test_an_answer_says_how_it_took_a_local_time_that_was_twice(tool: str, arguments: dict[str, str]) -> None:
    async with Client(build_server(SAMPLE, clock=BERLIN)) as client:
        text, _ = await answer(client, tool, **arguments, since="2026-10-25T02:30", until="2026-10-25T12:00")
    assert "note: since '2026-10-25T02:30' is twice in Europe/Berlin, where clocks turn: it was taken as" in text
    assert "until 2026-10-25T11:00:00Z inclusive" in text


def at(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


class TwoClocks(httpx2.AsyncBaseTransport):
    """A daemon whose clock is an hour behind, and a workspace whose clock is an hour ahead.

    By its own clock, either failed five minutes ago and fifteen; the daemon six hundred times each.
    """

    def __init__(self) -> None:
        self.upstream = Upstream()
        self.leads = {RUNWISP_HOST: timedelta(hours=-1), BLAXEL_HOST: timedelta(hours=1)}
        now = {host: datetime.now(UTC) + lead for host, lead in self.leads.items()}
        self.upstream.runs = [
            run_of(number, "failed", createdAt=at(now[RUNWISP_HOST] - timedelta(minutes=ago)))
            for number, ago in enumerate([5] * 600 + [15] * 600)
        ]
        self.upstream.executions = [
            execution_of(number, "failed", metadata={"id": f"exec-{number}", "job": "etl", "createdAt": at(moment)})
            for number, moment in enumerate(now[BLAXEL_HOST] - timedelta(minutes=ago) for ago in (5, 15))
        ]

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self.upstream.handle_async_request(request)
        response.headers["date"] = format_datetime(datetime.now(UTC) + self.leads[request.url.host], usegmt=True)
        return response


async def test_each_of_several_sources_is_asked_by_its_own_clock_on_every_page(tmp_path: Path) -> None:
    async with client_of(tmp_path, TwoClocks()) as client:
        text, first = await answer(client, "find_failures", since="10m")
        _, second = await answer(client, "find_failures", cursor=first["cursor"])
    assert {one["source"]: one["count"] for one in first["causes"]} == {"blaxel": 1, "runwisp": 499}
    assert {one["source"]: one["count"] for one in second["causes"]} == {"runwisp": 101}
    assert second["coverage"]["complete"]
    begun = datetime.fromisoformat(first["window"]["since"])
    for name, way, lead in (("blaxel", "ahead of", timedelta(hours=1)), ("runwisp", "behind", timedelta(hours=-1))):
        note = re.search(rf"note: the clock of source {name} is \w+ {way} this machine's: .* here since (\S+)", text)
        assert note is not None
        assert abs(datetime.fromisoformat(note[1]) - begun - lead) <= timedelta(seconds=2)


async def test_an_absolute_time_costs_no_request_and_the_difference_is_told_all_the_same(tmp_path: Path) -> None:
    transport = TwoClocks()
    async with client_of(tmp_path, transport) as client:
        text, page = await answer(client, "list_executions", job="etl", since="2026-01-01T00:00Z", source="blaxel")
    assert [path.rpartition("/")[2] for path in transport.upstream.paths()] == ["executions"]
    assert len(page["items"]) == 2
    assert "note: the clock of source blaxel is" in text


async def test_a_time_that_lies_ahead_here_and_has_come_there_is_not_refused(tmp_path: Path) -> None:
    async with client_of(tmp_path, TwoClocks()) as client:
        _, first = await answer(client, "list_executions", job="etl", since="10m", limit=1, source="blaxel")
        newest = first["items"][0]["created_at"]
        _, again = await answer(client, "list_executions", job="etl", since=newest, source="blaxel")
    assert datetime.fromisoformat(newest) > datetime.now(UTC)
    assert [one["id"] for one in again["items"]] == [first["items"][0]["id"]]


class Unfinished(Upstream):
    """A daemon and a workspace with runs, executions and tasks that run or wait, beside some that took two minutes."""

    def __init__(self) -> None:
        super().__init__()
        five, twenty, hour = (at(datetime.now(UTC) - timedelta(minutes=ago)) for ago in (5, 20, 60))
        ended = {
            "createdAt": hour,
            "startedAt": hour,
            "endedAt": at(datetime.fromisoformat(hour) + timedelta(minutes=2)),
        }
        open_run = {"status": "running", "endReason": None, "endedAt": None, "createdAt": twenty}
        self.runs = [
            run_of(9) | open_run | {"startedAt": five},
            run_of(8) | open_run | {"status": "pending", "startedAt": None},
            *(run_of(number, **ended) for number in (3, 2, 1)),
        ]
        named = {"job": "etl", "createdAt": twenty}
        was = {"createdAt": hour, "startedAt": hour, "completedAt": ended["endedAt"]}
        self.executions = [
            execution_of(9, "running", metadata={**named, "id": "exec-9", "startedAt": five}),
            execution_of(8, "queued", metadata={**named, "id": "exec-8"}),
            *(execution_of(number, metadata={**named, **was, "id": f"exec-{number}"}) for number in (3, 2, 1)),
        ]
        self.tasks = [
            task_of(2, "running", metadata={"name": "t-2", "createdAt": twenty, "startedAt": five}),
            task_of(1, "succeeded", metadata={"name": "t-1", **was}),
        ]


@pytest.fixture
async def unfinished(tmp_path: Path) -> AsyncIterator[Client]:
    async with client_of(tmp_path, Unfinished()) as client:
        yield client


def minutes(row: dict[str, Any]) -> int | None:
    return round(row["so_far_s"] / 60) if "so_far_s" in row else None


async def test_every_row_of_what_is_unfinished_says_for_how_long(unfinished: Client) -> None:
    text, runs = await answer(unfinished, "list_runs", job="backup", source="runwisp")
    assert [minutes(one) for one in rows_of(runs)] == [5, 20, None, None, None]
    assert re.search(r"\trunning\t\S+\t5m\d*s? so far", text)
    _, executions = await answer(unfinished, "list_executions", job="etl", source="blaxel")
    assert [minutes(one) for one in rows_of(executions)] == [5, 20, None, None, None]
    _, tasks = await answer(unfinished, "list_tasks", job="etl", execution="exec-9", source="blaxel")
    assert [minutes(one) for one in rows_of(tasks)] == [5, None]


async def test_one_that_is_unfinished_says_for_how_long(unfinished: Client) -> None:
    text, run = await answer(unfinished, "get_run", run=run_id(9), source="runwisp")
    assert minutes(run["run"]) == 5
    assert re.search("duration 5m[0-9]*s? so far", text)
    text, execution = await answer(unfinished, "get_execution", job="etl", execution="exec-9", source="blaxel")
    assert minutes(execution["execution"]) == 5
    assert re.search("ran 5m[0-9]*s? so far", text)
    for kind in ({"run": run_id(9), "source": "runwisp"}, {"job": "etl", "execution": "exec-9", "source": "blaxel"}):
        _, waited = await answer(unfinished, "wait_for", timeout=0, **kind)
        assert minutes(waited["items"][0]) == 5


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("list_runs", {"job": "backup", "source": "runwisp"}),
        ("list_runs", {"source": "runwisp"}),
        ("get_job", {"job": "backup", "source": "runwisp"}),
        (
            "find_failures",
            {"job": "etl", "since": "1d", "status": "running,queued,succeeded", "source": "blaxel"},
        ),
        ("list_executions", {"job": "etl", "source": "blaxel"}),
        ("list_executions", {"job": "etl", "status": "running", "source": "blaxel"}),
        ("get_job", {"job": "etl", "source": "blaxel"}),
    ],
)
async def test_what_is_usual_is_told_where_it_was_read_anyway(
    unfinished: Client, tool: str, arguments: dict[str, str]
) -> None:
    text, _ = await answer(unfinished, tool, **arguments)
    kind, owner = ("run", "backup") if arguments["source"] == "runwisp" else ("execution", "etl")
    assert re.search(
        rf"note: {kind} \S+ of {owner} is queued, 20m\d*s? so far, and 1 more for less; usual is p50 2m, p95 2m, of 3 that",
        text,
    ), text


@pytest.mark.parametrize("given", [{"job": "backup", "source": "runwisp"}, {"job": "etl", "source": "blaxel"}])
async def test_a_history_says_for_how_long_beside_what_is_usual(unfinished: Client, given: dict[str, str]) -> None:
    text, _ = await answer(unfinished, "history", since="1d", **given)
    assert "duration p50 2m · p95 2m" in text
    assert re.search(r"note: 2 not ended, 20m\d*s? so far", text)


async def test_what_is_usual_is_not_told_from_too_few(tmp_path: Path) -> None:
    upstream = Unfinished()
    upstream.runs = upstream.runs[:3]
    async with client_of(tmp_path, upstream) as client:
        listed, _ = await answer(client, "list_runs", job="backup", source="runwisp")
        told, _ = await answer(client, "get_job", job="backup", source="runwisp")
    assert "usual" not in listed + told
    assert "is queued, 20m" in told
    assert "is queued, 20m" not in listed


class DatedAhead(httpx2.AsyncBaseTransport):
    """A daemon whose clock is an hour ahead."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self.upstream.handle_async_request(request)
        response.headers["date"] = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
        return response


async def test_how_long_is_counted_on_the_clock_of_the_source(tmp_path: Path) -> None:
    async with client_of(tmp_path, DatedAhead(Unfinished())) as client:
        _, run = await answer(client, "get_run", run=run_id(9), source="runwisp")
        _, runs = await answer(client, "list_runs", job="backup", source="runwisp")
    assert [minutes(run["run"]), minutes(rows_of(runs)[0])] == [65, 65]
