"""`jobtrail doctor`: check the installation and print what to fix."""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from rich.text import Text

from jobtrail import __version__
from jobtrail.cli.colours import is_for_people, open_console
from jobtrail.cli.settings import load_command_settings
from jobtrail.clients import Machine, find_start_command
from jobtrail.doctor import examine
from jobtrail.errors import SettingsError
from jobtrail.text import find_closest, quote_value

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator

    from rich.console import Console

    from jobtrail.cli.colours import Colour
    from jobtrail.doctor import Report
    from jobtrail.settings import Settings

_WORDS = {"ok": "ok", "warning": "warn", "failed": "FAIL", "skipped": "-"}
_STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}


def run(arguments: argparse.Namespace) -> int:
    """Run all checks and print the report."""
    settings, trouble = _load_settings()
    _check_source(arguments.source, settings, trouble)
    with _show_waiting(arguments.color):
        report = anyio.run(examine, settings, trouble, _find_machine(), find_start_command(), arguments.source)
    if arguments.json:
        print(json.dumps(report.to_json(__version__)))
    else:
        _print_report(report, arguments.color)
    return 0 if report.well else 1


def _load_settings() -> tuple[Settings | None, str]:
    """Return the settings, or why they cannot be read."""
    try:
        return load_command_settings(), ""
    except SettingsError as error:
        logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
        return None, str(error)


def _check_source(name: str | None, settings: Settings | None, trouble: str) -> None:
    if name is None:
        return
    if settings is None:
        raise SettingsError(trouble)
    names = [one.name for one in settings.sources]
    if name not in names:
        raise SettingsError(
            "is not configured",
            subject=f"source {quote_value(name)}",
            closest=find_closest(name, names, 1),
            advice=f"configured: {', '.join(names)}",
        )


def _find_machine() -> Machine:
    try:
        return Machine.detect()
    except (RuntimeError, OSError):
        # Without a home directory there is no client's configuration.
        return Machine(Path(os.devnull), os.environ, sys.platform, Path(os.devnull))


@contextmanager
def _show_waiting(colour: Colour) -> Generator[None]:
    """Show on a terminal that the checks are running."""
    if not sys.stderr.isatty():
        yield
        return
    with open_console(colour, sys.stderr).status("looking"):
        yield


def _print_report(report: Report, colour: Colour) -> None:
    """Print a line for each check, aligned, and the fix under it."""
    out = open_console(colour)
    width = max(len(one.check) for one in report.checks)
    for title, checks in report.group_checks():
        _print_line(out, (title, "bold"))
        for one in checks:
            word = _WORDS[one.verdict]
            _print_line(
                out,
                ("  ", ""),
                (f"{word:<5}", _STYLES[one.verdict]),
                (f"{one.check:<{width}}  ", ""),
                (one.found, ""),
                ("" if one.seconds is None else f"  {one.seconds * 1000:,.0f} ms", "dim"),
            )
            if one.fix and one.verdict in {"failed", "warning"}:
                _print_line(out, (f"{'':<7}fix: {one.fix}", ""))
    counts = report.counts
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    warned = "1 warning" if counts["warning"] == 1 else f"{counts['warning']} warnings"
    _print_line(
        out,
        (f"{counts['ok']} ok, {warned}, {counts['failed']} failed{skipped}", "bold" if is_for_people(colour) else ""),
    )


def _print_line(out: Console, *parts: tuple[str, str]) -> None:
    """Print a line without wrapping it, since a wrapped path cannot be copied."""
    out.print(Text.assemble(*parts), soft_wrap=True)
