"""`jobtrail install`: Jobtrail written into a client's configuration, or taken out again."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from jobtrail.cli import options

if TYPE_CHECKING:
    import argparse

    from jobtrail.clients import Client, Done, Host, Order

__all__ = ["add_install"]

_CLIENTS = ("claude-desktop", "claude-code", "vscode", "cursor")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EPILOG = """\
The file keeps everything else it holds, comments too. A copy of it as it was is left beside it.
A variable given as --env NAME is not copied: the client looks it up (Claude Code, Cursor) or asks for it (VS Code).
Claude Code and VS Code can do the same themselves: `claude mcp add`, `code --add-mcp`.

  jobtrail install claude-desktop
  jobtrail install claude-code --scope project --env BL_API_KEY --env BL_WORKSPACE=acme
  jobtrail install vscode --print
  jobtrail install cursor --undo

exit codes: 0 done, or there was nothing to do; 2 nothing was written, and why
"""


def add_install(commands: options.Commands) -> None:
    """Add `jobtrail install`."""
    import argparse  # noqa: PLC0415 # for its formatter alone

    parser = commands.add_parser(
        "install",
        help="write Jobtrail into the configuration of an MCP client",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("client", choices=_CLIENTS, metavar="CLIENT", help=", ".join(_CLIENTS))
    parser.add_argument(
        "--scope",
        choices=("user", "project"),
        default="user",
        help="for you everywhere (default), or for this folder",
    )
    parser.add_argument(
        "--name", type=options.name, default="jobtrail", help="the server's name (default %(default)s)"
    )
    parser.add_argument(
        "--env",
        type=_variable,
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="a variable for it; without a value, a reference to the client's own; repeatable",
    )
    parser.add_argument("--print", dest="shown", action="store_true", help="only show what would be written")
    parser.add_argument("--undo", action="store_true", help="take it out again")
    parser.add_argument("--force", action="store_true", help="replace another server of that name")
    parser.set_defaults(run=_install)


def _variable(text: str) -> tuple[str, str | None]:
    """Read NAME or NAME=VALUE; what does not fit is not quoted, since it may hold a secret."""
    name, equals, value = text.partition("=")
    if not _VARIABLE.fullmatch(name):
        raise ArgumentTypeError("give NAME or NAME=VALUE, with a name of letters, digits and underscores")
    return name, value if equals else None


def _install(arguments: argparse.Namespace) -> int:
    from jobtrail.clients import CLIENTS, Order, install, own_command, undo  # noqa: PLC0415 # `--help` loads nothing
    from jobtrail.errors import SettingsError  # noqa: PLC0415 # likewise
    from jobtrail.sources.registry import ENVIRONMENT  # noqa: PLC0415 # likewise

    client = CLIENTS[arguments.client]
    if arguments.scope not in client.scopes:
        raise SettingsError(f"{client.title} has no configuration of a folder; leave --scope out")
    if arguments.undo and (arguments.shown or arguments.env):
        raise SettingsError("--undo goes with --scope, --name and --force alone")
    order = Order(client, arguments.scope, arguments.name, dict(arguments.env), arguments.force, ENVIRONMENT)
    if arguments.undo:
        return _told(client, undo(order, _host()), "undone in")
    if arguments.shown:
        return _show(order)
    done = install(order, _host(), own_command())
    code = _told(client, done, "written to")
    if done.changed:
        print(f"next: {client.then[order.scope]}")
    return code


def _host() -> Host:
    from jobtrail.clients import Host  # noqa: PLC0415 # see _install
    from jobtrail.errors import SettingsError  # noqa: PLC0415 # see _install

    try:
        return Host.here()
    except (RuntimeError, OSError):
        raise SettingsError("there is no home directory, or no current one; set HOME") from None


def _show(order: Order) -> int:
    """Print what would be written: on standard output what can be pasted, on standard error the rest."""
    import sys  # noqa: PLC0415 # see _install

    from jobtrail.clients import config_path, own_command, wanted  # noqa: PLC0415 # see _install

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
