"""Format tool calls as commands that a person can type."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from jobtrail.models import Call, write_text
from jobtrail.text import quote_unless_word

if TYPE_CHECKING:
    from jobtrail.models import Sentence


def format_command(call: Call) -> str:
    """Return the command that makes a call; a placeholder is not quoted."""
    words = (f"{quote_unless_word(name)}={_format_argument(value)}" for name, value in call.arguments.items())
    return " ".join(["jobtrail ask", call.tool, *words])


def format_text(text: str | Call | Sentence) -> str:
    """Return a text with its calls written as commands."""
    return write_text(text, format_command)


def _format_argument(value: object) -> str:
    if value is ...:
        return "…"
    return shlex.quote(str(value).lower() if isinstance(value, bool) else str(value))
