"""One field that nobody can read costs that field: its row is shown, the others are as ever, and a note names it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.sample_client import answer, rows_of, text_of
from tests.upstreams import Upstream, client_of, execution_of, page, run_id, run_of, task_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.anyio

WHOLE = "(the whole of it)"
RUNS = "/api/runs"
EXECUTIONS = "/v0/jobs/etl/executions"
EXECUTION = f"{EXECUTIONS}/exec-0002"
JOB: dict[str, Any] = {
    "metadata": {"labels": {"team": "data"}},
    "spec": {"runtime": {"timeout": 60}, "triggers": []},
    "status": "BUILT",
}


def job_of(number: int) -> dict[str, Any]:
    body = copy.deepcopy(JOB)
    return {**body, "metadata": {"name": f"job-{number}", **body["metadata"]}}


def definition_of(number: int) -> dict[str, Any]:
    return {"name": f"task-{number}", "kind": "task", "cron": "0 3 * * *", "timeout": 60, "env": {}}


def change(row: dict[str, Any], path: str, value: object) -> Any:
    """Return a row with another value at a path; at no path, the value in its place."""
    if path == WHOLE:
        return value
    changed = copy.deepcopy(row)
    *outer, last = path.split(".")
    inside = changed
    for name in outer:
        inside = inside.setdefault(name, {})
    inside[last] = value
    return changed


LISTS: dict[str, tuple[str, dict[str, Any], str, Any]] = {
    "runs": (RUNS, {"source": "runwisp"}, "list_runs", run_of),
    "definitions": ("/api/tasks", {"source": "runwisp"}, "list_jobs", definition_of),
    "executions": (EXECUTIONS, {"job": "etl"}, "list_executions", execution_of),
    "tasks": (f"{EXECUTION}/tasks", {"job": "etl", "execution": "exec-0002"}, "list_tasks", task_of),
    "jobs": ("/v0/jobs", {}, "list_jobs", job_of),
}
"""By what is listed: the endpoint, the arguments, the tool, and what makes a row."""

UNREADABLE: list[tuple[str, str, object]] = [
    ("runs", "exitCode", "SIGKILL"), ("runs", "startedAt", "soon"), ("runs", "createdAt", "soon"),
    ("runs", "endedAt", 5), ("runs", "retryAttempt", [1]), ("runs", "isFailure", "maybe"), ("runs", "triggeredBy", 7),
    ("runs", "id", 7), ("runs", "taskName", {}), ("runs", "status", 4), ("runs", "endReason", 9),
    ("runs", WHOLE, "x"), ("runs", WHOLE, None),
    ("definitions", "timeout", "1h"), ("definitions", "cron", 5), ("definitions", "env", [1]),
    ("definitions", "name", 5), ("definitions", WHOLE, 5),
    ("executions", "stats.failure", "x"), ("executions", "stats", 7), ("executions", "metadata.createdAt", "soon"),
    ("executions", "metadata.id", 5), ("executions", "status", 5), ("executions", "spec.timeout", "1h"),
    ("executions", "metadata", 4), ("executions", WHOLE, [1]),
    ("tasks", "metadata.startedAt", "soon"), ("tasks", "conditions", "x"), ("tasks", "status", {}),
    ("tasks", "metadata.name", 5), ("tasks", WHOLE, 1.5),
    ("jobs", "metadata.labels.team", 5), ("jobs", "spec.runtime.timeout", "1h"), ("jobs", "spec.triggers", "x"),
    ("jobs", "status", 5), ("jobs", "metadata.name", 5), ("jobs", WHOLE, True),
]  # fmt: skip


def serve(path: str, rows: list[Any]) -> Upstream:
    upstream = Upstream()
    body = page(rows) if path.startswith("/v0") else {"items": rows, "total": len(rows)}
    upstream.sick = lambda request: httpx2.Response(200, json=body) if request.url.path == path else None
    return upstream


@pytest.mark.parametrize(("listed", "field", "value"), UNREADABLE)
async def test_a_row_with_an_unreadable_field_is_shown_and_counted_and_the_field_is_named(
    listed: str, field: str, value: object, tmp_path: Path
) -> None:
    path, arguments, tool, make = LISTS[listed]
    rows = [make(number) for number in (2, 1, 0)]
    async with client_of(tmp_path, serve(path, rows)) as client:
        _, sound = await answer(client, tool, **arguments)
    rows[1] = change(rows[1], field, value)
    async with client_of(tmp_path, serve(path, rows)) as client:
        text, found = await answer(client, tool, **arguments)
    named = field if field == WHOLE or field.replace(".", "").isalnum() else repr(field)
    assert f"note: {named} could not be read in 1 row and is left out there" in text
    assert found["coverage"] == sound["coverage"]
    assert found["total"] == sound["total"]
    assert len(found["items"]) == 3
    names = [one.get("id") or one["name"] for one in rows_of(sound)]
    others = {names[0], names[2]}
    as_ever = [one for one in rows_of(sound) if (one.get("id") or one["name"]) in others]
    assert [one for one in rows_of(found) if (one.get("id") or one["name"]) in others] == as_ever


async def test_what_could_be_read_of_such_a_row_is_shown(tmp_path: Path) -> None:
    rows = [run_of(1, "crashed", exitCode="SIGKILL")]
    async with client_of(tmp_path, serve(RUNS, rows)) as client:
        _, found = await answer(client, "list_runs", source="runwisp", status="failed")
        text, single = await answer(client, "find_failures", source="runwisp", since="2026-11-01")
    (run,) = rows_of(found)
    assert (run["status"], run["raw_status"], "exit_code" in run) == ("failed", "crashed", False)
    assert [one["count"] for one in single["causes"]] == [1]
    assert "exitCode could not be read in 1 row" in text


ETL = change(job_of(1), "metadata.name", "etl")
SINGLE: list[tuple[str, dict[str, Any], str, Mapping[str, object], str]] = [
    ("get_job", {"job": "etl"}, "/v0/jobs/etl", change(ETL, "spec.runtime.timeout", "1h"), "spec.runtime.timeout"),
    ("get_job", {"job": "etl"}, "/v0/jobs/etl", change(ETL, "metadata.labels.team", 5), "metadata.labels.team"),
    ("get_execution", {"job": "etl", "execution": "exec-0002"}, EXECUTION,
     change(execution_of(2), "stats.failure", "x"), "stats.failure"),
    ("get_execution", {"job": "etl", "execution": "exec-0002"}, EXECUTION,
     execution_of(2, tasks=[task_of(1, "failed"), change(task_of(2, "failed"), "metadata.startedAt", "soon")]),
     "metadata.startedAt"),
    ("get_run", {"run": run_id(2)}, f"{RUNS}/{run_of(2)['id']}", run_of(2, exitCode="SIGKILL"), "exitCode"),
    ("wait_for", {"run": run_id(2)}, f"{RUNS}/{run_of(2)['id']}", run_of(2, exitCode="SIGKILL"), "exitCode"),
]  # fmt: skip


@pytest.mark.parametrize(("tool", "arguments", "path", "body", "field"), SINGLE)
async def test_one_thing_with_an_unreadable_field_is_shown_without_it(
    tool: str, arguments: dict[str, Any], path: str, body: Mapping[str, object], field: str, tmp_path: Path
) -> None:
    upstream = Upstream()
    upstream.sick = lambda request: httpx2.Response(200, json=body) if request.url.path == path else None
    async with client_of(tmp_path, upstream) as client:
        text, found = await answer(client, tool, **arguments)
    assert f"{field} could not be read" in text.replace("'", "")
    assert field in str(found["notes"])


OTHER: list[tuple[str, dict[str, Any], str, Mapping[str, object], str]] = [
    ("get_job", {"job": "etl"}, "/v0/jobs/etl", job_of(1), "job 'etl' and answered with 'job-1'"),
    ("history", {"job": "etl"}, "/v0/jobs/etl", job_of(1), "job 'etl' and answered with 'job-1'"),
    ("get_execution", {"job": "etl", "execution": "exec-0002"}, EXECUTION, execution_of(1),
     "execution 'exec-0002' and answered with 'exec-0001'"),
    ("get_execution", {"job": "etl", "execution": "exec-0002"}, EXECUTION,
     change(execution_of(2), "metadata.job", "elt"), "an execution of job 'etl' and answered with 'elt'"),
    ("get_run", {"run": run_id(2)}, f"{RUNS}/{run_id(2)}", run_of(1),
     f"run '{run_id(2)}' and answered with '{run_id(1)}'"),
]  # fmt: skip


@pytest.mark.parametrize(("tool", "arguments", "path", "body", "says"), OTHER)
async def test_an_answer_about_another_thing_is_refused_and_not_kept(
    tool: str, arguments: dict[str, Any], path: str, body: Mapping[str, object], says: str, tmp_path: Path
) -> None:
    upstream, source = Upstream(), "runwisp" if path.startswith(RUNS) else "blaxel"
    upstream.sick = lambda request: httpx2.Response(200, json=body) if request.url.path == path else None
    async with client_of(tmp_path, upstream) as client:
        refused = await client.call_tool(tool, {**arguments, "source": source})
        upstream.sick = None
        well = await client.call_tool(tool, {**arguments, "source": source})
    assert refused.is_error
    assert f"source {source!r} was asked for {says}; that is a fault of the upstream" in text_of(refused)
    assert not well.is_error


@pytest.mark.parametrize(
    ("field", "value"), [("ts", "soon"), ("text", 5), ("stream", {}), ("n", "third"), (WHOLE, "x")]
)
async def test_a_line_of_a_runs_log_that_cannot_be_read_hides_no_other(
    field: str, value: object, tmp_path: Path
) -> None:
    upstream = Upstream()
    lines: list[Any] = [{"n": number, "text": f"line {number}", "ts": 0, "stream": "stdout"} for number in range(3)]
    lines[1] = change(lines[1], field, value)
    body = {"lines": lines, "totalLines": 3}
    upstream.sick = lambda request: httpx2.Response(200, json=body) if request.url.path.endswith("/log") else None
    async with client_of(tmp_path, upstream) as client:
        text, found = await answer(client, "read_log", run=run_id(2))
    assert [one["n"] for one in rows_of(found, "lines")] == [1, 2, 3]
    assert f"{field} could not be read in 1 line and is left out there" in text
    assert not found["complete"]


@pytest.mark.parametrize(("field", "value"), [("timestamp", 5), ("message", 5), ("severity", {}), (WHOLE, "x")])
async def test_a_line_of_an_executions_log_that_cannot_be_read_hides_no_other(
    field: str, value: object, tmp_path: Path
) -> None:
    upstream = Upstream()
    lines: list[Any] = [
        {"timestamp": "2026-11-01T00:02:00Z", "message": f"line {n}", "severity": 9} for n in range(3)
    ]
    lines[1] = change(lines[1], field, value)
    body = {"etl": {"logs": lines, "totalCount": 3}}
    upstream.sick = lambda request: (
        httpx2.Response(200, json=body) if request.url.path.endswith("/observability/logs") else None
    )
    async with client_of(tmp_path, upstream) as client:
        text, found = await answer(client, "read_log", job="etl", execution="exec-0002")
    assert [one["n"] for one in rows_of(found, "lines")] == [1, 2, 3]
    assert "could not be read in 1 line and" in text
    assert field.strip("()") in text
    assert not found["complete"]


async def test_a_run_without_a_readable_time_does_not_end_the_walk(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.runs = [run_of(number) for number in reversed(range(60))]
    for number in (0, 20, 39, 40):
        upstream.runs[number] = {**upstream.runs[number], "createdAt": "soon"}
    first = {one["id"]: one["createdAt"] for one in [run_of(number) for number in range(60)]}

    def network(request: httpx2.Request) -> httpx2.Response | None:
        if request.url.path != RUNS:
            return None
        # The upstream knows the time that it cannot tell.
        before = request.url.params.get("createdBefore", "9999").partition(".")[0].removesuffix("Z")
        rows = [run for run in upstream.runs if first[run["id"]].removesuffix("Z") <= before]
        start = int(request.url.params.get("offset", 0))
        size = int(request.url.params.get("limit", 50))
        return httpx2.Response(200, json={"items": rows[start : start + size], "total": len(rows)})

    upstream.sick = network
    async with client_of(tmp_path, upstream) as client:
        _, found = await answer(client, "list_runs", source="runwisp", limit=20)
        pages = [found]
        while cursor := pages[-1].get("cursor"):
            pages.append((await answer(client, "list_runs", cursor=cursor))[1])
    listed = [one["id"] for found in pages for one in found["items"]]
    assert sorted(listed) == sorted(first)
    assert pages[-1]["coverage"]["complete"]


async def test_an_unreadable_total_is_not_known_and_hides_nothing(tmp_path: Path) -> None:
    upstream = Upstream()
    body = {"data": [execution_of(1)], "meta": {"hasMore": False, "nextCursor": "", "total": "many"}}
    upstream.sick = lambda request: httpx2.Response(200, json=body) if request.url.path == EXECUTIONS else None
    async with client_of(tmp_path, upstream) as client:
        _, found = await answer(client, "list_executions", job="etl")
    assert len(found["items"]) == 1
    assert found["total"] == {"value": 1, "kind": "exact"}


@pytest.mark.parametrize("meta", [{"hasMore": "perhaps"}, {"nextCursor": 5}])
async def test_what_tells_whether_there_is_more_is_never_left_out(meta: dict[str, Any], tmp_path: Path) -> None:
    upstream = Upstream()
    body = {"data": [execution_of(1)], "meta": meta}
    upstream.sick = lambda request: httpx2.Response(200, json=body) if request.url.path == EXECUTIONS else None
    async with client_of(tmp_path, upstream) as client:
        result = await client.call_tool("list_executions", {"job": "etl"})
    assert result.is_error


async def test_no_upstream_can_say_what_was_not_read(tmp_path: Path) -> None:
    async with client_of(
        tmp_path, serve(RUNS, [{**run_of(1), "unread": ["exitCode"], "beside": "2026-01-01"}])
    ) as client:
        text, _ = await answer(client, "list_runs", source="runwisp")
    assert "could not be read" not in text
