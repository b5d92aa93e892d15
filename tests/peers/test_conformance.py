"""The protocol's conformance suite against the server over Streamable HTTP, in every era it knows."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.peers.acceptance import SECONDS, served
from tests.peers.conformance import BOUND, EXCEPT, RUN

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.peers.npm import Npm

# Checks that say how it went without judging.
PASSED = {"SUCCESS", "INFO"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("conformance")


@pytest.fixture(scope="module")
def url(home: Path) -> Generator[str]:
    with served("http", home) as url:
        yield url


@pytest.fixture(scope="module")
def known(npm: Npm, home: Path) -> dict[str, set[str]]:
    """The server scenarios of this version of the suite, with the eras of each."""
    said = npm.run("conformance", "list", cwd=home).stdout
    section = said.partition("Server scenarios")[2].partition("\n\n")[0]
    found = re.findall(r"^ +- (\S+) \[(.*)\]$", section, re.MULTILINE)
    return {name: set(eras.split(",")) - {"2025-03-26"} for name, eras in found}


def test_every_scenario_of_the_suite_is_run_or_has_a_reason_not_to(known: dict[str, set[str]]) -> None:
    assert set(known) == {*RUN, *BOUND}
    assert not set(RUN) & set(BOUND)
    assert {name: set(eras) for name, eras in RUN.items()} == {name: known[name] for name in RUN}


@pytest.mark.parametrize(("scenario", "era"), [(name, era) for name, eras in RUN.items() for era in eras])
def test_the_scenario_passes(scenario: str, era: str, npm: Npm, tmp_path: Path, url: str) -> None:
    # What it prints is cut where it is long.
    options = ("--url", url, "--scenario", scenario, "--spec-version", era, "--output-dir", "out")
    done = npm.run("conformance", "server", *options, cwd=tmp_path, seconds=SECONDS)
    (results,) = tmp_path.glob("out/*/checks.json")
    checks: list[dict[str, Any]] = json.loads(results.read_text(encoding="utf-8"))
    assert checks, done.stdout + done.stderr
    missed = {check["id"]: check for check in checks if check["status"] not in PASSED}
    assert not {name: check for name, check in missed.items() if name not in EXCEPT.get(scenario, {})}


def test_every_exception_is_of_a_scenario_that_is_run() -> None:
    assert set(EXCEPT) <= set(RUN)
