"""Every source keeps the contract; the upstreams here are the plane's sample, real daemons are in `tests/peers`."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

import httpx2
import pytest

from jobtrail.plane import InProcessPlane
from jobtrail.settings import Settings, SourceSettings
from jobtrail.sources import open_sources
from jobtrail.sources.blaxel.registration import BlaxelSettings
from jobtrail.sources.blaxel.source import VERSION_HEADER, Blaxel
from jobtrail.sources.embedded.registration import EmbeddedSettings
from jobtrail.sources.http_client import SourceContext, open_http
from jobtrail.sources.registry import UPSTREAMS
from jobtrail.sources.runwisp.registration import RunWispSettings
from jobtrail.window import Clock
from tests.legacy_daemon import LegacyDaemon
from tests.sample_client import NOW, FixedClock
from tests.sources.kit import check_source

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
HOWTO = ROOT / "docs" / "sources-howto.md"
SERVER = ROOT / "server" / "jobtrail"
NAMING_ALLOWED = {
    "sources": "each upstream is here",
    "plane": "it serves the documents of both",
    "importing": "it reads the shapes of both",
}
"""Where a kind of upstream may be named outside `sources/`, and why."""


async def check_configured(one: SourceSettings, network: ASGIApp | None = None) -> None:
    """Check a source as it is opened from its settings, over an app that stands in for the network."""
    settings = Settings(sources=(one,), default=one.name)
    transport = httpx2.ASGITransport(network) if network else None
    sources = open_sources(settings, transport, FixedClock())
    await check_source(sources.get(one.name))
    await sources.aclose()


@pytest.fixture(scope="module")
def plane() -> InProcessPlane:
    return InProcessPlane(None, lambda: NOW)


async def test_the_embedded_source_keeps_the_contract() -> None:
    await check_configured(EmbeddedSettings(name="embedded"))


async def test_blaxel_keeps_the_contract(plane: InProcessPlane) -> None:
    await check_configured(BlaxelSettings(name="prod", url="http://plane.invalid/v0"), plane)


async def test_runwisp_1_keeps_the_contract(plane: InProcessPlane) -> None:
    await check_configured(RunWispSettings(name="cron", url="http://plane.invalid"), plane)


async def test_runwisp_of_the_legacy_dialect_keeps_the_contract(plane: InProcessPlane) -> None:
    await check_configured(RunWispSettings(name="cron", url="http://plane.invalid"), LegacyDaemon(plane))


class Unsearched(Blaxel):
    """Batch jobs of an upstream that cannot search."""

    shortest_query = None


async def test_a_source_that_cannot_search_keeps_the_contract(plane: InProcessPlane) -> None:
    async def ignore_query(scope: Scope, receive: Receive, send: Send) -> None:
        given = [pair for pair in parse_qsl(scope["query_string"].decode()) if pair[0] != "q"]
        await plane({**scope, "query_string": urlencode(given).encode()}, receive, send)

    one = BlaxelSettings(name="prod")
    context = SourceContext(httpx2.ASGITransport(ignore_query), Clock())
    http = open_http(one, "http://plane.invalid/v0", context, headers=VERSION_HEADER)
    source = Unsearched("prod", http, "f")
    await check_source(source)
    await source.aclose()


async def test_the_source_of_the_howto_keeps_the_contract(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", HOWTO.read_text(encoding="utf-8"), re.DOTALL)
    assert len(code.splitlines()) < 150
    (tmp_path / "toy.py").write_text(code, encoding="utf-8")
    toy = runpy.run_path(str(tmp_path / "toy.py"))
    await check_source(toy["sample_source"](tmp_path / "runs.json"))


def test_a_kind_of_upstream_is_named_nowhere_else() -> None:
    named = re.compile(rf"\"(?:{'|'.join(UPSTREAMS)})\"|blaxel|runwisp", re.IGNORECASE)
    found = {
        path.relative_to(SERVER).as_posix() for path in SERVER.rglob("*.py") if named.search(path.read_text("utf-8"))
    }
    elsewhere = {
        path for path in found if path not in NAMING_ALLOWED and path.partition("/")[0] not in NAMING_ALLOWED
    }
    assert elsewhere == set()
