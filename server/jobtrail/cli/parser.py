"""An argument parser whose error messages suggest the closest command, option or value."""

from __future__ import annotations

import argparse
import os
import re
from typing import TYPE_CHECKING, Any, NoReturn, cast

from jobtrail.text import find_closest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_CHOICE = re.compile(r"invalid choice: '(.*?)' \(choose from (.*)\)", re.DOTALL)
_EXAMPLE = re.compile(r"^  (jobtrail .*)$", re.MULTILINE)


class Parser(argparse.ArgumentParser):
    """The parser of the command line, and of each command.

    Attributes:
        mixed: whether options may be between positional arguments.
    """

    mixed = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride] # it is overloaded there, for one behaviour
        self, args: Any = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Return the parsed arguments, and those that no parser takes."""
        if not self.mixed or "_ARGCOMPLETE" in os.environ:
            return super().parse_known_args(args, namespace)
        # That method calls this one.
        self.mixed = False
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self.mixed = True

    def parse_all(self, arguments: Sequence[str], *, passes_on: bool = False) -> argparse.Namespace:
        """Return the parsed arguments; exit with an error if the command does not take one of them.

        Args:
            arguments: those before `--`.
            passes_on: whether a command follows `--`, which only some of ours take.
        """
        found, rest = self.parse_known_args(arguments)
        parser: Parser = getattr(found, "parser", self)
        if rest:
            parser.error(f"unrecognized arguments: {' '.join(rest)}{parser.suggest_option(rest[0])}")
        if passes_on and not getattr(found, "takes_command", False):
            parser.error("it takes no command after --")
        return found

    def list_commands(self) -> Iterator[Parser]:
        """Yield the parsers of all commands and their subcommands."""
        for action in self._actions:
            # Of all actions only the one with subcommands has choices by name.
            choices: object = action.choices
            for one in cast("dict[str, Parser]", choices).values() if isinstance(choices, dict) else ():
                yield one
                yield from one.list_commands()

    def list_arguments(self) -> Sequence[argparse.Action]:
        """Return the options and positional arguments of this command."""
        return self._actions

    def suggest_option(self, option: str) -> str:
        """Return a suggestion of the closest option, to be added to an error message."""
        known = [one for action in self._actions for one in action.option_strings]
        return _suggest(option.partition("=")[0], known) if option.startswith("-") else ""

    def error(self, message: str) -> NoReturn:
        """Print the usage and what is wrong, with a suggestion, and exit with 2."""
        choice = _CHOICE.search(message)
        example = _EXAMPLE.search(self.epilog or "")
        if example is not None and "arguments are required" in message:
            message += f"; such as: {example[1]}"
        if choice is not None:
            message += _suggest(choice[1], re.findall(r"[\w./-]+", choice[2]))
        super().error(message)


def _suggest(given: str, known: Iterable[str]) -> str:
    near = find_closest(given, known, 1)
    return f"; did you mean {near[0]}?" if near else ""
