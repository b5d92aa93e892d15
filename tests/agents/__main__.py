"""Print the ledger: `python -m tests.agents`, from the root of the repository."""

from __future__ import annotations

import logging
import sys

import anyio

from tests.agents.ledger import everything, lines


async def _print() -> None:
    with everything() as world:
        async for line in lines(world):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    # Every request that is tried again would be told of.
    logging.getLogger("stamina").setLevel(logging.ERROR)
    anyio.run(_print)
