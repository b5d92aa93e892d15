"""The board: an HTML document that shows an answer to people.

It loads nothing from outside. Its parts are files beside this module, joined by `build_board`.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

__all__ = ["BOARD_URI", "build_board", "build_board_page"]

BOARD_URI = "ui://jobtrail/board.html"

_STYLES = ("board.css", "timeline.css")
_SCRIPTS = (
    "elements.js", "words.js", "signature.js", "bridge.js", "walk.js", "tasks.js", "tasklist.js",
    "overview.js", "rows.js", "chips.js", "logs.js", "summary.js", "causes.js", "following.js", "execution.js",
    "tables.js", "history.js", "run.js", "start.js", "compare.js", "main.js",
)  # fmt: skip
"""In this order: they share one scope, and the last one starts."""

_POLICY = {
    "default-src": "'none'",
    "img-src": "data:",  # the empty icon, so that no browser asks for one
    "base-uri": "'none'",
    "form-action": "'none'",
    # Nothing can become markup, not even by mistake: upstream text is text.
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}


def build_board() -> str:
    """Return the board for an MCP Apps host: it may connect to nothing."""
    return _build_document("", connect="'none'")


def build_board_page(version: str) -> str:
    """Return the board as a page that asks the server it came from.

    Args:
        version: of Jobtrail, to be shown.
    """
    return _build_document(version, connect="'self'")


def _build_document(page: str, connect: str) -> str:
    style, script = _join_parts(_STYLES), f'"use strict";\n{_join_parts(_SCRIPTS)}'
    policy = {
        **_POLICY,
        "style-src": _hash_source(style),
        "script-src": _hash_source(script),
        "connect-src": connect,
    }
    parts = {
        "{{policy}}": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "{{page}}": page,
        "{{style}}": style,
        "{{script}}": script,
    }
    text = _read_part("board.html")
    for name, part in parts.items():
        text = text.replace(name, part)
    return text


def _join_parts(names: tuple[str, ...]) -> str:
    return "\n".join(_read_part(name) for name in names)


def _read_part(name: str) -> str:
    return (files(__name__) / name).read_text(encoding="utf-8")


def _hash_source(text: str) -> str:
    """Return the CSP source of one inline element: only this very text runs."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
