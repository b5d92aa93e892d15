"""`get_execution` of a finished execution of many tasks: `python benchmarks/executions.py [--rounds N] [--tasks N]`.

A bare client that fetches the same addresses and parses the same JSON, Jobtrail's first call, and its second take
turns in one process, as Markdown tables: medians of wall and of CPU time. The embedded plane is asked in-process; the
other upstreams are a process that answers at once from memory over loopback, once with the tasks in the execution and
once with pages of tasks, which Jobtrail reads up to its budget. docs/benchmarks.md has a run.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import multiprocessing
import socket
import statistics
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
from mcp import Client

from jobtrail.plane import InProcessPlane, build_plane
from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.blaxel.registration import BlaxelSettings
from jobtrail.sources.embedded.registration import EmbeddedSettings
from jobtrail.store import Store
from jobtrail.store.rows import ExecutionRow, JobRow, TaskRow

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

    from starlette.types import Receive, Scope, Send

    from jobtrail.store.rows import AnyRow

SECOND = 1_000_000_000
START = 1_767_225_600 * SECOND
JOB, EXECUTION, SMALL = "etl", "exec-large", "exec-small"
PATH = f"/jobs/{JOB}/executions/{EXECUTION}"
VERSION = {"Blaxel-Version": "2026-04-28"}
PAGED = {"sort": "createdAt:desc", "limit": 200}
INLINE, PAGES = "Blaxel, tasks in the execution", "Blaxel, pages of tasks"
CALLS = "bare | first | again | first/bare | again/first"
BUDGET = 2_000
"""Tasks that Jobtrail reads of pages."""
MESSAGES = (
    "RateLimited: HTTP 429 from api.embeddings.example after {} attempts, request id req_{:012x}",
    "OutOfMemory: killed at {} MiB while it held batch {:x}",
    "Timeout: no answer from 'db-{}' within 30 s (trace {:016x})",
)


@dataclass(frozen=True)
class Size:
    """How many tasks the execution has, which share of them failed, and how often it is asked for."""

    tasks: int
    failed: int
    rounds: int


def list_rows(size: Size) -> Iterator[AnyRow]:
    """Yield a job with one finished execution and its tasks, of which some failed for one of three reasons."""
    yield JobRow(JOB, START, START)
    end = START + 7_200 * SECOND
    yield ExecutionRow(JOB, SMALL, "succeeded", START, end, START + SECOND, end)
    yield TaskRow(SMALL, "task-0", "succeeded", START, end, START, end, 1)
    yield ExecutionRow(JOB, EXECUTION, "failed", START, end, START + SECOND, end, {"parallelism": 200})
    for number in range(size.tasks):
        begun = START + number % 3_600 * SECOND + 643_384_000
        ended = begun + (30 + number * 7_919 % 155) * SECOND + number
        failed = number * size.failed // 100 != (number + 1) * size.failed // 100
        message = MESSAGES[number % len(MESSAGES)].format(number, number * 2_654_435_761)
        conditions = [{"type": "Failed", "reason": "Error", "message": message}] if failed else []
        yield TaskRow(
            EXECUTION, f"task-{number}", "failed" if failed else "succeeded", START, ended, begun, ended, 1,
            {"maxRetries": 2, "timeout": "30m"}, conditions,
        )  # fmt: skip


async def save_answers(store: Store) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Return the plane's answers by address: with the tasks in the execution, and with pages of tasks."""
    transport = httpx2.ASGITransport(build_plane(store))
    async with httpx2.AsyncClient(transport=transport, base_url="http://x/v0", headers=VERSION) as client:
        small, whole = [(await client.get(path)).content for path in (PATH.replace(EXECUTION, SMALL), PATH)]
        others = {f"/v0{PATH.replace(EXECUTION, SMALL)}": small}
        pages = {**others, f"/v0{PATH}": json.dumps({**json.loads(whole), "tasks": None}).encode()}
        params: dict[str, Any] = dict(PAGED)
        for _ in range(BUDGET // 200):
            page = await client.get(f"{PATH}/tasks", params=params)
            pages[page.request.url.raw_path.decode()] = page.content
            params["cursor"] = page.json()["meta"]["nextCursor"]
    return {**others, f"/v0{PATH}": whole}, pages


def serve_answers(listener: socket.socket, answers: dict[str, bytes]) -> None:
    """Serve saved answers until the process is ended."""
    import uvicorn  # noqa: PLC0415 # in its own process alone

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        query = scope["query_string"].decode()
        body = answers.get(scope["path"] + (f"?{query}" if query else ""))
        status = 404 if body is None else 200
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": body or b"{}"})

    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
    anyio.run(uvicorn.Server(config).serve, [listener])


@asynccontextmanager
async def serving(answers: dict[str, bytes]) -> AsyncGenerator[str]:
    """Serve saved answers in a process of its own; gives the base URL."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        # A socket that a process inherits is not given this by asyncio: each answer would wait 40 ms for the kernel.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        process = multiprocessing.get_context("spawn").Process(target=serve_answers, args=(listener, answers))
        process.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v0"
        finally:
            process.terminate()
            process.join()


async def fetch_bare(client: httpx2.AsyncClient, *, paged: bool) -> None:
    """Fetch and parse what Jobtrail reads, and do nothing with it."""
    json.loads((await client.get(PATH)).content)
    params: dict[str, Any] = dict(PAGED)
    for _ in range(BUDGET // 200 if paged else 0):
        page = json.loads((await client.get(f"{PATH}/tasks", params=params)).content)
        params["cursor"] = page["meta"]["nextCursor"]


async def measure(call: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Return the milliseconds that a call takes, by the wall's clock and of the processor."""
    # What others left behind is not collected at the cost of this call.
    gc.collect()
    wall, processor = time.perf_counter(), time.process_time()
    await call()
    return (time.perf_counter() - wall) * 1_000, (time.process_time() - processor) * 1_000


async def measure_round(settings: Settings, bare: httpx2.AsyncClient, *, paged: bool) -> list[tuple[float, float]]:
    """Measure the bare client, a server's first call for this execution, and its second."""

    async def ask(execution: str = EXECUTION) -> None:
        result = await client.call_tool("get_execution", {"job": JOB, "execution": execution})
        if result.is_error:
            raise RuntimeError(str(result.content))

    async with Client(build_server(settings)) as client:
        # Connects, and lets both ends load what they need for any call of this tool.
        await ask(SMALL)
        return [await measure(call) for call in (lambda: fetch_bare(bare, paged=paged), ask, ask)]


def write_row(name: str, rounds: list[list[tuple[float, float]]]) -> str:
    """Return a row of the table: medians, and the medians of each round's ratios."""
    cells = [name]
    for clock in (0, 1):
        bare, first, again = ([one[call][clock] for one in rounds] for call in range(3))
        cells += [f"{statistics.median(one):.1f}" for one in (bare, first, again)]
        cells += [
            f"{statistics.median(mine / theirs for mine, theirs in zip(*pair, strict=True)):.2f}"
            for pair in ((first, bare), (again, first))
        ]
    return f"| {' | '.join(cells)} |"


async def print_table(store: Store, size: Size) -> None:
    """Print the table."""
    whole, pages = await save_answers(store)
    async with AsyncExitStack() as stack:
        inline, paged = [await stack.enter_async_context(serving(answers)) for answers in (whole, pages)]
        plane = httpx2.ASGITransport(InProcessPlane(store.path))
        kinds = {
            "embedded": (EmbeddedSettings(name="s"), "http://plane.invalid/v0", plane),
            INLINE: (BlaxelSettings.model_validate({"name": "s", "url": inline}), inline, None),
            PAGES: (BlaxelSettings.model_validate({"name": "s", "url": paged}), paged, None),
        }
        sources: list[tuple[str, Settings, httpx2.AsyncClient]] = []
        for name, (one, url, transport) in kinds.items():
            bare = httpx2.AsyncClient(base_url=url, transport=transport, headers=VERSION)
            settings = Settings(sources=(one,), default="s", store=store.path)
            sources.append((name, settings, await stack.enter_async_context(bare)))
        found: dict[str, list[list[tuple[float, float]]]] = {name: [] for name in kinds}
        for _ in range(size.rounds + 1):
            for name, settings, bare in sources:
                found[name].append(await measure_round(settings, bare, paged=name == PAGES))
    print(f"{size.tasks:,} tasks, {size.failed} % failed, {len(whole[f'/v0{PATH}']) / 1e6:.1f} MB, ms\n")
    print(f"| upstream | wall: {CALLS} | CPU: {CALLS} |")
    print(f"|---|{'---:|' * 10}")
    for name, rounds in found.items():
        # The first round loads modules.
        print(write_row(name, rounds[1:]))


def main() -> None:
    """Make the store and print the table."""
    logging.disable(logging.INFO)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("tasks", 10_000), ("failed", 3), ("rounds", 15)):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default {default:,}")
    size = Size(**vars(parser.parse_args()))
    with tempfile.TemporaryDirectory() as folder, closing(Store(Path(folder) / "store.db")) as store:
        store.write(list_rows(size))
        anyio.run(print_table, store, size)


if __name__ == "__main__":
    main()
