"""The embedded plane at scale, as Markdown tables: `python benchmarks/plane.py [--executions N …]`.

Makes a store in a temporary file, half of whose executions are of one job, and prints how fast rows are recorded,
what a page costs at the start, in the middle and at the end of each list through the ASGI app, what memory that
takes, and what a prune costs those who record meanwhile. docs/benchmarks.md has a run at full size.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import resource
import statistics
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx2

from jobtrail.plane import build_plane
from jobtrail.store import Store
from jobtrail.store.maintenance import prune, read_info
from jobtrail.store.rows import DefinitionRow, ExecutionRow, JobRow, RunRow, TaskRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Event as Flag

    from starlette.types import ASGIApp, Message

    from jobtrail.store.rows import AnyRow

SECOND = 1_000_000_000
START = 1_767_225_600 * SECOND
BIG, LARGE, NIGHTLY = "job-0000", "exec-large", "nightly"
PAGED, LEGACY = "2026-04-28", ""
SORTS = ("createdAt:desc", "createdAt:asc", "name:asc", "name:desc")
BULK, EACH, RECORDERS, SAMPLES = 10_000, 3_000, 8, 51


@dataclass(frozen=True)
class Size:
    """How much the store holds."""

    executions: int
    jobs: int
    tasks: int
    runs: int


def list_jobs(size: Size) -> Iterator[AnyRow]:
    """Yield the definitions of all jobs."""
    for number in range(size.jobs):
        metadata = {"displayName": f"Job {number}", "labels": dict[str, str]()}
        yield JobRow(f"job-{number:04}", START + number, START + number, metadata=metadata, spec={"enabled": True})
    yield DefinitionRow(NIGHTLY, {"name": NIGHTLY, "kind": "task"})


def list_executions(size: Size) -> Iterator[AnyRow]:
    """Yield executions, half of them of one job, ten seconds apart."""
    chance = random.Random(1)  # noqa: S311 # ids that come in no order
    for number in range(size.executions):
        job = BIG if number % 2 else f"job-{number // 2 % size.jobs:04}"
        at, identity = START + 10 * number * SECOND, f"exec-{chance.randrange(16**12):012x}"
        status, ended = "succeeded" if number % 7 else "failed", at + 9 * SECOND
        spec = {"parallelism": 1, "timeout": 3600}
        yield ExecutionRow(job, identity, status, at, ended, at + SECOND, ended, spec)


def list_tasks(size: Size) -> Iterator[AnyRow]:
    """Yield one execution and its tasks."""
    yield ExecutionRow(BIG, LARGE, "queued", START, START, spec={"parallelism": 200})
    for number in range(size.tasks):
        begun = START + number * SECOND
        times, status = (begun + 30 * SECOND, begun, begun + 30 * SECOND), "succeeded" if number % 50 else "failed"
        spec = {"maxRetries": 2, "timeout": "30m"}
        yield TaskRow(LARGE, f"task-{number}", status, START + number, *times, attempts=1, spec=spec)


def list_runs(size: Size) -> Iterator[AnyRow]:
    """Yield the runs of one scheduled task."""
    chance = random.Random(2)  # noqa: S311 # durations
    for number in range(size.runs):
        at, end = START + 60 * number * SECOND, ("succeeded", 0) if number % 9 else ("failed", 1)
        times = at, at + SECOND, at + chance.randrange(2, 50) * SECOND
        yield RunRow(f"01K9Z3V5Q8R2{number:014}", NIGHTLY, "ended", *times, *end, {"triggered_by": "cron"})


def record_in_bulk(store: Store, records: Iterable[AnyRow]) -> tuple[int, float]:
    """Record rows, ten thousand a transaction, and return how many and how long that took."""
    pending, many, seconds = iter(records), 0, 0.0
    while chunk := [*islice(pending, BULK)]:
        began = time.perf_counter()
        store.write(chunk)
        seconds += time.perf_counter() - began
        many += len(chunk)
    return many, seconds


def record_each(path: str, worker: str, many: int) -> tuple[float, float, float]:
    """Record executions one a transaction, and return when that began and ended, and the longest of them."""
    chance = random.Random(worker)  # noqa: S311 # ids
    longest = 0.0
    with closing(Store(Path(path))) as store:
        began = time.time()
        for number in range(many):
            before = time.perf_counter()
            at, identity = START + number, f"exec-{worker}-{chance.randrange(16**8):08x}-{number}"
            store.write([ExecutionRow("job-0001", identity, "queued", at, at)])
            longest = max(longest, time.perf_counter() - before)
        return began, time.time(), longest


def print_table(head: str, rows: Iterable[Iterable[object]]) -> None:
    """Print a Markdown table."""
    names = head.split(" | ")
    print(f"| {head} |\n|{'|'.join('---' if number == 0 else '---:' for number in range(len(names)))}|")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |")
    print(flush=True)


def print_recording(store: Store, size: Size) -> None:
    """Fill the store and print how fast that went."""
    rows: list[tuple[object, ...]] = []
    record_in_bulk(store, list_jobs(size))
    for name, records in {"executions": list_executions, "tasks": list_tasks, "runs": list_runs}.items():
        many, seconds = record_in_bulk(store, records(size))
        rows.append((f"{name}, {BULK:,} a transaction", f"{many:,}", f"{many / seconds:,.0f}", "-"))
    path = str(store.path)
    began, ended, longest = record_each(path, "alone", EACH)
    rows.append(("one a transaction", f"{EACH:,}", f"{EACH / (ended - began):,.0f}", f"{longest * 1000:.0f}"))
    with multiprocessing.get_context("spawn").Pool(RECORDERS) as pool:
        each = [(path, f"w{number}", EACH // RECORDERS) for number in range(RECORDERS)]
        times = pool.starmap(record_each, each, chunksize=1)
    many, spent = EACH // RECORDERS * RECORDERS, max(end for _, end, _ in times) - min(start for start, _, _ in times)
    longest = max(one for _, _, one in times)
    rows.append(
        (f"the same, {RECORDERS} processes at once", f"{many:,}", f"{many / spent:,.0f}", f"{longest * 1000:.0f}")
    )
    print("## Recording\n")
    print_table("what | rows | rows/s | longest transaction, ms", rows)


async def measure_medians(
    client: httpx2.AsyncClient, path: str, version: str, asked: list[dict[str, Any]]
) -> tuple[str, ...]:
    """Return the cells of a row: the median milliseconds of each page asked for, and the last over the first.

    They are asked for in turn, so that noise hits all alike.
    """
    took: list[list[float]] = [[] for _ in asked]
    for _ in range(SAMPLES):
        for times, params in zip(took, asked, strict=True):
            began = time.perf_counter()
            answer = await client.get(path, params=params, headers={"Blaxel-Version": version})
            times.append((time.perf_counter() - began) * 1000)
            answer.raise_for_status()
    found = [statistics.median(times) for times in took]
    return (*(f"{one:.2f}" for one in found), f"{found[-1] / found[0]:.2f}")


async def list_pages(client: httpx2.AsyncClient, path: str, limit: int, sort: str) -> list[dict[str, Any]]:
    """Follow a list's cursors to its end, and return what to ask for its pages."""
    asked: list[dict[str, Any]] = [{"limit": limit, "sort": sort}]
    while True:
        answer = await client.get(path, params=asked[-1], headers={"Blaxel-Version": PAGED})
        meta = answer.raise_for_status().json()["meta"]
        if not meta["hasMore"]:
            return asked
        asked.append({**asked[0], "cursor": meta["nextCursor"]})


async def print_pages(client: httpx2.AsyncClient) -> None:
    """Print what a page of each list by cursor costs."""
    rows: list[tuple[object, ...]] = []
    lists = {"jobs": ("/v0/jobs", 50), "executions": (f"/v0/jobs/{BIG}/executions", 100)}
    lists["tasks"] = (f"/v0/jobs/{BIG}/executions/{LARGE}/tasks", 200)
    for name, (path, limit) in lists.items():
        for sort in SORTS:
            asked = await list_pages(client, path, limit, sort)
            # The last page may be a short one.
            some = [asked[0], asked[len(asked) // 2], asked[-2]]
            rows.append(
                (f"{name}, {sort}", limit, f"{len(asked):,}", *await measure_medians(client, path, PAGED, some))
            )
    print("## Pages by cursor, ms\n")
    print_table("list and sort | limit | pages | start | middle | end | end/start", rows)


async def print_deep_pages(client: httpx2.AsyncClient, size: Size) -> None:
    """Print what a page costs by offset, and of runs also by time."""

    async def by_offset(path: str, many: int) -> tuple[str, ...]:
        return await measure_medians(
            client, path, LEGACY, [{"limit": 100, "offset": one} for one in (0, many // 2, many - 100)]
        )

    times = [START + 60 * number * SECOND for number in (size.runs, size.runs // 2, 100)]
    bounds = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one // SECOND)) for one in times]
    by_time = [{"limit": 100, "taskName": NIGHTLY, "createdBefore": one} for one in bounds]
    rows = {
        "executions, legacy offset": await by_offset(f"/v0/jobs/{BIG}/executions", size.executions // 2),
        "runs, offset": await by_offset(f"/api/tasks/{NIGHTLY}/runs", size.runs),
        "runs, createdBefore": await measure_medians(client, "/api/runs", LEGACY, by_time),
    }
    print("## Pages by offset and by time, 100 rows, ms\n")
    print_table("list | start | middle | end | end/start", ((name, *cells) for name, cells in rows.items()))


def read_resident_memory() -> float:
    """Return the memory that this process holds, in MiB; where the system does not say, the most it ever held."""
    pages = Path("/proc/self/statm")
    if not pages.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return int(pages.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def measure_whole_execution(plane: ASGIApp) -> tuple[int, float]:
    """Read the execution with all its tasks as it is sent, and return the bytes and the most memory meanwhile."""
    path = f"/v0/jobs/{BIG}/executions/{LARGE}"
    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": [],
        "root_path": "", "scheme": "http", "server": ("plane.invalid", 80), "http_version": "1.1",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
    }  # fmt: skip
    length, most = 0, 0.0

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal length, most
        length, most = length + len(message.get("body", b"")), max(most, read_resident_memory())

    await plane(scope, receive, send)
    return length, most


def keep_recording(path: str, ready: Flag, done: Flag, longest: Queue[float]) -> None:
    """Record something every few milliseconds until told to stop, and say how long the slowest took."""
    most = 0.0
    with closing(Store(Path(path))) as store:
        ready.set()
        for number in range(10**9):
            before = time.perf_counter()
            store.write([ExecutionRow("job-0001", f"during-{number}", "queued", 2**61, 2**61)])
            most = max(most, time.perf_counter() - before)
            if done.wait(0.005):
                break
    longest.put(most)


def print_prune(store: Store, size: Size) -> None:
    """Prune half of the executions while something is recorded, and print what that cost."""
    context = multiprocessing.get_context("spawn")
    ready, done, longest = context.Event(), context.Event(), context.Queue()
    recorder = context.Process(target=keep_recording, args=(str(store.path), ready, done, longest))
    recorder.start()
    ready.wait()
    before, began = read_info(store), time.perf_counter()
    gone = prune(store, START + 10 * (size.executions // 2) * SECOND)
    seconds = time.perf_counter() - began
    done.set()
    waited = longest.get()
    recorder.join()
    print("## Pruning half of it while something is recorded\n")
    print_table(
        "executions | tasks | runs | seconds | a recorder waited at most, s | MB before | MB after",
        [(*(f"{one:,}" for one in (gone.executions, gone.tasks, gone.runs)), f"{seconds:.0f}",
          f"{waited:.2f}", f"{before.size / 1e6:,.0f}", f"{read_info(store).size / 1e6:,.0f}")],
    )  # fmt: skip


async def print_reads(store: Store, size: Size) -> None:
    """Print what pages cost, in time and memory."""
    plane = build_plane(store)
    transport = httpx2.ASGITransport(plane)
    async with httpx2.AsyncClient(transport=transport, base_url="http://plane.invalid") as client:
        memory = [("before any page", read_resident_memory())]
        await print_pages(client)
        memory.append(("after every page of every list", read_resident_memory()))
        await print_deep_pages(client, size)
    length, most = await measure_whole_execution(plane)
    memory.append((f"while an execution with {size.tasks:,} tasks is sent ({length / 1e6:.0f} MB)", most))
    print("## Memory, MiB resident\n")
    print_table("when | MiB", ((name, f"{one:.0f}") for name, one in memory))


def main() -> None:
    """Make the store and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("executions", 1_000_000), ("jobs", 1_000), ("tasks", 100_000), ("runs", 100_000)):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default {default:,}")
    size = Size(**vars(parser.parse_args()))
    with tempfile.TemporaryDirectory() as folder, closing(Store(Path(folder) / "store.db")) as store:
        print_recording(store, size)
        anyio.run(print_reads, store, size)
        print_prune(store, size)


if __name__ == "__main__":
    main()
