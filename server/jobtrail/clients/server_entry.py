"""Add, update or remove a server's entry in the text of a client's configuration."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Any, cast

from jobtrail.clients.jsonc import (
    JsoncError,
    Node,
    append_value,
    parse_config,
    parse_jsonc,
    remove_part,
    replace_value,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobtrail.clients.known_clients import Client

_INPUTS = "inputs"


@dataclass(frozen=True)
class ServerEntry:
    """The entry of one server.

    Attributes:
        name: the server's name, which is the entry's key.
        fields: the entry's own fields.
        inputs: what VS Code asks the user for: an object each, with an `id`.
    """

    name: str
    fields: Mapping[str, Any]
    inputs: Sequence[Mapping[str, Any]] = ()

    def format_snippet(self, client: Client) -> str:
        """Return the entry as JSON that can be pasted into a client's configuration."""
        whole: dict[str, Any] = {client.servers_key: {self.name: self.fields}}
        return json.dumps(whole | ({_INPUTS: self.inputs} if self.inputs else {}), indent=2, ensure_ascii=False)


def starts_jobtrail(entry: Any) -> bool:
    """Return whether the value of an entry starts Jobtrail, however it is installed."""
    if not isinstance(entry, dict):
        return False
    fields = cast("dict[str, Any]", entry)
    command, args = fields.get("command"), fields.get("args")
    # As a program, a module, or a package that uvx runs, but not as a folder of that name.
    words = cast("list[Any]", args) if isinstance(args, list) else []
    return (isinstance(command, str) and PureWindowsPath(command).stem == "jobtrail") or "jobtrail" in words


def find_entry(root: Node, client: Client, name: str) -> Any:
    """Return the value of a server's entry in a configuration; None if there is none."""
    found = root.find_path((client.servers_key, name))
    return None if found is None else found.value


def put_entry(text: str, client: Client, entry: ServerEntry) -> str:
    """Return the text with an entry added; it replaces another server's entry and updates Jobtrail's own.

    Raises:
        JsoncError: the text is not JSON, its servers are no object, or comments would be lost.
    """
    text = text if text.strip("\ufeff \t\r\n") else "{}\n"
    root = _parse_checked(text, client)
    expected = _build_expected(root.value, client, entry)
    servers = root.find(client.servers_key)
    own = servers.find(entry.name) if servers is not None else None
    if servers is None:
        text = append_value(text, root, {entry.name: entry.fields}, client.servers_key)
    elif own is None:
        text = append_value(text, servers, entry.fields, entry.name)
    elif not starts_jobtrail(own.value):
        text = replace_value(text, own, entry.fields)
    else:
        text = _update_fields(text, (client.servers_key, entry.name), entry.fields)
    text = _add_inputs(text, entry)
    return _verify(text, expected)


def remove_entry(text: str, client: Client, name: str) -> str:
    """Return the text without an entry, and without the inputs that only this entry uses.

    Raises:
        JsoncError: the text is not JSON, has no such entry, or cannot be edited.
    """
    root = _parse_checked(text, client)
    servers, own = root.find(client.servers_key), root.find_path((client.servers_key, name))
    if servers is None or own is None:
        raise JsoncError(f"it has no {name!r}")
    expected = copy.deepcopy(root.value)
    entry = expected[client.servers_key].pop(name)
    text = remove_part(text, servers, own)
    rest = json.dumps({key: value for key, value in expected.items() if key != _INPUTS})
    for one in _list_objects(expected.get(_INPUTS)) if client.inputs else ():
        reference = f"${{input:{one.get('id')}}}"
        ours = reference.startswith(f"${{input:{name}-") and reference in json.dumps(entry)
        asked = parse_jsonc(text).find(_INPUTS)
        if asked is not None and ours and reference not in rest:
            text = remove_part(text, asked, next(part for part in asked.parts or () if part.value == one))
            expected[_INPUTS].remove(one)
    return _verify(text, expected)


def _parse_checked(text: str, client: Client) -> Node:
    root = parse_config(text)
    if not isinstance(root.value, dict):
        raise JsoncError("it is no JSON object")
    if root.loose and not client.allows_comments:
        raise JsoncError(f"it has comments or trailing commas, which {client.title} does not read")
    servers = root.find(client.servers_key)
    if servers is not None and not isinstance(servers.value, dict):
        raise JsoncError(f"its {client.servers_key!r} is no object")
    return root


def _build_expected(value: dict[str, Any], client: Client, entry: ServerEntry) -> dict[str, Any]:
    """Return the value that the edited configuration has to have."""
    whole = copy.deepcopy(value)
    servers: dict[str, Any] = whole.setdefault(client.servers_key, {})
    existing: Any = servers.get(entry.name)
    servers[entry.name] = (
        _merge_entry(existing, entry.fields) if starts_jobtrail(existing) else copy.deepcopy(entry.fields)
    )
    if entry.inputs:
        asked = whole.get(_INPUTS, [])
        if not isinstance(asked, list):
            raise JsoncError(f"its {_INPUTS!r} is no array")
        there = cast("list[Any]", asked)
        known = [one.get("id") for one in _list_objects(there)]
        whole[_INPUTS] = [*there, *(dict(one) for one in entry.inputs if one["id"] not in known)]
    return whole


def _merge_entry(existing: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return Jobtrail's existing entry with new fields; its other fields stay."""
    whole = {**existing, **entry}
    if isinstance(existing.get("env"), dict):
        whole["env"] = {**existing["env"], **entry.get("env", {})}
    return whole


def _update_fields(text: str, path: tuple[str, ...], fields: Mapping[str, Any]) -> str:
    """Set the fields of an object, and those of its `env`, one by one; equal fields are not touched."""
    for key, value in fields.items():
        holder = parse_jsonc(text).find_path(path)
        if holder is None:
            raise JsoncError(f"it has no {path[-1]!r}")
        found = holder.find(key)
        if found is None:
            text = append_value(text, holder, value, key)
        elif key == "env" and isinstance(found.value, dict):
            text = _update_fields(text, (*path, key), value)
        elif found.value != value:
            text = replace_value(text, found, value)
    return text


def _add_inputs(text: str, entry: ServerEntry) -> str:
    for one in entry.inputs:
        root = parse_jsonc(text)
        asked = root.find(_INPUTS)
        if asked is None:
            text = append_value(text, root, [one], _INPUTS)
        elif all(there.get("id") != one["id"] for there in _list_objects(asked.value)):
            text = append_value(text, asked, one)
    return text


def _list_objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in an array; an empty list if the value is no array."""
    if not isinstance(value, list):
        return []
    return [cast("dict[str, Any]", one) for one in cast("list[Any]", value) if isinstance(one, dict)]


def _verify(text: str, expected: dict[str, Any]) -> str:
    """Return the text if it has the expected value, so that a wrong edit is never written."""
    found = parse_jsonc(text).value
    if found != expected or [*found] != [*expected]:
        raise JsoncError("it is written in a way that cannot be edited safely")
    return text
