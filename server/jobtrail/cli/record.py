"""`jobtrail record`: run commands and record them in the embedded store."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from jobtrail.cli.command_output import LineWatcher, Watcher
from jobtrail.errors import SettingsError
from jobtrail.recorder import Order, record
from jobtrail.settings import store_path
from jobtrail.store.recording import CannotJoin

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator

    from jobtrail.recorder import Outcome


def run(arguments: argparse.Namespace) -> int:
    """Run the command, and return its exit code."""
    order = _order(arguments)
    with _watching(order) as watcher:
        try:
            outcome = anyio.run(record, order, store_path(), watcher)
        except CannotJoin as error:
            raise SettingsError(str(error)) from None
    if order.inputs is not None:
        print(f"jobtrail: {_summary(order, outcome)}", file=sys.stderr)
    return outcome.code


def _order(arguments: argparse.Namespace) -> Order:
    """Return what is asked for.

    Raises:
        SettingsError: options that do not go together, or a file that cannot be read.
    """
    job, execution = arguments.job, arguments.execution
    if job is None:
        # Inside a recorder: one more task of what it runs.
        job = os.environ.get("JOBTRAIL_JOB")
        execution = execution or os.environ.get("JOBTRAIL_EXECUTION")
    if not job:
        raise SettingsError(f"record needs --job NAME; {arguments.parser.usage}")
    if not arguments.command:
        raise SettingsError(f"record needs a command after --; {arguments.parser.usage}")
    if arguments.inputs is not None and arguments.task is not None:
        raise SettingsError("--task names one task and --from makes one for each line; give one of them")
    if arguments.inputs is None and arguments.parallel != 1:
        raise SettingsError("--parallel needs --from FILE, which makes a task for each line")
    return Order(
        job=job,
        command=arguments.command,
        execution=execution,
        task=arguments.task,
        inputs=None if arguments.inputs is None else _lines(arguments.inputs),
        labels=dict(arguments.label),
        timeout=arguments.timeout,
        retries=arguments.retries,
        retry_delay=arguments.retry_delay,
        parallel=arguments.parallel,
    )


def _lines(name: str) -> list[str]:
    try:
        # Arguments are bytes to the system: what is not UTF-8 goes through unchanged.
        text = (sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()).decode(
            "utf-8", "surrogateescape"
        )
    except OSError as error:
        raise SettingsError(f"--from {name} cannot be read ({error.strerror})") from None
    lines = [line.removesuffix("\r") for line in text.split("\n") if line.strip()]
    if not lines:
        raise SettingsError(f"--from {name} has no lines, so there is nothing to run")
    if any("\0" in line for line in lines):
        raise SettingsError(f"--from {name} has a NUL byte in it, which no argument can carry; give a text file")
    return lines


def _summary(order: Order, outcome: Outcome) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in sorted(outcome.counts.items(), reverse=True))
    where = f"recorded as {outcome.execution}" if outcome.execution else "not recorded"
    return f"{sum(outcome.counts.values())} tasks of {order.job}: {counts}; {where}"


@contextmanager
def _watching(order: Order) -> Generator[Watcher]:
    """Yield who passes output on: as it comes for one command, in whole lines for several at once."""
    if order.inputs is None:
        yield Watcher()
    elif not sys.stderr.isatty():
        yield LineWatcher()
    else:
        from jobtrail.cli.progress_bar import watching  # noqa: PLC0415 # rich delays a command by 60 ms

        with watching(len(order.inputs)) as watcher:
            yield watcher
