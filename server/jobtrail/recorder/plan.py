"""What a recorder is asked to do, and what came of it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Order", "Outcome", "Piece"]

_PLACE = "{}"
_LONGEST_NAME = 100
_LONGEST_TITLE = 80


@dataclass(frozen=True)
class Piece:
    """One task of an order: its name, None for one that is numbered, and its command."""

    name: str | None
    command: Sequence[str]


@dataclass(frozen=True)
class Order:
    """What to run and how.

    Attributes:
        job: the job it is recorded under.
        command: the program and its arguments; `{}` in them stands for an input line.
        execution: the execution to join, or the id of a new one; None for a new one with an id of its own.
        task: the task's name; None for one that is numbered.
        inputs: a task for each of these lines; None for one task.
        labels: of the job.
        timeout: seconds an attempt may take.
        retries: further attempts after one that failed.
        retry_delay: seconds before each.
        parallel: tasks at a time.
    """

    job: str
    command: Sequence[str]
    execution: str | None = None
    task: str | None = None
    inputs: Sequence[str] | None = None
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    timeout: float | None = None
    retries: int = 0
    retry_delay: float = 1.0
    parallel: int = 1

    def title(self, mask: Callable[[str], str]) -> str:
        """Return the command up to its first option, without secrets: what follows may be nobody's business."""
        words = [*self.command]
        end = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
        return shlex.join(mask(word) for word in words[:end])[:_LONGEST_TITLE]

    def pieces(self, mask: Callable[[str], str]) -> list[Piece]:
        """Return the tasks, in order: one, or one for each input line, which names it, without secrets."""
        if self.inputs is None:
            return [Piece(mask(self.task) if self.task else None, self.command)]
        seen: dict[str, int] = {}
        return [Piece(_named(mask(line), seen), _filled(self.command, line)) for line in self.inputs]


def _named(line: str, seen: dict[str, int]) -> str:
    """Return a line as a task's name; one that comes again gets a number."""
    name = " ".join("".join(one if one.isprintable() else " " for one in line).split())[:_LONGEST_NAME] or "(blank)"
    seen[name] = seen.get(name, 0) + 1
    return name if seen[name] == 1 else f"{name} #{seen[name]}"


def _filled(command: Sequence[str], line: str) -> list[str]:
    """Return the command with the line in place of `{}`, or at its end where there is none."""
    if any(_PLACE in word for word in command):
        return [word.replace(_PLACE, line) for word in command]
    return [*command, line]


@dataclass(frozen=True)
class Outcome:
    """What came of an order.

    Attributes:
        code: the exit code to end with.
        execution: its id; None where it could not be recorded.
        counts: tasks by how they ended.
    """

    code: int
    execution: str | None
    counts: Mapping[str, int]
