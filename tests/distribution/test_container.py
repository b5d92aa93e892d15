"""The Dockerfile: linted, and what it says. `test_image.py` builds it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.distribution.listing import ROOT, SERVER, read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.peers.npm import Npm

DOCKERFILE = ROOT / "Dockerfile"
SECONDS = 30
PARSE = """
import { DockerfileParser } from "dockerfile-ast";
const strings = (one) => (one.getJSONStrings?.() ?? []).map((part) => part.getJSONValue());
console.log(JSON.stringify(DockerfileParser.parse(given[0]).getInstructions().map((one) => ({
  keyword: one.getKeyword(),
  text: one.getArgumentsContent() ?? "",
  words: one.getArguments().map((part) => part.getValue()),
  strings: strings(one),
  flags: (one.getFlags?.() ?? []).map(String),
}))));
"""


@dataclass(frozen=True)
class Instruction:
    """One instruction, as `dockerfile-ast` reads it.

    Attributes:
        words: its arguments, split at spaces.
        strings: those of the exec form.
    """

    keyword: str
    text: str
    words: list[str]
    strings: list[str]
    flags: list[str]


@pytest.fixture(scope="module")
def parsed(npm: Npm) -> list[Instruction]:
    return [Instruction(**one) for one in npm.evaluate(PARSE, DOCKERFILE.read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def last(parsed: list[Instruction]) -> list[Instruction]:
    """The instructions of the last stage."""
    return parsed[max(place for place, one in enumerate(parsed) if one.keyword == "FROM") :]


def only(instructions: list[Instruction], keyword: str) -> Instruction:
    (found,) = (one for one in instructions if one.keyword == keyword)
    return found


def pairs(instruction: Instruction) -> dict[str, str]:
    """Return the names and values of a LABEL or an ENV."""
    return dict(pair.split("=", 1) for pair in shlex.split(instruction.text.replace("\\\n", " ")))


def test_the_linter_finds_nothing(npm: Npm, tmp_path: Path) -> None:
    done = npm.run("dockerfile-utils", "lint", str(DOCKERFILE), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_serves_as_a_user_without_rights_who_owns_the_store_and_nothing_else(last: list[Instruction]) -> None:
    uid, _, gid = only(last, "USER").text.partition(":")
    made = only(last, "RUN").words
    assert made[0] == "useradd"
    assert int(uid) > 0
    assert uid == gid == made[made.index("--uid") + 1]
    assert "--user-group" in made
    home = made[made.index("--home-dir") + 1]
    assert only(last, "VOLUME").strings == [home]
    assert only(last, "WORKDIR").text == pairs(only(last, "ENV"))["HOME"] == home
    assert pairs(only(last, "ENV"))["JOBTRAIL_STORE"].startswith(f"{home}/")


def test_the_server_gets_its_signals_itself(last: list[Instruction]) -> None:
    # The exec form: no shell stands between the engine's signal and the server.
    assert only(last, "ENTRYPOINT").strings == ["jobtrail"]
    assert only(last, "CMD").strings[0] == "serve"
    assert only(last, "STOPSIGNAL").text == "SIGTERM"


def test_its_command_refuses_to_start_without_a_token_and_says_why(last: list[Instruction], tmp_path: Path) -> None:
    command = [sys.executable, "-m", *only(last, "ENTRYPOINT").strings, *only(last, "CMD").strings]
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(command, check=False, capture_output=True, env=environ, text=True, timeout=SECONDS)
    assert done.returncode == 2
    assert "set JOBTRAIL_AUTH_TOKEN" in done.stderr


def test_the_port_that_is_served_is_the_one_that_is_exposed_and_checked(last: list[Instruction]) -> None:
    command = only(last, "CMD").strings
    port = command[command.index("--port") + 1]
    assert only(last, "EXPOSE").text == port
    health = only(last, "HEALTHCHECK").text
    assert f"HTTPConnection('127.0.0.1', {port}" in health
    assert "'/healthz'" in health


def test_it_has_two_stages_and_the_last_has_nothing_of_the_build_but_the_environment(
    parsed: list[Instruction], last: list[Instruction]
) -> None:
    assert [one.words[0] for one in parsed if one.keyword == "FROM"] == ["${BASE}"] * 2
    copy = only(last, "COPY")
    assert (copy.flags, copy.words) == (["--from=build"], ["/opt/jobtrail", "/opt/jobtrail"])
    assert pairs(only(last, "ENV"))["PATH"].startswith("/opt/jobtrail/bin:")


def test_its_name_for_the_registry_is_the_one_that_is_registered(last: list[Instruction]) -> None:
    assert pairs(only(last, "LABEL"))["io.modelcontextprotocol.server.name"] == read(SERVER)["name"]


def test_what_the_wheel_is_made_of_and_the_lock_is_copied_and_sent_to_the_engine_and_nothing_else(
    parsed: list[Instruction],
) -> None:
    copied = {name for one in parsed if one.keyword == "COPY" and not one.flags for name in one.words[:-1]}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    sources = {path.partition("/")[0] for path in (*wheel["packages"], *wheel["force-include"])}
    project = settings["project"]
    assert copied == {"pyproject.toml", "uv.lock", project["readme"], *project["license-files"], *sources}
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == copied
