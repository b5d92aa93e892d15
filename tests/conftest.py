"""Fixtures for every test: no settings of this machine, retries without waiting. In CI no test may be skipped.

A test that asks for other people's software by a fixture gets the marker of it here, so that none is forgotten.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import pytest
import stamina

from jobtrail.masking.mask import Mask
from jobtrail.sample.store import SampleStore
from tests.hypothesis_profiles import register_profiles
from tests.sample_client import NOW

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

pytest_plugins = ["tests.peers.fixtures"]

TRIES = 4
MARKERS = {"npm": "peers", "runwisp_binary": "peers", "browser": "browser"}
"""Fixtures that start other people's software, and the marker of the tests that ask for them."""

SECRETS = [name for name, value in os.environ.items() if Mask({name: value})(value) != value]
"""Variables of this machine that hold a secret: it would be looked for in whatever a test records."""

register_profiles()


class Deselected:
    """Stands in the summary for a test that was deselected in another process."""


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Accept the options of pytest-xdist in pyproject.toml where it is switched off or missing, and ignore them."""
    if not pluginmanager.hasplugin("xdist"):
        for name in ("--numprocesses", "--dist"):
            parser.addoption(name, help="ignored without pytest-xdist")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run one process more than there are cores: many tests wait for a process or a time limit."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for other people's software, before pytest chooses by marker."""
    for item in items:
        if isinstance(item, pytest.Function):
            for fixture in MARKERS.keys() & {*item.fixturenames}:
                item.add_marker(MARKERS[fixture])


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Count in a process of pytest-xdist what its controller is to tell of."""
    config: Any = items[0].config if items else None
    if hasattr(config, "workeroutput"):
        config.workeroutput["deselected"] = config.workeroutput.get("deselected", 0) + len(items)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Let the last line say how many tests were deselected, which pytest-xdist leaves out; processes agree on it."""
    reporter = node.config.pluginmanager.getplugin("terminalreporter")
    reporter.stats["deselected"] = [Deselected()] * getattr(node, "workeroutput", {}).get("deselected", 0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail what is skipped elsewhere: CI has everything that a test needs."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome, report.longrepr = "failed", f"CI skips no test. {reason}"
    return report


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def sample() -> Iterator[SampleStore]:
    """The sample workspace in a store that is made once; tests only read it."""
    store = SampleStore(NOW)
    yield store
    store.close()


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hide this machine's configuration and secrets; return the empty home that stands in for it."""
    for name in [*os.environ]:
        if name.startswith(("BL_", "RUNWISP_", "JOBTRAIL_")) and name != "RUNWISP_BIN":
            monkeypatch.delenv(name)
    for name in SECRETS:
        monkeypatch.delenv(name, raising=False)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    return home


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """Retry as often as in earnest, but at once."""
    with stamina.set_testing(testing=True, attempts=TRIES, cap=True):
        yield


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Take back what a command that runs in this process sets up: the next test's output is another stream."""
    root = logging.getLogger()
    level, handlers = root.level, [*root.handlers]
    levels = {name: logging.getLogger(name).level for name in ("httpx2", "httpcore2", "stamina")}
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    for name, was in levels.items():
        logging.getLogger(name).setLevel(was)
