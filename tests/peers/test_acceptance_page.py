"""`docs/acceptance.md` says what the acceptance tests run."""

from __future__ import annotations

import re

import pytest

from tests.distribution.listing import ACCEPTANCE, ROOT, with_tables
from tests.peers.conformance import BOUND, EXCEPT, RUN
from tests.peers.npm import PINS

STALE = "out of date: run python -m tests.distribution.listing"
# How the page names what is pinned.
NAMED = {
    "conformance suite": "@modelcontextprotocol/conformance",
    "TypeScript SDK 1": "@modelcontextprotocol/sdk",
    "TypeScript SDK 2": "@modelcontextprotocol/client",
    "mcpb": "@anthropic-ai/mcpb",
    "dockerfile-utils": "dockerfile-utils",
}


@pytest.fixture(scope="module")
def page() -> str:
    return ACCEPTANCE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rows(page: str) -> list[list[str]]:
    """The cells of the first table."""
    table = page.partition("|---|---|---|---|---|\n")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_the_page_names_every_pinned_package_in_its_version(rows: list[list[str]]) -> None:
    said = {NAMED[name]: number for name, number, *_ in rows if name in NAMED}
    assert said == PINS


def test_the_page_names_every_test_of_other_people_s_software_and_no_other(rows: list[list[str]]) -> None:
    named = {path for row in rows for path in re.findall(r"`(tests/\S+\.py)`", row[-1])}
    asks_for_it = {
        path.relative_to(ROOT).as_posix()
        for folder in ("tests/peers", "tests/distribution")
        for path in (ROOT / folder).glob("test_*.py")
        if re.search(r"\bnpm: Npm\b", path.read_text(encoding="utf-8"))
    }
    assert named == asks_for_it


def test_the_page_has_the_tables_of_the_conformance_tests(page: str) -> None:
    assert with_tables(page) == page, STALE
    for name in (*RUN, *EXCEPT, *BOUND):
        assert f"`{name}`" in page
