"""`server.json` for the MCP registry: its form, and that it says what the code does.

No package carries the registry's JSON schema, and tests fetch nothing. So its rules are written down here as models:
those of schema 2025-12-11 and of the registry's requirements that concern a package on PyPI.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

import jobtrail
from jobtrail.sources.registry import ENVIRONMENT
from tests.distribution.listing import NOT_FOR_CLIENTS, ROOT, SERVER, listed_in_server, read

SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
STALE = "out of date: run python -m tests.distribution.listing"
# The registry refuses ranges: ^1.2.3, ~1.2.3, >=1.2.3, 1.x, 1.*, latest.
Version = Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$", max_length=255)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Variable(_Strict):
    name: str = Field(pattern=r"^[A-Z_]+$")
    description: str = Field(min_length=1)
    isRequired: bool = False  # noqa: N815 # the schema's name
    isSecret: bool = False  # noqa: N815 # likewise
    format: Literal["string", "number", "boolean", "filepath"] = "string"


class Positional(_Strict):
    type: Literal["positional"]
    value: str


class Stdio(_Strict):
    type: Literal["stdio"]


class Package(_Strict):
    registryType: Literal["pypi"]  # noqa: N815 # likewise
    identifier: str
    version: Version
    runtimeHint: Literal["uvx"]  # noqa: N815 # likewise
    transport: Stdio
    packageArguments: list[Positional]  # noqa: N815 # likewise
    environmentVariables: list[Variable]  # noqa: N815 # likewise


class Server(_Strict):
    schema_: Literal["https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"] = Field(
        alias="$schema"
    )
    # Reverse DNS, and one slash.
    name: str = Field(pattern=r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$", min_length=3, max_length=200)
    title: str = Field(min_length=1, max_length=100)
    description: str = Field(min_length=1, max_length=100)
    version: Version
    packages: list[Package] = Field(min_length=1)


@pytest.fixture(scope="module")
def server() -> dict[str, Any]:
    return read(SERVER)


def test_the_file_has_the_form_that_the_registry_takes(server: dict[str, Any]) -> None:
    assert Server.model_validate(server).schema_ == SCHEMA


def test_it_lists_the_version_and_the_settings_of_the_code(server: dict[str, Any]) -> None:
    assert {**server, **listed_in_server()} == server, STALE
    (package,) = server["packages"]
    assert {one["name"]: one["description"] for one in package["environmentVariables"]} == {
        name: meaning for name, meaning in ENVIRONMENT.items() if name not in NOT_FOR_CLIENTS
    }
    assert server["version"] == package["version"] == jobtrail.__version__


def test_every_setting_that_holds_a_secret_is_marked_as_one(server: dict[str, Any]) -> None:
    (package,) = server["packages"]
    marked = {one["name"] for one in package["environmentVariables"] if one.get("isSecret")}
    assert marked == {
        one["name"]
        for one in package["environmentVariables"]
        if re.search("KEY|PASSWORD|TOKEN|CREDENTIALS", one["name"])
    }


def test_nothing_is_required(server: dict[str, Any]) -> None:
    (package,) = server["packages"]
    assert not any(one["isRequired"] for one in package["environmentVariables"])


def test_the_readme_carries_the_name_as_the_registry_looks_for_it(server: dict[str, Any]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"<!-- mcp-name: (\S+) -->", readme) == [server["name"]]
