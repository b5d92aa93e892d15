"""MCP prompts from `prompts/*.md`: front matter (name, title, description, arguments), then the text.

`{{name}}` in the text stands for an argument; one that is not given becomes its `default`.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from mcp.server.mcpserver.prompts import Prompt
from mcp.server.mcpserver.prompts.base import PromptArgument
from pydantic import BaseModel, ConfigDict

from jobtrail.errors import SettingsError
from jobtrail.text import quote_unless_word

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.resources.abc import Traversable

_FRONT_MATTER = re.compile(r"---\n(.*?)\n---\n(.*)", re.DOTALL)
_LONGEST_ARGUMENT = 200
_PLAIN = re.compile(r"[A-Za-z0-9-]+")
_BACKTICK = r"\x60"


class _Argument(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str
    required: bool = False
    default: str = ""


class PromptFile(BaseModel):
    """One prompt as its file describes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    description: str
    arguments: tuple[_Argument, ...] = ()
    text: str

    def fill(self, given: dict[str, str]) -> str:
        """Return the text with its arguments."""
        values = {
            one.name: _write_argument(text) if (text := given.get(one.name, "").strip()) else one.default
            for one in self.arguments
        }
        return re.sub(r"\{\{(\w+)\}\}", lambda match: values.get(match[1], match[0]), self.text)


def _write_argument(text: str) -> str:
    """Return an argument as one word or quoted, and as code where Markdown could make something else of it."""
    written = quote_unless_word(text, _LONGEST_ARGUMENT)
    return written if _PLAIN.fullmatch(written) else f"`{written.replace('`', _BACKTICK)}`"


def load_prompts() -> list[PromptFile]:
    """Read every prompt file, by name.

    Raises:
        SettingsError: the installation has none, or one is malformed.
    """
    found = [
        _read_prompt(path)
        for path in sorted(_find_folder().iterdir(), key=lambda path: path.name)
        if path.name.endswith(".md")
    ]
    if not found:
        raise SettingsError("this installation has no prompts; install jobtrail again")
    return found


def _find_folder() -> Traversable:
    """Return the wheel's copy, or the repository's folder for an editable install."""
    packaged = files("jobtrail") / "_prompts"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "prompts"


def _read_prompt(path: Traversable) -> PromptFile:
    match = _FRONT_MATTER.fullmatch(path.read_text(encoding="utf-8").replace("\r\n", "\n"))
    if match is None:
        raise SettingsError(f"prompt file {path.name} has no front matter")
    return PromptFile.model_validate({**yaml.safe_load(match[1]), "text": match[2].strip()})


def make_prompts() -> list[Prompt]:
    """Return every prompt for the SDK's server."""
    return [
        Prompt(
            name=one.name,
            title=one.title,
            description=one.description,
            arguments=[
                PromptArgument(name=arg.name, description=arg.description, required=arg.required)
                for arg in one.arguments
            ],
            fn=_make_filler(one),
            context_kwarg=None,
        )
        for one in load_prompts()
    ]


def _make_filler(one: PromptFile) -> Callable[..., str]:
    def fill(**given: str) -> str:
        return one.fill(given)

    return fill
