"""`manifest.json` says what the code does; `python -m tests.distribution.listing` brings it up to date."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any

import pytest

from jobtrail.sources.registry import ENVIRONMENT
from tests.distribution.listing import MANIFEST, ROOT, listed_in_manifest, read
from tests.sample_client import sample_client

if TYPE_CHECKING:
    from tests.peers.npm import Npm

pytestmark = pytest.mark.anyio

STALE = "out of date: run python -m tests.distribution.listing"


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return read(MANIFEST)


def test_the_manifest_lists_the_version_the_tools_and_the_prompts_of_the_code(manifest: dict[str, Any]) -> None:
    assert {**manifest, **listed_in_manifest()} == manifest, STALE


async def test_the_manifest_lists_what_the_server_lists(manifest: dict[str, Any]) -> None:
    async with sample_client() as client:
        tools = (await client.list_tools()).tools
        prompts = (await client.list_prompts()).prompts
    assert [one["name"] for one in manifest["tools"]] == [tool.name for tool in tools]
    assert {one["name"]: one["arguments"] for one in manifest["prompts"]} == {
        prompt.name: [argument.name for argument in prompt.arguments or []] for prompt in prompts
    }
    # Nothing more comes into being at run time.
    assert not manifest["tools_generated"]
    assert not manifest["prompts_generated"]


def test_every_setting_is_optional_and_reaches_the_server_as_a_variable_that_it_knows(
    manifest: dict[str, Any],
) -> None:
    variables = manifest["server"]["mcp_config"]["env"]
    assert set(variables) <= set(ENVIRONMENT)
    assert sorted(variables.values()) == sorted(f"${{user_config.{name}}}" for name in manifest["user_config"])
    assert not any(setting["required"] for setting in manifest["user_config"].values())


def test_what_is_secret_is_kept_by_the_host_as_a_secret(manifest: dict[str, Any]) -> None:
    secret = {name for name, setting in manifest["user_config"].items() if setting.get("sensitive")}
    assert secret == {"blaxel_api_key", "runwisp_password"}


def test_the_manifest_asks_for_the_python_that_the_package_asks_for(manifest: dict[str, Any]) -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    asked = re.search(r'^requires-python = "(.*)"$', project, re.MULTILINE)
    assert asked
    assert manifest["compatibility"]["runtimes"] == {"python": asked[1]}


def test_the_manifest_names_no_address(manifest: dict[str, Any]) -> None:
    # The project has no home on the web yet; a made-up one would be somebody else's.
    assert not {"repository", "homepage", "documentation", "support", "privacy_policies"} & set(manifest)
    assert "Privacy" in manifest["long_description"]


def test_the_icon_is_512_by_512(manifest: dict[str, Any]) -> None:
    head = (ROOT / manifest["icon"]).read_bytes()[:24]
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", head[16:24]) == (512, 512)


def test_mcpb_finds_the_manifest_valid(npm: Npm) -> None:
    done = npm.run("mcpb", "validate", str(MANIFEST), cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Manifest schema validation passes!" in done.stdout
