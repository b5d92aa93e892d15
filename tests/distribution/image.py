"""A Dockerfile carried out without Docker: its own instructions, on an overlay of this machine's root.

What differs from an image: the base is this machine, with its Python, instead of the one that FROM names. Nothing
reaches the machine: overlays lie in memory, in a mount namespace that ends with the test.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.peers.npm import Npm

__all__ = ["Image", "Instruction", "Room", "RoomMissing", "Stage", "instructions"]

BUILD_SECONDS = 170
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
# A container has its own of these; here they are the machine's, and an overlay of the root does not show them.
LENT = ("/dev", "/proc", "/etc/resolv.conf", "/etc/hosts")
NETWORK = ("PIP_", "SSL_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


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


def instructions(npm: Npm, dockerfile: Path) -> list[Instruction]:
    """Return the instructions of a Dockerfile."""
    return [Instruction(**one) for one in npm.evaluate(PARSE, dockerfile.read_text(encoding="utf-8"))]


@dataclass
class Stage:
    """One stage: its root, and what its instructions have set so far."""

    root: Path
    environ: dict[str, str]
    folder: str = "/"
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list[str])
    command: list[str] = field(default_factory=list[str])
    health: list[str] = field(default_factory=list[str])
    volumes: list[str] = field(default_factory=list[str])

    def inside(self, command: list[str], **environ: str) -> list[str]:
        """Return the command line that runs a command in the stage as its user, with its environment only."""
        variables = [f"{name}={value}" for name, value in {**self.environ, **environ}.items()]
        return [
            *("chroot", f"--userspec={self.user}", "--groups=", str(self.root)),
            *("env", "--ignore-environment", f"--chdir={self.folder}", *variables, *command),
        ]


class RoomMissing(Exception):
    """This machine does not let a Dockerfile be carried out."""


class Room:
    """A mount namespace that lives as long as the `with` block, and overlays in it."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __enter__(self) -> Self:
        """Make the namespace.

        Raises:
            RoomMissing: this machine lacks a program, or forbids it.
        """
        lacking = ", ".join(_missing())
        if lacking:
            raise RoomMissing(f"{lacking} would be needed")
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", "echo ready; exec cat"]
        self._holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout
        if self._holder.stdout.readline() != "ready\n":
            raise RoomMissing("no mount namespace can be made")
        try:
            self.run(["mount", "-t", "tmpfs", "tmpfs", str(self.place)])
            self.root("probe")
        except AssertionError as refused:
            self.__exit__()
            raise RoomMissing(f"no overlay can be mounted: {refused}") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._holder.communicate(timeout=10)

    def entered(self, command: list[str]) -> list[str]:
        """Return the command line that runs a command in the namespace."""
        return ["nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt", "--", *command]

    def run(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command in the namespace; it is to succeed."""
        options = {"timeout": BUILD_SECONDS, "stdin": subprocess.DEVNULL, **options}
        done = subprocess.run(self.entered(command), capture_output=True, check=False, text=True, **options)
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done

    def root(self, name: str) -> Path:
        """Return a new overlay of this machine's root."""
        upper, work, root = (self.place / name / part for part in ("upper", "work", "root"))
        self.run(["mkdir", "-p", str(upper), str(work), str(root)])
        self.run(
            ["mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={work}", str(root)]
        )
        for lent in LENT:
            self.run(["mount", "--rbind", lent, f"{root}{lent}"])
        # The machine's Python may lie in a home that is closed to others.
        for parent in [*Path(sys.base_prefix).parents][:-1]:
            self.run(["chmod", "o+x", f"{root}{parent}"])
        return root


@dataclass
class Image:
    """What a Dockerfile makes."""

    room: Room
    context: Path
    stages: dict[str, Stage] = field(default_factory=dict[str, Stage])

    def build(self, todo: list[Instruction]) -> Stage:
        """Carry out the instructions; return the last stage."""
        acts: dict[str, Callable[[Instruction], None]] = {
            name.removeprefix("_do_").upper(): getattr(self, name) for name in dir(self) if name.startswith("_do_")
        }
        for one in todo:
            acts[one.keyword](one)
        return self._last

    @property
    def _last(self) -> Stage:
        return [*self.stages.values()][-1]

    def _do_from(self, one: Instruction) -> None:
        name = one.words[2] if len(one.words) > 1 else str(len(self.stages))
        path = f"{sys.base_prefix}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.stages[name] = Stage(self.room.root(name), {"PATH": path, "HOME": "/root"})

    def _do_workdir(self, one: Instruction) -> None:
        self._last.folder = one.text
        self.room.run(["mkdir", "-p", f"{self._last.root}{one.text}"])

    def _do_copy(self, one: Instruction) -> None:
        flags = dict(flag.removeprefix("--").split("=", 1) for flag in one.flags)
        source = self.stages[flags["from"]].root if "from" in flags else self.context
        *names, last = one.words
        target = (
            self._last.root / (self._last.folder if not last.startswith("/") else "").lstrip("/") / last.lstrip("/")
        )
        for name in names:
            path = source / name.lstrip("/")
            # A folder is copied as what it holds.
            self.room.run(["mkdir", "-p", str(target if path.is_dir() or last.endswith("/") else target.parent)])
            whole = f"{path}/." if not last.endswith("/") else str(path)
            self.room.run(["cp", "-r", "--preserve=mode,links", whole, str(target)])

    def _do_run(self, one: Instruction) -> None:
        network = {name: value for name, value in os.environ.items() if name.startswith(NETWORK)}
        self.room.run(self._last.inside(one.strings or ["/bin/sh", "-c", one.text], **network))

    def _do_env(self, one: Instruction) -> None:
        before = dict(self._last.environ)
        for pair in shlex.split(one.text):
            name, _, value = pair.partition("=")
            self._last.environ[name] = Template(value).substitute(before)

    def _do_user(self, one: Instruction) -> None:
        self._last.user = one.text

    def _do_volume(self, one: Instruction) -> None:
        self._last.volumes += one.strings

    def _do_entrypoint(self, one: Instruction) -> None:
        self._last.entrypoint = one.strings

    def _do_cmd(self, one: Instruction) -> None:
        self._last.command = one.strings

    def _do_healthcheck(self, one: Instruction) -> None:
        # The parser knows the exec form of every instruction but this one.
        self._last.health = json.loads(one.text.partition("CMD ")[2])

    def _do_label(self, one: Instruction) -> None:
        """Carry out nothing: labels, ports and the stop signal are told to the engine."""

    _do_expose = _do_stopsignal = _do_label


def _missing() -> Iterator[str]:
    """Yield what this machine lacks to carry out a Dockerfile."""
    if os.geteuid() != 0:
        yield "the rights of root"
    for name in ("unshare", "nsenter", "chroot", "ip", "useradd"):
        if shutil.which(name) is None:
            yield name
