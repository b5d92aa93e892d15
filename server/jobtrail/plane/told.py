"""What another system told of its jobs, checked and in the store's terms: times in nanoseconds since 1970.

What it did not tell is None or empty.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Told", "ToldDefinition", "ToldExecution", "ToldJob", "ToldRun", "ToldTask"]


@dataclass(frozen=True, slots=True)
class ToldJob:
    """A Blaxel job.

    Attributes:
        metadata: what its metadata holds besides name, workspace and times.
        status: the deployment status, in capitals.
    """

    name: str
    created: int | None
    updated: int | None
    status: str | None
    metadata: Mapping[str, Any]
    spec: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]] = ()


class ToldTask(NamedTuple):
    """A task of an execution; an execution may have a great many of them.

    Attributes:
        metadata: what its metadata holds besides name and the times below.
    """

    name: str
    status: str
    created: int
    started: int | None
    ended: int | None
    updated: int | None
    spec: Mapping[str, Any]
    conditions: Sequence[Mapping[str, Any]]
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToldExecution:
    """An execution of a Blaxel job.

    Attributes:
        metadata: what its metadata holds besides id, job, workspace and the times below.
        stats: the counts it gives.
        tasks: those it lists, in their order; a list of executions lists none.
    """

    id: str
    job: str
    status: str
    created: int
    started: int | None
    ended: int | None
    updated: int | None
    spec: Mapping[str, Any]
    metadata: Mapping[str, Any]
    stats: Mapping[str, int]
    tasks: Sequence[ToldTask] = ()


@dataclass(frozen=True, slots=True)
class ToldDefinition:
    """A RunWisp task or service.

    Attributes:
        body: the definition; None where no more than the name is known.
        seen: when it is known to have been there.
    """

    name: str
    body: Mapping[str, Any] | None
    seen: int | None = None


@dataclass(frozen=True, slots=True)
class ToldRun:
    """A run of a RunWisp task.

    Attributes:
        end_reason: in the words of either dialect; None for a run that has not ended.
        body: what else is told of it.
        log: the file that holds its output.
    """

    id: str
    task: str
    status: str
    created: int
    started: int | None
    ended: int | None
    end_reason: str | None
    exit_code: int
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    log: Path | None = None


Told = ToldJob | ToldExecution | ToldDefinition | ToldRun
