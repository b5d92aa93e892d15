"""`jobtrail doctor`: check everything between a client and the jobs it asks about.

A report never has a secret in it: it is made of names, addresses without credentials and our own sentences, and all
known secrets are masked in every text besides.
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
from jobtrail.masking import Mask
from jobtrail.sources import open_sources
from jobtrail.window import Clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

    from jobtrail.clients import Machine, StartCommand
    from jobtrail.settings import Settings, SourceSettings

__all__ = ["Check", "Report", "examine"]


async def examine(
    settings: Settings | None,
    trouble: str,
    machine: Machine,
    own: StartCommand,
    only: str | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> Report:
    """Check everything, and the sources at the same time.

    Args:
        settings: the settings; None if they could not be read.
        trouble: why they could not be read.
        machine: this machine.
        own: the command that starts this Jobtrail.
        only: the name of the only source to check; nothing else is checked then.
        transport: replaces the network in tests.
    """
    checks: list[Check] = []
    if only is None:
        checks += examine_settings(settings, trouble, machine.environ)
        checks += await anyio.to_thread.run_sync(lambda: [*examine_store(machine.environ)])
    if settings is not None:
        checks += await _examine_sources(settings, only, transport)
    if only is None:
        checks += examine_clients(machine, own)
    return Report(tuple(checks)).apply_mask(_build_mask(machine.environ, settings))


async def _examine_sources(
    settings: Settings, only: str | None, transport: httpx2.AsyncBaseTransport | None
) -> list[Check]:
    clock = Clock(settings.zone(), settings.timezone)
    sources = open_sources(settings, transport, clock)
    found: dict[str, list[Check]] = {}

    async def examine_one(one: SourceSettings) -> None:
        found[one.name] = await examine_source(one, partial(sources.get, one.name), clock)

    chosen = [one for one in settings.sources if only in {None, one.name}]
    try:
        async with anyio.create_task_group() as group:
            for one in chosen:
                group.start_soon(examine_one, one)
    finally:
        with anyio.CancelScope(shield=True):
            await sources.aclose()
    return [check for one in chosen for check in found[one.name]]


def _build_mask(environ: Mapping[str, str], settings: Settings | None) -> Mask:
    """Return a mask of the secrets of the environment and of the settings."""
    sources = settings.sources if settings is not None else ()
    values = [getattr(one, key) for one in sources for key in type(one).model_fields]
    secrets = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    # Of an address a mask finds only the password.
    addresses = {f"address {number}": one.identity[0] for number, one in enumerate(sources)}
    return Mask({**environ, **addresses}, secrets)
