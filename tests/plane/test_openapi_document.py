"""What `/openapi.json` and `/schemas/{name}.json` say, and that they say it of all that the plane serves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route

from jobtrail.plane import build_plane
from jobtrail.store import Store
from tests.plane.full_store import RUN, make_full_store
from tests.plane.records import open_client
from tests.protocol.test_startup import loaded, packages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import httpx2

pytestmark = pytest.mark.anyio

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    one = make_full_store()
    yield one
    one.close()


async def validator_of(client: httpx2.AsyncClient, url: str) -> Any:
    answer = await client.get(url)
    assert answer.status_code == 200, answer.text
    schema = answer.json()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


async def document(client: httpx2.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def operations(of: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in of["paths"].items():
        for method in METHODS & {*item}:
            yield path, method, item[method]


def served(routes: Iterable[BaseRoute], before: str = "") -> Iterator[tuple[str, str]]:
    for route in routes:
        if isinstance(route, Mount):
            yield from served(route.routes, before + route.path)
        else:
            assert isinstance(route, Route)
            for method in {*(route.methods or ())} - {"HEAD"}:
                yield re.sub(r"{\w+}", "{}", before + route.path), method.lower()


async def test_the_document_names_every_route_and_no_other() -> None:
    plane = build_plane(Store(None))
    assert isinstance(plane, Starlette)
    async with open_client(Store(None), "") as client:
        whole = await document(client)
    assert whole["openapi"] == "3.1.0"
    named = {(re.sub(r"{\w+}", "{}", path), method) for path, method, _ in operations(whole)}
    assert named == {*served(plane.routes)}


async def test_operations_have_ids_and_words_of_their_own(store: Store) -> None:
    async with open_client(store, "") as client:
        whole = await document(client)
    found = [operation for _, _, operation in operations(whole)]
    for field in ("operationId", "summary"):
        assert len({operation[field] for operation in found}) == len(found)
    assert {tag for operation in found for tag in operation["tags"]} == {tag["name"] for tag in whole["tags"]}
    parameters = [one for operation in found for one in operation.get("parameters", ())]
    parameters = [whole["components"]["parameters"][one["$ref"][24:]] if "$ref" in one else one for one in parameters]
    assert [one["name"] for one in parameters if not one.get("description")] == []


@pytest.mark.parametrize("key", [None, "key"])
async def test_the_document_says_whether_a_key_is_asked_for_and_needs_none_itself(
    store: Store, key: str | None
) -> None:
    async with open_client(store, "", api_key=key) as client:
        whole = await document(client)
        for path, method, operation in operations(whole):
            ways = operation.get("security", [])
            if path.startswith("/v0/") and method == "get":
                assert ({} in ways) is (key is None)
                assert [way for way in ways if way] == [{"Key": []}, {"BlaxelKey": []}]
            elif path != "/v0/oauth/token":
                assert ways == []
        assert (await client.get("/schemas/Job.json")).status_code == 200


async def test_every_schema_is_served_as_json_schema_that_needs_no_other(store: Store) -> None:
    async with open_client(store, "") as client:
        names = (await document(client))["components"]["schemas"]
        for name in names:
            answer = await client.get(f"/schemas/{name}.json")
            assert answer.headers["content-type"] == "application/schema+json"
            schema = (await validator_of(client, f"/schemas/{name}.json")).schema
            assert schema["title"] == name
            references = set(re.findall(r'"\$ref":"([^"]*)"', answer.text))
            assert references <= {f"#/components/schemas/{one}" for one in schema["components"]["schemas"]}
        for name in ("Nothing", "job", "", "..%2Fopenapi", "%00"):
            missing = await client.get(f"/schemas/{name}.json")
            assert (missing.status_code, missing.json()["error"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/v0/jobs", "JobList"),
        ("/v0/jobs/etl", "Job"),
        ("/v0/jobs/etl/executions", "JobExecutionList"),
        ("/v0/jobs/etl/executions/full", "JobExecution"),
        ("/v0/jobs/etl/executions/full/tasks", "JobExecutionTaskList"),
        ("/v0/jobs/none", "Error"),
        ("/api/tasks", "TasksResponseBody"),
        ("/api/tasks/nightly/runs", "RunsResponseBody"),
        ("/api/runs", "RunsResponseBodyV1"),
        (f"/api/runs/{RUN}", "RunV1"),
        (f"/api/runs/{RUN}/log", "LogPageBody"),
        ("/api/daemon", "DaemonInfo"),
        ("/api/runs/x", "ErrorModel"),
    ],
)
async def test_an_answer_fits_the_schema_of_its_name_and_fits_no_more_when_spoilt(
    store: Store, path: str, schema: str
) -> None:
    async with open_client(store, "") as client:
        body = (await client.get(path)).json()
        validator = await validator_of(client, f"/schemas/{schema}.json")
    validator.validate(body)
    for field in body:
        if field in validator.schema["components"]["schemas"][schema]["required"]:
            assert not validator.is_valid({**body, field: 1.5}), field


async def test_what_a_secret_is_worth_is_part_of_the_schema(store: Store) -> None:
    async with open_client(store, "") as client:
        one = (await client.get("/v0/jobs/etl")).json()
        validator = await validator_of(client, "/schemas/Job.json")
    (_, secret) = one["spec"]["runtime"]["envs"]
    assert secret == {"name": "TOKEN", "value": "***", "secret": True}
    secret["value"] = "shown"
    assert [error.message for error in validator.iter_errors(one)] == ["'***' was expected"]


async def test_a_store_that_cannot_be_read_is_the_documented_internal_error() -> None:
    broken = Store(None)
    known = {"jobId": "etl", "executionId": "full", "taskName": "nightly", "runId": RUN}
    needed = {"resourceType": "jobs", "workloadIds": "etl"}
    async with open_client(broken, "") as client:
        whole = await document(client)
        told = [(path, one["responses"]["500"]) for path, _, one in operations(whole) if "500" in one["responses"]]
        validators = {name: await validator_of(client, f"/schemas/{name}.json") for name in ("Error", "ErrorModel")}
        broken.close()
        for path, response in told:
            answer = await client.get(path.format_map(known), params=needed)
            assert answer.status_code == 500, path
            ((kind, content),) = whole["components"]["responses"][response["$ref"][23:]]["content"].items()
            assert answer.headers["content-type"] == kind
            validators[content["schema"]["$ref"][21:]].validate(answer.json())
    assert len(told) > 10


async def test_links_lead_to_what_is_there(store: Store) -> None:
    async with open_client(store, "") as client:
        whole = await document(client)
        paths = {operation["operationId"]: path for path, _, operation in operations(whole)}
        known = {"jobId": "etl", "executionId": "full", "taskName": "nightly", "runId": RUN}
        followed = 0
        for path, _, operation in operations(whole):
            for name, link in operation["responses"]["200"].get("links", {}).items():
                answer = await client.get(path.format_map(known))
                given = {to: told(says, known, answer.json()) for to, says in link["parameters"].items()}
                target = paths[link["operationId"]]
                query = {to: value for to, value in given.items() if f"{{{to}}}" not in target}
                found = await client.get(target.format_map(given), params=query)
                assert found.status_code == 200, (path, name, given)
                followed += 1
    assert followed > 5


def told(expression: str, asked: dict[str, str], body: Any) -> str:
    """Return the value of a runtime expression of OpenAPI."""
    kind, _, name = expression.rpartition(".") if "#" not in expression else expression.partition("#")
    if kind == "$request.path":
        return asked[name]
    assert kind == "$response.body"
    value: Any = body
    for part in name.strip("/").split("/"):
        value = value[int(part) if part.isdigit() else part]
    assert isinstance(value, str)
    assert value
    return value


async def test_the_schemas_that_runwisps_answers_name_are_served(store: Store) -> None:
    async with open_client(store, "") as client:
        for path in ("/api/tasks/nightly/runs", "/api/runs?limit=0", "/api/tasks/none/runs"):
            body = (await client.get(path)).json()
            for one in (body, *(body.get("runs") or ())):
                (await validator_of(client, one["$schema"])).validate(one)


def test_the_document_is_not_read_before_it_is_asked_for() -> None:
    made = "from jobtrail.plane import build_plane; from jobtrail.store import Store; build_plane(Store(None))"
    assert "yaml" not in packages(loaded(made))
