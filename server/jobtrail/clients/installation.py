"""Write Jobtrail into a client's configuration file, and take it out again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobtrail.clients.config_file import back_up, read_config, write_config
from jobtrail.clients.jsonc import JsoncError, parse_config
from jobtrail.clients.known_clients import find_config_path
from jobtrail.clients.server_entry import ServerEntry, find_entry, put_entry, remove_entry, starts_jobtrail
from jobtrail.errors import SettingsError
from jobtrail.masking import is_secret_name
from jobtrail.text import find_closest, quote_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from jobtrail.clients.known_clients import Client, Machine, Scope
    from jobtrail.clients.start_command import StartCommand


@dataclass(frozen=True)
class Installation:
    """What to write into which client's configuration.

    Attributes:
        name: the server's name.
        env: values of environment variables by name; None if the client looks the value up itself.
        force: whether another server's entry with that name may be replaced or removed.
        variables: the variables that Jobtrail reads, and what each is for.
    """

    client: Client
    scope: Scope
    name: str = "jobtrail"
    env: Mapping[str, str | None] = field(default_factory=dict[str, str | None], repr=False)
    force: bool = False
    variables: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


@dataclass(frozen=True)
class InstallResult:
    """What `install` or `uninstall` did.

    Attributes:
        path: the configuration file.
        changed: whether it was written.
        backup: the copy of the file from before; None if there was none or nothing changed.
        notes: sentences for the user.
    """

    path: Path
    changed: bool
    backup: Path | None
    notes: tuple[str, ...]


def build_entry(installation: Installation, command: StartCommand) -> ServerEntry:
    """Return the entry that an installation writes.

    Raises:
        SettingsError: Jobtrail reads no such variable, or the client cannot look it up.
    """
    for name in installation.env:
        _check_variable(name, installation.variables)
    client = installation.client
    entry: dict[str, Any] = {"type": "stdio"} if client.typed else {}
    entry |= {"command": command.program, "args": [*command.args]}
    inherits = installation.scope in client.inherited
    env = {
        name: _format_variable(installation, name, value)
        for name, value in installation.env.items()
        if value is not None or not inherits
    }
    if env:
        entry["env"] = env
    # What VS Code asks for; it keeps passwords in its secret storage.
    asked = [
        {
            "type": "promptString",
            "id": _make_input_id(installation.name, name),
            "description": installation.variables.get(name, name),
            "password": is_secret_name(name),
        }
        for name, value in installation.env.items()
        if value is None and client.inputs
    ]
    return ServerEntry(installation.name, entry, asked)


def _check_variable(name: str, known: Mapping[str, str]) -> None:
    prefixes = tuple({f"{one.partition('_')[0]}_" for one in known})
    if name.startswith(prefixes) and name not in known:
        raise SettingsError(
            f"--env {quote_value(name)}: Jobtrail reads no such variable", closest=find_closest(name, known, 1)
        )


def _format_variable(installation: Installation, name: str, value: str | None) -> str:
    client = installation.client
    if value is not None:
        return value
    if client.reference is None:
        raise SettingsError(
            f"{client.title} does not look variables up, so --env {name} alone gives it nothing; keep the secret in "
            f"Jobtrail's own config.toml (readable by you alone, see README), or write it into this file in plain "
            f"text with --env {name}=VALUE"
        )
    return client.reference.format(_make_input_id(installation.name, name) if client.inputs else name)


def _make_input_id(server: str, variable: str) -> str:
    return f"{server}-{variable}"


def install(installation: Installation, machine: Machine, command: StartCommand) -> InstallResult:
    """Write the entry into the client's configuration file.

    Raises:
        SettingsError: the file cannot be edited, or another server has the name; the file is unchanged.
    """
    entry = build_entry(installation, command)
    was = read_config(find_config_path(installation.client, installation.scope, machine))
    text = was.text()
    try:
        existing = find_entry(parse_config(text), installation.client, installation.name)
        if existing is not None and not starts_jobtrail(existing) and not installation.force:
            raise SettingsError(
                f"{was.path} has another server named {quote_value(installation.name)}; give another --name, or "
                "--force to replace it"
            )
        new = put_entry(text, installation.client, entry)
    except JsoncError as error:
        raise SettingsError(
            f"{was.path} cannot be edited ({error}); it was left as it is. Correct it and run this again, or paste "
            f"this into it:\n{entry.format_snippet(installation.client)}"
        ) from None
    if new == text:
        return InstallResult(
            was.path, changed=False, backup=None, notes=("it is there already; nothing was changed",)
        )
    backup = back_up(was)
    write_config(was, new.encode(), private=any(value for value in installation.env.values()))
    return InstallResult(was.path, changed=True, backup=backup, notes=tuple(_list_warnings(installation)))


def _list_warnings(installation: Installation) -> Iterator[str]:
    plain = [name for name, value in installation.env.items() if value is not None and is_secret_name(name)]
    if plain:
        often = ", and this file is often committed" if installation.scope == "project" else ""
        yield f"{', '.join(plain)} now stands there in plain text{often}"
    looked_up = [name for name, value in installation.env.items() if value is None]
    if looked_up and installation.scope in installation.client.inherited:
        yield (
            f"{', '.join(looked_up)} is not in the file: {installation.client.title} hands on the environment it is "
            "started in"
        )
    elif looked_up and installation.client.inputs:
        yield f"{installation.client.title} asks for {', '.join(looked_up)} once and keeps it"
    elif looked_up:
        yield f"{installation.client.title} takes {', '.join(looked_up)} from the environment it is started in"


def uninstall(installation: Installation, machine: Machine) -> InstallResult:
    """Remove the entry from the client's configuration file; the rest of it and the backups stay.

    Raises:
        SettingsError: the entry is not Jobtrail's, or the file cannot be edited; the file is unchanged.
    """
    client, name = installation.client, installation.name
    was = read_config(find_config_path(client, installation.scope, machine))
    try:
        entry = find_entry(parse_config(was.text()), client, name)
        if entry is None:
            nothing = f"it has no {name!r}, so there is nothing to undo"
            return InstallResult(was.path, changed=False, backup=None, notes=(nothing,))
        if not starts_jobtrail(entry) and not installation.force:
            raise SettingsError(f"{quote_value(name)} in {was.path} is another server; it was left as it is")
        new = remove_entry(was.text(), client, name)
    except JsoncError as error:
        raise SettingsError(
            f"{was.path} cannot be edited ({error}); it was left as it is. Take the entry out by hand"
        ) from None
    backup = back_up(was)
    write_config(was, new.encode())
    return InstallResult(was.path, changed=True, backup=backup, notes=())
