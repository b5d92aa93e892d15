"""A host of bundles: it unpacks one, fills in its variables and starts it, all with `mcpb`'s own functions."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.distribution.listing import ROOT

if TYPE_CHECKING:
    from tests.peers.npm import Npm


UV_CACHE = Path(__file__).parents[1] / ".cache" / "uv"
# uv builds the bundle's environment at the first start.
START_SECONDS = 170
# What this machine needs to reach its package index, where it needs something.
NETWORK = ("SSL_CERT_FILE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "UV_DEFAULT_INDEX", "UV_INDEX_URL")

CONFIGURE = """
import { readFileSync } from "node:fs";
import { getMcpConfigForManifest } from "@anthropic-ai/mcpb";
const [folder, home, userConfig] = given;
const manifest = JSON.parse(readFileSync(`${folder}/manifest.json`, "utf-8"));
const systemDirs = { HOME: home, DESKTOP: `${home}/Desktop` };
const options = { manifest, extensionPath: folder, systemDirs, userConfig, pathSeparator: "/" };
console.log(JSON.stringify(await getMcpConfigForManifest(options)));
"""

TALK = """
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
const [server, calls, timeout] = given;
const client = new Client({ name: "a host", version: "1" });
const transport = new StdioClientTransport({ ...server, stderr: "inherit" });
await client.connect(transport, { timeout });
const found = {
  server: client.getServerVersion(),
  instructions: client.getInstructions(),
  tools: (await client.listTools()).tools.map((tool) => tool.name),
  prompts: (await client.listPrompts()).prompts.map((prompt) => prompt.name),
  answers: [],
};
for (const call of calls) found.answers.push(await client.callTool(call));
await client.close();
console.log(JSON.stringify(found));
"""


def pack(npm: Npm, into: Path) -> Path:
    """Return the bundle that `mcpb pack` makes of the repository."""
    bundle = into / "jobtrail.mcpb"
    done = npm.run("mcpb", "pack", str(ROOT), str(bundle), cwd=into)
    assert done.returncode == 0, done.stdout + done.stderr
    return bundle


@dataclass(frozen=True)
class Installed:
    """An unpacked bundle in a home of its own."""

    npm: Npm
    folder: Path
    home: Path

    @classmethod
    def of(cls, npm: Npm, bundle: Path, place: Path) -> Installed:
        """Unpack a bundle."""
        folder, home = place / "an extension", place / "home"
        home.mkdir()
        done = npm.run("mcpb", "unpack", str(bundle), str(folder), cwd=place)
        assert done.returncode == 0, done.stdout + done.stderr
        return cls(npm, folder, home)

    def configured(self, **settings: str) -> dict[str, Any]:
        """Return command, arguments and environment, with what a user filled in."""
        return self.npm.evaluate(CONFIGURE, str(self.folder), str(self.home), settings)

    def talk(self, settings: dict[str, str], *calls: dict[str, Any], **environ: str) -> dict[str, Any]:
        """Start the server as the manifest says and make the calls; return what it says of itself and answers.

        Args:
            settings: what a user filled in.
            calls: tool calls, each with `name` and `arguments`.
            environ: variables of the host itself.
        """
        server = self.configured(**settings)
        server["env"] = {**self._environ(), **environ, **server["env"]}
        server["args"] = server.get("args", [])
        return self.npm.evaluate(TALK, server, calls, START_SECONDS * 1000, seconds=START_SECONDS)

    def _environ(self) -> dict[str, str]:
        import uv  # noqa: PLC0415 # tests are collected without it

        programs = (str(Path(uv.find_uv_bin()).parent), str(Path(sys.base_prefix) / "bin"), os.environ["PATH"])
        network = {name: os.environ[name] for name in NETWORK if name in os.environ}
        return {
            "HOME": str(self.home),
            "PATH": os.pathsep.join(programs),
            "UV_CACHE_DIR": str(UV_CACHE),
            "UV_PYTHON_DOWNLOADS": "never",
            **network,
        }
