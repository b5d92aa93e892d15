"""The plane inside this process, over the machine's store, or over the sample workspace while that store is empty."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from starlette.responses import JSONResponse

from jobtrail.plane.app import build_plane, utc_now
from jobtrail.sample.store import SampleStore
from jobtrail.store.faults import StoreError, explain_fault
from jobtrail.store.files import read_state
from jobtrail.store.recording import fail_vanished
from jobtrail.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

_SWEEP_SECONDS = 1.0


class InProcessPlane:
    """An ASGI app that opens the store's file anew when it was created, replaced or removed between two requests.

    Args:
        path: the store's file, which need not exist and is not created; None for the sample alone.
        clock: gives the current time for the sample and for cursors.
        raises: whether a store that cannot be read is raised as a `StoreError`, and not only answered with 500.
    """

    def __init__(
        self, path: Path | None = None, clock: Callable[[], datetime] = utc_now, *, raises: bool = False
    ) -> None:
        self._path = path
        self._raises = raises
        self._clock = clock
        self._lock = anyio.Lock()
        self._own: _OpenStore | None = None
        self._sample: tuple[Store, ASGIApp] | None = None
        self._swept = 0.0

    @property
    def shows_sample(self) -> bool:
        """Whether the sample is shown, as far as that is known without opening the store."""
        try:
            return self._own.store.is_empty if self._own is not None else _identify_file(self._path) is None
        except StoreError:
            return False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; a store that cannot be read is answered with 500 and the reason."""
        if scope["type"] == "lifespan":
            return
        try:
            app = await self.find_app()
        except StoreError as error:
            if self._raises:
                raise
            app = JSONResponse({"error": "store_error", "code": 500, "message": str(error)}, 500)
        await app(scope, receive, send)

    async def find_app(self) -> ASGIApp:
        """Return the app that serves the next request.

        Raises:
            StoreError: the store is of a newer version, or damaged.
        """
        async with self._lock:
            own = await self._reopen_store()
            if own is None or own.store.is_empty:
                if self._sample is None:
                    store = SampleStore(self._clock())
                    self._sample = (store, build_plane(store, clock=self._clock))
                return self._sample[1]
            self._close_sample()
            await self._fail_vanished(own.store)
            return own.app

    async def _reopen_store(self) -> _OpenStore | None:
        """Return the open store, opened again if the file was replaced; None if there is no file."""
        identity = _identify_file(self._path)
        if self._own is not None and (self._own.identity != identity or self._own.is_outdated):
            self._own.store.close()
            self._own = None
        if self._own is None and self._path is not None and identity is not None:
            store = await anyio.to_thread.run_sync(Store, self._path)
            try:
                app = build_plane(store, clock=self._clock, raises=self._raises)
            except StoreError:
                store.close()
                raise
            self._own = _OpenStore(store, app, identity)
        return self._own

    async def _fail_vanished(self, store: Store) -> None:
        """Fail the tasks of vanished recorders, at most once a second; a read-only store is shown unchanged."""
        now = time.monotonic()
        if self._swept and now - self._swept < _SWEEP_SECONDS:
            return
        self._swept = now
        try:
            await anyio.to_thread.run_sync(fail_vanished, store)
        except StoreError:
            return

    async def list_recorded(self) -> frozenset[str]:
        """Return the ids of the executions of which a recorder runs a task."""
        own = self._own
        return frozenset() if own is None else await anyio.to_thread.run_sync(own.store.list_recorded)

    def _close_sample(self) -> None:
        if self._sample is not None:
            self._sample[0].close()
            self._sample = None

    async def aclose(self) -> None:
        """Close the store and forget the sample."""
        self._close_sample()
        if self._own is not None:
            self._own.store.close()
            self._own = None


class _OpenStore:
    """An open store, its app, and the device and inode of its file."""

    def __init__(self, store: Store, app: ASGIApp, identity: tuple[int, int]) -> None:
        self.store = store
        self.app = app
        self.identity = identity
        self._state = self._read_state()

    @property
    def is_outdated(self) -> bool:
        """Whether the file was written since a frozen store was opened; an ordinary one sees that by itself."""
        return self._state != self._read_state()

    def _read_state(self) -> tuple[int, ...]:
        return read_state(self.store.path) if self.store.frozen and self.store.path else ()


def _identify_file(path: Path | None) -> tuple[int, int] | None:
    """Return the device and inode of a file that is not empty; None where there is none.

    Raises:
        StoreError: it may not be looked at; what is not seen is not empty.
    """
    try:
        found = path.stat() if path is not None else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise explain_fault(path, "opened", error) from error
    return None if found is None or not found.st_size else (found.st_dev, found.st_ino)
