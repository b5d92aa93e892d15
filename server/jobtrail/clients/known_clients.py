"""The MCP clients that can be configured: where each keeps its configuration file, and in which format.

Sources: Claude Desktop `claude_desktop_config.json` (modelcontextprotocol.io, quickstart; the Windows
store package keeps its own AppData), Claude Code `.mcp.json` and `~/.claude.json` with `${VAR}` (code.claude.com,
mcp), VS Code `mcp.json` with `inputs` (code.visualstudio.com, mcp-configuration), Cursor `mcp.json` with `${env:VAR}`
(cursor.com, mcp).
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Scope = Literal["user", "project"]

# The Windows store's name for Claude Desktop; a package from there has its own AppData.
_CLAUDE_PACKAGE = "Claude_pzs8sxrjxfjjc"


@dataclass(frozen=True)
class Machine:
    """The properties of a machine that decide where configuration files are.

    Attributes:
        platform: as `sys.platform`: `darwin`, `win32`, or anything else for Linux and its like.
        folder: the project's, which is the working directory of the command.
    """

    home: Path
    environ: Mapping[str, str] = field(repr=False)
    platform: str
    folder: Path

    @classmethod
    def detect(cls) -> Machine:
        """Return this machine.

        Raises:
            RuntimeError: the user has no home directory.
        """
        return cls(Path.home(), os.environ, sys.platform, Path.cwd())

    def config_folder(self) -> Path:
        """Return the folder in which desktop programs keep their settings."""
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support"
        if self.platform == "win32":
            return self._read_folder("APPDATA") or self.home / "AppData" / "Roaming"
        return self._read_folder("XDG_CONFIG_HOME") or self.home / ".config"

    def local_folder(self) -> Path:
        """Return the folder in which Windows keeps settings that do not roam."""
        return self._read_folder("LOCALAPPDATA") or self.home / "AppData" / "Local"

    def _read_folder(self, name: str) -> Path | None:
        value = self.environ.get(name, "")
        # A relative one is invalid by the XDG specification.
        return Path(value) if value and Path(value).is_absolute() else None


@dataclass(frozen=True)
class Client:
    """An MCP client, and the format of its configuration.

    Attributes:
        name: the name on Jobtrail's command line.
        title: the name that the client shows.
        servers_key: the key of the object that holds the servers.
        typed: whether an entry has `"type": "stdio"`.
        allows_comments: whether comments and trailing commas are allowed.
        reference: how a value refers to an environment variable, with {} for the name; None if it cannot.
        inherited: scopes without such a reference, in which the server inherits the client's environment.
        inputs: whether the client can ask the user for values, and keep them.
        next_steps: by scope, what the user has to do after the file is written.
    """

    name: str
    title: str
    servers_key: str
    typed: bool
    allows_comments: bool
    reference: str | None
    inherited: tuple[Scope, ...]
    inputs: bool
    next_steps: Mapping[Scope, str]

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """The scopes in which the client can be configured."""
        return tuple(self.next_steps)


CLIENTS: dict[str, Client] = {
    one.name: one
    for one in (
        Client(
            name="claude-desktop",
            title="Claude Desktop",
            servers_key="mcpServers",
            typed=False,
            allows_comments=False,
            reference=None,
            inherited=(),
            inputs=False,
            next_steps={
                "user": "quit Claude Desktop and start it again; jobtrail is then under Settings > Developer"
            },
        ),
        Client(
            name="claude-code",
            title="Claude Code",
            servers_key="mcpServers",
            typed=True,
            allows_comments=False,
            reference="${{{}}}",
            # Reports of `${VAR}` in ~/.claude.json contradict each other; as text it would hide what is inherited.
            inherited=("user",),
            inputs=False,
            next_steps={
                "user": "start a new `claude` session; /mcp shows jobtrail",
                "project": "start `claude` in this folder and approve jobtrail; /mcp shows it",
            },
        ),
        Client(
            name="vscode",
            title="VS Code",
            servers_key="servers",
            typed=True,
            allows_comments=True,
            reference="${{input:{}}}",
            inherited=(),
            inputs=True,
            next_steps={
                "user": "in VS Code run `MCP: List Servers`, choose jobtrail, and start it",
                "project": "open this folder in VS Code, run `MCP: List Servers`, choose jobtrail, and start it",
            },
        ),
        Client(
            name="cursor",
            title="Cursor",
            servers_key="mcpServers",
            typed=True,
            allows_comments=True,
            reference="${{env:{}}}",
            inherited=(),
            inputs=False,
            next_steps={
                "user": "restart Cursor; jobtrail is then under Settings > MCP",
                "project": "open this folder in Cursor and switch jobtrail on under Settings > MCP",
            },
        ),
    )
}


def find_config_path(client: Client, scope: Scope, machine: Machine) -> Path:
    """Return the path of the file that configures a client; it need not exist."""
    if client.name == "claude-desktop":
        return _find_claude_desktop_config(machine)
    if client.name == "claude-code":
        folder = machine.environ.get("CLAUDE_CONFIG_DIR")
        return (Path(folder or machine.home) / ".claude.json") if scope == "user" else machine.folder / ".mcp.json"
    if client.name == "vscode":
        return (
            machine.config_folder() / "Code" / "User" if scope == "user" else machine.folder / ".vscode"
        ) / "mcp.json"
    return (machine.home if scope == "user" else machine.folder) / ".cursor" / "mcp.json"


def _find_claude_desktop_config(machine: Machine) -> Path:
    if machine.platform == "win32":
        packaged = machine.local_folder() / "Packages" / _CLAUDE_PACKAGE / "LocalCache" / "Roaming"
        if packaged.is_dir():
            return packaged / "Claude" / "claude_desktop_config.json"
    return machine.config_folder() / "Claude" / "claude_desktop_config.json"


def list_existing_configs(machine: Machine) -> list[tuple[Client, Scope, Path]]:
    """Return the configuration files that exist; a file with two scopes, as in the home directory, only once."""
    found: dict[Path, tuple[Client, Scope, Path]] = {}
    for client in CLIENTS.values():
        for scope in client.scopes:
            path = find_config_path(client, scope, machine)
            try:
                if path.exists():
                    found.setdefault(path.absolute(), (client, scope, path))
            except OSError:
                continue
    return [*found.values()]
