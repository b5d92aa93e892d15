"""Sources: the configured upstreams, by name, opened when first used."""

from __future__ import annotations

import hashlib
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from jobtrail.errors import UnknownName, Unsupported
from jobtrail.models import Call
from jobtrail.text import find_closest, quote_value
from jobtrail.window import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import httpx2

    from jobtrail.settings import Settings, SourceSettings
    from jobtrail.sources.base import Source

__all__ = ["Sources", "open_sources"]


class Sources:
    """The configured sources by name, opened when first asked for."""

    def __init__(self, settings: Settings, openers: Mapping[str, Callable[[], Source]]) -> None:
        self._settings = settings
        self._openers = openers
        self._open: dict[str, Source] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """All configured names, in order."""
        return tuple(self._openers)

    def get(self, name: str | None, *, needs: Literal["executions", "runs"] | None = None) -> Source:
        """Return a source: the named one, or the default, or the first that has what is needed.

        Args:
            name: as configured; None for the default.
            needs: `executions` or `runs`, where only some sources have them.

        Raises:
            UnknownName: no such source.
            Unsupported: no configured source has what is needed.
        """
        if name is not None:
            return self._open_named(name)
        candidates = [self._open_named(self._settings.default), *(self._open_named(other) for other in self._openers)]
        for source in candidates:
            if needs is None or (source.batch if needs == "executions" else source.runs):
                return source
        kinds = ", ".join(f"{one.name} ({one.kind})" for one in candidates[1:])
        instead = Call("list_runs", {"job": ...}) if needs == "executions" else Call("list_executions", {"job": ...})
        raise Unsupported(
            f"no configured source has {needs}", advice=(f"configured: {kinds}. Call ", instead, " instead")
        )

    def all(self) -> list[Source]:
        """Return every configured source, in order."""
        return [self._open_named(name) for name in self._openers]

    def _open_named(self, name: str) -> Source:
        if name not in self._openers:
            raise UnknownName(
                f"source={quote_value(name)} is not configured",
                closest=find_closest(name, self._openers, 1),
                advice=f"configured: {', '.join(self._openers)}",
            )
        if name not in self._open:
            self._open[name] = self._openers[name]()
        return self._open[name]

    async def aclose(self) -> None:
        """Close every source that was opened."""
        for source in self._open.values():
            await source.aclose()


def open_sources(
    settings: Settings, transport: httpx2.AsyncBaseTransport | None = None, clock: Clock | None = None
) -> Sources:
    """Return the configured sources; nothing connects before it is asked.

    Args:
        settings: which sources there are.
        transport: a network of a test's; None for the real one.
        clock: of the embedded plane.
    """
    open_one = partial(_open_source, transport=transport, clock=clock or Clock(), store=settings.store)
    return Sources(settings, {one.name: partial(open_one, one) for one in settings.sources})


def _open_source(
    one: SourceSettings, *, transport: httpx2.AsyncBaseTransport | None, clock: Clock, store: Path | None
) -> Source:
    # Imported here so that a server answers `initialize` before it loads its HTTP stack.
    from jobtrail.sources.http_client import SourceContext  # noqa: PLC0415
    from jobtrail.sources.registry import UPSTREAMS  # noqa: PLC0415

    module, _, function = UPSTREAMS[one.kind].opener.partition(":")
    open_it: Callable[[SourceSettings, str, SourceContext], Source] = getattr(import_module(module), function)
    return open_it(one, fingerprint(one), SourceContext(transport, clock, store))


def fingerprint(one: SourceSettings) -> str:
    """Return three bytes, in hex, that change when a name is pointed at something else."""
    return hashlib.blake2b("\0".join((one.kind, *one.identity)).encode(), digest_size=3).hexdigest()
