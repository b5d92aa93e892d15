"""Fixtures for a real RunWisp daemon and other people's clients; a test that asks for one gets the marker `peers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.peers.npm import Npm, find_npm
from tests.peers.runwisp_daemon import Daemon, copy_home, find_binary, seed_home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def runwisp_binary() -> Path:
    """The RunWisp binary."""
    return find_binary()


@pytest.fixture(scope="session")
def npm() -> Npm:
    """The MCP software of npm: conformance suite, TypeScript clients, bundler."""
    return find_npm()


@pytest.fixture(scope="session")
def runwisp_seed(runwisp_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The seeded home, made once for the session: copy it, never start a daemon in it."""
    return seed_home(runwisp_binary, tmp_path_factory.mktemp("rwseed"))


@pytest.fixture
def runwisp_home(runwisp_seed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the seeded home of this test's own."""
    # Short, because a Unix socket's path may have only about 100 characters.
    return copy_home(runwisp_seed, tmp_path_factory.mktemp("rw") / "home")


@pytest.fixture
def runwisp_daemon(runwisp_binary: Path, runwisp_home: Path) -> Iterator[Daemon]:
    """A running daemon of this test's own, with authentication off."""
    with Daemon(runwisp_binary, runwisp_home) as daemon:
        yield daemon


@pytest.fixture
def runwisp_locked(runwisp_binary: Path, runwisp_home: Path) -> Iterator[Daemon]:
    """A running daemon of this test's own that wants a password over TCP."""
    with Daemon(runwisp_binary, runwisp_home, password="correct horse battery") as daemon:
        yield daemon


@pytest.fixture(scope="module")
def runwisp_shared(
    runwisp_binary: Path, runwisp_seed: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    """A running daemon the tests of a module share, with authentication off: read, never change it."""
    with Daemon(runwisp_binary, copy_home(runwisp_seed, tmp_path_factory.mktemp("rw") / "home")) as daemon:
        yield daemon
