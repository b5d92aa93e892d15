"""What one list call may spend: tokens of its answer, items it reads; and what it tells while it reads."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from jobtrail.tokens import estimate_tokens
from tests.sample_client import BIG, DEFAULT_PAGES, answer, count_tokens, sample_client
from tests.upstreams import START, Upstream, client_of, execution_of, run_of, task_of

if TYPE_CHECKING:
    from pathlib import Path

    from mcp import Client

LISTED_TOKENS = 6_500
PAGE_TOKENS, MOST_TOKENS = 1_200, 7_000
STRUCTURED = 5 / 4
"""As much as a page's text may have, its structured content may have a quarter more."""
REASONS = {
    "short": "boom",
    "long": "RateLimited: HTTP 429 from api.embeddings.example after 102 attempts, request id req_c2742ba15c " * 2,
    "of-ids": "8f14e45f-ceea-467f-a9d2-0b5d7c1e2f3a " * 5,
    "in-another-script": "数据库连接失败请稍后重试" * 20,
    "quoted": r'{"path": "C:\jobs\etl", "said": "no \"id\""} ' * 8,
    "of-signs": "-->{[(!?)]}<--" * 20,
}


def count_json(sent: object) -> int:
    """Return the tokens of what is sent as JSON."""
    return count_tokens(json.dumps(sent, ensure_ascii=False, separators=(",", ":")))


def failing(count: int, reason: str) -> list[dict[str, Any]]:
    """Return failed tasks, newest first."""
    conditions = [{"reason": "Error", "message": reason}]
    return [task_of(number, "failed", conditions=conditions) for number in reversed(range(count))]


async def pages_of(client: Client, tool: str, **arguments: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return every page of a walk, as text and as structured content."""
    pages = [await answer(client, tool, **arguments)]
    while cursor := pages[-1][1].get("cursor"):
        pages.append(await answer(client, tool, cursor=cursor))
    return pages


@pytest.mark.anyio
@pytest.mark.parametrize("limit", [None, 100])
@pytest.mark.parametrize("reason", REASONS.values(), ids=REASONS)
async def test_a_page_stays_within_its_tokens_however_long_its_rows_and_loses_none(
    reason: str, limit: int | None, tmp_path: Path
) -> None:
    upstream = Upstream()
    upstream.tasks = failing(230, reason)
    execution = upstream.executions[0]["metadata"]["id"]
    arguments: dict[str, Any] = {"job": "etl", "execution": execution, "status": "failed", "limit": limit}
    async with client_of(tmp_path, upstream) as client:
        pages = await pages_of(client, "list_tasks", **arguments)
    listed = [task["name"] for _, page in pages for task in page["items"]]
    assert listed == [task["metadata"]["name"] for task in upstream.tasks]
    for text, page in pages[:-1]:
        most = PAGE_TOKENS if limit is None else MOST_TOKENS
        assert count_tokens(text) <= most
        assert count_json(page) <= most * STRUCTURED
        rows = len(page["items"])
        assert rows == (limit or 20) or f"stopped at {rows} of {limit or 20} rows, since they are long" in text


@pytest.mark.anyio
async def test_a_row_that_is_longer_than_a_page_is_a_page_of_its_own(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.executions = [execution_of(0, "failed" * 60)]
    async with client_of(tmp_path, upstream) as client:
        _, page = await answer(client, "list_executions", job="etl", status="unknown")
    assert len(page["items"]) == 1
    assert page["coverage"]["complete"]


@pytest.mark.anyio
async def test_what_rows_are_thought_to_take_is_what_they_take() -> None:
    arguments: list[tuple[str, dict[str, Any]]] = [
        ("list_jobs", {}),
        ("list_executions", {"job": "invoice-export"}),
        ("list_tasks", {"job": "backfill-embeddings", "execution": "exec-688fbc5309ca", "status": "failed"}),
        ("list_runs", {"status": "failed"}),
    ]
    async with sample_client() as client:
        for tool, given in arguments:
            text, _ = await answer(client, tool, **given, limit=50)
            rows = "\n".join(text.splitlines()[1:-1])
            assert count_tokens(rows) <= estimate_tokens(rows) * 1.02
            assert estimate_tokens(rows) <= count_tokens(rows) * 1.15


PAGES: list[tuple[str, dict[str, Any]]] = [
    *DEFAULT_PAGES,
    ("list_executions", {"job": "nightly-etl", "status": "failed", "since": "90d"}),
    ("list_tasks", BIG),
    ("list_runs", {"status": "failed"}),
]


@pytest.mark.anyio
async def test_a_default_page_has_20_rows_within_its_tokens_as_text_and_as_structured_content() -> None:
    async with sample_client() as client:
        for tool, given in PAGES:
            text, page = await answer(client, tool, **given)
            assert len(page["items"]) == 20
            assert count_tokens(text) <= PAGE_TOKENS
            assert count_json(page) <= PAGE_TOKENS * STRUCTURED


NAMES = (
    "customer-data-warehouse-incremental-sync", "payments-ledger-reconciliation", "search-index-nightly-rebuild",
    "email-digest-delivery", "thumbnail-cache-warmup",
)  # fmt: skip
_ULID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def busy_upstream() -> Upstream:
    """Return an upstream with long names, in which no two neighbours ended alike."""
    upstream = Upstream()
    upstream.executions = [_busy_execution(number) for number in reversed(range(60))]
    upstream.runs = [
        run_of(
            number,
            "failed" if number % 3 == 0 else "succeeded",
            taskName=NAMES[number % len(NAMES)],
            exitCode=137 if number % 3 == 0 else 0,
            endedAt=(START + timedelta(minutes=number, milliseconds=83_457 + 7_919 * number)).isoformat(),
            id="01K9" + "".join(_ULID[byte % 32] for byte in hashlib.sha256(bytes([number])).digest()[:22]),
        )
        for number in reversed(range(60))
    ]
    return upstream


def _busy_execution(number: int) -> dict[str, Any]:
    begins = START + timedelta(minutes=7 * number, milliseconds=13 * number)
    bad = number % 4
    times = {
        "createdAt": begins,
        "startedAt": begins,
        "completedAt": begins + timedelta(seconds=83.457 * (number + 9)),
    }
    metadata = {"id": f"exec-{number * 7_919 + 0x3E21440C5BEE:012x}", "job": "etl"}
    return execution_of(
        number,
        "failed" if bad else "succeeded",
        metadata=metadata | {name: time.isoformat() for name, time in times.items()},
        stats={
            "total": 1_000 + number, "success": 1_000 + number - bad, "failure": bad, "running": 0, "cancelled": 0,
            "retried": bad * 2,
        },
    )  # fmt: skip


@pytest.mark.anyio
@pytest.mark.parametrize(("tool", "given"), [("list_executions", {"job": "etl"}), ("list_runs", {})])
async def test_so_has_one_of_an_upstream_whose_names_are_long_and_whose_rows_differ(
    tool: str, given: dict[str, Any], tmp_path: Path
) -> None:
    async with client_of(tmp_path, busy_upstream()) as client:
        text, page = await answer(client, tool, **given)
    assert len(page["items"]) == 20
    assert count_tokens(text) <= PAGE_TOKENS
    assert count_json(page) <= PAGE_TOKENS * STRUCTURED


@pytest.mark.anyio
async def test_the_list_of_tools_stays_within_its_tokens_as_it_is_sent() -> None:
    async with sample_client() as client:
        listed = await client.list_tools()
    result = listed.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert count_json({"jsonrpc": "2.0", "id": 1, "result": result}) <= LISTED_TOKENS


@pytest.mark.anyio
@pytest.mark.slow
async def test_a_walk_over_runs_that_the_daemon_cannot_filter_reads_20_pages_a_call(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.runs = [run_of(number % 32_768, taskName="other") for number in reversed(range(25_000))]
    async with client_of(tmp_path, upstream) as client:
        _, page = await answer(client, "list_runs", query="back_up")
        assert page["coverage"]["scanned"] == 20_000
        _, rest = await answer(client, "list_runs", cursor=page["cursor"])
    assert rest["coverage"] == {"scanned": 25_000, "matched": 0, "complete": True}


TOLD = re.compile(r"([\d,]+) scanned, ([\d,]+) matched(?:, (back|up) (?:to) (\S+))?")


@pytest.mark.anyio
@pytest.mark.parametrize(("sort", "way"), [("created_at:desc", "back"), ("created_at:asc", "up"), ("name:asc", None)])
async def test_progress_says_how_many_were_scanned_and_which_time_was_reached(
    sort: str, way: str | None, tmp_path: Path
) -> None:
    upstream = Upstream()
    upstream.executions = [execution_of(number) for number in range(450)]
    if sort == "created_at:desc":
        upstream.executions.reverse()
    told: list[tuple[float, str]] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        await anyio.lowlevel.checkpoint()
        told.append((progress, message or ""))

    async with client_of(tmp_path, upstream) as client:
        arguments = {"job": "etl", "status": "failed", "sort": sort}
        await client.call_tool("list_executions", arguments, progress_callback=tell)
    assert [progress for progress, _ in told] == [100, 200, 300, 400, 450]
    found = [TOLD.fullmatch(message) for _, message in told]
    assert [one[1] for one in found if one] == ["100", "200", "300", "400", "450"]
    assert {one[3] for one in found if one} == {way}
    if way:
        last = upstream.executions[-1]["metadata"]["createdAt"]
        assert [one[4] for one in found if one][-1] == last
