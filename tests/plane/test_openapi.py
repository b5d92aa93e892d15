"""The published document, and the plane held to it by requests that Schemathesis makes up from it."""

from __future__ import annotations

import base64
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from jobtrail.plane import build_plane
from jobtrail.store import Store
from tests.plane.full_store import RUN, make_full_store
from tests.plane.records import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

pytestmark = pytest.mark.peers

KEY = "openapi-key"
EXAMPLES = 30
"""Made up at random for each operation, each of the two times; the edges of each parameter are tried besides."""
KNOWN = {
    "path.jobId": "etl",
    "path.executionId": "full",
    "path.taskName": "nightly",
    "path.runId": RUN,
    "path.name": "Job",
    "query.workspace": "default",
    "header.X-Blaxel-Workspace": "default",
}
TASKS = "GET /v0/jobs/{jobId}/executions/{executionId}/tasks"
LOGS = "GET /v0/observability/logs"
TOKEN = "POST /v0/oauth/token"


def published(parameters: dict[str, str]) -> Any:
    """Return Schemathesis' view of the document: the same requests in every run, with all default checks.

    Args:
        parameters: values that are not made up.
    """
    import schemathesis  # noqa: PLC0415 # tests are collected without it

    settings = {
        "seed": 20261101,
        "generation": {
            "deterministic": True,
            "max-examples": EXAMPLES,
            "database": "none",
            # The right key is sent; requests without it and with others are sent by the check `ignored_auth`.
            "with-security-parameters": False,
        },
        "parameters": parameters,
        "auth": {"openapi": {"Key": {"bearer": KEY}, "ClientCredentials": {"username": "id", "password": KEY}}},
    }
    config = schemathesis.Config.from_dict(settings)  # pyright: ignore[reportUnknownMemberType] # its annotation
    # Over an empty store: only the document is asked for here, and requests go to the plane of the fixture.
    return schemathesis.openapi.from_asgi("/openapi.json", build_plane(Store(None), api_key=KEY), config=config)


def of_each_operation(parameters: dict[str, str]) -> Callable[[Any], Any]:
    """Parametrise a test by made-up requests to each operation; without Schemathesis its cases are not known."""
    if find_spec("schemathesis") is None:
        return lambda test: test
    return published(parameters).parametrize()


@pytest.fixture(scope="module")
def plane() -> Iterator[ASGIApp]:
    store = make_full_store()
    yield build_plane(store, api_key=KEY, clock=ManualClock())
    store.close()


def make_sense(case: Any, plane: ASGIApp) -> None:
    """Give a made-up request what no schema can say: a cursor that was handed out, an anchor only where it fits.

    A request that is wrong on purpose has neither, so that it is refused for what is wrong with it.
    """
    query = case.query
    if case.meta.generation.mode.is_negative:
        query.pop("cursor", None)
        if query.get("anchor") == "end":
            del query["anchor"]
    elif "anchor" in query:
        query.pop("cursor", None)
        query.pop("sort", None)
    elif "cursor" in query:
        del query["cursor"]
        first: Any = case.call(app=plane).json()
        # Bare arrays have none.
        about: Any = {} if isinstance(first, list) else first.get("meta", first)
        query["cursor"] = about.get("nextCursor", "")


def counts_as_left_out(answer: Any) -> bool:
    """Return whether a parameter of a request to RunWisp's side counts as left out, since it is empty."""
    url = urlsplit(str(answer.request.url))
    return url.path.startswith("/api/") and "" in dict(parse_qsl(url.query, keep_blank_values=True)).values()


def check(case: Any, plane: ASGIApp) -> None:
    """Make a request, and run all checks on the answer."""
    from schemathesis.specs.openapi.checks import (  # noqa: PLC0415 # tests are collected without it
        negative_data_rejection,  # pyright: ignore[reportUnknownVariableType] # its annotation
    )

    make_sense(case, plane)
    answer = case.call(app=plane)
    # A value that is wrong on purpose is not refused where the documents promise to pass over it.
    passed_over: list[Any] = [negative_data_rejection] if counts_as_left_out(answer) else []
    case.validate_response(answer, excluded_checks=passed_over, transport_kwargs={"app": plane})


@of_each_operation(KNOWN)
def test_requests_for_what_is_there_are_answered_as_the_document_says(case: Any, plane: ASGIApp) -> None:
    check(case, plane)


@of_each_operation({})
def test_requests_for_anything_are_answered_as_the_document_says(case: Any, plane: ASGIApp) -> None:
    check(case, plane)


def test_the_document_is_openapi() -> None:
    published({}).validate()


@pytest.mark.parametrize("version", ["2026-04-16", "2026-04-28", "2026-09-22"])
def test_every_operation_finds_what_is_there_in_every_version(plane: ASGIApp, version: str) -> None:
    path = {name.removeprefix("path."): value for name, value in KNOWN.items() if name.startswith("path.")}
    besides: dict[str, dict[str, Any]] = {
        LOGS: {"query": {"resourceType": "jobs", "workloadIds": "etl"}},
        TOKEN: {"body": {"grant_type": "client_credentials"}, "media_type": "application/json"},
    }
    basic = base64.b64encode(f"id:{KEY}".encode()).decode()
    for result in published(KNOWN).get_all_operations():
        operation = result.ok()
        key = f"Basic {basic}" if operation.label == TOKEN else f"Bearer {KEY}"
        headers = {"Blaxel-Version": version, "Authorization": key}
        case = operation.Case(path_parameters=path, headers=headers, **besides.get(operation.label, {}))
        answer = case.call_and_validate(app=plane)
        # Tasks are not listed before 2026-04-28.
        expected = 400 if operation.label == TASKS and version == "2026-04-16" else 200
        assert answer.status_code == expected, operation.label
