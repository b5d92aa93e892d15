"""The registration of a kind of upstream: how its sources are configured, opened and described."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from jobtrail.settings.shapes import SourceSettings


@dataclass(frozen=True)
class Upstream:
    """A kind of upstream.

    Attributes:
        settings: the model of a source of this kind, with the name of the kind.
        opener: `module:function` that opens a source; imported when the first one is used.
        label: written in the instructions in parentheses after the name of such a source.
        offers: `executions`, `runs` or both.
        variables: environment variables, and what each is for.
        plane_variable: one of them with its value for a plane at `{url}`, such as `NAME={url}`; empty if the plane
            does not speak its API.
        from_environment: returns the source that variables or a file in the home directory configure, if any.
    """

    settings: type[SourceSettings]
    opener: str
    label: str
    offers: frozenset[str]
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    plane_variable: str = ""
    from_environment: Callable[[Mapping[str, str], Path], SourceSettings | None] = lambda _given, _home: None

    @property
    def kind(self) -> str:
        """The name of the kind, as in a settings file."""
        return self.settings.kind
