"""uv.lock: what bundle, container and `uv run` install; of the public index, and of pyproject.toml as it is."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tomllib
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import pytest

from tests.distribution.listing import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 60
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK: dict[str, Any] = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
PACKAGES: dict[str, dict[str, Any]] = {one["name"]: one for one in LOCK["package"]}
BY_YEAR = {"stamina"}
"""Packages whose major version is the year."""


def list_addresses(value: Any) -> Iterator[str]:
    """Yield every address within a document."""
    if isinstance(value, str) and "://" in value:
        yield value
    elif isinstance(value, dict):
        yield from list_addresses([*cast("dict[str, Any]", value).values()])
    elif isinstance(value, list):
        for one in cast("list[Any]", value):
            yield from list_addresses(one)


def list_requirements() -> dict[tuple[str, str], str]:
    """Return the version specifier of each requirement of pyproject.toml, by extra and name."""
    wanted = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
    split = ((extra, re.split(r"(?=[<>=~])", text, maxsplit=1)) for extra, texts in wanted.items() for text in texts)
    return {(extra, parts[0].partition("[")[0]): parts[1] for extra, parts in split if len(parts) > 1}


def test_every_package_comes_from_the_public_index() -> None:
    hosts = {urlsplit(address).hostname for address in list_addresses(LOCK)}
    assert hosts == {"pypi.org", "files.pythonhosted.org"}


def test_it_was_made_of_the_requirements_as_they_are() -> None:
    locked = {
        (match[1] if (match := re.search(r"extra == '(\w+)'", one.get("marker", ""))) else "", one["name"]): set(
            one["specifier"].split(",")
        )
        for one in PACKAGES["jobtrail"]["metadata"]["requires-dist"]
        if "specifier" in one
    }
    assert locked == {key: set(text.split(",")) for key, text in list_requirements().items()}
    assert LOCK["requires-python"] == PROJECT["requires-python"]


def test_no_requirement_takes_the_next_major_version_unseen() -> None:
    assert {name for (_, name), text in list_requirements().items() if "<" not in text} == BY_YEAR


def test_each_file_that_is_locked_has_its_hash() -> None:
    files = [
        file
        for package in PACKAGES.values()
        for file in (*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else []))
    ]
    assert files
    assert [file["url"] for file in files if not file["hash"].startswith("sha256:")] == []


def test_the_container_installs_with_the_uv_that_is_locked() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"uv==(\S+)", text) == [PACKAGES["uv"]["version"]]
    assert "uv sync --locked" in text


def test_every_stage_of_the_container_begins_with_one_base_by_its_digest() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.fullmatch(r"python:\S+@sha256:[0-9a-f]{64}", *re.findall(r"^ARG BASE=(.*)$", text, re.MULTILINE))
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${BASE}"}


@pytest.mark.distribution
def test_the_command_of_contributing_writes_a_bill_of_materials_without_a_network(tmp_path: Path) -> None:
    (line,) = re.findall(r"^uv export .*$", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    command = shlex.split(line.partition(" #")[0])
    written = tmp_path / command[-1]
    subprocess.run(
        [*command[:-1], str(written), "--offline", "--quiet"],
        check=True,
        cwd=ROOT,
        timeout=SECONDS,
        capture_output=True,
    )
    document = json.loads(written.read_text(encoding="utf-8"))
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.5")
    found = {one["name"]: one["version"] for one in document["components"]}
    assert found["mcp"] == PACKAGES["mcp"]["version"]
    assert "pytest" not in found
