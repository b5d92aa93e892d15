"""`jobtrail plane`: serve the embedded control plane on a port."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from jobtrail.cli.settings import load_command_settings
from jobtrail.plane import InProcessPlane
from jobtrail.serving import AccessMiddleware, HttpBind, run_app
from jobtrail.sources.registry import UPSTREAMS
from jobtrail.store import Store
from jobtrail.store.faults import exists

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    """Serve the store, or its sample, until it is stopped."""
    settings = load_command_settings()
    bind = HttpBind.for_loopback(arguments.host, arguments.port, settings)
    store = None if arguments.sample else settings.store
    if store is not None and exists(store):
        Store(store).close()

    def show_address(url: str) -> None:
        what = "sample workspace" if store is None else f"store {store} (the sample workspace while it is empty)"
        named = " or ".join(one.plane_variable.format(url=url) for one in UPSTREAMS.values() if one.plane_variable)
        print(f"jobtrail: {what} at {url} ({named})", file=sys.stderr, flush=True)

    return run_app(AccessMiddleware(InProcessPlane(store), bind), bind, show_address)
