"""Logs and events as the sources read them: requests as they go out, answers well and ill, numbers that stay."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import pytest

from jobtrail.errors import StrayCursor, UnknownName, UnreadableAnswer, Unsupported, UpstreamError
from jobtrail.settings import Settings, SourceSettings
from jobtrail.sources import open_sources
from jobtrail.sources.blaxel.registration import BlaxelSettings
from jobtrail.sources.runwisp.event_stream import read_event_data
from jobtrail.sources.runwisp.registration import RunWispSettings
from tests.upstreams import run_id, run_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from jobtrail.logs.log import Lines
    from jobtrail.sources.base import Source

pytestmark = pytest.mark.anyio

START = datetime(2026, 11, 1, tzinfo=UTC)
NOW = START + timedelta(days=1)
BLAXEL = BlaxelSettings(name="bl", url="http://blaxel.invalid/v0", workspace="ws")
RUNWISP = RunWispSettings(name="rw", url="http://runwisp.invalid")
RUN = run_id(1)


@asynccontextmanager
async def source_of(one: SourceSettings, answer: Callable[[httpx2.Request], Any]) -> AsyncGenerator[Source]:
    """A source over an upstream that answers JSON, unless `answer` returns a response of its own."""

    def respond(request: httpx2.Request) -> httpx2.Response:
        found = answer(request)
        return found if isinstance(found, httpx2.Response) else httpx2.Response(200, json=found)

    sources = open_sources(Settings(sources=(one,), default=one.name), httpx2.MockTransport(respond))
    try:
        yield sources.get(None)
    finally:
        await sources.aclose()


def stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


@dataclass
class Observed:
    """Blaxel with an execution `e1` of job `etl` and its log.

    Attributes:
        lines: from the oldest on.
        grows: lines that are added after each log request.
        forgetful: whether the endpoint takes no notice of `offset`.
    """

    lines: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    ended: datetime | None = START + timedelta(minutes=5)
    created: datetime = START
    status: str = ""
    grows: int = 0
    forgetful: bool = False
    asked: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    def write(self, count: int) -> None:
        for _ in range(count):
            number = len(self.lines) + 1
            at = stamp(START + timedelta(milliseconds=number))
            self.lines.append({"timestamp": at, "message": f"line {number}", "severity": 9, "trace_id": ""})

    def __call__(self, request: httpx2.Request) -> Any:
        if request.url.path == "/v0/jobs/etl/executions/e1":
            times = {"createdAt": stamp(self.created)} | ({"completedAt": stamp(self.ended)} if self.ended else {})
            metadata = {"id": "e1", "job": "etl", **times}
            return {
                "metadata": metadata,
                "status": self.status or ("failed" if self.ended else "running"),
                "spec": {},
            }
        assert request.url.path == "/v0/observability/logs"
        asked = dict(request.url.params)
        self.asked.append(asked)
        offset = 0 if self.forgetful else int(asked["offset"])
        page = self.lines[::-1][offset : offset + int(asked["limit"])]
        body = {"etl": {"logs": page, "totalCount": len(self.lines)}}
        self.write(self.grows)
        return body


async def read(upstream: Observed, first: int, want: int, continuation: str = "") -> Lines:
    async with source_of(BLAXEL, upstream) as source:
        log = await source.need_batch().log("etl", "e1", None, NOW, continuation)
        return await log.read(first, want)


def shown(lines: Lines) -> list[tuple[int, str]]:
    return [(line.n, line.text) for line in lines.lines]


async def test_blaxel_is_asked_as_its_command_line_asks() -> None:
    upstream = Observed()
    upstream.write(3)
    async with source_of(BLAXEL, upstream) as source:
        log = await source.need_batch().log("etl", "e1", "task-7", NOW)
        assert shown(await log.read(-2, 2)) == [(2, "line 2"), (3, "line 3")]
    assert upstream.asked == [
        {
            "resourceType": "jobs",
            "workloadIds": "etl",
            "executionId": "e1",
            "taskId": "task-7",
            "start": "2026-11-01T00:00:00",
            "end": "2026-11-01T01:05:01",
            "type": "all",
            "traceId": "",
            "search": "",
            "severity": "FATAL,ERROR,WARNING,INFO,DEBUG,TRACE,UNKNOWN",
            "interval": "60",
            "limit": "2",
            "offset": "0",
        }
    ]


async def test_lines_of_blaxel_are_found_by_a_number_that_counts_from_the_oldest() -> None:
    upstream = Observed()
    upstream.write(2_500)
    assert shown(await read(upstream, 1, 3)) == [(1, "line 1"), (2, "line 2"), (3, "line 3")]
    assert shown(await read(upstream, 2_499, 50)) == [(2_499, "line 2499"), (2_500, "line 2500")]
    assert shown(await read(upstream, 2_501, 50)) == []
    whole = await read(upstream, 300, 1_000)
    assert (whole.lines[0].n, whole.lines[-1].n, len(whole.lines)) == (300, 1_299, 1_000)


@pytest.mark.parametrize("grows", [1, 40, 150])
async def test_a_log_that_grows_between_two_requests_is_read_at_the_same_numbers(grows: int) -> None:
    upstream = Observed(grows=grows, ended=None)
    upstream.write(500)
    lines = await read(upstream, 100, 20)
    assert shown(lines) == [(n, f"line {n}") for n in range(100, 120)]
    assert not lines.final


async def test_a_log_that_grows_faster_than_it_is_read_is_said_to() -> None:
    upstream = Observed(grows=2_000, ended=None)
    upstream.write(500)
    with pytest.raises(UnreadableAnswer, match="faster than it can be read"):
        await read(upstream, 100, 20)


async def test_what_a_cursor_carries_costs_no_second_request_while_nothing_changes() -> None:
    upstream = Observed()
    upstream.write(50)
    async with source_of(BLAXEL, upstream) as source:
        log = await source.need_batch().log("etl", "e1", None, NOW)
        await log.read(-5, 5)
        continuation = log.continuation
    upstream.asked.clear()
    assert shown(await read(upstream, 10, 2, continuation)) == [(10, "line 10"), (11, "line 11")]
    assert [asked["offset"] for asked in upstream.asked] == ["50", "39"]


async def test_that_the_offset_works_is_tried_once() -> None:
    upstream = Observed()
    upstream.write(50)
    async with source_of(BLAXEL, upstream) as source:
        for _ in range(2):
            log = await source.need_batch().log("etl", "e1", None, NOW)
            await log.read(-5, 5)
            await log.read(10, 2)
    assert [asked["offset"] for asked in upstream.asked] == ["0", "50", "39", "0", "39"]


async def test_an_endpoint_that_takes_no_notice_of_the_offset_is_not_believed() -> None:
    upstream = Observed(forgetful=True)
    upstream.write(1_500)
    with pytest.raises(UnreadableAnswer, match="does not page as expected"):
        await read(upstream, 1, 1_000)


async def test_a_log_endpoint_that_is_gone_is_said_once_with_what_to_call_instead() -> None:
    def answer(request: httpx2.Request) -> Any:
        if "observability" in request.url.path:
            return httpx2.Response(404, json={"error": "not found"})
        return Observed()(request)

    async with source_of(BLAXEL, answer) as source:
        log = await source.need_batch().log("etl", "e1", None, NOW)
        with pytest.raises(Unsupported) as refused:
            await log.read(-5, 5)
    assert str(refused.value) == (
        "source 'bl' serves no logs where its vendor's command line reads them; call "
        "get_execution(job='etl', execution='e1') for why tasks failed"
    )


INCOMPLETE: list[tuple[Any, list[str]]] = [
    ({}, []),
    ({"other": {"logs": [], "totalCount": 3}}, []),
    ({"etl": {"logs": None, "totalCount": 0}}, []),
    ({"etl": {"logs": [{}], "totalCount": 1}}, [""]),
    ({"etl": {"logs": [{"message": None, "severity": "ERROR", "timestamp": "soon"}], "totalCount": 1}}, [""]),
    ({"etl": {"logs": [{"message": "x", "more": {}}], "totalCount": 1, "more": []}}, ["x"]),
]


@pytest.mark.parametrize(("body", "texts"), INCOMPLETE)
async def test_what_is_missing_in_a_log_is_absent(body: Any, texts: list[str]) -> None:
    def answer(request: httpx2.Request) -> Any:
        return body if "observability" in request.url.path else Observed()(request)

    async with source_of(BLAXEL, answer) as source:
        lines = await (await source.need_batch().log("etl", "e1", None, NOW)).read(-5, 5)
    assert [line.text for line in lines.lines] == texts


@pytest.mark.parametrize("body", [[], "x", {"etl": []}, {"etl": {"logs": "x"}}, {"etl": {"totalCount": "many"}}])
async def test_what_is_no_log_is_not_read_as_an_empty_one(body: Any) -> None:
    def answer(request: httpx2.Request) -> Any:
        return body if "observability" in request.url.path else Observed()(request)

    async with source_of(BLAXEL, answer) as source:
        with pytest.raises(UnreadableAnswer):
            await (await source.need_batch().log("etl", "e1", None, NOW)).read(-5, 5)


async def test_severities_are_marked_where_they_are_those_of_opentelemetry() -> None:
    upstream = Observed()
    upstream.lines = [
        {"message": str(number), "severity": number} for number in (0, 3, 9, 12, 13, 17, 20, 24, 25, 500)
    ]
    marks = {line.text: line.mark for line in (await read(upstream, -50, 50)).lines if line.mark}
    assert marks == {"13": "warning", "17": "error", "20": "error", "24": "fatal"}


async def test_of_a_long_execution_the_last_three_days_are_read_and_that_is_said() -> None:
    upstream = Observed(ended=START + timedelta(days=9))
    upstream.write(1)
    async with source_of(BLAXEL, upstream) as source:
        log = await source.need_batch().log("etl", "e1", None, START + timedelta(days=10))
        await log.read(-5, 5)
    assert log.note == "at most three days of a log are read; these are the last"
    assert (upstream.asked[0]["start"], upstream.asked[0]["end"]) == ("2026-11-07T01:00:00", "2026-11-10T01:00:01")


async def test_the_log_of_what_still_runs_has_an_open_end() -> None:
    upstream = Observed(created=NOW - timedelta(hours=1), ended=None)
    async with source_of(BLAXEL, upstream) as source:
        log = await source.need_batch().log("etl", "e1", None, NOW)
        lines = await log.read(-5, 5)
    assert (upstream.asked[0]["start"], upstream.asked[0]["end"]) == ("2026-11-01T23:00:00", "2026-11-04T23:00:00")
    assert not lines.final
    assert log.note == "line numbers are provisional while it is written: lines can arrive late, between others"


@pytest.mark.parametrize(("seconds", "final"), [(-2, False), (0, False), (59, False), (61, True), (86_400, True)])
async def test_a_log_that_ended_seconds_ago_may_lack_its_last_lines(seconds: int, final: bool) -> None:
    upstream = Observed(ended=NOW - timedelta(seconds=seconds))
    upstream.write(3)
    async with source_of(BLAXEL, upstream) as source:
        log = await source.need_batch().log("etl", "e1", None, NOW)
        lines = await log.read(-5, 5)
        later = await source.need_batch().log("etl", "e1", None, NOW + timedelta(minutes=5), log.continuation)
        assert (await later.read(1, 3)).final
    assert lines.final == final
    said = "it ended less than 60 s ago: last lines may not have arrived yet, and line numbers are provisional until"
    assert log.note == ("" if final else f"{said} then")


async def test_a_log_of_what_ended_at_no_told_time_has_settled() -> None:
    upstream = Observed(ended=None, status="failed")
    upstream.write(3)
    assert (await read(upstream, -5, 5)).final


@pytest.mark.parametrize("continuation", ["1", "1-2", "1-2-3-4", "-1-0-0", f"0-{2**33:x}-0", "0-0--1"])
async def test_what_no_cursor_of_ours_carries_is_refused(continuation: str) -> None:
    async with source_of(BLAXEL, Observed()) as source:
        with pytest.raises(StrayCursor):
            await source.need_batch().log("etl", "e1", None, NOW, continuation)


def daemon(log: Any, *, modern: bool = True, known: bool = True) -> Callable[[httpx2.Request], Any]:
    """A RunWisp daemon with one run, which answers `log` for its log; anything unknown is its web page."""
    page = httpx2.Response(200, html="<!doctype html>")

    def answer(request: httpx2.Request) -> Any:
        match request.url.path.removeprefix("/api/runs"):
            case "":
                return {"items": [], "total": 0} if modern else page
            case path if path == f"/{RUN}/log":
                return log
            case path if path == f"/{RUN}":
                return run_of(1, "failed") if known else httpx2.Response(404, json={"title": "Not Found"})
            case _:
                return page

    return answer


async def test_lines_of_runwisp_are_numbered_from_one_and_the_daemon_from_zero() -> None:
    asked: list[tuple[str, str]] = []

    def answer(request: httpx2.Request) -> Any:
        asked.append((request.url.params["from"], request.url.params["limit"]))
        line = {"n": 6, "ts": 1_795_528_536_853, "stream": "stderr", "text": "x"}
        return {"lines": [line], "firstAvailable": 4, "totalLines": 7, "truncated": True, "finalized": False}

    async with source_of(RUNWISP, answer) as source:
        log = await source.need_runs().log(RUN)
        lines = await log.read(7, 99_999)
        await log.read(-20, 20)
    assert asked == [("6", "5000"), ("-20", "20")]
    assert (lines.total, lines.first, lines.final) == (7, 5, False)
    (line,) = lines.lines
    assert (line.n, line.text, line.mark) == (7, "x", "stderr")
    assert line.at == datetime(2026, 11, 24, 13, 55, 36, 853_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("log", "numbers"),
    [
        ({"lines": None, "totalLines": 0}, []),
        ({"lines": []}, []),
        ({"lines": [{"text": "a"}, {"text": "b"}], "totalLines": 9}, [8, 9]),
        ({"lines": [{}, {"n": 1, "ts": 10**18, "stream": None, "text": None}]}, [1, 2]),
    ],
)
async def test_what_is_missing_in_a_run_s_log_is_absent(log: Any, numbers: list[int]) -> None:
    async with source_of(RUNWISP, daemon(log)) as source:
        lines = await (await source.need_runs().log(RUN)).read(-5, 5)
    assert [line.n for line in lines.lines] == numbers


@pytest.mark.parametrize(
    ("answer", "error", "sentence"),
    [
        (
            daemon(httpx2.Response(404, json={"title": "Not Found"})),
            Unsupported,
            f"source 'rw' keeps no log of run {RUN}; call get_run(run='{RUN}') for how it ended (failed)",
        ),
        (
            daemon(httpx2.Response(404, json={"title": "Not Found"}), known=False),
            UnknownName,
            f"run='{RUN}' does not exist, or was pruned; call list_runs() for those that are kept",
        ),
        (
            daemon(httpx2.Response(200, html="<!doctype html>"), modern=False),
            Unsupported,
            (
                "source 'rw' serves no logs: its RunWisp is older than 1.0; "
                f"call get_run(run='{RUN}') for how it ended (failed)"
            ),
        ),
    ],
)
async def test_a_run_without_a_log_is_explained_with_what_to_call_instead(
    answer: Callable[[httpx2.Request], Any], error: type[Exception], sentence: str
) -> None:
    async with source_of(RUNWISP, answer) as source:
        log = await source.need_runs().log(RUN)
        with pytest.raises(error) as refused:
            await log.read(-5, 5)
    assert str(refused.value) == sentence


async def test_a_sick_daemon_is_not_said_to_have_no_logs() -> None:
    async with source_of(RUNWISP, daemon(httpx2.Response(200, html="<!doctype html>"))) as source:
        with pytest.raises(UpstreamError, match="text/html"):
            await (await source.need_runs().log(RUN)).read(-5, 5)


def event(kind: str, data: Any) -> str:
    return f"id: 7\nevent: {kind}\ndata: {data if isinstance(data, str) else json.dumps(data)}\n\n"


STREAM = "".join(
    (
        event("ping", {}),
        event("run.started", {"run": run_of(1)}),
        event("system", {"sample": {"cpuUsage": 100}}),
        ": a comment\n\n",
        event("run.completed", '{"run": not JSON'),
        event("run.completed", '{"run": ' + "[" * 100_000),
        event("notification.created", {"run": [1]}),
        event("notification.created", {"run": None}),
        event("run.completed", {"run": run_of(2, "failed")}),
    )
)


async def follow(answer: Callable[[httpx2.Request], Any]) -> list[str]:
    heard: list[str] = []
    async with source_of(RUNWISP, answer) as source:
        with anyio.fail_after(5):
            await source.need_runs().follow(heard.append)
    return heard


async def test_events_tell_which_runs_have_changed() -> None:
    def answer(request: httpx2.Request) -> Any:
        if request.url.path == "/api/events/stream":
            return httpx2.Response(200, text=STREAM, headers={"content-type": "text/event-stream"})
        return {"items": [], "total": 0}

    assert await follow(answer) == [run_id(1), run_id(2)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 70_000])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
async def test_events_are_read_in_pieces_of_any_size(size: int, line_end: str) -> None:
    stream = (event("ping", {}) + "event: two\ndata: {\ndata: }\n\n" + event("run", {"run": 1})).replace(
        "\n", line_end
    )

    async def send_pieces() -> AsyncGenerator[bytes]:
        for start in range(0, len(stream), size):
            yield stream[start : start + size].encode()

    assert [data.strip() async for data in read_event_data(send_pieces())] == [b"{}", b"{\n }", b'{"run": 1}']


@pytest.mark.parametrize("line", [b'data: {"run": ' + b"1" * 65_536, b"data: 1\n" * 8_192], ids=["line", "lines"])
async def test_an_event_without_end_is_not_kept_and_those_after_it_are_heard(line: bytes) -> None:
    async def send_pieces() -> AsyncGenerator[bytes]:
        yield event("run.started", {"run": run_of(1)}).encode()
        for _ in range(500):
            yield line.removesuffix(b"\n")
        yield b"\n\n" + event("run.completed", {"run": run_of(2)}).encode()

    def answer(request: httpx2.Request) -> Any:
        if request.url.path == "/api/events/stream":
            return httpx2.Response(200, content=send_pieces(), headers={"content-type": "text/event-stream"})
        return {"items": [], "total": 0}

    tracemalloc.start()
    try:
        assert await follow(answer) == [run_id(1), run_id(2)]
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 8 * 1024 * 1024


@pytest.mark.parametrize("ill", ["page", "refused", "broken", "compressed"])
async def test_a_daemon_without_events_is_followed_in_silence(ill: str) -> None:
    def answer(request: httpx2.Request) -> Any:
        if request.url.path != "/api/events/stream":
            return {"items": [], "total": 0}
        if ill == "broken":
            raise httpx2.ReadError("gone")
        if ill == "compressed":
            headers = {"content-type": "text/event-stream", "content-encoding": "gzip"}
            return httpx2.Response(200, content=gzip.compress(STREAM.encode()), headers=headers)
        return httpx2.Response(200 if ill == "page" else 401, html="<!doctype html>")

    assert await follow(answer) == []


async def test_an_older_daemon_is_not_asked_for_events() -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> Any:
        asked.append(request.url.path)
        return httpx2.Response(200, html="<!doctype html>")

    assert await follow(answer) == []
    assert asked == ["/api/runs"]
