"""What a recorder tells the store, from an event loop; a store that fails costs the record, never the command."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import anyio.to_thread

from jobtrail.plane.recording import Opening, Recording
from jobtrail.plane.signs import Sign
from jobtrail.plane.store import Line, Store, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from jobtrail.plane.recording import Ending
    from jobtrail.recorder.orders import Order, Piece
    from jobtrail.recorder.tail import Tail

__all__ = ["Notes"]

_PULSE = 1.0


class Notes:
    """One recorder's notes.

    Attributes:
        execution: the execution's id; None once, or where, the store does not take any.
        names: of the tasks.
    """

    def __init__(self, pieces: Sequence[Piece], mask: Callable[[str], str], warn: Callable[[str], None]) -> None:
        self.execution: str | None = None
        self.names = tuple(piece.name or f"task-{number}" for number, piece in enumerate(pieces))
        self._mask = mask
        self._warn = warn
        self._sign: Sign | None = None
        self._recording: Recording | None = None

    def open(self, path: Path, order: Order, pieces: Sequence[Piece], until: ExitStack) -> None:
        """Open the store and the execution.

        Args:
            path: the store's file.
            order: what is to run.
            pieces: its tasks.
            until: closes what this opens.

        Raises:
            CannotJoin: the execution is not to be had.
        """
        opening = Opening(
            order.job,
            order.execution or f"exec-{secrets.token_hex(6)}",
            [piece.name for piece in pieces],
            title=order.title(self._mask),
            labels={key: self._mask(value) for key, value in order.labels.items()},
            parallelism=order.parallel,
            retries=order.retries,
            timeout_s=max(1, round(order.timeout)) if order.timeout else None,
        )
        try:
            store = Store(path)
            until.callback(store.close)
            self._sign = until.enter_context(Sign(path))
            self._recording = Recording(store, self._sign.token, opening)
        except (StoreError, OSError) as error:
            self._lost(error)
            return
        self.execution, self.names = self._recording.execution, self._recording.tasks

    async def live(self) -> None:
        """Say every second that this recorder lives."""
        while self._sign is not None:
            self._sign.renew()
            await anyio.sleep(_PULSE)

    async def begins(self, task: str) -> None:
        """Note that an attempt begins."""
        if self._recording is not None:
            await self._tell(self._recording.begins, task)

    async def tries_again(self, task: str, conditions: Sequence[dict[str, str]], tail: Tail) -> None:
        """Note that an attempt failed and another follows."""
        if self._recording is not None:
            await self._tell(self._recording.tries_again, task, conditions, self._lines(task, tail))

    async def ends(
        self,
        tasks: Sequence[str],
        status: Ending,
        conditions: Sequence[dict[str, str]] = (),
        tail: Tail | None = None,
    ) -> None:
        """Note how tasks ended."""
        if self._recording is not None:
            lines = self._lines(tasks[0], tail) if tail is not None else iter(())
            await self._tell(self._recording.ends, tasks, status, conditions, lines)

    def _lines(self, task: str, tail: Tail) -> Iterator[Line]:
        for at, stream, text in tail.lines():
            yield Line(at, self.execution or "", task, stream, text)

    async def _tell(self, what: Callable[..., None], *arguments: object) -> None:
        try:
            await anyio.to_thread.run_sync(what, *arguments)
        except StoreError as error:
            self._lost(error)

    def _lost(self, error: Exception) -> None:
        self._warn(f"this is not recorded: {error}")
        self._recording = None
