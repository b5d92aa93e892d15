"""What is asked about: the sample at a fixed time, what real recorders left behind, a real RunWisp daemon."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import httpx2
import stamina
from mcp import Client

from jobtrail.plane import build_plane
from jobtrail.protocol.app import build_server
from jobtrail.settings import Settings
from jobtrail.sources.blaxel.registration import BlaxelSettings
from jobtrail.sources.embedded.registration import EmbeddedSettings
from jobtrail.sources.http import HttpLimits
from jobtrail.sources.runwisp.registration import RunWispSettings
from jobtrail.store import Store
from jobtrail.window import Clock
from tests.agents.edge import Edge, counted
from tests.agents.truth import Rows
from tests.plane.records import ManualClock
from tests.recorder.recording import Stand
from tests.sample_client import NOW, save_sample

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Sequence
    from pathlib import Path

    from tests.agents.edge import Fault
    from tests.peers.runwisp_daemon import Daemon

__all__ = ["DAMAGED", "DIVIDES", "DUE_HOUR", "LEDGER", "NIGHTLY", "Data", "Scene", "World", "make_world", "scene"]

Data = Literal["sample", "two sources", "recorded", "RunWisp 1.0.1"]

NIGHTLY = """\
rows = {"monday": [3, 5], "tuesday": []}
print("mean of each day")
for day, values in rows.items():
    print("reading", day)
    print(day, sum(values) / len(values))
"""
LEDGER, DUE_HOUR = "ledger-close", 2
"""A recorded job, and the hour (UTC) of each day in which it is due."""
DIVIDES = next(n for n, line in enumerate(NIGHTLY.splitlines(), 1) if "/" in line)
DAMAGED = ("birch.png", "cedar.png", "fir tree.png", "hazel.png", "larch.png", "oak.png", "pine.png")
INPUTS = ("alder.png", *DAMAGED, "willow.png", "yew.png")


@dataclass(frozen=True)
class HeldClock(Clock):
    """A clock that shows what a hand is set to, or lags behind it."""

    hand: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    slow: timedelta = timedelta()

    def now(self) -> datetime:
        """Return the time it shows."""
        return self.hand.moment - self.slow


@dataclass(frozen=True)
class World:
    """Everything that is asked about.

    Attributes:
        sample: a store's file that holds the sample.
        stand: the store that recorders wrote to, and a way to start more of them.
        daemon: a running daemon, where there is one.
    """

    sample: Path
    stand: Stand
    daemon: Daemon | None = None

    @property
    def rows(self) -> Rows:
        """The sample's rows."""
        return Rows(self.sample)

    @property
    def recorded(self) -> Rows:
        """The rows of what was recorded."""
        return Rows(self.stand.path)


@dataclass
class Scene:
    """One client of one server, and what the network saw."""

    client: Client
    hand: ManualClock
    requests: int = 0
    spared: list[str] = field(default_factory=list[str])


@contextmanager
def make_world(folder: Path) -> Generator[World]:
    """Make everything but the daemon in an empty folder."""
    sample = folder / "sample.db"
    save_sample(sample)
    stand = Stand(folder / "own" / "store.db")
    _record(stand, folder)
    yield World(sample, stand)


def _record(stand: Stand, folder: Path) -> None:
    """Let real recorders run: of a script that fails, of a fan-out, and one that is killed."""
    script, inputs = folder / "nightly.py", folder / "inputs.txt"
    script.write_text(NIGHTLY, encoding="utf-8")
    inputs.write_text("\n".join(INPUTS), encoding="utf-8")
    convert = f'case " {" ".join(DAMAGED)} " in *" $1 "*) echo "$1: damaged header" >&2; exit 3;; esac'
    stand.record("--job", "nightly", "--", sys.executable, str(script))
    stand.record("--job", LEDGER, "--schedule", f"0 {DUE_HOUR} * * *", "--timezone", "UTC", "--", "true")
    stand.record(
        "--job", "thumbnails", "--from", str(inputs), "--parallel", "3", "--", "sh", "-c", convert, "sh", "{}"
    )
    with stand.start("--job", "crawl", "--", "sh", "-c", "echo $$; exec sleep 600") as killed:
        assert killed.stdout is not None
        child = int(killed.stdout.readline())
        killed.kill()
    os.kill(child, signal.SIGKILL)
    stand.let_signs_age()


@asynccontextmanager
async def scene(
    world: World, data: Data, faults: Sequence[Fault] = (), slow: timedelta = timedelta()
) -> AsyncGenerator[Scene]:
    """Open a server over the data, with a client of it; upstream requests are tried again as ever, but at once.

    Args:
        world: where the data is.
        data: which data.
        faults: what goes wrong with upstream requests.
        slow: how far Jobtrail's clock is behind that of its sources.
    """
    fixed = data in {"sample", "two sources"}
    hand = ManualClock(NOW if fixed else datetime.now(UTC))
    with stamina.set_testing(testing=True, attempts=HttpLimits().attempts, cap=True), counted() as counter:
        if data in {"sample", "recorded"}:
            assert not faults, "an embedded source has no network"
            path = world.sample if fixed else world.stand.path
            async with _served(_embedded(path), None, HeldClock(hand=hand)) as client:
                found = Scene(client, hand)
                yield found
            found.requests = counter.requests
            return
        settings, inner, store = _network(world, data, hand)
        edge = Edge(inner, faults, hand if slow else None)
        async with _served(settings, edge, HeldClock(hand=hand, slow=slow)) as client:
            found = Scene(client, hand)
            yield found
        if store is not None:
            store.close()
        found.requests, found.spared = edge.requests, edge.spared


def _served(settings: Settings, edge: Edge | None, clock: Clock) -> Client:
    return Client(build_server(settings, edge, clock))


def _embedded(store: Path) -> Settings:
    return Settings(sources=(EmbeddedSettings(name="embedded"),), default="embedded", store=store)


def _network(world: World, data: Data, hand: ManualClock) -> tuple[Settings, httpx2.AsyncBaseTransport, Store | None]:
    """Return what is configured, and what answers: the sample as two upstreams, or the daemon."""
    if data == "RunWisp 1.0.1":
        assert world.daemon is not None
        one = RunWispSettings(name="runwisp", url=world.daemon.url, origin="RUNWISP_URL")
        return Settings(sources=(one,), default="runwisp"), httpx2.AsyncHTTPTransport(), None
    prod = BlaxelSettings.model_validate({"name": "prod", "url": "http://prod.invalid/v0", "api_key": "any"})
    cron = RunWispSettings(name="cron", url="http://cron.invalid", origin="[sources.cron]")
    store = Store(world.sample)
    plane = httpx2.ASGITransport(build_plane(store, clock=hand))
    return Settings(sources=(prod, cron), default="prod"), plane, store
