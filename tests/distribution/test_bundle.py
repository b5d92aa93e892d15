"""The bundle as a host installs it: packed, unpacked elsewhere, its variables filled in, started with uv."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from jobtrail.plane import InProcessPlane
from jobtrail.protocol.prompts import load_prompts
from jobtrail.tools import TOOLS
from tests.distribution.host import Installed, pack
from tests.distribution.listing import ROOT
from tests.plane.serving import serve_app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.peers.npm import Npm
    from tests.peers.runwisp_daemon import Daemon

pytestmark = pytest.mark.distribution

LARGEST = 1_000_000
"""Bytes of a bundle: uv brings the dependencies, so it is our own text and little else."""
LIST_JOBS: dict[str, Any] = {"name": "list_jobs", "arguments": {"limit": 2}}


@pytest.fixture(scope="module")
def bundle(npm: Npm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(npm, tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def plane() -> Iterator[str]:
    """The address of the sample, which speaks both upstreams' APIs."""
    with serve_app(InProcessPlane(None)) as url:
        yield url


@pytest.fixture(scope="module")
def installed(npm: Npm, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed.of(npm, bundle, tmp_path_factory.mktemp("host"))


def answered(told: dict[str, Any]) -> str:
    """Return the text of the one answer, which is no error."""
    (answer,) = told["answers"]
    assert not answer.get("isError"), answer
    return answer["content"][0]["text"]


def test_a_bundle_holds_the_program_and_what_it_needs_and_nothing_else(bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as packed:
        names = set(packed.namelist())
    program = {
        path.relative_to(ROOT).as_posix()
        for folder in ("server/jobtrail", "prompts")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert names == program | {"manifest.json", "pyproject.toml", "uv.lock", "README.md", "LICENSE", "icon.png"}
    assert bundle.stat().st_size < LARGEST


def test_with_nothing_filled_in_it_shows_the_sample(installed: Installed) -> None:
    told = installed.talk({}, LIST_JOBS)
    assert told["server"]["name"] == "jobtrail"
    assert told["tools"] == [spec.fn.__name__ for spec in TOOLS]
    assert told["prompts"] == [prompt.name for prompt in load_prompts()]
    (answer,) = told["answers"]
    assert "SAMPLE DATA" in answer["content"][0]["text"]
    assert len(answer["structuredContent"]["items"]) == 2


def test_a_host_leaves_the_variable_of_a_file_nobody_chose(installed: Installed) -> None:
    # So what the server gets then is this text, not nothing.
    variables = installed.configured()["env"]
    assert variables.pop("JOBTRAIL_CONFIG") == "${user_config.config_file}"
    assert set(variables.values()) == {""}


@pytest.mark.xfail(raises=AssertionError, reason="mcpb alters dollars: modelcontextprotocol/mcpb#258")
def test_a_host_passes_a_password_on_as_it_was_typed(installed: Installed) -> None:
    password = "a$$b$&c"
    assert installed.configured(runwisp_password=password)["env"]["RUNWISP_PASSWORD"] == password


def test_the_key_and_the_workspace_that_were_filled_in_are_used_for_blaxel(installed: Installed, plane: str) -> None:
    filled_in = {"blaxel_api_key": "any", "blaxel_workspace": "default"}
    # The address is no setting of the bundle: there is one Blaxel. Here the sample stands in for it.
    assert "source blaxel" in answered(installed.talk(filled_in, LIST_JOBS, BL_API_URL=f"{plane}/v0"))


def test_the_address_that_was_filled_in_is_used_for_runwisp(installed: Installed, plane: str) -> None:
    assert "source runwisp" in answered(installed.talk({"runwisp_url": plane}, LIST_JOBS))


def test_the_password_that_was_filled_in_opens_a_locked_runwisp(installed: Installed, runwisp_locked: Daemon) -> None:
    assert runwisp_locked.password
    filled_in = {"runwisp_url": runwisp_locked.url, "runwisp_password": runwisp_locked.password}
    assert "source runwisp" in answered(installed.talk(filled_in, LIST_JOBS))


def test_the_file_that_was_chosen_configures_several_sources(
    installed: Installed, plane: str, tmp_path: Path
) -> None:
    file = tmp_path / "my sources.toml"
    file.write_text(
        f"""
        default = "cron"
        sources.prod = {{ kind = "blaxel", url = "{plane}/v0", workspace = "default", api_key = "any" }}
        sources.cron = {{ kind = "runwisp", url = "{plane}" }}
        """,
        encoding="utf-8",
    )
    both = [{"name": "list_jobs", "arguments": {"source": source, "limit": 1}} for source in ("prod", "cron")]
    told = installed.talk({"config_file": str(file)}, *both)
    for answer, source in zip(told["answers"], ("prod", "cron"), strict=True):
        assert source in told["instructions"]
        assert f"source {source}" in answer["content"][0]["text"]
