"""`jobtrail record`: run commands and record them in the embedded store."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from jobtrail.cli import options

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Generator

    from jobtrail.recorder import Order, Outcome
    from jobtrail.recorder.tail import Stream

__all__ = ["add_record"]

_USAGE = "jobtrail record --job NAME [options] -- COMMAND [ARGUMENT ...]"
_EPILOG = """\
The command's output is passed through and its exit code returned (124 for a timeout, 128 and the signal's number for
a signal, 127 for a command that is not there). Its last 200 lines are kept, without the secrets of the environment.
What it runs may call `jobtrail record -- …` without --job, which adds a task to the same execution.

  jobtrail record --job nightly -- ./nightly.sh
  jobtrail record --job thumbnails --from files.txt --parallel 8 --timeout 5m --retries 2 -- convert {} {}.png
"""


def add_record(commands: options.Commands) -> None:
    """Add `jobtrail record`."""
    import argparse  # noqa: PLC0415 # for its formatter alone

    parser = commands.add_parser(
        "record",
        help="run a command and record how it went",
        usage=_USAGE,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--job", type=options.name, metavar="NAME", help="the job to record it under")
    add("--execution", type=options.name, metavar="ID", help="add a task to this open execution; made if it is new")
    add("--task", type=options.task_name, metavar="NAME", help="the task's name (default task-0, task-1, …)")
    add("--timeout", type=options.some_time, metavar="30m", help="end an attempt that takes longer")
    add("--retries", type=options.whole(0, 1000), default=0, metavar="N", help="further attempts after a failed one")
    add("--retry-delay", type=options.duration, default=1.0, metavar="10s", help="pause before each (default 1s)")
    add("--label", type=options.label, action="append", default=[], metavar="k=v", help="label the job; repeatable")
    add("--from", dest="inputs", metavar="FILE", help="a task for each line, in place of {}; - for standard input")
    add("--parallel", type=options.whole(1, 1000), default=1, metavar="N", help="tasks at a time, with --from")
    parser.set_defaults(run=_record, takes_command=True)


def _record(arguments: argparse.Namespace) -> int:
    import anyio  # noqa: PLC0415 # `--help` loads nothing

    from jobtrail.errors import SettingsError  # noqa: PLC0415 # likewise
    from jobtrail.plane.recording import CannotJoin  # noqa: PLC0415 # likewise
    from jobtrail.recorder import record  # noqa: PLC0415 # likewise
    from jobtrail.settings import store_path  # noqa: PLC0415 # likewise

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
    from jobtrail.errors import SettingsError  # noqa: PLC0415 # see _record
    from jobtrail.recorder import Order  # noqa: PLC0415 # see _record

    job, execution = arguments.job, arguments.execution
    if job is None:
        # Inside a recorder: one more task of what it runs.
        job = os.environ.get("JOBTRAIL_JOB")
        execution = execution or os.environ.get("JOBTRAIL_EXECUTION")
    if not job:
        raise SettingsError(f"record needs --job NAME; {_USAGE}")
    if not arguments.command:
        raise SettingsError(f"record needs a command after --; {_USAGE}")
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
    from jobtrail.errors import SettingsError  # noqa: PLC0415 # see _record

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
        from jobtrail.cli.bar import watching  # noqa: PLC0415 # a terminal is the rarer case

        with watching(len(order.inputs)) as watcher:
            yield watcher


class Watcher:
    """Passes output on untouched, and warns on standard error."""

    def __init__(self) -> None:
        self._closed: set[Stream] = set()

    def warn(self, text: str) -> None:
        """Print a warning; where even that cannot be written, nobody can be told."""
        with suppress(OSError):
            print(f"jobtrail: {text}", file=sys.stderr, flush=True)

    def counted(self, ended: int, failed: int, total: int) -> None:
        """Say nothing of how far it is."""

    def sink(self) -> Callable[[Stream, bytes], Awaitable[None]]:
        """Return where an attempt's output goes: the same streams of this process."""
        return self.passed_on

    async def passed_on(self, stream: Stream, chunk: bytes) -> None:
        """Write to this process's own stream; one that takes no more, as on a full disk, is told of once.

        Raises:
            BrokenPipeError: nobody reads it any more, which the command is to hear of.
        """
        if stream in self._closed:
            return
        try:
            await _write(stream, chunk)
        except BrokenPipeError:
            raise
        except OSError as error:
            self._closed.add(stream)
            name = {"stdout": "standard output", "stderr": "standard error"}[stream]
            self.warn(f"{name} cannot be written ({error.strerror}); the command runs on, its output is not shown")


class LineWatcher(Watcher):
    """Passes on whole lines, so that those of tasks at the same time do not mix."""

    def sink(self) -> Callable[[Stream, bytes], Awaitable[None]]:
        """Return where an attempt's output goes."""
        rests: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}

        async def lines(stream: Stream, chunk: bytes) -> None:
            whole, newline, rests[stream] = (rests[stream] + chunk).rpartition(b"\n")
            if not chunk and rests[stream]:
                # The end of the output: what has no end of line gets one.
                whole, newline, rests[stream] = rests[stream], b"\n", b""
            if newline:
                await self.lines(stream, whole + newline)

        return lines

    async def lines(self, stream: Stream, text: bytes) -> None:
        """Pass on whole lines."""
        await self.passed_on(stream, text)


async def _write(stream: Stream, chunk: bytes) -> None:
    """Write in a thread: whoever reads may be slow."""
    import anyio.to_thread  # noqa: PLC0415 # see _record

    if chunk:
        await anyio.to_thread.run_sync(_write_all, 1 if stream == "stdout" else 2, chunk)


def _write_all(file: int, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        left = left[os.write(file, left) :]
