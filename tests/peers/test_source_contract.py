"""The contract of a source, kept over a real daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jobtrail.settings import Settings
from jobtrail.sources import open_sources
from jobtrail.sources.runwisp.registration import RunWispSettings
from tests.sources.kit import check_source

if TYPE_CHECKING:
    from tests.peers.runwisp_daemon import Daemon


@pytest.mark.anyio
async def test_runwisp_keeps_the_contract_over_a_real_daemon(runwisp_shared: Daemon) -> None:
    one = RunWispSettings(name="runwisp", url=runwisp_shared.url)
    sources = open_sources(Settings(sources=(one,), default=one.name))
    await check_source(sources.get(None))
    await sources.aclose()
