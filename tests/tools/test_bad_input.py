"""Bad input: whatever an agent sends, it reads what was wrong and what to call next, and nothing leaves its path."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client

from jobtrail.paging import Position, Trail
from jobtrail.paging.cursor import Cursor, seal, unseal
from jobtrail.protocol.app import build_server
from jobtrail.sources import fingerprint
from jobtrail.tools import TOOLS
from tests.hypothesis_profiles import scale_examples
from tests.sample_client import answer, text_of
from tests.upstreams import (
    GOOD,
    SECRETS,
    Upstream,
    client_of,
    execution_of,
    is_plain,
    run_id,
    run_of,
    settings_of,
    task_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


pytestmark = pytest.mark.anyio

MOST_CHARS = 400
NEXT_STEP = re.compile(
    r"call \w+|give |it takes|there are|it can be|valid:|closest:|configured:|such as|does not fit|swap|"
    r"start again with list_"
)
LONG = "n" * 10_000
INTENDED = re.compile(
    r"/v0/jobs(/[^/?#]+(/executions(/[^/?#]+(/tasks)?)?)?)?|/api/(runs|tasks)|/api/runs/[0-9A-Z]{26}(/log)?"
)


class Stocked(Upstream):
    """An upstream with 250 of everything, so that every list has a cursor."""

    def __init__(self) -> None:
        super().__init__()
        self.executions = [execution_of(number, "failed") for number in reversed(range(250))]
        self.tasks = [task_of(number, "failed") for number in reversed(range(250))]
        self.runs = [run_of(number, "failed") for number in reversed(range(250))]


@pytest.fixture
def upstream() -> Stocked:
    return Stocked()


@pytest.fixture
async def client(upstream: Stocked, tmp_path: Path) -> AsyncGenerator[Client]:
    async with client_of(tmp_path, upstream) as client:
        yield client


def assert_sound(text: str) -> None:
    """Check what every answer keeps, refusal or page: it was foreseen, and it is safe."""
    assert "failed inside Jobtrail" not in text
    assert "Error executing tool" not in text
    assert "Traceback" not in text
    assert "pydantic" not in text
    assert not [secret for secret in SECRETS if secret in text]
    assert all(is_plain(line.replace("\t", "")) for line in text.split("\n"))


async def refusal(client: Client, tool: str, arguments: dict[str, Any]) -> str:
    """Return the sentence that a call is refused with."""
    with anyio.fail_after(20):
        result = await client.call_tool(tool, arguments)
    text = text_of(result)
    assert result.is_error, text
    assert_sound(text)
    assert text.isprintable()
    assert len(text) < MOST_CHARS
    assert NEXT_STEP.search(text), text
    return text


ETL = {"job": "etl"}
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "unknown-job": ("list_executions", {"job": "elt"}, "job='elt' does not exist in any of the sources blaxel, runwisp"),
    "unknown-job-like-none": ("get_job", {"job": "zzz"}, "call list_jobs(source=…) for what exists"),
    "unknown-job-of-tasks": ("list_tasks", {"job": "etll", "execution": "x"}, "blaxel, runwisp; closest: etl"),
    "unknown-task": ("list_runs", {"job": "bakup"}, "blaxel, runwisp; closest: backup"),
    "unknown-definition": ("get_job", {"job": "bakup", "source": "runwisp"}, "job='bakup' does not exist; closest"),
    "unknown-execution": (
        "get_execution",
        {**ETL, "execution": "exec-9"},
        "execution='exec-9' does not exist in job 'etl'; call list_executions(job='etl')",
    ),
    "newest-execution": (
        "list_tasks",
        {**ETL, "execution": "latest"},
        "call list_executions(job='etl') for those that do; get_execution without one takes the newest",
    ),
    "unknown-execution-of-tasks": ("list_tasks", {**ETL, "execution": "exec-9"}, "execution='exec-9' does not exist"),
    "unknown-run": ("get_run", {"run": run_id(999)}, "does not exist, or was pruned; call list_runs()"),
    "malformed-run": ("get_run", {"run": "42"}, "run='42' is not a run id; ids are 26 letters and digits"),
    "run-with-a-path": ("get_run", {"run": "../tasks"}, "run='../tasks' is not a run id"),
    "unknown-source": ("list_jobs", {"source": "blaxl"}, "source='blaxl' is not configured; closest: blaxel"),
    "source-without-runs": ("list_runs", {"source": "blaxel"}, "source 'blaxel' (blaxel) has no runs; call list"),
    "source-without-executions": ("list_executions", {**ETL, "source": "runwisp"}, "has no executions; call list"),
    "unknown-status": ("list_executions", {**ETL, "status": "faild"}, "status='faild' is not a status; closest: failed"),
    "unknown-status-among-known": ("list_runs", {"status": "failed,brokn"}, "status='brokn' is not a status; "),
    "no-status-at-all": ("list_runs", {"status": " , "}, "names no status; give one or more of queued, running"),
    "unknown-deployment-status": ("list_jobs", {"status": "deploid"}, "closest: deployed; valid: building"),
    "deployment-status-of-tasks": ("list_jobs", {"status": "failed", "source": "runwisp"}, "call list_runs(status="),
    "unknown-sort": ("list_executions", {**ETL, "sort": "size:desc"}, "give one of created_at, name, duration with :asc"),
    "unknown-direction": ("list_runs", {"sort": "created_at:up"}, "sort='created_at:up' is not an order; give"),
    "misspelt-window": ("list_runs", {"since": "yesteday"}, "since='yesteday' is not a time; give 24h, 2 hours ago"),
    "unit-that-is-none": ("list_runs", {"until": "3y"}, "until='3y' is not a time; give 24h"),
    "day-that-is-none": ("list_runs", {"since": "2026-02-30"}, "since='2026-02-30' is not a time"),
    "since-after-until": ("list_runs", {"since": "1h", "until": "2h"}, "since='1h' is later than until='2h'; swap"),
    "since-in-the-future": ("list_runs", {"since": "2999-01-01"}, "lies in the future (the server's now is "),
    "window-before-time": ("list_runs", {"since": "999999w"}, "since='999999w' is not within the years 1 to 9999"),
    "window-after-time": ("list_runs", {"until": "9999-12-31T23:59:59-14:00"}, "is not within the years 1 to 9999"),
    "window-of-10000-characters": ("list_runs", {"since": "9" * 10_000}, "is not a time; give"),
    "cursor-and-arguments": (
        "list_executions",
        {**ETL, "limit": 5, "cursor": "1abc"},
        "a cursor carries its own arguments, but job, limit came with it; call list_executions(cursor=…) alone",
    ),
    "cursor-and-source": ("list_runs", {"cursor": "1abc", "source": "runwisp"}, "but source came with it; call"),
    "limit-of-text": ("list_jobs", {"limit": "many"}, "list_jobs: limit='many' does not fit: Input should be"),
    "limit-of-a-fraction": ("list_jobs", {"limit": 1.5}, "list_jobs: limit=1.5 does not fit"),
    "job-that-is-a-number": ("list_executions", {"job": 5}, "list_executions: job=5 does not fit"),
    "job-that-is-a-list": ("list_executions", {"job": ["etl"]}, "list_executions: job=['etl'] does not fit"),
    "misspelt-argument": ("list_runs", {"stauts": "failed"}, "has no argument 'stauts'; closest: status"),
    "argument-of-another-tool": ("list_runs", {"execution": "e1"}, "list_runs has no argument 'execution'; "),
    "unknown-tool": ("list_job", {}, "there is no tool 'list_job'; closest: list_jobs; there are list_jobs"),
    "missing-job": ("list_executions", {}, "list_executions needs job; call list_jobs() for its values"),
    "missing-job-of-get": ("get_job", {}, "get_job needs job; call list_jobs() for its values"),
    "missing-run": ("get_run", {}, "get_run needs run; call list_runs() for its values"),
    "query-too-long": ("list_jobs", {"query": LONG}, "query has 10000 characters; give at most 200"),
    "source-too-long": ("list_jobs", {"source": "x" * 40_000}, "list_jobs: source has 40,000 characters; give at most"),
    "list-too-long": ("list_runs", {"status": ["failed"] * 10_000}, "list_runs: status has 69,999 characters; give"),
    "statuses-too-long": ("list_runs", {"status": "failed," * 200}, "status has 1,400 characters; give at most 1,000, "),
    "statuses-too-many": ("find_failures", {"status": ["failed"] * 200}, "status has 1,399 characters; give at most"),
    "deployment-statuses-too-long": ("list_jobs", {"status": "failed," * 200}, "status has 1,400 characters; give"),
    "name-of-an-argument-too-long": ("list_jobs", {"query" * 100_000: 1}, "…'; it takes query, status, sort"),
    "search-too-long-to-send": ("list_runs", {"query": "\u20ac" * 30_000}, "too long to send to source 'runwisp'"),
    "task-too-long-to-send": ("list_runs", {"job": "\u20ac" * 30_000, "source": "runwisp"}, "too long to send to source 'runwisp'"),
}  # fmt: skip


@pytest.mark.parametrize(("tool", "arguments", "says"), REFUSED.values(), ids=REFUSED)
async def test_a_call_that_cannot_be_answered_says_why_and_what_to_call(
    tool: str, arguments: dict[str, Any], says: str, client: Client
) -> None:
    assert says in await refusal(client, tool, arguments)
    await answer(client, "list_jobs")


NAMES = {
    "slash": "etl/executions",
    "leading-slash": "/etl",
    "dots": "..",
    "dot": ".",
    "dots-in-spaces": " .. ",
    "dots-behind-a-tab": "\t..",
    "a-way-up": "../../oauth/token",
    "a-way-up-inside": "etl/../../secrets",
    "quoted-slash": "etl%2Fexecutions",
    "quoted-dots": "%2e%2e",
    "twice-quoted": "%252e%252e%252f",
    "backslash": "..\\..\\x",
    "query": "etl?show_secrets=true",
    "fragment": "etl#top",
    "semicolon": "etl;a=b",
    "address": "https://evil.test/",
    "two-slashes": "//evil.test/x",
    "user": "@evil.test",
    "spaces": "my job",
    "umlaut": "n\u00e4chtlich",
    "emoji": "\U0001f680",
    "full-width-dots": "\uff0e\uff0e",
    "right-to-left": "\u202eetl",
    "ansi": "\x1b[31metl",
    "null": "etl\x00",
    "newline": "etl\r\nHost: evil.test",
    "delete": "\x7f",
    "quotes": "etl'\"`",
    "format": "{0} %s {etl.__class__}",
    "longest": "n" * 200,
    "longer": "n" * 201,
    "10000-characters": LONG,
    "surrogate": "etl\ud800",
    "surrogate-alone": "\udfff",
    "empty": "",
    "blank": " ",
    "no-break-space": "\u00a0",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_a_hostile_name_is_unknown_and_never_leaves_its_place_in_the_path(
    name: str, client: Client, upstream: Stocked
) -> None:
    for tool, arguments in (
        ("get_job", {"job": name}),
        ("get_job", {"job": name, "source": "runwisp"}),
        ("list_executions", {"job": name}),
        # Without an execution it is the newest, and an execution is found without its job.
        ("get_execution", {"job": name if name.strip() else "none", "execution": "exec-0001"}),
        ("get_execution", {"job": "etl", "execution": name if name.strip() else "none"}),
        ("list_tasks", {"job": "etl", "execution": name if name.strip() else "none"}),
        ("list_tasks", {"job": name, "execution": name}),
        ("get_run", {"run": name}),
        ("list_jobs", {"source": name or "none"}),
    ):
        await refusal(client, tool, arguments)
    if name:
        await refusal(client, "list_runs", {"job": name})
    for path in upstream.paths():
        assert INTENDED.fullmatch(path), path
        segments = path.split("/")
        assert not {".", ".."} & {unquote(segment) for segment in segments}
        assert all(unquote(segment) in {name, "none", *NAMES_IN_PATHS} for segment in segments), path
    assert not [request for request in upstream.requests if "show_secrets" in request.url.params]
    assert {request.url.host for request in upstream.requests} <= {"blaxel.test", "runwisp.test"}


NAMES_IN_PATHS = {"", "v0", "api", "jobs", "executions", "tasks", "runs", "etl", "exec-0001"}


@pytest.mark.parametrize("tool", ["list_jobs", "list_executions", "list_tasks", "list_runs"])
@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
async def test_a_lone_surrogate_in_a_filter_is_refused_by_name(tool: str, text: str, client: Client) -> None:
    filters = {"list_jobs": ("query", "status"), "list_runs": ("query", "since")}.get(tool, ("query", "sort"))
    for name in (*filters, "cursor", "source"):
        assert f"{tool}: {name} holds a lone surrogate" in await refusal(client, tool, {name: text})
    assert "holds a lone surrogate" in await refusal(client, "list_runs", {"status": ["failed", text]})


@pytest.mark.parametrize(("asked", "taken"), [(0, 1), (-5, 1), (101, 100), (10**9, 100), (10**400, 100)])
@pytest.mark.parametrize("source", GOOD)
async def test_a_limit_out_of_range_is_taken_as_the_nearest_and_said_once(
    source: str, asked: int, taken: int, client: Client
) -> None:
    tool, arguments = GOOD[source]
    text, found = await answer(client, tool, **arguments, limit=asked)
    assert len(found["items"]) == taken
    assert re.fullmatch(rf"limit \S+ was taken as {taken}; it can be 1 to 100", found["notes"][0])
    assert len(text) < taken * 100 + 1_000
    _, following = await answer(client, tool, cursor=found["cursor"])
    assert len(following["items"]) == taken
    assert "notes" not in following
    assert not {item["id"] for item in found["items"]} & {item["id"] for item in following["items"]}


async def test_a_limit_written_as_digits_is_that_number(client: Client) -> None:
    _, found = await answer(client, "list_runs", limit="7")
    assert len(found["items"]) == 7


async def test_either_version_of_runwisps_word_for_success_finds_the_successes(
    client: Client, upstream: Stocked
) -> None:
    upstream.runs = [run_of(1), run_of(0, "failed")]
    for word in ("success", "succeeded", "SUCCESS"):
        _, found = await answer(client, "list_runs", status=word)
        assert [item["id"] for item in found["items"]] == [run_id(1)]


LISTS: dict[str, dict[str, Any]] = {
    "list_executions": {"job": "etl", "status": "failed", "limit": 20},
    "list_tasks": {"job": "etl", "execution": "exec-0249", "status": "failed", "limit": 20},
    "list_runs": {"status": "failed", "since": "2026-01-01", "limit": 20},
}
NOT_A_CURSOR = (
    "this is not a cursor that Jobtrail returned, or it was cut short or altered in copying; copy the whole"
)


async def cursor_of(client: Client, tool: str, **more: Any) -> str:
    _, found = await answer(client, tool, **{**LISTS[tool], **more})
    return found["cursor"]


@pytest.mark.parametrize(
    "token",
    [" ", "1", ".", "1Ab…", "None", "eyJhIjoxfQ==", "1" + "A" * 9_000, "1" * 100_000, "\x00", "1.~" * 50],
    ids=repr,
)
@pytest.mark.parametrize("tool", ["list_jobs", *LISTS])
async def test_what_is_no_cursor_says_so(tool: str, token: str, client: Client) -> None:
    assert NOT_A_CURSOR in await refusal(client, tool, {"cursor": token})


@pytest.mark.parametrize("tool", LISTS)
async def test_a_cursor_cut_short_anywhere_says_so(tool: str, client: Client) -> None:
    token = await cursor_of(client, tool)
    for length in range(1, len(token)):
        assert NOT_A_CURSOR in await refusal(client, tool, {"cursor": token[:length]})


@pytest.mark.parametrize("tool", LISTS)
async def test_a_cursor_with_one_character_changed_anywhere_says_so(tool: str, client: Client) -> None:
    token = await cursor_of(client, tool)
    for place, character in enumerate(token):
        other = "B" if character == "A" else "A"
        text = await refusal(client, tool, {"cursor": token[:place] + other + token[place + 1 :]})
        assert text.startswith(NOT_A_CURSOR if place else "this cursor was made by another version of Jobtrail")


@pytest.mark.parametrize("tool", LISTS)
async def test_a_cursor_of_another_tool_names_its_own(tool: str, client: Client) -> None:
    token = await cursor_of(client, tool)
    for other in {"list_jobs", *LISTS} - {tool}:
        text = await refusal(client, other, {"cursor": token})
        assert text == f"this cursor continues {tool}, not {other}; call {tool}(cursor=…) with it"


async def test_a_cursor_of_another_version_says_to_start_again(client: Client) -> None:
    token = await cursor_of(client, "list_runs")
    text = await refusal(client, "list_runs", {"cursor": f"2{token[1:]}"})
    assert "another version of Jobtrail; call list_runs() again with the arguments of the first page" in text


async def test_a_cursor_of_a_source_that_is_gone_says_how_to_start_again(client: Client, tmp_path: Path) -> None:
    token = await cursor_of(client, "list_executions")
    gone = {"BL_API_KEY": None, "BL_WORKSPACE": None, "BL_API_URL": None}
    async with client_of(tmp_path, Stocked(), **gone) as other:
        text = await refusal(other, "list_executions", {"cursor": token})
    assert "walks source 'blaxel', which is no longer configured (configured: runwisp)" in text
    assert text.endswith("start again with list_executions(job='etl', status='failed', limit=20)")


@pytest.mark.parametrize("change", [{"BL_WORKSPACE": "other"}, {"BL_API_URL": "https://elsewhere.test/v0"}])
async def test_a_cursor_of_a_source_that_points_elsewhere_says_how_to_start_again(
    change: dict[str, str], client: Client, tmp_path: Path
) -> None:
    token = await cursor_of(client, "list_executions")
    elsewhere = Stocked()
    async with client_of(tmp_path, elsewhere, **change) as other:
        text = await refusal(other, "list_executions", {"cursor": token})
    assert text.startswith("source 'blaxel' points at another upstream than when this cursor was made; start again")
    assert elsewhere.requests == []


async def test_a_cursor_older_than_blaxel_keeps_it_says_how_to_start_again(client: Client, upstream: Stocked) -> None:
    cursor = unseal(await cursor_of(client, "list_executions", limit=100), "list_executions")
    assert cursor.position.upstream
    asked = len(upstream.requests)
    old = seal(replace(cursor, minted=int(time.time()) - 25 * 3600 - 60))
    text = await refusal(client, "list_executions", {"cursor": old})
    assert text.startswith(
        "this cursor is 25 h old and its upstream keeps cursors for 24 h; start again with list_ex"
    )
    assert len(upstream.requests) == asked
    young = seal(replace(cursor, minted=int(time.time()) - 23 * 3600))
    _, found = await answer(client, "list_executions", cursor=young)
    assert len(found["items"]) == 100


HUGE = 10**6_000
ODD_ARGS: dict[str, Any] = {
    "no-job": {},
    "job-is-a-number": {"job": 5},
    "job-is-dots": {"job": ".."},
    "job-is-blank": {"job": " "},
    "job-with-a-path": {"job": "../secrets"},
    "job-of-10000": {"job": LONG},
    "nested": {"job": [[[["etl"]]]]},
    "object": {"job": {"a": {"b": 1}}},
    "none": {"job": None},
    "limit-out-of-range": {"limit": 10**9},
    "limit-huge": {"limit": 10**4_000},
    "limit-negative": {"limit": -1},
    "limit-text": {"limit": "all"},
    "limit-bool": {"limit": True},
    "limit-float": {"limit": 1e300},
    "unknown-status": {"status": "exploded"},
    "status-number": {"status": 5},
    "since-nonsense": {"since": "whenever"},
    "since-number": {"since": 20260101},
    "until-before-since": {"since": "1h", "until": "2h"},
    "sort-nonsense": {"sort": "size:desc"},
    "query-too-long": {"query": "q" * 5_000},
    "unknown-argument": {"show_secrets": "true"},
    "argument-with-a-line": {"a\nmore: list_jobs()": "b\x1b[31m"},
}
ODD_POSITIONS: dict[str, Position] = {
    "foreign-text": Position("", ("x", "y", "z")),
    "foreign-count": Position("", (1,)),
    "too-many": Position("", (1, "exec-0001", 2, 3, 4, "x")),
    "negative": Position("", (-5, "exec-0001", -7, -9)),
    "zero": Position("", (0, "", 0, 0)),
    "beyond": Position("", (10**9, "exec-9999", 10**18, 10**9)),
    "end-of-time": Position("", (253_402_300_799_999_999_999, run_id(3), 1, 1)),
    "past-the-end-of-time": Position("", (253_402_300_800_000_000_000, run_id(3), 1, 1)),
    "huge": Position("", (HUGE, "exec-0001", HUGE, HUGE)),
    "tied-beyond": Position("", (10**18, run_id(3), 10**20, 10**20)),
    "foreign-upstream": Position("at-0&limit=9#?/..", (3, "exec-0001", 5)),
    "long-upstream": Position("a" * 5_000),
    "upstream-of-lines": Position("a\r\nHost: evil.test"),
}
ODD_FIELDS: dict[str, dict[str, Any]] = {
    "source-number": {"source": 5},
    "source-unknown": {"source": "nowhere\x1b[31m"},
    "source-other-kind": {"source": "other"},
    "fingerprint-number": {"fingerprint": 5},
    "tool-list": {"tool": ["list_executions"]},
    "minted-negative": {"minted": -1},
    "minted-in-future": {"minted": 10**15, "position": Position("at-20")},
    "minted-huge": {"minted": HUGE, "position": Position("at-20")},
    "scanned-huge": {"scanned": HUGE},
    "scanned-large": {"scanned": 10**22, "matched": 10**22},
    "matched-negative": {"matched": -2},
    "trail-huge": {"trail": Trail(HUGE, HUGE)},
    "trail-of-4300-digits": {"trail": Trail(10**4_299, 10**4_299)},
    "trail-large": {"trail": Trail(36**16 - 1, 36**16 - 1)},
    "args-list": {"args": [["job", "etl"]]},
    "args-text": {"args": "job"},
    "args-none": {"args": None},
}
HOSTILE: dict[str, dict[str, Any]] = {
    **{f"args-{name}": {"more": args} for name, args in ODD_ARGS.items()},
    **{f"position-{name}": {"position": position} for name, position in ODD_POSITIONS.items()},
    **{f"field-{name}": fields for name, fields in ODD_FIELDS.items()},
}


async def assert_refused_or_answered(client: Client, tool: str, token: str) -> None:
    """Check that a cursor which someone made up gets a sentence or a valid page."""

    async def told(progress: float, total: float | None, message: str | None) -> None:
        await anyio.lowlevel.checkpoint()

    with anyio.fail_after(20):
        result = await client.call_tool(tool, {"cursor": token}, progress_callback=told)
    text = text_of(result)
    assert_sound(text)
    if not result.is_error:
        assert result.structured_content is not None
        assert len(result.structured_content["items"]) <= 100
        return
    assert "\n" not in text
    assert not re.search(r"\d{100}", text)


@pytest.mark.parametrize("changes", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("tool", LISTS)
async def test_a_well_sealed_cursor_of_hostile_content_is_refused_or_answered(
    tool: str, changes: dict[str, Any], client: Client, upstream: Stocked
) -> None:
    cursor = unseal(await cursor_of(client, tool), tool)
    if "more" in changes:
        changes = {"args": {**cursor.args, **changes["more"]} if changes["more"] else {}}
    if changes.get("source") == "other":
        changes = {"source": "blaxel" if cursor.source == "runwisp" else "runwisp"}
    asked = len(upstream.requests)
    await assert_refused_or_answered(client, tool, seal(replace(cursor, **changes)))
    for path in upstream.paths()[asked:]:
        assert INTENDED.fullmatch(path), path
        assert not {".", ".."} & {unquote(segment) for segment in path.split("/")}


PAYLOADS = {
    "nested-without-end": "[" * 16_000,
    "nested-arguments": '["{tool}","{source}","{mark}",' + '{"job":' * 3_000 + "1" + "}" * 3_000 + "]",
    "surrogate-job": '["{tool}","{source}","{mark}",{"job":"\\ud800","execution":"x","task":"\\ud800"}]',
    "surrogate-search": '["{tool}","{source}","{mark}",{"job":"etl","search":"\\ud800","query":"\\ud800"}]',
    "surrogate-name": '["{tool}","{source}","{mark}",{"\\ud800":"x"}]',
    "surrogate-source": '["{tool}","\\ud800","{mark}",{}]',
    "null": "null",
    "object": "{}",
    "short": '["{tool}"]',
    "not-a-number": '["{tool}","{source}","{mark}",{"limit":NaN}]',
    "digits": '["{tool}","{source}","{mark}",{"limit":1' + "0" * 5_000 + "}]",
    "larger-than-any": '["{tool}","{source}","{mark}",{"job":"' + "x" * 20_000 + '"}]',
    "not-json": "{tool}",
}  # fmt: skip


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize("tool", LISTS)
async def test_a_well_sealed_cursor_that_no_server_wrote_is_refused_or_answered(
    tool: str, payload: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = unseal(await cursor_of(client, tool), tool)
    for place, value in (("{tool}", tool), ("{source}", cursor.source), ("{mark}", cursor.fingerprint)):
        payload = payload.replace(place, value)
    with monkeypatch.context() as patched:
        patched.setattr(json, "dumps", partial(str.format, payload.replace("{", "{{").replace("}", "}}")))
        token = seal(cursor)
    assert token != await cursor_of(client, tool)
    await assert_refused_or_answered(client, tool, token)


ARGUMENTS = ("job", "execution", "task", "run", "status", "since", "until", "query", "search", "sort", "source")
TEXTS = st.one_of(
    st.text(max_size=60),
    st.text(st.characters(), max_size=20),
    st.sampled_from([*NAMES.values(), "etl", "backup", "failed", "24h", "created_at:desc", "blaxel", "runwisp"]),
)


def arguments_of(tool: str) -> st.SearchStrategy[dict[str, Any]]:
    spec = next(one for one in TOOLS if one.fn.__name__ == tool)
    names = [name for name in (*ARGUMENTS, "cursor", "limit") if name in spec.fn.__annotations__]
    values = st.one_of(
        TEXTS, TEXTS, st.none(), st.integers(), st.floats(), st.booleans(), st.lists(TEXTS, max_size=3)
    )
    return st.dictionaries(st.sampled_from(names), values, max_size=4)


CALLS = st.sampled_from([spec.fn.__name__ for spec in TOOLS]).flatmap(
    lambda tool: st.tuples(st.just(tool), arguments_of(tool))
)


def test_no_arguments_whatever_crash_a_tool(tmp_path: Path) -> None:
    server = build_server(settings_of(tmp_path), Stocked())

    @settings(max_examples=scale_examples(150))
    @given(calls=st.lists(CALLS, min_size=1, max_size=8))
    def holds(calls: list[tuple[str, dict[str, Any]]]) -> None:
        async def make() -> None:
            async with Client(server) as client:
                for tool, arguments in calls:
                    assert_sound(text_of(await client.call_tool(tool, arguments)))

        anyio.run(make)

    holds()


POSITION_PARTS = st.one_of(
    st.text(max_size=30), st.integers(), st.sampled_from(["exec-0001", run_id(3), 1, 3, 10**18])
)
CURSORS = st.builds(
    Cursor,
    tool=st.sampled_from([*LISTS, "list_jobs"]),
    source=st.sampled_from(["blaxel", "runwisp"]),
    fingerprint=st.just(""),
    minted=st.integers(0, 2**33),
    args=st.dictionaries(
        st.sampled_from([*ARGUMENTS, "limit", "from_end"]), st.one_of(TEXTS, st.integers()), max_size=5
    ),
    scanned=st.integers(0, 2**40),
    matched=st.integers(0, 2**40),
    position=st.builds(
        Position, st.one_of(st.just(""), st.text(max_size=30)), st.lists(POSITION_PARTS, max_size=5).map(tuple)
    ),
)


def test_no_well_sealed_cursor_whatever_crashes_a_tool(tmp_path: Path) -> None:
    configured = settings_of(tmp_path)
    server = build_server(configured, Stocked())
    marks = {one.name: fingerprint(one) for one in configured.sources}

    @settings(max_examples=scale_examples(300))
    @given(cursor=CURSORS)
    def holds(cursor: Cursor) -> None:
        async def make() -> None:
            async with Client(server) as client:
                sealed = seal(replace(cursor, fingerprint=marks[cursor.source]))
                await assert_refused_or_answered(client, cursor.tool, sealed)

        anyio.run(make)

    holds()
