"""`jobtrail install`: an entry written into a client's configuration, and taken out again."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobtrail.clients.entries import Wanted, entry_in, is_ours, put, take, wanted_of
from jobtrail.clients.files import Snapshot, back_up, backups, look, write
from jobtrail.clients.jsonc import JsoncError, Node, parse_file
from jobtrail.clients.places import config_path
from jobtrail.errors import SettingsError, closest, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from jobtrail.clients.command import Command
    from jobtrail.clients.places import Client, Host, Scope

__all__ = ["Done", "Order", "install", "is_secret", "undo", "wanted"]

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
    stood = entry_in(_read(was, order, want), order.client, order.name)
    if stood is not None and not is_ours(stood) and not order.force:
        raise SettingsError(
            f"{was.path} has another server named {shown(order.name)}; give another --name, or --force to replace it"
        )
    try:
        new = put(text, order.client, want)
    except JsoncError as error:
        raise _refused(was, order, want, error) from None
    if new == text:
        return Done(was.path, changed=False, backup=None, told=("it is there already; nothing was changed",))
    backup = back_up(was)
    write(was, new.encode(), private=any(value for value in order.env.values()))
    return Done(was.path, changed=True, backup=backup, told=tuple(_warnings(order)))


def _read(was: Snapshot, order: Order, want: Wanted) -> Node:
    try:
        root = parse_file(was.text())
        entry_in(root, order.client, order.name)
    except JsoncError as error:
        raise _refused(was, order, want, error) from None
    return root


def _refused(was: Snapshot, order: Order, want: Wanted, error: JsoncError) -> SettingsError:
    return SettingsError(
        f"{was.path} cannot be edited ({error}); it was left as it is. Correct it and run this again, or paste "
        f"this into it:\n{want.snippet(order.client)}"
    )


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
    """Take out what `install` wrote: by the backup where nothing else has changed since, by an edit otherwise.

    Raises:
        SettingsError: the entry is not Jobtrail's, or the file is not to be edited.
    """
    client, name = order.client, order.name
    was = look(config_path(client, order.scope, host))
    if was.data is None:
        return Done(
            was.path, changed=False, backup=None, told=("there is no such file, so there is nothing to undo",)
        )
    text = was.text()
    try:
        root = parse_file(text)
        entry = entry_in(root, client, name)
    except JsoncError as error:
        raise _not_undone(was, error) from None
    if entry is None:
        return Done(was.path, changed=False, backup=None, told=(f"it has no {name!r}, so there is nothing to undo",))
    if not is_ours(entry) and not order.force:
        raise SettingsError(f"{shown(name)} in {was.path} is another server; it was left as it is")
    return _undone(was, order, wanted_of(root, client, name))


def _undone(was: Snapshot, order: Order, want: Wanted) -> Done:
    kept = [*_before(was.path, order)]
    for copy in kept:
        if _replayed(copy.text(), order, want) == was.text():
            write(was, copy.data or b"")
            copy.path.unlink(missing_ok=True)
            told = f"put back as it was from {copy.path.name}, since nothing else has changed in it"
            return Done(was.path, changed=True, backup=None, told=(told,))
    if not kept and _replayed("", order, want) == was.text():
        was.path.unlink()
        told = "removed, since installing had made it and nothing else has been written into it"
        return Done(was.path, changed=True, backup=None, told=(told,))
    try:
        new = take(was.text(), order.client, order.name, kept[0].text() if kept else None)
    except JsoncError as error:
        raise _not_undone(was, error) from None
    backup = back_up(was)
    write(was, new.encode())
    told = f"took {order.name!r} out of it and left the rest, since the file has changed since"
    return Done(was.path, changed=True, backup=backup, told=(told,))


def _before(path: Path, order: Order) -> Iterator[Snapshot]:
    """Yield the backups from before Jobtrail was there, the newest first."""
    for copy in backups(path):
        try:
            found = look(copy)
            root = parse_file(found.text())
            entry = entry_in(root, order.client, order.name)
        except (JsoncError, SettingsError):
            continue
        if not is_ours(entry):
            yield found


def _replayed(text: str, order: Order, want: Wanted) -> str | None:
    """Return what installing makes of a text; None where it cannot be."""
    try:
        return put(text, order.client, want)
    except JsoncError:
        return None


def _not_undone(was: Snapshot, error: JsoncError) -> SettingsError:
    return SettingsError(f"{was.path} cannot be edited ({error}); it was left as it is. Take the entry out by hand")
