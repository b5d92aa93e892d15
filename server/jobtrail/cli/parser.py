"""An argument parser whose refusals name what was nearly written."""

from __future__ import annotations

import argparse
import os
import re
from typing import TYPE_CHECKING, Any, NoReturn, cast

from jobtrail.errors import find_closest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_CHOICE = re.compile(r"invalid choice: '(.*?)' \(choose from (.*)\)", re.DOTALL)
_EXAMPLE = re.compile(r"^  (jobtrail .*)$", re.MULTILINE)


class Parser(argparse.ArgumentParser):
    """The parser of the command line, and of each command.

    Attributes:
        mixed: whether options may stand between arguments, which argparse allows only where it is asked to.
    """

    mixed = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride] # it is overloaded there, for one behaviour
        self, args: Any = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Return what was given, and what is left over."""
        if not self.mixed or "_ARGCOMPLETE" in os.environ:
            return super().parse_known_args(args, namespace)
        # It comes back here.
        self.mixed = False
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self.mixed = True

    def parse_all(self, arguments: Sequence[str], *, passes_on: bool = False) -> argparse.Namespace:
        """Return what was given; what is left over is refused by the command it was given to.

        Args:
            arguments: without those of another program.
            passes_on: whether there are arguments of another program, which only some commands take.
        """
        found, rest = self.parse_known_args(arguments)
        parser: Parser = getattr(found, "parser", self)
        if rest:
            parser.error(f"unrecognized arguments: {' '.join(rest)}{parser.hint(rest[0])}")
        if passes_on and not getattr(found, "takes_command", False):
            parser.error("it takes no command after --")
        return found

    def commands(self) -> Iterator[Parser]:
        """Yield the parser of each command, and of each command of theirs."""
        for action in self._actions:
            for one in cast("dict[str, Parser]", action.choices).values() if _has_commands(action) else ():
                yield one
                yield from one.commands()

    def actions(self) -> Sequence[argparse.Action]:
        """Return what can be given."""
        return self._actions

    def hint(self, option: str) -> str:
        """Return the option that was nearly written."""
        known = [one for action in self._actions for one in action.option_strings]
        return _nearest(option.partition("=")[0], known) if option.startswith("-") else ""

    def error(self, message: str) -> NoReturn:
        """Print how the command is used and what is wrong, and exit with 2."""
        choice = _CHOICE.search(message)
        example = _EXAMPLE.search(self.epilog or "")
        if example is not None and "arguments are required" in message:
            message += f"; such as: {example[1]}"
        if choice is not None:
            message += _nearest(choice[1], re.findall(r"[\w./-]+", choice[2]))
        super().error(message)


def _has_commands(action: argparse.Action) -> bool:
    return isinstance(action, argparse._SubParsersAction)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] # it has no other name


def _nearest(given: str, known: Iterable[str]) -> str:
    near = find_closest(given, known, 1)
    return f"; did you mean {near[0]}?" if near else ""
