"""What the RunWisp side answers, field by field: what was recorded comes back, in either dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plane.full import FULL_DEFINITION, RUN, full
from tests.plane.stocks import client_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobtrail.plane import Store

pytestmark = pytest.mark.anyio

# The first that has everything: a retry of the run before it, and it has ended.
RETRY, BEFORE = "01JZ0000000000000000000005", "01JZ0000000000000000000004"


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    one = full()
    yield one
    one.close()


async def test_a_definition_comes_back_with_every_documented_field_as_it_was_recorded(store: Store) -> None:
    async with client_of(store, "/api") as client:
        assert (await client.get("/tasks/nightly")).json() == FULL_DEFINITION
        service = (await client.get("/tasks/worker")).json()
    required = {"name": "worker", "manualTrigger": False, "runOnStart": False, "autostart": True}
    assert service == {"kind": "service", "instances": 2, "restart": "on_failure", **required}


async def test_a_run_of_the_seed_document_has_every_field_that_it_can_have(store: Store) -> None:
    async with client_of(store, "/api") as client:
        runs: list[dict[str, Any]] = (await client.get("/tasks/nightly/runs", params={"search": RETRY})).json()[
            "runs"
        ]
    assert runs == [
        {
            "$schema": "http://plane.invalid/schemas/Run.json",
            "id": RETRY,
            "task_name": "nightly",
            "status": "ended",
            "end_reason": "crashed",
            "exit_code": 2,
            "created_at": "2026-11-01T00:05:00Z",
            "start_at": "2026-11-01T00:06:00Z",
            "end_at": "2026-11-01T00:07:00Z",
            "triggered_by": "cloud",
            "retry_attempt": 1,
            "retry_of_run_id": BEFORE,
            "replica_index": 1,
            "external_execution_id": "execution-5",
        }
    ]


async def test_a_run_of_1_0_1_has_every_field_that_it_can_have(store: Store) -> None:
    async with client_of(store, "/api") as client:
        one = (await client.get(f"/runs/{RETRY}")).json()
        fresh = (await client.get(f"/runs/{RUN}")).json()
    assert one == {
        "id": RETRY,
        "executionId": "execution-5",
        "taskName": "nightly",
        "status": "ended",
        "endReason": "crashed",
        "isFailure": True,
        "exitCode": 2,
        "startedAt": "2026-11-01T00:06:00Z",
        "endedAt": "2026-11-01T00:07:00Z",
        "triggeredBy": "station",
        "createdAt": "2026-11-01T00:05:00Z",
        "retryAttempt": 1,
        "retryOfRunId": BEFORE,
        "instanceIndex": 1,
        "params": {"day": "monday"},
    }
    assert {"endReason", "endedAt"}.isdisjoint(fresh)
