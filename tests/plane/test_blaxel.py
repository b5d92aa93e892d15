"""The Blaxel side, parameter by parameter, as its seed documents say."""

from __future__ import annotations

import pytest

from jobtrail.store import Store
from jobtrail.store.maintenance import prune
from jobtrail.store.rows import StatsRow
from tests.plane.records import (
    EXECUTIONS,
    TASKS,
    make_execution,
    make_job,
    make_task,
    nanoseconds_at,
    open_client,
    read_all_pages,
    read_name,
    read_names,
    read_refusal,
    set_status,
)

pytestmark = pytest.mark.anyio

LISTS = [("/jobs", 50, 200), (EXECUTIONS, 20, 100), (TASKS, 50, 200)]
EVERY_LIST = pytest.mark.parametrize(("path", "default", "most"), LISTS)
EVERY_PATH = pytest.mark.parametrize("path", [path for path, _, _ in LISTS])
DEPLOYMENTS = "DELETING,TERMINATED,FAILED,DEACTIVATED,DEACTIVATING,UPLOADING,BUILDING,DEPLOYING,DEPLOYED,BUILT"


@EVERY_LIST
async def test_a_page_has_the_documented_default_and_is_clamped_to_the_documented_most(
    filled_store: Store, path: str, default: int, most: int
) -> None:
    async with open_client(filled_store) as client:
        for limit, length in (
            ({}, default),
            ({"limit": "1"}, 1),
            ({"limit": most}, most),
            ({"limit": most + 1}, most),
            ({"limit": "0" * 50 + "1"}, 1),
            ({"limit": "9" * 5000}, most),
        ):
            assert len(read_names(await client.get(path, params=limit))) == length, limit


@EVERY_PATH
@pytest.mark.parametrize("limit", ["", "0", "-1", "1.5", "ten", "1e2", "٣", " 5", "0x10", "0" * 30])
async def test_a_limit_that_is_no_whole_number_from_one_on_is_refused(
    filled_store: Store, path: str, limit: str
) -> None:
    async with open_client(filled_store) as client:
        for version in ("2026-04-16", "2026-04-28"):
            answer = await client.get(path, params={"limit": limit}, headers={"Blaxel-Version": version})
            assert "limit must be a whole number" in read_refusal(answer)


async def test_the_newest_come_first_unless_a_sort_says_otherwise(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        first: dict[str | None, str] = {}
        for sort in (None, "createdAt:desc", "createdAt:asc", "name:asc", "name:desc"):
            params = {"limit": "1"} | ({} if sort is None else {"sort": sort})
            first[sort] = read_names(await client.get("/jobs", params=params))[0]
    assert first == {
        None: "job-208",
        "createdAt:desc": "job-208",
        "createdAt:asc": "etl",
        "name:asc": "etl",
        "name:desc": "job-208",
    }


@EVERY_PATH
async def test_each_sort_orders_the_whole_list(filled_store: Store, path: str) -> None:
    async with open_client(filled_store) as client:
        walks = {
            sort: [read_name(item) for page in await read_all_pages(client, path, sort=sort) for item in page["data"]]
            for sort in ("createdAt:desc", "createdAt:asc", "name:asc", "name:desc")
        }
    assert walks["name:asc"] == sorted(walks["createdAt:asc"])
    assert walks["name:desc"] == walks["name:asc"][::-1]
    assert walks["createdAt:desc"] == walks["createdAt:asc"][::-1]
    # Tasks of one moment keep the order of their scheduling, which is not that of their names.
    assert (walks["createdAt:asc"] == walks["name:asc"]) is (path != TASKS)


@EVERY_PATH
@pytest.mark.parametrize("sort", ["", "createdAt", "updatedAt:desc", "name:up", "NAME:asc", "name:asc,createdAt:asc"])
async def test_an_unknown_sort_is_refused(filled_store: Store, path: str, sort: str) -> None:
    async with open_client(filled_store) as client:
        assert "createdAt:desc, createdAt:asc" in read_refusal(await client.get(path, params={"sort": sort}))
        if path != TASKS:
            # Not honoured before 2026-04-28, but checked: the narrower reading.
            read_refusal(await client.get(path, params={"sort": sort}, headers={"Blaxel-Version": ""}))


@pytest.mark.parametrize(
    "q",
    ["etl", "ETL", "  nightly etl ", "tly", "team", "data plat", "env-tier", "GOLD"],
)
async def test_q_finds_parts_of_the_name_the_display_name_and_label_keys_and_values(
    filled_store: Store, q: str
) -> None:
    async with open_client(filled_store) as client:
        assert read_names(await client.get("/jobs", params={"q": q})) == ["etl"]


async def test_q_is_a_substring_and_not_a_pattern(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        for q in ("e%l", "job_00", "job-*", "' OR 1=1 --", 'x" OR "', "\x00\x00"):
            assert read_names(await client.get("/jobs", params={"q": q})) == [], q


async def test_q_of_one_character_does_not_filter(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        everything = read_names(await client.get("/jobs", params={"limit": "200"}))
        for q in ("", "z", "  z  ", "   "):
            assert read_names(await client.get("/jobs", params={"limit": "200", "q": q})) == everything


@EVERY_PATH
async def test_q_has_at_most_200_characters(filled_store: Store, path: str) -> None:
    async with open_client(filled_store) as client:
        assert read_names(await client.get(path, params={"q": "z" * 200})) == []
        # The documented length is that of what is sent, not of what is left when it is trimmed.
        for q in ("z" * 201, "  " + "z" * 199, " " * 201):
            assert "at most 200" in read_refusal(await client.get(path, params={"q": q}))


async def test_q_searches_the_ids_of_executions_and_the_names_of_tasks(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        assert read_names(await client.get(EXECUTIONS, params={"q": "EXEC-10"}))[-1] == "exec-100"
        assert len(read_names(await client.get(EXECUTIONS, params={"q": "EXEC-10"}))) == 10
        assert read_names(await client.get(TASKS, params={"q": "K-20", "sort": "name:asc"}))[:2] == [
            "task-20",
            "task-200",
        ]


async def test_q_is_lowercased_beyond_ascii_as_the_names_are() -> None:
    store = Store(None)
    store.write([make_job("etl", title="Übergabe"), make_execution("Lauf-Ä", "etl"), make_task("ПЕРВАЯ", "Lauf-Ä")])
    async with open_client(store) as client:
        for path, name, parts in (
            ("/jobs", "etl", ("über", "ÜBER")),
            (EXECUTIONS, "Lauf-Ä", ("-ä", "-Ä")),
            (f"{EXECUTIONS}/Lauf-Ä/tasks", "ПЕРВАЯ", ("первая", "Перв")),
        ):
            for q in parts:
                assert read_names(await client.get(path, params={"q": q})) == [name], q


async def test_the_anchor_end_gives_the_oldest_page_at_once(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        for sort in ({}, {"sort": "createdAt:desc"}):
            answer = await client.get("/jobs", params={"anchor": "end", "limit": "3", **sort})
            assert read_names(answer) == ["job-001", "job-000", "etl"]
            assert answer.json()["meta"] == {"hasMore": False, "nextCursor": "", "total": 210}


async def test_the_anchor_end_goes_with_the_filters(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        params = {"anchor": "end", "limit": "2", "status": "failed", "q": "job"}
        assert read_names(await client.get("/jobs", params=params)) == ["job-001", "job-000"]


async def test_the_anchor_is_refused_with_another_sort_a_cursor_or_another_value(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        cursor = (await client.get("/jobs")).json()["meta"]["nextCursor"]
        for params in (
            # The vendor's later documents allow this one; what works here works under both.
            {"anchor": "end", "sort": "createdAt:asc"},
            {"anchor": "end", "sort": "name:asc"},
            {"anchor": "end", "sort": "name:desc"},
            {"anchor": "end", "cursor": cursor},
            {"anchor": "start"},
            {"anchor": "END"},
            {"anchor": ""},
        ):
            assert "anchor" in read_refusal(await client.get("/jobs", params=params))


async def test_executions_and_tasks_know_neither_anchor_nor_status(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        for path in (EXECUTIONS, TASKS):
            plain = read_names(await client.get(path))
            assert read_names(await client.get(path, params={"anchor": "end", "status": "nonsense"})) == plain


async def test_status_filters_jobs_whatever_its_case(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        for status, count in (("FAILED", 5), ("failed", 5), ("Failed,deployed,FAILED", 6), ("DELETING", 0)):
            assert len(read_names(await client.get("/jobs", params={"status": status, "limit": 200}))) == count, (
                status
            )


async def test_every_status_is_the_same_as_none(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        first = (await client.get("/jobs", params={"status": DEPLOYMENTS})).json()["meta"]["nextCursor"]
        without = await client.get("/jobs", params={"cursor": first})
        everything = read_names(await client.get("/jobs", params={"limit": 100}))
        assert read_names(without) == everything[50:]


@pytest.mark.parametrize("status", ["", "running", "FAILED,NOPE", "DEPLOYED;FAILED", "FAILED,", " FAILED"])
async def test_an_unknown_status_is_refused(filled_store: Store, status: str) -> None:
    async with open_client(filled_store) as client:
        assert "DEPLOYED" in read_refusal(await client.get("/jobs", params={"status": status}))
        # Validated under the older contract, too.
        read_refusal(await client.get("/jobs", params={"status": status}, headers={"Blaxel-Version": ""}))


async def test_the_total_counts_everything_and_the_last_page_says_so(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        for path, most, total, q in (
            ("/jobs", 200, 210, "job-00"),
            (EXECUTIONS, 100, 110, "c-00"),
            (TASKS, 200, 210, "k-20"),
        ):
            pages = await read_all_pages(client, path, limit=most)
            assert [page["meta"]["total"] for page in pages] == [total, total]
            assert [len(page["data"]) for page in pages] == [most, total - most]
            assert pages[-1]["meta"] == {"hasMore": False, "nextCursor": "", "total": total}
            found = (await client.get(path, params={"q": q})).json()
            assert (len(found["data"]), found["meta"]["total"]) == (11 if path == TASKS else 10, total)


async def test_a_page_that_holds_exactly_the_rest_has_no_next_one(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        assert [len(page["data"]) for page in await read_all_pages(client, EXECUTIONS, limit=55)] == [55, 55]


async def test_show_secrets_is_a_boolean(filled_store: Store) -> None:
    async with open_client(filled_store) as client:
        for word in ("true", "false"):
            assert (await client.get("/jobs/etl", params={"show_secrets": word})).status_code == 200
        for word in ("", "yes", "1", "TRUE"):
            assert "true or false" in read_refusal(await client.get("/jobs/etl", params={"show_secrets": word}))


async def test_times_and_counts_of_an_execution_are_in_the_documented_fields() -> None:
    store = Store(None)
    store.write([make_job("etl"), make_execution("e1", "etl", 0, "failed", timeout=3600)])
    store.write([make_task("t1", "e1", 0, "running", "succeeded"), make_task("t2", "e1", 0)])
    async with open_client(store) as client:
        whole = (await client.get(f"{EXECUTIONS}/e1")).json()
        listed = (await client.get(EXECUTIONS)).json()["data"][0]
        tasks = (await client.get(f"{EXECUTIONS}/e1/tasks")).json()["data"]
    assert whole.pop("tasks") == tasks[::-1]
    assert whole == listed
    assert whole == {
        "metadata": {
            "id": "e1",
            "job": "etl",
            "workspace": "default",
            "createdAt": "2026-11-01T00:00:00Z",
            "updatedAt": "2026-11-01T00:02:00Z",
            "startedAt": "2026-11-01T00:01:00Z",
            "completedAt": "2026-11-01T00:02:00Z",
        },
        "spec": {"parallelism": 1, "timeout": 3600},
        "stats": {"total": 2, "success": 1, "failure": 0, "running": 0, "cancelled": 0, "retried": 0},
        "status": "failed",
    }
    assert tasks[0] == {
        "metadata": {
            "name": "t2",
            "createdAt": "2026-11-01T00:00:00Z",
            "scheduledAt": "2026-11-01T00:00:00Z",
            "updatedAt": "2026-11-01T00:00:00Z",
        },
        "spec": {"maxRetries": 2, "timeout": "30m"},
        "status": "pending",
        "conditions": [],
    }


async def test_the_total_of_tasks_is_of_those_that_are_listed() -> None:
    store = Store(None)
    store.write(
        [make_job("etl"), make_execution("e1", "etl", 0, "failed"), make_task("t1", "e1", 0, "running", "failed")]
    )
    store.write(
        [StatsRow("e1", nanoseconds_at(2), total=900, success=0, failure=30, running=0, cancelled=0, retried=0)]
    )
    async with open_client(store) as client:
        whole = (await client.get(f"{EXECUTIONS}/e1")).json()
        listed = (await client.get(f"{EXECUTIONS}/e1/tasks")).json()
    # Another system counted more tasks than it listed.
    assert (whole["stats"]["total"], len(whole["tasks"])) == (900, 1)
    assert (listed["meta"]["total"], len(listed["data"])) == (1, 1)


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/jobs/etl%2Fexecutions", "/jobs/etl%2f", "/jobs/..%2Fjobs"])
async def test_a_name_with_a_slash_is_no_other_path(path: str) -> None:
    store = Store(None)
    store.write([make_job("etl")])
    async with open_client(store) as client:
        found = await client.get(path)
    store.close()
    assert (found.status_code, found.json()["error"]) == (404, "not_found")


async def test_an_execution_is_sent_again_only_once_it_or_its_tasks_have_changed() -> None:
    store = Store(None)
    one = make_execution("e1", "etl", 0, "running")
    ended = set_status(one, 9, "failed"), make_task("t1", "e1", 0, "running", "failed")
    changes = [
        [make_job("etl"), one],
        [make_task("t1", "e1")],
        [make_task("t1", "e1", 0, "running", "failed")],
        [make_execution("e2", "etl", 1), make_task("t1", "e2")],
        [ended[0]],
        [StatsRow("e1", nanoseconds_at(9), 5, 3, 2, 0, 0, 0)],
    ]
    tags: list[str] = []
    async with open_client(store) as client:

        async def ask(tag: str) -> int:
            answer = await client.get("/jobs/etl/executions/e1", headers={"If-None-Match": tag})
            assert (answer.status_code == 304) == (answer.headers["etag"] == tag) == (not answer.content)
            tags.append(answer.headers["etag"])
            return answer.status_code

        told: list[int] = []
        for change in changes:
            store.write(change)
            told.append(await ask(tags[-1] if tags else "none"))
            assert await ask(tags[-1]) == 304
        # Another execution has come; everything else was about this one.
        assert told == [200, 200, 200, 304, 200, 200]
        await ask(tags[-1])
        prune(store, nanoseconds_at(99))
        read_refusal(
            await client.get("/jobs/etl/executions/e1", headers={"If-None-Match": tags[-1]}), 404, "not_found"
        )
        store.write([*ended, StatsRow("e1", nanoseconds_at(9), 5, 3, 2, 0, 0, 0)])
        assert await ask(tags[-1]) == 200
    store.close()
