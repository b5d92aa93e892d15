"""`docs/contract.md` says what the published document says, and names a test that exists for each row."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from jobtrail.store import Store
from tests.plane.records import open_client

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
KINDS = ("query", "path", "header", "body", "status", "schema", "rule:", "absent:")
SHARED = "Every request under `/v0`"
BOUNDS = ("default", "minimum", "maximum", "minLength", "maxLength", "minItems", "const")


class Row(NamedTuple):
    section: str
    kind: str
    names: list[str]
    says: str
    does: str
    tests: list[str]


def rows() -> list[Row]:
    found: list[Row] = []
    section = ""
    for line in TABLE.splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif line.startswith("| ") and not line.startswith("| what |"):
            what, says, does, tests = (cell.strip() for cell in line.strip("|").split(" | "))
            names = re.findall(r"`([^`]+)`", what)
            found.append(Row(section, what.split()[0], names, says, does, re.findall(r"`([^`]+)`", tests)))
    return found


ROWS = rows()


@cache
def defined_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {
        one.name
        for one in tree.body
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name.startswith("test_")
    }


async def document() -> dict[str, Any]:
    async with open_client(Store(None), "") as client:
        return (await client.get("/openapi.json")).json()


def resolved(whole: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in one:
        return one
    found: Any = whole
    for part in one["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def operations(whole: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in whole["paths"].items():
        for method, operation in item.items():
            yield f"`{method.upper()} {path}`", operation


def about(section: str) -> list[Row]:
    """Return the rows of an operation: its own and those it shares."""
    key = "`GET /v0/" in section
    return [
        row
        for row in ROWS
        if row.section == section
        or (row.section == SHARED and (key or (row.kind == "status" and section.startswith("`POST /v0/"))))
    ]


def test_every_row_is_whole_and_names_tests_that_exist() -> None:
    assert len(ROWS) > 100
    for row in ROWS:
        assert row.kind in KINDS, row
        assert all((row.says, row.does, row.tests)), row
        for test in row.tests:
            path, _, name = test.partition("::")
            assert name in defined_in(path), test


async def test_every_parameter_and_status_has_its_row_and_no_other_has_one() -> None:
    whole = await document()
    sections = dict(operations(whole))
    assert {row.section for row in ROWS if row.section.startswith("`")} == {*sections}
    for section, operation in sections.items():
        expected: dict[str, set[str]] = defaultdict(set)
        for one in operation.get("parameters", ()):
            parameter = resolved(whole, one)
            expected[parameter["in"]].add(parameter["name"])
        for content in operation.get("requestBody", {}).get("content", {}).values():
            expected["body"] |= {*content["schema"]["properties"]}
        expected["status"] = {*operation["responses"]}
        for kind in ("query", "path", "header", "body", "status"):
            told = [name for row in about(section) if row.kind == kind for name in row.names]
            assert sorted(told) == sorted(expected[kind]), (section, kind)


async def test_every_default_bound_and_word_of_a_parameter_is_in_its_row() -> None:
    whole = await document()
    checked = 0
    for section, operation in operations(whole):
        for one in operation.get("parameters", ()):
            parameter = resolved(whole, one)
            (row,) = (row for row in about(section) if row.kind == parameter["in"] and parameter["name"] in row.names)
            schema = resolved(whole, parameter["schema"])
            words = {str(schema[bound]) for bound in BOUNDS if bound in schema}
            words |= {*schema.get("enum", ()), *schema.get("items", {}).get("enum", ())} - {""}
            for word in words:
                assert re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)", f"{row.says} {row.does}", re.IGNORECASE), (
                    section,
                    parameter["name"],
                    word,
                )
                checked += 1
    assert checked > 30


async def test_every_field_of_every_schema_has_its_row_and_no_other_has_one() -> None:
    whole = await document()
    fields = [
        f"{name}.{field}"
        for name, schema in whole["components"]["schemas"].items()
        for field in schema.get("properties", ())
    ]
    told = [name for row in ROWS if row.kind == "schema" for name in row.names]
    assert sorted(told) == sorted(fields)
