"""`find_missed`: what should have run by its schedule and did not; what cannot be known is said."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from inline_snapshot import snapshot
from mcp import Client

from jobtrail.paging import Budget
from jobtrail.plane import build_plane
from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.blaxel.registration import BlaxelSettings
from jobtrail.sources.runwisp.registration import RunWispSettings
from jobtrail.store import Store
from jobtrail.store.rows import DefinitionRow, ExecutionRow, JobRow, RunRow
from jobtrail.times import to_nanoseconds
from jobtrail.tools import due_judgements, missed
from tests.peers.runwisp_daemon import ulid
from tests.sample_client import FixedClock, answer, count_tokens, follow, rows_of, sample_client, text_of
from tests.upstreams import Upstream, client_of, json_of, run_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from jobtrail.store.rows import AnyRow

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 11, 12, tzinfo=UTC)
TWO = Settings(
    sources=(
        BlaxelSettings(name="prod", url="http://prod.invalid/v0"),
        RunWispSettings(name="cron", url="http://cron.invalid"),
    ),
    default="prod",
)


class Network(httpx2.AsyncBaseTransport):
    """Two upstreams over one store; each can be down, and the daemon can say something of itself."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._plane = httpx2.ASGITransport(build_plane(store))
        self.down: set[str] = set()
        self.daemon: dict[str, Any] = {"version": "1.0.1", "schedulingActive": True, "resolvedTimezone": "UTC"}
        self.ahead = timedelta()
        self.requests = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        if request.url.host.partition(".")[0] in self.down:
            raise httpx2.ConnectError("refused", request=request)
        if request.url.path == "/api/daemon":
            return httpx2.Response(200, json=self.daemon, request=request)
        response = await self._plane.handle_async_request(request)
        if self.ahead:
            response.headers["date"] = format_datetime(NOW + self.ahead, usegmt=True)
        return response


@asynccontextmanager
async def two_sources(*records: AnyRow, now: datetime = NOW) -> AsyncGenerator[tuple[Client, Network]]:
    store = Store(None)
    store.write(records)
    network = Network(store)
    async with Client(build_server(TWO, transport=network, clock=FixedClock(moment=now))) as client:
        yield client, network
    store.close()


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def task(name: str, cron: str, **more: Any) -> DefinitionRow:
    return DefinitionRow(name, {"name": name, "kind": "task", "cron": cron, "timezone": "UTC", **more})


def run(name: str, created: datetime, reason: str = "succeeded", **more: Any) -> RunRow:
    number = abs(hash((name, reason, str(more)))) % 1_000_000
    began = to_nanoseconds(created)
    body = {"triggered_by": "cron", **more}
    return RunRow(ulid(created, number), name, "ended", began, began, began + 10**9, reason, 0, body)


def job(name: str, *crons: str, created: str = "10-01", status: str = "DEPLOYED", **spec: Any) -> JobRow:
    triggers = [{"type": "cron", "enabled": True, "configuration": {"schedule": one}} for one in crons]
    moment = to_nanoseconds(at(created))
    return JobRow(name, moment, moment, status, {}, {"enabled": True, "runtime": {}, "triggers": triggers, **spec})


def execution(of: str, created: datetime) -> ExecutionRow:
    moment = to_nanoseconds(created)
    identity = f"{of}-{created:%m%dT%H%M%S}"
    return ExecutionRow(of, identity, "succeeded", moment, moment, moment, moment + 10**9)


def daily(name: str, first: str, days: int, *, without: tuple[int, ...] = ()) -> list[RunRow]:
    return [run(name, at(first) + timedelta(days=day)) for day in range(days) if day not in without]


async def test_what_the_sample_missed_since_yesterday() -> None:
    async with sample_client() as client:
        text, content = await answer(client, "find_missed")
        times, _ = await answer(client, "find_missed", job="reindex-search", since="5d")
    assert text == snapshot("""\
due times · sources embedded (SAMPLE DATA) · schedules of 16 of 20 jobs and tasks · 233 due, 1 missed, 0 late, 1 skipped, complete · since 2026-11-22T12:00:00Z (now 2026-11-23T12:00:00Z) · every row: source embedded
job	state	due	missed	skipped	reason	first	next due	schedule
reindex-search	missed	1	1			2026-11-23T01:00:00Z	2026-11-24T01:00:00Z	0 1 * * * (UTC)
sync-ldap	skipped	24		1	skipped	2026-11-23T03:20:00Z	2026-11-23T12:20:00Z	20 * * * * (UTC)
next due: embed-documents 2026-11-23T12:05:00Z, model-evals 2026-11-23T12:10:00Z, fraud-scoring 2026-11-23T12:15:00Z\
""")
    assert times == snapshot("""\
due times of reindex-search · sources embedded (SAMPLE DATA) · schedules of 1 of 1 job or task · 5 due, 3 missed, 0 late, 0 skipped, complete · since 2026-11-18T12:00:00Z (now 2026-11-23T12:00:00Z) · every row: state missed, due 1, missed 1, source embedded
job	first
reindex-search	2026-11-23T01:00:00Z
reindex-search	2026-11-21T01:00:00Z
reindex-search	2026-11-19T01:00:00Z
next due: reindex-search 2026-11-24T01:00:00Z\
""")
    assert count_tokens(text) <= 400
    assert content["coverage"]["complete"]


async def test_missed_late_and_skipped_of_two_sources_with_the_reason_the_worst_first() -> None:
    records = [
        task("backup", "0 3 * * *"), *daily("backup", "11-01T03:00:00", 11, without=(7, 8)),
        task("sync", "0 * * * *"), *(run("sync", at("11-10T00:00:00") + timedelta(hours=n)) for n in range(12)),
        run("sync", at("11-10T12:00:01"), "skipped"), run("sync", at("11-10T13:00:01"), "queue_full"),
        *(run("sync", at("11-10T14:00:00") + timedelta(hours=n)) for n in range(23)),
        job("etl", "0 2 * * *"), *(execution("etl", at("11-08T02:00:03") + timedelta(days=n)) for n in range(3)),
        execution("etl", at("11-11T02:40:00")),
        job("fine", "0 4 * * *"), *(execution("fine", at("11-07T04:00:03") + timedelta(days=n)) for n in range(5)),
        job("by-hand"),
    ]  # fmt: skip
    async with two_sources(*records) as (client, _):
        text, content = await answer(client, "find_missed", since="2026-11-08")
    rows = {one["job"]: one for one in rows_of(content)}
    assert [*rows] == ["backup", "etl", "sync"]
    assert (rows["backup"]["state"], rows["backup"]["missed"], rows["backup"]["due"]) == ("missed", 2, 4)
    assert (rows["backup"]["first_at"], rows["backup"]["last_at"]) == ("2026-11-08T03:00:00Z", "2026-11-09T03:00:00Z")
    assert rows["backup"]["next_due_at"] == "2026-11-12T03:00:00Z"
    assert (rows["etl"]["late"], rows["etl"]["late_by_s"]) == (1, 2_400)
    assert (rows["sync"]["skipped"], rows["sync"]["reason"]) == (2, "queue_full")
    assert content["scheduled"], content["jobs"] == (4, 5)
    assert "\nbackup\tmissed\t4\t2\t" in text
    assert "40m" in text


async def test_the_times_of_one_job_are_listed_with_what_can_be_opened() -> None:
    told, late = run("backup", at("11-09T03:00:00"), "missed"), run("backup", at("11-11T03:30:00"))
    records = [
        task("backup", "0 3 * * *"), *daily("backup", "11-05T03:00:00", 6, without=(3, 4)), told, late,
    ]  # fmt: skip
    async with two_sources(*records) as (client, _):
        text, content = await answer(client, "find_missed", job="backup", since="2026-11-05")
    rows = [(one["state"], one["first_at"], one.get("open"), one.get("told")) for one in rows_of(content)]
    assert rows == [
        ("late", "2026-11-11T03:00:00Z", f"get_run(run='{late.id}', source='cron')", None),
        ("missed", "2026-11-09T03:00:00Z", f"get_run(run='{told.id}', source='cron')", 1),
        ("missed", "2026-11-08T03:00:00Z", None, None),
    ]
    assert (content["missed"], content["late"], content["due"]) == (2, 1, 7)
    assert "1 (1 told)" in text


async def test_a_missed_run_that_its_upstream_tells_and_our_own_finding_are_one_and_a_failure_too() -> None:
    records = [
        task("backup", "0 3 * * *"), *daily("backup", "11-08T03:00:00", 3),
        run("backup", at("11-11T03:00:00"), "missed"),
    ]  # fmt: skip
    async with two_sources(*records) as (client, _):
        _, found = await answer(client, "find_missed")
        _, failures = await answer(client, "find_failures")
    assert (found["missed"], found["items"][0]["told"]) == (1, 1)
    assert [(one["job"], one["status"]) for one in failures["causes"]] == [("backup", "missed")]


async def test_what_makes_up_for_missed_starts_is_late_and_a_run_by_hand_makes_up_for_nothing() -> None:
    records = [
        task("caught", "0 * * * *"), *(run("caught", at("11-11T00:00:00") + timedelta(hours=n)) for n in range(4)),
        run("caught", at("11-11T07:00:00"), "missed"), run("caught", at("11-11T07:20:00")),
        run("caught", at("11-11T07:20:01"), retry_attempt=0),
        *(run("caught", at("11-11T08:00:00") + timedelta(hours=n)) for n in range(5)),
        task("hand", "0 3 * * *"), *daily("hand", "11-09T03:00:00", 2),
        run("hand", at("11-11T09:00:00"), triggered_by="ui"),
        task("retried", "0 3 * * *"), *daily("retried", "11-09T03:00:00", 2),
        run("retried", at("11-11T03:10:00"), retry_attempt=1, retry_of_run_id=ulid(NOW, 1)),
    ]  # fmt: skip
    async with two_sources(*records) as (client, _):
        _, content = await answer(client, "find_missed", since="today")
    rows = {one["job"]: one for one in rows_of(content)}
    assert (rows["caught"]["missed"], rows["caught"]["late"], rows["caught"]["late_by_s"]) == (2, 2, 4_801)
    assert rows["hand"]["missed"] == 1
    assert rows["retried"]["missed"] == 1


@pytest.mark.parametrize(
    ("row", "daemon", "reason"),
    [
        (task("a", "0 3 * * *", heldBy="cron"), {}, "heldBy cron: a cron daemon that is alive starts it"),
        (
            task("a", "0 3 * * *"),
            {"schedulingActive": False},
            "schedulingActive false: the daemon starts nothing by schedule",
        ),
        (job("a", "0 3 * * *", enabled=False), {}, "enabled false"),
        (job("a", "0 3 * * *", status="DEACTIVATED"), {}, "deactivated"),
        (
            job("a", triggers=[{"type": "cron", "enabled": False, "configuration": {"schedule": "0 3 * * *"}}]),
            {},
            "its trigger is disabled",
        ),
    ],
)
async def test_what_is_held_says_why_and_is_not_missed(row: AnyRow, daemon: dict[str, Any], reason: str) -> None:
    async with two_sources(row) as (client, network):
        network.daemon |= daemon
        text, content = await answer(client, "find_missed", since="3d")
        _, alone = await answer(client, "find_missed", since="3d", job="a")
    for found in (content, alone):
        (one,) = found["items"]
        assert (one["state"], one["reason"], one["due"], found["missed"]) == ("held", reason, 3, 0)
        assert "next_due_at" not in one
    assert reason in text


async def test_what_a_daemon_says_of_its_configuration_is_a_note() -> None:
    async with two_sources(task("a", "0 3 * * *")) as (client, network):
        network.daemon |= {
            "configWarnings": ["crontab line 7 could not be scheduled"],
            "configStale": True,
            "configLoadedAt": "2026-11-11T06:00:00Z",
        }
        text, _ = await answer(client, "find_missed")
    assert "note: source cron: configuration: crontab line 7 could not be scheduled" in text
    assert "note: source cron: its configuration file has changed since it was loaded" in text
    assert "note: source cron loaded its schedules at 2026-11-11T06:00:00Z; others may have been before" in text


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (task("bad", "0 25 * * *"), "'0 25 * * *' is no cron expression that is understood here (Bad hour)"),
        (
            task("bad", "every day"),
            "'every day' is no cron expression that is understood here (Wrong number of fields)",
        ),
        (task("bad", "@every 90m"), "'@every 90m' is no cron expression: it says when relative to a start"),
        (task("bad", "0 3 * * *", timezone="Mars/Olympus"), "zone 'Mars/Olympus' does not exist here"),
        (task("bad", "0 3 * * *", timezone="../../etc/passwd"), "zone '../../etc/passwd' does not exist here"),
        (
            task("bad", "0 3 * * *", nextRunAt="2026-11-12T05:00:00Z"),
            "its source says that it is due at 2026-11-12T05:00:00Z, and its schedule does not",
        ),
        (task("bad", "0 3 * * *", keepRuns=0), "its source keeps none of its runs"),
        (job("bad", "0 3 * *"), "'0 3 * *' is no cron expression that is understood here (Wrong number of fields)"),
    ],
)
async def test_what_cannot_be_judged_is_a_note_and_the_rest_is_judged(row: AnyRow, why: str) -> None:
    records = [row, task("backup", "0 3 * * *"), *daily("backup", "11-01T03:00:00", 10)]
    async with two_sources(*records) as (client, _):
        text, content = await answer(client, "find_missed")
    assert f"note: bad is not judged: {why}" in text
    assert [one["job"] for one in content["items"]] == ["backup"]
    assert not content["coverage"]["complete"]


async def test_a_job_without_a_schedule_is_not_judged() -> None:
    async with two_sources(job("by-hand"), DefinitionRow("worker", {"name": "worker", "kind": "service"})) as (
        client,
        _,
    ):
        text, content = await answer(client, "find_missed")
        alone, _ = await answer(client, "find_missed", job="by-hand")
    assert (content["scheduled"], content["jobs"]) == (0, 2)
    assert "nothing here has a schedule, so nothing says what is due" in text
    assert "nothing here has a schedule" in alone


async def test_a_source_that_is_down_is_an_error_line_and_the_rest_is_judged() -> None:
    records = [job("etl", "0 2 * * *"), execution("etl", at("11-10T02:00:00")), task("backup", "0 3 * * *")]
    async with two_sources(*records) as (client, network):
        network.down = {"cron"}
        text, content = await answer(client, "find_missed")
    assert "\nerror: cron: " in text
    assert [(one["job"], one["missed"]) for one in content["items"]] == [("etl", 1)]
    assert not content["coverage"]["complete"]
    assert "NOT COMPLETE: all but cron read whole" in text


async def test_nothing_missed_is_said_only_where_all_was_judged() -> None:
    records = [
        job("etl", "0 2 * * *"),
        *(execution("etl", at("11-09T02:00:00") + timedelta(days=n)) for n in range(3)),
    ]
    async with two_sources(*records) as (client, network):
        well, _ = await answer(client, "find_missed", since="2d")
        network.down = {"cron"}
        ill, _ = await answer(client, "find_missed", since="2d")
    assert "nothing was missed: all 2 that were due ran" in well
    assert "nothing was missed, late, held or skipped in what was judged, which is not all" in ill


async def test_what_was_due_before_the_oldest_that_is_kept_is_not_judged_unless_something_older_is() -> None:
    records = [
        task("pruned", "0 * * * *"), *(run("pruned", at("11-11T06:00:00") + timedelta(hours=n)) for n in range(7)),
        task("missing", "0 * * * *"), *(run("missing", at("11-11T06:00:00") + timedelta(hours=n)) for n in range(7)),
        run("missing", at("11-02T06:00:00")),
    ]  # fmt: skip
    async with two_sources(*records) as (client, _):
        text, content = await answer(client, "find_missed")
        alone, pruned = await answer(client, "find_missed", job="pruned")
    assert [(one["job"], one["missed"]) for one in content["items"]] == [("missing", 18)]
    assert "note: not judged before the oldest that is kept: pruned since 2026-11-11T06:00:00Z" in text
    assert "nothing was missed: all 7 that were due ran, from 2026-11-11T06:00:00Z on" in alone
    assert pruned["coverage"]["back_to"] == "2026-11-11T06:00:00Z"


async def test_what_runs_every_second_did_not_miss_the_seconds_before_its_oldest_run() -> None:
    runs = [run("often", at("11-11T11:50:00") + timedelta(seconds=number)) for number in range(600)]
    async with two_sources(task("often", "* * * * * *"), *runs) as (client, _):
        text, content = await answer(client, "find_missed", job="often", since="1h")
    assert (content["due"], content["missed"], rows_of(content)) == (600, 0, [])
    assert "note: not judged before the oldest that is kept: often since 2026-11-11T11:50:00Z" in text


async def test_what_ran_after_the_window_alone_is_not_said_to_have_never_run_or_to_be_missing_in_it() -> None:
    records = [
        task("pruned", "0 * * * *"), *(run("pruned", at("11-11T06:00:00") + timedelta(hours=n)) for n in range(7)),
        job("kept", "0 2 * * *"), execution("kept", at("11-11T02:00:00")),
        job("idle", "0 2 * * *"),
    ]  # fmt: skip
    async with two_sources(*records) as (client, _):
        text, content = await answer(client, "find_missed", since="2026-11-05", until="2026-11-07")
        alone, one = await answer(client, "find_missed", job="pruned", since="2026-11-05", until="2026-11-07")
    assert [(row["job"], row["state"]) for row in rows_of(content)] == [("idle", "never ran")]
    assert not content["coverage"]["complete"]
    for name in ("pruned", "kept"):
        assert f"{name} is not judged: nothing that ran by then is kept" in text
    assert one["missed"] == 0
    assert "nothing was missed, late, held or skipped in what was judged, which is not all" in alone


async def test_what_was_due_before_a_schedule_is_known_is_not_judged_and_not_said_not_to_have_been_due() -> None:
    records = [
        job("fresh", "0 2 * * *", created="11-11T09:30:00"),
        job("noon", "0 12 * * *", created="11-11T09:30:00"),
    ]
    async with two_sources(*records, now=at("11-11T11:00:00")) as (client, _):
        text, content = await answer(client, "find_missed", since="yesterday")
        today, _ = await answer(client, "find_missed", since="10:00")
    assert content["notes"][0] == (
        "not judged before the schedule is known: fresh since 2026-11-11T09:30:00Z, noon since 2026-11-11T09:30:00Z"
    )
    assert "\nnothing was due in what was judged\n" in text
    assert "\nnothing was due in this window\n" in today


async def test_what_never_ran_is_judged_since_its_schedule_is_known() -> None:
    records = [task("new", "0 * * * *"), job("fresh", "0 * * * *", created="11-11T09:30:00")]
    async with two_sources(*records) as (client, network):
        network.daemon["configLoadedAt"] = "2026-11-11T10:30:00Z"
        _, content = await answer(client, "find_missed")
        # What was due a moment ago may still start.
        async with two_sources(*records, now=at("11-11T12:00:30")) as (sooner, _):
            _, before = await answer(sooner, "find_missed", job="fresh")
        async with two_sources(*records, now=at("11-11T12:02:00")) as (later, _):
            _, after = await answer(later, "find_missed", job="fresh")
    rows = {one["job"]: (one["state"], one["missed"]) for one in rows_of(content)}
    assert rows == {"new": ("never ran", 1), "fresh": ("never ran", 2)}
    assert (before["missed"], after["missed"]) == (2, 3)


async def test_a_daily_start_through_the_year_is_due_once_a_day_where_clocks_turn() -> None:
    berlin = "Europe/Berlin"
    spring = [run("early", at(f"03-{day}T01:30:00")) for day in (26, 27, 28)] + [
        run("early", at(f"03-{day}T00:30:00")) for day in (30, 31)
    ]
    autumn = [run("early", at(f"10-{day}T00:30:00")) for day in (23, 24, 25)] + [
        run("early", at(f"10-{day}T01:30:00")) for day in (26, 27)
    ]
    doubled = run("early", at("10-25T01:30:00"), "dst_skipped")
    records = [task("early", "30 2 * * *", timezone=berlin), *spring, *autumn, doubled]
    async with two_sources(*records) as (client, _):
        _, march = await answer(client, "find_missed", since="2026-03-27", until="2026-03-30", job="early")
        _, october = await answer(client, "find_missed", since="2026-10-24", until="2026-10-26", job="early")
    (skipped,) = march["items"]
    # 02:30 did not exist on the 29th.
    assert (skipped["state"], skipped["first_at"]) == ("skipped", "2026-03-29T01:00:00Z")
    assert (march["due"], march["missed"]) == (4, 0)
    # On the 25th there were two.
    assert (october["due"], october["missed"], october["items"]) == (3, 0, [])


async def test_a_start_every_second_over_a_year_costs_a_bounded_part_of_it_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(due_judgements, "MOST_TIMES", 500)
    records = [task("tick", "* * * * * *"), run("tick", at("11-01T00:00:00")), task("backup", "0 3 * * *")]
    records += daily("backup", "11-01T03:00:00", 10)
    async with two_sources(*records) as (client, network):
        text, content = await answer(client, "find_missed", since="365d")
        assert network.requests < 20
        rest = "source='cron', since='2025-11-11T12:00:00Z', until='2026-11-11T11:51:40Z'"
        assert (
            f"tick is due so often that it is judged from 2026-11-11T11:51:40Z on; before: find_missed(job='tick', {rest})"
            in text
        )
        _, before = await answer(client, "find_missed", job="tick", until="2026-11-11T11:51:40Z", since="365d")
    rows = {one["job"]: one for one in rows_of(content)}
    # The last minute may still start.
    assert rows["tick"]["missed"] == 500 - 61
    assert rows["backup"]["missed"] == 1
    assert before["items"][0]["last_at"] == "2026-11-11T11:51:40Z"
    assert before["items"][0]["missed"] == 500


async def test_runs_are_read_in_large_pages_and_what_one_page_left_out_ends_complete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records = [task("tick", "* * * * *"), *(run("tick", NOW - timedelta(minutes=n)) for n in range(3_000))]
    async with two_sources(*records) as (client, network):
        _, content = await answer(client, "find_missed", since="2d")
        assert (content["due"], content["missed"], content["coverage"]["complete"]) == (2_881, 0, True)
        assert network.requests < 12
        monkeypatch.setattr(due_judgements, "MOST_TIMES", 900)
        monkeypatch.setattr(missed, "_WALK", Budget(items=1_000, seconds=15))
        pages = await follow(client, "find_missed", since="2d")
    assert [page["coverage"]["complete"] for page in pages] == [False] * len(pages)


async def test_what_may_be_kept_and_was_not_looked_for_ends_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due_judgements, "_MOST_LOOKED_BACK", 0)
    records = [task("backup", "0 3 * * *"), *daily("backup", "11-01T03:00:00", 11, without=(4, 5))]
    async with two_sources(*records) as (client, _):
        text, content = await answer(client, "find_missed", since="6d")
    assert not content["items"]
    assert not content["coverage"]["complete"]
    assert "nothing was missed, late, held or skipped in what was judged, which is not all" in text
    assert (
        "not known whether earlier ones are kept, so what was due before the oldest that was read is in doubt: backup"
        in text
    )


async def test_nothing_is_judged_before_a_run_was_read_that_has_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missed, "_WALK", Budget(items=2, seconds=15))
    upstream = Upstream()
    rows = [run_of(200, createdAt=7), run_of(190, createdAt=7), run_of(180)]
    told = {
        "/api/daemon": {"version": "1.0.1", "schedulingActive": True, "resolvedTimezone": "UTC"},
        "/api/runs": {"items": rows, "total": 3},
    }
    upstream.sick = lambda request: json_of(told[request.url.path])(request) if request.url.path in told else None
    async with client_of(tmp_path, upstream) as client:
        _, first = await answer(client, "find_missed", since="2026-11-01", until="2026-11-01", source="runwisp")
        _, last = await answer(client, "find_missed", cursor=first["cursor"])
    assert (first["due"], first["coverage"]["complete"]) == (0, False)
    assert "cursor" not in last
    assert (last["due"], last["missed"], last["coverage"]["complete"]) == (1, 0, False)


async def test_what_ran_at_a_time_that_cannot_be_read_may_be_what_looks_missed(tmp_path: Path) -> None:
    upstream = Upstream()
    told = {
        "/api/daemon": {"version": "1.0.1", "schedulingActive": True, "resolvedTimezone": "UTC"},
        "/api/runs": {"items": [run_of(200, createdAt=7)], "total": 1},
    }
    upstream.sick = lambda request: json_of(told[request.url.path])(request) if request.url.path in told else None
    async with client_of(tmp_path, upstream) as client:
        text, content = await answer(client, "find_missed", since="2026-11-01", until="2026-11-01", source="runwisp")
    assert not content["coverage"]["complete"]
    assert "what ran at a time that cannot be read may be what looks missed: backup 1" in text


async def test_a_page_too_short_to_look_for_late_starts_again_leaves_the_rest_in_doubt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(missed, "_WALK", Budget(items=4, seconds=15))
    late = [
        run("backup", at("11-10T03:40:00")),
        run("backup", at("11-09T03:00:00")),
        run("backup", at("11-08T03:00:00")),
    ]
    busy = [run("other", at("11-10T03:15:00") + timedelta(minutes=n)) for n in range(6)]
    async with two_sources(task("backup", "0 3 * * *"), task("other", "@reboot"), *late, *busy) as (client, _):
        pages = await follow(client, "find_missed", since="2026-11-08", until="2026-11-10T12:00Z")
    assert not pages[-1]["coverage"]["complete"]
    assert "started late" in str([page.get("notes") for page in pages])


async def test_a_walk_by_cursors_judges_every_due_time_once(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = {at("11-09T10:00:00"), at("11-10T03:15:00"), at("11-10T15:30:00")}
    times = [at("11-09T00:00:00") + timedelta(minutes=15 * n) for n in range(4 * 24 * 2)]
    records: list[AnyRow] = [task("probe", "*/15 * * * *"), run("probe", at("11-08T20:00:00"))]
    records += [run("probe", one) for one in times if one not in gone]
    records += [
        job("etl", "0 2 * * *"),
        execution("etl", at("11-08T02:00:00")),
        execution("etl", at("11-10T02:00:00")),
    ]
    given = {"since": "2026-11-09T00:00Z", "until": "2026-11-10T23:59Z"}
    async with two_sources(*records) as (client, _):
        whole = (await answer(client, "find_missed", **given))[1]
        monkeypatch.setattr(missed, "_WALK", Budget(items=40, seconds=15))
        pages = await follow(client, "find_missed", **given)
        monkeypatch.setattr(missed, "_WALK", Budget(items=20_000, seconds=15))
        single = await follow(client, "find_missed", **given, job="probe", limit=1)
    assert (whole["due"], whole["missed"]) == (len(times) + 2, 4)
    assert len(pages) > 3
    assert [pages[-1][name] for name in ("due", "missed", "late")] == [whole["due"], 4, 0]
    found = [(row["job"], row["missed"]) for page in pages for row in rows_of(page)]
    assert sum(count for name, count in found if name == "probe") == 3
    assert [page["items"][0]["first_at"] for page in single] == [
        f"{one:%Y-%m-%dT%H:%M:%SZ}" for one in sorted(gone)[::-1]
    ]
    assert not any(page["coverage"]["complete"] for page in pages[:-1])
    assert pages[-1]["coverage"]["complete"]


async def test_due_times_are_counted_on_the_clock_of_their_source() -> None:
    async with two_sources(task("backup", "30 * * * *"), run("backup", at("11-11T11:30:00"))) as (client, network):
        network.ahead = timedelta(hours=1)
        text, content = await answer(client, "find_missed", since="2h", source="cron")
    assert (content["due"], content["missed"], content["items"][0]["last_at"]) == (2, 1, "2026-11-11T12:30:00Z")
    assert "note: the clock of source cron is 1h ahead of this machine's" in text


async def test_a_job_that_is_nowhere_is_refused_with_the_closest_names() -> None:
    async with two_sources(job("etl", "0 2 * * *"), task("backup", "0 3 * * *")) as (client, _):
        result = await client.call_tool("find_missed", {"job": "bakup"})
    assert result.is_error
    assert "job='bakup' does not exist in any of the sources prod, cron; closest: backup" in text_of(result)


async def test_definitions_that_changed_within_the_window_are_named() -> None:
    changed = replace(job("etl", "0 2 * * *"), updated_at=to_nanoseconds(at("11-11T01:00:00")))
    async with two_sources(changed, execution("etl", at("11-10T02:00:00"))) as (client, _):
        text, content = await answer(client, "find_missed")
    assert content["missed"] == 1
    assert (
        "changed within the window, so what was due before may have been otherwise: etl at 2026-11-11T01:00:00Z"
        in text
    )


async def test_text_and_structured_content_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [task("backup", "0 3 * * *"), *daily("backup", "11-01T03:00:00", 11, without=(7, 8))]
    async with two_sources(*records) as (client, _):
        text, content = await answer(client, "find_missed", since="7d")
    for value in (*json.loads(json.dumps(content["items"]))[0].values(), content["due"]):
        assert str(value) in text
