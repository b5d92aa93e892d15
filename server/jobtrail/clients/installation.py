"""`jobtrail install`: an entry written into a client's configuration, and taken out again."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobtrail.clients.config_file import back_up, look, write
from jobtrail.clients.jsonc import JsoncError, parse_file
from jobtrail.clients.known_clients import config_path
from jobtrail.clients.server_entry import Wanted, entry_in, is_ours, put, take
from jobtrail.errors import SettingsError, closest, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from jobtrail.clients.known_clients import Client, Host, Scope
    from jobtrail.clients.start_command import Command

_SECRET = re.compile(r"KEY|TOKEN|PASSWORD|SECRET|CREDENTIAL", re.IGNORECASE)


@dataclass(frozen=True)
class Order:
    """What is to be written, and where.

    Attributes:
        name: the server's.
        env: variables for it; None for one whose value the client is to look up itself.
        force: whether an entry of that name that is not Jobtrail's may go.
        variables: those that Jobtrail reads, and what each is for.
    """

    client: Client
    scope: Scope
    name: str = "jobtrail"
    env: Mapping[str, str | None] = field(default_factory=dict[str, str | None], repr=False)
    force: bool = False
    variables: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


@dataclass(frozen=True)
class Done:
    """What became of it.

    Attributes:
        path: the file.
        changed: whether it was written.
        backup: where a copy of it as it was lies.
        told: what happened, and what to know, in sentences.
    """

    path: Path
    changed: bool
    backup: Path | None
    told: tuple[str, ...]


def is_secret(name: str) -> bool:
    """Return whether a variable holds a secret, by its name."""
    return _SECRET.search(name) is not None


def wanted(order: Order, command: Command) -> Wanted:
    """Return the entry that an order comes to.

    Raises:
        SettingsError: a variable that Jobtrail does not know, or one that this client cannot look up.
    """
    for name in order.env:
        _check_variable(name, order.variables)
    client = order.client
    entry: dict[str, Any] = {"type": "stdio"} if client.typed else {}
    entry |= {"command": command.program, "args": [*command.args]}
    inherits = order.scope in client.inherited
    env = {name: _value(order, name, value) for name, value in order.env.items() if value is not None or not inherits}
    if env:
        entry["env"] = env
    asked = [_asked(order, name) for name, value in order.env.items() if value is None and client.inputs]
    return Wanted(order.name, entry, asked)


def _check_variable(name: str, known: Mapping[str, str]) -> None:
    prefixes = tuple({f"{one.partition('_')[0]}_" for one in known})
    if name.startswith(prefixes) and name not in known:
        near = closest(name, known)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise SettingsError(f"--env {shown(name)}: Jobtrail reads no such variable{hint}")


def _value(order: Order, name: str, value: str | None) -> str:
    client = order.client
    if value is not None:
        return value
    if client.reference is None:
        raise SettingsError(
            f"{client.title} does not look variables up, so --env {name} alone gives it nothing; keep the secret in "
            f"Jobtrail's own config.toml (readable by you alone, see README), or write it into this file in plain "
            f"text with --env {name}=VALUE"
        )
    return client.reference.format(_input_id(order.name, name) if client.inputs else name)


def _input_id(server: str, variable: str) -> str:
    return f"{server}-{variable}"


def _asked(order: Order, variable: str) -> dict[str, Any]:
    """Return what VS Code is to ask for; it keeps a password in its own secret storage."""
    return {
        "type": "promptString",
        "id": _input_id(order.name, variable),
        "description": order.variables.get(variable, variable),
        "password": is_secret(variable),
    }


def install(order: Order, host: Host, command: Command) -> Done:
    """Write an order into its file.

    Raises:
        SettingsError: the file is not to be edited, or another server has the name; it is left as it is.
    """
    want = wanted(order, command)
    was = look(config_path(order.client, order.scope, host))
    text = was.text()
    try:
        stood = entry_in(parse_file(text), order.client, order.name)
        if stood is not None and not is_ours(stood) and not order.force:
            raise SettingsError(
                f"{was.path} has another server named {shown(order.name)}; give another --name, or --force to "
                "replace it"
            )
        new = put(text, order.client, want)
    except JsoncError as error:
        raise SettingsError(
            f"{was.path} cannot be edited ({error}); it was left as it is. Correct it and run this again, or paste "
            f"this into it:\n{want.snippet(order.client)}"
        ) from None
    if new == text:
        return Done(was.path, changed=False, backup=None, told=("it is there already; nothing was changed",))
    backup = back_up(was)
    write(was, new.encode(), private=any(value for value in order.env.values()))
    return Done(was.path, changed=True, backup=backup, told=tuple(_warnings(order)))


def _warnings(order: Order) -> Iterator[str]:
    plain = [name for name, value in order.env.items() if value is not None and is_secret(name)]
    if plain:
        often = ", and this file is often committed" if order.scope == "project" else ""
        yield f"{', '.join(plain)} now stands there in plain text{often}"
    looked_up = [name for name, value in order.env.items() if value is None]
    if looked_up and order.scope in order.client.inherited:
        yield (
            f"{', '.join(looked_up)} is not in the file: {order.client.title} hands on the environment it is "
            "started in"
        )
    elif looked_up and order.client.inputs:
        yield f"{order.client.title} asks for {', '.join(looked_up)} once and keeps it"
    elif looked_up:
        yield f"{order.client.title} takes {', '.join(looked_up)} from the environment it is started in"


def undo(order: Order, host: Host) -> Done:
    """Take an entry out of its file again; everything else in it stays, and so do the backups beside it.

    Raises:
        SettingsError: the entry is not Jobtrail's, or the file is not to be edited; it is left as it is.
    """
    client, name = order.client, order.name
    was = look(config_path(client, order.scope, host))
    try:
        entry = entry_in(parse_file(was.text()), client, name)
        if entry is None:
            told = f"it has no {name!r}, so there is nothing to undo"
            return Done(was.path, changed=False, backup=None, told=(told,))
        if not is_ours(entry) and not order.force:
            raise SettingsError(f"{shown(name)} in {was.path} is another server; it was left as it is")
        new = take(was.text(), client, name)
    except JsoncError as error:
        raise SettingsError(
            f"{was.path} cannot be edited ({error}); it was left as it is. Take the entry out by hand"
        ) from None
    backup = back_up(was)
    write(was, new.encode())
    return Done(was.path, changed=True, backup=backup, told=())
