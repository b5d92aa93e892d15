"""A server's entry in a client's configuration: put in, brought up to date, and taken out, as edits of the text."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Any, cast

from jobtrail.clients.jsonc import JsoncError, Node, appended, parse, parse_file, removed, replaced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobtrail.clients.known_clients import Client

_INPUTS = "inputs"


@dataclass(frozen=True)
class Wanted:
    """What a configuration is to hold.

    Attributes:
        name: the server's.
        entry: its entry.
        inputs: what VS Code is to ask for, one object each with an `id`.
    """

    name: str
    entry: Mapping[str, Any]
    inputs: Sequence[Mapping[str, Any]] = ()

    def snippet(self, client: Client) -> str:
        """Return it as JSON to paste."""
        whole: dict[str, Any] = {client.root: {self.name: self.entry}}
        return json.dumps(whole | ({_INPUTS: self.inputs} if self.inputs else {}), indent=2, ensure_ascii=False)


def is_ours(entry: Any) -> bool:
    """Return whether an entry starts Jobtrail, however it is installed."""
    if not isinstance(entry, dict):
        return False
    fields = cast("dict[str, Any]", entry)
    command, args = fields.get("command"), fields.get("args")
    # As a program, a module, or a package that uvx runs; a folder of that name is another matter.
    words = cast("list[Any]", args) if isinstance(args, list) else []
    return (isinstance(command, str) and PureWindowsPath(command).stem == "jobtrail") or "jobtrail" in words


def entry_in(root: Node, client: Client, name: str) -> Any:
    """Return an entry of a configuration; None where there is none."""
    found = root.at((client.root, name))
    return None if found is None else found.value


def put(text: str, client: Client, wanted: Wanted) -> str:
    """Return the text with an entry in it: new, in place of another's, or with Jobtrail's own brought up to date.

    Raises:
        JsoncError: it is not JSON, its servers are no object, or comments would be lost.
    """
    text = text if text.strip("\ufeff \t\r\n") else "{}\n"
    root = _checked(text, client)
    expected = _with(root.value, client, wanted)
    servers = root.find(client.root)
    own = servers.find(wanted.name) if servers is not None else None
    if servers is None:
        text = appended(text, root, {wanted.name: wanted.entry}, client.root)
    elif own is None:
        text = appended(text, servers, wanted.entry, wanted.name)
    elif not is_ours(own.value):
        text = replaced(text, own, wanted.entry)
    else:
        text = _updated(text, (client.root, wanted.name), wanted.entry)
    text = _with_inputs(text, wanted)
    return _verified(text, expected)


def take(text: str, client: Client, name: str) -> str:
    """Return the text without an entry, and without the questions that were asked for it alone.

    Raises:
        JsoncError: it is not JSON, has no such entry, or cannot be edited.
    """
    root = _checked(text, client)
    servers, own = root.find(client.root), root.at((client.root, name))
    if servers is None or own is None:
        raise JsoncError(f"it has no {name!r}")
    expected = copy.deepcopy(root.value)
    entry = expected[client.root].pop(name)
    text = removed(text, servers, own)
    rest = json.dumps({key: value for key, value in expected.items() if key != _INPUTS})
    for one in _list(expected.get(_INPUTS)) if client.inputs else ():
        reference = f"${{input:{one.get('id')}}}"
        ours = reference.startswith(f"${{input:{name}-") and reference in json.dumps(entry)
        asked = parse(text).find(_INPUTS)
        if asked is not None and ours and reference not in rest:
            text = removed(text, asked, next(part for part in asked.parts or () if part.value == one))
            expected[_INPUTS].remove(one)
    return _verified(text, expected)


def _checked(text: str, client: Client) -> Node:
    root = parse_file(text)
    if not isinstance(root.value, dict):
        raise JsoncError("it is no JSON object")
    if root.loose and not client.loose:
        raise JsoncError(f"it has comments or trailing commas, which {client.title} does not read")
    servers = root.find(client.root)
    if servers is not None and not isinstance(servers.value, dict):
        raise JsoncError(f"its {client.root!r} is no object")
    return root


def _with(value: dict[str, Any], client: Client, wanted: Wanted) -> dict[str, Any]:
    """Return what the configuration is to mean."""
    whole = copy.deepcopy(value)
    servers: dict[str, Any] = whole.setdefault(client.root, {})
    stood: Any = servers.get(wanted.name)
    servers[wanted.name] = _merged(stood, wanted.entry) if is_ours(stood) else copy.deepcopy(wanted.entry)
    if wanted.inputs:
        asked = whole.get(_INPUTS, [])
        if not isinstance(asked, list):
            raise JsoncError(f"its {_INPUTS!r} is no array")
        there = cast("list[Any]", asked)
        known = [one.get("id") for one in _list(there)]
        whole[_INPUTS] = [*there, *(dict(one) for one in wanted.inputs if one["id"] not in known)]
    return whole


def _merged(stood: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return Jobtrail's own entry brought up to date; what else it holds stays."""
    whole = {**stood, **entry}
    if isinstance(stood.get("env"), dict):
        whole["env"] = {**stood["env"], **entry.get("env", {})}
    return whole


def _updated(text: str, path: tuple[str, ...], fields: Mapping[str, Any]) -> str:
    """Set the fields of an object, and those of its `env`, one by one; what is as it should be is not touched."""
    for key, value in fields.items():
        holder = parse(text).at(path)
        if holder is None:
            raise JsoncError(f"it has no {path[-1]!r}")
        found = holder.find(key)
        if found is None:
            text = appended(text, holder, value, key)
        elif key == "env" and isinstance(found.value, dict):
            text = _updated(text, (*path, key), value)
        elif found.value != value:
            text = replaced(text, found, value)
    return text


def _with_inputs(text: str, wanted: Wanted) -> str:
    for one in wanted.inputs:
        root = parse(text)
        asked = root.find(_INPUTS)
        if asked is None:
            text = appended(text, root, [one], _INPUTS)
        elif all(there.get("id") != one["id"] for there in _list(asked.value)):
            text = appended(text, asked, one)
    return text


def _list(value: Any) -> list[dict[str, Any]]:
    """Return the objects of an array; none where it is none."""
    if not isinstance(value, list):
        return []
    return [cast("dict[str, Any]", one) for one in cast("list[Any]", value) if isinstance(one, dict)]


def _verified(text: str, expected: dict[str, Any]) -> str:
    """Return the text, which must mean what it was to mean: an edit that went wrong is never written."""
    found = parse(text).value
    if found != expected or [*found] != [*expected]:
        raise JsoncError("it is written in a way that cannot be edited safely")
    return text
