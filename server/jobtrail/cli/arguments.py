"""The arguments of every command. A command's function is loaded by name when it runs, so that help loads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobtrail import __version__
from jobtrail.cli.option_types import (
    number_parser,
    parse_argument,
    parse_duration_in_seconds,
    parse_label,
    parse_name,
    parse_port,
    parse_positive_duration_in_seconds,
    parse_task_name,
    parse_variable,
)
from jobtrail.cli.parser import Parser

if TYPE_CHECKING:
    import argparse

    Commands = argparse._SubParsersAction[Parser]  # pyright: ignore[reportPrivateUsage] # noqa: SLF001 # what add_subparsers returns has no other name

_EPILOG = """\
Without a command it serves over stdio, which is what MCP clients start.

exit codes: 0 fine; 1 the answer is no: a tool refused, a check failed, an import was refused;
2 cannot run: the command line, the settings or the store; 130 after Ctrl-C. `record` returns its command's.
"""
_INSTALL_EPILOG = """\
The file keeps everything else it holds, comments too. A copy of it as it was is left beside it.
A variable given as --env NAME is not copied: the client looks it up (Claude Code, Cursor) or asks for it (VS Code).
Claude Code and VS Code can do the same themselves: `claude mcp add`, `code --add-mcp`.

  jobtrail install claude-desktop
  jobtrail install claude-code --scope project --env BL_API_KEY --env BL_WORKSPACE=acme
  jobtrail install vscode --print
  jobtrail install cursor --undo

exit codes: 0 done, or there was nothing to do; 2 nothing was written, and why
"""
_CLIENTS = ("claude-desktop", "claude-code", "vscode", "cursor")
_DOCTOR_EPILOG = """\
It looks at the settings, the embedded store, each configured source (reachable, credentials, dialect, clock, one read
of each kind) and the configuration of the MCP clients on this machine. It changes nothing and shows no secret.

exit codes: 0 nothing failed, warnings or not; 1 something failed; 2 it cannot look
"""
_ASK_USAGE = "jobtrail ask [TOOL] [name=value ...] [options]"
_ASK_EPILOG = """\
On a terminal lists are tables; elsewhere the answer is the text that an agent reads. Without TOOL the tools are
listed; `jobtrail ask TOOL --help` shows the arguments of one.

  jobtrail ask list_jobs
  jobtrail ask list_executions job=nightly status=failed since=7d --all
  jobtrail ask get_execution job=nightly

exit codes: 0 an answer; 1 the tool said no; 2 cannot ask: the command line, the settings or the store; 130 Ctrl-C.
find_missed: 1 too where something is missing, a source cannot tell, a part of the window was not read, or no schedule
says what is due.
"""
_BOARD_EPILOG = """\
  jobtrail board
  jobtrail board --job nightly
  jobtrail board --job nightly --execution exec-1278516b6ac7

The address holds a key, so that only who gets it can read your jobs. Ctrl-C ends the page.
"""
_RECORD_USAGE = "jobtrail record --job NAME [options] -- COMMAND [ARGUMENT ...]"
_RECORD_EPILOG = """\
The command's output is passed through and its exit code returned (124 for a timeout, 128 and the signal's number for
a signal, 127 for a command that is not there). Its last 200 lines are kept, 256 KiB at most, without the secrets of
the environment. What it runs may call `jobtrail record -- …` without --job, which adds a task to the same execution.

  jobtrail record --job nightly --schedule '0 2 * * *' -- ./nightly.sh
  jobtrail record --job thumbnails --from files.txt --parallel 8 --timeout 5m --retries 2 -- convert {} {}.png
"""
_COMPLETION_EPILOG = """\
Put the line of your shell into its start-up file:

  bash   ~/.bashrc                     eval "$(jobtrail completion bash)"
  zsh    ~/.zshrc, after compinit      eval "$(jobtrail completion zsh)"
  fish   ~/.config/fish/config.fish    jobtrail completion fish | source
"""


def build_parser() -> Parser:
    """Return the parser of the whole command line."""
    parser = Parser(
        prog="jobtrail",
        description="MCP server that answers what ran, what failed and why. It changes nothing upstream.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"jobtrail {__version__}")
    parser.set_defaults(run="jobtrail.cli.serve:run", transport="stdio", host="127.0.0.1", port=8080)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for add in (
        _add_serve, _add_install, _add_doctor, _add_tour, _add_ask, _add_board,
        _add_record, _add_import, _add_store, _add_plane, _add_completion,
    ):  # fmt: skip
        add(commands)
    for one in {*commands.choices.values()}:
        one.set_defaults(parser=one)
    return parser


def _add_serve(commands: Commands) -> None:
    parser = commands.add_parser("serve", help="serve MCP over stdio (default), sse or http")
    parser.add_argument("--transport", choices=("stdio", "sse", "http"), default="stdio")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=parse_port, default=8080, help="port to listen on (default %(default)s)")
    parser.set_defaults(run="jobtrail.cli.serve:run")


def _add_install(commands: Commands) -> None:
    parser = commands.add_parser(
        "install",
        help="write Jobtrail into the configuration of an MCP client",
        epilog=_INSTALL_EPILOG,
    )
    parser.add_argument("client", choices=_CLIENTS, metavar="CLIENT", help=", ".join(_CLIENTS))
    parser.add_argument(
        "--scope",
        choices=("user", "project"),
        default="user",
        help="for you everywhere (default), or for this folder",
    )
    parser.add_argument("--name", type=parse_name, default="jobtrail", help="the server's name (default %(default)s)")
    parser.add_argument(
        "--env",
        type=parse_variable,
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="a variable for it; without a value, a reference to the client's own; repeatable",
    )
    parser.add_argument("--print", dest="print_only", action="store_true", help="only show what would be written")
    parser.add_argument("--undo", action="store_true", help="take it out again")
    parser.add_argument("--force", action="store_true", help="replace another server of that name")
    parser.set_defaults(run="jobtrail.cli.install:run")


def _add_doctor(commands: Commands) -> None:
    parser = commands.add_parser(
        "doctor",
        help="check settings, store, sources and clients, and say what to do",
        epilog=_DOCTOR_EPILOG,
    )
    parser.add_argument("--source", metavar="NAME", help="check this source alone")
    parser.add_argument("--json", action="store_true", help="print the checks as JSON")
    _add_colour_option(parser)
    parser.set_defaults(run="jobtrail.cli.doctor:run")


def _add_tour(commands: Commands) -> None:
    parser = commands.add_parser("tour", help="show what an agent gets: start the server, ask, print the answers")
    parser.add_argument("--source", help="ask this source instead of the default one")
    parser.set_defaults(run="jobtrail.cli.tour:run")


def _add_ask(commands: Commands) -> None:
    parser = commands.add_parser(
        "ask",
        help="call one tool, as an agent does, and print its answer",
        usage=_ASK_USAGE,
        epilog=_ASK_EPILOG,
        # Its help depends on the tool.
        add_help=False,
    )
    parser.add_argument("-h", "--help", action="store_true", help="show this help, or that of a tool")
    parser.add_argument("tool", nargs="?", metavar="TOOL", help="one of the server's tools, such as list_jobs")
    parser.add_argument("given", nargs="*", type=parse_argument, metavar="name=value", help="its arguments")
    parser.add_argument("--all", action="store_true", help="follow a list to its end, 10,000 rows at most")
    parser.add_argument("--json", action="store_true", help="print the structured answer as JSON")
    _add_colour_option(parser)
    parser.mixed = True
    parser.set_defaults(run="jobtrail.cli.ask:run")


def _add_board(commands: Commands) -> None:
    parser = commands.add_parser(
        "board",
        help="look at your jobs in the browser: timelines, causes of failure, histories",
        epilog=_BOARD_EPILOG,
    )
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on (default %(default)s)")
    parser.add_argument("--port", type=parse_port, default=0, help="port to listen on (default any free one)")
    parser.add_argument("--no-open", action="store_true", help="print the address, open no browser")
    parser.add_argument("--job", help="begin with this job's history")
    parser.add_argument("--execution", help="with --job, begin with this execution")
    parser.add_argument("--run", dest="of_run", metavar="RUN", help="begin with this run")
    parser.add_argument("--source", help="source that those are of (default the default one)")
    parser.set_defaults(run="jobtrail.cli.board:run")


def _add_record(commands: Commands) -> None:
    parser = commands.add_parser(
        "record",
        help="run a command and record how it went",
        usage=_RECORD_USAGE,
        epilog=_RECORD_EPILOG,
    )
    add = parser.add_argument
    add("--job", type=parse_name, metavar="NAME", help="the job to record it under")
    add("--execution", type=parse_name, metavar="ID", help="add a task to this open execution; made if it is new")
    add("--task", type=parse_task_name, metavar="NAME", help="the task's name (default task-0, task-1, …)")
    add("--timeout", type=parse_positive_duration_in_seconds, metavar="30m", help="end a try that takes longer")
    add(
        "--retries",
        type=number_parser(0, 1000),
        default=0,
        metavar="N",
        help="further tries after a failed one",
    )
    add(
        "--retry-delay",
        type=parse_duration_in_seconds,
        default=1.0,
        metavar="10s",
        help="pause before each (default 1s)",
    )
    add("--schedule", metavar="'0 2 * * *'", help="when the job is due, for find_missed; none takes it away")
    add("--timezone", metavar="Europe/Berlin", help="zone of --schedule (default this machine's)")
    add("--label", type=parse_label, action="append", default=[], metavar="k=v", help="label the job; repeatable")
    add("--from", dest="inputs", metavar="FILE", help="a task for each line, in place of {}; - for standard input")
    add("--parallel", type=number_parser(1, 1000), default=1, metavar="N", help="tasks at a time, with --from")
    parser.set_defaults(run="jobtrail.cli.record:run", takes_command=True)


def _add_import(commands: Commands) -> None:
    parser = commands.add_parser(
        "import",
        help="read executions and runs from files into the embedded store",
        epilog="  jobtrail import saved.jsonl daemon.db",
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="JSON Lines of what the APIs answer (- for standard input, .gz is unpacked), or a daemon's database",
    )
    parser.add_argument(
        "--skip-refused", action="store_true", help="import the rest of a file in which lines are refused"
    )
    parser.set_defaults(run="jobtrail.cli.import_files:run")


def _add_store(commands: Commands) -> None:
    parser = commands.add_parser("store", help="look at the embedded store, shorten or mend it")
    parser.set_defaults(run="jobtrail.cli.store:print_info")
    parser.set_defaults(json=False)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    info = actions.add_parser("info", help="where the store is and what it holds")
    info.add_argument("--json", action="store_true", help="print it as JSON")
    info.set_defaults(run="jobtrail.cli.store:print_info")
    prune = actions.add_parser(
        "prune", help="remove what ended long ago", epilog="  jobtrail store prune --keep 90d --dry-run"
    )
    prune.add_argument(
        "--keep",
        type=parse_positive_duration_in_seconds,
        required=True,
        metavar="90d",
        help="keep what ended within this time",
    )
    prune.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    prune.set_defaults(run="jobtrail.cli.store:prune_old")
    check = actions.add_parser(
        "check",
        help="read all of it, and tell what is damaged",
        epilog="exit codes: 0 nothing is damaged; 1 something is; 2 there is no store",
    )
    check.set_defaults(run="jobtrail.cli.store:check")
    rescue = actions.add_parser(
        "salvage",
        help="copy what can be read of a damaged store into a new one",
        epilog="  jobtrail store salvage new.db\n\n"
        "exit codes: 0 all was kept; 1 something was lost; 2 nothing was copied",
    )
    rescue.add_argument("file", metavar="FILE", help="the new store, which must not exist")
    rescue.set_defaults(run="jobtrail.cli.store:salvage_rows")


def _add_plane(commands: Commands) -> None:
    parser = commands.add_parser("plane", help="serve the embedded control plane (both APIs) on a port")
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on (default %(default)s)")
    parser.add_argument("--port", type=parse_port, default=9478, help="port to listen on (default %(default)s)")
    parser.add_argument("--sample", action="store_true", help="serve the sample workspace, whatever the store holds")
    parser.set_defaults(run="jobtrail.cli.plane:run")


def _add_completion(commands: Commands) -> None:
    parser = commands.add_parser(
        "completion",
        help="print what makes the Tab key work in a shell",
        epilog=_COMPLETION_EPILOG,
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), metavar="SHELL", help="bash, zsh or fish")
    parser.set_defaults(run="jobtrail.cli.shell_completion:run")


def _add_colour_option(parser: Parser) -> None:
    parser.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="auto colours on a terminal, unless NO_COLOR is set or TERM is dumb",
    )
