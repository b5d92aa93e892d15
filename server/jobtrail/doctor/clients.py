"""Check the configuration of MCP clients: does it name Jobtrail, and can the client start it?"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from jobtrail.clients.config_file import read_config
from jobtrail.clients.jsonc import JsoncError, parse_config
from jobtrail.clients.known_clients import list_existing_configs
from jobtrail.clients.server_entry import starts_jobtrail
from jobtrail.doctor.report import Check
from jobtrail.errors import SettingsError
from jobtrail.masking import is_secret_name
from jobtrail.text import quote_unless_word, sanitize_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jobtrail.clients import Client, Machine, Scope, StartCommand
    from jobtrail.doctor.report import Verdict


def examine_clients(machine: Machine, own: StartCommand) -> Iterator[Check]:
    """Check each configuration file that exists; the checks never have values of variables in them."""
    found = list_existing_configs(machine)
    if not found:
        yield Check(
            "client", "", "files", "ok", "no client's configuration was found; `jobtrail install CLIENT` writes one"
        )
    for client, scope, path in found:
        yield from _ConfigFile(client, scope, path, machine, own).examine()


class _ConfigFile:
    """Checks one configuration file."""

    def __init__(self, client: Client, scope: Scope, path: Path, machine: Machine, own: StartCommand) -> None:
        self._client = client
        self._scope: Scope = scope
        self._path = path
        self._machine = machine
        self._own = own

    def _make_check(self, check: str, verdict: Verdict, found: str, fix: str | None = None) -> Check:
        return Check("client", f"{self._client.title} ({self._scope})", check, verdict, found, fix)

    def examine(self) -> Iterator[Check]:
        try:
            root = parse_config(read_config(self._path).text())
        except (JsoncError, SettingsError) as error:
            why = str(error) if isinstance(error, JsoncError) else "it cannot be read as text"
            yield self._make_check("file", "failed", f"{self._path} is not JSON: {why}", "correct it there")
            return
        if root.loose and not self._client.allows_comments:
            found = f"{self._path} has comments or trailing commas, which {self._client.title} does not read"
            yield self._make_check("file", "failed", found, "take them out")
            return
        yield self._make_check("file", "ok", str(self._path))
        ours = dict(self._find_entries(root.value))
        if not ours:
            scope = " --scope project" if self._scope == "project" else ""
            install = f"`jobtrail install {self._client.name}{scope}` adds it"
            yield self._make_check("jobtrail", "skipped", f"not named in it; {install}")
        for name, entry in ours.items():
            yield from self._examine_entry(name, entry)

    def _find_entries(self, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the servers that are Jobtrail or have that name; for Claude Code also those of the current folder."""
        tables = [_as_table(value).get(self._client.servers_key)]
        if self._client.name == "claude-code" and self._scope == "user":
            folder = _as_table(_as_table(value).get("projects")).get(str(self._machine.folder))
            tables.append(_as_table(folder).get(self._client.servers_key))
        for table in tables:
            for name, entry in _as_table(table).items():
                if isinstance(entry, dict) and (starts_jobtrail(entry) or name == "jobtrail"):
                    yield name, cast("dict[str, Any]", entry)

    def _examine_entry(self, name: str, entry: Mapping[str, Any]) -> Iterator[Check]:
        check = quote_unless_word(name, 40)
        if isinstance(entry.get("url"), str):
            yield self._make_check(check, "ok", f"over HTTP at {_parse_host(entry['url'])}")
            return
        command = entry.get("command")
        if not isinstance(command, str) or not command:
            yield self._make_check(check, "failed", "it names no command", self._format_fix(name, entry))
            return
        yield self._examine_command(name, command, entry)
        plain = [
            key for key, value in _as_table(entry.get("env")).items() if is_secret_name(key) and _is_plain(value)
        ]
        if plain and self._scope == "project":
            found = (
                f"{', '.join(map(quote_unless_word, plain))} stands in plain text in a file that is often committed"
            )
            fix = "take it out; `jobtrail install --env NAME` writes a reference instead"
            yield self._make_check(check, "warning", found, fix)

    def _examine_command(self, name: str, command: str, entry: Mapping[str, Any]) -> Check:
        check, again = quote_unless_word(name, 40), self._format_fix(name, entry)
        # Only the program is shown: arguments may have secrets in them.
        program = quote_unless_word(command)
        absolute = Path(command).is_absolute() or PureWindowsPath(command).is_absolute()
        where = command if absolute else shutil.which(command, path=self._machine.environ.get("PATH"))
        trouble = _explain_trouble(where, program)
        if where is None or trouble:
            return self._make_check(check, "failed", trouble, again)
        if not starts_jobtrail(entry):
            doubt = f"it starts {program}, which does not look like Jobtrail"
        elif not self._is_this_jobtrail(where, entry):
            doubt = f"it starts another Jobtrail than this: {program}"
        elif not absolute:
            doubt = f"it starts {program} from the PATH, which a client with a window may not share"
        else:
            return self._make_check(check, "ok", f"starts {program}, which is this Jobtrail")
        return self._make_check(check, "warning", doubt, again)

    def _is_this_jobtrail(self, where: str, entry: Mapping[str, Any]) -> bool:
        """Return whether a command starts the installation that this process runs from."""
        if Path(where).name in {"uvx", "uvx.exe"}:
            return Path(self._own.program).name in {"uvx", "uvx.exe"} and [*self._own.args] == entry.get("args")
        here = {Path(self._own.program).parent, Path(sys.executable).parent}
        try:
            return Path(where).parent in here or Path(where).resolve() == Path(self._own.program).resolve()
        except (OSError, RuntimeError):
            return False

    def _format_fix(self, name: str, entry: Mapping[str, Any]) -> str:
        """Return the command that writes an entry again; it has --force in it if the entry is not Jobtrail's."""
        scope = " --scope project" if self._scope == "project" else ""
        named = "" if name == "jobtrail" else f" --name {shlex.quote(sanitize_text(name, 100))}"
        install = f"jobtrail install {self._client.name}{scope}{named}"
        return (
            install if starts_jobtrail(entry) else f"{install} --force to replace it, or another --name to keep both"
        )


def _explain_trouble(where: str | None, program: str) -> str:
    """Return why a program cannot be started; empty if it can."""
    if where is None:
        return f"there is no {program} on the PATH of this shell"
    try:
        there = Path(where).is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        return f"there is no {program}"
    return "" if os.access(where, os.X_OK) else f"{program} cannot be run"


def _as_table(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _is_plain(value: Any) -> bool:
    """Return whether a value is plain text, and no reference to a variable."""
    return isinstance(value, str) and bool(value) and not value.startswith("${")


def _parse_host(url: str) -> str:
    try:
        return sanitize_text(urlsplit(url).hostname or "an address that is none", 100)
    except ValueError:
        return "an address that is none"
