"""The first call over the sample, in a fresh process each: `python benchmarks/first_call.py [ROUNDS]`.

A server is asked over stdio, after `initialize` and `tools/list`: from sending its first `tools/call` to the answer,
and the same call again. `jobtrail ask` is a whole process, and what it costs is shown over the same process without a
call, which lists the tools. All of it takes turns, so that it sees the same machine.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

ROUNDS = 9
BUDGET = 300
CALLS: dict[str, dict[str, str]] = {
    "list_jobs": {},
    "list_executions": {"job": "nightly-etl"},
    "list_runs": {},
    "find_failures": {},
}
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "first-call", "version": "1"},
}
JOBTRAIL = [sys.executable, "-m", "jobtrail"]
Times = dict[str, list[float]]


def call_server(tool: str, environ: dict[str, str]) -> tuple[float, float]:
    """Return the milliseconds of a new server's first call, and of the same call again."""
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


def _request(server: subprocess.Popen[str], method: str, params: dict[str, Any]) -> float:
    """Return the milliseconds until a request is answered."""
    start = time.perf_counter()
    _send(server, {"id": start, "method": method, "params": params})
    if server.stdout is None:
        raise RuntimeError("the server has no pipes")
    answer: dict[str, Any] = {}
    while answer.get("id") != start:
        answer = json.loads(server.stdout.readline())
    if answer.get("result", {}).get("isError", "error" in answer):
        raise RuntimeError(f"{method} failed: {answer}")
    return (time.perf_counter() - start) * 1_000


def run_ask(arguments: list[str], environ: dict[str, str]) -> tuple[float, float]:
    """Return the milliseconds that `jobtrail ask` takes, and those of the processor."""
    start, before = time.perf_counter(), os.times()
    subprocess.run([*JOBTRAIL, *arguments], env=environ, stdout=subprocess.DEVNULL, check=True)  # noqa: S603 # our own command
    took, after = time.perf_counter() - start, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return took * 1_000, used * 1_000


def measure(rounds: int, environ: dict[str, str]) -> tuple[Times, Times]:
    """Return the times of servers and of processes, by what was measured."""
    servers: Times = {f"{tool}, {which}": [] for tool in CALLS for which in ("first", "again")}
    asked = {
        f"ask {tool}": ["ask", tool, *(f"{name}={value}" for name, value in CALLS[tool].items())] for tool in CALLS
    }
    asked = {"--version": ["--version"], "ask": ["ask"], **asked}
    processes: Times = {f"{name}, {what}": [] for name in asked for what in ("wall", "CPU")}
    # The first round warms the disk and writes the byte code; it does not count.
    for number in range(rounds + 1):
        for tool in CALLS:
            first, again = call_server(tool, environ)
            if number:
                servers[f"{tool}, first"].append(first)
                servers[f"{tool}, again"].append(again)
        for name, arguments in asked.items():
            wall, used = run_ask(arguments, environ)
            if number:
                processes[f"{name}, wall"].append(wall)
                processes[f"{name}, CPU"].append(used)
    return servers, processes


def main() -> int:
    """Print the tables; return 1 when the budget is missed."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory() as home:
        servers, processes = measure(rounds, {"PATH": os.environ["PATH"], "HOME": home})
    print("| call of a server | first, ms | fastest | slowest | again, ms |\n|---|---:|---:|---:|---:|")
    firsts: list[float] = []
    for tool in CALLS:
        first, again = servers[f"{tool}, first"], servers[f"{tool}, again"]
        firsts.append(statistics.median(first))
        print(f"| {tool} | {firsts[-1]:.0f} | {min(first):.0f} | {max(first):.0f} | {statistics.median(again):.0f} |")
    print("\n| process | ms | fastest | CPU, ms | over `jobtrail ask`, CPU, ms |\n|---|---:|---:|---:|---:|")
    base = statistics.median(processes["ask, CPU"])
    for name in [one.removesuffix(", wall") for one in processes if one.endswith(", wall")]:
        wall, used = processes[f"{name}, wall"], statistics.median(processes[f"{name}, CPU"])
        over = f"{used - base:.0f}" if name.startswith("ask ") else "-"
        print(f"| jobtrail {name} | {statistics.median(wall):.0f} | {min(wall):.0f} | {used:.0f} | {over} |")
    return 0 if max(firsts) <= BUDGET else 1


if __name__ == "__main__":
    sys.exit(main())
