"""What a document tells, as rows of the store.

What a row must have and a document does not tell is 0 or empty: when it was created or last changed, a job's status.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobtrail.store.rows import Definition, Execution, Job, Run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jobtrail.store.rows import Task

__all__ = ["ExecutionSnapshot", "RunSnapshot", "Snapshot"]


@dataclass(frozen=True, slots=True)
class ExecutionSnapshot:
    """An execution of a Blaxel job.

    Attributes:
        tasks: those it lists, in their order; a list of executions lists none.
        stats: the counts it gives.
    """

    execution: Execution
    tasks: Sequence[Task] = ()
    stats: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """A run of a RunWisp task.

    Attributes:
        log: the file that holds its output.
    """

    run: Run
    log: Path | None = None


Snapshot = Job | ExecutionSnapshot | Definition | RunSnapshot
"""A definition without a body is one of which only the name is known."""
