"""Run the tasks of a plan, several at a time, and report how each one ends."""

from __future__ import annotations

import os
import signal
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import anyio

from jobtrail.masking import MASKED, Mask
from jobtrail.recorder.plan import Plan, RecordingResult, TaskCommand
from jobtrail.recorder.process import ProcessResult, ProcessSpec, Shutdown, run_process
from jobtrail.recorder.reporter import Reporter
from jobtrail.recorder.tail import Tail
from jobtrail.store.recording import build_condition

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from anyio.abc import TaskStatus

    from jobtrail.recorder.tail import Stream
    from jobtrail.store.recording import TaskEnding
    from jobtrail.store.store import Store

_ENDINGS: dict[str, TaskEnding] = {
    "success": "succeeded", "failure": "failed", "timeout": "failed", "cancelled": "cancelled",
}  # fmt: skip


class RecordingObserver(Protocol):
    """What shows a person how a recording goes; the methods are called while it runs."""

    def warn(self, text: str) -> None:
        """Show a warning about something that does not stop the recording."""

    def show_progress(self, ended: int, failed: int, total: int) -> None:
        """Show how many tasks have ended, and how many of these failed."""

    def open_sink(self) -> Callable[[Stream, bytes], Awaitable[None]]:
        """Return a function for the output of one try; it is called with an empty chunk at the end."""
        ...


async def run_and_record(plan: Plan, open_store: Callable[[], Store], observer: RecordingObserver) -> RecordingResult:
    """Run the commands of a plan and record them in the store.

    The commands run even if the store cannot be written, and the observer gets a warning. While another process locks
    the store they run too, and are recorded afterwards. What reports cannot cancel what runs.

    Args:
        plan: what to run.
        open_store: opens the store; what it raises is such a warning.
        observer: is shown how it goes.

    Raises:
        CannotJoin: the execution that the plan names cannot be joined; nothing was run.
    """
    reporter = Reporter(observer.warn)
    plan, commands, mask = _prepare(plan, reporter)
    runner = _PlanRunner(plan, reporter, observer, mask, len(commands))
    async with anyio.create_task_group() as reporting:
        reporting.start_soon(reporter.run)
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as running:
                await running.start(runner.pass_on_signals)
                running.start_soon(runner.shutdown.kill_stragglers)
                await reporter.open_execution(open_store, plan, commands)
                if reporter.refused is None:
                    await runner.run_all(commands)
                await reporter.close(runner.shutdown.hurried)
                running.cancel_scope.cancel()
        reporting.cancel_scope.cancel()
    if reporter.refused is not None:
        raise reporter.refused
    return RecordingResult(runner.choose_exit_code(), reporter.execution, dict(runner.counts))


def _prepare(plan: Plan, reporter: Reporter) -> tuple[Plan, Sequence[TaskCommand], Callable[[str], str]]:
    """Return the plan as it is recorded, its commands and what masks their output.

    Where that fails, in whatever way, nothing is recorded, since it could hold a secret; the commands are run.
    """
    try:
        mask = Mask(os.environ)
        masked = plan.apply_mask(mask)
        return masked, masked.list_commands(mask), mask
    except Exception as error:  # noqa: BLE001 # what is recorded is made from anything, and costs no command
        reporter.lose(f"its secrets cannot be masked ({type(error).__name__})")
        return plan, plan.list_commands(_mask_all), _mask_all


def _list_signals() -> list[signal.Signals]:
    """Return the signals that end this process; whoever started it may want it to ignore some, as `nohup` does."""
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return [one for one in ending if signal.getsignal(one) != signal.SIG_IGN]


def _mask_all(_text: str) -> str:
    return MASKED


@dataclass
class _PlanRunner:
    plan: Plan
    reporter: Reporter
    observer: RecordingObserver
    mask: Callable[[str], str]
    total: int
    shutdown: Shutdown = field(default_factory=Shutdown)
    counts: Counter[str] = field(default_factory=Counter[str])
    last: ProcessResult | None = None
    shown: set[str] = field(default_factory=set[str])

    async def pass_on_signals(self, *, task_status: TaskStatus[None]) -> None:
        """Pass the signals that end this process on to the commands."""
        with anyio.open_signal_receiver(*_list_signals()) as signals:
            task_status.started()
            async for number in signals:
                self.shutdown.pass_on(number)

    async def run_all(self, commands: Sequence[TaskCommand]) -> None:
        """Run every task; after a shutdown, cancel those that had not begun."""
        waiting = iter(enumerate(commands))
        async with anyio.create_task_group() as group:
            for _ in range(max(1, min(self.plan.parallel, len(commands)))):
                group.start_soon(self._run_waiting_tasks, waiting)
        rest = [number for number, _ in waiting]
        if rest:
            await self.reporter.report_end(rest, "cancelled", [build_condition("cancelled", "it had not begun")])
            self.counts["cancelled"] += len(rest)

    def _make_environ(self, number: int) -> dict[str, str]:
        """Return the variables of a task's command, by which a recorder that it starts adds tasks within this one."""
        environ, task = {**os.environ, "JOBTRAIL_JOB": self.plan.job}, self.reporter.find_task(number)
        # If the store does not have the execution yet, a recorder that the command starts would make it, and end it.
        if task is not None and self.reporter.execution is not None:
            environ |= {"JOBTRAIL_EXECUTION": self.reporter.execution, "JOBTRAIL_OUTER_TASK": task}
        elif not self.plan.inherited:
            for name in ("JOBTRAIL_EXECUTION", "JOBTRAIL_OUTER_TASK"):
                environ.pop(name, None)
        return environ

    async def _run_waiting_tasks(self, waiting: Iterator[tuple[int, TaskCommand]]) -> None:
        while not self.shutdown.requested.is_set():
            number, command = next(waiting, (None, None))
            if number is None or command is None:
                return
            self.last = await self._run_task(number, command)
            self.counts[_ENDINGS[self.last.kind]] += 1
            self.observer.show_progress(self.counts.total(), self.counts["failed"], self.total)

    async def _run_task(self, number: int, command: TaskCommand) -> ProcessResult:
        conditions: list[dict[str, str]] = []
        tries = 0
        while True:
            tries += 1
            tail = Tail(self.mask)
            await self.reporter.report_begin(number)
            alone, environ = self.plan.inputs is None, self._make_environ(number)
            spec = ProcessSpec(command.command, environ, self.plan.timeout, alone, tail, self.observer.open_sink())
            result = await run_process(spec, self.shutdown)
            self._warn_once(result, command)
            if result.kind != "success":
                conditions.append(build_condition(result.reason, self.mask(result.message), tries))
            if result.kind in {"success", "cancelled"} or tries > self.plan.retries:
                break
            await self.reporter.report_retry(number, conditions, tail, result.ended_at)
            if await self._wait_for_shutdown(self.plan.retry_delay):
                result = ProcessResult("cancelled", 128 + self.shutdown.signal)
                conditions.append(build_condition("cancelled", "before its next try"))
                tail = Tail(self.mask)
                break
        await self.reporter.report_end([number], _ENDINGS[result.kind], conditions, tail, result.ended_at)
        return result

    def _warn_once(self, result: ProcessResult, command: TaskCommand) -> None:
        """Show the notice of a result, unless another task of the plan had the same one."""
        several = self.plan.inputs is not None and result.kind == "timeout"
        notice = f"{command.name}: {result.notice}" if several else result.notice
        if result.notice and notice not in self.shown:
            self.shown.add(notice)
            self.observer.warn(notice)

    async def _wait_for_shutdown(self, seconds: float) -> bool:
        with anyio.move_on_after(seconds):
            await self.shutdown.requested.wait()
        return self.shutdown.requested.is_set()

    def choose_exit_code(self) -> int:
        """Return the exit code of the only command; of several, 1 if one failed."""
        if self.total == 1 and self.last is not None:
            return self.last.code
        if self.shutdown.requested.is_set():
            return 128 + self.shutdown.signal
        return 1 if self.counts["failed"] else 0
