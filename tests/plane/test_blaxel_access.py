"""Who is let in on the Blaxel side, what is never shown, and names and queries meant to do harm."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from jobtrail.plane import build_plane
from jobtrail.store import Store
from jobtrail.store.rows import JobRow
from tests.plane.records import (
    EXECUTIONS,
    PAGED,
    START,
    TASKS,
    ManualClock,
    make_execution,
    make_job,
    make_task,
    open_client,
    read_all_pages,
    read_name,
    read_names,
    read_refusal,
)

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

pytestmark = pytest.mark.anyio


async def test_secrets_and_overridden_variables_are_masked() -> None:
    store = Store(None)
    envs = [{"name": "OPEN", "value": "shown"}, {"name": "TOKEN", "value": "hidden-1", "secret": True}]
    envs += [{"name": "DB_PW", "value": "hidden-4"}, {"name": "DB_URL", "value": "amqp://u:hidden-5@h"}]
    store.write(
        [make_job("etl", envs=envs), make_execution("e1", "etl", envOverride={"A": "hidden-2", "B": "hidden-3"})]
    )
    async with open_client(store, "") as client:
        bodies = ""
        for path in ("/v0/jobs", "/v0/jobs/etl?show_secrets=true", f"/v0{EXECUTIONS}", f"/v0{EXECUTIONS}/e1"):
            for version in ("", "2026-04-28"):
                bodies += (await client.get(path, headers={"Blaxel-Version": version})).text
        one = (await client.get("/v0/jobs/etl")).json()
        run = (await client.get(f"/v0{EXECUTIONS}/e1")).json()
    assert "hidden" not in bodies
    assert one["spec"]["runtime"]["envs"] == [
        {"name": "OPEN", "value": "shown"},
        {"name": "TOKEN", "value": "***", "secret": True},
        {"name": "DB_PW", "value": "***"},
        {"name": "DB_URL", "value": "amqp://u:***@h"},
    ]
    assert run["spec"] == {"parallelism": 1, "envOverride": {"A": "***", "B": "***"}}


async def test_the_secret_of_a_trigger_is_masked() -> None:
    store = Store(None)
    hook = {"id": "hook", "type": "http-async", "configuration": {"path": "/invoke", "callbackSecret": "hidden"}}
    store.write([JobRow("etl", 0, 0, spec={"triggers": [{"id": "bare"}, hook]})])
    async with open_client(store) as client:
        one = (await client.get("/jobs/etl")).json()
    assert one["spec"]["triggers"][0] == {"id": "bare"}
    assert one["spec"]["triggers"][1]["configuration"] == {"path": "/invoke", "callbackSecret": "***"}


async def test_no_secret_of_the_sample_is_in_any_answer(sample: Store) -> None:
    masked: list[dict[str, str]] = []
    bodies: list[str] = []
    async with open_client(sample) as client:
        listed = await client.get("/jobs", params={"limit": 200})
        bodies.append(listed.text)
        for name in read_names(listed):
            bodies.append((await client.get(f"/jobs/{name}", params={"show_secrets": "true"})).text)
            pages = await read_all_pages(client, f"/jobs/{name}/executions", limit=100)
            executions = [one for page in pages for one in page["data"]]
            masked += [one["spec"]["envOverride"] for one in executions if "envOverride" in one["spec"]]
            bodies.append(json.dumps(executions))
            for one in executions[:1]:
                path = f"/jobs/{name}/executions/{read_name(one)}"
                bodies += [(await client.get(path)).text, (await client.get(f"{path}/tasks")).text]
    assert len(bodies) > 30
    assert '"name":"DATABASE_URL","value":"***","secret":true' in bodies[0]
    assert not [body for body in bodies if "sample-secret" in body]
    assert masked == [{"BATCH_SIZE": "***"}] * len(masked)
    assert masked


@pytest.mark.parametrize("header", ["Authorization", "X-Blaxel-Authorization"])
async def test_a_key_is_taken_from_either_header(filled_store: Store, header: str) -> None:
    async with open_client(filled_store, api_key="key") as client:
        for value in ("Bearer key", "bearer key", "Bearer  key "):
            assert (await client.get("/jobs", headers={header: value})).status_code == 200
        for value in ("Bearer other", "Bearer ", "Bearer", "key", "Basic key", "Bearer keyé", ""):
            read_refusal(await client.get("/jobs", headers=[(header.encode(), value.encode())]), 401, "unauthorized")


@pytest.mark.parametrize("path", ["/jobs", "/jobs/etl", "/jobs/none", EXECUTIONS, f"{EXECUTIONS}/exec-000", TASKS])
async def test_nothing_is_told_without_the_key(filled_store: Store, path: str) -> None:
    async with open_client(filled_store, api_key="key") as client:
        read_refusal(await client.get(path), 401, "unauthorized")


async def test_without_a_key_of_its_own_the_plane_lets_anybody_in(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        for headers in ({}, {"Authorization": "Bearer whatever"}):
            assert (await client.get("/jobs", headers=headers)).status_code == 200


def basic(text: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


GRANT = {"grant_type": "client_credentials"}


async def test_client_credentials_get_a_token_that_lives_two_hours(filled_store: Store) -> None:
    clock = ManualClock()
    async with open_client(filled_store, api_key="key", clock=clock) as client:
        answer = (await client.post("/oauth/token", json=GRANT, headers=basic("id:key"))).json()
        token = answer.pop("access_token")
        assert answer == {"refresh_token": "", "expires_in": 7200, "token_type": "Bearer"}
        for header in ("Authorization", "X-Blaxel-Authorization"):
            clock.moment = START + timedelta(seconds=7199)
            assert (await client.get("/jobs", headers={header: f"Bearer {token}"})).status_code == 200
            clock.moment = START + timedelta(seconds=7200)
            read_refusal(await client.get("/jobs", headers={header: f"Bearer {token}"}), 401, "unauthorized")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("id:wrong"),
        basic("key"),
        basic(":"),
        {"Authorization": "Basic ☃".encode()},
        {"Authorization": "Bearer key"},
    ],
)
async def test_other_credentials_get_no_token(filled_store: Store, headers: dict[str, Any]) -> None:
    async with open_client(filled_store, api_key="key") as client:
        read_refusal(await client.post("/oauth/token", json=GRANT, headers=headers), 401, "unauthorized")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"grant_type": "password"}', b"\xff"])
async def test_another_grant_gets_no_token(filled_store: Store, body: bytes) -> None:
    async with open_client(filled_store) as client:
        answer = await client.post("/oauth/token", content=body, headers=basic("id:secret"))
        assert "client_credentials" in read_refusal(answer, error="unsupported_grant_type")


async def test_workspaces_do_not_see_each_other() -> None:
    store = Store(None, "ours")
    for space, job_names in (("ours", ["shared", "mine"]), ("theirs", ["shared", "secret"])):
        store.write([make_job(name) for name in job_names], space)
        # The same ids in both.
        store.write([make_execution("e1", "shared", 0, "running"), make_task("t1", "e1", 0, "running")], space)
    store.write([make_task("t2", "e1", 1, "failed")], "theirs")
    async with open_client(store) as client:
        ways: list[dict[str, Any]] = [
            {"headers": {"X-Blaxel-Workspace": "theirs"}},
            {"params": {"workspace": "theirs"}},
        ]
        for where in ways:
            listed = (await client.get("/jobs", **where)).json()
            assert sorted(map(read_name, listed["data"])) == ["secret", "shared"]
            assert {one["metadata"]["workspace"] for one in listed["data"]} == {"theirs"}
            assert listed["meta"]["total"] == 2
            assert (await client.get("/jobs/shared/executions/e1", **where)).json()["stats"]["failure"] == 1
            read_refusal(await client.get("/jobs/mine", **where), 404, "not_found")
        own = (await client.get("/jobs/shared/executions/e1")).json()
        assert (own["stats"]["total"], own["stats"]["failure"], len(own["tasks"])) == (1, 0, 1)
        read_refusal(await client.get("/jobs/secret"), 404, "not_found")
        both = await client.get("/jobs", params={"workspace": "theirs"}, headers={"X-Blaxel-Workspace": "ours"})
        assert sorted(read_names(both)) == ["mine", "shared"]
        empty = (await client.get("/jobs", params={"workspace": "nobody's"})).json()
        assert empty == {"data": [], "meta": {"hasMore": False, "nextCursor": "", "total": 0}}


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/jobs/none", "job"),
        ("/jobs/none/executions", "job"),
        ("/jobs/none/executions/exec-000", "job"),
        ("/jobs/none/executions/exec-000/tasks", "job"),
        ("/jobs/etl/executions/none", "execution"),
        ("/jobs/etl/executions/none/tasks", "execution"),
        ("/jobs/job-001/executions/exec-000", "execution"),
        ("/jobs/job-001/executions/exec-000/tasks", "execution"),
        ("/jobs/etl/tasks", "no such endpoint"),
        ("/nothing", "no such endpoint"),
    ],
)
async def test_what_is_not_there_is_not_found(filled_store: Store, path: str, what: str) -> None:
    async with open_client(filled_store) as client:
        assert what in read_refusal(await client.get(path), 404, "not_found")


async def test_a_store_that_cannot_be_read_is_an_internal_error_in_the_documented_shape() -> None:
    store = Store(None)
    async with open_client(store) as client:
        store.close()
        logs = "/observability/logs?resourceType=jobs&workloadIds=etl"
        for path in ("/jobs", "/jobs/etl", EXECUTIONS, f"{EXECUTIONS}/exec-000", TASKS, logs):
            assert read_refusal(await client.get(path), 500, "internal_server_error") == "the store could not be read"


async def test_there_is_nothing_to_write(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            for path in ("/jobs", "/jobs/etl", EXECUTIONS, f"{EXECUTIONS}/exec-000", TASKS, "/observability/logs"):
                answer = await client.request(method, path)
                assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
                assert "not written to" in read_refusal(answer, 405, "method_not_allowed")


HOSTILE = [
    "..",
    "../etl",
    "../../api/tasks",
    "a/b",
    "%",
    "%2e%2e",
    "é",
    "任务",
    "👩‍💻",
    "a b",
    "a?b",
    "a#b",
    "\\",
    "'--",
    "\x00",
    "*",
    "jobs",
]


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_name_is_looked_up_as_it_is_or_not_found(name: str) -> None:
    store = Store(None)
    store.write(
        [make_job(name), make_job("etl"), make_execution(f"x{name}", name, 1), make_task(name, f"x{name}", 1)]
    )
    quoted = "".join(f"%{byte:02X}" for byte in name.encode())
    async with open_client(store) as client:
        answers = [
            await client.get(f"/jobs/{quoted}{below}")
            for below in ("", "/executions", f"/executions/x{quoted}", f"/executions/x{quoted}/tasks")
        ]
        wrong = await client.get(f"/jobs/etl/executions/{quoted}/tasks")
    assert wrong.status_code == 404
    if "/" in name:
        # A slash ends the name for any router, so such names cannot be asked for.
        assert {answer.status_code for answer in answers} == {404}
        return
    one, runs, run, tasks = (answer.json() for answer in answers)
    assert one["metadata"]["name"] == name
    assert [read_name(item) for item in runs["data"]] == [run["metadata"]["id"]] == [f"x{name}"]
    assert [read_name(item) for item in tasks["data"]] == [name]


@pytest.mark.parametrize(
    "query", [b"q=\xff\xfe", b"cursor=%ff", b"limit=%00", b"&&=&", b"status=\xc3", b"workspace=%ff%00"]
)
async def test_a_query_that_is_not_text_is_answered_without_a_server_error(filled_store: Store, query: bytes) -> None:
    plane = build_plane(filled_store)

    async def spoilt(scope: Scope, receive: Receive, send: Send) -> None:
        await plane({**scope, "query_string": query}, receive, send)

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(spoilt), base_url="http://plane.invalid") as client:
        for path in (
            "/v0/jobs",
            f"/v0{EXECUTIONS}",
            f"/v0{TASKS}",
            "/v0/jobs/none",
            "/api/tasks",
            "/api/tasks/t/runs",
        ):
            assert (await client.get(path, headers=PAGED)).status_code in {200, 400, 404, 422}
