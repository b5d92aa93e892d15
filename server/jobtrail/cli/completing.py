"""`jobtrail completion`: the shell's Tab key, also for what the live sources have.

Each Tab starts a process, so nothing heavy is loaded for it: names of tools and arguments are listed here, and a test
holds them to the code. Sources are asked in a thread that is left behind where they take too long.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping

    from jobtrail.cli import options
    from jobtrail.cli.parsing import Parser
    from jobtrail.settings import Settings

__all__ = ["ARGUMENTS", "add_completion", "complete"]

SECONDS = 0.6
"""For which a shell waits for sources."""
_EPILOG = """\
Put the line of your shell into its start-up file:

  bash   ~/.bashrc                     eval "$(jobtrail completion bash)"
  zsh    ~/.zshrc, after compinit      eval "$(jobtrail completion zsh)"
  fish   ~/.config/fish/config.fish    jobtrail completion fish | source
"""
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
_STATUSES = ("queued", "running", "succeeded", "failed", "timeout", "cancelled", "skipped", "unknown")
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


def add_completion(commands: options.Commands) -> None:
    """Add `jobtrail completion`."""
    import argparse  # noqa: PLC0415 # for its formatter alone

    parser = commands.add_parser(
        "completion",
        help="print what makes the Tab key work in a shell",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), metavar="SHELL", help="bash, zsh or fish")
    parser.set_defaults(run=_completion)


def _completion(arguments: argparse.Namespace) -> int:
    from argcomplete.shell_integration import shellcode  # noqa: PLC0415 # `--help` loads nothing

    print(shellcode(["jobtrail"], shell=arguments.shell))
    return 0


def complete(parser: Parser) -> None:
    """Answer the shell and exit."""
    import argcomplete  # noqa: PLC0415 # only where the shell asks

    _teach(parser)
    argcomplete.autocomplete(parser, always_complete_options=False)


def _teach(parser: Parser) -> None:
    """Say where the values of arguments come from that are not listed in the parser."""
    for command in parser.commands():
        for action in command.actions():
            if command.prog.endswith(" ask") and action.dest in {"tool", "given"}:
                _completed_by(action, _tools if action.dest == "tool" else _given)
            elif action.dest == "source" and action.nargs is None:
                _completed_by(action, _sources)
            elif command.prog.endswith((" record", " board")) and action.dest in _OPTIONS:
                _completed_by(action, _live(_OPTIONS[action.dest]))
            elif action.dest == "env":
                _completed_by(action, _variables)


def _completed_by(action: argparse.Action, completer: Any) -> None:
    action.completer = completer  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue] # where argcomplete looks


def _tools(**_: Any) -> Iterable[str]:
    # A list: of a mapping argcomplete takes the values for descriptions.
    return [*ARGUMENTS]


def _sources(prefix: str, **_: Any) -> Iterable[str]:
    return _asked("source", prefix, {})


def _live(what: str) -> Callable[..., Iterable[str]]:
    """Return what completes an option that names something, of the source and job that are given before it."""

    def asked(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> Iterable[str]:
        given = {name: getattr(parsed_args, name, None) for name in ("job", "source")}
        known = {name: value for name, value in given.items() if value and name != what}
        # `record` has no --source: it writes to the store of one's own.
        return _asked(what, prefix, known, own=not hasattr(parsed_args, "source"))

    return asked


def _variables(**_: Any) -> Iterable[str]:
    from jobtrail.sources.registry import ENVIRONMENT  # noqa: PLC0415 # see complete

    return [*ENVIRONMENT]


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
        return _DEPLOYMENTS if tool == "list_jobs" else _STATUSES
    return _asked(name, begun, known) if name in _LIVE else _FIXED.get(name, ())


def _asked(what: str, begun: str, known: Mapping[str, str], *, own: bool = False) -> list[str]:
    """Ask the sources, for as long as a shell may wait; what comes later is lost, and the thread with the process."""
    found: list[str] = []
    thread = threading.Thread(target=_ask, args=(what, begun, known, found, own), daemon=True)
    thread.start()
    thread.join(SECONDS)
    return [*found]


def _ask(what: str, begun: str, known: Mapping[str, str], found: list[str], own: bool) -> None:  # noqa: FBT001 # private
    """Find names, or with `own` those in the store of one's own alone, without its sample."""
    from jobtrail.errors import SettingsError  # noqa: PLC0415 # see complete
    from jobtrail.sources.registry import load_settings  # noqa: PLC0415 # see complete

    try:
        settings = load_settings()
    except SettingsError:
        return
    if what == "source":
        found += [one.name for one in settings.sources]
        return
    asked = [one for one in settings.sources if known.get("source") in {None, one.name}]
    asked = [one for one in asked if not own or one.reads_store]
    if settings.store is not None and not settings.store.exists() and any(one.reads_store for one in asked):
        # The sample takes longer to make than anybody waits for a Tab.
        found += () if own else _of_sample(what)
        asked = [one for one in asked if not one.reads_store]
    if asked:
        _look(settings, [one.name for one in asked], what, begun, known, found)


def _of_sample(what: str) -> list[str]:
    from jobtrail.plane.sample_data import BATCH_JOBS  # noqa: PLC0415 # see complete
    from jobtrail.plane.sample_tasks import SCHEDULED  # noqa: PLC0415 # see complete

    scheduled = [one.name for one in SCHEDULED]
    return {"job": [*(one.name for one in BATCH_JOBS), *scheduled], "task": scheduled}.get(what, [])


def _look(
    settings: Settings, names: Iterable[str], what: str, begun: str, known: Mapping[str, str], found: list[str]
) -> None:
    """Ask each source for itself, so that a slow one does not keep the others' names back."""
    import anyio  # noqa: PLC0415 # see complete

    from jobtrail.completing import Completing  # noqa: PLC0415 # see complete
    from jobtrail.sources import open_sources  # noqa: PLC0415 # see complete
    from jobtrail.window import Clock  # noqa: PLC0415 # see complete

    async def look() -> None:
        async with anyio.create_task_group() as group:
            completing = Completing(open_sources(settings), Clock(), group)

            async def of(name: str) -> None:
                found.extend((await completing.complete(what, begun, {**known, "source": name})).values)

            for name in names:
                group.start_soon(of, name)

    anyio.run(look)
