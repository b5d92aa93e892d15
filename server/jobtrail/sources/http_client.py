"""Opens an HTTP client of an upstream from the settings of a source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2

from jobtrail.sources.cache import ResponseCache
from jobtrail.sources.http import Http, HttpLimits
from jobtrail.sources.route import Route, find_route

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jobtrail.settings import SourceSettings
    from jobtrail.window import Clock


@dataclass(frozen=True)
class SourceContext:
    """What a source is opened with: the network (None for the real one), the clock, and the file of the store."""

    transport: httpx2.AsyncBaseTransport | None
    clock: Clock
    store: Path | None = None


def open_http(
    one: SourceSettings,
    base: str,
    context: SourceContext,
    *,
    signer: httpx2.Auth | None = None,
    headers: Mapping[str, str] | None = None,
) -> Http:
    """Return a client of an API.

    Args:
        one: the source that it is asked for.
        base: URL of the API; a loopback one is reached by no proxy, whatever the environment says.
        context: the network and the clock.
        signer: proves who asks.
        headers: sent with each request.
    """
    limits = HttpLimits()
    route = Route(context.transport) if context.transport else find_route(base, one.subject)
    client = httpx2.AsyncClient(
        base_url=f"{base}/",
        transport=route.transport,
        auth=signer,
        headers={"Accept": "application/json", **(headers or {})},
        timeout=httpx2.Timeout(limits.read, connect=limits.connect),
        follow_redirects=False,
    )
    # The store of this machine is asked in-process, and may be exchanged meanwhile.
    cache = None if one.reads_store else ResponseCache()
    return Http(
        client,
        subject=one.subject,
        settings_advice=one.settings_advice,
        limits=limits,
        cache=cache,
        clock=context.clock,
        proxy=route.proxy,
    )
