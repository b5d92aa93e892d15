"""Defines the interface of a log, which every upstream implements: numbered lines, read from either end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


@dataclass(frozen=True)
class Line:
    """One line as its upstream sent it, not yet safe to show.

    Attributes:
        n: its number; the log's first line is 1, whether it is still kept or not.
        mark: what the upstream says of it, where that is not the usual: `stderr`, `system`, `warning`, `error`,
            `fatal`.
        at: when it was written, where the upstream knows.
        task: the task of the execution that wrote it, where the upstream tells.
    """

    n: int
    text: str
    mark: str = ""
    at: datetime | None = None
    task: str = ""


@dataclass(frozen=True)
class Lines:
    """What one read came to.

    Attributes:
        lines: by number, without a gap.
        total: the number of the newest line there is.
        first: the number of the oldest that is still kept.
        final: whether no more will be written.
    """

    lines: Sequence[Line]
    total: int
    first: int
    final: bool


EMPTY = "it wrote nothing, or its output was not kept"
"""A note for agents on a log that has ended without a line."""


class Log(Protocol):
    """A log that can be read at any line."""

    @property
    def most(self) -> int:
        """How many lines one read can have."""
        ...

    @property
    def continuation(self) -> str:
        """What its source needs to open the same log again, with the same numbers; may be empty."""
        ...

    @property
    def partial(self) -> bool:
        """Whether what was read is known to lack something: lines or parts of lines that are not kept or not read."""
        ...

    @property
    def note(self) -> str:
        """What an agent must know of it; empty where there is nothing."""
        ...

    async def read(self, first: int, want: int) -> Lines:
        """Read up to `want` lines from number `first` on; a negative `first` counts from the end.

        Raises:
            UpstreamError: the upstream failed.
            AgentError: there is no such log.
        """
        ...
