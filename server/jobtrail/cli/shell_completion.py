"""`jobtrail completion`: complete commands, options, arguments and the names of jobs with the shell's Tab key.

Each Tab starts a process, so nothing heavy is loaded for it: names of tools and arguments are listed here, and a test
compares them with the tools. Sources are asked in a thread, which is abandoned if they take too long.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import argcomplete
from argcomplete.shell_integration import shellcode

from jobtrail.vocabulary import DEPLOYMENT_STATUSES, FAILURE, STATUSES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping

    from jobtrail.cli.parser import Parser

SECONDS = 0.6
"""How long a shell waits for sources, at most."""
_PAGE = ("limit", "cursor", "source")
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "list_jobs": ("query", "status", "sort", "from_end", *_PAGE),
    "get_job": ("job", "source"),
    "list_executions": ("job", "status", "since", "until", "query", "sort", *_PAGE),
    "get_execution": ("job", "execution", "source"),
    "list_tasks": ("job", "execution", "status", "cause", "query", "fields", "sort", *_PAGE),
    "list_runs": ("job", "status", "since", "until", "query", "sort", *_PAGE),
    "get_run": ("run", "source"),
    "find_failures": ("since", "until", "job", "status", "by", *_PAGE),
    "list_active": ("job", *_PAGE),
    "find_missed": ("since", "until", "job", *_PAGE),
    "history": ("job", "since", "until", "bucket", "sort", *_PAGE),
    "compare": ("job", "execution", "run", "with", "source"),
    "read_log": ("run", "job", "execution", "task", "query", "around", "lines", "cursor", "source"),
    "wait_for": ("run", "job", "execution", "timeout", "source"),
}
_FIXED = {
    "since": ("15m", "1h", "24h", "7d", "30d", "today", "yesterday"),
    "until": ("1h", "24h", "today", "yesterday"),
    "bucket": ("15m", "1h", "1d", "1w"),
    "from_end": ("true", "false"),
    "sort": ("created_at:desc", "created_at:asc", "name:asc", "name:desc"),
}
_OPTIONS = {"job": "job", "execution": "execution", "of_run": "run"}
"""The kind of name that an option takes, by its attribute in the parsed arguments."""
_LIVE = {"job", "task", "execution", "run", "source"}


def run(arguments: argparse.Namespace) -> int:
    """Print the shell code that makes the Tab key work."""
    print(shellcode(["jobtrail"], shell=arguments.shell))
    return 0


def complete(parser: Parser) -> None:
    """Print the completions that the shell asks for, and exit."""
    _set_completers(parser)
    argcomplete.autocomplete(parser, always_complete_options=False)


def _set_completers(parser: Parser) -> None:
    """Give a completer to every argument whose values the parser does not list."""
    for command in parser.list_commands():
        for action in command.list_arguments():
            if command.prog.endswith(" ask") and action.dest in {"tool", "given"}:
                _set_completer(action, _list_tools if action.dest == "tool" else _complete_argument)
            elif action.dest == "source" and action.nargs is None:
                _set_completer(action, _make_name_completer("source"))
            elif command.prog.endswith((" record", " board")) and action.dest in _OPTIONS:
                _set_completer(action, _make_name_completer(_OPTIONS[action.dest]))
            elif action.dest == "env":
                _set_completer(action, _make_name_completer("variable"))


def _set_completer(action: argparse.Action, completer: Callable[..., Iterable[str]]) -> None:
    action.completer = completer  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue] # where argcomplete looks


def _list_tools(**_: Any) -> Iterable[str]:
    # A list: of a mapping argcomplete takes the values for descriptions.
    return [*ARGUMENTS]


def _make_name_completer(what: str) -> Callable[..., Iterable[str]]:
    """Return a completer of names, within the source and job that were given before."""

    def complete_name(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> Iterable[str]:
        given = {name: getattr(parsed_args, name, None) for name in ("job", "source")}
        known = {name: value for name, value in given.items() if value and name != what}
        # `record` has no --source: it writes to this machine's store.
        return _find_names(what, prefix, known, own=not hasattr(parsed_args, "source"))

    return complete_name


def _complete_argument(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> Iterable[str]:
    """Return the arguments of the tool that were not given yet; after `name=`, the values of that argument."""
    tool: str = getattr(parsed_args, "tool", None) or ""
    known: dict[str, str] = dict(getattr(parsed_args, "given", None) or ())
    name, equals, begun = prefix.partition("=")
    if not equals:
        return [f"{one}=" for one in ARGUMENTS.get(tool, ()) if one not in known]
    if name not in ARGUMENTS.get(tool, ()):
        return []
    # In a comma list, complete the last value.
    before, comma, last = begun.rpartition(",") if name in {"status", "run", "execution"} else ("", "", begun)
    values = _list_values(tool, name, last, known)
    return [f"{name}={before}{comma}{value}" for value in values if value not in before.split(",")]


def _list_values(tool: str, name: str, begun: str, known: Mapping[str, str]) -> Iterable[str]:
    if name == "status":
        return DEPLOYMENT_STATUSES if tool == "list_jobs" else (*STATUSES, FAILURE)
    what = "scheduled" if (tool, name) == ("list_runs", "job") else name
    return _find_names(what, begun, known) if name in _LIVE else _FIXED.get(name, ())


def _find_names(what: str, begun: str, known: Mapping[str, str], *, own: bool = False) -> list[str]:
    """Ask the sources in a thread; names that come later than a shell waits are dropped."""
    found: list[str] = []

    def ask() -> None:
        from jobtrail.cli.completion_names import find_names  # noqa: PLC0415 # 0.2 s, and most Tabs need no names

        find_names(what, begun, known, found, own=own)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return [*found]
