"""`history`: whether a job is getting worse, and how much of it the numbers cover."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx2
import pytest
from inline_snapshot import snapshot
from mcp import Client

from jobtrail.plane import build_plane
from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.blaxel.registration import BlaxelSettings
from jobtrail.store import Store
from jobtrail.store.rows import AnyRow, ExecutionRow
from jobtrail.times import NANOSECONDS, to_nanoseconds
from jobtrail.tools import trends
from tests.plane.records import make_job
from tests.sample_client import NOW, FixedClock, answer, count_tokens, sample_client, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.anyio

BLAXEL = Settings(sources=(BlaxelSettings(name="blaxel", url="http://blaxel.invalid/v0"),), default="blaxel")


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with sample_client() as client:
        yield client


async def test_the_history_of_a_batch_job(client: Client) -> None:
    text, content = await answer(client, "history", job="nightly-etl")
    assert text == snapshot("""\
history of nightly-etl · source embedded, SAMPLE DATA · 7 executions, complete · since 2026-11-16T12:00:00Z (now 2026-11-23T12:00:00Z) · a row each 1d
success 29% (43% of 7 in the window before, worse) · the last failed · last success 2026-11-22T02:00:00Z
duration p50 58m58s (1h00m35s before) · p95 1h31m26s · max 1h31m26s
success by 1d: ·▁▁█▁▁█▁
from	succeeded	failed	success	p50
2026-11-17T00:00Z	0	1	0%	1h17m50s
2026-11-18T00:00Z	0	1	0%	56m44s
2026-11-19T00:00Z	1	0	100%	41m17s
2026-11-20T00:00Z	0	1	0%	58m58s
2026-11-21T00:00Z	0	1	0%	1h18m36s
2026-11-22T00:00Z	1	0	100%	36m40s
2026-11-23T00:00Z	0	1	0%	1h31m26s
next: get_execution(job='nightly-etl', execution='exec-d949a7de82d2', source='embedded')\
""")
    assert sum(sum(one["counts"].values()) for one in content["buckets"]) == content["current"]["attempts"]


async def test_the_history_of_a_scheduled_task_by_the_hour(client: Client) -> None:
    text, content = await answer(client, "history", job="healthcheck-api", since="12h", bucket="2h")
    assert text == snapshot("""\
history of healthcheck-api · source embedded, SAMPLE DATA · 29 runs, complete · since 2026-11-23T00:00:00Z (now 2026-11-23T12:00:00Z) · a row each 2h
success 82% (92% of 26 in the window before, worse) · the last 4 succeeded · last success 2026-11-23T11:30:00Z
duration p50 2.0s (2.0s before) · p95 2.5s · max 2.6s
success by 2h: ██▅██▆·
from	queued	succeeded	failed	timeout	success	p50
2026-11-23T00:00Z	0	4	0	0	100%	1.7s
2026-11-23T02:00Z	0	4	0	0	100%	2.2s
2026-11-23T04:00Z	0	3	1	2	50%	2.3s
2026-11-23T06:00Z	0	4	0	0	100%	1.6s
2026-11-23T08:00Z	0	4	0	0	100%	1.5s
2026-11-23T10:00Z	0	4	1	1	67%	1.9s
2026-11-23T12:00Z	1	0	0	0
note: 1 not ended, 0s so far
next: get_run(run='01M83XJMYYKACNP9SA7VD69TXZ', source='embedded')\
""")
    assert (content["kind"], content["bucket"]) == ("task", "2h")


async def test_counts_are_those_that_the_lists_give(client: Client) -> None:
    _, content = await answer(client, "history", job="invoice-export", since="5d")
    for status, count in content["current"]["counts"].items():
        _, page = await answer(client, "list_executions", job="invoice-export", since="5d", status=status, limit=100)
        assert (page["coverage"]["complete"], len(page["items"])) == (True, count)


async def test_the_longest_history_stays_within_the_budget_of_a_page(client: Client) -> None:
    text, _ = await answer(client, "history", job="healthcheck-api", since="36h", bucket="1h")
    assert count_tokens(text) <= 1_250


async def test_a_window_without_anything_says_what_to_widen(client: Client) -> None:
    text, content = await answer(client, "history", job="nightly-etl", since="1h")
    assert content["current"]["attempts"] == 0
    assert "note: nothing was created in this window or in the one before it; give an earlier since" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"job": "nightly-et"}, "job='nightly-et' does not exist; closest: nightly-etl"),
        ({"job": "nightly-etl", "bucket": "often"}, "bucket='often' is not a length of time; give one such as"),
        (
            {"job": "nightly-etl", "bucket": "5m"},
            "bucket='5m' cuts this window into more than 36 rows; give 6h or wider",
        ),
        (
            {"job": "nightly-etl", "bucket": "15m", "since": "36h"},
            "bucket='15m' cuts this window into more than 36 rows; ",
        ),
        ({"job": "nightly-etl", "since": "soon"}, "since='soon' is not a time"),
        ({"job": "nightly-etl", "since": "1900-01-01", "until": "1960-01-01"}, "until lies before 1970"),
    ],
)
async def test_what_cannot_be_answered_says_why(client: Client, arguments: dict[str, str], sentence: str) -> None:
    result = await client.call_tool("history", arguments)
    assert result.is_error
    assert text_of(result).startswith(sentence)


@pytest.mark.parametrize("since", ["0001-01-01", "100000d", "1969-12-31"])
async def test_a_history_of_all_time_reaches_ten_years_back_and_fits_on_a_page(client: Client, since: str) -> None:
    text, content = await answer(client, "history", job="invoice-export", since=since)
    assert content["bucket"] == "364d"
    assert len(content["sparkline"]) <= 16
    assert "note: a history reaches ten years back at most: since 2016-11-" in text


@pytest.mark.parametrize("until", ["9999-12-31", "9999-12-31T23:59:59.999999Z", "2027-11-23"])
async def test_what_lies_ahead_has_no_history(client: Client, until: str) -> None:
    text, content = await answer(client, "history", job="invoice-export", since="7d", until=until)
    assert "note: until was taken as now: what lies ahead has no history" in text
    assert content["window"]["until"] == content["window"]["now"]


async def test_a_bucket_wider_than_the_calendar_is_one_bucket(client: Client) -> None:
    _, content = await answer(client, "history", job="invoice-export", since="7d", bucket="999999w")
    assert len(content["sparkline"]) == 1


def every_minute(count: int) -> Iterator[AnyRow]:
    yield make_job("etl")
    for number in range(count):
        at = to_nanoseconds(datetime(2026, 11, 23, 11, 30, tzinfo=UTC) - timedelta(minutes=number))
        ended = at + 9 * NANOSECONDS
        yield ExecutionRow("etl", f"e{number:05}", "succeeded", at, ended, at + NANOSECONDS, ended)


async def test_numbers_over_a_part_say_so_and_name_the_call_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trends, "_BUDGET", trends.Budget(items=300))
    store = Store(None)
    store.write(every_minute(1000))
    server = build_server(BLAXEL, transport=httpx2.ASGITransport(build_plane(store)), clock=FixedClock(moment=NOW))
    async with Client(server) as client:
        text, content = await answer(client, "history", job="etl", since="10h")
        assert content["coverage"] == {
            "scanned": 300, "matched": 300, "complete": False, "back_to": "2026-11-23T06:31:00Z",
        }  # fmt: skip
        assert "300 executions, PARTIAL, back to 2026-11-23T06:31:00Z" in text
        assert "note: read only back to 2026-11-23T06:31:00Z: every number is of that part" in text
        assert ("before" in content, content["streak"]["at_least"]) == (False, True)
        rest = content["next_calls"][-1]
        assert rest == (
            "history(job='etl', since='2026-11-23T02:00:00Z', until='2026-11-23T06:31:00Z', source='blaxel')"
        )
        _, part = await answer(client, "history", job="etl", since="2h")
        assert (part["coverage"]["complete"], "before" in part) == (True, True)
    store.close()
