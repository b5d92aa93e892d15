"""`jobtrail record`: runs the tasks of an order, a few at a time, and notes how each one went."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import anyio

from jobtrail.recorder.plan import Order, Outcome, Piece
from jobtrail.recorder.process import Ended, ProcessSpec, Stop, run_child
from jobtrail.recorder.reporter import Notes
from jobtrail.recorder.secrets import Mask
from jobtrail.recorder.tail import Tail
from jobtrail.store.recording import failed_condition

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from anyio.abc import TaskStatus

    from jobtrail.recorder.tail import Stream
    from jobtrail.store.recording import Ending

__all__ = ["Watcher", "record"]

_ENDINGS: dict[str, Ending] = {
    "success": "succeeded", "failure": "failed", "timeout": "failed", "cancelled": "cancelled",
}  # fmt: skip


class Watcher(Protocol):
    """What is told of a run as it goes."""

    def warn(self, text: str) -> None:
        """Hear of something that does not stop the run."""

    def counted(self, ended: int, failed: int, total: int) -> None:
        """Hear how many tasks have ended."""

    def sink(self) -> Callable[[Stream, bytes], Awaitable[None]]:
        """Return where the output of one attempt goes; an empty piece is its end."""
        ...


async def record(order: Order, store: Path, watcher: Watcher) -> Outcome:
    """Run an order and record it in the store.

    The commands run whether or not the store can be written; where it cannot, the watcher is warned. Where another
    process holds it they run too, and are recorded when it lets go.

    Raises:
        CannotJoin: the execution that the order names is not to be had; nothing was run.
    """
    mask = Mask(os.environ)
    pieces = order.pieces(mask)
    notes = Notes(mask, watcher.warn)
    with ExitStack() as stack:
        run = _Run(order, notes, watcher, mask, len(pieces))
        async with anyio.create_task_group() as group:
            await group.start(run.listen)
            group.start_soon(run.stop.insist)
            group.start_soon(notes.live)
            group.start_soon(notes.keep)
            await notes.open(store, order, pieces, stack)
            if notes.refused is None:
                await run.all(pieces)
            await notes.close()
            group.cancel_scope.cancel()
        if notes.refused is not None:
            raise notes.refused
        return Outcome(run.code(), notes.execution, dict(run.counts))


@dataclass
class _Run:
    order: Order
    notes: Notes
    watcher: Watcher
    mask: Mask
    total: int
    stop: Stop = field(default_factory=Stop)
    counts: Counter[str] = field(default_factory=Counter[str])
    last: Ended | None = None
    said: set[str] = field(default_factory=set[str])

    async def listen(self, *, task_status: TaskStatus[None]) -> None:
        """Hear of Ctrl-C and its like."""
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
            task_status.started()
            async for number in signals:
                self.stop.hit(number)

    async def all(self, pieces: Sequence[Piece]) -> None:
        """Run every task; what was not begun when the recorder was told to stop is cancelled."""
        waiting = iter(enumerate(pieces))
        environ = {**os.environ, "JOBTRAIL_JOB": self.order.job}
        # One that the store does not have yet would be made, and ended, by a recorder that the command starts.
        if self.notes.is_open and self.notes.execution is not None:
            environ["JOBTRAIL_EXECUTION"] = self.notes.execution
        async with anyio.create_task_group() as group:
            for _ in range(max(1, min(self.order.parallel, len(pieces)))):
                group.start_soon(self._work, waiting, environ)
        rest = [number for number, _ in waiting]
        if rest:
            await self.notes.ends(rest, "cancelled", [failed_condition("cancelled", "it had not begun")])
            self.counts["cancelled"] += len(rest)

    async def _work(self, waiting: Iterator[tuple[int, Piece]], environ: dict[str, str]) -> None:
        while not self.stop.told.is_set():
            place, piece = next(waiting, (None, None))
            if place is None or piece is None:
                return
            self.last = await self._task(place, piece, environ)
            self.counts[_ENDINGS[self.last.kind]] += 1
            self.watcher.counted(self.counts.total(), self.counts["failed"], self.total)

    async def _task(self, place: int, piece: Piece, environ: dict[str, str]) -> Ended:
        conditions: list[dict[str, str]] = []
        number = 0
        while True:
            number += 1
            tail = Tail(self.mask)
            await self.notes.begins(place)
            alone = self.order.inputs is None
            spec = ProcessSpec(piece.command, environ, self.order.timeout, alone, tail, self.watcher.sink())
            ended = await run_child(spec, self.stop)
            self._say(ended, piece)
            if ended.kind != "success":
                conditions.append(failed_condition(ended.reason, self.mask(ended.message), number))
            if ended.kind in {"success", "cancelled"} or number > self.order.retries:
                break
            await self.notes.tries_again(place, conditions, tail)
            if await self._told_within(self.order.retry_delay):
                ended = Ended("cancelled", 128 + self.stop.signal)
                conditions.append(failed_condition("cancelled", "before its next attempt"))
                tail = Tail(self.mask)
                break
        await self.notes.ends([place], _ENDINGS[ended.kind], conditions, tail)
        return ended

    def _say(self, ended: Ended, piece: Piece) -> None:
        """Tell people what the command cannot have told them; of many tasks the same only once."""
        several = self.order.inputs is not None and ended.kind == "timeout"
        told = f"{piece.name}: {ended.told}" if several else ended.told
        if ended.told and told not in self.said:
            self.said.add(told)
            self.watcher.warn(told)

    async def _told_within(self, seconds: float) -> bool:
        with anyio.move_on_after(seconds):
            await self.stop.told.wait()
        return self.stop.told.is_set()

    def code(self) -> int:
        """Return the exit code: of the one command, or 1 where one of several failed."""
        if self.total == 1 and self.last is not None:
            return self.last.code
        if self.stop.told.is_set():
            return 128 + self.stop.signal
        return 1 if self.counts["failed"] else 0
