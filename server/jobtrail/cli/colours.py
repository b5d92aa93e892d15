"""Decide whether to print colours, and whether to print for a person or a program."""

from __future__ import annotations

import os
import sys
from typing import Literal, NoReturn, TextIO

from rich.console import Console

Colour = Literal["auto", "always", "never"]


class _Console(Console):
    """A console whose reader may end before it, as in `… --color always | head`."""

    def on_broken_pipe(self) -> NoReturn:
        """Raise the error for `main`, which ends with 0, where rich would exit with 1."""
        raise BrokenPipeError


def is_for_people(colour: Colour, stream: TextIO | None = None) -> bool:
    """Return whether a person reads the output: on a terminal, or with --color always, as for `less -R`."""
    return colour == "always" or (sys.stdout if stream is None else stream).isatty()


def open_console(colour: Colour, stream: TextIO | None = None) -> Console:
    """Return a console that prints texts as they are, since an upstream's text is no markup."""
    stream = stream or sys.stdout
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    coloured = colour == "always" or (colour == "auto" and not plain and is_for_people("auto", stream))
    return _Console(
        file=stream,
        markup=False,
        highlight=False,
        emoji=False,
        force_terminal=True if coloured else None,
        color_system="standard" if coloured else None,
        # NO_COLOR is considered above; --color always overrides it.
        no_color=not coloured,
    )
