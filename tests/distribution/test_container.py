"""The Dockerfile: linted, and carried out instruction by instruction where there is no Docker."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobtrail.tools import TOOLS
from tests.distribution.image import Image, Instruction, Room, RoomMissing, Stage, instructions
from tests.distribution.listing import ROOT, SERVER, read

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tests.peers.npm import Npm

DOCKERFILE = ROOT / "Dockerfile"
TOKEN = "a-token-of-this-test"
LARGEST = 100_000_000
"""Bytes of the environment: what the image adds to its base."""
SECONDS = 30
TALK = """
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
const [token] = given;
const client = new Client({ name: "from outside", version: "1" });
const requestInit = { headers: token ? { Authorization: `Bearer ${token}` } : {} };
await client.connect(new StreamableHTTPClientTransport(new URL("http://localhost:8080/mcp"), { requestInit }));
const found = {
  tools: (await client.listTools()).tools.map((tool) => tool.name),
  answer: await client.callTool({ name: "list_jobs", arguments: { limit: 1 } }),
};
await client.close();
console.log(JSON.stringify(found));
"""


@pytest.fixture(scope="module")
def parsed(npm: Npm) -> list[Instruction]:
    return instructions(npm, DOCKERFILE)


def only(parsed: list[Instruction], keyword: str) -> Instruction:
    (found,) = (one for one in parsed if one.keyword == keyword)
    return found


def test_the_linter_finds_nothing(npm: Npm, tmp_path: Path) -> None:
    done = npm.run("dockerfile-utils", "lint", str(DOCKERFILE), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_serves_as_a_user_without_rights_and_gets_its_signals_itself(parsed: list[Instruction]) -> None:
    user, _, group = only(parsed, "USER").text.partition(":")
    assert user.isdigit()
    assert group.isdigit()
    assert int(user) > 0
    # The exec form: no shell stands between the engine's signal and the server.
    assert only(parsed, "ENTRYPOINT").strings == ["jobtrail"]
    assert only(parsed, "CMD").strings[0] == "serve"
    assert only(parsed, "STOPSIGNAL").text == "SIGTERM"


def test_it_has_two_stages_and_the_last_has_nothing_of_the_build_but_the_environment(
    parsed: list[Instruction],
) -> None:
    first, last = (place for place, one in enumerate(parsed) if one.keyword == "FROM")
    assert parsed[first].words[0] == parsed[last].words[0] == "python:3.13-slim"
    assert [one.flags for one in parsed[last:] if one.keyword == "COPY"] == [["--from=build"]]


def test_its_name_for_the_registry_is_the_one_that_is_registered(parsed: list[Instruction]) -> None:
    labels = dict(pair.split("=", 1) for pair in shlex.split(only(parsed, "LABEL").text))
    assert labels["io.modelcontextprotocol.server.name"] == read(SERVER)["name"]


def test_what_it_copies_is_sent_to_the_engine_and_nothing_else(parsed: list[Instruction]) -> None:
    copied = {name for one in parsed if one.keyword == "COPY" and not one.flags for name in one.words[:-1]}
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == copied


@dataclass(frozen=True)
class Container:
    """A running server in a network and a list of processes of its own."""

    room: Room
    stage: Stage
    process: subprocess.Popen[str]
    first: int

    def beside(self, command: list[str]) -> list[str]:
        """Return the command line that runs a command of this machine in the container's network."""
        return ["nsenter", f"--net=/proc/{self.first}/ns/net", "--", *command]

    def health(self) -> int:
        """Return what the health check exits with."""
        command = self.beside(self.room.entered(self.stage.inside(self.stage.health)))
        return subprocess.run(command, check=False, capture_output=True, timeout=SECONDS).returncode

    def stop(self) -> int:
        """Send the stop signal to the first process; return what it exits with."""
        os.kill(self.first, signal.SIGTERM)
        return self.process.wait(timeout=SECONDS)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    with ExitStack() as stack:
        try:
            room = stack.enter_context(Room(tmp_path_factory.mktemp("room")))
        except RoomMissing as missing:
            if os.environ.get("CI") == "true":
                pytest.fail(f"CI needs to carry out the Dockerfile: {missing}", pytrace=False)
            pytest.skip(f"the Dockerfile cannot be carried out: {missing}")
        yield room


@pytest.fixture(scope="module")
def stage(room: Room, parsed: list[Instruction]) -> Stage:
    """The image: its last stage, sealed but for its volume."""
    stage = Image(room, ROOT).build(parsed)
    for volume in stage.volumes:
        # As an engine does: a new volume takes over what lies there, with its owner.
        place, kept = f"{stage.root}{volume}", f"{room.place}/volume"
        room.run(["cp", "-a", place, kept])
        room.run(["mount", "--bind", kept, place])
    room.run(["mount", "-o", "remount,ro", str(stage.root)])
    return stage


@contextmanager
def running(room: Room, stage: Stage, **environ: str) -> Generator[Container]:
    inside = stage.inside([*stage.entrypoint, *stage.command], **environ)
    script = f"ip link set lo up && exec {shlex.join(inside)}"
    own = ["unshare", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", script]
    with subprocess.Popen(room.entered(own), stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            line = process.stderr.readline()
            assert line == "jobtrail: serving http://0.0.0.0:8080/mcp\n"
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8")
            yield Container(room, stage, process, int(children))
        finally:
            process.kill()


def test_without_a_token_it_refuses_to_start_and_says_why(room: Room, stage: Stage) -> None:
    command = room.entered(stage.inside([*stage.entrypoint, *stage.command]))
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 2
    assert "set JOBTRAIL_AUTH_TOKEN" in done.stderr


def test_it_is_small_and_has_no_pip(room: Room, stage: Stage) -> None:
    size = room.run(["du", "--summarize", "--bytes", f"{stage.root}/opt/jobtrail"]).stdout.split()[0]
    assert int(size) < LARGEST
    assert not room.run(["find", f"{stage.root}/opt/jobtrail", "-type", "d", "-name", "pip"]).stdout


def test_the_user_may_write_the_store_and_nothing_else(room: Room, stage: Stage) -> None:
    tried = stage.inside(["sh", "-c", "id -u; touch /var/lib/jobtrail/x && echo store; touch /opt/jobtrail/x"])
    done = subprocess.run(room.entered(tried), check=False, capture_output=True, text=True, timeout=SECONDS)
    assert done.stdout == "10001\nstore\n"
    assert done.returncode != 0


def test_it_serves_its_user_s_store_to_whoever_has_the_token_until_it_is_told_to_stop(
    room: Room, stage: Stage, npm: Npm
) -> None:
    room.run(stage.inside(["jobtrail", "record", "--job", "nightly", "--", "true"]))
    with running(room, stage, JOBTRAIL_AUTH_TOKEN=TOKEN) as container:
        assert container.health() == 0
        found: dict[str, Any] = npm.evaluate(TALK, TOKEN, within=container.beside([]))
        assert found["tools"] == [spec.fn.__name__ for spec in TOOLS]
        assert found["answer"]["structuredContent"]["items"][0]["name"] == "nightly"
        with pytest.raises(AssertionError, match="JOBTRAIL_AUTH_TOKEN"):
            npm.evaluate(TALK, "", within=container.beside([]))
        assert container.stop() == 0


def test_the_health_check_fails_where_nothing_serves(room: Room, stage: Stage) -> None:
    command = ["unshare", "--net", *stage.inside(stage.health)]
    done = subprocess.run(room.entered(command), check=False, capture_output=True, timeout=SECONDS)
    assert done.returncode != 0
