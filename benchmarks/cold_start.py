"""Cold starts over stdio, side by side in one run: `python benchmarks/cold_start.py [ROUNDS]`.

From starting the process to the end of `initialize`, for `jobtrail serve` with nothing configured and
for a bare hello-world server of the same SDK. The two take turns, so that both see the same machine.
ARCHITECTURE.md has the budget: 1.15 times the bare server.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUDGET = 1.15
ROUNDS = 21
SECONDS = 30.0
HELLO = '''
from mcp.server import MCPServer

server = MCPServer("hello")


@server.tool()
def hello(name: str) -> str:
    """Say hello."""
    return f"Hello, {name}!"


if __name__ == "__main__":
    server.run()
'''
INITIALIZE = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "cold-start", "version": "1"},
        },
    }
)


def cold_start(command: list[str], environ: dict[str, str]) -> float:
    """Return the milliseconds until a server has answered `initialize`."""
    start = time.perf_counter()
    with subprocess.Popen(  # noqa: S603 # our own commands
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the server has no pipes")
        print(INITIALIZE, file=process.stdin, flush=True)
        answer = json.loads(process.stdout.readline())
        took = (time.perf_counter() - start) * 1_000
        process.stdin.close()
        process.wait(timeout=SECONDS)
    if "result" not in answer:
        raise RuntimeError(f"{command} did not initialise: {answer}")
    return took


def main() -> int:
    """Print the table; return 1 when the budget is missed."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory() as home:
        hello = Path(home) / "hello.py"
        hello.write_text(HELLO, encoding="utf-8")
        environ = {"PATH": os.environ["PATH"], "HOME": home}
        commands = {
            "bare SDK server": [sys.executable, str(hello)],
            "jobtrail serve": [sys.executable, "-m", "jobtrail", "serve"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        # The first round warms the disk and writes the byte code; it does not count.
        for _ in range(rounds + 1):
            for name, command in commands.items():
                times[name].append(cold_start(command, environ))
    print(f"cold start to a finished initialize, {rounds} rounds, ms")
    print(f"{'server':<18}{'median':>8}{'fastest':>9}{'slowest':>9}")
    medians: list[float] = []
    for name, taken in times.items():
        counted = taken[1:]
        medians.append(statistics.median(counted))
        print(f"{name:<18}{medians[-1]:>8.0f}{min(counted):>9.0f}{max(counted):>9.0f}")
    ratio = medians[1] / medians[0]
    print(f"ratio {ratio:.2f} (budget {BUDGET})")
    return 0 if ratio <= BUDGET else 1


if __name__ == "__main__":
    sys.exit(main())
