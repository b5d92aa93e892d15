"""The command line: the only package that prints or sets up logging."""

from __future__ import annotations

import gc
import os
import sys
from io import TextIOWrapper
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from jobtrail.cli.arguments import build_parser
from jobtrail.errors import JobtrailError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["main"]

_CANNOT_RUN = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; 2 comes with one sentence on standard error."""
    _open_missing_streams()
    _replace_what_an_encoding_lacks()
    given = [*(argv if argv is not None else sys.argv[1:])]
    # After `--` comes the command to record, with its own options.
    end = given.index("--") if "--" in given else len(given)
    parser = build_parser()
    if "_ARGCOMPLETE" in os.environ:
        _load("jobtrail.cli.shell_completion:complete")(parser)
    arguments = parser.parse_all(given[:end], passes_on=end + 1 < len(given))
    arguments.command = given[end + 1 :]
    try:
        return _load(arguments.run)(arguments)
    except JobtrailError as error:
        print(f"jobtrail: {error}", file=sys.stderr)
        return _CANNOT_RUN
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader is gone, as in `jobtrail tour | head`; Python must not flush into the pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"jobtrail: the answer cannot be written ({error.strerror})", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _CANNOT_RUN


def _open_missing_streams() -> None:
    """Open the standard streams that whoever started us has closed, on the null device.

    Otherwise a file or a socket of ours takes their number, and gets what is written to them.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # The lowest number that is free, which is that of the stream.
            file = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(file, True)  # noqa: FBT003 # it takes no name
            setattr(sys, name, os.fdopen(file, mode))


def _replace_what_an_encoding_lacks() -> None:
    """Let a terminal or a pipe in any encoding show our texts: a character that it lacks is a question mark."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors in {"strict", "surrogateescape"}:
            stream.reconfigure(errors="replace")


def _load(name: str) -> Callable[..., int]:
    """Import a function by its name, `module:function`.

    Garbage collection is off meanwhile, which saves a tenth of a cold start, and never searches what was loaded.
    """
    gc.disable()
    try:
        return resolve_name(name)
    finally:
        gc.freeze()
        gc.enable()
