"""The board: what people look at instead of reading an answer.

One HTML document without anything outside itself. Its parts lie beside this file and are put together when asked for.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

__all__ = ["BOARD_URI", "board_html", "board_page"]

BOARD_URI = "ui://jobtrail/board.html"

_STYLES = ("board.css", "timeline.css")
_SCRIPTS = (
    "elements.js", "words.js", "signature.js", "bridge.js", "walk.js", "tasks.js", "tasklist.js",
    "overview.js", "rows.js", "chips.js", "logs.js", "summary.js", "causes.js", "following.js", "execution.js",
    "tables.js", "history.js", "run.js", "start.js", "main.js",
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


def board_html() -> str:
    """Return the board for an MCP Apps host: it may connect to nothing."""
    return _document("", connect="'none'")


def board_page(version: str) -> str:
    """Return the board as a page that asks the server it came from.

    Args:
        version: of Jobtrail, to be shown.
    """
    return _document(version, connect="'self'")


def _document(page: str, connect: str) -> str:
    style, script = _joined(_STYLES), f'"use strict";\n{_joined(_SCRIPTS)}'
    policy = {
        **_POLICY,
        "style-src": _hash(style),
        "script-src": _hash(script),
        "connect-src": connect,
    }
    parts = {
        "{{policy}}": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "{{page}}": page,
        "{{style}}": style,
        "{{script}}": script,
    }
    text = _part("board.html")
    for name, part in parts.items():
        text = text.replace(name, part)
    return text


def _joined(names: tuple[str, ...]) -> str:
    return "\n".join(_part(name) for name in names)


def _part(name: str) -> str:
    return (files(__name__) / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return the CSP source of one inline element: only this very text runs."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
