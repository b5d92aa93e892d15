"""The configuration of MCP clients: does it name Jobtrail, and can they start it?"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from jobtrail.clients.config_file import look
from jobtrail.clients.installation import is_secret
from jobtrail.clients.jsonc import JsoncError, parse_file
from jobtrail.clients.known_clients import existing_configs
from jobtrail.clients.server_entry import is_ours
from jobtrail.doctor.report import Check
from jobtrail.errors import SettingsError, clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jobtrail.clients import Client, Command, Host, Scope
    from jobtrail.doctor.report import Verdict

__all__ = ["examine_clients"]


def examine_clients(host: Host, own: Command) -> Iterator[Check]:
    """Yield what is said of each configuration file that is there; values of variables are never among it."""
    found = existing_configs(host)
    if not found:
        yield Check(
            "client", "", "files", "ok", "no client's configuration was found; `jobtrail install CLIENT` writes one"
        )
    for client, scope, path in found:
        yield from _File(client, scope, path, host, own).checks()


class _File:
    """One configuration file."""

    def __init__(self, client: Client, scope: Scope, path: Path, host: Host, own: Command) -> None:
        self._client = client
        self._scope: Scope = scope
        self._path = path
        self._host = host
        self._own = own

    def _check(self, check: str, verdict: Verdict, found: str, fix: str | None = None) -> Check:
        return Check("client", f"{self._client.title} ({self._scope})", check, verdict, found, fix)

    def checks(self) -> Iterator[Check]:
        try:
            root = parse_file(look(self._path).text())
        except (JsoncError, SettingsError) as error:
            why = str(error) if isinstance(error, JsoncError) else "it cannot be read as text"
            yield self._check("file", "failed", f"{self._path} is not JSON: {why}", "correct it there")
            return
        if root.loose and not self._client.loose:
            found = f"{self._path} has comments or trailing commas, which {self._client.title} does not read"
            yield self._check("file", "failed", found, "take them out")
            return
        yield self._check("file", "ok", str(self._path))
        ours = dict(self._entries(root.value))
        if not ours:
            scope = " --scope project" if self._scope == "project" else ""
            install = f"`jobtrail install {self._client.name}{scope}` adds it"
            yield self._check("jobtrail", "skipped", f"not named in it; {install}")
        for name, entry in ours.items():
            yield from self._entry(name, entry)

    def _entries(self, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the servers that are Jobtrail or named so; of Claude Code also those of this folder."""
        tables = [_table(value).get(self._client.root)]
        if self._client.name == "claude-code" and self._scope == "user":
            folder = _table(_table(value).get("projects")).get(str(self._host.folder))
            tables.append(_table(folder).get(self._client.root))
        for table in tables:
            for name, entry in _table(table).items():
                if isinstance(entry, dict) and (is_ours(entry) or name == "jobtrail"):
                    yield name, cast("dict[str, Any]", entry)

    def _entry(self, name: str, entry: Mapping[str, Any]) -> Iterator[Check]:
        check = clean(name, 40)
        if isinstance(entry.get("url"), str):
            yield self._check(check, "ok", f"over HTTP at {_host_of(entry['url'])}")
            return
        command = entry.get("command")
        if not isinstance(command, str) or not command:
            yield self._check(check, "failed", "it names no command", self._again(name, entry))
            return
        yield self._command(name, command, entry)
        plain = [key for key, value in _table(entry.get("env")).items() if is_secret(key) and _is_plain(value)]
        if plain and self._scope == "project":
            found = f"{clean(', '.join(plain))} stands in plain text in a file that is often committed"
            fix = "take it out; `jobtrail install --env NAME` writes a reference instead"
            yield self._check(check, "warning", found, fix)

    def _command(self, name: str, command: str, entry: Mapping[str, Any]) -> Check:
        check, again = clean(name, 40), self._again(name, entry)
        # Nothing but the program is shown: arguments can hold secrets.
        program = clean(command, 200)
        absolute = Path(command).is_absolute() or PureWindowsPath(command).is_absolute()
        where = command if absolute else shutil.which(command, path=self._host.environ.get("PATH"))
        trouble = _trouble(where, program)
        if where is None or trouble:
            return self._check(check, "failed", trouble, again)
        if not is_ours(entry):
            doubt = f"it starts {program}, which does not look like Jobtrail"
        elif not self._is_this(where, entry):
            doubt = f"it starts another Jobtrail than this: {program}"
        elif not absolute:
            doubt = f"it starts {program} from the PATH, which a client with a window may not share"
        else:
            return self._check(check, "ok", f"starts {program}, which is this Jobtrail")
        return self._check(check, "warning", doubt, again)

    def _is_this(self, where: str, entry: Mapping[str, Any]) -> bool:
        """Return whether a command comes from where this process does."""
        if Path(where).name in {"uvx", "uvx.exe"}:
            return Path(self._own.program).name in {"uvx", "uvx.exe"} and [*self._own.args] == entry.get("args")
        here = {Path(self._own.program).parent, Path(sys.executable).parent}
        try:
            return Path(where).parent in here or Path(where).resolve() == Path(self._own.program).resolve()
        except (OSError, RuntimeError):
            return False

    def _again(self, name: str, entry: Mapping[str, Any]) -> str:
        """Return the command that writes an entry anew; one that is not Jobtrail's goes only where that is said."""
        scope = " --scope project" if self._scope == "project" else ""
        named = "" if name == "jobtrail" else f" --name {shlex.quote(clean(name, 100))}"
        install = f"jobtrail install {self._client.name}{scope}{named}"
        return install if is_ours(entry) else f"{install} --force to replace it, or another --name to keep both"


def _trouble(where: str | None, program: str) -> str:
    """Return why a program cannot be started; nothing where it can."""
    if where is None:
        return f"there is no {program} on the PATH of this shell"
    try:
        there = Path(where).is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        return f"there is no {program}"
    return "" if os.access(where, os.X_OK) else f"{program} cannot be run"


def _table(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _is_plain(value: Any) -> bool:
    """Return whether a value is one, and no reference to one."""
    return isinstance(value, str) and bool(value) and not value.startswith("${")


def _host_of(url: str) -> str:
    try:
        return clean(urlsplit(url).hostname or "an address that is none", 100)
    except ValueError:
        return "an address that is none"
