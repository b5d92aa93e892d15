"""Report to the store how commands went, in order and in the background: a command never waits long for the store.

If the store fails, in whatever way, the record is lost and the commands run on; if another process locks it, the
record is only late. Nothing here raises.
"""

from __future__ import annotations

import math
import secrets
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from jobtrail.errors import JobtrailError
from jobtrail.recorder.threads import run_in_daemon_thread
from jobtrail.store.faults import StoreError, is_busy
from jobtrail.store.files import is_open_to_others
from jobtrail.store.liveness import PULSE_SECONDS, LivenessLock, make_token
from jobtrail.store.recording import CannotJoin, Recording, RecordingRequest
from jobtrail.store.rows import LineRow
from jobtrail.text import sanitize_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jobtrail.recorder.plan import Plan, TaskCommand
    from jobtrail.recorder.tail import Tail
    from jobtrail.store.recording import TaskEnding
    from jobtrail.store.store import Store

_PULSE = 1.0
_LONGEST_REASON = 600
_PATIENCE = 1.5
"""Seconds that a command waits for a report to be written; after that it is written while the command runs."""


class Reporter:
    """Writes the reports of one recorder; `run` runs beside the commands.

    Attributes:
        execution: the execution's id; None if it could not be recorded.
        refused: the store's refusal to let this recorder join the execution, if it came before any command ran.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self.execution: str | None = None
        self.refused: CannotJoin | None = None
        self._show = warn
        self._store: Store | None = None
        self._lock: LivenessLock | None = None
        self._recording: Recording | None = None
        self._until = ExitStack()
        self._gave_up = False
        self._behind = False
        self._closing = False
        self._finished = anyio.Event()
        self._send, self._receive = anyio.create_memory_object_stream[tuple["Callable[[], None]", anyio.Event]](
            math.inf
        )

    async def open_execution(
        self, open_store: Callable[[], Store], plan: Plan, commands: Sequence[TaskCommand]
    ) -> None:
        """Open the store and the execution, in the background if that takes long.

        Args:
            open_store: opens the store.
            plan: the plan.
            commands: the commands of its tasks.
        """
        opening = RecordingRequest(
            plan.job,
            plan.execution or _make_execution_id(),
            [command.name for command in commands],
            title=plan.title,
            labels=dict(plan.labels),
            parallelism=plan.parallel,
            retries=plan.retries,
            timeout_s=max(1, round(plan.timeout)) if plan.timeout else None,
            outer=plan.outer,
            schedule=plan.schedule,
            at=time.time_ns(),
        )
        if not self._gave_up:
            self.execution = opening.execution
        await self._submit(lambda: self._open(open_store, opening, inherited=plan.inherited))

    def _open(self, open_store: Callable[[], Store], opening: RecordingRequest, *, inherited: bool) -> None:
        if self._store is None:
            self._store = open_store()
            self._until.callback(self._store.close)
            self._warn_of_others(self._store)
        if self._lock is None and self._store.path is not None:
            # Without a file beside it the store itself holds the only sign of this recorder.
            with suppress(OSError):
                self._lock = self._until.enter_context(LivenessLock(self._store.path))
        token = make_token() if self._lock is None else self._lock.token
        try:
            self._recording = Recording(self._store, token, opening)
        except CannotJoin as error:
            if not inherited:
                raise
            own = replace(opening, execution=_make_execution_id(), outer="")
            self._recording = Recording(self._store, token, own)
            self.execution = own.execution
            self._warn(f"{error.what}; this is recorded as one of its own, {own.execution}")

    def _warn_of_others(self, store: Store) -> None:
        if store.path is not None and is_open_to_others(store.path):
            self._warn(f"others on this machine can read the store {store.path}, which is not yours to close to them")

    def find_task(self, number: int) -> str | None:
        """Return the name that a task got; None until the execution is in the store, so that others can join it."""
        return None if self._recording is None else self._recording.tasks[number]

    def _warn(self, text: str) -> None:
        with suppress(Exception):
            # What cannot be shown, as on a terminal that is gone, is no reason to stop.
            self._show(text)

    async def run(self) -> None:
        """Write the reports in order, and renew the sign that this recorder lives, until `close`."""
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._keep_alive)
                await self._write_reports()
                group.cancel_scope.cancel()
            with suppress(Exception):
                # All is written or lost by now.
                await run_in_daemon_thread(self._until.close)
        finally:
            if self._lock is not None:
                self._lock.release()
            self._finished.set()

    async def _keep_alive(self) -> None:
        """Renew the sign beside the store every second, and the one in it now and then."""
        renewed = anyio.current_time()
        while True:
            if self._lock is not None:
                self._lock.renew()
            await anyio.sleep(_PULSE)
            if self._recording is None or self._behind or self._closing:
                continue
            if anyio.current_time() - renewed > PULSE_SECONDS:
                renewed = anyio.current_time()
                self._send.send_nowait((self._recording.renew, anyio.Event()))

    async def _write_reports(self) -> None:
        with self._receive as reports:
            async for write, written in reports:
                if not self._gave_up:
                    await self._write_or_give_up(write)
                written.set()
                self._behind = self._behind and reports.statistics().current_buffer_used > 0

    async def close(self, hurried: anyio.Event) -> None:
        """Take no more reports, and wait until all are written or lost.

        Args:
            hurried: ends the wait, but not its first moment; whoever runs `run` may cancel it then.
        """
        self._closing = True
        self._send.close()
        with anyio.move_on_after(_PATIENCE):
            await self._finished.wait()
        if not self._finished.is_set() and not hurried.is_set():
            self._warn("waiting for the store, which another process holds, to record how it went")
            async with anyio.create_task_group() as group:
                for event in (self._finished, hurried):
                    group.start_soon(_cancel_after, event, group.cancel_scope)
        if not self._finished.is_set():
            self.lose("a signal ended the wait for the store, which another process holds")

    async def report_begin(self, number: int) -> None:
        """Report that a try at a task begins; tasks are numbered from 0 in the plan's order."""
        at = time.time_ns()

        def write() -> None:
            recording = self._get_recording()
            recording.begin_task(recording.tasks[number], at)

        await self._submit(write)

    async def report_retry(
        self, number: int, conditions: Sequence[dict[str, str]], tail: Tail, at: int | None
    ) -> None:
        """Report that a try failed, now or at an earlier moment, and another one follows."""
        at, so_far = at or time.time_ns(), [*conditions]

        def write() -> None:
            recording = self._get_recording()
            task = recording.tasks[number]
            recording.retry_task(task, so_far, self._make_lines(task, tail), at)

        await self._submit(write)

    async def report_end(
        self,
        numbers: Sequence[int],
        status: TaskEnding,
        conditions: Sequence[dict[str, str]] = (),
        tail: Tail | None = None,
        at: int | None = None,
    ) -> None:
        """Report how tasks ended, now or at an earlier moment."""
        at, so_far = at or time.time_ns(), [*conditions]

        def write() -> None:
            recording = self._get_recording()
            tasks = [recording.tasks[number] for number in numbers]
            lines = self._make_lines(tasks[0], tail) if tail is not None else iter(())
            recording.end_tasks(tasks, status, so_far, lines, at)

        await self._submit(write)

    def _get_recording(self) -> Recording:
        if self._recording is None:
            raise StoreError("it was not opened")
        return self._recording

    def _make_lines(self, task: str, tail: Tail) -> Iterator[LineRow]:
        for at, stream, text in tail.read_lines():
            yield LineRow(at, self.execution or "", task, stream, text)

    async def _submit(self, write: Callable[[], None]) -> None:
        """Queue a report; wait a little until it is written, but not while earlier reports are late."""
        written = anyio.Event()
        try:
            self._send.send_nowait((write, written))
        except anyio.BrokenResourceError:
            # What writes reports has ended, for whatever reason: that costs the record and not the command.
            return
        if not self._behind:
            with anyio.move_on_after(_PATIENCE):
                await written.wait()
            self._behind = not written.is_set()

    async def _write_or_give_up(self, write: Callable[[], None]) -> None:
        while True:
            # Each try waits for two minutes. Retry until the commands end, then once more.
            last = self._closing
            try:
                await run_in_daemon_thread(write)
            except CannotJoin as error:
                if not self._behind:
                    self.refused = error
                    self._gave_up = True
                    return
                self._give_up(error)
            except Exception as error:  # noqa: BLE001 # whatever the store does, it costs the record and not the command
                if is_busy(error) and not last:
                    continue
                self._give_up(error)
            return

    def _give_up(self, error: Exception) -> None:
        foreseen = isinstance(error, JobtrailError | CannotJoin)
        why = sanitize_text(str(error) if foreseen else f"{type(error).__name__}: {error}", _LONGEST_REASON)
        advice = "" if isinstance(error, CannotJoin) else "; `jobtrail doctor` looks at the store"
        self.lose(why + advice)

    def lose(self, why: str) -> None:
        """Record nothing from now on, and say why."""
        what = "this is not recorded" if self._recording is None else "how this goes on is not recorded"
        self._warn(f"{what}: {why}")
        self._gave_up = True
        if self._recording is None:
            self.execution = None


def _make_execution_id() -> str:
    return f"exec-{secrets.token_hex(6)}"


async def _cancel_after(event: anyio.Event, scope: anyio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
