"""Run one command to its end, pass its output on and keep the last lines of it."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL
from typing import TYPE_CHECKING, Literal

import anyio

from jobtrail.times import format_duration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from anyio.abc import Process

    from jobtrail.recorder.tail import Stream, Tail

_GRACE = 10.0
_DRAIN = 2.0
_CHUNK = 65_536
_NOT_FOUND, _NOT_RUNNABLE, _TIMED_OUT = 127, 126, 124


@dataclass(frozen=True)
class ProcessResult:
    """How a process ended.

    Attributes:
        code: as a shell reports it: 128 + the signal, 124 for a timeout, 127 or 126 if it did not start.
        reason: the reason of the recorded condition, such as `exit code 3`.
        message: the message of that condition.
        notice: a sentence for the terminal about something the command could not print itself; otherwise empty.
    """

    kind: Literal["success", "failure", "timeout", "cancelled"]
    code: int
    reason: str = ""
    message: str = ""
    notice: str = ""


@dataclass
class Shutdown:
    """Whether the recorder has to end, and the running children that its signals are passed on to.

    Attributes:
        requested: set by the first signal.
        signal: the number of that signal; 0 before it.
    """

    requested: anyio.Event = field(default_factory=anyio.Event)
    signal: int = 0
    children: list[_Child] = field(default_factory=list["_Child"])

    def pass_on(self, number: int) -> None:
        """Pass a signal on to every child; after the first signal, kill them instead."""
        again = self.requested.is_set()
        self.signal = self.signal or number
        for child in self.children:
            child.send(signal.SIGKILL if again else number, from_terminal=number == signal.SIGINT and not again)
        self.requested.set()

    async def kill_stragglers(self) -> None:
        """Wait for the first signal, and ten seconds later kill every child that still runs."""
        await self.requested.wait()
        await anyio.sleep(_GRACE)
        for child in self.children:
            child.send(signal.SIGKILL)


@dataclass(frozen=True)
class ProcessSpec:
    """What to run, and where the output goes.

    Attributes:
        alone: whether it is the only command, so that it may read this process's standard input.
        timeout: in seconds.
        tail: keeps the last lines of the output.
        sink: called with each chunk of output as it comes, and with an empty one at its end.
    """

    command: Sequence[str]
    environ: Mapping[str, str]
    timeout: float | None
    alone: bool
    tail: Tail
    sink: Callable[[Stream, bytes], Awaitable[None]]


class _Child:
    """A process and, unless it shares the terminal, its process group."""

    def __init__(self, process: Process, *, own_group: bool) -> None:
        self.process = process
        self._own_group = own_group

    def send(self, number: int, *, from_terminal: bool = False) -> None:
        if from_terminal and not self._own_group:
            # The terminal has sent it to the whole foreground group already.
            return
        try:
            if self._own_group:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(signal.Signals(number))
        except ProcessLookupError:
            pass

    async def end(self) -> None:
        """Send SIGTERM, and SIGKILL if the process runs on for ten seconds."""
        self.send(signal.SIGTERM)
        with anyio.move_on_after(_GRACE):
            await self.process.wait()
        self.send(signal.SIGKILL)
        await self.process.wait()


async def run_process(spec: ProcessSpec, shutdown: Shutdown) -> ProcessResult:
    """Run a command until it ends, its timeout is over or the recorder is shut down."""
    # A process that reads from a terminal must be in its foreground group.
    own_group = not (spec.alone and sys.stdin is not None and sys.stdin.isatty())
    pipes: dict[Stream, _Pipe] = {"stdout": _Pipe(), "stderr": _Pipe()}
    process = await _start(spec, pipes, own_group=own_group)
    if isinstance(process, ProcessResult):
        return process
    child = _Child(process, own_group=own_group)
    shutdown.children.append(child)
    if shutdown.requested.is_set():
        child.send(shutdown.signal)
    try:
        return await _wait_for_end(child, pipes, spec, shutdown)
    finally:
        shutdown.children.remove(child)


async def _start(spec: ProcessSpec, pipes: Mapping[Stream, _Pipe], *, own_group: bool) -> Process | ProcessResult:
    """Start a command; return a result at once if it cannot be started."""
    try:
        return await anyio.open_process(
            spec.command,
            stdin=None if spec.alone else DEVNULL,
            stdout=pipes["stdout"].write_end,
            stderr=pipes["stderr"].write_end,
            env=spec.environ,
            start_new_session=own_group,
        )
    except (OSError, ValueError) as error:
        for pipe in pipes.values():
            os.close(pipe.read_end)
        return _explain_failed_start(spec.command[0], error)
    finally:
        for pipe in pipes.values():
            os.close(pipe.write_end)


def _explain_failed_start(name: str, error: OSError | ValueError) -> ProcessResult:
    program = repr(name)
    shown = name if name.isprintable() else program
    if isinstance(error, FileNotFoundError):
        # The system reports a script without its interpreter in the same way.
        notice = f"{shown}: its interpreter is not there" if Path(name).is_file() else f"{shown}: command not found"
        return ProcessResult("failure", _NOT_FOUND, "command not found", f"there is no program {program}", notice)
    why = (error.strerror if isinstance(error, OSError) else "") or str(error)
    notice = f"{shown}: cannot be run ({why[:1].lower()}{why[1:]})"
    return ProcessResult("failure", _NOT_RUNNABLE, "command cannot run", f"{program}: {why}", notice)


class _Pipe:
    """A pipe that can be closed before the process ends, as the event loop's own pipes cannot."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        os.set_blocking(self.read_end, False)

    async def read(self) -> bytes:
        """Wait for output and return it; empty at the end."""
        await anyio.wait_readable(self.read_end)
        return os.read(self.read_end, _CHUNK)


async def _wait_for_end(
    child: _Child, pipes: Mapping[Stream, _Pipe], spec: ProcessSpec, shutdown: Shutdown
) -> ProcessResult:
    process, timed_out = child.process, False
    async with anyio.create_task_group() as group:
        for stream, pipe in pipes.items():
            group.start_soon(_pump, stream, pipe, spec)
        with anyio.move_on_after(spec.timeout) as limit:
            await process.wait()
        if limit.cancelled_caught:
            timed_out = True
            await child.end()
        # A grandchild may keep the pipes open for ever.
        group.cancel_scope.deadline = anyio.current_time() + _DRAIN
    spec.tail.close()
    with suppress(OSError):
        await spec.sink("stdout", b"")
        await spec.sink("stderr", b"")
    return _build_result(process.returncode or 0, spec, shutdown, timed_out=timed_out)


async def _pump(stream: Stream, pipe: _Pipe, spec: ProcessSpec) -> None:
    try:
        while chunk := await pipe.read():
            spec.tail.feed(stream, chunk)
            await spec.sink(stream, chunk)
    except OSError:
        # The reader of our output is gone: close the pipe, so that the command gets SIGPIPE as it would without us.
        return
    finally:
        os.close(pipe.read_end)


def _build_result(code: int, spec: ProcessSpec, shutdown: Shutdown, *, timed_out: bool) -> ProcessResult:
    shell_code = code if code >= 0 else 128 - code
    if timed_out:
        limit = f"it ran longer than its {spec.timeout:g} seconds and was ended"
        why = "; ".join(filter(None, (limit, _tell_last_output(spec.tail))))
        notice = f"timed out after {format_duration(spec.timeout or 0)} and was ended"
        return ProcessResult("timeout", _TIMED_OUT, "timeout", why, notice)
    if shutdown.requested.is_set():
        return ProcessResult(
            "cancelled", shell_code or 128 + shutdown.signal, "cancelled", f"by {_name_signal(shutdown.signal)}"
        )
    if code == 0:
        return ProcessResult("success", 0)
    if code < 0:
        return ProcessResult("failure", shell_code, f"killed by {_name_signal(-code)}", _tell_last_output(spec.tail))
    stream, last = spec.tail.find_last_line()
    # What a command that failed wrote to stderr last is its reason; to stdout it wrote its results.
    why = last if stream == "stderr" else _tell_last_output(spec.tail)
    return ProcessResult("failure", code, f"exit code {code}", why)


def _tell_last_output(tail: Tail) -> str:
    """Return the last line of output as what it is, where it does not say why the command ended; empty if none."""
    _, last = tail.find_last_line()
    return f"last output: {last}" if last else ""


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
