"""Report to the store how commands went, in order and in the background: a command never waits long for the store.

If the store fails, the record is lost and the commands run on; if another process locks it, the record is only late.
"""

from __future__ import annotations

import math
import secrets
import sqlite3
import time
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from jobtrail.store.database import StoreError
from jobtrail.store.liveness import LivenessLock
from jobtrail.store.recording import CannotJoin, Recording, RecordingRequest
from jobtrail.store.rows import LineRow
from jobtrail.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from jobtrail.recorder.plan import Plan, TaskCommand
    from jobtrail.recorder.tail import Tail
    from jobtrail.store.recording import TaskEnding

_PULSE = 1.0
_PATIENCE = 1.5
"""Seconds that a command waits for a report to be written; after that it is written while the command runs."""


class Reporter:
    """Writes the reports of one recorder; `keep_alive` and `write_reports` run in tasks of their own.

    Attributes:
        execution: the execution's id; None if it could not be recorded.
        refused: the store's refusal to let this recorder join the execution, if it came before any command ran.
    """

    def __init__(self, mask: Callable[[str], str], warn: Callable[[str], None]) -> None:
        self.execution: str | None = None
        self.refused: CannotJoin | None = None
        self._mask = mask
        self._warn = warn
        self._store: Store | None = None
        self._lock: LivenessLock | None = None
        self._recording: Recording | None = None
        self._gave_up = False
        self._behind = False
        self._closing = False
        self._finished = anyio.Event()
        self._send, self._receive = anyio.create_memory_object_stream[tuple["Callable[[], None]", anyio.Event]](
            math.inf
        )

    async def open_execution(self, path: Path, plan: Plan, commands: Sequence[TaskCommand], until: ExitStack) -> None:
        """Open the store and the execution, in the background if that takes long.

        Args:
            path: the store's file.
            plan: the plan.
            commands: the commands of its tasks.
            until: closes the store at its end.
        """
        opening = RecordingRequest(
            plan.job,
            plan.execution or f"exec-{secrets.token_hex(6)}",
            [command.name for command in commands],
            title=plan.format_title(self._mask),
            labels={key: self._mask(value) for key, value in plan.labels.items()},
            parallelism=plan.parallel,
            retries=plan.retries,
            timeout_s=max(1, round(plan.timeout)) if plan.timeout else None,
            at=time.time_ns(),
        )
        self.execution = opening.execution
        await self._submit(lambda: self._open(path, opening, until))

    def _open(self, path: Path, opening: RecordingRequest, until: ExitStack) -> None:
        if self._store is None:
            self._store = Store(path)
            until.callback(self._store.close)
        if self._lock is None:
            self._lock = until.enter_context(LivenessLock(path))
        self._recording = Recording(self._store, self._lock.token, opening)

    @property
    def is_open(self) -> bool:
        """Whether the execution is in the store, so that others can join it."""
        return self._recording is not None

    async def keep_alive(self) -> None:
        """Renew every second the sign that this recorder lives."""
        while True:
            if self._lock is not None:
                self._lock.renew()
            await anyio.sleep(_PULSE)

    async def write_reports(self) -> None:
        """Write the reports in order, until `close`."""
        with self._receive as reports:
            async for write, written in reports:
                if not self._gave_up:
                    await self._write_or_give_up(write)
                written.set()
                self._behind = self._behind and reports.statistics().current_buffer_used > 0
        self._finished.set()

    async def close(self) -> None:
        """Take no more reports, and wait until all are written or lost."""
        self._closing = True
        self._send.close()
        with anyio.move_on_after(_PATIENCE):
            await self._finished.wait()
        if not self._finished.is_set():
            self._warn("waiting for the store, which another process holds, to record how it went")
            await self._finished.wait()

    async def report_begin(self, number: int) -> None:
        """Report that a try at a task begins; tasks are numbered from 0 in the plan's order."""
        at = time.time_ns()

        def write() -> None:
            recording = self._get_recording()
            recording.begin_task(recording.tasks[number], at)

        await self._submit(write)

    async def report_retry(self, number: int, conditions: Sequence[dict[str, str]], tail: Tail) -> None:
        """Report that a try failed and another one follows."""
        at, so_far = time.time_ns(), [*conditions]

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
    ) -> None:
        """Report how tasks ended."""
        at, so_far = time.time_ns(), [*conditions]

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
        self._send.send_nowait((write, written))
        if not self._behind:
            with anyio.move_on_after(_PATIENCE):
                await written.wait()
            self._behind = not written.is_set()

    async def _write_or_give_up(self, write: Callable[[], None]) -> None:
        while True:
            # Each try waits for two minutes. Retry until the commands end, then once more.
            last = self._closing
            try:
                await anyio.to_thread.run_sync(write)
            except CannotJoin as error:
                if not self._behind:
                    self.refused = error
                    self._gave_up = True
                    return
                self._give_up(error)
            except (StoreError, OSError) as error:
                if _is_busy(error) and not last:
                    continue
                self._give_up(error)
            return

    def _give_up(self, error: Exception) -> None:
        self._warn(f"this is not recorded: {error}")
        self._gave_up = True
        if self._recording is None:
            self.execution = None


def _is_busy(error: Exception) -> bool:
    """Return whether another process locked the store for longer than SQLite waits."""
    cause = error.__cause__
    return isinstance(cause, sqlite3.OperationalError) and cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
