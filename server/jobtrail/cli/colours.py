"""Whether to colour, and for whom to lay out: a person at a terminal, or a program."""

from __future__ import annotations

import os
import sys
from typing import Literal, NoReturn, TextIO

from rich.console import Console

Colour = Literal["auto", "always", "never"]


class _Console(Console):
    """A console whose reader may have enough, as in `… --color always | head`."""

    def on_broken_pipe(self) -> NoReturn:
        """Leave it to whoever ends the program, where rich would end it with 1."""
        raise BrokenPipeError


def for_people(colour: Colour, stream: TextIO | None = None) -> bool:
    """Return whether to lay out for a person: on a terminal, or where colours are asked for, as before `less -R`."""
    return colour == "always" or (sys.stdout if stream is None else stream).isatty()


def console(colour: Colour, stream: TextIO | None = None) -> Console:
    """Return a console that takes texts as they are: what an upstream wrote is no markup."""
    stream = stream or sys.stdout
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    coloured = colour == "always" or (colour == "auto" and not plain and for_people("auto", stream))
    return _Console(
        file=stream,
        markup=False,
        highlight=False,
        emoji=False,
        force_terminal=True if coloured else None,
        color_system="standard" if coloured else None,
        # It has been heard already, and what is asked for on the command line comes first.
        no_color=not coloured,
    )
