"""`jobtrail doctor`: everything between a client and the jobs it asks about, looked at once.

What is found never holds a secret: it is made of names, addresses without credentials and our own sentences, and
every text passes a mask of all secrets that are known besides.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio
from pydantic import SecretStr

from jobtrail.doctor.clients import examine_clients
from jobtrail.doctor.machine import examine_settings, examine_store
from jobtrail.doctor.report import Check, Report
from jobtrail.doctor.sources import examine_source
from jobtrail.recorder.mask import Mask
from jobtrail.sources import open_sources
from jobtrail.window import Clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

    from jobtrail.clients import Command, Host
    from jobtrail.settings import Settings, SourceSettings

__all__ = ["Check", "Report", "examine"]


async def examine(
    settings: Settings | None,
    trouble: str,
    host: Host,
    own: Command,
    only: str | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> Report:
    """Look at everything, the sources side by side.

    Args:
        settings: as they were read; None where they could not be.
        trouble: why they could not be.
        host: the machine.
        own: the command that starts this Jobtrail.
        only: the one source to look at, and nothing but sources.
        transport: the network edge, where tests stand in for it.
    """
    checks: list[Check] = []
    if only is None:
        checks += examine_settings(settings, trouble, host.environ)
        checks += await anyio.to_thread.run_sync(lambda: [*examine_store(host.environ)])
    if settings is not None:
        checks += await _sources(settings, only, transport)
    if only is None:
        checks += examine_clients(host, own)
    return Report(tuple(checks)).masked(Mask({**host.environ, **_secrets(settings)}))


async def _sources(settings: Settings, only: str | None, transport: httpx2.AsyncBaseTransport | None) -> list[Check]:
    clock = Clock(settings.zone(), settings.timezone)
    sources = open_sources(settings, transport, clock)
    found: dict[str, list[Check]] = {}

    async def look(one: SourceSettings) -> None:
        found[one.name] = await examine_source(one, partial(sources.get, one.name), clock)

    chosen = [one for one in settings.sources if only in {None, one.name}]
    try:
        async with anyio.create_task_group() as group:
            for one in chosen:
                group.start_soon(look, one)
    finally:
        with anyio.CancelScope(shield=True):
            await sources.aclose()
    return [check for one in chosen for check in found[one.name]]


def _secrets(settings: Settings | None) -> Mapping[str, str]:
    """Return every secret of the settings under a name that says what it is."""
    found: dict[str, str] = {}
    for number, one in enumerate(settings.sources if settings is not None else ()):
        for key in type(one).model_fields:
            value = getattr(one, key)
            if isinstance(value, SecretStr):
                found[f"{number}_SECRET_{key}"] = value.get_secret_value()
        # Of which only a password is masked.
        found[f"{number}_address"] = one.identity[0]
    return found
