"""What `list_runs` adds to a call, as a Markdown table: `python benchmarks/calls.py [ROUNDS]`.

An upstream on loopback, in a process of its own, sends 20 runs. A bare HTTP client asks it for them; the client of
the SDK, in memory, calls `list_runs`, and a tool of a bare server of the same SDK that returns a text. They take
turns, so that all see the same machine; as that may be busy, the CPU time of this process is told as well. What is
left is ours: reading the rows, rendering them, and that the client checks structured content by its schema.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import socket
import statistics
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import anyio
import httpx2
import uvicorn
from mcp import Client
from mcp.server import MCPServer

from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.runwisp.registration import RunWispSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from mcp.types import CallToolResult
    from starlette.types import Receive, Scope, Send

ROUNDS = 500
WARM_UP = 20
BUDGET = 2.0
ECHO, UPSTREAM, OURS = "echo tool of a bare SDK server", "the upstream, by a bare client", "`list_runs`"
RUNS = [
    {
        "id": f"01K9Z3V5Q8R2M4N6P7S9T0W{number:03}",
        "taskName": "backup",
        "status": "ended",
        "endReason": "failed" if number % 4 else "succeeded",
        "exitCode": 1 if number % 4 else 0,
        "startedAt": f"2026-11-23T12:00:{59 - number:02}.25Z",
        "endedAt": f"2026-11-23T12:01:{59 - number // 2:02}.5Z",
        "createdAt": f"2026-11-23T12:00:{59 - number:02}Z",
        "triggeredBy": "cron",
        "retryAttempt": 0,
        "instanceIndex": 0,
    }
    for number in range(20)
]
BODY = json.dumps({"items": RUNS, "total": 5_000}).encode()


async def answer(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer every request with the same 20 runs."""
    if scope["type"] == "http":
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": BODY})


def serve(listener: socket.socket) -> None:
    """Serve the upstream until the process is ended."""
    server = uvicorn.Server(uvicorn.Config(answer, lifespan="off", log_level="error"))
    anyio.run(server.serve, [listener])


@contextmanager
def run_upstream() -> Generator[str]:
    """Yield the address of an upstream in a process of its own."""
    # Only where the protocol is named does asyncio send without delay.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        process = multiprocessing.get_context("fork").Process(target=serve, args=(listener,), daemon=True)
        process.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            process.terminate()
            process.join()


def echo(text: str) -> str:
    """Return the text."""
    return text


class Cost(NamedTuple):
    """Milliseconds of a call, and of CPU."""

    wall: float
    cpu: float


async def measure(url: str, rounds: int) -> dict[str, Cost]:
    """Return the median costs of each call."""
    bare = MCPServer("bare")
    bare.add_tool(echo)
    settings = Settings(sources=(RunWispSettings(name="runwisp", url=url),), default="runwisp")
    async with (
        httpx2.AsyncClient(base_url=f"{url}/") as raw,
        Client(bare) as sdk,
        Client(build_server(settings)) as client,
    ):

        async def call_echo() -> None:
            _require_answer(await sdk.call_tool("echo", {"text": "x"}))

        async def call_upstream() -> None:
            (await raw.get("api/runs", params={"limit": 20})).json()

        async def call_ours() -> None:
            _require_answer(await client.call_tool("list_runs", {}))

        return await _take_turns({ECHO: call_echo, UPSTREAM: call_upstream, OURS: call_ours}, rounds)


def _require_answer(result: CallToolResult) -> None:
    if result.is_error:
        raise RuntimeError(result.content)


async def _take_turns(calls: dict[str, Callable[[], Awaitable[None]]], rounds: int) -> dict[str, Cost]:
    taken: dict[str, list[Cost]] = {name: [] for name in calls}
    for _ in range(WARM_UP + rounds):
        for name, call in calls.items():
            wall, cpu = time.perf_counter(), time.process_time()
            await call()
            taken[name].append(Cost((time.perf_counter() - wall) * 1_000, (time.process_time() - cpu) * 1_000))
    return {name: Cost(*map(statistics.median, zip(*costs[WARM_UP:], strict=True))) for name, costs in taken.items()}


def main() -> int:
    """Print the table; return 1 when the budget is missed."""
    logging.basicConfig(level=logging.WARNING)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with run_upstream() as url:
        found = anyio.run(measure, url, rounds)
    left = [ours - sdk - alone for ours, sdk, alone in zip(found[OURS], found[ECHO], found[UPSTREAM], strict=True)]
    found[f"added by {OURS}"] = Cost(*left)
    print("| call | ms | CPU, ms |")
    print("|---|---:|---:|")
    for name, cost in found.items():
        print(f"| {name} | {cost.wall:.2f} | {cost.cpu:.2f} |")
    return 0 if min(left) <= BUDGET else 1


if __name__ == "__main__":
    sys.exit(main())
