"""`find_failures(by="cause")`: which cause is most frequent over all jobs, with every cause of every failure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from jobtrail.analysis.failure_groups import make_signature
from jobtrail.cli.all_pages import PagesRead, merge_pages, read_all_pages
from jobtrail.models import Failures
from jobtrail.protocol.app import build_server
from jobtrail.tools import failures
from tests.plane.records import make_execution, make_job, make_task, set_status
from tests.sample_client import SAMPLE, FixedClock, answer, count_tokens, follow, rows_of, sample_client, text_of
from tests.tools.test_find_failures import defined, failed, run, two_sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobtrail.models import FrozenModel
    from jobtrail.store.rows import AnyRow

pytestmark = pytest.mark.anyio


def broken(identity: str, minutes: float, of: str = "etl", **reasons: str) -> list[AnyRow]:
    """Return a failed execution, each of whose tasks failed for a reason."""
    rows: list[AnyRow] = [set_status(make_execution(identity, of, minutes), minutes + 2, "failed")]
    for name, reason in reasons.items():
        conditions = [{"type": "Failed", "reason": reason, "message": f"at {minutes}"}]
        rows.append(make_task(name, identity, minutes, "running", "failed", conditions=conditions))
    return rows


async def test_causes_of_all_jobs_are_one_row_each_the_most_frequent_first() -> None:
    async with sample_client() as client:
        text, content = await answer(client, "find_failures", by="cause")
        _, by_job = await answer(client, "find_failures", limit=100)
    rows = rows_of(content, "causes")
    assert [one["count"] for one in rows] == sorted((one["count"] for one in rows), reverse=True)
    assert {job for one in rows for job in one["jobs"]} == {one["job"] for one in rows_of(by_job, "causes")}
    assert len({make_signature(one["cause"]) for one in rows}) == len(rows) == content["causes_found"]
    assert "status failure, by cause" in text.splitlines()[0]
    assert content["failures"] == content["coverage"]["matched"]
    assert count_tokens(text) <= 1_200


async def test_a_failure_of_several_causes_counts_in_each_with_its_tasks_and_all_jobs() -> None:
    records = [
        make_job("web"),
        *broken("e1", 10, a="Refused", b="Refused", c="OutOfMemory"),
        *broken("e2", 20, of="web", a="Refused"),
        make_execution("e3", "web", 30, "succeeded"),
        defined(),
        run(1, 40),
    ]
    async with two_sources(*records) as (client, _):
        text, content = await answer(client, "find_failures", by="cause")
    rows = {one["cause"].partition(":")[0]: one for one in rows_of(content, "causes")}
    refused, memory, told = rows["Refused"], rows["OutOfMemory"], rows["failed with exit code 1"]
    assert (refused["count"], refused["tasks"], refused["jobs"]) == (2, 3, ["web", "etl"])
    assert (refused["recovered"], refused["not_recovered"]) == (False, ["etl"])
    assert (memory["count"], memory["tasks"], memory["jobs"]) == (1, 1, ["etl"])
    assert (told["count"], "tasks" in told, told["jobs"]) == (1, False, ["backup"])
    assert (refused["first_at"], refused["last_at"]) == ("2026-11-01T00:10:00Z", "2026-11-01T00:20:00Z")
    assert refused["open"] == "get_execution(job='web', execution='e2', source='prod')"
    assert content["failures"] == 3
    assert "no: etl" in text


async def test_jobs_of_several_sources_are_named_with_them() -> None:
    async with two_sources(*failed("e1", 10, "failed with exit code 1"), defined(), run(1, 40)) as (client, _):
        _, content = await answer(client, "find_failures", by="cause")
    jobs = [one["jobs"] for one in rows_of(content, "causes")]
    assert jobs in ([["cron/backup", "prod/etl"]], [["backup"], ["etl"]])


@pytest.mark.parametrize("limit", [1, 20])
async def test_pages_count_every_failure_and_its_tasks_once(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(failures, "_MATCHES", 7)
    reasons = ("Refused", "OutOfMemory", "DiskFull")
    records = [
        one
        for number in range(20)
        for one in broken(f"e{number:02}", number * 10, a=reasons[number % 3], b=reasons[number % 2])
    ]
    async with two_sources(*records) as (client, _):
        pages = await follow(client, "find_failures", by="cause", limit=limit)
    found: Counter[str] = Counter()
    for page in pages:
        for one in rows_of(page, "causes"):
            found[one["cause"].partition(":")[0]] += one["tasks"]
    every = Counter([reasons[number % 3] for number in range(20)] + [reasons[number % 2] for number in range(20)])
    assert found == every
    assert pages[-1]["coverage"]["complete"]
    assert all("read for this page: others may have the same causes" in str(page["notes"]) for page in pages)


async def test_what_is_in_no_row_is_told() -> None:
    names = {f"t{number}": f"Reason{'x' * (number + 1)}" for number in range(7)}
    async with two_sources(*broken("e1", 10, **names)) as (client, _):
        text, content = await answer(client, "find_failures", by="cause")
    assert len(content["causes"]) == 5
    assert "note: 2 failed tasks of 1 execution had rarer causes, which have no row" in text


async def test_all_pages_together_have_one_row_for_each_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "_MATCHES", 40)
    pages = PagesRead()
    async with build_server(SAMPLE, clock=FixedClock()).connect_in_process(lambda _message: None) as ask:

        async def call(given: Mapping[str, Any]) -> FrozenModel:
            return await ask("find_failures", given)

        given = {"by": "cause", "since": "5d", "limit": 3}
        await read_all_pages(pages, call, given, lambda _text, _done, _total: None)
        monkeypatch.setattr(failures, "_MATCHES", 500)
        whole = await call({"by": "cause", "since": "5d", "limit": 100})
    merged = merge_pages(pages.read)
    assert isinstance(merged, Failures)
    assert isinstance(whole, Failures)
    assert merged.failures == merged.coverage.matched
    counted = {make_signature(one.cause): (one.count, one.tasks, {*(one.jobs or ())}) for one in merged.causes}
    for one in whole.causes:
        assert counted[make_signature(one.cause)] == (one.count, one.tasks, {*(one.jobs or ())})


async def test_another_grouping_is_refused() -> None:
    async with sample_client() as client:
        result = await client.call_tool("find_failures", {"by": "team"})
    assert result.is_error
    assert text_of(result) == (
        "by='team' is no grouping; give by='cause' for one row a cause over all jobs, or leave it out"
    )
