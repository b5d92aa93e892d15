"""What a recorder tells the store, in order and from one task beside the commands, which never wait for it long.

A store that fails costs the record, never the command; one that another process holds only delays the record.
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

    from jobtrail.recorder.plan import Order, Piece
    from jobtrail.recorder.tail import Tail
    from jobtrail.store.recording import TaskEnding

__all__ = ["Notes"]

_PULSE = 1.0
_PATIENCE = 1.5
"""Seconds that a command waits for the store; what is not written by then is written while it runs, or after."""


class Notes:
    """One recorder's notes; `live` and `keep` run beside whatever calls the others.

    Attributes:
        execution: the execution's id; None where the store does not take it.
        refused: why the execution is not to be had, where the store said so before anything was to run.
    """

    def __init__(self, mask: Callable[[str], str], warn: Callable[[str], None]) -> None:
        self.execution: str | None = None
        self.refused: CannotJoin | None = None
        self._mask = mask
        self._warn = warn
        self._store: Store | None = None
        self._sign: LivenessLock | None = None
        self._recording: Recording | None = None
        self._lost = False
        self._behind = False
        self._ending = False
        self._kept = anyio.Event()
        self._send, self._receive = anyio.create_memory_object_stream[tuple["Callable[[], None]", anyio.Event]](
            math.inf
        )

    async def open(self, path: Path, order: Order, pieces: Sequence[Piece], until: ExitStack) -> None:
        """Open the store and the execution, in the background where that takes long.

        Args:
            path: the store's file.
            order: what is to run.
            pieces: its tasks.
            until: closes what this opens.
        """
        opening = RecordingRequest(
            order.job,
            order.execution or f"exec-{secrets.token_hex(6)}",
            [piece.name for piece in pieces],
            title=order.title(self._mask),
            labels={key: self._mask(value) for key, value in order.labels.items()},
            parallelism=order.parallel,
            retries=order.retries,
            timeout_s=max(1, round(order.timeout)) if order.timeout else None,
            at=time.time_ns(),
        )
        self.execution = opening.execution
        await self._tell(lambda: self._open(path, opening, until))

    def _open(self, path: Path, opening: RecordingRequest, until: ExitStack) -> None:
        if self._store is None:
            self._store = Store(path)
            until.callback(self._store.close)
        if self._sign is None:
            self._sign = until.enter_context(LivenessLock(path))
        self._recording = Recording(self._store, self._sign.token, opening)

    @property
    def is_open(self) -> bool:
        """Whether the execution is there for others to join."""
        return self._recording is not None

    async def live(self) -> None:
        """Say every second that this recorder lives."""
        while True:
            if self._sign is not None:
                self._sign.renew()
            await anyio.sleep(_PULSE)

    async def keep(self) -> None:
        """Write what is noted, one after the other."""
        with self._receive as noted:
            async for what, written in noted:
                if not self._lost:
                    await self._write(what)
                written.set()
                self._behind = self._behind and noted.statistics().current_buffer_used > 0
        self._kept.set()

    async def close(self) -> None:
        """Return when all is written or lost."""
        self._ending = True
        self._send.close()
        with anyio.move_on_after(_PATIENCE):
            await self._kept.wait()
        if not self._kept.is_set():
            self._warn("waiting for the store, which another process holds, to record how it went")
            await self._kept.wait()

    async def begins(self, number: int) -> None:
        """Note that an attempt at a task begins, which is given by its place in the order."""
        at = time.time_ns()

        def write() -> None:
            recording = self._held()
            recording.begin_task(recording.tasks[number], at)

        await self._tell(write)

    async def tries_again(self, number: int, conditions: Sequence[dict[str, str]], tail: Tail) -> None:
        """Note that an attempt failed and another follows."""
        at, so_far = time.time_ns(), [*conditions]

        def write() -> None:
            recording = self._held()
            task = recording.tasks[number]
            recording.retry_task(task, so_far, self._lines(task, tail), at)

        await self._tell(write)

    async def ends(
        self,
        numbers: Sequence[int],
        status: TaskEnding,
        conditions: Sequence[dict[str, str]] = (),
        tail: Tail | None = None,
    ) -> None:
        """Note how tasks ended."""
        at, so_far = time.time_ns(), [*conditions]

        def write() -> None:
            recording = self._held()
            tasks = [recording.tasks[number] for number in numbers]
            lines = self._lines(tasks[0], tail) if tail is not None else iter(())
            recording.end_tasks(tasks, status, so_far, lines, at)

        await self._tell(write)

    def _held(self) -> Recording:
        if self._recording is None:
            raise StoreError("it was not opened")
        return self._recording

    def _lines(self, task: str, tail: Tail) -> Iterator[LineRow]:
        for at, stream, text in tail.lines():
            yield LineRow(at, self.execution or "", task, stream, text)

    async def _tell(self, what: Callable[[], None]) -> None:
        """Have something written; wait for it, but not long, and not at all while earlier notes still wait."""
        written = anyio.Event()
        self._send.send_nowait((what, written))
        if not self._behind:
            with anyio.move_on_after(_PATIENCE):
                await written.wait()
            self._behind = not written.is_set()

    async def _write(self, what: Callable[[], None]) -> None:
        while True:
            # Each try waits for two minutes; the last one is the first that began after the commands had ended.
            last = self._ending
            try:
                await anyio.to_thread.run_sync(what)
            except CannotJoin as error:
                if not self._behind:
                    self.refused = error
                    self._lost = True
                    return
                self._lose(error)
            except (StoreError, OSError) as error:
                if _is_busy(error) and not last:
                    continue
                self._lose(error)
            return

    def _lose(self, error: Exception) -> None:
        self._warn(f"this is not recorded: {error}")
        self._lost = True
        if self._recording is None:
            self.execution = None


def _is_busy(error: Exception) -> bool:
    """Return whether another process held the store for all the time that SQLite waits."""
    cause = error.__cause__
    return isinstance(cause, sqlite3.OperationalError) and cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
