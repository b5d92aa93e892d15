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
    """

    n: int
    text: str
    mark: str = ""
    at: datetime | None = None


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
        """Whether there were lines that can no longer be read, or are not."""
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
