"""The board's document: one file, a strict policy, nothing from outside; no browser."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jobtrail import board
from jobtrail.board import BOARD_URI, build_board, build_board_page
from jobtrail.vocabulary import STATUSES
from tests.sample_client import sample_client

FOLDER = Path(board.__file__).parent
PARTS = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir() if path.suffix in {".js", ".css"}}


def policy(document: str) -> dict[str, str]:
    (text,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', document)
    return dict(directive.split(" ", 1) for directive in text.split("; "))


def inline(document: str, tag: str) -> str:
    (text,) = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", document, re.DOTALL)
    return text


def test_every_part_is_in_the_document_just_once() -> None:
    document = build_board()
    for name, text in PARTS.items():
        assert document.count(text) == 1, name
    assert "{{" not in document


def test_the_board_knows_every_status() -> None:
    (words,) = re.findall(r"^const STATUSES = \[(.*)\];", PARTS["words.js"], re.MULTILINE)
    assert {word.strip('" ') for word in words.split(",")} == {*STATUSES}


def test_only_the_board_s_own_script_and_style_may_run_and_a_host_s_board_connects_to_nothing() -> None:
    for document, connect in ((build_board(), "'none'"), (build_board_page("1.2.3"), "'self'")):
        allowed = policy(document)
        assert allowed["default-src"] == "'none'"
        assert allowed["connect-src"] == connect
        for tag, directive in (("script", "script-src"), ("style", "style-src")):
            digest = base64.b64encode(hashlib.sha256(inline(document, tag).encode()).digest()).decode()
            assert allowed[directive] == f"'sha256-{digest}'"
    assert 'name="jobtrail-page" content=""' in build_board()
    assert 'name="jobtrail-page" content="1.2.3"' in build_board_page("1.2.3")


def test_nothing_outside_is_named() -> None:
    document = build_board()
    assert re.findall(r"(?:https?:)?//[\w.]+\.\w+", document) == []
    assert re.findall(r"\b(?:src|href)=\"([^\"]*)\"", document) == ["data:,"]
    assert re.findall(r"@import|url\(", document) == []


@pytest.mark.parametrize("name", sorted(name for name in PARTS if name.endswith(".js")))
def test_text_cannot_become_markup_or_code(name: str) -> None:
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|setHTML|srcdoc"
    assert re.findall(rf"{markup}|\beval\b|new Function|javascript:", PARTS[name]) == []


def test_the_package_is_light_to_import() -> None:
    code = "import sys; import jobtrail.board; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert {"mcp", "starlette", "pydantic", "httpx2"}.isdisjoint(loaded.split())


@pytest.mark.anyio
async def test_the_server_lists_the_board_and_names_it_at_the_tools_that_it_shows() -> None:
    async with sample_client() as client:
        tools = {tool.name: tool.meta for tool in (await client.list_tools()).tools if tool.meta}
        assert {name: meta["ui"]["resourceUri"] for name, meta in tools.items() if "ui" in meta} == {
            "get_execution": BOARD_URI,
            "history": BOARD_URI,
        }
        (content,) = (await client.read_resource(BOARD_URI)).contents
    assert content.mime_type == "text/html;profile=mcp-app"
    assert getattr(content, "text", "") == build_board()
