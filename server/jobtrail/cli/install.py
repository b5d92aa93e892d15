"""`jobtrail install`: write Jobtrail into a client's configuration, or take it out again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from jobtrail.clients import (
    CLIENTS,
    Installation,
    Machine,
    build_entry,
    find_config_path,
    find_start_command,
    install,
    uninstall,
)
from jobtrail.errors import SettingsError
from jobtrail.sources.registry import ENVIRONMENT

if TYPE_CHECKING:
    import argparse

    from jobtrail.clients import Client, InstallResult


def run(arguments: argparse.Namespace) -> int:
    """Write Jobtrail into a configuration, take it out, or show what would be written."""
    client = CLIENTS[arguments.client]
    if arguments.scope not in client.scopes:
        raise SettingsError(f"{client.title} has no configuration of a folder; leave --scope out")
    if arguments.undo and (arguments.print_only or arguments.env):
        raise SettingsError("--undo goes with --scope, --name and --force alone")
    installation = Installation(
        client, arguments.scope, arguments.name, dict(arguments.env), arguments.force, ENVIRONMENT
    )
    if arguments.undo:
        return _print_result(client, uninstall(installation, _find_machine()), "taken out of")
    if arguments.print_only:
        return _print_entry(installation)
    done = install(installation, _find_machine(), find_start_command())
    code = _print_result(client, done, "written to")
    if done.changed:
        print(f"next: {client.next_steps[installation.scope]}")
    return code


def _find_machine() -> Machine:
    try:
        return Machine.detect()
    except (RuntimeError, OSError):
        raise SettingsError("there is no home directory, or no current one; set HOME") from None


def _print_entry(installation: Installation) -> int:
    """Print the entry that would be written on standard output, and the path of its file on standard error."""
    entry = build_entry(installation, find_start_command())
    path = find_config_path(installation.client, installation.scope, _find_machine())
    print(f"# {path}, with everything else it holds:", file=sys.stderr)
    print(entry.format_snippet(installation.client))
    return 0


def _print_result(client: Client, done: InstallResult, verb: str) -> int:
    """Print what was done."""
    print(f"{client.title}: {verb if done.changed else 'nothing changed in'} {done.path}")
    if done.backup is not None:
        print(f"backup: {done.backup.name}, beside it")
    for sentence in done.notes:
        print(f"note: {sentence}")
    return 0
