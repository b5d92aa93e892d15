"""`jobtrail doctor`: is everything as it should be, and if not, what to do."""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jobtrail.cli.colours import add_colour, console, for_people

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator

    from rich.console import Console

    from jobtrail.cli import options
    from jobtrail.cli.colours import Colour
    from jobtrail.clients import Host
    from jobtrail.doctor import Check, Report
    from jobtrail.settings import Settings

__all__ = ["add_doctor"]

_EPILOG = """\
It looks at the settings, the embedded store, each configured source (reachable, credentials, dialect, clock, one read
of each kind) and the configuration of the MCP clients on this machine. It changes nothing and shows no secret.

exit codes: 0 nothing failed, warnings or not; 1 something failed; 2 it cannot look
"""
_WORDS = {"ok": "ok", "warning": "warn", "failed": "FAIL", "skipped": "-"}
_STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}


def add_doctor(commands: options.Commands) -> None:
    """Add `jobtrail doctor`."""
    import argparse  # noqa: PLC0415 # for its formatter alone

    parser = commands.add_parser(
        "doctor",
        help="check settings, store, sources and clients, and say what to do",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--source", metavar="NAME", help="check this source alone")
    parser.add_argument("--json", action="store_true", help="print the checks as JSON")
    add_colour(parser)
    parser.set_defaults(run=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    settings, trouble = _settings()
    _check_source(arguments.source, settings, trouble)
    import anyio  # noqa: PLC0415 # `--help` loads nothing

    from jobtrail import __version__  # noqa: PLC0415 # likewise
    from jobtrail.clients import own_command  # noqa: PLC0415 # likewise
    from jobtrail.doctor import examine  # noqa: PLC0415 # likewise

    with _waiting(arguments.color):
        report = anyio.run(examine, settings, trouble, _host(), own_command(), arguments.source)
    if arguments.json:
        print(json.dumps(report.as_json(__version__)))
    else:
        _print(report, arguments.color)
    return 0 if report.well else 1


def _settings() -> tuple[Settings | None, str]:
    """Return the settings, or why they cannot be read."""
    from jobtrail.cli.serving import load_settings  # noqa: PLC0415 # see _doctor
    from jobtrail.errors import SettingsError  # noqa: PLC0415 # see _doctor

    try:
        return load_settings(), ""
    except SettingsError as error:
        logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
        return None, str(error)


def _check_source(name: str | None, settings: Settings | None, trouble: str) -> None:
    from jobtrail.errors import SettingsError, closest, shown  # noqa: PLC0415 # see _doctor

    if name is None:
        return
    if settings is None:
        raise SettingsError(trouble)
    names = [one.name for one in settings.sources]
    if name not in names:
        near = closest(name, names, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise SettingsError(f"source {shown(name)} is not configured; {hint}configured: {', '.join(names)}")


def _host() -> Host:
    from pathlib import Path  # noqa: PLC0415 # see _doctor

    from jobtrail.clients import Host  # noqa: PLC0415 # see _doctor

    try:
        return Host.here()
    except (RuntimeError, OSError):
        # Without a home directory there are no clients to look at.
        return Host(Path(os.devnull), os.environ, sys.platform, Path(os.devnull))


@contextmanager
def _waiting(colour: Colour) -> Generator[None]:
    """Show on a terminal that something goes on."""
    if not sys.stderr.isatty():
        yield
        return
    with console(colour, sys.stderr).status("looking"):
        yield


def _print(report: Report, colour: Colour) -> None:
    """Print a line for each check, aligned, with what to do under it."""
    out = console(colour)
    width = max(len(one.check) for one in report.checks)
    for title, checks in report.groups():
        _line(out, (title, "bold"))
        for one in checks:
            word = _WORDS[one.verdict]
            _line(
                out,
                ("  ", ""),
                (f"{word:<5}", _STYLES[one.verdict]),
                (f"{one.check:<{width}}  ", ""),
                (one.found, ""),
                (_took(one), "dim"),
            )
            if one.fix and one.verdict in {"failed", "warning"}:
                _line(out, (f"{'':<7}fix: {one.fix}", ""))
    counts = report.counts
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    warned = "1 warning" if counts["warning"] == 1 else f"{counts['warning']} warnings"
    _line(
        out,
        (f"{counts['ok']} ok, {warned}, {counts['failed']} failed{skipped}", "bold" if for_people(colour) else ""),
    )


def _took(one: Check) -> str:
    return "" if one.seconds is None else f"  {one.seconds * 1000:,.0f} ms"


def _line(out: Console, *parts: tuple[str, str]) -> None:
    """Print a line as it is, however long: a path that is wrapped cannot be copied."""
    from rich.text import Text  # noqa: PLC0415 # see _doctor

    out.print(Text.assemble(*parts), soft_wrap=True)
