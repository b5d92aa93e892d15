"""Defines what an imported document becomes: one row of the store, or a row with its tasks or its log file.

If a document does not say when a row was created or last changed, the time is 0; an unknown job status is empty.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobtrail.store.rows import DefinitionRow, ExecutionRow, JobRow, RunRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jobtrail.store.rows import TaskRow


@dataclass(frozen=True, slots=True)
class ExecutionSnapshot:
    """An execution of a Blaxel job.

    Attributes:
        tasks: those it lists, in their order; a list of executions lists none.
        stats: the counts it gives.
    """

    execution: ExecutionRow
    tasks: Sequence[TaskRow] = ()
    stats: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """A run of a RunWisp task.

    Attributes:
        log: the file that holds its output.
    """

    run: RunRow
    log: Path | None = None


Snapshot = JobRow | ExecutionSnapshot | DefinitionRow | RunSnapshot
"""A definition without a body is one of which only the name is known."""
