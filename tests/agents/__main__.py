"""Print the ledger: `python -m tests.agents`, from the root of the repository.

With `before` it prints what questions take with the tools that there were before, as JSON.
"""

from __future__ import annotations

import json
import logging
import sys

import anyio

from tests.agents.before import count_before, read_before
from tests.agents.ledger import everything, lines


async def _print() -> None:
    before = await anyio.to_thread.run_sync(read_before)
    with everything() as world:
        async for line in lines(world, before):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


async def _print_before() -> None:
    with everything() as world:
        sys.stdout.write(json.dumps(await count_before(world)))


if __name__ == "__main__":
    # Every request that is tried again would be told of.
    logging.getLogger("stamina").setLevel(logging.ERROR)
    anyio.run(_print_before if sys.argv[1:] == ["before"] else _print)
