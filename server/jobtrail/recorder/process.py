"""Run one command to its end, pass its output on and keep the last lines of it."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from subprocess import DEVNULL
from typing import TYPE_CHECKING, Literal

import anyio

from jobtrail.recorder.pipes import OutputPipe
from jobtrail.times import NANOSECONDS, format_duration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from anyio.abc import Process

    from jobtrail.recorder.tail import Stream, Tail

_GRACE = 10.0
_DRAIN = 2.0
_TOGETHER = NANOSECONDS // 10
"""A terminal's signal reaches the command too, whose end may be noticed before it."""
_NOT_FOUND, _NOT_RUNNABLE, _TIMED_OUT = 127, 126, 124


@dataclass(frozen=True)
class ProcessResult:
    """How a process ended.

    Attributes:
        code: as a shell reports it: 128 + the signal, 124 for a timeout, 127 or 126 if it did not start.
        reason: the reason of the recorded condition, such as `exit code 3`.
        message: the message of that condition.
        notice: a sentence for the terminal about something the command could not print itself; otherwise empty.
        ended_at: when it ended, in nanoseconds since 1970; its output may end later. None if it did not start.
    """

    kind: Literal["success", "failure", "timeout", "cancelled"]
    code: int
    reason: str = ""
    message: str = ""
    notice: str = ""
    ended_at: int | None = None


@dataclass
class Shutdown:
    """Whether the recorder has to end, and the running children that its signals are passed on to.

    Attributes:
        requested: set by the first signal.
        hurried: set by a signal that finds no child to pass it on to: it ends what the recorder itself waits for.
        signal: the number of the first signal; 0 before it.
        at: when that came, in nanoseconds since 1970; 0 before it.
        children: what runs.
        drains: the scopes in which the output of ended children is passed on.
    """

    requested: anyio.Event = field(default_factory=anyio.Event)
    hurried: anyio.Event = field(default_factory=anyio.Event)
    signal: int = 0
    at: int = 0
    children: list[_Child] = field(default_factory=list["_Child"])
    drains: list[anyio.CancelScope] = field(default_factory=list[anyio.CancelScope])

    def pass_on(self, number: int) -> None:
        """Pass a signal on to every child; after the first signal, kill them instead."""
        again = self.requested.is_set()
        if not again:
            self.signal, self.at = number, time.time_ns()
        for child in self.children:
            child.send(signal.SIGKILL if again else number, from_terminal=number == signal.SIGINT and not again)
        for drain in self.drains:
            self.limit_drain(drain)
        if not self.children:
            self.hurried.set()
        self.requested.set()

    def limit_drain(self, drain: anyio.CancelScope) -> None:
        """Give the output of an ended child two seconds more, however slow its reader is."""
        drain.deadline = min(drain.deadline, anyio.current_time() + _DRAIN)

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
    """A process and, unless it shares the terminal, its process group.

    Attributes:
        timed_out: whether it was ended since its timeout was over.
        ended_at: when it was seen to have ended, in nanoseconds since 1970; 0 before.
    """

    def __init__(self, process: Process, *, own_group: bool) -> None:
        self.process = process
        self.timed_out = False
        self.ended_at = 0
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

    def has_ended(self) -> bool:
        """Return whether the process has ended, though the event loop may not know it yet."""
        if self.process.returncode is not None or not hasattr(os, "waitid"):
            return self.process.returncode is not None
        try:
            return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            # The event loop has taken its exit code.
            return True

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
    try:
        pipes = OutputPipe("stdout"), OutputPipe("stderr")
        process = await _start(spec, *pipes, own_group=own_group)
    except (OSError, ValueError) as error:
        return _explain_failed_start(spec.command[0], error)
    child = _Child(process, own_group=own_group)
    async with anyio.create_task_group() as pumps:
        for pipe in pipes:
            pumps.start_soon(pipe.pump, spec.tail, spec.sink)
        await _wait_for_end(child, spec.timeout, shutdown)
        # What a grandchild writes later is passed on without us.
        for pipe in pipes:
            pipe.limit_wait(_DRAIN)
        shutdown.drains.append(pumps.cancel_scope)
        if shutdown.requested.is_set():
            shutdown.limit_drain(pumps.cancel_scope)
    shutdown.drains.remove(pumps.cancel_scope)
    spec.tail.close()
    stopped_by = shutdown.signal if shutdown.at <= child.ended_at + _TOGETHER else 0
    result = _build_result(process.returncode or 0, spec, stopped_by, timed_out=child.timed_out)
    return replace(result, ended_at=child.ended_at)


async def _start(spec: ProcessSpec, stdout: OutputPipe, stderr: OutputPipe, *, own_group: bool) -> Process:
    """Start a command.

    Raises:
        OSError: it cannot be started.
        ValueError: its arguments cannot be passed to the system.
    """
    try:
        return await anyio.open_process(
            spec.command,
            stdin=None if spec.alone else DEVNULL,
            stdout=stdout.write_end,
            stderr=stderr.write_end,
            env=spec.environ,
            start_new_session=own_group,
        )
    except (OSError, ValueError):
        stdout.close()
        stderr.close()
        raise
    finally:
        os.close(stdout.write_end)
        os.close(stderr.write_end)


async def _wait_for_end(child: _Child, timeout: float | None, shutdown: Shutdown) -> None:  # noqa: ASYNC109 # not ours
    """Wait until a child has ended; once its timeout is over, end it."""
    shutdown.children.append(child)
    if shutdown.requested.is_set():
        child.send(shutdown.signal)
    try:
        with anyio.move_on_after(timeout) as limit:
            await child.process.wait()
        # It may have ended in time, while this process was stopped.
        child.timed_out = limit.cancelled_caught and not child.has_ended()
        if child.timed_out:
            await child.end()
        await child.process.wait()
    finally:
        shutdown.children.remove(child)
        child.ended_at = time.time_ns()


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


def _build_result(code: int, spec: ProcessSpec, stopped_by: int, *, timed_out: bool) -> ProcessResult:
    shell_code = code if code >= 0 else 128 - code
    if timed_out:
        limit = f"it ran longer than its {spec.timeout:g} seconds and was ended"
        why = "; ".join(filter(None, (limit, _tell_last_output(spec.tail))))
        notice = f"timed out after {format_duration(spec.timeout or 0)} and was ended"
        return ProcessResult("timeout", _TIMED_OUT, "timeout", why, notice)
    if stopped_by:
        return ProcessResult(
            "cancelled", shell_code or 128 + stopped_by, "cancelled", f"by {_name_signal(stopped_by)}"
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
