"""One attempt: a command run to its end, its output passed on and its last lines kept."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from subprocess import DEVNULL
from typing import TYPE_CHECKING, Literal

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from anyio.abc import Process

    from jobtrail.recorder.tail import Stream, Tail

__all__ = ["Ended", "ProcessSpec", "Stop", "run_child"]

_GRACE = 10.0
_DRAIN = 2.0
_CHUNK = 65_536
_NOT_FOUND, _NOT_RUNNABLE, _TIMED_OUT = 127, 126, 124


@dataclass(frozen=True)
class Ended:
    """How an attempt ended.

    Attributes:
        kind: what it was.
        code: as a shell would report it: 128 and the signal, 124 for a timeout, 127 and 126 for what did not start.
        reason: in words, for a condition.
        told: what the command itself cannot have said, for a person at the terminal; empty for nothing.
    """

    kind: Literal["success", "failure", "timeout", "cancelled"]
    code: int
    reason: str = ""
    message: str = ""
    told: str = ""


@dataclass
class Stop:
    """Whether the recorder was told to end, and the children that are to be told so."""

    told: anyio.Event = field(default_factory=anyio.Event)
    signal: int = 0
    children: list[_Child] = field(default_factory=list["_Child"])

    def hit(self, number: int) -> None:
        """Pass a signal on to every child; the second one kills."""
        again = self.told.is_set()
        self.signal = self.signal or number
        for child in self.children:
            child.send(signal.SIGKILL if again else number, from_terminal=number == signal.SIGINT and not again)
        self.told.set()

    async def insist(self) -> None:
        """Kill what has not ended ten seconds after it was told to."""
        await self.told.wait()
        await anyio.sleep(_GRACE)
        for child in self.children:
            child.send(signal.SIGKILL)


@dataclass(frozen=True)
class ProcessSpec:
    """What to run, and where its output goes.

    Attributes:
        alone: whether it may read this process's standard input.
        sink: takes each piece of output as it comes, and an empty one at its end.
    """

    command: Sequence[str]
    environ: Mapping[str, str]
    timeout: float | None
    alone: bool
    tail: Tail
    sink: Callable[[Stream, bytes], Awaitable[None]]


class _Child:
    """A process and, unless it shares the terminal, all that it starts."""

    def __init__(self, process: Process, *, own_group: bool) -> None:
        self.process = process
        self._own_group = own_group

    def send(self, number: int, *, from_terminal: bool = False) -> None:
        if from_terminal and not self._own_group:
            # The terminal has told the whole foreground group already.
            return
        try:
            if self._own_group:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(signal.Signals(number))
        except ProcessLookupError:
            pass

    async def end(self) -> None:
        """Ask it to end, and kill it where it does not within ten seconds."""
        self.send(signal.SIGTERM)
        with anyio.move_on_after(_GRACE):
            await self.process.wait()
        self.send(signal.SIGKILL)
        await self.process.wait()


async def run_child(spec: ProcessSpec, stop: Stop) -> Ended:
    """Run a command to its end, its timeout, or until the recorder is told to stop."""
    # A process that reads from a terminal must be in its foreground group.
    own_group = not (spec.alone and sys.stdin is not None and sys.stdin.isatty())
    pipes: dict[Stream, _Pipe] = {"stdout": _Pipe(), "stderr": _Pipe()}
    process = await _started(spec, pipes, own_group=own_group)
    if isinstance(process, Ended):
        return process
    child = _Child(process, own_group=own_group)
    stop.children.append(child)
    if stop.told.is_set():
        child.send(stop.signal)
    try:
        return await _follow(child, pipes, spec, stop)
    finally:
        stop.children.remove(child)


async def _started(spec: ProcessSpec, pipes: Mapping[Stream, _Pipe], *, own_group: bool) -> Process | Ended:
    """Start a command, or return why it did not start."""
    try:
        return await anyio.open_process(
            spec.command,
            stdin=None if spec.alone else DEVNULL,
            stdout=pipes["stdout"].theirs,
            stderr=pipes["stderr"].theirs,
            env=spec.environ,
            start_new_session=own_group,
        )
    except (OSError, ValueError) as error:
        for pipe in pipes.values():
            os.close(pipe.ours)
        return _not_started(spec.command[0], error)
    finally:
        for pipe in pipes.values():
            os.close(pipe.theirs)


def _not_started(name: str, error: OSError | ValueError) -> Ended:
    program = repr(name)
    shown = name if name.isprintable() else program
    if isinstance(error, FileNotFoundError):
        # A script whose interpreter is not there looks the same to us.
        told = f"{shown}: its interpreter is not there" if os.path.isfile(name) else f"{shown}: command not found"  # noqa: PTH113 # a name may be none of a path
        return Ended("failure", _NOT_FOUND, "command not found", f"there is no program {program}", told)
    why = (error.strerror if isinstance(error, OSError) else "") or str(error)
    told = f"{shown}: cannot be run ({why[:1].lower()}{why[1:]})"
    return Ended("failure", _NOT_RUNNABLE, "command cannot run", f"{program}: {why}", told)


def _length(seconds: float) -> str:
    """Return a length of time as it is given on the command line."""
    for unit, many in (("h", 3600), ("m", 60)):
        if seconds and seconds % many == 0:
            return f"{seconds / many:.0f}{unit}"
    return f"{seconds:g}s"


class _Pipe:
    """A pipe of our own: one that the event loop made could not be closed before the process ends."""

    def __init__(self) -> None:
        self.ours, self.theirs = os.pipe()
        os.set_blocking(self.ours, False)

    async def read(self) -> bytes:
        """Return what has come; nothing at its end."""
        await anyio.wait_readable(self.ours)
        return os.read(self.ours, _CHUNK)


async def _follow(child: _Child, pipes: Mapping[Stream, _Pipe], spec: ProcessSpec, stop: Stop) -> Ended:
    process, timed_out = child.process, False
    async with anyio.create_task_group() as group:
        for stream, pipe in pipes.items():
            group.start_soon(_pump, stream, pipe, spec)
        with anyio.move_on_after(spec.timeout) as limit:
            await process.wait()
        if limit.cancelled_caught:
            timed_out = True
            await child.end()
        # A grandchild may hold the pipes open for ever.
        group.cancel_scope.deadline = anyio.current_time() + _DRAIN
    spec.tail.close()
    with suppress(OSError):
        await spec.sink("stdout", b"")
        await spec.sink("stderr", b"")
    return _ended(process.returncode or 0, spec, stop, timed_out=timed_out)


async def _pump(stream: Stream, pipe: _Pipe, spec: ProcessSpec) -> None:
    try:
        while chunk := await pipe.read():
            spec.tail.feed(stream, chunk)
            await spec.sink(stream, chunk)
    except OSError:
        # Whoever reads our output has enough: closing the pipe tells the command, as it would hear without us.
        return
    finally:
        os.close(pipe.ours)


def _ended(code: int, spec: ProcessSpec, stop: Stop, *, timed_out: bool) -> Ended:
    last = spec.tail.last()
    shell_code = code if code >= 0 else 128 - code
    if timed_out:
        limit = f"it ran longer than its {spec.timeout:g} seconds and was ended"
        why = f"{limit}; last output: {last}" if last else limit
        told = f"timed out after {_length(spec.timeout or 0)} and was ended"
        return Ended("timeout", _TIMED_OUT, "timeout", why, told)
    if stop.told.is_set():
        return Ended("cancelled", shell_code or 128 + stop.signal, "cancelled", f"by {_signal_name(stop.signal)}")
    if code == 0:
        return Ended("success", 0)
    if code < 0:
        return Ended("failure", shell_code, f"killed by {_signal_name(-code)}", last)
    return Ended("failure", code, f"exit code {code}", last)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
