"""The image, built and run by a Docker engine."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from jobtrail.tools import TOOLS
from tests.distribution.listing import ROOT

if TYPE_CHECKING:
    from collections.abc import Generator

pytestmark = pytest.mark.image

TOKEN = "a-token-of-this-test"
LARGEST = 100_000_000
"""Bytes of the environment: what the image adds to its base."""
BUILD_SECONDS, SECONDS = 600, 60


def docker(*arguments: str, seconds: float = SECONDS) -> str:
    """Run a command of docker to its end and return what it prints; it is to succeed."""
    command = ["docker", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


@pytest.fixture(scope="module")
def image() -> str:
    return docker("build", "--quiet", str(ROOT), seconds=BUILD_SECONDS)


@contextmanager
def running(image: str) -> Generator[tuple[str, str]]:
    """Run a container with nothing writable but its volume; yield its id and its address."""
    options = ["--detach", "--read-only", "--publish", "127.0.0.1::8080", "--env", f"JOBTRAIL_AUTH_TOKEN={TOKEN}"]
    container = docker("run", *options, "--health-interval", "1s", image)
    try:
        yield container, f"http://{docker('port', container, '8080').splitlines()[0]}"
    finally:
        docker("rm", "--force", "--volumes", container)


def wait_until_healthy(container: str) -> None:
    deadline = time.monotonic() + SECONDS
    while docker("inspect", "--format", "{{.State.Health.Status}}", container) != "healthy":
        assert time.monotonic() < deadline, docker("logs", container)
        time.sleep(0.5)


async def names_and_answer(url: str) -> tuple[list[str], str]:
    """Return the names of the tools, and what `list_jobs` answers."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=SECONDS) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
    ):
        tools = [tool.name for tool in (await client.list_tools()).tools]
        return tools, json.dumps((await client.call_tool("list_jobs", {"limit": 1})).structured_content)


def test_it_is_small_and_has_no_pip(image: str) -> None:
    inside = ["run", "--rm", "--entrypoint", "sh", image, "-c"]
    assert int(docker(*inside, "du -sb /opt/jobtrail").split()[0]) < LARGEST
    assert not docker(*inside, "find /opt/jobtrail -type d -name pip")


def test_it_serves_its_users_store_to_whoever_has_the_token_until_it_is_told_to_stop(image: str) -> None:
    with running(image) as (container, url):
        docker("exec", container, "jobtrail", "record", "--job", "nightly", "--", "true")
        docker("exec", container, "sh", "-c", "test $(id -u) = 10001 && ! touch /opt/jobtrail/x")
        wait_until_healthy(container)
        tools, answer = anyio.run(names_and_answer, url)
        assert tools == [spec.fn.__name__ for spec in TOOLS]
        assert '"nightly"' in answer
        assert httpx2.post(f"{url}/mcp", json={}).status_code == 401
        docker("stop", container)
        assert docker("inspect", "--format", "{{.State.ExitCode}}", container) == "0"
