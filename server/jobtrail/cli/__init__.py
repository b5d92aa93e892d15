"""The command line; this package is the only one that prints or sets up logging."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from jobtrail.cli.asking import add_ask
from jobtrail.cli.board import add_board
from jobtrail.cli.completing import add_completion, complete
from jobtrail.cli.doctoring import add_doctor
from jobtrail.cli.installing import add_install
from jobtrail.cli.parsing import Parser
from jobtrail.cli.recording import add_record
from jobtrail.cli.serving import add_plane, add_serve, add_tour, serve
from jobtrail.cli.store import add_import, add_store

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_TROUBLE = 2
_EPILOG = """\
Without a command it serves over stdio, which is what MCP clients start.

exit codes: 0 fine; 1 the answer is no: a tool refused, a check failed, an import was refused;
2 cannot run: the command line, the settings or the store; 130 after Ctrl-C. `record` returns its command's.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code, with one sentence on stderr where that is 2."""
    from jobtrail.errors import JobtrailError  # noqa: PLC0415 # `--help` loads nothing

    given = [*(argv if argv is not None else sys.argv[1:])]
    # What follows is another program's, down to its options.
    own, command = _parted(given)
    parser = _parser()
    if "_ARGCOMPLETE" in os.environ:
        complete(parser)
    arguments = parser.parse_all(own, passes_on=bool(command))
    arguments.command = command
    try:
        return arguments.run(arguments)
    except JobtrailError as error:
        print(f"jobtrail: {error}", file=sys.stderr)
        return _TROUBLE
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has enough, as in `jobtrail tour | head`; Python must not flush into the pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"jobtrail: the answer cannot be written ({error.strerror})", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _TROUBLE


def _parted(given: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in given:
        return given, []
    place = given.index("--")
    return given[:place], given[place + 1 :]


def _parser() -> Parser:
    parser = Parser(
        prog="jobtrail",
        description="MCP server that answers what ran, what failed and why. It changes nothing upstream.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"jobtrail {_version()}")
    parser.set_defaults(run=serve, transport="stdio", host="127.0.0.1", port=8080)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for add in (
        add_serve, add_install, add_doctor, add_tour, add_ask, add_board,
        add_record, add_import, add_store, add_plane, add_completion,
    ):  # fmt: skip
        add(commands)
    for one in {*commands.choices.values()}:
        one.set_defaults(parser=one)
    return parser


def _version() -> str:
    from jobtrail import __version__  # noqa: PLC0415 # see main

    return __version__
