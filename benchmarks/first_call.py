"""The first call over the sample, in a fresh process each: `python benchmarks/first_call.py [ROUNDS]`, on Linux.

A server is asked over stdio, after `initialize` and `tools/list`: from sending its first `tools/call` to the answer,
and the same call again. `jobtrail ask` is a whole process, and what it costs is shown over the same process without a
call, which lists the tools. All of it takes turns, so that it sees the same machine; what the processor was used for
does not depend on what else runs there.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

ROUNDS = 9
BUDGET = 300
CALLS: dict[str, dict[str, str]] = {
    "list_jobs": {},
    "list_executions": {"job": "nightly-etl"},
    "list_runs": {},
    "find_failures": {},
    "list_active": {},
}
ASKED = {"--version": ["--version"], "ask": ["ask"]} | {
    f"ask {tool}": ["ask", tool, *(f"{name}={value}" for name, value in given.items())]
    for tool, given in CALLS.items()
}
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "first-call", "version": "1"},
}
JOBTRAIL = [sys.executable, "-m", "jobtrail"]


class Cost(NamedTuple):
    """Milliseconds by the clock, and of the processor."""

    wall: float
    used: float


def call_server(tool: str, environ: dict[str, str]) -> tuple[Cost, Cost]:
    """Return what a new server's first call costs, and the same call again."""
    with subprocess.Popen(  # noqa: S603 # our own command
        [*JOBTRAIL, "serve"], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        _request(server, "initialize", INITIALIZE)
        _send(server, {"method": "notifications/initialized"})
        _request(server, "tools/list", {})
        call = {"name": tool, "arguments": CALLS[tool]}
        return _request(server, "tools/call", call), _request(server, "tools/call", call)


def _send(server: subprocess.Popen[str], message: dict[str, Any]) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), file=server.stdin, flush=True)


def _request(server: subprocess.Popen[str], method: str, params: dict[str, Any]) -> Cost:
    if server.stdout is None:
        raise RuntimeError("the server has no pipes")
    start, before = time.perf_counter(), _read_used(server.pid)
    _send(server, {"id": 1, "method": method, "params": params})
    # Nothing else is said meanwhile: no progress was asked for.
    answer = json.loads(server.stdout.readline())
    took, used = time.perf_counter() - start, _read_used(server.pid) - before
    if answer.get("result", {}).get("isError", "error" in answer):
        raise RuntimeError(f"{method} failed: {answer}")
    return Cost(took * 1_000, used)


def _read_used(pid: int) -> float:
    """Return the milliseconds of the processor that the threads of a process have used."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(one.read_text(encoding="ascii").split()[0]) for one in threads) / 1_000_000


def run_command(arguments: list[str], environ: dict[str, str]) -> Cost:
    """Return what a whole process of Jobtrail costs."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*JOBTRAIL, *arguments], env=environ, stdout=subprocess.DEVNULL, check=True)  # noqa: S603 # our own command
    took, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(took * 1_000, used * 1_000)


def measure(rounds: int, environ: dict[str, str]) -> tuple[dict[str, list[tuple[Cost, Cost]]], dict[str, list[Cost]]]:
    """Return what calls of servers cost, by tool, and processes, by command."""
    servers: dict[str, list[tuple[Cost, Cost]]] = {tool: [] for tool in CALLS}
    processes: dict[str, list[Cost]] = {name: [] for name in ASKED}
    # The first round warms the disk and writes the byte code; it does not count.
    for _ in range(rounds + 1):
        for tool, calls in servers.items():
            calls.append(call_server(tool, environ))
        for name, costs in processes.items():
            costs.append(run_command(ASKED[name], environ))
    return {tool: calls[1:] for tool, calls in servers.items()}, {
        name: costs[1:] for name, costs in processes.items()
    }


def _format_cost(costs: list[Cost]) -> str:
    walls, used = zip(*costs, strict=True)
    return f"{statistics.median(walls):.0f} | {min(walls):.0f} | {statistics.median(used):.0f}"


def main() -> int:
    """Print the tables; return 1 when the budget is missed."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory() as home:
        servers, processes = measure(rounds, {"PATH": os.environ["PATH"], "HOME": home})
    print("| first call | ms | fastest | CPU | again, ms | fastest | CPU |\n|---|---:|---:|---:|---:|---:|---:|")
    for tool, calls in servers.items():
        print(f"| {tool} | {_format_cost([one for one, _ in calls])} | {_format_cost([two for _, two in calls])} |")
    print("\n| process | ms | fastest | CPU | over `jobtrail ask`, CPU |\n|---|---:|---:|---:|---:|")
    base = statistics.median(cost.used for cost in processes["ask"])
    for name, costs in processes.items():
        over = f"{statistics.median(cost.used for cost in costs) - base:.0f}" if name.startswith("ask ") else "-"
        print(f"| jobtrail {name} | {_format_cost(costs)} | {over} |")
    slowest = max(statistics.median(one.used for one, _ in calls) for calls in servers.values())
    print(f"\nbudget of a first call: {BUDGET} ms of the processor; the dearest took {slowest:.0f}")
    return 0 if slowest <= BUDGET else 1


if __name__ == "__main__":
    sys.exit(main())
