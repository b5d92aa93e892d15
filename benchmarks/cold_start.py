"""Cold starts over stdio, as a Markdown table: `python benchmarks/cold_start.py [PAIRS] [--before FOLDER]`.

From starting the process to the answer to `initialize`, for a bare server of the same SDK with one tool and for
`jobtrail serve` with nothing configured. They take turns, so that all see the same machine; as that may be busy, the
CPU time is told as well. `--before` takes in an older checkout too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

PAIRS = 21
BUDGET = 1.10
HELLO = '''
from mcp.server import MCPServer

server = MCPServer("hello")


@server.tool()
def hello(name: str) -> str:
    """Say hello."""
    return f"Hello, {name}!"


server.run()
'''
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "cold-start", "version": "1"},
    },
}


class Cost(NamedTuple):
    """Milliseconds: until the answer, of CPU until the answer, of CPU (user and system) in the whole life."""

    wall: float
    cpu: float
    life: float


def cold_start(command: list[str], environ: dict[str, str]) -> Cost:
    """Start a server, initialize it and end it."""
    start = time.perf_counter()
    with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 # our own commands
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the server has no pipes")
        process.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        wall, cpu = (time.perf_counter() - start) * 1_000, _read_cpu(process.pid)
        process.stdin.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if "result" not in answer:
        raise RuntimeError(f"{command} did not initialise: {answer}")
    return Cost(wall, cpu, (usage.ru_utime + usage.ru_stime) * 1_000)


def _read_cpu(pid: int) -> float:
    """Return the milliseconds of CPU that all threads of a process have taken so far (Linux, proc(5))."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(one.read_text().split()[0]) for one in threads) / 1_000_000


def main() -> int:
    """Print the table; return 1 when the budget is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pairs", type=int, nargs="?", default=PAIRS)
    parser.add_argument("--before", type=Path, metavar="FOLDER", help="an older checkout")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        environ = {"PATH": os.environ["PATH"], "HOME": home}
        ours = [sys.executable, "-m", "jobtrail", "serve"]
        servers = {"bare SDK server": ([sys.executable, "-c", HELLO], environ), "jobtrail serve": (ours, environ)}
        if given.before:
            servers["before"] = (ours, {**environ, "PYTHONPATH": str(given.before.resolve() / "server")})
        for command in servers.values():
            # Once to warm the disk and to write the byte code.
            cold_start(*command)
        rounds = [{name: cold_start(*one) for name, one in servers.items()} for _ in range(given.pairs)]
    return _print_table({name: [one[name] for one in rounds] for name in servers})


def _print_table(taken: dict[str, list[Cost]]) -> int:
    medians = {name: Cost(*map(statistics.median, zip(*costs, strict=True))) for name, costs in taken.items()}
    bare = medians["bare SDK server"]
    print("| server | ms | ratio | CPU, ms | ratio | CPU of the whole life, ms | ratio |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, found in medians.items():
        cells = [f"{one:.0f} | {one / other:.2f}" for one, other in zip(found, bare, strict=True)]
        print(f"| {name} | {' | '.join(cells)} |")
    return 0 if medians["jobtrail serve"].cpu <= BUDGET * bare.cpu else 1


if __name__ == "__main__":
    sys.exit(main())
