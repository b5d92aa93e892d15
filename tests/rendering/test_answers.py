"""Whole answers over the sample workspace at a fixed time: the text as an agent reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from inline_snapshot import snapshot

from tests.sample_client import BIG, answer, count_tokens, follow, sample_client, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mcp import Client

pytestmark = pytest.mark.anyio

EXECUTION_TOKENS = 800


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def client() -> AsyncGenerator[Client]:
    async with sample_client() as client:
        yield client


async def test_list_jobs(client: Client) -> None:
    text, _ = await answer(client, "list_jobs", query="postgres")
    assert text == snapshot("""\
jobs · source embedded, SAMPLE DATA · 1 row, of 8 scanned, complete · query postgres, searched in names and labels, and of tasks in descriptions and groups · name:asc
name	kind	schedule	next run	group	about
backup-postgres	task	15 3 * * * (UTC)	2026-11-24T03:15:00Z	Backups	Nightly dump of the primary database to off-site storage.\
""")


async def test_list_jobs_from_the_end_goes_on_in_the_same_direction(client: Client) -> None:
    pages = await follow(client, "list_jobs", sort="created_at:desc", from_end=True, limit=5)
    names = [job["name"] for page in pages for job in page["items"]]
    forward = await follow(client, "list_jobs", sort="created_at:desc", limit=100)
    assert names == [job["name"] for page in forward for job in page["items"]][::-1]
    assert pages[0]["total"] == {"value": 12, "kind": "exact"}


async def test_get_job(client: Client) -> None:
    text, _ = await answer(client, "get_job", job="nightly-etl")
    assert text == snapshot("""\
job nightly-etl · source embedded, SAMPLE DATA
deployment deployed · schedule '0 2 * * * (UTC)' · changed 2024-08-20T00:00:07Z · about 'Nightly ETL'
enabled true · region us-pdx-1 · image registry.internal/nightly-etl:6157567e · generation mk3 · memory_mb 2048 · timeout_s 3600 · max_retries 2 · triggers cron
labels: team=data, env=production
environment (names only): LOG_LEVEL, DATABASE_URL
last 20: 13 failed, 7 succeeded · newest failed 2026-11-23T02:00:00Z · last success 2026-11-22T02:00:00Z · last failure exec-d949a7de82d2\
""")


async def test_get_job_of_a_scheduled_task(client: Client) -> None:
    text, _ = await answer(client, "get_job", job="backup-postgres")
    assert text == snapshot("""\
task backup-postgres · source embedded, SAMPLE DATA
schedule '15 3 * * * (UTC)' · next run 2026-11-24T03:15:00Z · group Backups · about 'Nightly dump of the primary database to off-site storage.'
timeout_s 7200 · retry_attempts 1 · on_overlap skip
all 17: 12 succeeded, 3 timeout, 2 failed · newest succeeded 2026-11-23T03:15:00Z · last success 2026-11-23T03:15:00Z · last failure 01M7RXSQZS70G2AC00ZNA6MD9F\
""")


async def test_list_executions(client: Client) -> None:
    text, _ = await answer(
        client, "list_executions", job="invoice-export", status="failed,timeout", since="2d", limit=3
    )
    assert text == snapshot("""\
executions of invoice-export · source embedded, SAMPLE DATA · 3 rows, of 9 scanned, upstream counts 80 in all, back to 2026-11-22T09:20:00Z, more to read · status failed,timeout · since 2026-11-21T12:00:00Z (now 2026-11-23T12:00:00Z) · created_at:desc · every row: status failed, tasks 6, running 0, cancelled 0
id	created	duration	ok	failed	retried
exec-3e21440c5bee	2026-11-23T09:20:00Z	10m11s	5	1	1
exec-64ae726da2cf	2026-11-22T12:20:00Z	10m06s	2	4	4
exec-ac4ab41a5e35	2026-11-22T09:20:00Z	17m44s	2	4	4
more: list_executions(cursor="10VdmocNmVWpuUmoKKHx1lJJTzMyTjBA2ZeaV5Wcmp-qmVhSAQoAUi40MQwyNYBbrwLxrXBsLAA..0.9.3.0.0.0.0.~9.exec-ac4ab41a5e35.~hoe7fxe8lc")\
""")


async def test_get_execution_of_10000_tasks(client: Client) -> None:
    text, _ = await answer(client, "get_execution", **BIG)
    assert text == snapshot("""\
execution exec-688fbc5309ca of backfill-embeddings · source embedded, SAMPLE DATA
verdict: failed: of 10,000 tasks 9,702 succeeded, 298 failed, 0 running, 0 cancelled
created 2026-11-17T06:00:00Z · started 2026-11-17T06:00:21Z · ended 2026-11-17T06:59:56Z · queued 22s · ran 59m35s · parallelism 200 · timeout 1h · retried 385
298 failed tasks by cause, from all tasks:
count	cause	example	tasks	time
163	d09248	RateLimited: HTTP 429 from api.embeddings.example after 102 attempts, request id req_c2742ba15c	task-45, task-119, task-131	2026-11-17T06:01:53Z to 2026-11-17T06:58:17Z
92	3810e8	OOMKilled: container exceeded its memory limit of 2048 MiB (33597 MiB) and was killed (exit code 137)	task-215, task-330, task-445	2026-11-17T06:02:46Z to 2026-11-17T06:56:15Z
26	c4daa6	KeyError: KeyError: 'customer_id' in record 82661 of batch dafcc8e7ac	task-335, task-603, task-790	2026-11-17T06:04:10Z to 2026-11-17T06:46:28Z
17	0b2520	AccessDenied: S3 GetObject s3://acme-exports/2026-11-17/part-59713.parquet: AccessDenied	task-424, task-527, task-3075	2026-11-17T06:03:45Z to 2026-11-17T06:44:33Z
slowest of 10,000 tasks read: task-4565 3m05s, task-8862 3m05s, task-7992 3m04s
next: list_tasks(job='backfill-embeddings', execution='exec-688fbc5309ca', cause='d09248', fields='name', limit=100, source='embedded')
next: list_tasks(job='backfill-embeddings', execution='exec-688fbc5309ca', cause='3810e8', fields='name', limit=100, source='embedded')
next: list_tasks(job='backfill-embeddings', execution='exec-688fbc5309ca', cause='c4daa6', fields='name', limit=100, source='embedded')
next: list_tasks(job='backfill-embeddings', execution='exec-688fbc5309ca', cause='0b2520', fields='name', limit=100, source='embedded')
next: list_tasks(job='backfill-embeddings', execution='exec-688fbc5309ca', status='failed', fields='name', limit=100, source='embedded')
next: read_log(job='backfill-embeddings', execution='exec-688fbc5309ca', task='task-45', source='embedded')\
""")
    assert count_tokens(text) <= EXECUTION_TOKENS


async def test_get_execution_that_is_running_says_how_to_ask_again(client: Client) -> None:
    _, running = await answer(client, "list_executions", job="preview-build", status="running")
    text, _ = await answer(client, "get_execution", job="preview-build", execution=running["items"][0]["id"])
    assert text == snapshot("""\
execution exec-fdde3da01d36 of preview-build · source embedded, SAMPLE DATA
verdict: running: of 4 tasks 1 succeeded, 0 failed, 3 running, 0 cancelled
created 2026-11-23T11:33:00Z · started 2026-11-23T11:33:23Z · queued 23s · ran 26m37s so far · parallelism 4 · timeout 1h · retried 0
next: wait_for(job='preview-build', execution='exec-fdde3da01d36', source='embedded')\
""")


async def test_list_tasks(client: Client) -> None:
    text, _ = await answer(client, "list_tasks", **BIG, status="failed", limit=2)
    assert text == snapshot("""\
tasks of backfill-embeddings exec-688fbc5309ca · source embedded, SAMPLE DATA · 2 rows, of 40 scanned, upstream counts 10,000 in all, back to 2026-11-17T06:00:00Z, more to read · status failed · created_at:desc · every row: status failed, day 2026-11-17, attempt 2
name	duration	ended	reason
task-9989	2m51s	06:55:57Z	RateLimited: HTTP 429 from api.embeddings.example after 132 attempts, request id req_4febb0faa7
task-9973	1m12s	06:49:25Z	RateLimited: HTTP 429 from api.embeddings.example after 163 attempts, request id req_233fe0a949
more: list_tasks(cursor="1zLkC6UPzcWpuUmoKKGh1lJJTzMyTjBCWJCUmZ6dl5uToQtQA4wSsAd1TZhYWaUnJpsYGlsmJmA4DBwfEn7WxAA..0.14.2.0.0.0.0.~14.task-9960.~ho8jgz9c00")\
""")


async def test_list_runs(client: Client) -> None:
    text, _ = await answer(client, "list_runs", job="backup-postgres", status="failed,timeout", limit=2)
    assert text == snapshot("""\
runs of backup-postgres · source embedded, SAMPLE DATA · 2 rows, of 5, more to read · status failed,timeout · created_at:desc · every row: status failed, exit 2, trigger api, instance 0
id	created	duration	attempt
01M7RXSQZS70G2AC00ZNA6MD9F	2026-11-19T03:32:26Z	16m41s	2
01M7RWSSS0XF5P5SRCP8B92M69	2026-11-19T03:15:00Z	17m16s	1
more: list_runs(cursor="1Km-tOUP1f2puUmoKKGR1lJJTzMyTjBB2JCUmZ5cW6BbkF5ekQ0IWt50wr9TGAgA..0.2.2.5.0.0.0.~dmyuzmvlb0g0.01M7RWSSS0XF5P5SRCP8B92M69.~1.~2.~5.~toyeo0")\
""")


async def test_list_runs_of_all_tasks(client: Client) -> None:
    text, _ = await answer(client, "list_runs", status="failed,timeout", since="12h")
    assert text == snapshot("""\
runs of all jobs · source embedded, SAMPLE DATA · 6 rows, complete · status failed,timeout · since 2026-11-23T00:00:00Z (now 2026-11-23T12:00:00Z) · created_at:desc · every row: instance 0
id	job	status	created	duration	exit	trigger	attempt
01M83XJMYYKACNP9SA7VD69TXZ	healthcheck-api	timeout	2026-11-23T10:00:13Z	1.6s	-1	cron	2
01M83XJ880CH86JX615VZ8MKAW	healthcheck-api	failed	2026-11-23T10:00:00Z	2.5s	1	cron	1
01M838ZTSH6F5Z2WM9VDEV0MMV	healthcheck-api	timeout	2026-11-23T04:00:24Z	1.7s	-1	ui	3
01M838ZE9VK0A7CRVPFCGMKVVT	healthcheck-api	failed	2026-11-23T04:00:12Z	2.4s	1	ui	2
01M838Z2G0V6YNF3C5GJGP8787	healthcheck-api	timeout	2026-11-23T04:00:00Z	1.7s	-1	ui	1
01M82V7M002TY8ZGCTFWHKWERT	report-usage	failed	2026-11-23T00:00:00Z	42s	3	api	1\
""")


async def test_get_run(client: Client) -> None:
    text, _ = await answer(client, "get_run", run="01M7RXSQZS70G2AC00ZNA6MD9F")
    assert text == snapshot("""\
run 01M7RXSQZS70G2AC00ZNA6MD9F of backup-postgres · source embedded, SAMPLE DATA
verdict: failed with exit code 2
created 2026-11-19T03:32:26Z · duration 16m41s · trigger api · attempt 2 · instance 0 · queued 588ms · started 2026-11-19T03:32:27Z · ended 2026-11-19T03:49:08Z · retry of 01M7RWSSS0XF5P5SRCP8B92M69
log, lines 1 to 3 of 3:
| pg_dump: dumping database acme, snapshot 78eef90a4f
| pg_dump: error: connection to server at '10.0.42.183' failed: timeout expired
| backup: giving up after 15 of 61 tables
next: list_runs(job='backup-postgres', limit=10, source='embedded')\
""")


async def test_an_empty_answer_says_what_was_searched_and_what_to_widen(client: Client) -> None:
    text, page = await answer(client, "list_executions", job="fraud-scoring", status="cancelled", since="24h")
    assert text == snapshot("""\
executions of fraud-scoring · source embedded, SAMPLE DATA · 0 rows, of 97 scanned, complete · status cancelled · since 2026-11-22T12:00:00Z (now 2026-11-23T12:00:00Z) · created_at:desc
note: nothing matched; to widen: list_executions(job='fraud-scoring', since='2026-11-22T12:00:00Z', source='embedded')\
""")
    assert page["coverage"]["complete"]
    assert page["coverage"]["scanned"] > 0


async def test_a_name_of_the_other_kind_names_the_right_call(client: Client) -> None:
    task = await client.call_tool("list_executions", {"job": "backup-postgres"})
    job = await client.call_tool("list_runs", {"job": "nightly-etl"})
    assert [text_of(task), text_of(job)] == snapshot(
        [
            "'backup-postgres' is a scheduled task; call list_runs(job='backup-postgres')",
            "'nightly-etl' is a batch job; call list_executions(job='nightly-etl')",
        ]
    )
