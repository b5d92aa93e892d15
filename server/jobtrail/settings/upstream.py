"""What is registered of a kind of upstream: how its sources are configured, opened and introduced."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from jobtrail.settings.shapes import SourceSettings


def _nothing(_given: Mapping[str, str], _home: Path) -> None:
    """Return no source: none is configured by the environment."""


@dataclass(frozen=True)
class Upstream:
    """A kind of upstream.

    Attributes:
        settings: the model of a source of this kind; it says the kind's name, and which settings prove who asks.
        opener: `module:function` that opens a source, loaded when one is first asked for.
        label: what the instructions call such a source, in parentheses after its name.
        offers: `executions`, `runs` or both.
        variables: environment variables, and what each is for.
        from_environment: returns the source that set variables, or a file in the home directory, stand for.
    """

    settings: type[SourceSettings]
    opener: str
    label: str
    offers: frozenset[str]
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    from_environment: Callable[[Mapping[str, str], Path], SourceSettings | None] = _nothing

    @property
    def kind(self) -> str:
        """Its name, as a settings file gives it."""
        return self.settings.kind
