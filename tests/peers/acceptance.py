"""What acceptance tests share: the server as its own process, and what it is to offer, as its own SDK lists it."""

from __future__ import annotations

import functools
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import anyio
from mcp import Client

from jobtrail.protocol.app import build_server
from jobtrail.protocol.resources.addresses import Address
from tests.sample_client import SAMPLE, answer

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from mcp.types import Prompt


COMMAND = [sys.executable, "-m", "jobtrail", "serve"]
SECONDS = 60
Transport = Literal["http", "sse"]
# Enough for every prompt: each takes some of these.
FILLED = {"job": "backfill-embeddings", "since": "3d", "source": "embedded", "hours": "12"}


@dataclass(frozen=True)
class Surface:
    """Everything that a client can find.

    Attributes:
        prompts: by name, each with arguments that fill it.
        filled: the text of each prompt so filled.
        resources: the addresses that are listed.
        templates: the templates that are listed.
        addresses: one address for each template, in their order.
        execution: the job and the id of an execution with thousands of tasks.
    """

    tools: list[str]
    prompts: dict[str, dict[str, str]]
    filled: dict[str, str]
    resources: list[str]
    templates: list[str]
    addresses: list[str]
    execution: dict[str, str]


@functools.cache
def surface() -> Surface:
    """Return what the server offers over the sample, as its own SDK finds it."""
    return anyio.run(_surface)


async def _surface() -> Surface:
    async with Client(build_server(SAMPLE)) as client:
        prompts = {one.name: _arguments(one) for one in (await client.list_prompts()).prompts}
        filled = {name: await client.get_prompt(name, given) for name, given in prompts.items()}
        _, executions = await answer(client, "list_executions", job=FILLED["job"], status="failed,succeeded", limit=1)
        _, runs = await answer(client, "list_runs", limit=1)
        named = [
            Address("embedded", "jobs"),
            Address("embedded", "job", FILLED["job"]),
            Address("embedded", "execution", executions["items"][0]["id"], job=FILLED["job"]),
            Address("embedded", "run", runs["items"][0]["id"], json=True),
        ]
        return Surface(
            tools=[tool.name for tool in (await client.list_tools()).tools],
            prompts=prompts,
            filled={name: one.messages[0].content.model_dump()["text"] for name, one in filled.items()},
            resources=[str(one.uri) for one in (await client.list_resources()).resources],
            templates=[one.uri_template for one in (await client.list_resource_templates()).resource_templates],
            addresses=[str(address) for address in named],
            execution={"job": FILLED["job"], "execution": executions["items"][0]["id"]},
        )


def _arguments(prompt: Prompt) -> dict[str, str]:
    return {one.name: FILLED[one.name] for one in prompt.arguments or [] if one.name in FILLED}


def environ_of(home: Path, **settings: str) -> dict[str, str]:
    """Return an environment with nothing of this machine but PATH, and an empty home."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), **settings}


@contextmanager
def served(transport: Transport, home: Path, **settings: str) -> Generator[str]:
    """Run the server over HTTP in a process of its own; return the address of its endpoint."""
    command = [*COMMAND, "--transport", transport, "--port", "0"]
    with subprocess.Popen(command, env=environ_of(home, **settings), stderr=subprocess.PIPE, text=True) as process:
        kill = threading.Timer(SECONDS, process.kill)
        kill.start()
        try:
            assert process.stderr
            line = process.stderr.readline()
            kill.cancel()
            found = re.fullmatch(r"jobtrail: serving (http://\S+)\n", line)
            assert found, line
            yield found[1]
            process.send_signal(signal.SIGTERM)
            # Read to the end first: a server that says much must not wait for its reader.
            said = process.stderr.read()
            assert process.wait(timeout=10) == 0, said
        finally:
            kill.cancel()
            if process.poll() is None:
                process.kill()
