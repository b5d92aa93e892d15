"""The plan of a recording: which commands to run, and how; and the result of it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jobtrail.masking import Mask
    from jobtrail.store.recording import JobSchedule

_PLACEHOLDER = "{}"
_LONGEST_NAME = 100
_LONGEST_TITLE = 80


@dataclass(frozen=True)
class TaskCommand:
    """The command of one task, and the task's name; None for a task that the store numbers."""

    name: str | None
    command: Sequence[str]


@dataclass(frozen=True)
class Plan:
    """What to run and how.

    Attributes:
        job: the job it is recorded under.
        command: the program and its arguments; an input line replaces `{}` in them.
        execution: the execution to join, or the id of a new one; None for a new one with an id of its own.
        inherited: the execution is that of an outer recorder; if it cannot be joined, a new one is made.
        outer: the task of that recorder that this runs within; empty for none.
        task: the task's name; None for one that is numbered.
        inputs: a task for each of these lines; None for one task.
        labels: the job's, by key.
        timeout: seconds a try may take.
        retries: further tries after one that failed.
        retry_delay: seconds to wait before each of these.
        parallel: tasks at a time.
        title: the job's title.
        schedule: when the job is due; None leaves what is known of that.
    """

    job: str
    command: Sequence[str]
    execution: str | None = None
    inherited: bool = False
    outer: str = ""
    task: str | None = None
    inputs: Sequence[str] | None = None
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    timeout: float | None = None
    retries: int = 0
    retry_delay: float = 1.0
    parallel: int = 1
    title: str = ""
    schedule: JobSchedule | None = None

    def apply_mask(self, mask: Mask) -> Plan:
        """Return the plan as it is recorded: no secret in any name; the title is the command up to its first option.

        The command itself and the input lines are what is run, and stay.
        """
        end = next((index for index, word in enumerate(self.command) if word.startswith("-")), len(self.command))
        return replace(
            self,
            job=mask.mask_name(self.job),
            execution=None if self.execution is None else mask.mask_name(self.execution),
            task=None if self.task is None else mask(self.task),
            labels=dict(mask.mask_pair(key, value) for key, value in self.labels.items()),
            title=shlex.join(mask.mask_words(self.command[:end]))[:_LONGEST_TITLE],
        )

    def list_commands(self, mask: Callable[[str], str]) -> list[TaskCommand]:
        """Return the tasks in order: one, or one for each input line, which also names it, without secrets."""
        if self.inputs is None:
            return [TaskCommand(self.task or None, self.command)]
        seen: dict[str, int] = {}
        return [TaskCommand(_make_task_name(mask(line), seen), _fill_in(self.command, line)) for line in self.inputs]


def _make_task_name(line: str, seen: dict[str, int]) -> str:
    """Return a line as the name of a task; a line that was seen before gets a number."""
    name = " ".join("".join(one if one.isprintable() else " " for one in line).split())[:_LONGEST_NAME] or "(blank)"
    seen[name] = seen.get(name, 0) + 1
    return name if seen[name] == 1 else f"{name} #{seen[name]}"


def _fill_in(command: Sequence[str], line: str) -> list[str]:
    """Return the command with each `{}` replaced by the line; without `{}` the line becomes the last argument."""
    if any(_PLACEHOLDER in word for word in command):
        return [word.replace(_PLACEHOLDER, line) for word in command]
    return [*command, line]


@dataclass(frozen=True)
class RecordingResult:
    """How the tasks of a plan ended.

    Attributes:
        code: the exit code for the recorder's own process.
        execution: the id of the recorded execution; None if it could not be recorded.
        counts: the number of tasks by their final status.
    """

    code: int
    execution: str | None
    counts: Mapping[str, int]
