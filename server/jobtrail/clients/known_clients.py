"""The clients whose configuration is known: where each keeps it, and how it is written.

Where a fact is whose: Claude Desktop `claude_desktop_config.json` (modelcontextprotocol.io, quickstart; the Windows
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

# The Windows store's name for Claude Desktop; such a package sees an AppData of its own.
_CLAUDE_PACKAGE = "Claude_pzs8sxrjxfjjc"


@dataclass(frozen=True)
class Host:
    """The machine as far as it decides where files lie.

    Attributes:
        platform: as `sys.platform`: `darwin`, `win32`, or anything else for Linux and its like.
        folder: the project's, in which the command was given.
    """

    home: Path
    environ: Mapping[str, str] = field(repr=False)
    platform: str
    folder: Path

    @classmethod
    def here(cls) -> Host:
        """Return this machine.

        Raises:
            RuntimeError: the user has no home directory.
        """
        return cls(Path.home(), os.environ, sys.platform, Path.cwd())

    def config(self) -> Path:
        """Return where programs with a window keep their settings."""
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support"
        if self.platform == "win32":
            return self._of("APPDATA") or self.home / "AppData" / "Roaming"
        return self._of("XDG_CONFIG_HOME") or self.home / ".config"

    def local(self) -> Path:
        """Return where Windows keeps what stays on one machine."""
        return self._of("LOCALAPPDATA") or self.home / "AppData" / "Local"

    def _of(self, name: str) -> Path | None:
        value = self.environ.get(name, "")
        # A relative one is invalid by the XDG specification.
        return Path(value) if value and Path(value).is_absolute() else None


@dataclass(frozen=True)
class Client:
    """A client.

    Attributes:
        name: as it is named on the command line.
        title: as it names itself.
        root: the key of its servers.
        typed: whether an entry says `"type": "stdio"`.
        loose: whether comments and trailing commas are allowed.
        reference: how it spells a variable of its own environment, with {} for the name; None where it cannot.
        inherited: where it documents no such spelling, and hands its own environment on instead.
        inputs: whether it asks for values itself, and keeps them.
        then: what to do once the file is written.
    """

    name: str
    title: str
    root: str
    typed: bool
    loose: bool
    reference: str | None
    inherited: tuple[Scope, ...]
    inputs: bool
    then: Mapping[Scope, str]

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """Where it can be configured."""
        return tuple(self.then)


CLIENTS: dict[str, Client] = {
    one.name: one
    for one in (
        Client(
            name="claude-desktop",
            title="Claude Desktop",
            root="mcpServers",
            typed=False,
            loose=False,
            reference=None,
            inherited=(),
            inputs=False,
            then={"user": "quit Claude Desktop and start it again; jobtrail is then under Settings > Developer"},
        ),
        Client(
            name="claude-code",
            title="Claude Code",
            root="mcpServers",
            typed=True,
            loose=False,
            reference="${{{}}}",
            # Reports of `${VAR}` in ~/.claude.json contradict each other; as text it would hide what is inherited.
            inherited=("user",),
            inputs=False,
            then={
                "user": "start a new `claude` session; /mcp shows jobtrail",
                "project": "start `claude` in this folder and approve jobtrail; /mcp shows it",
            },
        ),
        Client(
            name="vscode",
            title="VS Code",
            root="servers",
            typed=True,
            loose=True,
            reference="${{input:{}}}",
            inherited=(),
            inputs=True,
            then={
                "user": "in VS Code run `MCP: List Servers`, choose jobtrail, and start it",
                "project": "open this folder in VS Code, run `MCP: List Servers`, choose jobtrail, and start it",
            },
        ),
        Client(
            name="cursor",
            title="Cursor",
            root="mcpServers",
            typed=True,
            loose=True,
            reference="${{env:{}}}",
            inherited=(),
            inputs=False,
            then={
                "user": "restart Cursor; jobtrail is then under Settings > MCP",
                "project": "open this folder in Cursor and switch jobtrail on under Settings > MCP",
            },
        ),
    )
}


def config_path(client: Client, scope: Scope, host: Host) -> Path:
    """Return the file in which a client is configured, whether it is there or not."""
    if client.name == "claude-desktop":
        return _claude_desktop(host)
    if client.name == "claude-code":
        folder = host.environ.get("CLAUDE_CONFIG_DIR")
        return (Path(folder or host.home) / ".claude.json") if scope == "user" else host.folder / ".mcp.json"
    if client.name == "vscode":
        return (host.config() / "Code" / "User" if scope == "user" else host.folder / ".vscode") / "mcp.json"
    return (host.home if scope == "user" else host.folder) / ".cursor" / "mcp.json"


def _claude_desktop(host: Host) -> Path:
    if host.platform == "win32":
        packaged = host.local() / "Packages" / _CLAUDE_PACKAGE / "LocalCache" / "Roaming"
        if packaged.is_dir():
            return packaged / "Claude" / "claude_desktop_config.json"
    return host.config() / "Claude" / "claude_desktop_config.json"


def existing_configs(host: Host) -> list[tuple[Client, Scope, Path]]:
    """Return the files that are there; one that is two at once, as in the home directory, only once."""
    found: dict[Path, tuple[Client, Scope, Path]] = {}
    for client in CLIENTS.values():
        for scope in client.scopes:
            path = config_path(client, scope, host)
            try:
                if path.exists():
                    found.setdefault(path.absolute(), (client, scope, path))
            except OSError:
                continue
    return [*found.values()]
