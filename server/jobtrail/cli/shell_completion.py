"""`jobtrail completion`: the shell's Tab key, also for what the live sources have.

Each Tab starts a process, so nothing heavy is loaded for it: names of tools and arguments are listed here, and a test
holds them to the code. Sources are asked in a thread that is left behind where they take too long.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import argcomplete
from argcomplete.shell_integration import shellcode

from jobtrail.vocabulary import STATUSES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping

    from jobtrail.cli.parser import Parser

SECONDS = 0.6
"""For which a shell waits for sources."""
_PAGE = ("limit", "cursor", "source")
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "list_jobs": ("query", "status", "sort", "from_end", *_PAGE),
    "get_job": ("job", "source"),
    "list_executions": ("job", "status", "since", "until", "query", "sort", *_PAGE),
    "get_execution": ("job", "execution", "source"),
    "list_tasks": ("job", "execution", "status", "query", "sort", *_PAGE),
    "list_runs": ("task", "status", "since", "until", "search", "sort", *_PAGE),
    "get_run": ("run", "source"),
    "find_failures": ("since", "until", "job", "status", *_PAGE),
    "history": ("job", "since", "until", "bucket", "source"),
    "read_log": ("run", "job", "execution", "task", "search", "around", "lines", "cursor", "source"),
    "wait_for": ("run", "job", "execution", "timeout", "source"),
}
_DEPLOYMENTS = ("deployed", "failed", "deactivated", "building", "deploying")
_FIXED = {
    "since": ("15m", "1h", "24h", "7d", "30d", "today", "yesterday"),
    "until": ("1h", "24h", "today", "yesterday"),
    "bucket": ("15m", "1h", "1d", "1w"),
    "from_end": ("true", "false"),
    "sort": ("created_at:desc", "created_at:asc", "name:asc", "name:desc"),
}
_OPTIONS = {"job": "job", "execution": "execution", "of_run": "run"}
"""Options that name something, by where the parser keeps them."""
_LIVE = {"job", "task", "execution", "run", "source"}


def run(arguments: argparse.Namespace) -> int:
    """Print what makes the Tab key work."""
    print(shellcode(["jobtrail"], shell=arguments.shell))
    return 0


def complete(parser: Parser) -> None:
    """Answer the shell and exit."""
    _teach(parser)
    argcomplete.autocomplete(parser, always_complete_options=False)


def _teach(parser: Parser) -> None:
    """Say where the values of arguments come from that are not listed in the parser."""
    for command in parser.commands():
        for action in command.actions():
            if command.prog.endswith(" ask") and action.dest in {"tool", "given"}:
                _completed_by(action, _tools if action.dest == "tool" else _given)
            elif action.dest == "source" and action.nargs is None:
                _completed_by(action, _live("source"))
            elif command.prog.endswith((" record", " board")) and action.dest in _OPTIONS:
                _completed_by(action, _live(_OPTIONS[action.dest]))
            elif action.dest == "env":
                _completed_by(action, _live("variable"))


def _completed_by(action: argparse.Action, completer: Callable[..., Iterable[str]]) -> None:
    action.completer = completer  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue] # where argcomplete looks


def _tools(**_: Any) -> Iterable[str]:
    # A list: of a mapping argcomplete takes the values for descriptions.
    return [*ARGUMENTS]


def _live(what: str) -> Callable[..., Iterable[str]]:
    """Return what completes an option that names something, of the source and job that are given before it."""

    def asked(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> Iterable[str]:
        given = {name: getattr(parsed_args, name, None) for name in ("job", "source")}
        known = {name: value for name, value in given.items() if value and name != what}
        # `record` has no --source: it writes to the store of one's own.
        return _asked(what, prefix, known, own=not hasattr(parsed_args, "source"))

    return asked


def _given(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> Iterable[str]:
    """Return the arguments of the tool that are not given yet, or the values of one that is begun."""
    tool: str = getattr(parsed_args, "tool", None) or ""
    known: dict[str, str] = dict(getattr(parsed_args, "given", None) or ())
    name, equals, begun = prefix.partition("=")
    if not equals:
        return [f"{one}=" for one in ARGUMENTS.get(tool, ()) if one not in known]
    if name not in ARGUMENTS.get(tool, ()):
        return []
    # Of a comma list the last is completed.
    before, comma, last = begun.rpartition(",") if name in {"status", "run", "execution"} else ("", "", begun)
    values = _values(tool, name, last, known)
    return [f"{name}={before}{comma}{value}" for value in values if value not in before.split(",")]


def _values(tool: str, name: str, begun: str, known: Mapping[str, str]) -> Iterable[str]:
    if name == "status":
        return _DEPLOYMENTS if tool == "list_jobs" else STATUSES
    return _asked(name, begun, known) if name in _LIVE else _FIXED.get(name, ())


def _asked(what: str, begun: str, known: Mapping[str, str], *, own: bool = False) -> list[str]:
    """Ask the sources, for as long as a shell may wait; what comes later is lost, and the thread with the process."""
    found: list[str] = []

    def ask() -> None:
        from jobtrail.cli.completion_names import find_names  # noqa: PLC0415 # most Tabs need none of this

        find_names(what, begun, known, found, own=own)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return [*found]
