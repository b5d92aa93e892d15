"""The header `Blaxel-Version` of the Blaxel side: what each version answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plane.records import EXECUTIONS, TASKS, open_client, read_name, read_names, read_refusal

if TYPE_CHECKING:
    from jobtrail.store import Store

pytestmark = pytest.mark.anyio


async def test_without_a_version_lists_are_bare_arrays(filled_store: Store) -> None:
    async with open_client(filled_store, version="") as client:
        for asked in ({"sort": "name:asc", "cursor": "nonsense"}, {"anchor": "end"}):
            jobs = (await client.get("/jobs", params={"limit": "3", "status": "FAILED", "q": "zz", **asked})).json()
            # All jobs, and unfiltered: the older contract does not page them.
            assert [read_name(one) for one in jobs][::208] == ["job-208", "job-000"]
            assert len(jobs) == 210
        for params, first, length in (
            ({}, "exec-109", 20),
            ({"limit": "500"}, "exec-109", 100),
            ({"limit": "5", "offset": "100"}, "exec-009", 5),
            ({"offset": "105"}, "exec-004", 5),
            # Not honoured before 2026-04-28.
            ({"sort": "name:asc", "q": "zz", "cursor": "nonsense"}, "exec-109", 20),
        ):
            executions = (await client.get(EXECUTIONS, params=params)).json()
            assert (read_name(executions[0]), len(executions)) == (first, length)
        for offset in ("110", "9" * 40):
            assert (await client.get(EXECUTIONS, params={"offset": offset})).json() == []
        for offset in ("", "-1", "x"):
            assert "offset must be" in read_refusal(await client.get(EXECUTIONS, params={"offset": offset}))
        assert "2026-04-28" in read_refusal(await client.get(TASKS))


async def test_without_a_version_single_resources_are_answered(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        for path in ("/jobs/etl", f"{EXECUTIONS}/exec-000"):
            paged = await client.get(path)
            assert paged.status_code == 200
            assert (await client.get(path, headers={"Blaxel-Version": ""})).json() == paged.json()


@pytest.mark.parametrize("path", ["/jobs", "/jobs/etl", EXECUTIONS, f"{EXECUTIONS}/exec-000", TASKS])
@pytest.mark.parametrize(
    "version", ["2026-04-27", "2026-05-28", "latest", "2026-99-99", "2026-04-28.preview", "2026-04-28,2026-09-22"]
)
async def test_an_unknown_version_is_refused(filled_store: Store, path: str, version: str) -> None:
    async with open_client(filled_store) as client:
        answer = await client.get(path, headers={"Blaxel-Version": version})
        message = read_refusal(answer, error="invalid_api_version")
        assert message == f'Unknown API version "{version}". Valid versions: 2026-04-16, 2026-04-28, 2026-09-22.'


@pytest.mark.parametrize(("path", "default"), [("/jobs", 50), (EXECUTIONS, 20), (TASKS, 50)])
async def test_every_known_version_from_2026_04_28_on_is_paged(filled_store: Store, path: str, default: int) -> None:
    async with open_client(filled_store) as client:
        answers = [
            (await client.get(path, headers={"Blaxel-Version": version})).json()
            for version in ("2026-04-28", "2026-09-22", " 2026-09-22 ")
        ]
    assert [len(answer["data"]) for answer in answers] == [default] * 3
    assert all(answer["data"] == answers[0]["data"] for answer in answers)


@pytest.mark.parametrize("path", ["/jobs", EXECUTIONS])
async def test_the_version_before_is_what_no_version_means(filled_store: Store, path: str) -> None:
    async with open_client(filled_store) as client:
        bare = [
            (await client.get(path, headers={"Blaxel-Version": version})).json() for version in ("", "2026-04-16")
        ]
        assert "2026-04-28" in read_refusal(await client.get(TASKS, headers={"Blaxel-Version": "2026-04-16"}))
    assert isinstance(bare[0], list)
    assert bare[0] == bare[1]


async def test_the_paged_contract_checks_the_offset_and_ignores_it(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        plain = read_names(await client.get(EXECUTIONS))
        assert read_names(await client.get(EXECUTIONS, params={"offset": "50"})) == plain
        for offset in ("-3", "x"):
            assert "offset must be" in read_refusal(await client.get(EXECUTIONS, params={"offset": offset}))
