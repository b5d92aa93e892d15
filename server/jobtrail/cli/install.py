"""`jobtrail install`: Jobtrail written into a client's configuration, or taken out again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from jobtrail.clients import CLIENTS, Host, Order, config_path, install, own_command, undo, wanted
from jobtrail.errors import SettingsError
from jobtrail.sources.registry import ENVIRONMENT

if TYPE_CHECKING:
    import argparse

    from jobtrail.clients import Client, Done


def run(arguments: argparse.Namespace) -> int:
    """Write Jobtrail into a configuration, take it out, or show what would be written."""
    client = CLIENTS[arguments.client]
    if arguments.scope not in client.scopes:
        raise SettingsError(f"{client.title} has no configuration of a folder; leave --scope out")
    if arguments.undo and (arguments.shown or arguments.env):
        raise SettingsError("--undo goes with --scope, --name and --force alone")
    order = Order(client, arguments.scope, arguments.name, dict(arguments.env), arguments.force, ENVIRONMENT)
    if arguments.undo:
        return _told(client, undo(order, _host()), "taken out of")
    if arguments.shown:
        return _show(order)
    done = install(order, _host(), own_command())
    code = _told(client, done, "written to")
    if done.changed:
        print(f"next: {client.then[order.scope]}")
    return code


def _host() -> Host:
    try:
        return Host.here()
    except (RuntimeError, OSError):
        raise SettingsError("there is no home directory, or no current one; set HOME") from None


def _show(order: Order) -> int:
    """Print what would be written: on standard output what can be pasted, on standard error the rest."""
    want = wanted(order, own_command())
    print(f"# {config_path(order.client, order.scope, _host())}, with everything else it holds:", file=sys.stderr)
    print(want.snippet(order.client))
    return 0


def _told(client: Client, done: Done, verb: str) -> int:
    """Print what became of it."""
    print(f"{client.title}: {verb if done.changed else 'nothing changed in'} {done.path}")
    if done.backup is not None:
        print(f"backup: {done.backup.name}, beside it")
    for sentence in done.told:
        print(f"note: {sentence}")
    return 0
