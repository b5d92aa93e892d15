"""What Jobtrail adds to a tool call, side by side in one run: `python benchmarks/calls.py`.

The upstream answers at once from memory, so what is left is our own work: reading 20 rows into
models, rendering them, validating the structured content. A bare echo tool shows what the SDK costs.
"""

from __future__ import annotations

import json
import logging
import statistics
import time
from typing import TYPE_CHECKING

import anyio
import httpx2
from mcp import Client
from mcp.server import MCPServer

from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.runwisp.registration import RunWispSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ROUNDS = 300
RUNWISP = Settings(sources=(RunWispSettings(name="runwisp", url="http://runwisp.invalid"),), default="runwisp")
RUNS = [
    {
        "id": f"01K9Z3V5Q8R2M4N6P7S9T0W{number:03}",
        "taskName": "backup",
        "status": "ended",
        "endReason": "failed",
        "exitCode": 1,
        "startedAt": f"2026-11-23T12:00:{number:02}Z",
        "endedAt": f"2026-11-23T12:01:{number:02}Z",
        "createdAt": f"2026-11-23T12:00:{number:02}Z",
        "triggeredBy": "cron",
        "retryAttempt": 0,
        "instanceIndex": 0,
    }
    for number in range(20)
]
BODY = json.dumps({"items": RUNS, "total": 5_000}).encode()


def upstream(_request: httpx2.Request) -> httpx2.Response:
    """Answer every request with the same 20 runs."""
    return httpx2.Response(200, content=BODY, headers={"content-type": "application/json"})


def echo(text: str) -> str:
    """Return the text."""
    return text


async def main() -> None:
    """Print the table."""
    logging.basicConfig(level=logging.WARNING)
    bare = MCPServer("bare")
    bare.add_tool(echo)
    transport = httpx2.MockTransport(upstream)
    raw = httpx2.AsyncClient(transport=transport, base_url="http://runwisp.invalid/")
    async with Client(bare) as sdk, Client(build_server(RUNWISP, transport)) as client:

        async def call_echo() -> None:
            await sdk.call_tool("echo", {"text": "x"})

        async def call_upstream() -> None:
            (await raw.get("api/runs", params={"limit": 20})).json()

        async def call_ours() -> None:
            await client.call_tool("list_runs", {})

        timed = await _interleaved({"echo tool": call_echo, "upstream alone": call_upstream, "list_runs": call_ours})
    for name, seconds in timed.items():
        print(f"{name:<16} {seconds * 1000:6.2f} ms")
    added = timed["list_runs"] - timed["echo tool"] - timed["upstream alone"]
    print(f"{'added':<16} {added * 1000:6.2f} ms (budget 2 ms)")


async def _interleaved(calls: dict[str, Callable[[], Awaitable[None]]]) -> dict[str, float]:
    """Return the median seconds of each call, measured in turn so that noise hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = time.perf_counter()
            await call()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(found) for name, found in seconds.items()}


if __name__ == "__main__":
    anyio.run(main)
