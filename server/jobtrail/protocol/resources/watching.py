"""`ResourceWatcher`: polls the resources that clients subscribed to, and notifies them of changes.

The upstreams send no notifications, so each address is polled, less often the longer nothing changes. What has ended
is not polled any more.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from jobtrail.errors import AgentError, BadArgument, JobtrailError
from jobtrail.models import Attempt, Job
from jobtrail.paging import NEWEST_FIRST, Walk, walk
from jobtrail.protocol.resources.addresses import Address
from jobtrail.sources.list_options import ListOptions
from jobtrail.vocabulary import ENDED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from jobtrail.sources import Sources
    from jobtrail.sources.base import Source

    Tell = Callable[[str], Awaitable[None]]

logger = logging.getLogger(__name__)

_MOST, _MOST_OF_ONE = 200, 50
_TELL_S = 5.0
_SOONEST_S, _LATEST_S, _SLOWER = 2.0, 30.0, 1.5
_LONGEST_S = 24 * 3600.0
_JOBS_SEEN = 200


@dataclass(frozen=True)
class _ResourceState:
    """The state of a resource as comparable text, and whether it is final."""

    state: str
    over: bool = False


@dataclass
class _WatchedResource:
    address: Address
    last: _ResourceState | None
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    holders: dict[Hashable, Tell | None] = field(default_factory=dict[Hashable, "Tell | None"])


class ResourceWatcher:
    """The watched addresses of one server."""

    def __init__(self, sources: Sources, group: TaskGroup, publish: Tell) -> None:
        self._sources = sources
        self._group = group
        self._publish = publish
        self._watched: dict[str, _WatchedResource] = {}

    async def watch(self, uri: str, holder: Hashable, tell: Tell | None = None) -> None:
        """Begin to watch an address for somebody.

        Args:
            uri: the address, as it will be told.
            holder: who asks; `unwatch` takes it back.
            tell: called with the address when it has changed, beside what is published to all.

        Raises:
            AgentError: there is no such resource, or too many are watched.
        """
        address = Address.parse(uri)
        self._check_room(uri, holder)
        if uri not in self._watched:
            # Before the answer, so that no change after it is missed; who is cancelled meanwhile leaves nothing.
            last = await self._look(address)
            self._check_room(uri, holder)
            if uri not in self._watched:
                self._watched[uri] = _WatchedResource(address, last)
                self._group.start_soon(self._follow, uri, self._watched[uri])
        self._watched[uri].holders[holder] = tell

    def _check_room(self, uri: str, holder: Hashable) -> None:
        """Raise unless a resource is watched for somebody or can be, whoever else watches it."""
        held = {one for one, watched in self._watched.items() if holder in watched.holders}
        if uri not in held and len(held) >= _MOST_OF_ONE:
            raise BadArgument(f"{_MOST_OF_ONE} resources are watched already; unsubscribe from one first")
        if uri not in self._watched and len(self._watched) >= _MOST:
            raise BadArgument(f"this server watches {_MOST} resources already, for all clients; ask again later")

    def unwatch(self, uri: str, holder: Hashable) -> None:
        """Stop watching an address for somebody; it is looked at no more once nobody holds it."""
        watched = self._watched.get(uri)
        if watched is not None:
            watched.holders.pop(holder, None)
            if not watched.holders:
                watched.scope.cancel()
                del self._watched[uri]

    def unwatch_all(self, holder: Hashable) -> None:
        """Stop watching every address for somebody."""
        for uri in [*self._watched]:
            self.unwatch(uri, holder)

    async def _follow(self, uri: str, watched: _WatchedResource) -> None:
        with watched.scope, anyio.move_on_after(_LONGEST_S):
            pause = _SOONEST_S
            while watched.last is None or not watched.last.over:
                await anyio.sleep(pause)
                try:
                    look = await self._look(watched.address)
                except AgentError:
                    # It is gone: reading it raises the same error.
                    look = _ResourceState("gone", over=True)
                if look is None or look == watched.last:
                    pause = min(pause * _SLOWER, _LATEST_S)
                    continue
                watched.last, pause = look, _SOONEST_S
                await self._publish(uri)
                for tell in filter(None, [*watched.holders.values()]):
                    # A client that reads nothing keeps the others waiting no longer than that.
                    with anyio.move_on_after(_TELL_S):
                        await tell(uri)
        if self._watched.get(uri) is watched:
            # It has ended, and is no change of later: its place is free.
            del self._watched[uri]

    async def _look(self, address: Address) -> _ResourceState | None:
        """Return the state of a resource; None if its upstream does not answer."""
        source = self._sources.get(address.source)
        try:
            return await _LOOKS[address.kind](source, address)
        except AgentError:
            raise
        except JobtrailError as error:
            logger.debug("cannot look at %s: %s", address.kind, type(error).__name__)
            return None


async def _look_at_jobs(source: Source, address: Address) -> _ResourceState:
    del address
    walked = await walk(source.jobs(ListOptions(sort=source.job_sort)), Walk[Job](limit=_JOBS_SEEN))
    return _ResourceState(_write_state(*(one.to_json() for one in walked.items)))


async def _look_at_job(source: Source, address: Address) -> _ResourceState:
    job = (await source.job(address.name)).job
    walked = await walk(await source.attempts(job, ListOptions(sort=NEWEST_FIRST)), Walk[Attempt](limit=1))
    newest = [one.to_json() for one in walked.items]
    return _ResourceState(_write_state(job.to_json(), *newest))


async def _look_at_execution(source: Source, address: Address) -> _ResourceState:
    batch = source.need_batch()
    one = (await batch.execution(address.job or await batch.owner(address.name), address.name)).execution
    return _ResourceState(_write_state(one.to_json()), over=one.status in ENDED)


async def _look_at_run(source: Source, address: Address) -> _ResourceState:
    one = await source.need_runs().get(address.name)
    return _ResourceState(_write_state(one.to_json()), over=one.status in ENDED)


def _write_state(*models: dict[str, Any]) -> str:
    """Return models in JSON to compare them with later ones; a longer duration is no change, so it is left out."""
    facts = [{name: value for name, value in one.items() if name != "duration_s"} for one in models]
    return json.dumps(facts, sort_keys=True)


_LOOKS = {"jobs": _look_at_jobs, "job": _look_at_job, "execution": _look_at_execution, "run": _look_at_run}
